"""Drain: from the spools into the database, each frame once, whenever the process is killed.

The rows of some frames and the position behind them are one transaction. A segment is removed
after the transaction that says it is done, so that a kill between leaves a file with nothing new.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from everfit import events
from everfit.errors import StoreBusy
from everfit.store.artefacts import told
from everfit.store.log import tables
from everfit.store.log.frames import Outcomes, Predictions, is_row, row_parts, split
from everfit.store.log.place import Place, bulk, take_numbers
from everfit.store.log.spool import (
    START,
    behind,
    read_segment,
    segment_id,
    segments,
    writer_lives,
)

MOST_ROWS = 5_000  # of one transaction: about a tenth of a second
MOST_BYTES = 8 << 20
MOST_KEY = 400  # characters of a key or id
KEPT_US = 30 * 86_400 * 1_000_000  # a segment that a backup brings back is known for so long
NEW_S = 60.0  # a segment whose making was cut short is left for so long


class _Answer(msgspec.Struct):
    """Of one row's answer, what has columns of its own."""

    id: str
    version: str | int | None = None
    arm: str | None = None


class _Answers(msgspec.Struct):
    """Of an answer to many rows, the rows; of one to a single row, nothing."""

    predictions: list[msgspec.Raw] | None = None


class _Told(msgspec.Struct):
    """One outcome as it was told."""

    receipt: str
    outcome: msgspec.Raw
    id: str | None = None
    key: str | int | float | None = None
    at: str | None = None
    strange: bool = False


_one = msgspec.json.Decoder(_Answer).decode
_many = msgspec.json.Decoder(_Answers).decode
_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_row = msgspec.json.Decoder(dict[str, Any]).decode
_write = msgspec.json.Encoder().encode
_told = msgspec.json.Decoder(list[_Told]).decode

# id, of, model, version, arm, at_us, key, request, answer
_Predicted = tuple[str, str | None, str, int, str, int, str | None, bytes, bytes]
# receipt, model, id, key, value, at_us, given, arrived_us, state
_Outcome = tuple[str, str, str | None, str | None, bytes, int, bool, int, int]


@dataclass(slots=True)
class Batch:
    """What goes into one transaction."""

    predictions: list[_Predicted] = field(default_factory=list)
    outcomes: list[_Outcome] = field(default_factory=list)
    positions: dict[str, tuple[int, bool]] = field(default_factory=dict)
    n_rows: int = 0
    n_bytes: int = 0

    def add(self, frame: bytes) -> None:
        """Take the rows of one frame; ``ValueError`` when it cannot be understood."""
        self.n_bytes += len(frame)
        if is_row(frame):
            header, at_us, identifier, request, answer = row_parts(frame)
            self.n_rows += 1
            self.predictions.append((
                identifier, None, header.model, header.version, header.arm, at_us, None, request,
                answer,
            ))  # fmt: skip
            return
        parts = split(frame)
        try:
            if isinstance(parts, Predictions):
                self.predictions += _predicted(parts)
            else:
                self.outcomes += _outcomes(parts)
        except msgspec.MsgspecError as error:
            raise ValueError(f"JSON that is not as it should be: {error}") from error
        self.n_rows = len(self.predictions) + len(self.outcomes)


@dataclass(slots=True)
class Intake:
    """One drain at work; ``go`` says whether there is time for another transaction."""

    place: Place
    spools: Path
    go: Callable[[], bool]
    predictions: int = 0
    outcomes: int = 0
    removed: int = 0
    damaged: list[Path] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)
    _batch: Batch = field(default_factory=Batch)

    def take(self) -> bool:
        """Take all that the spools hold; False when the time ended before."""
        self._known = _positions(self.place)
        done: list[Path] = []
        with told(self.spools):
            for path in segments(self.spools):
                ended = not writer_lives(path)
                if not self._segment(path, ended):
                    return False
                if ended:
                    done.append(path)
            self._commit()
            self._remove(done)
        return True

    @property
    def positions(self) -> dict[str, int]:
        """How far each segment was taken."""
        return self._known

    def ends(self) -> dict[Path, int]:
        """How far each segment was taken that is still there, by its path."""
        return {path: self._known.get(segment_id(path), START) for path in segments(self.spools)}

    def behind_bytes(self) -> int:
        """What the spools hold and the database does not."""
        n_bytes = 0
        for path in segments(self.spools):
            with suppress(FileNotFoundError):
                n_bytes += behind(path, self._known.get(segment_id(path), START))
        return n_bytes

    def _segment(self, path: Path, ended: bool) -> bool:
        identity = segment_id(path)
        if not identity:
            if ended:
                self._aside(path.name, 0, path.read_bytes())
            return True
        offset = self._known.get(identity, START)

        def damaged(at: int, what: bytes) -> None:
            self._aside(identity, at, what)

        batch, end = self._batch, offset
        for end, frame in read_segment(path, offset, damaged=damaged, ended=ended):
            try:
                batch.add(frame)
            except ValueError:
                self._aside(identity, end - len(frame), frame)
            if batch.n_rows >= MOST_ROWS or batch.n_bytes >= MOST_BYTES:
                batch.positions[identity] = (end, False)
                self._commit()
                if not self.go():
                    return False
                batch = self._batch
        if end > offset:
            batch.positions[identity] = (end, False)
        if ended:
            end, _ = self._batch.positions.get(identity, (self._known.get(identity, START), True))
            self._batch.positions[identity] = (end, True)
        return True

    def _commit(self) -> None:
        batch, self._batch = self._batch, Batch()
        if not batch.positions:
            return
        with self.place.database.write() as connection:
            self._move(connection, batch)
            self._insert(connection, batch)
        self._known |= {identity: end for identity, (end, _) in batch.positions.items()}
        self.predictions += len(batch.predictions)
        self.outcomes += len(batch.outcomes)

    def _move(self, connection: Connection, batch: Batch) -> None:
        """Move the positions on, unless another process has done so since they were read."""
        table, now = tables.segment, self.place.clock()
        for identity, (end, done) in batch.positions.items():
            values = {"position": end, "done_us": now if done else None}
            if identity in self._known:
                moved = connection.execute(
                    update(table)
                    .where(table.c.id == identity, table.c.position == self._known[identity])
                    .values(values)
                ).rowcount
            else:
                try:
                    connection.execute(insert(table).values(id=identity, **values))
                    moved = 1
                except IntegrityError:
                    moved = 0
            if moved != 1:
                raise _taken(self.spools)
        connection.execute(delete(table).where(table.c.done_us < now - KEPT_US))

    def _insert(self, connection: Connection, batch: Batch) -> None:
        n_rows = len(batch.predictions) + len(batch.outcomes)
        if not n_rows:
            return
        seq = take_numbers(connection, n_rows)
        words = {row[2] for row in batch.predictions} | {row[4] for row in batch.predictions}
        number = self.place.numbers(connection, words | {row[1] for row in batch.outcomes})
        bulk(connection, tables.prediction, [
            (seq + i, id_, of, None, number[model], version, number[arm], at, key, asked, answer)
            for i, (id_, of, model, version, arm, at, key, asked, answer)
            in enumerate(batch.predictions)
        ])  # fmt: skip
        seq += len(batch.predictions)
        bulk(connection, tables.outcome, [
            (seq + i, receipt, number[model], id_, key, value, at, given, arrived, None, state)
            for i, (receipt, model, id_, key, value, at, given, arrived, state)
            in enumerate(batch.outcomes)
        ])  # fmt: skip

    def _aside(self, name: str, at: int, what: bytes) -> None:
        """Keep bytes that could not be read, before the position moves beyond them."""
        folder = self.place.files / "damaged"
        path = folder / f"{name}-{at}.bytes"
        with told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_safely(path, what)
        self.damaged.append(path)

    def _remove(self, done: list[Path]) -> None:
        for path in done:
            path.unlink(missing_ok=True)
        self.removed += len(done)
        for path in (*self.spools.glob("*.new"), *self.spools.glob("*/*.new")):
            with suppress(FileNotFoundError):  # it has got its name meanwhile
                if time.time() - path.stat().st_mtime > NEW_S and not writer_lives(path):
                    path.unlink()


def write_safely(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there, also after a power cut."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _positions(place: Place) -> dict[str, int]:
    table = tables.segment
    with place.database.read() as connection:
        return {row.id: int(row.position) for row in connection.execute(select(table))}


def _predicted(parts: Predictions) -> list[_Predicted]:
    header = parts.header
    answers = _many(parts.answer).predictions
    if answers is None:
        asked, said = [parts.request], [parts.answer]
        if parts.request.lstrip().startswith(b"["):
            asked = [bytes(row) for row in _rows(parts.request)]
    else:
        asked = [bytes(row) for row in _rows(parts.request)]
        said = [bytes(row) for row in answers]
    n_rows = len(said)
    keys: Sequence[str | None] = header.keys or [None] * n_rows
    of: Sequence[str | None] = header.of or [None] * n_rows
    if not len(asked) == len(keys) == len(of) == n_rows:
        raise ValueError(f"{len(asked)} rows, {n_rows} answers, {len(keys)} keys, {len(of)} of")
    rows: list[_Predicted] = []
    for row, text, key, repeated in zip(asked, said, keys, of, strict=True):
        answer = _one(text)
        # written anew: of a name that stands twice the last value counts, as it did when scored
        plain = _row(row)
        plain.pop("_key", None)
        version = header.version if answer.version is None else _number(answer.version)
        arm = answer.arm or header.arm
        about = None if key is None else key_text(key)
        rows.append(
            (
                answer.id,
                repeated,
                header.model,
                version,
                arm,
                header.at_us,
                about,
                _write(plain),
                text,
            )
        )
    return rows


def _number(version: str | int) -> int:
    number = version if isinstance(version, int) else int(version.removeprefix("v"))
    if not 0 <= number < 2**31:
        raise ValueError(f"version {number}")
    return number


def _outcomes(parts: Outcomes) -> list[_Outcome]:
    rows: list[_Outcome] = []
    for item in _told(parts.body):
        if item.id is None and item.key is None:
            raise ValueError("an outcome with neither id nor key")
        at = parts.at_us if item.at is None else _instant_us(item.at)
        told_id = None if item.id is None else key_text(item.id)
        key = None if item.key is None or told_id is not None else key_text(item.key)
        value = _canonical(item.outcome)
        given = item.at is not None
        state = tables.STRANGE if item.strange else tables.WAITING
        rows.append((item.receipt, parts.model, told_id, key, value, at, given, parts.at_us, state))
    return rows


def key_text(key: str | int | float) -> str:
    """A key or id as it is kept: 17 and "17" are the same, and a very long one is shortened.

    Examples
    --------
    >>> key_text(17), key_text(17.0), key_text("a b"), len(key_text("x" * 5000))
    ('17', '17', 'a b', 97)
    """
    # PostgreSQL has no NUL in text, and its indexes no entries above 2.7 kB
    text = (events.key_text(key) or "").replace("\x00", "\ufffd")
    if len(text) <= MOST_KEY:
        return text
    return f"{text[:32]}~{blake2b(text.encode(), digest_size=32).hexdigest()}"


def _canonical(value: msgspec.Raw) -> bytes:
    """A value as JSON in which equal values have equal bytes; 1 and 1.0 are equal."""
    plain = msgspec.json.decode(value)
    if isinstance(plain, float) and plain.is_integer() and abs(plain) < 2**53:
        plain = int(plain)
    return msgspec.json.encode(plain, order="sorted")


def _instant_us(text: str) -> int:
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _taken(spools: Path) -> StoreBusy:
    return StoreBusy(
        f"another process drains the spools in {spools}",
        got="a position that moved",
        expected="one process that drains them",
        do="stop the other one; nothing was lost or taken twice",
    )
