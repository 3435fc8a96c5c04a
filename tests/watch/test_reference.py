from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from everfit.column import Column
from everfit.errors import ArtefactRefused
from everfit.plain import as_plain
from everfit.watch.reference import (
    as_record,
    feature,
    from_record,
    marked,
    read_reference,
    reference_of_traffic,
)
from tests.watch import traffic

GOLDEN = Path(__file__).parents[1] / "golden" / "format_1"


def packed(folder: Path) -> Path:
    """What a release leaves of a reference, beside its plan."""
    rng = np.random.default_rng(0)
    features = traffic.rows(400, rng)
    said = traffic.answers(features)
    sample = pl.DataFrame(
        {"truth": rng.integers(0, 2, 400).astype(float), "answer.1": said[:, 1]}
    ).with_columns(**{"answer.0": 1 - said[:, 1]})
    sample = sample.hstack(features.select(pl.all().name.prefix("x:")))
    sample.write_parquet(folder / "reference.parquet")
    facts = {
        "format": 1, "form": "probabilities", "labels": ["no", "yes"],
        "label_shares": [0.4, 0.6], "loss_bound": 2.5, "n": 9_000,
        "loss": {"low": 0.4, "mid": 0.5, "high": 0.6, "n": 9_000, "level": 0.95},
    }  # fmt: skip
    (folder / "reference.json").write_text(json.dumps(facts))
    columns = [as_plain(column) | {"low": 0.0, "high": 100.0} for column in traffic.COLUMNS]
    (folder / "plan.json").write_text(json.dumps({"columns": columns}))
    return folder


def test_a_packed_reference_is_read_with_what_was_certified(tmp_path: Path) -> None:
    found = read_reference(packed(tmp_path), version=4)

    assert found is not None
    assert (found.version, found.n, found.label_shares) == (4, 400, (0.4, 0.6))
    assert found.loss is not None
    assert (found.loss.high, found.loss_bound) == (0.6, 2.5)
    assert found.answers is not None
    assert found.rows is not None
    assert found.answers.shape == (400, 2)
    assert found.answers.sum(axis=1) == pytest.approx(1.0)
    assert found.rows.columns == ["age", "plan", "paid", "note"]
    assert found.columns[0].high == 100.0


def test_answers_stand_in_the_order_of_the_labels(tmp_path: Path) -> None:
    found = read_reference(packed(tmp_path))

    assert found is not None
    assert found.answers is not None
    assert found.rows is not None
    older = found.rows["age"].to_numpy() > 60
    assert found.answers[older, 1].min() > 0.7


def test_a_version_of_an_older_release_has_none() -> None:
    assert read_reference(GOLDEN) is None


@pytest.mark.parametrize("name", ["reference.json", "reference.parquet"])
def test_a_damaged_reference_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    packed(tmp_path)
    (tmp_path / name).write_bytes(b"{]")

    with pytest.raises(ArtefactRefused, match="cannot be read") as refused:
        read_reference(tmp_path)

    assert "copy" in refused.value.do


def test_a_newer_reference_is_refused(tmp_path: Path) -> None:
    packed(tmp_path)
    facts = json.loads((tmp_path / "reference.json").read_text()) | {"format": 2}
    (tmp_path / "reference.json").write_text(json.dumps(facts))

    with pytest.raises(ArtefactRefused, match="cannot be read"):
        read_reference(tmp_path)


def test_columns_that_answers_lean_on_are_known() -> None:
    weights = {usual.name: usual.weight for usual in traffic.reference().columns}

    assert weights["age"] > 0.95
    assert weights["plan"] < 0.1
    assert weights["paid"] < 0.1


def test_a_first_window_becomes_the_reference_and_survives_its_record() -> None:
    frame = traffic.log(traffic.rows(500, np.random.default_rng(1)))
    made = reference_of_traffic(
        frame, traffic.COLUMNS, traffic.LIMITS, labels=traffic.LABELS, version=3
    )
    assert made is not None

    again = from_record(json.loads(json.dumps(as_record(made))))

    assert again.made_of == "traffic"
    assert again.columns == made.columns
    assert again.statistics == made.statistics
    assert again.rows is None


def test_too_few_rows_are_no_reference() -> None:
    frame = traffic.log(traffic.rows(99, np.random.default_rng(1)))

    assert reference_of_traffic(frame, traffic.COLUMNS, labels=traffic.LABELS) is None


def test_a_feature_that_is_called_as_the_log_calls_its_own_is_found() -> None:
    frame = pl.DataFrame({"id": ["a"], "value": ["yes"], "feature.value": [7.0], "age": [1]})

    found = feature(frame, "value")

    assert found is not None
    assert found.to_list() == [7.0]
    assert feature(frame, "id") is None
    assert feature(frame, "weight") is None


def test_marks_of_missing_are_missing_in_traffic_too() -> None:
    column = Column("age", "number", missing_marks=("-1", "?"))

    assert marked(pl.Series("age", [41, -1]), column).to_list() == [41, None]
    assert marked(pl.Series("age", ["41", " ? "]), column).to_list() == ["41", None]
    assert marked(pl.Series("age", [None]), column).to_list() == [None]
