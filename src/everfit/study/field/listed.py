"""What is tried for ranked lists, in which order, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from everfit.records import Hypothesis

MOST_DENSE = 6_000  # items that EASE can take: see learners.listing
LARGE = 300_000  # interactions from which one part kept back says enough: see lists.newest
FEW = 2_000  # interactions below which only what is simple can be told apart
FOLDS, SHARE = 2.0, 0.5  # a hypothesis may use half of the time for two of its folds


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What a portfolio of lists is sized by.

    ``seconds`` is the time for all trials, one core each; ``described`` says that items have
    columns of their own; ``timed`` that interactions have a time; ``last`` that lists are judged by
    each user's last item, and not by what came after a moment.
    """

    n_interactions: int
    n_users: int
    n_items: int
    seconds: float = 60.0
    described: bool = False
    timed: bool = True
    last: bool = False

    @property
    def dense(self) -> bool:
        """Whether a number for each pair of items fits in memory."""
        return self.n_items <= MOST_DENSE


def lists_floors() -> tuple[Hypothesis, ...]:
    """What any model of lists must beat: recent popularity, and neighbours of items.

    Examples
    --------
    >>> [h.name for h in lists_floors()]
    ['popular, 7 days', 'popular, 30 days', 'popular, 90 days', 'items met together']
    """
    windows = [
        _of(
            f"popular, {days} days", "popular", {"days": float(days)},
            f"what was met most in the last {days} days, the same for everybody: lists that know "
            "the user must be worth more", "floor",
        )
        for days in (7, 30, 90)
    ]  # fmt: skip
    near = _of(
        "items met together", "neighbours", {},
        "the plainest list of one's own: items that the same users met", "floor",
    )  # fmt: skip
    return (*windows, near)


def lists_portfolio(facts: ListFacts) -> tuple[Hypothesis, ...]:
    """Hypotheses in the order of trial, the very simple model first; floors are apart.

    The order is by what a second buys. A hypothesis whose first two folds would take more than half
    of ``seconds`` is left out, as is all but the quickest where there are few interactions.

    Examples
    --------
    >>> [h.learner for h in lists_portfolio(ListFacts(100_000, 900, 1_700, 300.0))][:4]
    ['popular', 'lagged', 'reranked', 'ease']
    >>> [h.learner for h in lists_portfolio(ListFacts(500, 40, 90))]
    ['popular', 'lagged', 'ease']
    """
    listed = [_popular(facts), _lagged(facts)]
    if facts.n_interactions >= FEW:
        listed.append(_reranked(facts))
    if facts.dense:
        listed.append(_ease(facts))
    if facts.n_interactions >= FEW:
        listed += _further(facts)
    if facts.last or not facts.timed:
        listed = [_by_the_last(hypothesis) for hypothesis in listed]
    first, *others = listed
    return (
        first,
        *(h for h in others if FOLDS * cost_s(h.learner, facts) <= SHARE * facts.seconds),
    )


def _by_the_last(hypothesis: Hypothesis) -> Hypothesis:
    """What is found inside a history is found as lists will be judged."""
    if hypothesis.learner == "popular":
        return hypothesis
    return replace(hypothesis, settings={**hypothesis.settings, "inner": "last"})


def cost_s(learner: str, facts: ListFacts) -> float:
    """About how many seconds of one core a fit takes, its search for settings included.

    Examples
    --------
    >>> 0 < cost_s("popular", ListFacts(10**6, 50_000, 20_000)) < 30
    True
    """
    fits = 2.0 if facts.n_interactions >= LARGE else _FITS.get(learner, 4.0)
    fixed, each, square = _COSTS[learner]
    solved = 2e-11 * facts.n_items**3 if facts.dense and learner in _SOLVES else 0.0
    return fits * (fixed + each * facts.n_interactions + square * facts.n_items**2 + solved)


_FITS = {"popular": 1.0, "reranked": 7.0}  # with those on what stands before the parts kept back
# seconds: at all, for each interaction, for each pair of items (python -m bench.lists)
_COSTS: Mapping[str, tuple[float, float, float]] = {
    "popular": (0.1, 1e-6, 0.0),
    "neighbours": (0.1, 3e-6, 4e-9),
    "ease": (0.1, 2e-6, 1e-9),
    "lagged": (0.2, 4e-6, 5e-9),
    "factors": (0.2, 2.5e-5, 0.0),
    "content": (0.5, 2e-6, 2e-9),
    "reranked": (0.5, 1e-5, 1.2e-8),
}
_SOLVES = ("ease", "lagged", "reranked")


def _popular(facts: ListFacts) -> Hypothesis:
    return _of(
        "popular, window found", "popular", {"days": None},
        "how fast does popularity fade here? Windows and half-lives are compared on the newest "
        "part of each history" if facts.timed
        else "nothing says when, so what is popular is so over all time", "simple",
    )  # fmt: skip


def _lagged(facts: ListFacts) -> Hypothesis:
    return _of(
        "together and in turn", "lagged", {},
        f"{facts.n_interactions:,} interactions in order: what follows what within a few steps may "
        "tell more than what was met at any time; the newest of a history count most",
    )  # fmt: skip


def _reranked(facts: ListFacts) -> Hypothesis:
    told = "what is written about items, " if facts.described else ""
    return _of(
        "candidates in the order of trees", "reranked", {},
        f"when does a popular item beat one that suits the user? Trees weigh scores, {told}"
        "popularity by window, age and the length of a history",
    )  # fmt: skip


def _ease(facts: ListFacts) -> Hypothesis:
    return _of(
        "each item from all others", "ease", {"mix": None},
        f"{facts.n_items:,} items are few enough to solve for all pairs at once, so that what two "
        "items share through a third is not counted twice",
    )  # fmt: skip


def _further(facts: ListFacts) -> list[Hypothesis]:
    found = [
        _of(
            "items met together, and popularity", "neighbours", {"decay": 0.9, "mix": None},
            "the plain neighbours, with the newest of a history first and what is popular beside "
            "them",
        ),
        _of(
            "together and in turn, memory found", "lagged", {"decay": None, "fade": None},
            "how far back does a history speak? The fading of both parts is found too",
        ),
        _of(
            "points of users and items", "factors", {},
            f"{facts.n_users:,} users and {facts.n_items:,} items in 64 dimensions: taste that "
            "reaches items which never met",
        ),
    ]  # fmt: skip
    if facts.described:
        found.append(
            _of(
                "items described alike", "content", {},
                "the only list that can hold an item which nobody has met yet",
            )
        )  # fmt: skip
    return found


def _of(
    name: str, learner: str, settings: Mapping[str, Any], why: str,
    stage: Literal["floor", "simple", "portfolio"] = "portfolio",
) -> Hypothesis:  # fmt: skip
    return Hypothesis(name, learner, dict(settings), why, stage)
