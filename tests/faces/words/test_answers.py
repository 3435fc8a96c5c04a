from __future__ import annotations

from dataclasses import replace

from everfit.evidence.interval import Interval
from everfit.faces.words.answers import columns_text, comparison_text, versions_text
from everfit.faces.words.grid import wide
from everfit.house import Comparison
from everfit.plain import as_plain
from tests.faces.build import version


def test_a_boolean_stands_in_with_the_word_of_the_data() -> None:
    partner = {"name": "Partner", "kind": "boolean", "levels": ["No", "Yes"], "default": False}

    text = columns_text([partner, {**partner, "name": "paid", "levels": (), "default": True}])

    assert text.splitlines()[1].split() == ["Partner", "boolean", "No,", "Yes", "No"]
    assert text.splitlines()[2].split() == ["paid", "boolean", "any", "True"]


def test_a_version_is_not_compared_with_itself() -> None:
    found = Comparison("churn", version(1), version(1), {}, None, 0, "never judged")

    assert comparison_text(found) == "churn: v1 and v1 are the same version."


def test_a_comparison_says_which_is_better_beyond_noise() -> None:
    gain = Interval(0.001, 0.004, 0.007, n=500)
    found = Comparison("churn", version(1), version(2), {"seed": (0, 1)}, gain, 500, "decision 9")

    text = " ".join(comparison_text(found).split())

    assert "v2 on v1: mean loss lower by 0.0040 (95% range 0.0010 to 0.0070), 500 rows" in text
    assert "v2 is better beyond noise" in text


def test_ranges_hashes_and_moments_are_told_as_people_read_them() -> None:
    plain = as_plain(Interval(0.838, 0.849, 0.860, n=9612))
    differs = {
        "score": (plain, plain),
        "sha256": ("ab" * 32, "cd" * 32),
        "created_at": ("2026-11-18T04:12:00+00:00", "2026-11-19T04:12:00+00:00"),
    }

    text = comparison_text(Comparison("churn", version(1), version(2), differs, None, 0, "no"))

    assert "0.849 (0.838 to 0.860)" in text
    assert "abababababab  " in text
    assert ["created", "2026-11-18", "04:12", "2026-11-19", "04:12"] in [
        line.split() for line in text.splitlines()
    ]


def test_versions_of_usual_names_fit_80_columns_whole() -> None:
    blend = replace(version(12, state="challenger"), candidate="blend of 3 models")

    lines = versions_text([blend, version()]).splitlines()

    assert max(wide(line) for line in lines) <= 80
    assert lines[1].endswith("blend of 3 models")
