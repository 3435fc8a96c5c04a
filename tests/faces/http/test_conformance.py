"""Schemathesis over the whole description against a server that runs: what it says is what is.

No 5xx, and no answer that the description does not name; good data are taken, bad data refused,
a missing token is noticed. One run has bodies of JSON, another bodies of bytes and of tensors, of
which no schema can say whether they are good.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faces.http.running import Server, running
from tests.faces.http.stores import MODEL, both_store
from tests.live.shelves import MODEL as LISTS

ROOT = Path(__file__).resolve().parents[3]
SCOPES = ("predict", "outcomes", "read", "operate")
BODIES = ("predict", "v2_infer", "v2_version_infer")
TENSORS = BODIES[1:]
OF_LISTS = ("/recommend", "/similar", "/interactions")
UNJUDGED = ("--exclude-checks", "positive_data_acceptance,negative_data_rejection")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(both_store(), scopes=SCOPES, require_token=True) as found:
        yield found


def described(url: str, token: str, folder: Path) -> Path:
    """The description with the names of what there is: chance would never find them."""
    request = urllib.request.Request(f"{url}/openapi.json")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as reply:
        document = json.load(reply)
    known = {"version": ["v1", "1"]}
    for name, path in document["paths"].items():
        model = LISTS if name.endswith(OF_LISTS) else MODEL
        for parameter in path["parameters"]:
            parameter["schema"] = {"enum": (known | {"name": [model]})[parameter["name"]]}
    place = folder / "openapi.json"
    place.write_text(json.dumps(document))
    return place


def checked(
    server: Server, folder: Path, options: Sequence[str], *, hooks: str = "", url: str = ""
) -> Any:
    """The report of a run of schemathesis; its own words when something failed."""
    report = folder / "report.json"
    url = url or server.url
    place = described(url, server.token, folder)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(place), "--url", url),
        *("--header", f"Authorization: Bearer {server.token}", "--seed", "0", "--no-shrink"),
        *("--continue-on-failure", "--report-json-path", str(report), *options),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": hooks}
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    found = json.loads(report.read_text())
    assert found["failures"] == found["errors"] == []
    assert found["operations"]["tested"] == found["operations"]["selected"]
    return found


def without(*names: str) -> list[str]:
    return [word for name in names for word in ("--exclude-operation-id", name)]


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--include-operation-id", name)]


def judged(server: Server, folder: Path, *options: str) -> int:
    """Cases of JSON, of which the description says whether they are good."""
    options = (*options, *without(*TENSORS))
    report = checked(server, folder, options, hooks="tests.faces.http.hooks")
    assert report["operations"]["selected"] == report["operations"]["total"] - len(TENSORS)
    return int(report["test_cases"]["generated"])


def unjudged(server: Server, folder: Path, *options: str) -> int:
    """Cases of bytes and of tensors."""
    report = checked(server, folder, (*options, *UNJUDGED, *only(*BODIES)))
    assert report["operations"]["selected"] == len(BODIES)
    return int(report["test_cases"]["generated"])


def test_every_answer_is_one_that_is_described(server: Server, tmp_path: Path) -> None:
    phases = ("--phases", "examples,coverage,fuzzing")

    assert judged(server, tmp_path, *phases, "--max-examples", "3") >= 250


def test_bytes_and_tensors_get_a_described_answer(server: Server, tmp_path: Path) -> None:
    assert unjudged(server, tmp_path, "--phases", "fuzzing", "--max-examples", "10") >= 25


@pytest.mark.slow  # each promotion loads a version in a process of its own
def test_the_operate_port_answers_as_described(server: Server, tmp_path: Path) -> None:
    options = ("--phases", "coverage,fuzzing", "--max-examples", "3")
    options += ("--exclude-checks", "positive_data_acceptance")  # a good act may be refused

    checked(server, tmp_path, options, url=server.operate)


@pytest.mark.slow
def test_two_thousand_cases(server: Server, tmp_path: Path) -> None:
    found = judged(server, tmp_path, "--max-examples", "80")
    found += unjudged(server, tmp_path, "--max-examples", "100")

    assert found >= 2_000
