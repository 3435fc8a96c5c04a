"""Databases: a table, a query, and what can go wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from everfit.data.read import read
from everfit.errors import DataError, SourceMissing, TooFewRows, Unreachable, UsageError


@pytest.fixture
def shop(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("create table customers (id integer, age, plan text, since text)")
        database.execute("create table vacant (a integer, b text)")
        database.executemany(
            "insert into customers values (?, ?, ?, ?)",
            [(i, None if i == 3 else i / 2, f"p{i % 3}", "2020-01-31") for i in range(200_000)],
        )
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_a_table_is_read_whole_in_batches(shop: str) -> None:
    table = read(shop + "?table=customers")

    assert table.n_rows == 200_000
    assert table.frame["age"][2:5].to_list() == [1.0, None, 2.0]
    assert table.column("id").kind == "identifier"
    assert table.column("plan").n_distinct == 3


def test_a_query_gives_its_rows_in_its_order(shop: str) -> None:
    table = read(shop, query="select age as a, plan from customers where age < 5 order by age desc")

    assert table.frame["a"].to_list()[:3] == [4.5, 4.0, 3.5]
    assert read(shop, query="select age from customers limit 5").source.sha256 == (
        read(shop, query="select age from customers limit 5").source.sha256
    )


def test_what_is_missing_is_named(shop: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 2 tables and none was named"):
        read(shop)
    with pytest.raises(SourceMissing, match="did you mean 'customers'"):
        read(shop + "?table=custmers")
    with pytest.raises(DataError, match="the query on sqlite"):
        read(shop, query="select nope from customers")
    with pytest.raises(SourceMissing, match=r"did you mean 'shop\.db'"):
        read(f"sqlite:///{tmp_path / 'shopp.db'}?table=customers")
    assert not (tmp_path / "shopp.db").exists()
    with pytest.raises(TooFewRows, match="has no rows"):
        read(shop + "?table=vacant")


def test_an_unknown_dialect_or_address_is_told() -> None:
    with pytest.raises(Unreachable, match="did not answer"):
        read("nosuchdb://host/base?table=t")
    with pytest.raises(UsageError, match="address cannot be read"):
        read("://")


def test_a_password_is_never_shown() -> None:
    with pytest.raises(Unreachable) as caught:
        read("nosuchdb://me:secret@host/base?table=t")

    assert "secret" not in str(caught.value)
