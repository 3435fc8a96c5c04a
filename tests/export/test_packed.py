from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import ArtefactRefused, Refused
from everfit.export.packed import golden_inputs, read_packed
from tests.export.versions import Made, changed, made


def copied(version: Made, folder: Path) -> Path:
    shutil.copytree(version.folder, folder, dirs_exist_ok=True)
    return folder


def with_part(version: Made, folder: Path, **part: Any) -> Path:
    plan = json.loads((copied(version, folder) / "plan.json").read_text())
    member = plan["members"][1]
    changed(folder, members=[{**member, "part": member["part"] | part}])
    return folder


def test_members_with_equal_plans_share_one(plain: Made) -> None:
    packed = read_packed(plain.folder)

    assert [part.name for part in packed.parts][:2] == ["m0: constant", "m1: lightgbm"]
    assert sum(part.weight for part in packed.parts) == pytest.approx(1.0)
    assert [part.plan for part in packed.parts] == [None, 0, 1, 0, 2, 2, 2]
    assert len(packed.plans) == 3


def test_columns_that_no_member_reads_are_named(plain: Made) -> None:
    packed = read_packed(plain.folder)

    assert set(packed.ignored) == {"key", "same"}
    assert "town" in packed.places
    assert packed.columns[packed.position("town")].column.name == "town"


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"engine": "estimator"}, "a scikit-learn estimator is code, not data"),
        ({"engine": "oracle"}, "the engine 'oracle' is not known to this release"),
    ],
)
def test_a_member_that_no_export_can_hold_is_named(
    plain: Made, tmp_path: Path, part: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=r"member m1 .* cannot be exported") as caught:
        read_packed(with_part(plain, tmp_path, **part))

    assert caught.value.got == why
    assert "without that learner" in caught.value.do


def test_catboost_with_trees_that_are_not_symmetric_is_named(tmp_path: Path) -> None:
    version = made(tmp_path, [("symmetric", {"n_rounds": 3})])
    model = json.loads((tmp_path / "m0" / "model.json").read_text())
    model["trees"] = model.pop("oblivious_trees")
    (tmp_path / "m0" / "model.json").write_text(json.dumps(model))

    with pytest.raises(Refused, match=r"member m0 \(catboost\)") as caught:
        read_packed(version.folder)

    assert "trees are not symmetric" in caught.value.got


@pytest.mark.parametrize("name", ["../plan.json", "/etc/hostname"])
def test_a_file_outside_the_folder_is_refused(plain: Made, tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtefactRefused, match="outside its folder"):
        read_packed(with_part(plain, tmp_path, files=[name]))


def test_another_format_is_refused(plain: Made, tmp_path: Path) -> None:
    changed(copied(plain, tmp_path), format=2)

    with pytest.raises(ArtefactRefused, match="format 2"):
        read_packed(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_plan_is_refused_in_four_parts(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)

    with pytest.raises(ArtefactRefused, match="cannot be read") as caught:
        read_packed(tmp_path)

    assert all((caught.value.got, caught.value.expected, caught.value.do))


def test_golden_inputs_are_the_rows_of_the_file(tmp_path: Path) -> None:
    rows = [{"input": {"a": 1}, "expected": [0.5]}, {"input": {"a": 2}, "expected": [0.1]}]
    (tmp_path / "golden.json").write_text(json.dumps(rows))

    assert golden_inputs(tmp_path) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("text", [None, "{", "[1]", '[{"expected": []}]'])
def test_golden_rows_that_cannot_be_read_are_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "golden.json").write_text(text)

    with pytest.raises(ArtefactRefused, match=r"golden\.json"):
        golden_inputs(tmp_path)
