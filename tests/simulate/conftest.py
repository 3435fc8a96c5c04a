"""The first version that every world of these tests begins with."""

from __future__ import annotations

import pytest

from tests.real import cancer
from tests.simulate.worlds import Start, start


@pytest.fixture(scope="session")
def tumour(tmp_path_factory: pytest.TempPathFactory) -> Start:
    folder = tmp_path_factory.mktemp("tumour")
    source, target = cancer(folder)
    return start(folder, source, target)
