"""A log in each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.log.build import DATABASES, Scene


@pytest.fixture(params=sorted(DATABASES))
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A new log with its spools."""
    made = Scene(DATABASES[request.param](tmp_path), tmp_path)
    yield made
    for log in made.opened:
        log.close()


@pytest.fixture
def file_scene(tmp_path: Path) -> Iterator[Scene]:
    """A new log in SQLite, for what has nothing to do with the database."""
    made = Scene(tmp_path, tmp_path)
    yield made
    for log in made.opened:
        log.close()
