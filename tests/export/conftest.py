from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.versions import CALIBRATION, EVERY, RANGES, Made, changed, made


def every(folder: Path, k: int, *, text: bool) -> Made:
    """A blend of every engine, over features of every step, with ranges."""
    calibration = CALIBRATION if k > 1 else {"scale": 1.2, "shift": -0.5}
    weights = [0.1, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1]
    version = made(
        folder, EVERY, k=k, text=text, calibration=calibration, weights=weights,
        defaults={"plan": "pro", "rooms": 4.0, "paid": True},
    )  # fmt: skip
    changed(folder, ranges=RANGES)
    return version


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every engine in one blend of two classes."""
    return every(tmp_path_factory.mktemp("two"), 2, text=True)


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The same of three classes."""
    return every(tmp_path_factory.mktemp("three"), 3, text=True)


@pytest.fixture(scope="session")
def values(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The same of a number."""
    return every(tmp_path_factory.mktemp("values"), 1, text=True)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every engine in one blend of two classes that reads no text."""
    return every(tmp_path_factory.mktemp("plain"), 2, text=False)


@pytest.fixture(params=["two", "three", "values"])
def version(request: pytest.FixtureRequest) -> Made:
    """Each form of answer."""
    found: Made = request.getfixturevalue(request.param)
    return found


@pytest.fixture(autouse=True)
def few_made_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 made rows instead of 1,000, but where the gate itself is tested."""
    if request.path.name not in ("test_parity.py", "test_mlflow.py"):
        monkeypatch.setattr("everfit.export.parity.N_MADE", 200)
