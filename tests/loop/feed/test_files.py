"""Files and folders as feeds: each row once, nothing half written, nothing lost."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.data.read import read
from everfit.errors import ColumnMissing, DataError, SourceMissing, StoreFailed
from everfit.loop.feed import Feed, Pulled, pull
from everfit.loop.feed.keeping import HASHES, beyond, keep
from everfit.records import Column

OLD = time.time() - 3_600


def people(n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    income = rng.normal(3_000, 400, n).round(3)
    return pl.DataFrame({"income": income, "churned": np.where(income > 3_000, "no", "yes")})


LIKE: tuple[Column, ...] = read(people(50), roles={"churned": "target"}).columns


def drop(frame: pl.DataFrame, path: Path, *, settled: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_csv(path)
    if settled:
        os.utime(path, (OLD, OLD))
    return path


def brought(feed: Feed, state: Mapping[str, Any], root: Path) -> Pulled:
    return pull(feed, state, root=root, model="m", like=LIKE)


def rows(found: Pulled, root: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(root / name) for name in found.files])


def test_a_file_is_pulled_once(tmp_path: Path) -> None:
    feed = Feed("day", str(drop(people(40), tmp_path / "day.csv")))

    first = brought(feed, {}, tmp_path)
    again = brought(feed, first.state, tmp_path)

    assert first.n == 40
    assert rows(first, tmp_path).height == 40
    assert (again.n, again.files, again.sha256) == (0, (), first.sha256)


def test_the_same_pull_after_a_kill_gives_the_same_file(tmp_path: Path) -> None:
    feed = Feed("day", str(drop(people(40), tmp_path / "day.csv")))

    killed = brought(feed, {}, tmp_path)  # its state was never written down
    again = brought(feed, {}, tmp_path)

    assert again == killed
    assert len(list((tmp_path / "feeds").rglob("*.parquet"))) == 1


def test_of_a_file_that_grew_only_the_new_rows_count(tmp_path: Path) -> None:
    path = drop(people(40), tmp_path / "day.csv")
    feed = Feed("day", str(path))
    first = brought(feed, {}, tmp_path)
    drop(people(55), path)

    second = brought(feed, first.state, tmp_path)

    assert second.n == 15
    assert "day.csv: 40 rows were there already and count once" in second.notes


def test_rows_that_look_alike_count_as_often_as_the_file_grew_by_them(tmp_path: Path) -> None:
    alike = pl.DataFrame({"income": [1.0] * 40, "churned": ["no"] * 40})
    path = drop(alike, tmp_path / "day.csv")
    feed = Feed("day", str(path))
    first = brought(feed, {}, tmp_path)
    drop(pl.concat([alike, alike.head(3)]), path)

    assert brought(feed, first.state, tmp_path).n == 3


def test_new_files_of_a_folder_are_pulled_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "drops"
    drop(people(10, 1), folder / "a.csv")
    feed = Feed("drops", str(folder))
    first = brought(feed, {}, tmp_path)
    drop(people(20, 3), folder / "c.csv")
    drop(people(30, 2), folder / "b.csv")

    second = brought(feed, first.state, tmp_path)

    assert (first.n, second.n) == (10, 50)
    assert [pl.read_parquet(tmp_path / name).height for name in second.files] == [30, 20]


def test_an_empty_folder_brings_nothing_and_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "drops").mkdir()

    assert brought(Feed("drops", str(tmp_path / "drops")), {}, tmp_path).n == 0
    assert brought(Feed("drops", str(tmp_path / "drops" / "*.csv")), {}, tmp_path).n == 0


def test_a_copy_under_another_name_counts_for_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "drops"
    drop(people(10), folder / "a.csv")
    shutil.copy2(folder / "a.csv", folder / "b.csv")

    found = brought(Feed("drops", str(folder)), {}, tmp_path)

    assert found.n == 10
    assert any("b.csv holds what another file held" in note for note in found.notes)


def test_files_that_overlap_bring_each_row_once(tmp_path: Path) -> None:
    folder = tmp_path / "drops"
    drop(people(30), folder / "a.csv")
    drop(pl.concat([people(30).tail(10), people(20, 7)]), folder / "b.csv")

    assert brought(Feed("drops", str(folder)), {}, tmp_path).n == 50


def test_a_file_that_is_being_written_waits(tmp_path: Path) -> None:
    folder = tmp_path / "drops"
    path = drop(people(40), folder / "a.csv", settled=False)
    drop(people(10), folder / "b.csv.part")
    feed = Feed("drops", str(folder))

    first = brought(feed, {}, tmp_path)
    os.utime(path, (OLD, OLD))
    second = brought(feed, first.state, tmp_path)

    assert first.n == 0
    assert first.notes == ("a.csv is still being written: it waits",)
    assert second.n == 40


def test_a_row_without_outcome_is_pulled_when_it_has_one(tmp_path: Path) -> None:
    frame = people(40)
    early = frame.with_columns(
        pl.when(pl.int_range(40) < 30).then(pl.col("churned")).alias("churned")
    )
    path = drop(early, tmp_path / "day.csv")
    feed = Feed("day", str(path))
    first = brought(feed, {}, tmp_path)
    drop(frame, path)

    second = brought(feed, first.state, tmp_path)

    assert (first.n, second.n) == (30, 10)
    assert "day.csv: 10 rows without an outcome wait for it" in first.notes


def test_a_file_that_vanished_is_an_error_and_what_was_pulled_stays(tmp_path: Path) -> None:
    path = drop(people(40), tmp_path / "day.csv")
    feed = Feed("day", str(path))
    first = brought(feed, {}, tmp_path)
    path.unlink()

    with pytest.raises(SourceMissing, match="the feed 'day' has vanished"):
        brought(feed, first.state, tmp_path)

    assert rows(first, tmp_path).height == 40


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda f: f.drop("income"), ColumnMissing, "lacks 'income'"),
        (lambda f: f.rename({"income": "Income"}), ColumnMissing, "lacks 'income'"),
        (
            lambda f: f.with_columns(pl.lit("high").alias("income")),
            DataError,
            "'income' is no longer a number",
        ),
        (lambda f: f.drop("churned"), ColumnMissing, "lacks 'churned'"),
    ],
)
def test_a_file_of_another_shape_is_refused_and_pulled_when_it_is_mended(
    tmp_path: Path, change: Any, error: type[Exception], match: str
) -> None:
    path = drop(change(people(40)), tmp_path / "day.csv")
    feed = Feed("day", str(path))

    with pytest.raises(error, match=match):
        brought(feed, {}, tmp_path)
    assert not (tmp_path / "feeds").exists()

    drop(people(40), path)
    assert brought(feed, {}, tmp_path).n == 40


def test_a_new_column_is_kept_for_who_searches(tmp_path: Path) -> None:
    more = people(40).with_columns(pl.int_range(40).alias("visits"))
    feed = Feed("day", str(drop(more, tmp_path / "day.csv")))

    assert "visits" in rows(brought(feed, {}, tmp_path), tmp_path).columns


def test_a_disk_that_refuses_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    feed = Feed("day", str(drop(people(40), tmp_path / "day.csv")))
    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)

    with pytest.raises(StoreFailed, match="could not be kept"):
        brought(feed, {}, tmp_path)
    monkeypatch.undo()

    assert list((tmp_path / "feeds").rglob("*.parquet")) == []
    assert brought(feed, {}, tmp_path).n == 40


def test_rows_are_known_again_without_the_file_of_their_hashes(tmp_path: Path) -> None:
    path = drop(people(40), tmp_path / "day.csv")
    feed = Feed("day", str(path))
    first = brought(feed, {}, tmp_path)
    for name in first.files:
        (tmp_path / name).with_suffix(HASHES).unlink()
    drop(people(45), path)

    assert brought(feed, first.state, tmp_path).n == 5


def test_rows_are_kept_under_the_hash_of_what_they_hold(tmp_path: Path) -> None:
    assert keep(tmp_path, "m", "day", people(5)) == keep(tmp_path, "m", "day", people(5))
    assert keep(tmp_path, "m", "day", people(5)) != keep(tmp_path, "m", "day", people(6))


@given(st.lists(st.integers(0, 4), max_size=15), st.lists(st.integers(0, 4), max_size=15))
def test_what_is_new_is_what_there_is_more_of(now: list[int], before: list[int]) -> None:
    found = beyond(np.array(now, dtype=np.uint64), np.sort(np.array(before, dtype=np.uint64)))

    for value in range(5):
        fresh = sum(int(f) for f, v in zip(found, now, strict=True) if v == value)
        assert fresh == max(0, now.count(value) - before.count(value))
