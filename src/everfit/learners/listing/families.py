"""The learners of lists that score by counts and pairs of items, one class for each family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from everfit.errors import LearnerFailed
from everfit.learners.contract import History
from everfit.learners.listing.lister import Lister, refuse_large
from everfit.learners.listing.tune import Dials, made_for
from everfit.learners.rounds import Slot
from everfit.lists.asked import Interactions
from everfit.lists.lagged import Lagged, followers, level
from everfit.lists.neighbours import KEPT, Near, Neighbours, cosine, ease, met
from everfit.lists.newest import best_windows, newest_parts
from everfit.lists.popular import Popular, Windows, popularity_over
from everfit.lists.scorer import FAINT_MIX, Scorer

MOST_DENSE = 6_000  # items: a dense matrix of them takes 144 MB, its inverse 10 s of one core
LONG = 20  # interactions of a user, on average, from which ten steps back tell more than five
# the usual value first: another must be clearly better
ALPHAS = (0.5, 0.0, 0.25, 1.0, 2.0, 4.0, 8.0)
DECAYS = (0.9, 0.8, 0.97, 1.0)
FADES = (0.7, 0.5, 0.85)


class PopularLists(Lister):
    """What is popular now, the same for everybody.

    Parameters
    ----------
    days : window in days, 0 for all time; None: window or half-life is found on the newest parts
    half_life : days after which an interaction counts half, 0 for no fading
    again : lists may hold what the user has met
    """

    name = "popular"

    def __init__(
        self, *, days: float | None = 30.0, half_life: float = 0.0, again: bool = False
    ) -> None:
        self.days, self.half_life, self.again = days, half_life, again

    def _learn(self, seen: Interactions, history: History, slot: Slot) -> Scorer:
        if self.days is None:
            parts = newest_parts(seen, seed=history.seed, again=self.again)
            windows = best_windows(parts, again=self.again)
        else:
            windows = ((self.days, self.half_life),)
        self.facts_ = {"stopped": "end", "windows": windows}
        return Popular(popularity_over(seen, windows), windows)


class Personal(Lister):
    """A learner whose lists know the user, with what popularity counts beside that."""

    mix: float | None
    inner: str

    def _learn(self, seen: Interactions, history: History, slot: Slot) -> Scorer:
        self._check(seen, slot)
        mix = FAINT_MIX if self.mix is None else self.mix
        how = {"again": self.again, "warm": True, "last": self.inner == "last"}
        parts = newest_parts(seen, seed=history.seed, **how) if self._open() else ()
        windows = best_windows(parts, again=self.again)
        scorers, parts_ = made_for(parts, lambda some: self.made(some, windows, mix), slot)
        dials = Dials(scorers, parts_, again=self.again)
        found = self._turned(dials) if parts_ else {}
        told = {key: round(value, 6) for key, value in found.items()}
        self.facts_ = {"stopped": "end", "windows": windows, "found": told}
        self.facts_ = dict(self.facts_) | {"inner_ndcg": round(dials.gain, 6)}
        return self._with(self.made(seen, windows, mix), found)

    def _open(self) -> bool:
        """Whether a setting is to be found."""
        return self.mix is None

    def _check(self, seen: Interactions, slot: Slot) -> None:
        """Refuse what cannot be done in time or memory."""

    def made(self, seen: Interactions, windows: Windows, mix: float) -> Scorer:
        """The scorer for these interactions."""
        raise NotImplementedError

    def _turned(self, dials: Dials) -> dict[str, float]:
        """Settings that told the newest parts best."""
        return {"mix": dials.mix()} if self.mix is None else {}

    def _with(self, scorer: Scorer, found: dict[str, float]) -> Scorer:
        """The scorer with what was found."""
        changed: Scorer = replace(scorer, **found)  # type: ignore[type-var]
        return changed


class NeighbourLists(Personal):
    """Items that the same users meet, by shrunk cosine.

    Parameters
    ----------
    kept : neighbours of an item
    shrink : how strongly pairs of few users are held back
    decay : what an interaction of the asking user counts for each newer one
    mix : what recent popularity counts; None finds it on the newest parts
    inner : what settings are found on: "time", the newest tenth; "last", each user's last item
    again : lists may hold what the user has met
    """

    name = "neighbours"

    def __init__(
        self, *, kept: int = KEPT, shrink: float = 10.0, decay: float = 1.0,
        mix: float | None = FAINT_MIX, inner: str = "time", again: bool = False,
    ) -> None:  # fmt: skip
        self.kept, self.shrink, self.decay = kept, shrink, decay
        self.mix, self.inner, self.again = mix, inner, again

    def made(self, seen: Interactions, windows: Windows, mix: float) -> Scorer:
        near = cosine(met(seen), shrink=self.shrink, kept=self.kept)
        return Neighbours(near, popularity_over(seen, windows), self.decay, mix)


class EaseLists(Personal):
    """EASE: the linear model of each item from all others, in closed form.

    Parameters
    ----------
    penalty : added to each item's count; None: five times the mean count, from 50 to 300
    decay : what an interaction of the asking user counts for each newer one; None finds it
    mix : what recent popularity counts; None finds it on the newest parts
    inner : what settings are found on: "time", the newest tenth; "last", each user's last item
    again : lists may hold what the user has met
    """

    name = "ease"

    def __init__(
        self, *, penalty: float | None = None, decay: float | None = 1.0, mix: float | None = None,
        inner: str = "time", again: bool = False,
    ) -> None:  # fmt: skip
        self.penalty, self.decay, self.mix = penalty, decay, mix
        self.inner, self.again = inner, again

    def _check(self, seen: Interactions, slot: Slot) -> None:
        refuse_large(seen.n_items, MOST_DENSE, "EASE")
        slot.need(1e-10 * seen.n_items**3, f"an inverse of {seen.n_items:,} items")

    def _open(self) -> bool:
        return self.mix is None or self.decay is None

    def made(self, seen: Interactions, windows: Windows, mix: float) -> Scorer:
        decay = 1.0 if self.decay is None else self.decay
        return Neighbours(solved(seen, self.penalty), popularity_over(seen, windows), decay, mix)

    def _turned(self, dials: Dials) -> dict[str, float]:
        found = {}
        if self.decay is None:
            found["decay"] = dials.turn("decay", DECAYS)
        return found | super()._turned(dials)


class LaggedLists(Personal):
    """What is met together and what follows what, in one score; the newest interactions lead.

    Parameters
    ----------
    alpha : what followers count beside neighbours, both at their usual height; None finds it
    decay, fade : what an interaction counts for each newer one, for neighbours and followers;
        None finds it
    reach : how many steps later an item still follows; None: 10, or 5 for short histories
    penalty : of EASE, where the items are few enough for it
    mix : what recent popularity counts; None finds it
    inner : what settings are found on: "time", the newest tenth; "last", each user's last item
    again : lists may hold what the user has met
    """

    name = "lagged"

    def __init__(
        self, *, alpha: float | None = None, decay: float | None = 0.9, fade: float | None = 0.7,
        reach: int | None = None, penalty: float | None = None, mix: float | None = None,
        inner: str = "time", again: bool = False,
    ) -> None:  # fmt: skip
        self.alpha, self.decay, self.fade, self.reach = alpha, decay, fade, reach
        self.penalty, self.mix, self.inner, self.again = penalty, mix, inner, again

    def _check(self, seen: Interactions, slot: Slot) -> None:
        solved = 2e-11 * seen.n_items**3 if seen.n_items <= MOST_DENSE else 0.0
        slot.need(4e-6 * seen.n + solved, f"pairs of {seen.n_items:,} items")

    def _open(self) -> bool:
        return None in (self.alpha, self.decay, self.fade, self.mix)

    def made(self, seen: Interactions, windows: Windows, mix: float) -> Lagged:
        dense = seen.n_items <= MOST_DENSE
        near: Near = solved(seen, self.penalty) if dense else cosine(met(seen))
        mean = seen.n / max(1, np.unique(seen.users).size)
        reach = (10 if mean >= LONG else 5) if self.reach is None else self.reach
        made = Lagged(
            near, followers(seen, reach=reach), popularity_over(seen, windows),
            ALPHAS[0] if self.alpha is None else self.alpha,
            DECAYS[0] if self.decay is None else self.decay,
            FADES[0] if self.fade is None else self.fade,
            mix,
        )  # fmt: skip
        return level(made, seen)

    def _turned(self, dials: Dials) -> dict[str, float]:
        found = {}
        for name, values in (("decay", DECAYS), ("alpha", ALPHAS), ("fade", FADES)):
            if getattr(self, name) is None:
                found[name] = dials.turn(name, values)
        return found | super()._turned(dials)


def solved(seen: Interactions, penalty: float | None) -> Near:
    """EASE's weights; without a penalty, one that follows how often items were met.

    Raises
    ------
    LearnerFailed : the penalty is too small for the equations
    """
    if penalty is None:
        count = seen.n / max(1, np.unique(seen.items).size)
        penalty = float(np.clip(5.0 * count, 50.0, 300.0))
    try:
        return ease(met(seen), penalty=penalty)
    except np.linalg.LinAlgError as error:
        raise LearnerFailed(
            "the equations of EASE have no solution",
            got=f"penalty {penalty:g}",
            expected="a penalty above 0",
            do="raise the penalty",
        ) from error
