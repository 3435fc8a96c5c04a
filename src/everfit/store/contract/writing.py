"""What a store promises to the one loop that writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from everfit.records import Decision, Step, Version
from everfit.store.contract.reading import Reading
from everfit.store.contract.records import Mirrored, RunHandle, RunnerHandle, Traffic


class Store(Reading, Protocol):
    """What a store promises to the one loop that writes.

    * All or nothing: after a kill at any moment each write is wholly there or not at all.
    * Durable: what a method returned survives a kill of the process, and a power cut as far as
      the disk keeps its word on fsync.
    * One run per model: :meth:`begin_run` refuses while another process that lives holds the
      model; the model of a dead process is taken over at once.
    * Fenced: every write of a run that lost its model raises ``StoreBusy`` and changes nothing.
    * Append-only: decisions, steps, versions and moves of aliases are never changed or deleted.

    Any method may raise ``StoreFailed`` (disk full, rights, damage), ``StoreBusy`` (others kept the
    database locked) or ``Unreachable`` (a server is away); then nothing was written, unless a
    server went away during the commit itself.
    """

    @property
    def root(self) -> Path:
        """The folder that holds versions and finished work."""
        ...

    def begin_run(
        self, model: str, spec: Mapping[str, Any], *, under: RunHandle | None = None
    ) -> RunHandle:
        """Start a run; ``budget_s``, ``seed`` and ``data_sha256`` of ``spec`` are kept by name.

        A run ``under`` a hold has its epoch, lives as long as the hold does, and leaves it when it
        ends.

        Raises
        ------
        UsageError : the name cannot be a model's, or ``under`` holds another model
        SettingsError : the folders of the versions are not where the store was opened
        StoreBusy : another run holds the model; says its pid and since when. ``under`` was lost
        """
        ...

    def hold(self, model: str, *, ttl_s: float, runner: RunnerHandle | None = None) -> RunHandle:
        """Take the right to write for ``model`` for a turn of the loop.

        Stricter than a run: who does not write or :meth:`heartbeat` for ``ttl_s`` seconds has lost
        the model, even when its process lives and nobody else took it. Nothing is held by a
        process that is known to be dead. A ``runner`` must still have its own right.

        Raises
        ------
        ModelUnknown : no such model
        StoreBusy : another holds the model; or the runner lost its right
        UsageError : ``ttl_s`` is not above 0
        """
        ...

    def let_go(self, hold: RunHandle) -> None:
        """End a hold; the next one need not wait.

        Raises
        ------
        StoreBusy : the hold was lost
        """
        ...

    def take_runner(self, name: str, *, ttl_s: float) -> RunnerHandle:
        """Take the right to run the loop of this store; kept by :meth:`renew_runner`.

        As strict as :meth:`hold`: one runner at a time, and one that is silent for ``ttl_s`` or
        dead is followed by the next who asks.

        Raises
        ------
        StoreBusy : another runner has it; says its pid and since when
        UsageError : the name is too long, or ``ttl_s`` is not above 0
        """
        ...

    def renew_runner(self, runner: RunnerHandle) -> None:
        """Say that the runner lives.

        Raises
        ------
        StoreBusy : the runner lost its right
        """
        ...

    def release_runner(self, runner: RunnerHandle) -> None:
        """Let the next runner begin at once; nothing happens when the right was lost already."""
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
        steps: Sequence[Step] = (),
    ) -> Decision:
        """Write a decision with the version, moves and steps it made, in one transaction.

        ``aliases`` says which version number each alias shall point to. A move is refused when
        the alias was moved by another since ``seen`` (revisions; by default those when the run
        began, or none). ``traffic`` is a changed copy of what :meth:`traffic` gave, and is
        refused when another changed it since. ``steps`` are kept with the decision's id; when one
        of them was done before, nothing at all is written.

        Raises
        ------
        StoreBusy : the run lost its model
        Refused : an alias or the traffic was changed meanwhile, the version exists, or a step was
            done before
        ModelUnknown : no such model or version
        UsageError : a share of the traffic is not from 0 to 1, or a step's name cannot be kept
        """
        ...

    def note(self, hold: RunHandle, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Keep steps that decided nothing, in one transaction; gives those that are new.

        A step that was done before, by kind and key, stays as it was.

        Raises
        ------
        StoreBusy : the hold was lost
        UsageError : a step is of another model, or its kind or key cannot be kept
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
