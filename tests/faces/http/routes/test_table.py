"""The table of paths, beside the description that clients are made from."""

from __future__ import annotations

import pytest

from everfit.errors import UsageError
from everfit.faces.http.errors import MethodUnknown, RouteUnknown
from everfit.faces.http.openapi import description
from everfit.faces.http.routes.request import Request, flag
from everfit.faces.http.routes.table import ROUTES, find


def test_every_path_is_described_and_every_description_has_its_path() -> None:
    described = {
        (method.upper(), path.replace("{name}", "{model}"))
        for path, methods in description(server_url="http://127.0.0.1")["paths"].items()
        for method in methods
        if method != "parameters"
    }

    assert {(route.method, route.path) for route in ROUTES} == described


@pytest.mark.parametrize("path", ["/", "", "/models/", "/models//predict", "/models/a/predict/"])
def test_a_path_that_is_nearly_one_is_none(path: str) -> None:
    with pytest.raises(RouteUnknown):
        find("POST", path)


def test_head_is_asked_like_get_and_others_are_told_what_is_allowed() -> None:
    assert find("HEAD", "/health") == find("GET", "/health")
    with pytest.raises(MethodUnknown) as error:
        find("PUT", "/models/coin/predict")
    assert error.value.expected == "POST"


@pytest.mark.parametrize("query", ["explain=1&explain=1", "verison=v1", "=1"])
def test_a_query_that_means_nothing_is_refused(query: str) -> None:
    request = Request("GET", "/", query, {}, {}, None, None)  # type: ignore[arg-type]

    with pytest.raises(UsageError):
        request.options("version", "explain")


def test_a_flag_is_yes_or_no() -> None:
    assert [flag({"e": word}, "e") for word in ("1", "true", "0", "false")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["maybe", ""])
def test_a_flag_that_is_neither_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="e is 1 or 0"):
        flag({"e": word}, "e")
