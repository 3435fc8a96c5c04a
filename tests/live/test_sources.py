"""Registered sources: looked up by key, never later than asked, read again when they change."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from everfit.errors import ColumnMissing, DataError, SourceMissing
from everfit.live.recall import Question, recall
from everfit.live.sources import Registered, Source, Sources, registered
from everfit.records import Problem
from tests.live.coins import wait
from tests.store.build import version as a_version

LATE = datetime(2027, 1, 1)
COIN = Problem("classify", "came", "log_loss", "probabilities", labels=("no", "yes"))
ROWS = """who,when,amount,came
7,2026-03-01,30,no
7,2026-01-01,10,yes
7,2026-02-01,20,
8,2026-01-15T12:00:00,5,yes
,2026-01-01,1,yes
9,,1,yes
"""


def orders(folder: Path, text: str = ROWS, outcome: str | None = None) -> Registered:
    (folder / "orders.csv").write_text(text)
    return Registered("orders", str(folder / "orders.csv"), "who", "when", outcome)


def test_events_stand_in_order_of_time_before_the_ask(tmp_path: Path) -> None:
    source = Source(orders(tmp_path))

    every = source.events("7", LATE, 5, "came")

    assert [(at[:10], outcome) for at, _, outcome in every] == [
        ("2026-01-01", "yes"), ("2026-02-01", None), ("2026-03-01", "no"),
    ]  # fmt: skip
    assert [values["amount"] for _, values, _ in every] == [10.0, 20.0, 30.0]
    assert source.events("7", LATE, 2, "came") == every[1:]
    assert source.events("7", datetime(2026, 2, 1), 5, "came") == every[:1]
    assert source.events("nobody", LATE, 5, "came") == []
    assert source.events("9", LATE, 5, "came") == []  # nobody knows when that was


def test_another_column_may_hold_the_outcome_or_none(tmp_path: Path) -> None:
    paid = Source(orders(tmp_path, outcome="amount"))
    without = Source(orders(tmp_path))

    assert [outcome for _, _, outcome in paid.events("8", LATE, 5, "came")] == [5.0]
    assert [outcome for _, _, outcome in without.events("8", LATE, 5, "bought")] == [None]


def test_a_file_is_read_again_when_it_changes_and_the_old_answers_meanwhile(
    tmp_path: Path,
) -> None:
    source = Source(orders(tmp_path))
    assert len(source.events("8", LATE, 5, "came")) == 1

    orders(tmp_path, ROWS + "8,2026-02-15,6,no\n")

    assert wait(lambda: len(source.events("8", LATE, 5, "came")) == 2)
    (tmp_path / "orders.csv").unlink()
    assert wait(lambda: source.trouble is not None or not source.events("8", LATE, 5, "came"))
    assert len(source.events("8", LATE, 5, "came")) == 2
    assert isinstance(source.trouble, SourceMissing)
    orders(tmp_path)
    assert wait(lambda: len(source.events("8", LATE, 5, "came")) == 1)
    assert source.trouble is None


def test_a_database_is_read_again_after_a_time(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table orders (who text, at text, came text)")
        database.execute("insert into orders values ('a', '2026-01-01', 'yes')")
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    query = 'select who, at as "when", came from orders'
    source = Source(Registered("shop", url, "who", "when", query=query, reread_s=0.2))
    assert len(source.events("a", LATE, 5, "came")) == 1

    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("insert into orders values ('a', '2026-02-01', 'no')")

    assert wait(lambda: len(source.events("a", LATE, 5, "came")) == 2)


@pytest.mark.parametrize(
    ("change", "error", "what"),
    [
        ({"source": "nowhere.csv"}, SourceMissing, "nowhere.csv"),
        ({"key": "whom"}, ColumnMissing, "'whom'"),
        ({"time": "whem"}, ColumnMissing, "'whem'"),
        ({"time": "amount"}, DataError, "the time of the source 'orders' is no date"),
    ],
)
def test_a_source_that_cannot_be_used_says_why_and_the_rest_is_answered(
    tmp_path: Path, change: dict[str, str], error: type[Exception], what: str
) -> None:
    good = orders(tmp_path)
    bad = replace(good, **change)  # type: ignore[arg-type]
    sources = Sources({"m": [bad, good]})
    question = Question("m", [("8", None)], 5, None, "came")

    with pytest.raises(error, match=what) as caught:
        recall(question, None, sources, strict=True)
    found = recall(question, None, sources)

    assert caught.value.do  # type: ignore[attr-defined]
    assert len(found.events[0]) == 1
    assert [line.startswith("the source 'orders': ") for line in found.missing] == [True]


def test_settings_name_the_sources_of_each_model(tmp_path: Path) -> None:
    one = {"source": "a.csv", "key": "who", "time": "when", "reread_s": 60.0}

    sources = registered({"m": {"target": "y", "sources": {"a": one}}, "n": {"target": "y"}})

    assert [source.registered for source in sources.of("m")] == [Registered("a", **one)]  # type: ignore[arg-type]
    assert list(sources.of("n")) == list(sources.of("other")) == []


def test_the_events_of_two_sources_are_one_line_of_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        os.makedirs(tmp_path / name)
    first = orders(tmp_path / "a", "who,when,came\n1,2026-01-01,yes\n1,2026-03-01,yes\n")
    second = orders(tmp_path / "b", "who,when,came\n1,2026-02-01,no\n1,2099-01-01,no\n")

    found = recall(
        Question("m", [("1", None), ("1", "2026-02-15T00:00:00")], 5, None, "came"),
        None, Sources({"m": [first, second]}),
    )  # fmt: skip

    assert [[at[:7] for at, _, _ in events] for events in found.events] == [
        ["2026-01", "2026-02", "2026-03"],  # not what is yet to come
        ["2026-01", "2026-02"],
    ]


def requests(**columns: list[object]) -> pl.DataFrame:
    """Requests about 7, 8 and nobody, asked on 20 January."""
    at = pl.Series("at", [datetime(2026, 1, 20)] * 3).dt.replace_time_zone("UTC")
    return pl.DataFrame({"key": ["7", "8", "nobody"], **columns}).with_columns(at)


def test_a_request_without_a_time_is_compared_where_the_source_has_one_row_before_it(
    tmp_path: Path,
) -> None:
    source = Source(orders(tmp_path))

    once = source.of_requests(requests(), "came")
    later = requests().with_columns(pl.col("at") + pl.duration(days=30))
    several = source.of_requests(later, "came")

    assert once.select("key", "amount").rows() == [("7", 10), ("8", 5)]
    assert several["key"].to_list() == ["8"]  # of 7 there are two: either may be meant


def test_a_request_with_its_time_is_the_event_of_that_time(tmp_path: Path) -> None:
    source = Source(orders(tmp_path))
    told = ["2026-02-01", "2026-02-01", "2026-02-01"]

    found = source.of_requests(requests(when=told), "came")

    assert found.select("key", "amount").rows() == [("7", 20)]


def test_the_first_source_that_has_any_of_the_requests_speaks_of_them(tmp_path: Path) -> None:
    orders(tmp_path)
    (tmp_path / "none.csv").write_text("who,when,amount\n1,2026-01-01,1\n2,2026-01-01,2\n")
    both = Sources({"m": [
        replace(orders(tmp_path), name="none", source=str(tmp_path / "none.csv")),
        orders(tmp_path),
    ]})  # fmt: skip
    version = replace(a_version(1, model="m"), problem=COIN)

    lookup = both.lookup_of(version)

    assert lookup is not None
    assert lookup(requests())["amount"].to_list() == [10, 5]
    assert both.lookup_of(replace(version, model="other")) is None


def test_a_source_that_is_gone_says_so_when_it_is_asked(tmp_path: Path) -> None:
    gone = replace(orders(tmp_path), source=str(tmp_path / "gone.csv"))

    with pytest.raises(SourceMissing):
        Source(gone).of_requests(requests(), "came")
