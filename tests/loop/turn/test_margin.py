"""Who may serve on "not worse" alone, and by how much: the recipe fitted again, and no other."""

import math

import pytest

from everfit.evidence.interval import Interval
from everfit.loop.turn.moves import close_challenge
from everfit.loop.turn.trials import _of_bound
from everfit.records import Step
from everfit.watch.matured import Certified
from tests.loop.turn.fakes import BEGIN, MODEL, served


def _tried(act: str | None, margin: float) -> dict:
    model = served(1, margin=margin)
    model.add(2, until=model.now)
    if act is not None:
        told = {"act": act, "champion": 1, "version": 2, "until": model.now.isoformat()}
        model.store.done.append(Step(MODEL, "fit", act, told, BEGIN))
    model.by_hand(shadow=2)
    model.live(1, pairs={2: 0.0})
    model.do(close_challenge)
    return dict(model.store.steps(MODEL, "trial")[0].record)


@pytest.mark.parametrize(("act", "margin"), [("retrain", 0.05), ("search", None), (None, None)])
def test_only_the_recipe_fitted_again_has_a_margin(act: str | None, margin: float | None) -> None:
    assert _tried(act, 0.05)["margin"] == margin


def test_a_policy_without_a_margin_asks_for_proof_that_it_is_better() -> None:
    assert _tried("retrain", 0.0)["margin"] is None


def test_a_margin_is_a_share_of_the_certified_loss_and_not_of_its_bound() -> None:
    certified = Certified.of(Interval(0.3, 0.4, 0.5), 8.0)

    assert _of_bound(0.05, certified) == pytest.approx(0.05 * 0.4 / certified.worst)
    assert _of_bound(None, certified) is None


def test_nothing_certified_leaves_no_margin_and_a_wide_one_is_held() -> None:
    unknown = Certified.of(Interval(math.nan, math.nan, math.nan), 1.0)

    assert _of_bound(0.05, unknown) is None
    assert _of_bound(1.0, Certified.of(Interval(0.9, 1.0, 1.1), 1.0)) <= 0.5
