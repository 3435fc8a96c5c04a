"""The PostgreSQL of the tests: a named one is used, a missing one is never silent."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from tests import postgres
from tests.postgres import NoServer, fresh_database, fresh_schema, new_server, server_url


@pytest.fixture
def unknown_server() -> Iterator[None]:
    """As at the start of a session, when no server was asked for."""
    server_url.cache_clear()
    yield
    server_url.cache_clear()


def tables(url: str) -> int:
    asked = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return int(connection.execute(text(asked)).scalar_one())


def test_a_fresh_database_and_a_fresh_schema_are_empty_and_apart() -> None:
    urls = [fresh_database(), fresh_schema(), fresh_schema()]
    for url in urls:
        with create_engine(url, poolclass=NullPool).begin() as connection:
            connection.execute(text("CREATE TABLE one (id int)"))

    assert [tables(url) for url in urls] == [1, 1, 1]
    assert tables(fresh_schema()) == tables(fresh_database()) == 0


def test_a_server_that_the_environment_names_is_used(
    monkeypatch: pytest.MonkeyPatch, unknown_server: None
) -> None:
    named = make_url("postgresql://ann:secret@elsewhere:6000/tests")
    monkeypatch.setenv("EVERFIT_TEST_POSTGRES", named.render_as_string(hide_password=False))

    assert server_url() == "postgresql+psycopg://ann:secret@elsewhere:6000/tests"


def test_without_the_package_tests_fail_where_it_has_a_wheel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(postgres, "WHEELS", {(sys.platform, postgres.platform.machine())})
    monkeypatch.setattr(postgres.platform, "libc_ver", lambda: ("glibc", "2.36"))

    with pytest.raises(NoServer, match="pip install --group dev"):
        new_server()


def test_without_the_package_tests_are_skipped_where_it_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(postgres, "WHEELS", set())

    with pytest.raises(pytest.skip.Exception, match="no wheel here"):
        new_server()


def test_a_server_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "QUICK", ("no_such_setting=1",))

    with pytest.raises(NoServer, match="(?s)did not start.*no_such_setting"):
        new_server()
