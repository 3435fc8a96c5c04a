"""``[models.NAME.explore]``: read with its line, or refused with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.errors import SettingsError
from everfit.settings import Settings, read_settings
from everfit.settings.explore import explored_models


def written(folder: Path, text: str) -> Settings:
    path = folder / "everfit.toml"
    path.write_text(text)
    return read_settings(path)


def test_the_share_the_temperature_and_the_seed_are_read(tmp_path: Path) -> None:
    text = "[models.movies.explore]\nshare = 0.1\ntemperature = 2\nseed = 7\n[models.churn]\n"

    found = explored_models(written(tmp_path, text))

    assert found == {"movies": {"share": 0.1, "temperature": 2.0, "seed": 7}}


def test_without_the_section_no_model_tries_anything(tmp_path: Path) -> None:
    assert explored_models(written(tmp_path, "[models.churn]\nseed = 1\n")) == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [("share = 1.5", "from 0 to 1"), ("shear = 0.1", "share"), ("temperature = 0", "0.001")],
)
def test_what_cannot_be_used_is_refused_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        written(tmp_path, f"[models.movies.explore]\n{line}\n")

    assert "2" in caught.value.what
    assert said in f"{caught.value.expected} {caught.value.do}"
