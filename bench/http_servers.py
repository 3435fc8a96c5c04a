"""Servers to measure: started on one core, their processor time and memory read from /proc."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
START_S = 90.0
QUIET_S = 0.3  # without a tick of work a server has finished what it was doing

# the server that Everfit's is compared with: the same uvicorn, the same options, no work
ECHO = """
import gc, socket, sys, uvicorn
async def app(scope, receive, send):
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
config = uvicorn.Config(
    app, loop="uvloop", http="httptools", ws="none", lifespan="off", interface="asgi3",
    log_config=None, access_log=False, server_header=False, proxy_headers=False, backlog=2048,
)
gc.collect(); gc.freeze()
uvicorn.Server(config).run([socket.create_server(("127.0.0.1", int(sys.argv[1])))])
"""
STARLETTE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
async def echo(request):
    return Response(await request.body(), media_type="application/json")
app = Starlette(routes=[Route("/echo", echo, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False,
            log_level="error")
"""
FASTAPI = """
import sys, uvicorn
from fastapi import FastAPI, Request, Response
app = FastAPI()
@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body(), media_type="application/json")
uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False,
            log_level="error")
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs: its first process, where it listens, and where it answers."""

    pid: int
    port: int
    path: str

    def tree(self) -> list[int]:
        """The process and all its descendants."""
        parents = dict(_parents())
        found = [self.pid]
        for one in found:
            found += [pid for pid, parent in parents.items() if parent == one]
        return found

    def cpu_s(self) -> float:
        """Processor time of all processes so far, of those that ended too."""
        return sum(_cpu_s(pid) for pid in self.tree())

    def worker(self) -> int:
        """The process of an Everfit server that answers."""
        return next(pid for pid in self.tree() if "http.worker" in command_of(pid))

    def settle(self, most_s: float = 20.0) -> None:
        """Wait until what came is worked off: the keeper writes the log behind the answers."""
        until, before = time.monotonic() + most_s, self.cpu_s()
        while time.monotonic() < until:
            time.sleep(QUIET_S)
            now = self.cpu_s()
            if now - before <= 2 * TICK_S:
                return
            before = now


def everfit(store: Path, port: int) -> list[str]:
    """The command of an Everfit server."""
    return [
        sys.executable, "-m", "everfit", "serve", "--json", "--store", str(store),
        "--port", str(port), "--no-operate",
    ]  # fmt: skip


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, path: str, *, cwd: Path | None = None,
    more: Mapping[str, str] | None = None, pinned: bool = True,
) -> Iterator[Served]:  # fmt: skip
    """A server, once it listens; ended with its children when it is needed no more."""
    process = started(command, cwd=cwd, more=more, pinned=pinned)
    served = Served(process.pid, port, path)
    try:
        connected(port, process).close()
        yield served
    finally:
        end(process, served)


def started(
    command: Sequence[str], *, cwd: Path | None = None, more: Mapping[str, str] | None = None,
    pinned: bool = True,
) -> subprocess.Popen[bytes]:  # fmt: skip
    """A process in a group of its own, on the first core or on all of them."""
    with on_cores(CORES[:1] if pinned else CORES):
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | dict(more or {}), start_new_session=True,
        )  # fmt: skip


def end(process: subprocess.Popen[bytes], served: Served) -> None:
    """Let a server drain, then make sure that nothing of it is left."""
    tree = served.tree()
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20.0)
    for pid in tree:
        with contextlib.suppress(ProcessLookupError):
            if pid == process.pid or _cpu_s(pid) > 0.0:
                os.kill(pid, 9)
    process.wait()


@contextlib.contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """Processes that are started meanwhile have these cores; this one keeps the last ones."""
    if len(CORES) < 2:
        yield
        return
    os.sched_setaffinity(0, set(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(CORES[1:]))


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def connected(port: int, process: subprocess.Popen[bytes] | None = None) -> socket.socket:
    """A connection, tried every 2 ms until somebody listens."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {process.args!r}")
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30.0)
        except OSError:
            time.sleep(0.002)
    raise RuntimeError(f"nobody listens on port {port}")


def asked(port: int, path: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of one POST on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def answering(port: int, path: str, body: bytes, *, most_s: float = START_S) -> float:
    """Seconds until a POST gets its first 200, from now."""
    began, said = time.perf_counter(), ""
    while time.perf_counter() - began < most_s:
        try:
            status, answer = asked(port, path, body)
            if status == 200:
                return time.perf_counter() - began
            said = f"{status} {answer[:300]!r}"
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
        time.sleep(0.002)
    raise RuntimeError(f"port {port} gave no 200 within {most_s:g} s: {said}")


def memory_mb(pid: int) -> dict[str, float]:
    """RSS, and PSS: pages that several processes share, divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return {"rss_mb": round(sizes["Rss"], 1), "pss_mb": round(sizes["Pss"], 1)}


def command_of(pid: int) -> str:
    """The command line of a process; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def venv(cache: Path, name: str, packages: Sequence[str]) -> Path | None:
    """The Python of an environment for another tool, made on first use; None if it cannot be."""
    home = (cache / f"venv-{name}").resolve()
    python, mark = home / "bin" / "python", home / "installed"
    if mark.exists():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", *packages]
        subprocess.run(install, check=True, timeout=1_200)
        freeze = [str(python), "-m", "pip", "freeze"]
        mark.write_bytes(subprocess.run(freeze, check=True, capture_output=True).stdout)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{name} is left out, it cannot be installed here: {error}")
        return None
    return python


def release_of(python: Path, package: str) -> str:
    """The release of a package in an environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    told = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def shown(found: Mapping[str, object]) -> str:
    """Results as JSON that a person can read."""
    return json.dumps(found, indent=2, default=str)


def _parents() -> Iterator[tuple[int, int]]:
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(place.name), int(_stat(int(place.name))[1])


def _cpu_s(pid: int) -> float:
    try:
        return TICK_S * sum(int(ticks) for ticks in _stat(pid)[11:15])
    except OSError:
        return 0.0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
