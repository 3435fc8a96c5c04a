"""All rows to learn from: source, feeds and log, without doubles, in time, and never too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.data.read import read
from everfit.errors import ColumnMissing, SourceMissing, TooFewRows
from everfit.loop.gather import Gathered, Wish, gather, matured, waiting
from everfit.records import Column
from tests.loop.asked import BEGIN, DAY, Asked, asked
from tests.store.log.build import START_US, Scene

NOW = BEGIN + 30 * DAY


def people(n: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    income = rng.normal(3_000, 400, n)
    return pl.DataFrame(
        {
            "income": income,
            "plan": rng.choice(["trial", "paid", "gone"], n),
            "churned": np.where(income > 3_000, "no", "yes"),
        }
    )


def written(frame: pl.DataFrame, folder: Path, name: str = "people.csv") -> Path:
    path = folder / name
    frame.write_csv(path)
    return path


def wish(path: Path | str, **more: object) -> Wish:
    columns = (
        read(path, roles={"churned": "target"}).columns
        if isinstance(path, Path)
        else read(people(50), roles={"churned": "target"}).columns
    )
    spec = {"source": str(path), "target": "churned"}
    return replace(Wish("m", spec, columns, until=NOW, now=NOW), **more)  # type: ignore[arg-type]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return written(people(200), tmp_path)


def test_source_and_log_are_one_table(source: Path) -> None:
    log = Asked(asked(people(100, seed=1), "churned"))

    found = gather(wish(source), log)

    assert found.table.n_rows == 300
    assert found.n == {"source": 200, "log": 100}
    assert found.at.null_count() == 200
    assert found.at.drop_nulls().is_sorted()
    assert found.table.column("churned").role == "target"
    assert set(found.table.frame["churned"]) == {"yes", "no"}


@pytest.mark.parametrize(
    ("learn_from", "expected"),
    [("source", {"source": 200}), ("log", {"log": 100}), ("both", {"source": 200, "log": 100})],
)
def test_the_policy_says_where_rows_come_from(
    source: Path, learn_from: str, expected: dict[str, int]
) -> None:
    log = Asked(asked(people(100, seed=1), "churned"))

    assert gather(wish(source, learn_from=learn_from), log).n == expected


def test_a_row_of_the_source_that_was_asked_again_counts_once(source: Path) -> None:
    again = pl.concat([people(200).head(40), people(60, seed=2)])

    found = gather(wish(source), Asked(asked(again, "churned")))

    assert found.n == {"source": 200, "log": 60}
    assert "log: 40 rows are there already and count once" in found.notes


def test_a_row_that_was_asked_twice_counts_once_with_its_last_outcome(source: Path) -> None:
    new = people(50, seed=3)
    turned = new.with_columns(pl.lit("yes").alias("churned"))

    found = gather(wish(source), Asked(asked(pl.concat([new, turned]), "churned")))

    assert found.n["log"] == 50
    assert found.table.frame.tail(50)["churned"].unique().to_list() == ["yes"]


def test_rows_of_few_kinds_all_count_and_it_is_said(tmp_path: Path) -> None:
    few = people(200).select("plan", "churned")
    path = written(few, tmp_path)

    found = gather(wish(path), Asked(asked(few.head(50), "churned")))

    assert found.n == {"source": 200, "log": 50}
    assert any("too much alike" in note for note in found.notes)


def test_the_same_rows_give_the_same_hash_and_one_more_another(source: Path) -> None:
    first = gather(wish(source), Asked(asked(people(60, seed=1), "churned")))
    second = gather(wish(source), Asked(asked(people(60, seed=1), "churned"), batch=7))
    third = gather(wish(source), Asked(asked(people(61, seed=1), "churned")))

    assert first.sha256 == second.sha256
    assert first.sha256 != third.sha256


def test_nothing_that_was_asked_after_the_cut_is_learnt_from(source: Path) -> None:
    log = Asked(asked(people(100, seed=1), "churned"))
    cut = BEGIN + timedelta(minutes=40)

    found = gather(wish(source, until=cut), log)

    assert found.n["log"] == 40
    assert found.at.max() < cut.replace(tzinfo=None)


def test_an_outcome_that_came_early_waits_for_the_others_of_its_time(source: Path) -> None:
    log = Asked(asked(people(100, seed=1), "churned", begin=NOW - timedelta(minutes=100)))

    found = gather(wish(source, delay_s=3_600.0), log)

    assert found.n["log"] == 40


def test_a_prediction_without_outcome_counts_as_the_policy_says(source: Path) -> None:
    log = Asked(asked(people(80, seed=1).drop("churned"), None))

    assert "log" not in gather(wish(source), log).n
    counted = gather(wish(source, missing="no"), log)
    assert counted.n["log"] == 80
    assert set(counted.table.frame.tail(80)["churned"]) == {"no"}


def test_what_a_shadow_answered_is_no_row_of_its_own(source: Path) -> None:
    arms = ["champion", "shadow", "canary", "holdout"] * 25
    log = Asked(asked(people(100, seed=1), "churned", arm=arms))

    assert gather(wish(source), log).n["log"] == 75


def test_windows_that_were_set_aside_are_left_out(source: Path) -> None:
    log = Asked(asked(people(100, seed=1), "churned"))
    bad = (BEGIN + timedelta(minutes=10), BEGIN + timedelta(minutes=30))

    found = gather(wish(source, aside=(bad,)), log)

    assert found.n["log"] == 80


def test_of_too_many_rows_the_newest_stay(source: Path) -> None:
    log = Asked(asked(people(500, seed=1), "churned"), batch=50)

    found = gather(wish(source, most_cells=3 * 120), log)

    assert found.table.n_rows == 120
    expected = asked(people(500, seed=1), "churned")["income"].tail(120).to_list()
    assert found.table.frame["income"].to_list() == expected
    assert any("older rows were left out" in note for note in found.notes)


def test_of_a_long_log_no_more_is_read_than_there_is_room_for(source: Path) -> None:
    log = Long(asked(people(1_200, seed=1), "churned"))

    found = gather(wish(source, learn_from="log", most_cells=3 * 150), log)

    assert found.table.n_rows == 150
    expected = log.frame["income"].tail(150).to_list()
    assert found.table.frame["income"].to_list() == expected
    assert log.rows <= 500
    assert any("older rows were left out" in note for note in found.notes)


def test_a_long_log_gives_the_same_rows_in_stretches_as_at_once(source: Path) -> None:
    rows = asked(people(300, seed=1), "churned")

    whole, cut = gather(wish(source), Asked(rows)), gather(wish(source), Long(rows, batch=17))

    assert whole.sha256 == cut.sha256


class Long(Asked):
    """A record that says how far it goes, and counts the rows that were read."""

    rows = 0

    def span(self, model: str) -> tuple[datetime, datetime]:
        return self.frame["at"][0], self.frame["at"][-1]

    def joined(self, model: str, **wanted: Any) -> Iterator[pl.DataFrame]:
        for frame in super().joined(model, **wanted):
            self.rows += frame.height
            yield frame


def test_a_feature_of_the_log_that_comes_as_text_is_a_number_still(source: Path) -> None:
    new = people(60, seed=1).with_columns(pl.col("income").cast(pl.String))

    found = gather(wish(source), Asked(asked(new, "churned")))

    assert found.table.frame["income"].dtype == pl.Float64
    assert found.table.frame["income"].null_count() == 0


def test_a_feature_called_as_a_column_of_the_log_is_found(tmp_path: Path) -> None:
    named = people(100).rename({"income": "value"})
    path = written(named, tmp_path)
    log = asked(people(60, seed=1), "churned").rename({"income": "feature.value"})

    found = gather(wish(path), Asked(log))

    assert found.table.frame["value"].null_count() == 0


def test_a_few_odd_values_in_one_batch_are_judged_among_all(source: Path) -> None:
    new = people(100, seed=1).with_columns(
        pl.when(pl.int_range(100) < 5)
        .then(pl.lit("?!"))
        .otherwise(pl.col("income").cast(pl.String))
        .alias("income")
    )

    found = gather(wish(source), Asked(asked(new, "churned"), batch=10))

    assert found.table.frame["income"].null_count() > 0
    assert any("5 of 100 values of 'income' are no number" in note for note in found.notes)


@pytest.mark.parametrize("name", ["at", "id", "outcome", "arm"])
def test_a_target_called_as_a_column_of_the_log_is_learnt_from(tmp_path: Path, name: str) -> None:
    path = written(people(100).rename({"churned": name}), tmp_path)
    columns = read(path, roles={name: "target"}).columns
    asking = Wish("m", {"source": str(path), "target": name}, columns, until=NOW, now=NOW)

    found = gather(asking, Asked(asked(people(60, seed=1), "churned")))

    assert found.n["log"] == 60
    assert set(found.table.frame[name]) == {"yes", "no"}


def timed(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(replace(c, role="time") if c.name == "day" else c for c in columns)


@pytest.mark.parametrize("by", ["its role", "the split"])
def test_a_request_without_a_time_was_asked_when_it_was_asked(tmp_path: Path, by: str) -> None:
    days = [datetime(2025, 1, 1) + i * DAY for i in range(200)]
    path = written(people(200).with_columns(pl.Series("day", days)), tmp_path)
    start = wish(path)
    told = {"time": "day"} if by == "the split" else {"columns": timed(start.columns)}

    found = gather(replace(start, **told), Asked(asked(people(50, seed=1), "churned")))  # type: ignore[arg-type]

    assert found.table.frame["day"].null_count() == 0
    assert found.table.frame["day"].is_sorted()
    assert found.table.frame["day"].tail(1).item() == found.at.max()


def test_a_source_that_vanished_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = written(people(100), tmp_path)
    asking = wish(path)
    path.unlink()

    with pytest.raises(SourceMissing, match="there is no file"):
        gather(asking, None)


def test_a_source_that_lost_a_column_is_an_error_of_its_own(source: Path) -> None:
    asking = wish(source)
    people(200).rename({"income": "Income"}).write_csv(source)

    with pytest.raises(ColumnMissing, match="lacks 'income'"):
        gather(asking, None)


def test_a_column_that_came_since_is_told_and_left_out_until_a_search(source: Path) -> None:
    asking = wish(source)
    people(200).with_columns(pl.lit(1.5).alias("score") + pl.int_range(200)).write_csv(source)

    again = gather(asking, None)
    widened = gather(replace(asking, widen=True), None)

    assert "score" not in again.table.frame.columns
    assert again.new == ("score",)
    assert any("score; a search would try them" in note for note in again.notes)
    assert "score" in [column.name for column in widened.table.features]


def test_rows_that_were_pulled_before_a_column_came_lack_it_in_a_search(
    source: Path, tmp_path: Path
) -> None:
    asking = wish(source, files=(tmp_path / "fed.parquet",))
    people(60, seed=4).write_parquet(tmp_path / "fed.parquet")
    people(200).with_columns(pl.lit(1.5).alias("score") + pl.int_range(200)).write_csv(source)

    again = gather(asking, None)
    widened = gather(replace(asking, widen=True), None)

    assert again.n == widened.n == {"source": 200, "feeds": 60}
    assert widened.table.frame["score"].null_count() == 60


def test_rows_that_were_pulled_and_are_gone_are_an_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="rows that were pulled are gone"):
        gather(wish(source, files=(tmp_path / "gone.parquet",)), None)


def test_what_lay_in_memory_cannot_be_read_again(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="cannot be read again") as caught:
        gather(wish("a DataFrame"), None)

    assert 'learn_from = "log"' in caught.value.do


def test_a_path_that_was_given_from_another_folder_is_found(
    source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asking = wish(source)
    spec = {**asking.spec, "source": source.name, "folder": str(source.parent)}
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    assert gather(replace(asking, spec=spec), None).n == {"source": 200}


def test_too_few_rows_with_an_outcome_are_an_error(source: Path) -> None:
    log = Asked(asked(people(20, seed=1), "churned"))

    with pytest.raises(TooFewRows, match="too little to learn from") as caught:
        gather(wish(source, learn_from="log"), log)

    assert caught.value.got == "log: 20 rows"


def test_an_empty_source_is_an_error(source: Path) -> None:
    asking = wish(source)
    people(0).write_csv(source)

    with pytest.raises(SourceMissing, match="has no rows any more"):
        gather(asking, None)


def test_rows_that_wait_are_counted_without_reading_a_feature() -> None:
    log = Asked(asked(people(100, seed=1), "churned"))
    cut = replace(matured("m", until=NOW, now=NOW, delay_s=0.0), since=BEGIN + timedelta(hours=1))

    assert waiting(log, cut) == 40
    assert log.reads == [("at", "arm", "outcome")]


def test_rows_are_learnt_from_a_real_log(tmp_path: Path) -> None:
    scene = Scene(tmp_path, tmp_path)
    rows = people(120, seed=5)
    spool = scene.spool()
    for i, row in enumerate(rows.iter_rows(named=True)):
        outcome = row.pop("churned")
        name = scene.predict(spool, row=row, at_us=START_US + i * 1_000_000)
        if i % 2 == 0:
            scene.tell(spool, {"id": name, "outcome": outcome})
    spool.close()
    scene.drain()
    now = datetime.fromtimestamp(START_US / 1e6, tz=NOW.tzinfo) + DAY
    asking = replace(
        wish(written(people(50), tmp_path)), model="churn", until=now, now=now, learn_from="log"
    )

    found = gather(asking, scene.log)
    scene.log.close()

    assert found.n == {"log": 60}
    even = rows.gather_every(2)
    assert found.table.frame["churned"].to_list() == even["churned"].to_list()
    assert found.table.frame["income"].to_list() == even["income"].to_list()


def test_what_was_gathered_says_where_it_is_from(source: Path) -> None:
    found: Gathered = gather(wish(source), Asked(asked(people(60, seed=1), "churned")))

    assert found.table.source.uri == f"{source} + log"
    assert found.table.source.n_rows == 260
