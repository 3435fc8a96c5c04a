"""Opening a store by its folder or database URL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from everfit.errors import ModelUnknown, SettingsError
from everfit.store import disk, postgresql
from everfit.store.artefacts import told
from everfit.store.database import Database, shown
from everfit.store.journal import Journal
from everfit.store.migrations import bring_up, setting, stored

FILE = "journal.db"
FILES = ".everfit"
DRIVERS = ("sqlite", "sqlite+pysqlite", "postgresql+psycopg")


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


def open_store(
    place: str | Path,
    *,
    files: str | Path | None = None,
    create: bool = True,
    clock: Callable[[], datetime] = utc_now,
) -> Journal:
    """Open the store at a folder, or at a database URL with its folders in ``files``.

    Without ``files`` the folders of a URL are where they were when the store was made; those of a
    new one in ``./.everfit``, and those of ``sqlite://``, a store in memory, in a temporary place.
    A store at a folder keeps its own, and ``files`` is not asked.

    Raises
    ------
    ModelUnknown : ``create`` is False and there is no store
    SettingsError : the URL cannot be used, or SQLite would lie on a network file system
    Refused : written by a newer Everfit, or the database holds tables of another program
    Unreachable : the server does not answer
    StoreFailed, StoreBusy : it cannot be read or written
    """
    text = str(place)
    if "://" not in text:
        return _open_folder(Path(text), create, clock)
    url = _url(text)
    memory = url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")
    if url.get_backend_name() == "sqlite" and not memory:
        file = Path(str(url.database)).absolute()
        disk.check(file.parent)
        if not create and not file.exists():
            raise _no_store(text)
    database = Database(url.render_as_string(hide_password=False))
    with database.read() as connection:
        is_there = stored(connection) > 0
        made_in = (setting(connection, "files") or "") if is_there else ""
    if not create and not is_there:
        raise _no_store(database.place)
    before = Path(made_in.partition(":")[2])
    if files is None and made_in and before.is_dir():
        files = before
    root = Path(files or (tempfile.mkdtemp() if memory else FILES)).absolute()
    return _opened(database, root, clock)


def shown_place(place: str) -> str:
    """A folder or URL for people: without passwords.

    Examples
    --------
    >>> shown_place("kept"), shown_place("postgresql://ann:secret@db/shop")
    ('kept', 'postgresql://ann:***@db/shop')
    """
    if "://" not in place:
        return place
    try:
        return shown(make_url(place))
    except (ArgumentError, ValueError):
        return place.rpartition("@")[2]


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # a port that is no number is a ValueError
        raise _unusable(shown_place(text), "it is no URL of a database") from error
    url = postgresql.named(url)
    if url.drivername not in DRIVERS:
        raise _unusable(shown(url), f"there is no store of the kind {url.drivername!r}")
    return url


def _open_folder(root: Path, create: bool, clock: Callable[[], datetime]) -> Journal:
    if not create and not (root / FILE).exists():
        raise _no_store(str(root))
    disk.check(root)
    with told(root):
        root.mkdir(parents=True, exist_ok=True)
    root = root.absolute()
    return _opened(Database(f"sqlite:///{root / FILE}"), root, clock)


def _opened(database: Database, root: Path, clock: Callable[[], datetime]) -> Journal:
    with told(root):
        root.mkdir(parents=True, exist_ok=True)
    bring_up(database, clock(), files=root)
    return Journal(database, root, clock)


def _no_store(place: str) -> ModelUnknown:
    return ModelUnknown(
        f"there is no store at {place}",
        got="no models yet",
        expected=f"a folder with {FILE}, or a database in which Everfit has made its tables",
        do="everfit run DATA --target COLUMN makes one; --store names another place",
    )


def _unusable(got: str, why: str) -> SettingsError:
    return SettingsError(
        "the store's URL cannot be used",
        got=f"{got}: {why}",
        expected="a folder, postgresql+psycopg://user@host/database, or sqlite:///file",
        do="check the URL",
    )


# Every kind of store, by name, as it is opened in a folder: the contract suite runs over these.
STORES: Mapping[str, Callable[[Path], Journal]] = {
    "sqlite-file": open_store,
    "sqlite-memory": lambda folder: open_store("sqlite://", files=folder),
}
