"""Who got how many keys since the split stands as it does, and whether that can be chance.

The unit is the key, because the key is what was split: all rows of a key go to one arm together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from everfit.live.arms import ARMS, CANARY, CHAMPION, HOLDOUT, SHADOW, Arms

if TYPE_CHECKING:
    from everfit.evidence.ratio import Ratio
    from everfit.house import House
    from everfit.store.log import Log

SETTLED = timedelta(seconds=2)  # workers change arms within a second of each other
SLOWEST = timedelta(seconds=10)  # for a split in which nobody but the champion ever answered


@dataclass(frozen=True, slots=True)
class Split:
    """Distinct keys per arm ``since`` the split stands; rows without a key count one by one.

    ``torn`` counts keys that were answered in more than one arm, which a sound split never does;
    ``ratio`` is None when nothing is split.
    """

    since: datetime | None
    keys: Mapping[str, int]
    rows: Mapping[str, int]
    torn: int
    ratio: Ratio | None

    @property
    def sound(self) -> bool:
        """Whether the arms may be compared."""
        return self.torn == 0 and (self.ratio is None or not self.ratio.broken)


def arms_of(house: House, model: str) -> Arms | None:
    """The arms as the store has them now; None without a champion.

    Raises
    ------
    ModelUnknown : no such model
    """
    aliases, traffic = house.aliases(model), house.traffic(model)
    at = {name: alias.number for name, alias in aliases.items()}
    champion = at.get(CHAMPION)
    if champion is None:
        return None
    canary, shadow = at.get(CANARY), at.get(SHADOW)
    canary = canary if canary != champion else None
    share = traffic.share if canary is not None else 0.0
    return Arms(champion, canary, share, traffic.holdout, shadow if shadow != champion else None)


def split_of(house: House, log: Log, model: str, *, alpha: float | None = None) -> Split:
    """Count and test the split of a model as it stands now."""
    from everfit.evidence.ratio import ALPHA, ratio_test

    arms = arms_of(house, model)
    since = began(house, log, model)
    keys, rows, torn = units(log, model, since=since)
    shares = {} if arms is None else arms.shares
    split = {arm: keys.get(arm, 0) for arm in (CHAMPION, CANARY, HOLDOUT)}
    split = {arm: n for arm, n in split.items() if n or shares.get(arm)}
    ratio = None
    if len(shares) > 1:
        ratio = ratio_test(split, shares, alpha=ALPHA if alpha is None else alpha)
    return Split(since, keys, rows, torn, ratio)


def began(house: House, log: Log, model: str) -> datetime | None:
    """Since when all workers split as they do now; None when the model was never split.

    A decision is obeyed within a second, and not by all workers at once: rows from before would
    be counted as the champion's. So it begins some seconds after the first answer of another arm.
    """
    alias = house.aliases(model).get(CANARY)
    if alias is None:
        return None
    decided = next(one.at for one in house.decisions(model) if one.id == alias.decision)
    firsts = []
    for arm in (CANARY, HOLDOUT):
        frame = next(iter(log.predictions(model, since=decided, columns=["at"], arm=arm)), None)
        if frame is not None and frame.height:
            firsts.append(frame["at"][0])
    return min(firsts) + SETTLED if firsts else decided + SLOWEST


def units(
    log: Log, model: str, *, since: datetime | None
) -> tuple[dict[str, int], dict[str, int], int]:
    """Distinct keys and rows of each arm, and how many keys stand in more than one arm."""
    import polars as pl

    seen: dict[str, pl.Series] = {}
    rows: dict[str, int] = {}
    for frame in log.predictions(model, since=since, columns=["arm", "key", "id"]):
        unit = frame.select("arm", unit=pl.coalesce("key", "id").hash(seed=0))
        for (arm,), part in unit.group_by(["arm"], maintain_order=True):
            name = str(arm)
            rows[name] = rows.get(name, 0) + part.height
            new = part["unit"].unique()
            seen[name] = pl.concat([seen[name], new]).unique() if name in seen else new
    split = [seen[arm] for arm in (CHAMPION, CANARY, HOLDOUT) if arm in seen]
    torn = 0
    if len(split) > 1:
        together = pl.concat(split)
        torn = together.len() - together.n_unique()
    order = [*(arm for arm in ARMS if arm in seen), *(arm for arm in seen if arm not in ARMS)]
    return {arm: seen[arm].len() for arm in order}, {arm: rows[arm] for arm in order}, torn


class ByKey:
    """The log as who tells of traffic asks it: arms are counted in keys, not in rows."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def arms(self, model: str, *, since: datetime | None = None) -> dict[str, int]:
        """Distinct keys that each arm answered."""
        return units(self._log, model, since=since)[0]

    def outcomes_state(self, receipts: Sequence[str]) -> Mapping[str, str]:
        """What became of outcomes."""
        return self._log.outcomes_state(receipts)
