"""The newest parts of a history, by which settings are chosen."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.lists.asked import Interactions
from everfit.lists.newest import USUAL, best_of, best_windows, newest_parts
from everfit.lists.popular import popularity_over
from tests.lists.walks import news, walks


def test_what_stands_before_a_part_is_older_than_all_of_it() -> None:
    seen = news()

    parts = newest_parts(seen)

    assert [part.before.n for part in parts] == [5_400, 4_800, 4_200]
    for part, end in zip(parts, (6_000, 5_400, 4_800), strict=True):
        ask, item = np.divmod(part.pairs, seen.n_items)
        later = slice(part.before.n, end)
        known = set(zip(seen.users[later].tolist(), seen.items[later].tolist(), strict=True))
        users = part.asked.users[ask]
        assert set(zip(users.tolist(), item.tolist(), strict=True)) <= known


def test_what_was_met_before_is_not_asked_again_unless_it_may_be() -> None:
    seen = walks(40, n_items=10, length=30)

    once, again = newest_parts(seen), newest_parts(seen, again=True)

    for part in once:
        known = part.asked.items + np.repeat(np.arange(part.asked.n), part.asked.lengths) * 10
        assert not np.isin(part.pairs, known).any()
    assert again[0].pairs.size > (once[0].pairs.size if once else 0)


def test_users_without_a_history_are_left_out_when_warm_ones_are_wanted() -> None:
    seen = news(800)

    assert min(p.asked.lengths.min() for p in newest_parts(seen, warm=True)) > 0
    assert min(p.asked.lengths.min() for p in newest_parts(seen)) == 0


def test_places_in_histories_keep_back_the_last_item_of_each_user() -> None:
    users = np.repeat(np.arange(3), 4)
    items = np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 8])
    seen = Interactions.of(users, items, at=np.tile(np.arange(4.0), 3))

    (part,) = newest_parts(seen)

    assert part.pairs.tolist() == [3, 9 + 7, 18 + 8]
    assert part.asked.items.tolist() == [0, 1, 2, 4, 5, 6, 0, 1, 2]


def test_gains_are_those_of_the_definition() -> None:
    seen = Interactions.of(
        np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), np.arange(10), at=np.arange(10.0) * 1e6 + 5e8
    )
    part = newest_parts(seen)[0]  # user 0 met item 9 last

    lists = np.array([[3, 9, 5, 6, 7, 8, 1, 2, 0, 4]])

    assert part.gains(lists)[0] == pytest.approx(1.0 / np.log2(3.0))


def test_too_short_a_history_has_no_parts() -> None:
    assert newest_parts(Interactions.of(np.array([0]), np.array([0]), at=np.array([1e9]))) == ()


def test_where_news_fade_in_ten_days_a_short_window_is_found() -> None:
    parts = newest_parts(news())

    windows = best_windows(parts)

    ((days, half_life),) = windows
    assert 0 < days <= 14 or 0 < half_life <= 10
    found = np.mean([p.gain(np.tile(popularity_over(p.before, windows), (p.asked.n, 1)))
                     for p in parts])  # fmt: skip
    ever = np.mean([p.gain(np.tile(popularity_over(p.before, ((0.0, 0.0),)), (p.asked.n, 1)))
                    for p in parts])  # fmt: skip
    assert found > 2.0 * ever


def test_few_asks_leave_the_usual_windows() -> None:
    assert best_windows(newest_parts(walks(20, length=5))) == USUAL
    assert best_windows(()) == USUAL


def test_a_clearly_better_value_is_chosen_and_the_first_among_equals() -> None:
    parts = newest_parts(news())

    def scores(i: int, value: float) -> np.ndarray:
        part = parts[i]
        days = 7.0 if value in (1.0, 2.0) else 0.0
        return np.tile(popularity_over(part.before, ((days, 0.0),)), (part.asked.n, 1))

    value, gain = best_of((0.0, 1.0, 2.0), parts, scores)

    assert value == 1.0
    assert 0.0 < gain < 1.0


def test_the_usual_value_stays_where_others_are_not_clearly_better() -> None:
    parts = newest_parts(news())

    def scores(i: int, value: float) -> np.ndarray:
        rng = np.random.default_rng(int(10 * value) + i)
        return rng.random((parts[i].asked.n, 100)).astype(np.float32)

    kept = [best_of((v, v + 0.1), parts, scores)[0] == v for v in range(20)]

    assert np.mean(kept) > 0.7
