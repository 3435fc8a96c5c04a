"""One pass of the mirror: tell the server what it has not been told, and remember what arrived."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from everfit.errors import EverfitError
from everfit.export.mlflow import settings, to_mlflow
from everfit.export.packed import golden_inputs
from everfit.house import House
from everfit.mirror import facts
from everfit.mirror.outbox import Item, Outbox, target_of
from everfit.mirror.server import SETTINGS, Server, is_down

LOCK = "mirror.lock"
MOST_S = 60.0
PAUSE_S = 1.0
IN_A_ROW = 3  # failures after which a server is left alone for a while
_REASON = re.compile(r"(?<=\] )[A-Z][a-z ]+|timed out|Remote end closed", re.IGNORECASE)
FILES_TRIES = 3  # after that a version is registered without its files


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass did: items that arrived, items that still wait, and what went wrong.

    ``busy`` says that another process is at it.
    """

    target: str
    arrived: int = 0
    waiting: int = 0
    errors: tuple[str, ...] = ()
    busy: bool = False


def mirror_once(
    house: House,
    uri: str,
    most_s: float = MOST_S,
    *,
    again: bool = False,
    patient: bool = True,
) -> Passed:
    """Push what waits to the MLflow server at ``uri``, for at most about ``most_s`` seconds.

    A server that is down, slow or wrong is no error: what failed is noted and waits.

    Parameters
    ----------
    again : tell everything again, as after the loss of the server's database; nothing is doubled
    patient : leave alone what failed a short while ago; a person who asks does not want that

    Raises
    ------
    SettingsError : MLflow is not installed
    StoreBusy, StoreFailed : our own store cannot be read or written
    """
    with turn(house.root / LOCK) as mine:
        outbox = Outbox(house, target_of(uri), again=again)
        if not mine:
            return Passed(outbox.target, waiting=len(list(outbox.waiting())), busy=True)
        if patient and not outbox.is_anything_due():
            return Passed(outbox.target, 0, len(list(outbox.waiting())), outbox.errors())
        return _Pass(house, outbox, uri, time.monotonic() + most_s, patient).through()


def mirror_for(house: House, uri: str, most_s: float, *, pause_s: float = PAUSE_S) -> Passed:
    """Passes until all is there or the time is up: for a process that nobody waits for.

    It waits for another process that is at it, since what was committed last may have come too
    late for that one, and for what failed to become due again.
    """
    until = time.monotonic() + most_s
    while True:
        passed = mirror_once(house, uri, until - time.monotonic())
        if not passed.busy and not passed.waiting:
            return passed
        if time.monotonic() + pause_s > until:
            return passed
        time.sleep(pause_s)


@dataclass(slots=True)
class _Pass:
    house: House
    outbox: Outbox
    uri: str
    until: float
    patient: bool
    server: Server = field(init=False)
    about: tuple[tuple[str, str], facts.Facts, Mapping[str, Any]] | None = None
    arrived: int = 0

    def through(self) -> Passed:
        items = list(self.outbox.waiting())
        if items:
            # the id goes first: what is made with an id that got lost would be made again
            with settings(SETTINGS):
                self.server = Server(self.uri, self.outbox.store_id())
                self._all(items)
        waiting = list(self.outbox.waiting())
        return Passed(self.outbox.target, self.arrived, len(waiting), self.outbox.errors())

    def _all(self, items: list[Item]) -> None:
        in_a_row = 0
        for item in items:
            if not self.outbox.is_ready(item, patient=self.patient):
                continue
            if time.monotonic() > self.until:
                return
            try:
                remote = _PUSH[item.kind](self, item)
            except Exception as error:  # noqa: BLE001 - whatever a server does must only wait
                self.outbox.failed(item.kind, item.key, _told(error))
                in_a_row += 1
                if is_down(error) or in_a_row >= IN_A_ROW:
                    self.outbox.server_failed(_told(error))
                    return
            else:
                in_a_row = 0
                self.outbox.server_answered()
                self.outbox.arrived(item.kind, item.key, remote)
                self.arrived += 1

    def _told(self, model: str, run: Any) -> tuple[facts.Facts, Mapping[str, Any]]:
        """What is said about a run, and what it found; kept while its trials are told."""
        if self.about is None or self.about[0] != (model, run.id):
            result = self.house.result(model, run.id)
            told = facts.of_run(run, result, self.house.decisions(model))
            self.about = ((model, run.id), told, result)
        return self.about[1:]

    def _run(self, item: Item) -> str:
        told, _ = self._told(item.model, item.record)
        return self.server.run(item.key, item.model, told)

    def _trial(self, item: Item) -> str:
        run, at = item.record
        told, result = self._told(item.model, run)
        study = result["study"]
        trial = facts.of_trial(study["trials"][at], study["problem"]["metric"], told)
        return self.server.trial(item.key, item.model, self._remote(item), trial)

    def _end(self, item: Item) -> str:
        told, _ = self._told(item.model, item.record)
        self.server.end(self._remote(item), told)
        return told.state

    def _remote(self, item: Item) -> str:
        """The name in the mirror of what an item needs first."""
        return self.outbox.remote(*item.needs[0]) or ""

    def _version(self, item: Item) -> str:
        version = item.record
        tags, description = facts.of_version(version, self.house.decisions(item.model))
        run = self._remote(item)
        if why := self._files(item, run):
            tags["everfit.files"] = facts.text(f"not here: {why}")
        return self.server.version(item.key, item.model, run, version.name, (tags, description))

    def _files(self, item: Item, run: str) -> str:
        """Put the files of a version on the server; why there are none, if so."""
        version = item.record
        with TemporaryDirectory(prefix="everfit-mirror-") as place:
            folder = Path(place) / version.name
            try:
                packed = Path(version.folder)
                to_mlflow(packed, folder, version=version, rows=golden_inputs(packed))
            except EverfitError as error:
                return error.what  # it will not be better the next time
            try:
                self.server.upload(run, folder, version.name)
            except Exception as error:
                if is_down(error) or self.outbox.tries(item.kind, item.key) < FILES_TRIES:
                    raise
                return _told(error)
        return ""

    def _decision(self, item: Item) -> str:
        name, number = self._registered(item)
        tag = f"everfit.decision.{item.record.id:06d}"
        self.server.note(name, number, tag, facts.line_of(item.record))
        return tag

    def _alias(self, item: Item) -> str:
        name, number = self._registered(item)
        move = item.record
        self.server.alias(name, move.name, number if move.to else None)
        return f"{name}/{number}" if move.to else "nothing"

    def _registered(self, item: Item) -> tuple[str, str]:
        """Name and number in the mirror of the version that an item is about."""
        name, _, number = self._remote(item).rpartition("/")
        return name, number


def _told(error: Exception) -> str:
    if is_down(error):
        # MLflow tells the whole story of its libraries
        reason = _REASON.search(str(error))
        return f"the server does not answer{f': {reason[0]}' if reason else ''}"
    what = error.what if isinstance(error, EverfitError) else str(error).strip()
    first = what.splitlines()[0] if what else ""
    return f"{type(error).__name__}: {first}"


_PUSH: dict[str, Callable[[_Pass, Item], str]] = {
    "run": _Pass._run,
    "trial": _Pass._trial,
    "end": _Pass._end,
    "version": _Pass._version,
    "decision": _Pass._decision,
    "alias": _Pass._alias,
}


@contextmanager
def turn(file: Path) -> Iterator[bool]:
    """Whether this process may mirror now: one of all that share a store on one machine."""
    try:
        import fcntl
    except ImportError:  # not on Windows: there two at once are only kept apart by the tags
        yield True
        return
    with file.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
