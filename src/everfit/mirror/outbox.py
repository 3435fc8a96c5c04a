"""What a mirror has not been told yet. The store itself is the outbox: nothing is queued twice.

Runs, versions, decisions and aliases are read from the ledger each time; the table ``mirrored``
remembers which of them have arrived, under which name there, and when to try the others again.
That memory may be lost: what is pushed is found again by its tag and not made twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from everfit.house import House
from everfit.records import Version

Kind = Literal["run", "trial", "end", "version", "decision", "alias"]
Place = tuple[Kind, str]
FIRST_S, LONGEST_S = 5.0, 3600.0  # the wait after the first failure doubles up to an hour
STORE, SERVER = ("store", "id"), ("server", "state")
_SECRET = re.compile(r"(?<=://)[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to mirror: ``key`` names it in the store, such as ``churn/17`` or ``churn/v3``.

    ``record`` is a row of ``House.runs``, a version, a decision or the move of an alias; for a
    trial, its place in the study of its run. ``needs`` are the items that must be there before.
    """

    kind: Kind
    key: str
    model: str
    record: Any
    needs: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class AliasMove:
    """Where an alias points now: ``to`` is ``v3``, or None for nothing."""

    name: str
    to: str | None


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def target_of(uri: str) -> str:
    """A tracking URI as the store remembers it: without user and password.

    Examples
    --------
    >>> target_of("https://me:secret@mlflow.example/")
    'https://mlflow.example'
    """
    return without_secrets(uri).rstrip("/")[:256]


def without_secrets(text: str) -> str:
    """``text`` with users and passwords taken out of its URLs.

    Examples
    --------
    >>> without_secrets("read from postgresql://me:pw@db/shop")
    'read from postgresql://db/shop'
    """
    return _SECRET.sub("", text)


class Outbox:
    """What one target has, has not, and shall be told again; written to the store as it changes.

    Parameters
    ----------
    again : take nothing for arrived, as after the loss of the server's database
    """

    def __init__(
        self,
        house: House,
        target: str,
        *,
        again: bool = False,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.house, self.target, self.clock = house, target, clock
        self._rows = dict(house.mirrored(target))
        if again:
            self._rows = {key: row for key, row in self._rows.items() if key == STORE}

    def waiting(self) -> Iterator[Item]:
        """All that has not arrived, model by model, in the order in which it must arrive."""
        for model in self.house.models():
            yield from (i for i in self._items(model) if self.remote(i.kind, i.key) is None)

    def remote(self, kind: str, key: str) -> str | None:
        """The name of an item in the mirror; None when it has not arrived."""
        row = self._rows.get((kind, key))
        return None if row is None or row.done_at is None else row.remote

    def tries(self, kind: str, key: str) -> int:
        """How often an item failed."""
        row = self._rows.get((kind, key))
        return 0 if row is None or row.done_at is not None else row.tries

    def is_due(self, kind: str, key: str) -> bool:
        """Whether an item may be tried now."""
        row = self._rows.get((kind, key))
        return row is None or not self._ahead(row.next_try_at)

    def is_ready(self, item: Item, *, patient: bool = True) -> bool:
        """Whether an item may be tried now: what it needs is there, and its wait is over."""
        there = all(self.remote(*place) is not None for place in item.needs)
        return there and (not patient or self.is_due(item.kind, item.key))

    def arrived(self, kind: str, key: str, remote: str) -> None:
        """Remember that an item is there, and under which name."""
        self._rows[kind, key] = self.house.note_mirrored(self.target, kind, key, remote=remote)

    def failed(self, kind: str, key: str, error: str) -> None:
        """Remember that an item failed, and try it later: each time twice as late, at most 1 h."""
        later = self.clock() + timedelta(seconds=wait_s(self.tries(kind, key) + 1))
        said = without_secrets(error) or "it failed without a word"
        self._rows[kind, key] = self.house.note_mirrored(
            self.target, kind, key, error=said, next_try_at=later
        )

    def is_anything_due(self) -> bool:
        """Whether a patient pass would try anything now."""
        return self.is_server_due() and any(map(self.is_ready, self.waiting()))

    def is_server_due(self) -> bool:
        """Whether the server may be asked at all."""
        return self.is_due(*SERVER)

    def server_failed(self, error: str) -> None:
        """Leave the server alone for a while, each time in a row for twice as long."""
        row = self._rows.get(SERVER)
        # the store counts all tries, and only those since the last success are meant here
        failures = int(row.remote) + 1 if row is not None and row.done_at is None else 1
        self._rows[SERVER] = self.house.note_mirrored(
            self.target,
            *SERVER,
            remote=str(failures),
            error=without_secrets(error),
            next_try_at=self.clock() + timedelta(seconds=wait_s(failures)),
        )

    def server_answered(self) -> None:
        """Forget that the server failed."""
        row = self._rows.get(SERVER)
        if row is not None and row.done_at is None:
            self.arrived(*SERVER, "0")

    def errors(self) -> tuple[str, ...]:
        """What went wrong with all that still waits, without repetitions."""
        failed = [row.error for row in self._rows.values() if row.done_at is None and row.error]
        return tuple(dict.fromkeys(failed))

    def store_id(self) -> str:
        """A name for this store among all that share a server; made once, by chance."""
        if self.remote(*STORE) is None:
            self.arrived(*STORE, uuid4().hex[:12])
        return str(self.remote(*STORE))

    def _ahead(self, at: datetime | None) -> bool:
        # a clock that was set back must not stop the mirror for longer than it would ever wait
        now = self.clock()
        return at is not None and now < at <= now + timedelta(seconds=LONGEST_S)

    def _items(self, model: str) -> Iterator[Item]:
        for run in reversed(self.house.runs(model)):
            # trials need not be counted again once all of a run are there
            if run.state != "running" and self.remote("end", f"{model}/{run.id}") is None:
                yield from self._run(model, run)
        versions = self.house.versions(model)
        for version in reversed(versions):
            needs: Place = ("run", f"{model}/{version.run}")
            yield Item("version", f"{model}/{version.name}", model, version, (needs,))
        names = {version.name for version in versions}
        for decision in reversed(self.house.decisions(model)):
            if decision.version in names:
                needs = ("version", f"{model}/{decision.version}")
                yield Item("decision", f"{model}/{decision.id}", model, decision, (needs,))
        if versions:
            yield from self._aliases(model, versions)

    def _run(self, model: str, run: Any) -> Iterator[Item]:
        """A run, its trials, and its end, when all of them are there."""
        own: Place = ("run", f"{model}/{run.id}")
        yield Item(*own, model, run)
        study = self.house.result(model, run.id).get("study") or {}
        needs = [own]
        for at, trial in enumerate(study.get("trials") or ()):
            # one that was never begun is told with its run
            if trial["status"] != "skipped":
                needs.append(("trial", f"{model}/{run.id}/{trial['number']}"))
                yield Item(*needs[-1], model, (run, at), (own,))
        yield Item("end", own[1], model, run, tuple(needs))

    def _aliases(self, model: str, versions: Sequence[Version]) -> Iterator[Item]:
        """Where each alias points now; the challenger is the newest that was not judged, if any.

        A move has a key of its own, so that one that is overtaken by the next is left out.
        """
        aliases = self.house.aliases(model)
        points = {name: (alias.number, f"{alias.rev}") for name, alias in aliases.items()}
        if "challenger" not in points:
            champion = aliases.get("champion")
            since, rev = (champion.number or 0, champion.rev) if champion else (0, 0)
            newer = [v.number for v in versions if v.state == "challenger" and v.number > since]
            newest = max(newer, default=None)
            points["challenger"] = (newest, f"{rev}.{newest or 0}")
        for name, (number, rev_text) in points.items():
            # without a version of its own an alias hangs on any version: it tells the name there
            needs: Place = ("version", f"{model}/v{number or versions[-1].number}")
            moved = AliasMove(name, f"v{number}" if number else None)
            yield Item("alias", f"{model}/{name}@{rev_text}", model, moved, (needs,))


def wait_s(tries: int) -> float:
    """Seconds to wait after so many failures in a row.

    Examples
    --------
    >>> [wait_s(n) for n in (1, 2, 3, 20)]
    [5.0, 10.0, 20.0, 3600.0]
    """
    return min(FIRST_S * 2.0 ** min(tries - 1, 30), LONGEST_S)
