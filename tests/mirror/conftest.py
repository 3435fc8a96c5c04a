from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from everfit.house import House
from tests.mirror.proxy import Proxy
from tests.mirror.real import copied, mlflow_server, ran


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real MLflow server."""
    pytest.importorskip("mlflow", reason="the extra everfit[mlflow] is not installed")
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as port:
        yield port


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that holds one real run; to be copied."""
    place = tmp_path_factory.mktemp("made") / "here"
    with pytest.MonkeyPatch.context() as patch:
        # one process, which has its libraries already
        patch.setenv("EVERFIT_EXECUTOR", "inline")
        ran(place)
    return place


@pytest.fixture
def door(server: int) -> Iterator[Proxy]:
    """An open door before the server."""
    proxy = Proxy(server)
    proxy.open()
    yield proxy
    proxy.shut()


@pytest.fixture
def house(made: Path, tmp_path: Path) -> Iterator[House]:
    """A house over its own copy of the store."""
    with copied(made, tmp_path / "store") as house:
        yield house
