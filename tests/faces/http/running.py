"""A server that really runs: ``everfit serve`` over a copy of a store, on ports of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everfit.faces.http.guard.tokens import make_token

START_S = 60.0


@dataclass(frozen=True)
class Server:
    """Where a server answers and where it is operated, and a token with the scopes asked for."""

    url: str
    operate: str
    token: str


@contextlib.contextmanager
def running(
    store: Path, *, scopes: tuple[str, ...] = (), require_token: bool = False, **serving: Any
) -> Iterator[Server]:
    """A server for the models of a store; ``serving`` are settings of ``[serve]``."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(store, place / "store")
        token = make_token(place / "store" / "tokens.json", "test", scopes) if scopes else ""
        settings = {"require_token": require_token, **serving}
        (place / "everfit.toml").write_text("\n".join(_toml("serve", settings)))
        options = ["--store", str(place / "store"), "--config", str(place / "everfit.toml")]
        command = [sys.executable, "-m", "everfit", "serve", "--json", "--port", "0"]
        with (
            (place / "log").open("w") as log,
            subprocess.Popen(
                [*command, "--operate-port", "0", *options], stdout=subprocess.PIPE, stderr=log
            ) as server,
        ):
            assert server.stdout is not None
            try:
                line = server.stdout.readline()
                assert line, (place / "log").read_text()
                told = json.loads(line)
                found = Server(told["url"], told["operate_url"], token)
                _await(found)
                yield found
            finally:
                server.terminate()
                server.wait(30.0)


def _await(server: Server) -> None:
    """Wait until stores and log are open: workers answer for models before that."""
    names = _got(server, "/models")
    for one in json.loads(names)["models"] if names else ():
        _got(server, f"/models/{one['name']}/traffic")


def _got(server: Server, path: str) -> bytes:
    """The answer, once it is no 503; nothing when the token may not ask for it."""
    request = urllib.request.Request(server.url + path)
    if server.token:
        request.add_header("Authorization", f"Bearer {server.token}")
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(request) as reply:
                return bytes(reply.read())
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 503:
                return b""
            time.sleep(0.05)
    raise AssertionError(f"{path} is still not answered")


def _toml(section: str, values: Mapping[str, Any]) -> list[str]:
    plain = {name: value for name, value in values.items() if not isinstance(value, Mapping)}
    lines = [f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in plain.items())]
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += _toml(f"{section}.{name}", value)
    return lines
