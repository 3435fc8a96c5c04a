"""The page about HTTP: each of its calls is made, and its answer held against what stands there."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everfit.faces.http.openapi import FAILED, description
from everfit.faces.http.operate import ACTS
from everfit.faces.http.routes.table import ROUTES
from tests.faces.http.running import Server, running
from tests.faces.http.stores import page_store

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "http.md").read_text()
REST = "…"
# what is another each time, or may be: of it only the type must be the same
VARIABLE = {"id", "at", "sha256", "created_at", "pid", "everfit", "keys", "counted", "waiting"}
VARIABLE |= {"state"}
NUMBERED = re.compile(r"\d+\.\d+\.\d+")


def calls() -> Iterator[tuple[str, str]]:
    """The commands of the page and the text of their answers, in order."""
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = piece.splitlines()
            n = 1
            while not _whole("\n".join(lines[:n])):
                n += 1
            yield "\n".join(lines[:n]), "\n".join(lines[n:])


def _whole(command: str) -> bool:
    try:
        return bool(shlex.split(command))
    except ValueError:  # a quote is still open
        return False


CALLS = list(calls())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    with running(page_store(), scopes=("operate", "read", "predict", "outcomes")) as found:
        yield found


def differs(told: Any, real: Any, where: str = "") -> str:
    """Where an answer is another than the page tells; nothing when it is the same."""
    name = where.rpartition(".")[2].partition("[")[0]
    if told == REST:
        return ""
    if isinstance(told, dict) and isinstance(real, dict):
        names = set(told) - {REST}
        if names - set(real) or (REST not in told and set(real) - names):
            return f"{where}: {sorted(names)} is not {sorted(real)}"
        pairs = [(told[key], real[key], f"{where}.{key}") for key in sorted(names)]
    elif isinstance(told, list) and isinstance(real, list):
        if len(told) != len(real) and REST not in told:
            return f"{where}: {len(told)} are not {len(real)}"
        short = told[: told.index(REST)] if REST in told else told
        pairs = [(t, r, f"{where}[{i}]") for i, (t, r) in enumerate(zip(short, real, strict=False))]
    elif name in VARIABLE or (isinstance(told, str) and NUMBERED.fullmatch(told)):
        return "" if type(told) is type(real) else f"{where}: {told!r} is not {real!r}"
    elif isinstance(told, float) and isinstance(real, (int, float)):
        return "" if math.isclose(told, real, abs_tol=0.01) else f"{where}: {told} is not {real}"
    else:
        return "" if told == real else f"{where}: {told!r} is not {real!r}"
    return next((found for pair in pairs if (found := differs(*pair))), "")


def test_every_call_of_the_page_is_answered_as_it_says(server: Server) -> None:
    environment = os.environ | {"JSON": "Content-Type: application/json", "TOKEN": server.token}
    wrong = []
    for command, told in CALLS:
        line = command.replace("http://127.0.0.1:8321", server.url)
        line = line.replace("http://127.0.0.1:8322", server.operate)
        line = line.replace("curl ", "curl --silent --show-error --max-time 60 ")
        run = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, env=environment
        )  # fmt: skip
        if told.startswith("{"):
            found = differs(json.loads(told), json.loads(run.stdout))
        else:
            found = "" if run.stdout.startswith(told) else f"{told!r} is not {run.stdout[:200]!r}"
        if found:
            wrong.append(f"{command}\n  {found}\n  {run.stdout[:600]}")

    assert "\n".join(wrong) == ""
    assert len(CALLS) > 30


def test_every_path_and_every_status_stands_on_the_page() -> None:
    asked = {
        re.sub(r".*http://127.0.0.1:832\d(/[^ '?]*).*", r"\1", c, flags=re.S) for c, _ in CALLS
    }
    routes = {route.path for route in ROUTES} | {f"/models/{{model}}/{act}" for act in ACTS}
    paths = {re.sub(r"\{\w+\}", "[^/]+", path) for path in routes}
    statuses = set(re.findall(r"\b[45]\d\d\b", PAGE[PAGE.index("## Errors") :]))

    assert [
        path for path in sorted(paths) if not any(re.fullmatch(path, one) for one in asked)
    ] == ["/v2/models/[^/]+/versions/[^/]+"]  # the same as without a version
    assert statuses >= {str(status) for status in FAILED}
    assert description(server_url="http://x")["paths"]
