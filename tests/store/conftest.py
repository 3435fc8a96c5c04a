"""Both kinds of database under the tests of the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from everfit.store import Journal, open_store
from tests.postgres import fresh_schema

KINDS = ("sqlite", "postgresql")


@pytest.fixture(params=KINDS)
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Journal]:
    """Opens the same store anew at each call, as another process would."""
    place = str(tmp_path) if request.param == "sqlite" else fresh_schema()
    return lambda: open_store(place, files=tmp_path)


@pytest.fixture(params=KINDS)
def new_store(request: pytest.FixtureRequest) -> Callable[[Path], Callable[[], Journal]]:
    """Makes a new store with its files in a folder; gives what opens that store anew."""

    def made(folder: Path) -> Callable[[], Journal]:
        place = str(folder) if request.param == "sqlite" else fresh_schema()
        open_store(place, files=folder).close()
        return lambda: open_store(place, files=folder)

    return made
