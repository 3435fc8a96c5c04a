"""``[models.NAME.feeds.X]``: read with its line, or refused with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.errors import SettingsError
from everfit.loop.feed import Feed
from everfit.settings import Settings, plan_run, read_settings
from everfit.settings.feeds import feeds_of


def written(folder: Path, text: str) -> Path:
    path = folder / "everfit.toml"
    path.write_text(text)
    return path


def test_files_and_databases_are_feeds(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[models.churn.feeds.daily]\nsource = "drops"\nsettle = "1m"\n'
        '[models.churn.feeds.shop]\nsource = "sqlite:///shop.db?table=people"\nwatermark = "id"\n',
    )

    found = feeds_of(read_settings(path, environ={}), "churn")

    assert found == (
        Feed("daily", str(tmp_path / "drops"), settle_s=60.0),
        Feed("shop", "sqlite:///shop.db?table=people", watermark="id"),
    )


def test_a_model_without_feeds_has_none() -> None:
    assert feeds_of(Settings(), "churn") == ()


def test_feeds_are_no_setting_of_a_run(tmp_path: Path) -> None:
    path = written(tmp_path, '[models.churn.feeds.daily]\nsource = "drops"\n')

    plan = plan_run(read_settings(path, environ={}), "churn", {}, environ={})

    assert "feeds" not in plan.values


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('source = "sqlite:///a.db?table=t"', "line 1: the feed 'a' has no watermark"),
        ('watermark = "id"', "line 1: the feed 'a' has no source"),
        ('sorce = "x.csv"', "line 2: there is no setting 'sorce'"),
        ('source = "x.csv"\nquery = "select 1"', "line 3: the feed 'a' cannot have a query"),
        ('source = "x.csv"\nsettle = "soon"', "line 3: models.churn.feeds.a.settle cannot be used"),
        ('source = ""', "line 2: models.churn.feeds.a.source cannot be used"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, text: str, match: str
) -> None:
    path = written(tmp_path, f"[models.churn.feeds.a]\n{text}\n")

    with pytest.raises(SettingsError, match=match):
        read_settings(path, environ={})


def test_a_name_that_could_not_be_a_folder_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, '[models.churn.feeds."../x"]\nsource = "x.csv"\n')

    with pytest.raises(SettingsError, match="name '../x' of a feed cannot be used"):
        read_settings(path, environ={})
