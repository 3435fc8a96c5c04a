"""Looking into a store: models, versions, decisions, what a run found, two versions compared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from everfit.errors import ArtefactRefused, ModelUnknown, Refused
from everfit.evidence.interval import Interval
from everfit.plain import as_plain
from everfit.records import Decision, Step, Version
from everfit.release.handover import PAUSES, is_paused
from everfit.release.manifest import verify
from everfit.serve.load import open_plan, open_version
from everfit.serve.scorer import Scorer
from everfit.store.contract import Alias, Mirrored, RunRow, Store, Traffic

if TYPE_CHECKING:
    from everfit.loop.lineage import Lineage
    from everfit.serve.lists.lists import Lists

SHOWN = ("candidate", "score", "state", "created_at", "run", "sha256")


@dataclass(frozen=True, slots=True)
class Status:
    """One model at a glance.

    ``state`` is ``serving``, ``no champion``, ``running``, or ``paused``: watched, and left alone.
    ``health`` is the state of the champion by the newest look, None when nobody looked at it.
    """

    model: str
    state: str
    champion: Version | None
    last: Decision | None
    runs: int
    health: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions side by side: only what differs, and the measured gain of b over a, if any.

    ``gain`` is the drop of the mean loss on rows that neither saw, in the words of ``note``.
    """

    model: str
    a: Version
    b: Version
    differs: Mapping[str, tuple[Any, Any]]
    gain: Interval | None
    n: int
    note: str


@dataclass(slots=True)
class Reading:
    """One store to look into; it is opened when it is first needed, by whichever thread."""

    place: str
    opener: Callable[[bool], Store]  # create it when it is not there?
    _store: Store | None = field(default=None, init=False)
    _opening: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def models(self) -> tuple[str, ...]:
        """Names of all models, sorted; none when there is no store yet."""
        try:
            return self._open(create=False).models()
        except ModelUnknown:
            return ()

    def versions(self, model: str) -> tuple[Version, ...]:
        """All versions, newest first, with absolute folders."""
        return tuple(self._placed(v) for v in self._open(create=False).versions(model))

    def version(self, model: str, name: str | None = None) -> Version:
        """The version called ``v3``, ``champion`` or ``previous``; the champion by default.

        Raises
        ------
        ModelUnknown : no such model or version
        Refused : the model has no champion
        """
        store = self._open(create=False)
        if name is not None:
            return self._placed(store.version(model, name))
        store.versions(model)  # an unknown model is told with near names
        champion = store.champion(model)
        if champion is None:
            raise Refused(
                f"{model!r} has no champion",
                got="no version has passed its gates",
                expected="a released version",
                do=f"see why: everfit why {model}",
            )
        return self._placed(champion)

    def decisions(
        self, model: str, *, kinds: Collection[str] = (), last: int | None = None
    ) -> tuple[Decision, ...]:
        """The ledger, newest first: of ``kinds`` alone when any are named, the newest ``last``."""
        return self._open(create=False).decisions(model, kinds=kinds, last=last)

    def steps(
        self, model: str, kind: str | None = None, *, last: int | None = None
    ) -> tuple[Step, ...]:
        """What turns of the loop did, oldest first: of one ``kind``, the newest ``last``."""
        return self._open(create=False).steps(model, kind, last=last)

    def is_paused(self, model: str) -> bool:
        """Whether the loop only watches this model, because a person said so."""
        return is_paused(self.decisions(model, kinds=PAUSES, last=1))

    def aliases(self, model: str) -> Mapping[str, Alias]:
        """Where champion, previous, canary and shadow point."""
        return self._open(create=False).aliases(model)

    def traffic(self, model: str) -> Traffic:
        """Which shares of the keys go to the canary and are held out."""
        return self._open(create=False).traffic(model)

    def revision(self) -> int:
        """Grows with every decision: cheaper to ask for than what changed."""
        return self._open(create=False).revision()

    @property
    def root(self) -> Path:
        """The folder that holds versions and finished work."""
        return self._open(create=False).root

    def mirrored(self, target: str) -> Mapping[tuple[str, str], Mirrored]:
        """What the registry ``target`` has been told, by kind and item."""
        return self._open(create=False).mirrored(target)

    def note_mirrored(self, target: str, kind: str, item: str, **noted: Any) -> Mirrored:
        """Remember a try to tell ``target``; see ``contract.Store.note_mirrored``."""
        return self._open(create=False).note_mirrored(target, kind, item, **noted)

    def runs(self, model: str) -> tuple[RunRow, ...]:
        """All runs, newest first."""
        return self._open(create=False).runs(model)

    def result(self, model: str, run: str | None = None) -> Mapping[str, Any]:
        """What a run found, as plain data: the newest that studied, when ``run`` is None."""
        store = self._open(create=False)
        if run is not None:
            return store.result(model, run)
        found = [store.result(model, row.id) for row in store.runs(model) if row.state == "done"]
        return next((result for result in found if "study" in result), (found or [{}])[0])

    def status(self, model: str | None = None) -> list[Status]:
        """Each model, or one, at a glance."""
        names = self.models() if model is None else (model,)
        return [self._status(name) for name in names]

    def folder(self, version: Version) -> Path:
        """Where the files of a version lie."""
        return Path(self._placed(version).folder)

    def scorer(self, model: str, name: str | None = None) -> tuple[Version, Scorer]:
        """A version, the champion by default, ready to answer; hashes and signature hold.

        Raises
        ------
        ModelUnknown, Refused : no such model or version, or no champion
        ArtefactRefused : a file, or the manifest, is not what was released
        """
        version = self.version(model, name)
        folder = Path(version.folder)
        verify(folder, key=self._open(create=False).key(), sha256=version.sha256)
        return version, open_plan(folder, trusted=version.trusted)

    def lists(self, model: str, name: str | None = None) -> tuple[Version, Lists]:
        """A version that answers with lists, the champion by default; checked as :meth:`scorer`.

        Raises
        ------
        ModelUnknown, Refused : no such model or version, no champion, or it answers rows
        ArtefactRefused : a file, or the manifest, is not what was released
        """
        version = self.version(model, name)
        if version.problem.form != "lists":
            raise Refused(
                f"{model!r} answers rows, not with lists",
                got=f"task {version.problem.task!r}, target {version.problem.target!r}",
                expected="a model that was run to list items for users",
                do=f"everfit predict {model} ROWS",
            )
        folder = Path(version.folder)
        verify(folder, key=self._open(create=False).key(), sha256=version.sha256)
        found = open_version(folder, trusted=version.trusted)
        if isinstance(found, Scorer):
            raise ArtefactRefused(
                f"{model} {version.name} is no list",
                got=f"form {found.form!r} in its plan",
                expected="form 'lists', as in its manifest",
                do=f"everfit rollback {model}",
            )
        return version, found

    def compare(self, model: str, a: str, b: str) -> Comparison:
        """Two versions: what differs, and the recorded verdict about one against the other."""
        one, two = self.version(model, a), self.version(model, b)
        first, second = as_plain(one), as_plain(two)
        differs = {
            name: (first[name], second[name]) for name in SHOWN if first[name] != second[name]
        }
        gain, n, note = self._recorded(model, one, two)
        return Comparison(model, one, two, differs, gain, n, note)

    def lineage(self, version: Version) -> Lineage:
        """What a version was made of; see :func:`everfit.loop.lineage.lineage_of`."""
        # here, not above: who only looks needs nothing of the loop in memory
        from everfit.loop.lineage import lineage_of

        return lineage_of(self._open(create=False), version)

    def close(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, *, create: bool) -> Store:
        with self._opening:
            if self._store is None:
                self._store = self.opener(create)
            return self._store

    def _placed(self, version: Version) -> Version:
        root = self._open(create=False).root
        return replace(version, folder=str(root / version.folder))

    def _status(self, model: str) -> Status:
        store = self._open(create=False)
        decisions, runs = store.decisions(model, last=1), store.runs(model)
        champion = store.champion(model)
        running = bool(runs) and runs[0].state == "running"
        state = "running" if running else "serving" if champion else "no champion"
        if self.is_paused(model) and not running:
            state = "paused"
        placed = None if champion is None else self._placed(champion)
        last = decisions[0] if decisions else None
        return Status(model, state, placed, last, len(runs), _health(store, model, champion))

    def _recorded(self, model: str, a: Version, b: Version) -> tuple[Interval | None, int, str]:
        for decision in self.decisions(model):
            about = decision.version in (a.name, b.name) and decision.looks > 0
            for because in (*decision.because, *decision.also_checked):
                judged = because.rule.startswith("challenger saves") and because.n > 0
                if about and judged and because.measured is not None:
                    low, high = because.low or 0.0, because.high or 0.0
                    sign = 1 if decision.version == b.name else -1
                    ends = sorted((sign * low, sign * high))
                    gain = Interval(ends[0], sign * because.measured, ends[1], n=because.n)
                    return gain, because.n, f"decision {decision.id}: {decision.headline}"
        return None, 0, "they were never judged on the same rows; the scores are of different rows"


def _health(store: Store, model: str, champion: Version | None) -> str | None:
    """The state of ``champion`` by the newest look; None when that was at another version."""
    looks = store.steps(model, "health", last=1)
    if not looks or champion is None or looks[-1].record["version"] != champion.name:
        return None
    return str(looks[-1].record["state"])
