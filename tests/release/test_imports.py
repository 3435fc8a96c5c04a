"""The release's names are all there, and a roll back loads no learner."""

from __future__ import annotations

import subprocess
import sys

import pytest

from everfit import release


@pytest.mark.parametrize("name", release.__all__)
def test_every_name_that_is_promised_is_there(name: str) -> None:
    assert callable(getattr(release, name))


def test_a_name_that_is_not_there_is_told() -> None:
    with pytest.raises(AttributeError, match="no attribute 'relaese'"):
        release.relaese


def test_a_roll_back_loads_no_learner() -> None:
    code = "import sys; from everfit.release import roll_back; print(*sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(told.stdout.split())
    assert not loaded & {"everfit.learners", "everfit.tasks", "scipy.stats", "sqlalchemy"}
