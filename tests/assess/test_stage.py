from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.assess.check import Check, blank
from everfit.assess.stage import CHECKS
from everfit.errors import UsageError
from everfit.named import by_name
from everfit.plain import as_plain, from_plain
from everfit.records import Assessment
from tests.tables import assessed, found, make_table


def mess(n: int = 600, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pl.DataFrame(
        {
            "row": np.arange(n),
            "x": np.where(rng.random(n) < 0.1, np.nan, x),
            "word": [("a", "b", None)[i] for i in rng.integers(0, 3, n)],
            "flag": rng.random(n) < 0.3,
            "same": ["c"] * n,
            "note": [f"a longer text number {i} of some words" for i in range(n)],
            "y": np.where(x + rng.normal(size=n) > 0, "yes", "no"),
        }
    )


def test_two_checks_of_one_name_are_refused() -> None:
    one, two = Check("a", "facts", lambda c: []), Check("a", "rows", lambda c: [])

    with pytest.raises(UsageError, match="two checks are called 'a'"):
        by_name("check", [one, two], place=lambda check: check.run)


def test_findings_come_worst_first_and_carry_their_evidence() -> None:
    assessment = assessed(make_table(mess(), target="y", kinds={"note": "text"}), "y")

    order = [("fail", "warn", "info").index(f.severity) for f in assessment.findings]
    assert order == sorted(order)
    assert all(f.evidence["test"] and "n" in f.evidence for f in assessment.findings)
    assert all(f.done and f.headline and f.number is not None for f in assessment.findings)
    assert assessment.n_checks > len(CHECKS)


def test_an_assessment_survives_the_way_to_json_and_back() -> None:
    assessment = assessed(make_table(mess(), target="y"), "y")

    again = from_plain(Assessment, as_plain(assessment))

    assert [f.headline for f in again.findings] == [f.headline for f in assessment.findings]
    assert again.acts == assessment.acts
    assert again.split.kind == assessment.split.kind


def test_the_same_seed_gives_the_same_findings() -> None:
    table = make_table(mess(), target="y")

    one, two = assessed(table, "y", seed=5), assessed(table, "y", seed=5)

    assert one.findings == two.findings
    assert one.floor == two.floor


def test_without_time_costly_checks_are_skipped_by_name() -> None:
    assessment = assessed(make_table(mess(), target="y"), "y", deadline=lambda: 0.0)

    assert {"target given away", "split", "missing related to the target"} <= set(
        assessment.skipped
    )
    assert assessment.floor.mid > 0
    assert assessment.split.kind == "random"


def test_a_large_table_in_little_time_is_sampled_and_said_so() -> None:
    n = 60_000
    rng = np.random.default_rng(0)
    y = np.where(rng.random(n) < 0.5, "a", "b").astype(object)
    y[12_345] = "lone"
    data = {f"x{i}": rng.normal(size=n) for i in range(8)} | {"y": y.tolist()}

    assessment = assessed(make_table(data, target="y"), "y", deadline=lambda: 0.02)

    (said,) = found(assessment, "sample")
    assert assessment.n_rows == n
    assert assessment.profile.n_rows < n
    assert f"of {n:,} rows" in said.headline
    assert assessment.problem.labels == ("a", "b")
    assert assessment.floor.n == assessment.profile.n_rows - 1  # the lone row is out


def test_what_is_being_done_is_told() -> None:
    lines: list[str] = []

    assessed(make_table(mess(), target="y"), "y", tell=lines.append)

    assert any("600 rows" in line for line in lines)


def test_a_table_without_features_is_assessed() -> None:
    assessment = assessed(make_table({"y": [0.5 * i for i in range(60)]}, target="y"), "y")

    assert assessment.split.kind == "random"
    assert np.isfinite(assessment.smallest_gain)


def test_blank_sets_values_to_missing_for_each_kind() -> None:
    assert blank(pl.Series([1, 99, None]), ["99"]).to_list() == [1, None, None]
    assert blank(pl.Series([0.5, float("inf")]), ["inf", "-inf"]).to_list() == [0.5, None]
    assert blank(pl.Series(["a", "?"]), ["?"]).to_list() == ["a", None]


cell = st.one_of(
    st.none(), st.integers(-5, 5).map(float), st.sampled_from([99999999.0, float("inf"), 1e-300])
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(30, 60).flatmap(
        lambda n: st.fixed_dictionaries(
            {
                "a": st.lists(cell, min_size=n, max_size=n),
                "b": st.lists(st.sampled_from(["u", "v", None, "?"]), min_size=n, max_size=n),
                "c": st.lists(st.one_of(st.none(), st.booleans()), min_size=n, max_size=n),
                "y": st.lists(
                    st.sampled_from(["p", "q", "r", None]), min_size=n - 4, max_size=n - 4
                ),
            }
        )
    )
)
def test_any_small_table_is_assessed(data: dict[str, list[object]]) -> None:
    data["y"] = [*data["y"], "p", "p", "q", "q"]
    known = sum(value is not None for value in data["y"])
    types = {"a": pl.Float64, "b": pl.String, "c": pl.Boolean, "y": pl.String}
    if known < 30:
        data = {name: [*values, *values] for name, values in data.items()}
    if sum(value is not None for value in data["y"]) < 30:
        return

    assessment = assessed(make_table(pl.DataFrame(data, schema=types), target="y"), "y")

    assert assessment.floor.mid > 0
    assert {act.column for act in assessment.acts} <= set(data)
