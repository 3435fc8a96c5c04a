"""What a store promises, and the names it accepts. Only the loop writes; screens read.

Every implementation must pass ``tests/contracts/test_stores.py``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from everfit.errors import UsageError
from everfit.records import Decision, Version

_MODEL = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,8})")

RunState = Literal["running", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class RunHandle:
    """The right to write for one model: valid until the run ends or another takes over.

    ``epoch`` grows with every holder of the model, so that a holder that was thought dead and
    wakes up again is refused. ``seen`` holds the revision of each alias when the run began.
    """

    id: str
    model: str
    epoch: int
    seen: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One pass of the loop as the store knows it; times in UTC, ``budget_s`` in seconds."""

    id: str
    model: str
    state: RunState
    spec: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None = None
    budget_s: float | None = None
    seed: int | None = None
    data_sha256: str = ""
    n_trials: int = 0


@dataclass(frozen=True, slots=True)
class Alias:
    """A movable name of a version; ``rev`` counts its moves, ``decision`` is the last one's id."""

    model: str
    name: str
    number: int | None
    rev: int
    decision: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests are shared out, by key: shares from 0 to 1, all zero when nobody has said.

    ``share`` goes to the version that the alias ``canary`` names; ``holdout`` stays with the
    champion, whatever else is tried. ``rev`` counts the changes.
    """

    share: float = 0.0
    holdout: float = 0.0
    rev: int = 0


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What another registry knows of one thing of ours: ``remote`` is its name over there.

    ``tries`` counts attempts, ``error`` is what the last one met, ``next_try_at`` when to try
    again and ``done_at`` when it was all told; times in UTC.
    """

    remote: str = ""
    tries: int = 0
    error: str = ""
    next_try_at: datetime | None = None
    done_at: datetime | None = None


class Reading(Protocol):
    """What may be asked of a store.

    Names of models and versions that are not there raise ``ModelUnknown`` and offer near ones,
    except for :meth:`champion`, which gives None.
    """

    def models(self) -> tuple[str, ...]:
        """Names of all models, sorted."""
        ...

    def runs(self, model: str) -> tuple[RunRow, ...]:
        """All runs, newest first; one whose process is gone reads ``interrupted``."""
        ...

    def result(self, model: str, run: str | None = None) -> Mapping[str, Any]:
        """What a run found, as it was given to ``finish_run``; of the newest that left any."""
        ...

    def decisions(self, model: str, newest_first: bool = True) -> tuple[Decision, ...]:
        """The ledger. A decision, once given back by ``commit``, is given back equal for ever."""
        ...

    def versions(self, model: str) -> tuple[Version, ...]:
        """All versions, newest first, each with its present state."""
        ...

    def version(self, model: str, name: str) -> Version:
        """The version called ``v3`` or ``3``, or by an alias such as ``champion``."""
        ...

    def champion(self, model: str) -> Version | None:
        """The version that serves; None when there is none or no such model."""
        ...

    def aliases(self, model: str) -> Mapping[str, Alias]:
        """Where each alias points now."""
        ...

    def traffic(self, model: str) -> Traffic:
        """How requests of ``model`` are shared out."""
        ...

    def mirrored(self, target: str) -> Mapping[tuple[str, str], Mirrored]:
        """What the registry ``target`` has been told, by kind and item."""
        ...

    def revision(self) -> int:
        """The number of the newest decision about any model; 0 when there is none."""
        ...

    def next_number(self, model: str) -> int:
        """The number of the next version."""
        ...

    def served_before(self, model: str, number: int) -> int | None:
        """The version that served before ``number`` was first made champion, if any."""
        ...


class Store(Reading, Protocol):
    """What a store promises to the one loop that writes.

    * All or nothing: after a kill at any moment each write is wholly there or not at all.
    * Durable: what a method returned survives a kill of the process, and a power cut as far as
      the disk keeps its word on fsync.
    * One run per model: :meth:`begin_run` refuses while another process that lives holds the
      model; the model of a dead process is taken over at once.
    * Fenced: every write of a run that lost its model raises ``StoreBusy`` and changes nothing.
    * Append-only: decisions, versions and moves of aliases are never changed or deleted.

    Any method may raise ``StoreFailed`` (disk full, rights, damage), ``StoreBusy`` (others kept the
    database locked) or ``Unreachable`` (a server is away); then nothing was written, unless a
    server went away during the commit itself.
    """

    @property
    def root(self) -> Path:
        """The folder that holds versions and finished work."""
        ...

    def begin_run(self, model: str, spec: Mapping[str, Any]) -> RunHandle:
        """Start a run; ``budget_s``, ``seed`` and ``data_sha256`` of ``spec`` are kept by name.

        Raises
        ------
        UsageError : the name cannot be a model's
        SettingsError : the folders of the versions are not where the store was opened
        StoreBusy : another run holds the model; says its pid and since when
        """
        ...

    def heartbeat(self, run: RunHandle) -> None:
        """Say that the run lives.

        Raises
        ------
        StoreBusy : the run lost its model
        """
        ...

    def finish_run(
        self,
        run: RunHandle,
        state: Literal["done", "failed", "interrupted"],
        decisions: Sequence[Decision] = (),
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the last decisions and what was found, and let go of the model."""
        ...

    def save_trial(
        self, run: RunHandle, key: str, record: Mapping[str, Any], payload: Path | None = None
    ) -> None:
        """Keep finished work under ``key``; the folder ``payload`` moves into the store.

        The same key twice keeps the first.
        """
        ...

    def trial(
        self, key: str, run: RunHandle | None = None
    ) -> tuple[Mapping[str, Any], Path | None] | None:
        """Finished work, or None when there is none or its files are not what was saved.

        A ``run`` that asks is noted as a user of the work, which keeps it from ``prune``.
        """
        ...

    def commit(
        self,
        decision: Decision,
        *,
        version: Version | None = None,
        aliases: Mapping[str, int | None] | None = None,
        run: RunHandle | None = None,
        seen: Mapping[str, int] | None = None,
        traffic: Traffic | None = None,
    ) -> Decision:
        """Write a decision with the version and the moves it made, in one transaction.

        ``aliases`` says which version number each alias shall point to. A move is refused when
        the alias was moved by another since ``seen`` (revisions; by default those when the run
        began, or none). ``traffic`` is a changed copy of what :meth:`traffic` gave, and is
        refused when another changed it since.

        Raises
        ------
        StoreBusy : the run lost its model
        Refused : an alias or the traffic was changed meanwhile, or the version exists
        ModelUnknown : no such model or version
        UsageError : a share of the traffic is not from 0 to 1
        """
        ...

    def note_mirrored(
        self,
        target: str,
        kind: str,
        item: str,
        *,
        remote: str = "",
        error: str = "",
        next_try_at: datetime | None = None,
    ) -> Mirrored:
        """Count a try to tell ``target`` about an item; it is done when nothing is left to try.

        It is not done while there is an ``error`` or a ``next_try_at``. An empty ``remote`` keeps
        the name that was noted before. ``error`` is for people, and is cut at 2,000 characters.

        Raises
        ------
        UsageError : ``target``, ``kind``, ``item`` or ``remote`` is too long to be kept
        """
        ...

    def folder(self, model: str, number: int) -> Path:
        """Where version ``number`` of ``model`` lies, or will lie."""
        ...

    def packing(self, model: str, number: int) -> AbstractContextManager[Path]:
        """A folder to pack a version into; in place when the block ends, gone when it raises.

        What is never committed is cleared when the next run of the model begins.

        Raises
        ------
        StoreFailed : disk full or no rights; nothing is left behind
        """
        ...

    def key(self) -> bytes:
        """The 32 bytes that sign manifests of this store.

        Raises
        ------
        SettingsError : the folders of the versions are not where the store was opened
        """
        ...

    def prune(self, model: str) -> int:
        """Drop finished work that none of the last two runs used; gives how many were dropped."""
        ...

    def close(self) -> None:
        """Let go of all files."""
        ...


def model_name(text: str) -> str:
    """``text`` when it is a model name, else an error with the nearest name that is one.

    Raises
    ------
    UsageError : not 1 to 64 of a-z, 0-9 and ``-``, or it begins with ``-``

    Examples
    --------
    >>> model_name("churn-eu")
    'churn-eu'
    """
    if _MODEL.fullmatch(text):
        return text
    raise UsageError(
        "model name cannot be used",
        got=repr(text),
        expected="1 to 64 of a-z, 0-9 and '-', beginning with a letter or digit",
        do=f"use {suggested(text)!r}",
    )


def suggested(text: str) -> str:
    """The model name nearest to ``text``; ``model`` when nothing of it can be kept.

    Examples
    --------
    >>> suggested("Kunden Abgänge (EU)")
    'kunden-abgange-eu'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return words[:64].strip("-") or "model"


def work_key(text: str) -> str:
    """``text`` when it can name a folder of finished work, such as a hash in hex digits.

    Raises
    ------
    UsageError : it could not be a folder's name everywhere
    """
    if _KEY.fullmatch(text):
        return text
    raise UsageError(
        "trial key cannot be used",
        got=repr(text),
        expected="1 to 128 letters, digits, '_', '.' and '-'",
        do="use a hash in hex digits",
    )


def version_number(text: str) -> int | None:
    """3 for ``v3`` or ``3``; None for anything else.

    Examples
    --------
    >>> version_number("v3"), version_number("champion")
    (3, None)
    """
    found = _VERSION.fullmatch(text)
    return int(found.group(1)) if found else None
