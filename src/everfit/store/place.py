"""Opening a store by its folder or database URL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from everfit.errors import ModelUnknown, SettingsError
from everfit.store.artefacts import told
from everfit.store.database import Database
from everfit.store.journal import Journal
from everfit.store.migrations import bring_up

FILE = "journal.db"


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

    ``sqlite://`` is a store in memory, with folders in a temporary place unless ``files`` is
    given. Other URLs keep their folders in ``./.everfit``.

    Raises
    ------
    ModelUnknown : ``create`` is False and there is no store
    SettingsError : the URL cannot be used
    Refused : written by a newer Everfit
    StoreFailed, StoreBusy : it cannot be read or written
    """
    text = str(place)
    if "://" not in text:
        return _open_folder(Path(text), create, clock)
    memory = text.rstrip("/") in ("sqlite:", "sqlite:///:memory:")
    root = Path(files) if files else Path(tempfile.mkdtemp() if memory else ".everfit")
    try:
        make_url(text).get_dialect()
        database = Database(text)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise SettingsError(
            "the store's URL cannot be used",
            got=f"{text.partition('@')[2] or text}: {error}",
            expected="a folder, or an SQLAlchemy URL such as postgresql+psycopg://host/name",
            do="check the URL, and that the driver it names is installed",
        ) from error
    return _opened(database, root.absolute(), clock)


def _open_folder(root: Path, create: bool, clock: Callable[[], datetime]) -> Journal:
    file = root / FILE
    if not create and not file.exists():
        raise ModelUnknown(
            f"there is no store at {root}",
            got="no models yet",
            expected=f"a folder with {FILE}",
            do="everfit run DATA --target COLUMN makes one; --store names another place",
        )
    with told(root):
        root.mkdir(parents=True, exist_ok=True)
    root = root.absolute()
    return _opened(Database(f"sqlite:///{root / FILE}"), root, clock)


def _opened(database: Database, root: Path, clock: Callable[[], datetime]) -> Journal:
    with told(root):
        root.mkdir(parents=True, exist_ok=True)
    bring_up(database, clock())
    return Journal(database, root, clock)


# Every kind of store, by name, as it is opened in a folder: the contract suite runs over these.
STORES: Mapping[str, Callable[[Path], Journal]] = {
    "sqlite-file": open_store,
    "sqlite-memory": lambda folder: open_store("sqlite://", files=folder),
}
