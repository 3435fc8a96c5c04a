"""Cuts and withheld rows: disjoint, complete, balanced, and steady when rows are added."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.data.read import read
from everfit.data.split import cuts, group_codes, row_hashes, withhold
from everfit.data.table import Table
from everfit.errors import ColumnMissing, TooFewRows, UsageError
from everfit.records import Array, SplitPolicy

FROZEN = [12414641188209021795, 12452048164210484695, 16294208416658607535]
RANDOM = SplitPolicy("random", n_folds=5)


def table_of(n: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    return read(
        {
            "x": rng.normal(size=n).tolist(),
            "k": rng.integers(0, 5, n).tolist(),
            "c": [f"level {i}" for i in rng.integers(0, 3, n)],
            "g": [f"group {i}" for i in rng.integers(0, max(2, n // 10), n)],
        }
    )


def asked_once(found: tuple[object, ...], n: int) -> bool:
    asked = np.concatenate([cut.asked for cut in found])  # type: ignore[attr-defined]
    return bool((np.sort(asked) == np.arange(n)).all())


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(10, 120),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 99),
    kind=st.sampled_from(["random", "group"]),
)
def test_folds_are_disjoint_and_cover_all_rows(n: int, n_folds: int, seed: int, kind: str) -> None:
    table = table_of(n, seed)
    policy = (
        SplitPolicy(kind, "g", n_folds) if kind == "group" else SplitPolicy("random", None, n_folds)
    )  # type: ignore[arg-type]

    found = cuts(table, policy, None, seed=seed)

    assert asked_once(found, n)
    for cut in found:
        assert np.intersect1d(cut.history, cut.asked).size == 0
        assert cut.history.size + cut.asked.size == n
        assert cut.asked.dtype == np.int64
        assert (np.diff(cut.asked) > 0).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), min_size=8, max_size=60))
def test_identical_rows_lie_in_one_fold(values: list[tuple[int, float]]) -> None:
    table = read({"a": [a for a, _ in values], "b": [round(b, 1) for _, b in values]})
    names = [c.name for c in table.features]
    if table.frame.select(names).unique().height < 5:
        return

    found = cuts(table, RANDOM, None, seed=1)

    fold = np.empty(len(values), dtype=int)
    for number, cut in enumerate(found):
        fold[cut.asked] = number
    frame = table.frame.select(names).with_columns(fold=fold)
    assert frame.group_by(names).agg(pl.col("fold").n_unique())["fold"].max() == 1


def test_classes_are_spread_evenly_over_the_folds() -> None:
    table = table_of(1_000)
    target = (np.arange(1_000) % 10 == 0).astype(float)

    found = cuts(table, RANDOM, target, seed=0)

    assert [int(target[cut.asked].sum()) for cut in found] == [20] * 5
    assert [cut.asked.size for cut in found] == [200] * 5


def test_a_class_of_two_rows_is_in_every_history() -> None:
    table = table_of(300)
    target = np.zeros(300)
    target[[7, 201]] = 1
    target[[11, 12, 13]] = 2

    for seed in range(20):
        for cut in cuts(table, RANDOM, target, seed=seed):
            assert set(target[cut.history]) == {0.0, 1.0, 2.0}


def test_a_numeric_target_is_balanced_by_quantile() -> None:
    table = table_of(2_000)
    target = np.random.default_rng(3).lognormal(size=2_000)

    found = cuts(table, RANDOM, target, seed=0)

    means = [np.mean(np.log(target[cut.asked])) for cut in found]
    # at random the means would differ with a deviation of 1 / sqrt(400) = 0.05
    assert np.std(means) < 0.02


def test_few_combinations_that_repeat_by_chance_are_cut_by_row() -> None:
    rng = np.random.default_rng(0)
    table = read({"a": rng.integers(0, 2, 1_000).tolist(), "b": rng.integers(0, 3, 1_000).tolist()})

    found = cuts(table, RANDOM, None, seed=0)

    assert [cut.asked.size for cut in found] == [200] * 5
    assert table.take(found[0].history).frame.unique().height == 6


def test_another_seed_gives_other_folds_and_the_same_seed_the_same() -> None:
    table = table_of(200)

    first, again, other = (cuts(table, RANDOM, None, seed=seed) for seed in (1, 1, 2))

    assert all((a.asked == b.asked).all() for a, b in zip(first, again, strict=True))
    assert any(a.asked.tolist() != b.asked.tolist() for a, b in zip(first, other, strict=True))


def test_groups_are_never_cut_apart_and_folds_stay_level() -> None:
    table = table_of(1_000)
    groups = table.frame["g"].to_numpy()

    found = cuts(table, SplitPolicy("group", "g", 5), None, seed=0)

    for cut in found:
        assert not set(groups[cut.asked]) & set(groups[cut.history])
    sizes = [cut.asked.size for cut in found]
    assert max(sizes) - min(sizes) <= 10


def test_rows_without_a_group_are_groups_of_one() -> None:
    table = read({"g": ["a", "a", None, None, None, "b"] * 5, "x": list(range(30))})

    found = cuts(table, SplitPolicy("group", "g", 3), None, seed=0)

    assert asked_once(found, 30)
    assert len(found) == 3


def dates(n: int, *, per_day: int) -> Table:
    rng = np.random.default_rng(0)
    day = rng.permutation(np.arange(n) // per_day)
    start = np.datetime64("2020-01-01", "us")
    return read({"when": (start + day * np.timedelta64(1, "D")).tolist(), "x": list(range(n))})


def test_forward_cuts_never_see_the_future_and_keep_days_whole() -> None:
    table = dates(1_000, per_day=7)
    when = table.frame["when"].to_numpy()

    found = cuts(table, SplitPolicy("time", "when", 5), None, seed=0)

    assert len(found) == 5
    for earlier, later in itertools.pairwise(found):
        assert set(earlier.history) | set(earlier.asked) == set(later.history)
    for cut in found:
        assert when[cut.history].max() < when[cut.asked].min()
    asked = np.concatenate([cut.asked for cut in found])
    assert 480 <= asked.size <= 520
    assert when[asked].max() == when.max()


def test_rows_without_a_time_are_history_and_never_asked() -> None:
    table = read({"when": [None, *range(2000, 2030)], "x": list(range(31))})

    for cut in cuts(table, SplitPolicy("time", "when", 3), None, seed=0):
        assert 0 in cut.history
        assert 0 not in cut.asked


def test_what_cannot_be_cut_is_refused_in_words() -> None:
    same = read({"when": [1, 1, 1], "x": [1, 2, 3]})

    with pytest.raises(TooFewRows, match="cannot be cut forward in time by 'when'"):
        cuts(same, SplitPolicy("time", "when"), None, seed=0)
    with pytest.raises(TooFewRows, match="cannot be cut into folds"):
        cuts(same, SplitPolicy("group", "when"), None, seed=0)
    with pytest.raises(UsageError, match="needs a column"):
        cuts(same, SplitPolicy("group"), None, seed=0)
    with pytest.raises(ColumnMissing, match="did you mean 'when'"):
        cuts(same, SplitPolicy("group", "whem"), None, seed=0)


def kept(table: Table, policy: SplitPolicy = RANDOM, seen: Array | None = None) -> Array:
    return withhold(table, policy, seen=seen, share=0.2, at_least=1)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(30, 300), more=st.integers(1, 300), seed=st.integers(0, 50))
def test_a_row_keeps_its_side_when_rows_are_added(n: int, more: int, seed: int) -> None:
    whole = table_of(n + more, seed)
    order = np.random.default_rng(seed).permutation(n + more)
    first = whole.take(order[:n])

    before, after = kept(first), kept(whole)

    if before.any():
        assert (before == after[order[:n]]).all()


def test_a_group_keeps_its_side_and_is_never_cut() -> None:
    table = table_of(3_000)
    groups = table.frame["g"].to_numpy()

    aside = kept(table, SplitPolicy("group", "g"))

    assert 0.1 < aside.mean() < 0.3
    assert not set(groups[aside]) & set(groups[~aside])


def test_the_share_withheld_is_the_share_asked_for() -> None:
    table = table_of(20_000)

    assert kept(table).mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 20_000))


def test_repeated_combinations_are_withheld_row_by_row() -> None:
    table = read({"a": ["x", "y"] * 2_000, "b": [1, 2, 3, 4] * 1_000})

    aside = kept(table)

    assert 0.15 < aside.mean() < 0.25
    assert (kept(table.take(np.arange(3_000))) == aside[:3_000]).all()


def test_forward_in_time_the_newest_whole_days_are_withheld() -> None:
    table = dates(1_000, per_day=7)
    when = table.frame["when"].to_numpy()

    aside = kept(table, SplitPolicy("time", "when"))

    assert when[aside].min() > when[~aside].max()
    assert 0.18 < aside.mean() < 0.21


def test_rows_that_were_seen_are_never_withheld() -> None:
    table = table_of(500)
    seen = np.arange(500) < 250

    by_mask = kept(table, seen=seen)
    by_hash = kept(table, seen=row_hashes(table)[seen])

    assert by_mask.any()
    assert not by_mask[:250].any()
    assert (by_mask == by_hash).all()


def test_too_few_withheld_rows_are_none() -> None:
    table = table_of(100)

    assert not withhold(table, RANDOM, seen=None, share=0.2, at_least=60).any()
    with pytest.raises(UsageError, match="out of range"):
        withhold(table, RANDOM, seen=None, share=1.0, at_least=1)


def test_hashes_do_not_depend_on_order_of_rows_or_columns_or_number_type() -> None:
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", None, "z"], "c": [True, False, None]})
    table = read(frame)
    other = read(frame.select("c", "b", pl.col("a").cast(pl.Float64)).reverse())

    assert (row_hashes(table) == row_hashes(other)[::-1]).all()
    assert len(set(row_hashes(table).tolist())) == 3


def test_a_new_column_without_values_changes_no_hash() -> None:
    table = read({"a": [1.5, 2.5], "b": ["x", "y"]})
    wider = read({"a": [1.5, 2.5], "b": ["x", "y"], "new": [None, None]})

    assert (row_hashes(table) == row_hashes(wider)).all()


def test_values_that_swap_columns_change_the_hash() -> None:
    one = row_hashes(read({"a": [1.0, 3.0], "b": [2.0, 4.0]}))
    two = row_hashes(read({"a": [2.0, 4.0], "b": [1.0, 3.0]}))

    assert not (one == two).any()


def test_another_process_gives_the_same_hashes() -> None:
    code = (
        "from everfit.data.read import read; from everfit.data.split import row_hashes;"
        "print(row_hashes(read({'a': [1, 2.5, None], 'b': ['x', 'é', None]})).tolist())"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    # frozen: withheld rows of released models must stay withheld in every later version
    expected = row_hashes(read({"a": [1, 2.5, None], "b": ["x", "é", None]})).tolist()
    assert found.stdout.strip() == str(expected)
    assert expected == FROZEN


def test_the_last_rows_of_each_unit_are_held_out_one_after_the_other() -> None:
    table = read({"who": list("aababcc"), "when": [1, 2, 3, 5, 4, 7, 6]})

    older, newest = cuts(table, SplitPolicy("last", "when", 2, "who"), None, seed=0)

    # a: 1, 2, 5; b: 3, 4; c: 6, 7; with one row left, b and c are history in the second cut
    assert [table.frame["when"][int(i)] for i in newest.asked] == [5, 4, 7]
    assert sorted(table.frame["when"][newest.history].to_list()) == [1, 2, 3, 6]
    assert [table.frame["when"][int(i)] for i in older.asked] == [2]
    assert sorted(table.frame["when"][older.history].to_list()) == [1, 3, 4, 6, 7]


def test_without_a_time_the_last_rows_are_those_that_stand_last() -> None:
    table = read({"who": list("abab"), "x": [9, 8, 7, 6]})

    (cut,) = cuts(table, SplitPolicy("last", None, 3, "who"), None, seed=0)

    assert (cut.asked.tolist(), cut.history.tolist()) == ([2, 3], [0, 1])


def test_units_of_one_row_each_have_no_last_one() -> None:
    with pytest.raises(TooFewRows, match="no last row"):
        cuts(
            read({"who": list("abc"), "x": [1, 2, 3]}),
            SplitPolicy("last", None, 3, "who"),
            None,
            seed=0,
        )


def test_rows_hang_together_by_what_a_policy_names() -> None:
    table = read({"who": list("abab"), "when": [1, 2, 3, 4]})

    codes = group_codes(table, SplitPolicy("time", "when", together="who"))

    assert codes is not None
    assert codes.tolist() == [0, 1, 0, 1]
    assert group_codes(table, SplitPolicy("time", "when")) is None


def test_the_newest_rows_are_withheld_from_a_split_by_the_last_ones() -> None:
    table = read({"who": list("abab") * 5, "x": list(range(20))})

    kept = withhold(table, SplitPolicy("last", None, 3, "who"), seen=None, share=0.25, at_least=2)

    assert np.flatnonzero(kept).tolist() == [15, 16, 17, 18, 19]
