"""The whole loop for lists: from a record of who met what to a version that lists, and on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import wire
from everfit.errors import ColumnMissing, EverfitError, TargetUnusable, TooFewRows, UsageError
from everfit.house import House
from everfit.loop import Request, RunResult
from everfit.records import Progress, Role
from everfit.serve.lists.lists import Lists
from everfit.serve.load import open_version
from tests.meetings import catalogue, meetings

ROLES: dict[str, Role] = {"user": "group", "timestamp": "time"}
SEEN = meetings(3_200, taste=0.8)
TABLE_WORDS = re.compile(r"\brows?\b|accura|probabilit|\bcolumn\b", re.IGNORECASE)


def quiet(progress: Progress) -> None:
    """Nobody listens."""


def run(house: House, source: Any, *, name: str = "shop", **more: Any) -> RunResult:
    given: Mapping[str, Any] = {
        "budget_s": 10.0,
        "task": "recommend",
        "roles": ROLES,
        "beside": {"items": catalogue()},
        "started": time.monotonic(),
    }
    return house.run(Request(source, "item", name=name, **{**given, **more}), quiet)


def opened(house: House, result: RunResult) -> Lists:
    assert result.version is not None
    found = open_version(house.folder(result.version))
    assert isinstance(found, Lists)
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, RunResult, RunResult]:
    """A first version from older meetings, and a second run when there are more, of more items."""
    house = wire.house(tmp_path_factory.mktemp("shop") / "store")
    return house, run(house, SEEN.head(2_300)), run(house, SEEN)


Shop = tuple[House, RunResult, RunResult]


def test_a_record_of_meetings_becomes_a_champion_that_lists(shop: Shop) -> None:
    house, first, _ = shop

    found = opened(house, first).top("u3")

    assert first.decision.kind == "released"
    assert first.champion is not None
    assert len(found.items) == 10
    met = set(SEEN.head(2_300).filter(pl.col("user") == "u3")["item"])
    assert met.isdisjoint(found.items)


def test_every_gate_of_the_first_release_is_in_its_row(shop: Shop) -> None:
    _, first, _ = shop

    rules = {b.rule: b.passed for b in (*first.decision.because, *first.decision.also_checked)}

    assert rules["reproduces its golden rows"] is True
    assert rules["loads in a fresh process"] is True
    assert rules["better than the floor"] is True


def test_a_second_run_with_more_rows_is_judged_against_the_champion(shop: Shop) -> None:
    house, first, second = shop

    assert second.decision.kind in ("promoted", "kept", "inconclusive")
    judged = second.decision.because[0]
    assert judged.n > 20  # users, each of whom is one unit of evidence
    assert second.version is not None
    assert second.version.number == first.version.number + 1  # type: ignore[union-attr]
    kinds = [decision.kind for decision in reversed(house.decisions("shop"))]
    assert kinds[:3] == ["assessed", "studied", "released"]


def test_the_newest_rows_of_the_second_run_were_withheld_from_it(shop: Shop) -> None:
    house, _, second = shop

    lists = opened(house, second)
    newest = SEEN["timestamp"].max()

    # what the version knows ends before the newest meetings, by which it was judged
    known = [float(part.histories.asked.now[0]) for part in lists._parts]
    assert max(known) < float(newest)  # type: ignore[arg-type]


def test_nothing_that_is_said_of_lists_is_in_words_of_tables(shop: Shop) -> None:
    house, first, second = shop
    assert first.version is not None
    card = (house.folder(first.version) / "card.md").read_text()
    said = [first.decision.headline, second.decision.headline, second.decision.would_change]
    said += [first.study.candidate.speaks_of, *first.study.not_tried]
    said += [f"{f.headline} {f.done}" for f in first.assessment.findings]

    lines = [line for line in [*card.splitlines(), *said] if TABLE_WORDS.search(line)]

    # the file is a table, and its size is told as one
    assert [line for line in lines if "3 columns" not in line] == []
    assert "coverage" in card


def test_the_packed_version_asks_for_users_and_holds_the_catalogue(shop: Shop) -> None:
    house, first, _ = shop
    assert first.version is not None

    plan = json.loads((house.folder(first.version) / "plan.json").read_text())

    assert plan["form"] == "lists"
    assert [column["name"] for column in plan["columns"]] == ["user", "timestamp"]
    assert set(plan["labels"]) == set(catalogue()["item"])


def test_where_nobody_has_a_taste_what_is_popular_is_served_and_it_is_said(
    tmp_path: Path,
) -> None:
    house = wire.house(tmp_path / "store")

    result = run(house, meetings(2_500, taste=0.0, n_items=200, seed=4), beside={})

    stages = {member.hypothesis.stage for member in result.study.candidate.members}
    assert result.decision.kind == "released"
    if "floor" in stages:
        assert "the floor" in result.decision.headline
    else:
        assert result.study.candidate.gain_on_floor.low > 0


def test_without_a_time_the_last_meetings_are_held_out(tmp_path: Path) -> None:
    house = wire.house(tmp_path / "store")

    result = run(house, SEEN.head(1_500).drop("timestamp"), roles={"user": "group"}, beside={})

    assert result.study.split.kind == "last"
    assert result.decision.kind == "released"
    assert "NDCG" in result.decision.headline


def test_a_bad_hour_of_the_logger_changes_nothing_that_is_released(tmp_path: Path) -> None:
    odd = pl.concat(
        [
            SEEN.head(1_500),
            SEEN.head(60),  # twice
            SEEN.head(20).with_columns(timestamp=pl.lit(1_900_000_000, pl.Int64)),  # in the future
            SEEN.head(30).with_columns(user=pl.lit(None, pl.String)),
            SEEN.head(30).with_columns(item=pl.lit(None, pl.String)),
        ]
    )
    house = wire.house(tmp_path / "store")

    result = run(house, odd, beside={})

    acts = {act.kind for act in result.assessment.acts}
    assert acts == {"drop_repeats", "drop_value", "drop_missing"}
    assert result.decision.kind == "released"
    lists = opened(house, result)
    assert max(float(p.histories.asked.now[0]) for p in lists._parts) < 1_800_000_000


@pytest.mark.parametrize(
    ("source", "more", "error", "words"),
    [
        (SEEN.head(1), {}, TooFewRows, "1 interaction"),
        (SEEN.with_columns(item=pl.lit("i1")), {"beside": {}}, TargetUnusable, "of one item"),
        (SEEN, {"roles": {"timestamp": "time"}}, UsageError, "--user COLUMN"),
        (SEEN, {"roles": {"usr": "group"}}, ColumnMissing, "usr"),
        (SEEN, {"beside": {"items": pl.DataFrame({"id": ["i1"]})}}, ColumnMissing, "'item'"),
        (SEEN, {"task": "classify"}, UsageError, "a table of items"),
        (SEEN, {"beside": {"weather": catalogue()}}, UsageError, "a table of weather"),
    ],
)
def test_what_cannot_be_listed_is_a_clear_error_and_leaves_no_store(
    source: pl.DataFrame,
    more: dict[str, Any],
    error: type[EverfitError],
    words: str,
    tmp_path: Path,
) -> None:
    house = wire.house(tmp_path / "store")

    with pytest.raises(error) as caught:
        run(house, source, **more)

    assert words in str(caught.value)
    assert caught.value.do
    assert list(house.models()) == []


def test_scores_of_the_champion_are_finite_and_in_order(shop: Shop) -> None:
    house, first, _ = shop

    scores = np.array(opened(house, first).top("u5").scores)

    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()
