"""How a store uses PostgreSQL: its URL, its transactions, and what it says when it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from everfit.errors import EverfitError, SettingsError, StoreBusy, StoreFailed, Unreachable

TURN = int.from_bytes(b"everfit", "big")  # what writers of a store take turns on
STUCK_MS = 60_000  # a writer that says nothing for so long loses its turn
# rows of the store are written without a pause: one that was stopped must not keep others waiting
STUCK_WITH_STORE_MS = 5_000
CONNECT_S = 10
# a dead link through a firewall is noticed in a minute instead of two hours
ALIVE: Mapping[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def named(url: URL) -> URL:
    """``url`` with our driver, when it names PostgreSQL alone.

    Examples
    --------
    >>> from sqlalchemy.engine import make_url
    >>> named(make_url("postgres://ann@db/shop")).drivername
    'postgresql+psycopg'
    """
    short = url.drivername in ("postgres", "postgresql")
    return url.set(drivername="postgresql+psycopg") if short else url


def engine(url: URL) -> Engine:
    """An engine whose writers see no other writer, and whose readers see a single state.

    A writer first takes an advisory lock that ends with its transaction, however that ends; what
    it reads afterwards is what the writer before it left. One lock for all models, because
    writes are few and short; no retries, because nothing is ever found to conflict.

    Raises
    ------
    SettingsError : the driver is not installed
    """
    wanted = {
        "client_encoding": "utf8",
        "connect_timeout": CONNECT_S,
        "application_name": "everfit",
    }
    arguments = {k: v for k, v in {**wanted, **ALIVE}.items() if k not in url.query}
    try:
        return _engine(url, arguments)
    except ModuleNotFoundError as error:
        raise SettingsError(
            "PostgreSQL needs a driver that is not installed",
            got=str(error),
            expected="the package psycopg",
            do="pip install 'everfit[postgres]'",
        ) from error


def _engine(url: URL, arguments: Mapping[str, Any]) -> Engine:
    return create_engine(
        url,
        # set here, because a server may have another default
        isolation_level="READ COMMITTED",
        pool_size=1,
        max_overflow=4,
        pool_pre_ping=True,
        pool_recycle=300,
        # a pooler between us and the server may give each transaction another session
        connect_args={**arguments, "prepare_threshold": None},
    )


def take_turn(connection: Connection, turn: int, wait_ms: int) -> None:
    """Wait until no other writer of the same ``turn`` is at work, for at most ``wait_ms``."""
    stuck_ms = STUCK_WITH_STORE_MS if turn == TURN else STUCK_MS
    connection.exec_driver_sql(
        f"SET LOCAL lock_timeout = {wait_ms}; "
        f"SET LOCAL idle_in_transaction_session_timeout = {stuck_ms}; "
        f"SELECT pg_advisory_xact_lock({turn})"
    )


def in_our_words(error: DBAPIError, place: str, wait_ms: int) -> EverfitError:
    """What PostgreSQL or the way to it refused, as one of our errors."""
    code = getattr(error.orig, "sqlstate", None) or ""
    said = str(error.orig).strip().partition("\n")[0]
    if code in ("55P03", "57014") or code.startswith("40"):
        return StoreBusy(
            f"the store {place} is busy",
            got=said,
            expected=f"a turn to write within {wait_ms // 1000} s",
            do="try again when the other process has finished",
        )
    wrong = _wrong_url(said, code)
    if wrong:
        return SettingsError(
            "the store's URL cannot be used",
            got=f"{place}: {said}",
            expected="a PostgreSQL database that exists, and a user who may use it",
            do=wrong,
        )
    if _no_answer(error, code):
        return Unreachable(
            f"the store {place} does not answer",
            got=said,
            expected="a PostgreSQL server that takes connections",
            do="check that it runs and can be reached from here, then repeat the same command",
        )
    what, do = _failed(code, said)
    return StoreFailed(f"the store {place} {what}", got=said, expected="a store", do=do)


def _wrong_url(said: str, code: str) -> str:
    """What to do about a URL that names the wrong thing; empty for other errors."""
    # libpq tells of a failed connection in words alone
    if code == "3D000" or ("database" in said and "does not exist" in said):
        return "make the database with: createdb NAME, or name another one"
    refused = ("authentication failed", "no pg_hba.conf entry", "no password supplied")
    if code.startswith("28") or any(words in said for words in refused):
        return "check the user and the password in the URL, or in PGUSER and PGPASSWORD"
    if "could not translate host name" in said or "failed to resolve host" in said:
        return "check the name of the host in the URL"
    return ""


def _no_answer(error: DBAPIError, code: str) -> bool:
    if error.connection_invalidated or code.startswith(("08", "57P", "53300", "25P03")):
        return True
    return not code and type(error.orig).__name__ in ("OperationalError", "InterfaceError")


def _failed(code: str, said: str) -> tuple[str, str]:
    if code.startswith("53"):
        return "could not be written", "make room on the server and repeat the same command"
    if code == "25006" or "during recovery" in said:
        return "can only be read", "name the primary server, not a replica"
    if code == "42501":
        return "could not be used", "let the owner GRANT this user CREATE and USAGE on the schema"
    if code in ("22021", "22P05"):
        return "could not be written", "use a database with the encoding UTF8"
    return "could not be used", "check the database, the user's rights and the server's log"
