from __future__ import annotations

from pathlib import Path

import pytest

from everfit import wire
from tests.faces.build import FakeHouse


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHouse:
    """A house that answers with ready records, in an empty folder that is the current one."""
    fake = FakeHouse(tmp_path / ".everfit")
    monkeypatch.setattr(wire, "house", lambda store=None, settings=None: fake)
    monkeypatch.chdir(tmp_path)
    for word in ("EVERFIT_STORE", "EVERFIT_CONFIG", "EVERFIT_PROGRESS", "EVERFIT_BUDGET"):
        monkeypatch.delenv(word, raising=False)
    return fake
