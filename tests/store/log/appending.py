"""Frames for tests of spools, and spools with mapped segments and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from everfit.store.log import spool as module
from everfit.store.log.frames import outcomes_frame
from everfit.store.log.spool import read_segment, segments


@pytest.fixture(params=["mapped", "written"], autouse=True)
def mapped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Every test runs with mapped segments, and as where a file cannot be mapped safely."""
    found = request.param == "mapped"
    monkeypatch.setattr(module, "reserves", lambda folder: found)
    return bool(found)


def frame(n: int, size: int = 0) -> bytes:
    """A frame that differs from those of other numbers; ``size`` bytes longer."""
    return outcomes_frame("churn", n, b"[]" + b" " * size)


def frames(folder: Path) -> list[bytes]:
    """All frames that readers find while the writer lives."""
    return [item for path in segments(folder) for _, item in read_segment(path, 0)]
