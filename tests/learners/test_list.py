from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from everfit import learners
from everfit.errors import ArtefactRefused, SettingsError, UsageError
from everfit.learners import load, make, outside
from everfit.learners.foreign import Foreign
from everfit.learners.prior import Prior
from everfit.named import by_name


class Twin:
    name = "prior"


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="everfit.learners")


def test_two_classes_of_one_name_are_both_shown() -> None:
    with pytest.raises(UsageError, match="two learners are called 'prior'") as caught:
        by_name("learner", [Prior, Twin], place=lambda cls: cls)

    assert caught.value.got == "everfit.learners.prior.Prior and tests.learners.test_list.Twin"


def test_a_name_that_is_nearly_right_is_offered() -> None:
    with pytest.raises(UsageError, match="no learner called 'bosted'") as caught:
        make("bosted", {})

    assert caught.value.do.startswith("did you mean 'boosted'")


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="'boosted' does not take") as caught:
        make("boosted", {"leafs": 3})

    assert "leafs" in caught.value.do


def test_a_part_of_another_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactRefused, match="no learner can read"):
        load(tmp_path, {"engine": "quantum"})


def test_a_broken_entry_point_is_a_warning_and_the_others_work() -> None:
    points = [
        point("broken", "nothing_of_that_name:Model"),
        point("line", "sklearn.linear_model:LogisticRegression"),
        point("prior", "sklearn.dummy:DummyClassifier"),
    ]

    found, warnings = outside(points)

    assert list(found) == ["line"]
    assert len(warnings) == 2
    assert "ModuleNotFoundError" in warnings[0]
    assert "name is taken" in warnings[1]


def test_an_estimator_of_a_package_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [point("line", "sklearn.linear_model:LogisticRegression")]
    monkeypatch.setattr(learners, "entry_points", lambda group: points)

    learner = make("line", {"C": 0.5})

    assert isinstance(learner, Foreign)
    assert (learner.source, learner.settings) == ("entry:line", {"C": 0.5})
