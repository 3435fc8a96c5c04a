"""Who shall answer for each model, as the store says it: read cheaply, many times a minute.

A store in SQLite is read with the standard library alone, because a server that starts must answer
before SQLAlchemy is imported (0.4 s); any other store is read through the house.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from everfit.errors import StoreFailed
from everfit.live.arms import Arms
from everfit.live.orders import Placed

if TYPE_CHECKING:
    from everfit.house import House

FILE = "journal.db"
WAIT_S = 2.0  # for a writer that holds the file
STANDBY = ("fallback", "base")  # they answer in the shadow too: what the loop may go back to
NAMES = ("champion", "previous", "canary", "shadow", *STANDBY)


@dataclass(frozen=True, slots=True)
class Pointed:
    """Where the aliases of one model point. ``rev`` grows with every move.

    ``versions`` holds what the arms name; ``previous`` is who may stand in when the champion cannot
    be trusted, and is among them. ``shadows`` answer the champion's requests for the record alone:
    the challenger first, then those that the loop may go back to.
    """

    model: str
    rev: int
    arms: Arms
    versions: Mapping[int, Placed]
    previous: int | None = None
    shadows: tuple[int, ...] = ()


class Pointers(Protocol):
    """Something that knows where the aliases point."""

    def changed(self) -> bool:
        """Whether :meth:`read` may give something else than at its last call."""
        ...

    def read(self) -> dict[str, Pointed]:
        """All models that have a champion, by name."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class Glance:
    """The pointers of a store in an SQLite file, by the standard library's ``sqlite3``."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # which one is open
        self._seen = -1

    def changed(self) -> bool:
        """Whether another process wrote to the file since the last :meth:`read`, or replaced it."""
        try:
            return self._stamp() != self._seen
        except (sqlite3.Error, StoreFailed):
            return True

    def read(self) -> dict[str, Pointed]:
        """All models that have a champion, by name; none when there is no store yet.

        Raises
        ------
        StoreFailed : the file cannot be read
        """
        if not (self._root / FILE).exists():
            self.close()
            return {}
        try:
            stamp = self._stamp()
            with contextlib.closing(self._open().cursor()) as cursor:
                cursor.execute("BEGIN")  # one state of the file for all questions
                try:
                    found = self._pointed(cursor)
                finally:
                    cursor.execute("ROLLBACK")
        except sqlite3.Error as error:
            self.close()
            raise StoreFailed(
                f"the store at {self._root} cannot be read",
                got=str(error),
                expected="a store that this release can read",
                do="check it with: everfit doctor",
            ) from error
        self._seen = stamp
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._file = None
        self._seen = -1

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._file = self._there()
            self._connection = sqlite3.connect(
                f"{(self._root / FILE).as_uri()}?mode=ro",
                uri=True,
                timeout=WAIT_S,
                isolation_level=None,
                check_same_thread=False,  # one thread at a time: first the start, then the poll
            )
        return self._connection

    def _stamp(self) -> int:
        there = self._there()
        if there != self._file:
            self.close()  # a copy was put in its place: the open one is nobody's any more
        if there is None:
            return -1
        return int(self._open().execute("PRAGMA data_version").fetchone()[0])

    def _there(self) -> tuple[int, int] | None:
        try:
            stat = (self._root / FILE).stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino

    def _pointed(self, cursor: sqlite3.Cursor) -> dict[str, Pointed]:
        present = {row[0] for row in cursor.execute("SELECT name FROM sqlite_master")}
        if "alias" not in present:
            return {}  # made this moment, and still empty
        aliases: dict[str, dict[str, tuple[int | None, int]]] = {}
        for model, name, number, rev in cursor.execute(
            "SELECT model, name, number, rev FROM alias"
        ):
            aliases.setdefault(model, {})[name] = (number, rev)
        shares: dict[str, tuple[float, float, int]] = {}
        if "traffic" in present:  # not in a store that no newer release has written to
            asked = "SELECT model, canary_share, holdout_share, rev FROM traffic"
            shares = {row[0]: (row[1], row[2], row[3]) for row in cursor.execute(asked)}

        def placed(model: str, number: int) -> Placed:
            asked = "SELECT folder, sha256, record FROM version WHERE model = ? AND number = ?"
            folder, sha256, record = cursor.execute(asked, (model, number)).fetchone()
            trusted = tuple(json.loads(record).get("trusted") or ())
            return Placed(number, str(self._root / folder), sha256, trusted)

        return _all_pointed(aliases, shares, placed)


class Asked:
    """The pointers of any store, asked for through the house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._seen = -1

    def changed(self) -> bool:
        """Whether a decision was written since the last :meth:`read`."""
        return self._house.revision() != self._seen

    def read(self) -> dict[str, Pointed]:
        """All models that have a champion, by name.

        Raises
        ------
        Unreachable, StoreFailed : the store does not answer
        """
        stamp = self._house.revision()
        aliases: dict[str, dict[str, tuple[int | None, int]]] = {}
        shares: dict[str, tuple[float, float, int]] = {}
        for model in self._house.models():
            found = self._house.aliases(model)
            aliases[model] = {name: (alias.number, alias.rev) for name, alias in found.items()}
            traffic = self._house.traffic(model)
            shares[model] = (traffic.share, traffic.holdout, traffic.rev)

        def placed(model: str, number: int) -> Placed:
            version = self._house.version(model, f"v{number}")
            return Placed(number, version.folder, version.sha256, version.trusted)

        pointed = _all_pointed(aliases, shares, placed)
        self._seen = stamp
        return pointed

    def close(self) -> None:
        """Nothing is held: the house is its owner's."""


class Later:
    """Pointers of a store that is opened when they are first asked for."""

    def __init__(self, house: Callable[[], House]) -> None:
        self._house = house
        self._asked: Asked | None = None

    def changed(self) -> bool:
        """As :meth:`Asked.changed`."""
        return self._ready().changed()

    def read(self) -> dict[str, Pointed]:
        """As :meth:`Asked.read`; the house may not open, either."""
        return self._ready().read()

    def close(self) -> None:
        """Nothing is held."""

    def _ready(self) -> Asked:
        if self._asked is None:
            self._asked = Asked(self._house())
        return self._asked


def _all_pointed(
    aliases: Mapping[str, Mapping[str, tuple[int | None, int]]],
    shares: Mapping[str, tuple[float, float, int]],
    placed: Callable[[str, int], Placed],
) -> dict[str, Pointed]:
    found: dict[str, Pointed] = {}
    for model, names in aliases.items():
        at: dict[str, Any] = {name: names.get(name, (None, 0))[0] for name in NAMES}
        champion = at["champion"]
        if champion is None:
            continue
        share, holdout, traffic_rev = shares.get(model, (0.0, 0.0, 0))
        canary = at["canary"] if at["canary"] != champion else None
        arms = Arms(
            champion=champion,
            canary=canary,
            share=share if canary is not None else 0.0,
            holdout=holdout,
            shadow=at["shadow"] if at["shadow"] != champion else None,
        )
        needed = {number for number in (*at.values(),) if number is not None}
        rev = sum(rev for _, rev in names.values()) + traffic_rev  # each of them only grows
        versions = {number: placed(model, number) for number in sorted(needed)}
        shadows = [at[name] for name in ("shadow", *STANDBY) if at[name] not in (None, champion)]
        found[model] = Pointed(
            model, rev, arms, versions, at["previous"], tuple(dict.fromkeys(shadows))
        )
    return found
