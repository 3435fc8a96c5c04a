from __future__ import annotations

import numpy as np

from everfit.records import Act
from tests.tables import assessed, found, make_table


def test_rows_without_a_target_are_left_out() -> None:
    rng = np.random.default_rng(0)
    y = [None if i < 7 else ("a" if i % 2 else "b") for i in range(200)]

    assessment = assessed(make_table({"x": rng.normal(size=200), "y": y}, target="y"), "y")

    (finding,) = found(assessment, "missing target")
    assert finding.number == 7
    assert Act("drop_missing", "y") in assessment.acts


def test_a_class_with_one_row_is_left_out_and_no_longer_a_label() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice(["good", "bad"], 400).tolist()
    y[17] = "odd"

    assessment = assessed(make_table({"x": rng.normal(size=400), "y": y}, target="y"), "y")

    assert Act("drop_value", "y", ("odd",)) in assessment.acts
    assert assessment.problem.labels == ("bad", "good")


def test_classes_with_one_row_stay_when_they_are_many() -> None:
    rng = np.random.default_rng(0)
    y = [f"k{i}" if i < 10 else ("a" if i % 2 else "b") for i in range(100)]

    assessment = assessed(make_table({"x": rng.normal(size=100), "y": y}, target="y"), "y")

    assert not any(act.kind == "drop_value" for act in assessment.acts)
    assert found(assessment, "rare classes")[0].severity == "warn"


def test_many_even_classes_are_not_called_imbalanced() -> None:
    rng = np.random.default_rng(0)
    y = [f"k{i % 26}" for i in range(2_600)]

    assessment = assessed(make_table({"x": rng.normal(size=2_600), "y": y}, target="y"), "y")

    assert found(assessment, "imbalance") == []


def test_a_rare_class_is_counted() -> None:
    rng = np.random.default_rng(0)
    y = ["yes" if i < 30 else "no" for i in range(1_000)]

    assessment = assessed(make_table({"x": rng.normal(size=1_000), "y": y}, target="y"), "y")

    (finding,) = found(assessment, "imbalance")
    assert finding.number == 0.03
    assert "`no` is right in 97%" in finding.headline


def test_a_capped_target_is_seen_and_a_plain_one_is_not() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=2_000)
    y = 10 * x + rng.normal(size=2_000)

    capped = assessed(make_table({"x": x, "y": np.minimum(y, 12.0)}, target="y"), "y")
    plain = assessed(make_table({"x": x, "y": y}, target="y"), "y")

    (finding,) = found(capped, "capped target")
    assert finding.number == (y >= 12).mean()
    assert found(plain, "capped target") == []


def test_infinite_features_count_as_missing() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    x[5] = np.inf
    y = rng.normal(size=300)

    assessment = assessed(make_table({"x": x, "y": y}, target="y"), "y")

    assert found(assessment, "infinite values")[0].number == 1
    assert Act("blank", "x", ("inf", "-inf")) in assessment.acts
