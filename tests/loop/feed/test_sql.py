"""Databases as feeds: beyond a watermark, each row once, also when it came late."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.data.read import read
from everfit.errors import ColumnMissing, DataError, SourceMissing, Unreachable, UsageError
from everfit.loop.feed import Feed, Pulled, pull
from everfit.loop.feed import sql as feed_sql
from everfit.records import Column
from tests.postgres import fresh_schema

Row = tuple[int, float, str | None]
LIKE: tuple[Column, ...] = read(
    {"income": list(np.linspace(1, 2, 40)), "churned": ["no", "yes"] * 20},
    roles={"churned": "target"},
).columns


class Shop:
    """A database file with one table."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "shop.db"
        self.root = folder
        self.run("create table people (id integer, income real, churned text)")

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def run(self, statement: str, *rows: Row) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            if rows:
                connection.executemany(statement, rows)
            else:
                connection.execute(statement)
        connection.close()

    def add(self, *rows: Row) -> None:
        self.run("insert into people values (?, ?, ?)", *rows)

    def feed(self, **more: Any) -> Feed:
        given = {"source": f"{self.url}?table=people", "watermark": "id"} | more
        return Feed("people", **given)

    def pull(self, state: Mapping[str, Any], **more: Any) -> Pulled:
        return pull(self.feed(**more), state, root=self.root, model="m", like=LIKE)

    def ids(self, *pulled: Pulled) -> list[int]:
        files = [name for one in pulled for name in one.files]
        return [i for name in files for i in pl.read_parquet(self.root / name)["id"]]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def some(*ids: int) -> list[Row]:
    return [(i, float(i) / 7, "yes" if i % 2 else "no") for i in ids]


def test_rows_beyond_the_watermark_are_pulled_once(shop: Shop) -> None:
    shop.add(*some(1, 2, 3))
    first = shop.pull({})
    again = shop.pull(first.state)
    shop.add(*some(4, 5))
    second = shop.pull(again.state)

    assert (first.n, again.n, second.n) == (3, 0, 2)
    assert again.sha256 == first.sha256
    assert shop.ids(first, second) == [1, 2, 3, 4, 5]


def test_a_row_of_the_same_watermark_that_came_later_is_not_lost(shop: Shop) -> None:
    shop.add(*some(1, 2), (2, 9.5, "no"))
    first = shop.pull({})
    shop.add((2, 8.5, "yes"))

    assert shop.pull(first.state).n == 1


def test_a_query_says_which_rows(shop: Shop) -> None:
    shop.add(*some(*range(1, 11)))
    query = "select id, income, churned from people where id % 2 = 0"

    found = shop.pull({}, source=shop.url, query=query)

    assert shop.ids(found) == [2, 4, 6, 8, 10]


def test_an_outcome_that_comes_late_brings_its_row_then(shop: Shop) -> None:
    shop.add((1, 1.0, "no"), (2, 2.0, None), (3, 3.0, "yes"))
    first = shop.pull({})
    shop.run("update people set churned = 'yes' where id = 2")
    shop.add(*some(4))
    second = shop.pull(first.state)
    third = shop.pull(second.state)

    assert shop.ids(first) == [1, 3]
    assert any("no outcome yet" in note for note in first.notes)
    assert shop.ids(second) == [2, 4]
    assert (third.n, third.sha256) == (0, second.sha256)


def test_an_outcome_that_never_comes_is_given_up_when_much_came_after_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_sql, "MOST_BEHIND", 5)
    shop.add((1, 1.0, None), *some(*range(2, 12)))

    found = shop.pull({})

    assert found.n == 10
    assert found.state["mark"] == 11
    assert any("given up" in note for note in found.notes)


def test_a_table_that_goes_backwards_is_an_error(shop: Shop) -> None:
    shop.add(*some(1, 2, 3))
    first = shop.pull({})
    shop.run("delete from people where id > 1")

    with pytest.raises(DataError, match="goes backwards") as caught:
        shop.pull(first.state)

    assert "its newest 'id' is 1" in caught.value.got
    assert shop.ids(first) == [1, 2, 3]


def test_times_are_watermarks_too(shop: Shop) -> None:
    shop.run("alter table people add column at text")
    shop.run("insert into people values (1, 1.0, 'no', '2026-01-01 10:00:00')")
    first = shop.pull({}, watermark="at")
    shop.run("insert into people values (2, 2.0, 'yes', '2026-01-01 11:00:00')")
    second = shop.pull(first.state, watermark="at")

    assert shop.ids(first, second) == [1, 2]


def test_a_database_without_a_watermark_is_refused(shop: Shop) -> None:
    with pytest.raises(UsageError, match="needs a watermark"):
        shop.pull({}, watermark=None)


@pytest.mark.parametrize(
    ("more", "error", "match"),
    [
        ({"watermark": "idd"}, ColumnMissing, "has no column 'idd'"),
        ({"query": "select nothing from people"}, DataError, "query of the feed|no column"),
        ({"source": "sqlite:///{}?table=peeple"}, SourceMissing, "has vanished"),
        ({"source": "nobase://here/x?table=t"}, Unreachable, "did not answer"),
        ({"source": "://"}, UsageError, "address .* cannot be read"),
        ({"source": "sqlite:///{}"}, UsageError, "names no rows"),
    ],
)
def test_what_cannot_be_asked_is_an_error_of_its_own(
    shop: Shop, more: dict[str, str], error: type[Exception], match: str
) -> None:
    shop.add(*some(1, 2, 3))
    if "source" in more:
        more = {"source": more["source"].format(shop.path)}

    with pytest.raises(error, match=match):
        shop.pull({}, **more)


def test_a_database_file_that_vanished_is_not_made_anew(shop: Shop) -> None:
    shop.path.unlink()

    with pytest.raises(SourceMissing, match="has vanished"):
        shop.pull({})

    assert not shop.path.exists()


def test_a_table_that_lost_a_column_is_refused_and_pulled_when_it_is_back(shop: Shop) -> None:
    shop.add(*some(1, 2, 3))
    query = "select id, churned from people"

    with pytest.raises(ColumnMissing, match="lacks 'income'"):
        shop.pull({}, source=shop.url, query=query)

    assert shop.pull({}).n == 3


def test_a_server_with_times_of_a_zone_is_a_feed_too(tmp_path: Path) -> None:
    import sqlalchemy as sa

    url = sa.make_url(fresh_schema())
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            sa.text("create table people (at timestamptz, income float, churned text)")
        )

    def add(*hours: int) -> None:
        with engine.begin() as connection:
            for hour in hours:
                told = {"at": f"2026-01-01 {hour:02d}:00:00+00", "income": hour / 7}
                connection.execute(sa.text("insert into people values (:at, :income, 'yes')"), told)

    source = url.update_query_dict({"table": "people"}).render_as_string(hide_password=False)
    feed = Feed("people", source, watermark="at")
    add(1, 2, 3)
    first = pull(feed, {}, root=tmp_path, model="m", like=LIKE)
    again = pull(feed, json.loads(json.dumps(first.state)), root=tmp_path, model="m", like=LIKE)
    add(4)
    second = pull(feed, first.state, root=tmp_path, model="m", like=LIKE)
    engine.dispose()

    assert (first.n, again.n, second.n) == (3, 0, 1)
