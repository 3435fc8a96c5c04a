"""Which items next: the problem, its asks, what is true of them, and the losses of lists."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from everfit.column import DEPTH
from everfit.data.read import read
from everfit.data.split import cuts
from everfit.errors import ColumnMissing, TargetUnusable, TooFewRows, UsageError
from everfit.lists.top import pack
from everfit.records import Answers, Cut, SplitPolicy, Truth
from everfit.tasks import TASKS, pick
from tests.meetings import ROLES, catalogue, meetings, posed

TASK = TASKS["recommend"]
SEEN = meetings(1_500)


def lists(*codes: list[int]) -> np.ndarray:
    """Answers with these items, the best first."""
    found = np.full((len(codes), DEPTH), -1)
    for row, some in enumerate(codes):
        found[row, : len(some)] = some
    return pack(found, np.where(found >= 0, np.arange(DEPTH, 0, -1), 0.0))


def whole(n: int, before: int) -> Cut:
    return Cut("one", np.arange(before), np.arange(before, n))


def small() -> pl.DataFrame:
    """Two users with 20 items each, then three meetings of each, one of a new user."""
    before = [(f"u{k % 2}", f"i{k // 2:02d}", k) for k in range(40)]
    after = [("u1", "i30", 40), ("u0", "i31", 41), ("u1", "i00", 42), ("u0", "i31", 43)]
    after += [("u2", "i01", 44), ("u1", "i32", 45)]
    return pl.DataFrame(before + after, schema=["user", "item", "timestamp"], orient="row")


def test_it_is_never_found_out_by_itself() -> None:
    table = read({"item": [f"i{k % 7}" for k in range(60)]})

    assert pick(table)[0].name == "classify"
    assert TASK.fits(table)[0] is False


def test_labels_are_all_items_that_were_met_or_that_the_catalogue_names() -> None:
    more = pl.concat([catalogue(), pl.DataFrame({"item": ["new"], "about": ["a drama"]})])

    _, alone = posed(SEEN)
    _, beside = posed(SEEN, beside={"items": more})

    assert alone.labels == tuple(sorted(SEEN["item"].unique()))
    assert set(beside.labels) == {*alone.labels, *more["item"]}
    assert (beside.group, beside.time, beside.form) == ("user", "timestamp", "lists")
    assert beside.n_outputs == 2 * DEPTH


def test_items_that_are_numbers_are_in_the_order_of_size() -> None:
    numbered = SEEN.with_columns(pl.col("item").str.slice(1).cast(pl.Int64))
    beside = {"items": pl.DataFrame({"item": ["7", "1000"], "about": ["one", "another"]})}

    table, problem = posed(numbered, beside=beside)
    told = TASK.aside(problem, {"items": read(beside["items"], roles={"item": "ignore"})})["items"]

    assert problem.labels[:3] == ("0", "1", "2")
    assert problem.labels[-1] == "1000"
    assert told.frame["about"][problem.labels.index("7")] == "one"
    assert told.frame["about"][problem.labels.index("8")] is None
    assert told.n_rows == len(problem.labels)
    assert int(TASK.truth(table, problem).values[0]) == int(numbered["item"][0])


def test_the_first_of_two_rows_about_an_item_counts_and_one_without_a_key_does_not() -> None:
    twice = pl.DataFrame({"item": ["i001", None, "i001"], "about": ["first", "nobody", "second"]})

    _, problem = posed(SEEN, beside={"items": twice})
    told = TASK.aside(problem, {"items": read(twice, roles={"item": "ignore"})})["items"]

    assert told.frame["about"].drop_nulls().to_list() == ["first"]


@pytest.mark.parametrize(
    ("frame", "roles", "error", "words"),
    [
        (SEEN.head(1), ROLES, TooFewRows, "1 interaction"),
        (SEEN.with_columns(item=pl.lit("i1")), ROLES, TargetUnusable, "of one item"),
        (SEEN.with_columns(user=pl.lit("u1")), ROLES, TargetUnusable, "of one user"),
        (SEEN, {"item": "target", "timestamp": "time"}, UsageError, "--user"),
        (SEEN, {**ROLES, "usr": "group"}, ColumnMissing, "usr"),
    ],
)
def test_what_cannot_be_learnt_is_a_clear_error(
    frame: pl.DataFrame, roles: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        posed(frame, roles=roles)  # type: ignore[arg-type]

    assert words in str(caught.value)


def test_a_metric_that_is_none_is_refused_with_those_that_are() -> None:
    table, _ = posed(SEEN)

    with pytest.raises(UsageError, match="ndcg, recall, hit"):
        TASK.problem(table, "item", metric="accuracy")


def test_an_ask_is_the_first_row_of_each_user_after_the_cut() -> None:
    table, problem = posed(small())

    assert TASK.asked(table, problem, whole(46, 40)).tolist() == [40, 41, 44]


def test_an_ask_shows_nothing_of_the_meeting_that_stands_for_it() -> None:
    told = SEEN.with_columns(
        stars=pl.Series(np.arange(SEEN.height) % 5), home=pl.col("user").str.slice(0, 2)
    )
    table, _ = posed(told)

    asks = TASK.asks(table, whole(SEEN.height, 1_000))

    # a fact of the user is known; the stars of a meeting, and its item, are not
    assert [c.name for c in asks.columns] == ["user", "timestamp", "home"]


def test_true_are_the_items_met_after_the_cut_for_the_first_time() -> None:
    table, problem = posed(small())
    code = {label: code for code, label in enumerate(problem.labels)}

    truth = TASK.turned_out(table, problem, [whole(46, 40)])

    # i00 was met by u1 before, and i31 is met twice
    found = [[problem.labels[int(c)] for c in row[np.isfinite(row)]] for row in truth.values]
    assert truth.ids.tolist() == [40, 41, 44]
    assert found == [["i30", "i32"], ["i31"], ["i01"]]
    assert code["i30"] == int(truth.values[0, 0])


def test_a_user_who_only_meets_old_items_again_is_not_judged() -> None:
    frame = pl.concat(
        [small().head(40), small().head(1).with_columns(timestamp=pl.lit(99, pl.Int64))]
    )
    table, problem = posed(frame)

    truth = TASK.turned_out(table, problem, [whole(41, 40)])

    assert truth.ids.tolist() == []


def test_meeting_again_counts_where_users_do_so() -> None:
    frame = pl.concat([small().head(40), small().head(20).with_columns(pl.col("timestamp") + 90)])
    table, problem = posed(frame)

    truth = TASK.turned_out(table, problem, [whole(60, 40)])

    assert int(np.isfinite(truth.values).sum()) == 20


def test_the_unit_is_a_user_at_a_cut_so_that_cuts_do_not_mix() -> None:
    table, problem = posed(SEEN)
    policy = TASK.split(table, problem)
    assert policy is not None
    held = cuts(table, policy, None, seed=0)

    together = TASK.turned_out(table, problem, held)
    alone = [TASK.turned_out(table, problem, [cut]) for cut in held]

    assert sorted(together.ids.tolist()) == sorted(i for one in alone for i in one.ids)
    assert len(np.unique(together.ids)) == len(together.ids)


def test_the_split_is_forward_in_time_with_three_cuts_or_more() -> None:
    policy = TASK.split(*posed(SEEN))

    assert policy is not None
    assert (policy.kind, policy.column, policy.together) == ("time", "timestamp", "user")
    assert policy.n_folds >= 3


@pytest.mark.parametrize("how", ["no time", "one time", "positions"])
def test_without_a_time_that_users_share_the_last_rows_are_held_out_and_it_is_said(
    how: str,
) -> None:
    roles = {**ROLES} if how != "no time" else {"user": "group", "item": "target"}
    frame = SEEN.drop("timestamp") if how == "no time" else SEEN
    if how == "one time":
        frame = SEEN.with_columns(timestamp=pl.lit(7))
    if how == "positions":
        frame = SEEN.with_columns(timestamp=pl.int_range(pl.len()).over("user"))
    table, problem = posed(frame, roles=roles)  # type: ignore[arg-type]

    policy = TASK.split(table, problem)

    assert policy is not None
    assert (policy.kind, policy.together) == ("last", "user")
    assert policy.why
    held = cuts(table, policy, None, seed=0)
    last = TASK.turned_out(table, problem, held[-1:])
    assert len(held) == policy.n_folds
    assert set(np.isfinite(last.values).sum(axis=1)) == {1}


def test_losses_are_one_less_the_measure_of_each_list() -> None:
    truth = Truth(np.array([4, 9]), np.array([[2.0, np.nan], [3.0, 1.0]]))
    answers = Answers(truth.ids, lists([4, 2, 7], [1, 2, 3]))

    losses = TASK.losses(answers, truth, "ndcg")

    assert losses.ids.tolist() == [4, 9]
    assert losses.values == pytest.approx([1 - 1 / np.log2(3), 1 - 1.5 / (1 + 1 / np.log2(3))])
    assert TASK.losses(answers, truth, "hit").values.tolist() == [0.0, 0.0]
    assert TASK.losses(answers, truth, "recall").values.tolist() == [0.0, 0.0]
    shown = TASK.shown("ndcg", answers.values, truth.values, None)
    assert shown == pytest.approx(1 - losses.values.mean())


def test_a_blend_of_lists_ranks_what_both_rank_high() -> None:
    ids = np.array([0])
    one, other = Answers(ids, lists([5, 6, 7])), Answers(ids, lists([6, 7, 8]))

    mixed = TASK.blend([one, other], [0.5, 0.5])

    assert mixed.values[0, 0] == 6


def test_codes_of_an_old_catalogue_are_read_by_name() -> None:
    _, problem = posed(SEEN)
    older = replace(problem, labels=("i003", "gone", "i001"))

    found = TASK.aligned(lists([2, 1, 0]), older, problem)

    named = [problem.labels[int(c)] if c >= 0 else "" for c in found[0, :3]]
    assert named == ["i001", "", "i003"]
    assert (found[0, 3:DEPTH] == -1).all()


def test_segments_are_users_by_what_was_known_of_them() -> None:
    table, problem = posed(small())
    cut = whole(46, 40)
    ids = TASK.asked(table, problem, cut)

    masks = TASK.segments(table, problem, [cut], ids, least=1)

    assert masks["new users"].tolist() == [False, False, True]
    assert masks["users with 10 to 49 interactions"].tolist() == [True, True, False]
    assert masks["users who then met an item that was new to all"].tolist() == [True, True, False]


def test_further_measures_say_what_lists_cover_and_who_was_new() -> None:
    table, problem = posed(small())
    cut = whole(46, 40)
    ids = TASK.asked(table, problem, cut)
    code = problem.labels.index
    answers = Answers(ids, lists([code("i30")], [code("i00")], [code("i01")]))

    found = TASK.measures(answers, table, problem, [cut])

    assert found["hit@10"] == pytest.approx(2 / 3)
    assert found["coverage@10"] == pytest.approx(3 / len(problem.labels))
    assert found["share of new users"] == pytest.approx(1 / 3)
    assert found["share of new items"] == pytest.approx(3 / 4)
    assert found["ndcg@10 of new users"] == pytest.approx(1.0)
    assert found["ndcg@10 of known users"] == pytest.approx((1 / (1 + 1 / np.log2(3)) + 0) / 2)
    # u1 met i30 and i32, u0 met i31: one of the three was listed
    assert found["recall@20 of new items"] == pytest.approx((1 / 2 + 0) / 2)


def test_at_most_two_thousand_users_are_asked_for_at_one_cut_always_the_same() -> None:
    many = pl.DataFrame(
        {
            "user": np.tile(np.arange(2_500), 3),
            "item": np.arange(7_500) % 97,
            "timestamp": np.arange(7_500),
        }
    ).with_columns(pl.format("u{}", "user").alias("user"))
    table, problem = posed(many)

    first, again = (TASK.asked(table, problem, whole(7_500, 5_000)) for _ in range(2))

    assert len(first) == 2_000
    assert first.tolist() == again.tolist()


def test_weights_are_those_of_the_role() -> None:
    rated = SEEN.with_columns(stars=pl.Series(np.arange(SEEN.height) % 5))
    table, problem = posed(rated, roles={**ROLES, "stars": "weight"})

    truth = TASK.truth(table, problem)

    assert truth.weight is not None
    assert truth.weight[:5].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert isinstance(TASK.split(table, problem), SplitPolicy)
