"""What the store says about a model now: read anew at every step; what never changes, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from everfit.errors import ModelUnknown
from everfit.evidence.interval import Interval
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.known import known_of
from everfit.plain import from_plain
from everfit.records import Policy, Step, Study, Upkeep, Version, Window
from everfit.release.handover import PAUSES
from everfit.release.handover import is_paused as handed_over
from everfit.store.contract import Alias, Store
from everfit.watch.matured import Certified

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
HORIZON_S = 366 * 86_400.0  # of windows that tests over time look back on


@dataclass(frozen=True, slots=True)
class Root:
    """Where a version stems from: the version whose fit it shares, by recalibration alone or not.

    Versions of one line are one challenger: a recalibrated version follows the one before it.
    """

    number: int
    adaptive: bool

    @property
    def name(self) -> str:
        """``v3``, or ``v3 recalibrated``."""
        return f"v{self.number} recalibrated" if self.adaptive else f"v{self.number}"


@dataclass(frozen=True, slots=True)
class State:
    """One model as the store has it; windows are those of the last year, oldest first.

    ``reduced`` are all windows that there ever were, by kind, in the order in which they were
    written; ``aside`` holds the starts of those whose outcomes are not believed; ``adaptive`` says
    that recalibration has proved itself and goes on with each window.
    """

    model: str
    now: datetime
    upkeep: Upkeep
    policy: Policy
    champion: Version
    versions: Mapping[int, Version]
    aliases: Mapping[str, Alias]
    asked: tuple[Window, ...]
    matured: tuple[Window, ...]
    reduced: Mapping[str, tuple[Window, ...]]
    aside: frozenset[datetime]
    roots: Mapping[int, Root]
    adaptive: bool
    paused: bool

    @property
    def judged(self) -> tuple[Window, ...]:
        """Matured windows whose outcomes are believed."""
        return tuple(window for window in self.matured if window.start not in self.aside)

    def at(self, alias: str) -> Version | None:
        """The version that an alias names, if any."""
        found = self.aliases.get(alias)
        return None if found is None or found.number is None else self.versions[found.number]

    def root(self, number: int) -> Root:
        """The line of a version."""
        return self.roots.get(number, Root(number, adaptive=False))

    @property
    def seen(self) -> dict[str, int]:
        """The revision of each alias, for a move that must not meet another's."""
        return {name: alias.rev for name, alias in self.aliases.items()}


def read_state(model: str, hands: Hands) -> State | None:
    """The state of ``model``; None while nothing serves.

    Read in one transaction. Steps never change, so those that were read before from this store are
    not read again.
    """
    store, now = hands.store, hands.clock()
    known = known_of(store, model)
    try:
        seen = store.seen(model, kinds=PAUSES, after=known.mark)
    except ModelUnknown:
        return None
    known.add(seen.steps, seen.mark)
    champion = next((v for v in seen.versions if v.state == "champion"), None)
    if champion is None:
        return None
    reduced = {kind: known.windows(kind, EARLIEST) for kind in ("asked", "matured")}
    matured = _recent(reduced["matured"], now)
    roots = roots_of(known.of("fit"))
    return State(
        model=model,
        now=now,
        upkeep=hands.upkeep_of(model),
        policy=hands.policy_of(model),
        champion=champion,
        versions={version.number: version for version in seen.versions},
        aliases=seen.aliases,
        asked=_recent(reduced["asked"], now),
        matured=matured,
        reduced=reduced,
        aside=_aside(known.of("action"), matured),
        roots=roots,
        adaptive=_adaptive(known.of("procedure"), known.of("guard"))
        and not _left(champion, roots, known.of("follow")),
        paused=seen.newest is not None and handed_over((seen.newest,)),
    )


def paused_now(state: State, hands: Hands) -> bool:
    """Whether a person has paused the model by now, perhaps since the state was read."""
    return handed_over(hands.store.decisions(state.model, kinds=PAUSES, last=1))


def outcomes_in(window: Window) -> int:
    """Predictions of a window whose outcomes are known; of those that answered, not of shadows."""
    return int(sum(v["n"] for v in window.facts["versions"].values()))


def _recent(windows: Sequence[Window], now: datetime) -> tuple[Window, ...]:
    """Windows of the last year, oldest first; what a clock that was ahead left is not over yet."""
    after = now - timedelta(seconds=HORIZON_S)
    found = [window for window in windows if window.start > after and window.end <= now]
    return tuple(sorted(found, key=lambda window: window.start))


def _left(champion: Version, roots: Mapping[int, Root], followed: Sequence[Step]) -> bool:
    """Whether the champion was recalibrated, and somebody went back to it as it was."""
    line = Root(champion.number, adaptive=True)
    return (champion.number not in roots or not roots[champion.number].adaptive) and any(
        step.record["became"] == "promoted" and roots.get(int(step.key[1:])) == line
        for step in followed
    )


def _aside(acted: Sequence[Step], matured: Sequence[Window]) -> frozenset[datetime]:
    """Windows set aside: from where it was decided on, until outcomes differ from one another."""
    found: set[datetime] = set()
    for step in acted:
        if step.record["act"] != "set_aside":
            continue
        since = datetime.fromisoformat(step.record["details"]["since"])
        for window in matured:
            if window.start < since:
                continue
            if len(window.facts["outcomes"].get("values", {})) > 1:
                break
            found.add(window.start)
    return frozenset(found)


def _adaptive(tried: Sequence[Step], guarded: Sequence[Step]) -> bool:
    """Whether recalibration has proved itself, and was not gone back from since."""
    proven = [step for step in tried if step.record.get("closed") == "proven"]
    ended = [step for step in guarded if step.record.get("ends") == "recalibration"]
    return bool(proven) and (not ended or ended[-1].at < proven[-1].at)


def certified_of(store: Store, version: Version) -> Certified:
    """What a version was certified to lose when it was released, by segment too."""
    # what a run found never changes, so it is parsed once
    return _certified(str(store.root), version.sha256, _Found(store, version))


@dataclass(frozen=True, slots=True)
class _Found:
    """Where the candidate of a version is found; equal to any other, because a hash names it."""

    store: Store
    version: Version

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Found)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=64)
def _certified(root: str, sha256: str, found: _Found) -> Certified:
    version = found.version
    plain = found.store.result(version.model, version.run).get("study")
    if plain is None:
        # its run left no study, so nothing was certified
        unknown = Interval(math.nan, math.nan, math.nan)
        return Certified.of(unknown, version.loss_bound)
    candidate = from_plain(Study, plain).candidate
    return Certified.of(candidate.loss, candidate.loss_bound, candidate.segments)


def roots_of(fits: Sequence[Step]) -> dict[int, Root]:
    """The line of each version that the loop made, from the steps that made them."""
    found: dict[int, Root] = {}
    for step in fits:
        number = step.record.get("version")
        if number is None:
            continue
        from_ = int(step.record["champion"])
        if step.record["act"] == "recalibrate":
            found[int(number)] = Root(found.get(from_, Root(from_, False)).number, adaptive=True)
        else:
            found[int(number)] = Root(int(number), adaptive=False)
    return found
