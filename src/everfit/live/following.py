"""From where the aliases point to what workers are told: verified first, and never half done.

What cannot be trusted or loaded is not offered (again): who answered before goes on answering, and
the incident is told. One thread calls :meth:`Following.step`; workers' replies may come from any.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from everfit.errors import EverfitError
from everfit.live import orders
from everfit.live.arms import Arms
from everfit.live.orders import Placed
from everfit.live.pointers import Pointed, Pointers

if TYPE_CHECKING:  # records need numpy, for which a server that starts does not wait
    from everfit.records import Because

LOADS = "loads in a worker"


@dataclass(frozen=True, slots=True)
class Incident:
    """A version that should serve and cannot; ``still`` answers instead, if anybody does."""

    model: str
    number: int
    still: int | None
    checks: tuple[Because, ...]


class Told(Protocol):
    """Who carries out orders: a crew."""

    def order(self, order: Mapping[str, Any]) -> None:
        """Tell all workers."""
        ...

    def settled(self, model: str) -> bool:
        """Whether all have answered the last order about ``model``."""
        ...


@dataclass(frozen=True, slots=True)
class Judges:
    """How versions are judged: ``first`` before the first answer, ``later`` while others answer.

    Both give checks; a version whose checks do not all say yes is not offered.
    """

    first: Callable[[Placed], Sequence[Because]]
    later: Callable[[Placed], Sequence[Because]]


@dataclass(frozen=True, slots=True)
class _Ordered:
    rev: int
    arms: Arms
    versions: Mapping[int, Placed]

    def order(self, model: str) -> dict[str, Any]:
        placed = [self.versions[number] for number in self.arms.answering]
        return orders.serve(model, self.rev, self.arms, placed)


class Following:
    """Keeps workers in step with the aliases of a store.

    Parameters
    ----------
    incident : called once for each version that cannot serve, by the thread of :meth:`step`
    """

    def __init__(
        self,
        pointers: Pointers,
        crew: Told,
        judges: Judges,
        incident: Callable[[Incident], None],
    ) -> None:
        self._pointers, self._crew, self._judges = pointers, crew, judges
        self._incident = incident
        self._pointed: dict[str, Pointed] = {}
        self._ordered: dict[str, _Ordered] = {}
        self._confirmed: dict[str, _Ordered] = {}
        self._sound: set[Placed] = set()
        self._bad: dict[tuple[str, Placed], tuple[Because, ...]] = {}
        self._reported: set[tuple[str, Placed]] = set()
        self._failed: list[tuple[str, int, str]] = []
        self._shadows: dict[str, tuple[Placed, ...]] = {}
        self._changing = threading.Lock()
        self._started = False

    def step(self) -> bool:
        """Look at the aliases once and order what changed; gives whether anything was ordered.

        Raises
        ------
        Unreachable, StoreFailed : the store cannot be read; what failed in workers was replaced
        """
        failed = self._take_failed()
        try:
            if self._started and not failed and not self._pointers.changed():
                return False
            now = self._pointers.read()
        except EverfitError:
            # what fails in workers is replaced all the same, by where the aliases pointed last
            for model in failed & self._pointed.keys():
                self._decide(self._pointed[model])
            raise
        before, self._pointed = self._pointed, now
        did = False
        for model in before.keys() - now.keys():
            self._ordered.pop(model, None)
            self._confirmed.pop(model, None)
            self._crew.order(orders.drop(model))
            did = True
        for model, pointed in now.items():
            if model not in failed and before.get(model) != pointed:
                self._forgive(model)
            if model in failed or before.get(model) != pointed:
                did = self._decide(pointed) or did
        self._started = True
        self._shadows = self._shadowing()
        return did

    def models(self) -> dict[str, Arms]:
        """The arms that are in force, or are being put in force, by model."""
        return {model: ordered.arms for model, ordered in self._ordered.items()}

    def shadows(self) -> dict[str, tuple[Placed, ...]]:
        """The versions that answer in the shadow of each model: those of them that may."""
        return self._shadows

    def served(self, model: str, rev: int) -> None:
        """A worker says that order ``rev`` about ``model`` is in force."""
        ordered = self._ordered.get(model)
        if ordered is not None and ordered.rev == rev and self._crew.settled(model):
            self._confirmed[model] = ordered

    def failed(self, model: str, number: int | None, why: str) -> None:
        """A worker could not load a version, or died when it tried; judged at the next step."""
        ordered = self._ordered.get(model)
        if ordered is None:
            return
        suspect = ordered.arms.champion if number is None else number
        with self._changing:
            self._failed.append((model, suspect, why))

    def suspect(self, order: Mapping[str, Any]) -> int:
        """The version that an order brought in: who carried it out and died, died of that one."""
        model, arms = order["model"], Arms.from_dict(order["arms"])
        before = self._confirmed.get(model)
        known = set() if before is None else set(before.arms.answering)
        new = [number for number in arms.answering if number not in known]
        return (new or [arms.champion])[0]

    def _take_failed(self) -> set[str]:
        with self._changing:
            failed, self._failed = self._failed, []
        if not failed:
            return set()
        from everfit.records import Because

        for model, number, why in failed:
            placed = self._versions(model).get(number)
            if placed is not None:
                self._bad[model, placed] = (Because(LOADS, False, note=why),)
        return {model for model, _, _ in failed}

    def _shadowing(self) -> dict[str, tuple[Placed, ...]]:
        found = {}
        for model, pointed in self._pointed.items():
            if not pointed.shadows or model not in self._ordered:
                continue
            wanted = [pointed.versions[number] for number in pointed.shadows]
            if may := tuple(placed for placed in wanted if self._may(model, placed)):
                found[model] = may
            self._report(pointed, self._ordered[model])
        return found

    def _forgive(self, model: str) -> None:
        """An alias was moved, so somebody may have repaired what was bad: it is judged again."""
        for fault in [fault for fault in self._bad if fault[0] == model]:
            del self._bad[fault]
            self._sound.discard(fault[1])
            self._reported.discard(fault)

    def _versions(self, model: str) -> dict[int, Placed]:
        found: dict[int, Placed] = {}
        for source in (self._confirmed.get(model), self._ordered.get(model)):
            found |= {} if source is None else dict(source.versions)
        pointed = self._pointed.get(model)
        return found | ({} if pointed is None else dict(pointed.versions))

    def _may(self, model: str, placed: Placed) -> bool:
        """Whether a version may be offered; judged once."""
        if (model, placed) in self._bad:
            return False
        if placed in self._sound:
            return True
        judge = self._judges.later if self._started else self._judges.first
        checks = tuple(judge(placed))
        if checks and all(check.passed for check in checks):
            self._sound.add(placed)
            return True
        self._bad[model, placed] = checks
        return False

    def _decide(self, pointed: Pointed) -> bool:
        """Order what the aliases say, or what of it may be done."""
        model, arms = pointed.model, pointed.arms
        champion = pointed.versions[arms.champion]
        if self._may(model, champion):
            canary = None if arms.canary is None else pointed.versions[arms.canary]
            if canary is not None and arms.share > 0 and not self._may(model, canary):
                arms = replace(arms, canary=None, share=0.0)
            wanted: _Ordered | None = _Ordered(pointed.rev, arms, pointed.versions)
        else:
            wanted = self._instead(pointed)
        did = wanted != self._ordered.get(model)
        if wanted is None:
            self._ordered.pop(model, None)
            self._crew.order(orders.drop(model))
        elif did:
            self._ordered[model] = wanted
            self._crew.order(wanted.order(model))
        self._report(pointed, wanted)
        return did

    def _instead(self, pointed: Pointed) -> _Ordered | None:
        """Who answers when the champion may not: who did before, else the champion before it."""
        before = self._confirmed.get(pointed.model)
        if before is not None and all(
            (pointed.model, before.versions[number]) not in self._bad
            for number in before.arms.answering
        ):
            return before
        if pointed.previous is None or pointed.previous == pointed.arms.champion:
            return None
        previous = pointed.versions[pointed.previous]
        if not self._may(pointed.model, previous):
            return None
        return _Ordered(pointed.rev, Arms(champion=pointed.previous), pointed.versions)

    def _report(self, pointed: Pointed, wanted: _Ordered | None) -> None:
        still = None if wanted is None else wanted.arms.champion
        for number, placed in pointed.versions.items():
            fault = (pointed.model, placed)
            if fault in self._bad and fault not in self._reported:
                self._reported.add(fault)
                self._incident(Incident(pointed.model, number, still, self._bad[fault]))
