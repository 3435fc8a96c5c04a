"""What every scorer keeps to: scores, reasons, files; alone and among others."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from everfit.lists.asked import Asked, Interactions
from everfit.lists.content import Content, described
from everfit.lists.factors import Factors, alternating
from everfit.lists.lagged import Lagged, followers, level
from everfit.lists.neighbours import Neighbours, cosine, ease, met
from everfit.lists.popular import Popular, popularity
from everfit.lists.scorer import Scorer, shares, with_base
from tests.lists.walks import groups, walks

SEEN = groups()
BASE = popularity(SEEN)
MARKS = described([[f"group{i // 20}", f"part{i // 5}"] for i in range(60)])
POINTS, _ = alternating(met(SEEN), d=8, rounds=4)


def lagged(near: Any) -> Lagged:
    return level(Lagged(near, followers(SEEN), BASE, alpha=0.7), SEEN)


SCORERS: dict[str, Scorer] = {
    "popular": Popular(BASE),
    "neighbours": Neighbours(cosine(met(SEEN)), BASE),
    "ease": Neighbours(ease(met(SEEN)), BASE, decay=0.9),
    "lagged, sparse": lagged(cosine(met(SEEN))),
    "lagged, dense": lagged(ease(met(SEEN))),
    "factors": Factors(POINTS, POINTS.T @ POINTS, BASE),
    "content": Content(MARKS, BASE),
}
PERSONAL = sorted(SCORERS.keys() - {"popular"})
each = pytest.mark.parametrize("name", sorted(SCORERS))
personal = pytest.mark.parametrize("name", PERSONAL)


@each
def test_scores_are_finite_and_one_for_each_item(name: str) -> None:
    scores = SCORERS[name].scores(SEEN.histories())

    assert scores.shape == (150, 60)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@each
def test_an_ask_alone_is_scored_as_among_others(name: str) -> None:
    asked = SEEN.histories().take(np.arange(20))

    together = SCORERS[name].scores(asked)
    alone = [SCORERS[name].scores(asked.take(np.array([i]))) for i in range(20)]

    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-4, atol=1e-5)


@each
def test_nobody_is_asked_and_nobody_is_answered(name: str) -> None:
    assert SCORERS[name].scores(SEEN.histories().take(np.arange(0))).shape == (0, 60)


@each
def test_a_user_without_a_history_gets_what_is_popular(name: str) -> None:
    scores = SCORERS[name].scores(Asked.one(np.array([], dtype=np.int32)))

    assert int(scores[0].argmax()) == int(BASE.argmax())


@each
def test_it_comes_back_from_its_arrays_and_settings(name: str) -> None:
    scorer, asked = SCORERS[name], SEEN.histories()
    file = io.BytesIO()
    np.savez(file, **scorer.arrays())
    file.seek(0)
    settings = json.loads(json.dumps(scorer.settings()))

    with np.load(file, allow_pickle=False) as stored:
        again = type(scorer).from_arrays(dict(stored), settings)

    np.testing.assert_array_equal(scorer.scores(asked), again.scores(asked))


@each
def test_reasons_are_items_of_the_history_with_shares(name: str) -> None:
    asked = SEEN.histories().take(np.array([4]))
    scores = SCORERS[name].scores(asked)[0].copy()
    scores[asked.items] = -1.0

    reasons = SCORERS[name].because(asked, int(scores.argmax()))

    assert {item for item, _ in reasons} <= set(asked.items.tolist())
    assert [share for _, share in reasons] == sorted((s for _, s in reasons), reverse=True)
    assert sum(share for _, share in reasons) <= 1.0 + 1e-6
    assert bool(reasons) == (name != "popular")


@personal
def test_the_strongest_reason_is_what_costs_most_to_forget(name: str) -> None:
    scorer = replace(SCORERS[name], mix=0.0, decay=1.0)  # type: ignore[type-var]
    if isinstance(scorer, Lagged):
        scorer = replace(scorer, fade=1.0)
    items = np.array([3, 25, 44], dtype=np.int32)
    asked = Asked.one(items)
    best = int(np.argsort(-scorer.personal(asked)[0])[:10][-1])
    best = best if best not in items else 7

    reasons = dict(scorer.because(asked, best))

    without = [float(scorer.personal(Asked.one(np.delete(items, i)))[0, best]) for i in range(3)]
    if reasons:
        assert int(items[int(np.argmin(without))]) == max(reasons, key=lambda i: reasons[i])


@personal
def test_items_of_one_group_are_similar(name: str) -> None:
    near = SCORERS[name].similar(5)

    assert near.shape == (60,)
    assert near[5] == 0.0 or name.startswith("lagged")
    assert near[:20].mean() > near[20:].mean()


@personal
def test_users_get_items_of_their_own_group(name: str) -> None:
    asked = SEEN.histories()

    scores = replace(SCORERS[name], mix=1e-4).scores(asked).copy()  # type: ignore[type-var]

    scores[np.repeat(np.arange(150), asked.lengths), asked.items] = -1.0
    best = np.argsort(-scores, axis=1)[:, :5] // 20
    own = best == (np.arange(150) % 3)[:, None]
    assert own.mean() > 0.8


def test_personal_scores_have_a_highest_of_one_beside_popularity() -> None:
    found = with_base(np.array([[2.0, 4.0], [0.0, 0.0]]), np.array([1.0, 0.5]), 0.5)

    assert found.tolist() == [[1.0, 1.25], [0.5, 0.25]]


def test_shares_leave_out_what_speaks_against() -> None:
    assert shares([(1, -1.0), (2, 0.0)]) == []
    assert len(shares([(i, 1.0) for i in range(9)], most=4)) == 4


def test_followers_beat_neighbours_where_users_walk() -> None:
    seen = walks(noise=0.1)
    near, after = cosine(met(seen)), followers(seen)
    asked = seen.histories()
    last = asked.items[asked.starts[1:] - 1]
    right = (last + 1) % 60

    both = level(Lagged(near, after, popularity(seen), alpha=4.0, fade=0.5), seen)
    found = both.scores(asked).argmax(axis=1)
    plain = Neighbours(near, popularity(seen)).scores(asked).argmax(axis=1)

    assert (found == right).mean() > 0.6
    assert (found == right).mean() > (plain == right).mean()


def test_new_interactions_count_at_once() -> None:
    scorer = SCORERS["ease"]
    before = scorer.scores(Asked.one(np.array([3, 4, 5])))[0]

    after = scorer.scores(Asked.one(np.array([3, 4, 5, 45, 46, 47, 48])))[0]

    assert before[:20].mean() > before[40:].mean()
    assert after[40:].mean() > after[:20].mean()


def one_item() -> Interactions:
    return Interactions.of(np.arange(5), np.zeros(5, int), n_items=1)


def test_a_catalogue_of_one_item_can_be_learnt() -> None:
    seen = one_item()
    base = popularity(seen)
    for scorer in (
        Popular(base), Neighbours(cosine(met(seen)), base), Neighbours(ease(met(seen)), base),
        level(Lagged(cosine(met(seen)), followers(seen), base), seen),
    ):  # fmt: skip
        assert scorer.scores(seen.histories()).shape == (5, 1)
