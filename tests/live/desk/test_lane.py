"""Answers of one version, as the worker and the shadow child build them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from everfit.errors import UsageError
from everfit.live.desk.lane import FEW, Lane, encode, key_of
from everfit.live.desk.slots import Slots
from everfit.live.desk.version import Opened
from everfit.live.orders import Placed
from everfit.store.log.frames import Predictions, split
from tests.encoders.mixed import mixed_rows
from tests.faces.http.small import small_scorer

ROWS = mixed_rows(200)


def lane(folder: Path, form: str = "probabilities", arm: str = "champion") -> Lane:
    scorer = small_scorer(folder / form, form)
    return Lane("mixed", Opened(Placed(3, str(folder / form), ""), scorer, "bought"), arm, Slots())


@pytest.mark.parametrize("form", ["probabilities", "values"])
def test_many_rows_are_answered_as_one_by_one(tmp_path: Path, form: str) -> None:
    made = lane(tmp_path, form)
    ids = [str(i) for i in range(len(ROWS))]

    many = made.answers(ROWS, ids)

    single = [made.answer(row, i, msgspec.UNSET) for row, i in zip(ROWS, ids, strict=True)]
    few = made.answers(ROWS[: FEW - 1], ids[: FEW - 1])
    assert few == single[: FEW - 1]
    for one, other in zip(many, single, strict=True):
        assert one.warnings == other.warnings
        if form == "values":
            assert one.prediction == pytest.approx(other.prediction, rel=1e-12)
        else:
            assert one.probabilities == pytest.approx(other.probabilities, rel=1e-12)


def test_a_number_has_no_probabilities_and_a_missing_range_is_null(tmp_path: Path) -> None:
    plain = json.loads(encode(lane(tmp_path, "values").answer(ROWS[0], "a", "mixed")))

    assert "probabilities" not in plain
    assert plain["range"] is None
    assert isinstance(plain["prediction"], float)


def test_a_frame_says_who_answered_what(tmp_path: Path) -> None:
    made = lane(tmp_path, arm="shadow")

    plain = split(made.frame(17, b'{"a":1}', b"{}"))
    full = split(made.frame(17, b"[{}]", b"{}", ["k"], of=["id-1"]))

    assert isinstance(plain, Predictions)
    assert isinstance(full, Predictions)
    assert (plain.header.model, plain.header.version, plain.header.arm) == ("mixed", 3, "shadow")
    assert (plain.header.at_us, plain.header.keys, plain.request) == (17, None, b'{"a":1}')
    assert (full.header.keys, full.header.of) == (["k"], ["id-1"])


@pytest.mark.parametrize(
    ("sent", "key"), [("a", "a"), (7, "7"), (7.0, "7"), (1.5, "1.5"), (None, None)]
)
def test_a_key_is_a_text(sent: object, key: str | None) -> None:
    row = {"_key": sent, "age": 1}

    assert key_of(row) == key
    assert row == {"age": 1}


@pytest.mark.parametrize("sent", [True, [1], {}])
def test_a_key_of_another_kind_is_refused(sent: object) -> None:
    with pytest.raises(UsageError, match="the key of a row cannot be used"):
        key_of({"_key": sent})
