"""Settings of a worker, as the keeper passes them on."""

from __future__ import annotations

from typing import Any

import pytest

from everfit.errors import SettingsError
from everfit.faces.http.machine.serving import Serving
from everfit.settings import LIMITS, SERVE

KEEPER = {"host", "port", "operate_port", "workers", "durability", "grace_s", "spool", "keep_days"}


def test_what_is_not_set_has_a_default() -> None:
    assert Serving.from_plain({}) == Serving()


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        ({"read_ms": 3}, "no setting 'read_ms'"),
        ({"read_s": "3"}, "read_s cannot be used"),
        ({"read_s": True}, "read_s cannot be used"),
        ({"hosts": "a"}, "hosts cannot be used"),
        ({"hosts": [1]}, "hosts cannot be used"),
        ({"rate_burst": 0}, "rate_burst cannot be used"),
        ({"limits": {"rows": 0}}, "rows cannot be used"),
        ({"limits": {"row": 1}}, "no setting 'row'"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(plain: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        Serving.from_plain(plain)

    assert all((error.value.got, error.value.expected, error.value.do))


def test_every_setting_of_the_file_is_the_keepers_or_ours() -> None:
    ours = set(Serving.__dataclass_fields__)

    assert set(SERVE) - KEEPER <= ours
    assert set(LIMITS) == set(Serving().limits.__dataclass_fields__)
