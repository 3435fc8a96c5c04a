"""Settle: find the prediction that an outcome tells of, and whether it was told before.

An outcome is settled only after every spool was read once more than when it came: its prediction
was acknowledged before it, so it has been drained by then. What is not found stays unknown, and is
looked for again when predictions with its id or key come late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, func, insert, select, union_all, update

from everfit.store.log import tables
from everfit.store.log.place import Place, last_number, some, within
from everfit.store.log.tables import COUNTED, REPEATED, REPLACED, UNKNOWN, WAITING

MOST_ROWS = 2_000  # of one transaction
MOST_ASTRAY = 5_000  # shadows whose original is looked for at one time

_p, _o = tables.prediction, tables.outcome
_original = _p.c.of.is_(None) & (_p.c.model == _o.c.model)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An outcome that counts or counted for a prediction."""

    value: bytes
    at_us: int
    seq: int


class Archive(Protocol):
    """How to look into what was sealed."""

    def ids(self, connection: Connection, model: int, ids: Sequence[str]) -> dict[str, int]:
        """The number of each prediction that has one of ``ids``."""

    def keys(
        self, connection: Connection, model: int, wanted: Sequence[tuple[str, int]]
    ) -> dict[int, int]:
        """The number of the last prediction of each key that was not after a time, by place."""

    def told(
        self, connection: Connection, model: int, numbers: Sequence[int]
    ) -> dict[int, list[Earlier]]:
        """The outcomes of predictions, by their number."""


def settle(place: Place, archive: Archive, mark: int | None, go: Callable[[], bool]) -> None:
    """Settle the outcomes with numbers up to ``mark``; all predictions before them are in.

    None stands for the last number: no outcome came with what was drained last.
    """
    with place.database.read() as connection:
        if not _something_open(connection):
            return
        last = last_number(connection)
        mark = last if mark is None else mark
        idle = _settled_to(connection) == last
        if idle and not _some_waiting(connection, mark):
            return
    if not idle:
        with place.database.write() as connection:
            _look_again(connection)
            _lead_home(connection, archive)
    while True:
        with place.database.write() as connection:
            more = _settle_some(connection, archive, mark)
        if not more or not go():
            return


def _settle_some(connection: Connection, archive: Archive, mark: int) -> bool:
    """Settle some outcomes, oldest first; whether there may be more."""
    rows = connection.execute(_WAITING, {"mark": mark, "most": MOST_ROWS}).all()
    if not rows:
        return False
    found = _found(connection, archive, rows)
    earlier = _earlier(connection, archive, rows, found)
    settled = []
    for row in rows:
        prediction = found.get(row.seq)
        if prediction is None:
            settled.append({"s": row.seq, "p": None, "to": UNKNOWN})
            continue
        before = earlier.setdefault(prediction, [])
        state = standing(row.value, row.at_us, bool(row.given), before)
        settled.append({"s": row.seq, "p": prediction, "to": state})
        if state != REPEATED:
            before.append(Earlier(row.value, row.at_us, row.seq))
    connection.execute(_SETTLED, settled)
    return len(rows) == MOST_ROWS


def standing(value: bytes, at_us: int, given: bool, earlier: Sequence[Earlier]) -> int:
    """The state of an outcome of a prediction of which ``earlier`` ones were told.

    The same value again is a repetition; with a time of its own it is one only when it says what
    holds already, because things do change back.

    Examples
    --------
    >>> yes = Earlier(b'"yes"', 10, 1)
    >>> [tables.STATES[standing(v, 20, True, [yes])] for v in (b'"yes"', b'"no"')]
    ['repeated', 'replaced']
    """
    if not earlier:
        return COUNTED
    same = [item for item in earlier if item.value == value]
    latest = max(earlier, key=lambda item: (item.at_us, item.seq))
    if same and (not given or latest in same or any(item.at_us == at_us for item in same)):
        return REPEATED
    return REPLACED


def _found(connection: Connection, archive: Archive, rows: Sequence[Any]) -> dict[int, int]:
    """The number of the prediction of each outcome that has one."""
    found = {row.seq: int(row.found) for row in rows if row.found is not None}
    by_model: dict[int, list[Any]] = {}
    for row in rows:
        if row.found is None:
            by_model.setdefault(row.model, []).append(row)
    for model, missing in by_model.items():
        keyed = [row for row in missing if row.id is None]
        last = archive.keys(connection, model, [(row.key, row.at_us) for row in keyed])
        found |= {keyed[place].seq: number for place, number in last.items()}
        named = [row for row in missing if row.id is not None]
        numbers = archive.ids(connection, model, [row.id for row in named])
        found |= {row.seq: numbers[row.id] for row in named if row.id in numbers}
    return found


def _earlier(
    connection: Connection, archive: Archive, rows: Sequence[Any], found: dict[int, int]
) -> dict[int, list[Earlier]]:
    """What was told before of each prediction."""
    earlier: dict[int, list[Earlier]] = {}
    for row in within(connection, _TOLD, sorted(set(found.values()))):
        item = Earlier(row.value, int(row.at_us), int(row.seq))
        earlier.setdefault(int(row.prediction), []).append(item)
    for model in {row.model for row in rows}:
        wanted = {found[row.seq] for row in rows if row.model == model and row.seq in found}
        for number, items in archive.told(connection, model, sorted(wanted)).items():
            earlier.setdefault(number, []).extend(items)
    return earlier


def _look_again(connection: Connection) -> None:
    """Let unknown outcomes wait again when a prediction that they may tell of came late."""
    since, last = _settled_to(connection), last_number(connection)
    if connection.execute(select(_o.c.seq).where(tables.unknown).limit(1)).first():
        new = _p.c.seq > since
        ids = select(_p.c.id).where(new)
        wait = update(_o).where(tables.unknown).values(state=WAITING)
        connection.execute(wait.where(_o.c.id.in_(ids)))
        match = (_p.c.model == _o.c.model) & (_p.c.key == _o.c.key) & (_p.c.at_us <= _o.c.at_us)
        keyed = select(_p.c.seq).where(match, new).correlate(_o).exists()
        connection.execute(wait.where(_o.c.key.is_not(None), keyed))
    table = tables.state
    moved = connection.execute(
        update(table).where(table.c.name == "settled").values(value=last)
    ).rowcount
    if not moved:
        connection.execute(insert(table).values(name="settled", value=last))


def _lead_home(connection: Connection, archive: Archive) -> None:
    """Give shadows the number of the prediction that they repeat."""
    rows = connection.execute(_ASTRAY, {"most": MOST_ASTRAY}).all()
    if not rows:
        return
    by_model: dict[int, list[Any]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row)
    homes = []
    for model, shadows in by_model.items():
        wanted = {row.of for row in shadows}
        found = {
            row.id: int(row.seq) for row in within(connection, _ORIGINALS, wanted, model=model)
        }
        missing = sorted(wanted - found.keys())
        found |= archive.ids(connection, model, missing) if missing else {}
        homes += [{"s": row.seq, "home": found[row.of]} for row in shadows if row.of in found]
    if homes:
        connection.execute(_HOME, homes)


def _some_waiting(connection: Connection, mark: int) -> bool:
    waits = select(_o.c.seq).where(tables.waiting, _o.c.seq <= mark).limit(1)
    return connection.execute(waits).first() is not None


def _something_open(connection: Connection) -> bool:
    """Whether an outcome waits or is unknown, or a shadow has not found its prediction.

    If not, most drains end without writing anything: what came meanwhile is looked through when
    the first of them comes, which is never later than it would have been.
    """
    return connection.execute(_OPEN).first() is not None


def _settled_to(connection: Connection) -> int:
    table = tables.state
    found = connection.execute(select(table.c.value).where(table.c.name == "settled")).scalar()
    return int(found or 0)


_by_id = (
    select(_p.c.seq).where(_original, _p.c.id == _o.c.id).correlate(_o)
    .order_by(_p.c.seq).limit(1).scalar_subquery()
)  # fmt: skip
_by_key = (
    select(_p.c.seq).where(_original, _p.c.key == _o.c.key, _p.c.at_us <= _o.c.at_us)
    .correlate(_o).order_by(_p.c.seq.desc()).limit(1).scalar_subquery()
)  # fmt: skip
_OPEN = union_all(
    select(_o.c.seq).where(tables.waiting),
    select(_o.c.seq).where(tables.unknown),
    select(_p.c.seq).where(tables.astray),
).limit(1)
_WAITING = (
    select(
        _o.c.seq, _o.c.model, _o.c.id, _o.c.key, _o.c.value, _o.c.at_us, _o.c.given,
        func.coalesce(_by_id, _by_key).label("found"),
    )
    .where(tables.waiting, _o.c.seq <= bindparam("mark"))
    .order_by(_o.c.seq)
    .limit(bindparam("most"))
)  # fmt: skip
_TOLD = select(_o.c.prediction, _o.c.value, _o.c.at_us, _o.c.seq).where(
    _o.c.prediction.in_(some()), _o.c.state.in_([COUNTED, REPLACED])
)
_SETTLED = (
    update(_o)
    .where(_o.c.seq == bindparam("s"))
    .values(prediction=bindparam("p"), state=bindparam("to"))
)
_ASTRAY = (
    select(_p.c.seq, _p.c.of, _p.c.model)
    .where(tables.astray)
    .order_by(_p.c.seq.desc())
    .limit(bindparam("most"))
)
_ORIGINALS = select(_p.c.id, _p.c.seq).where(
    _p.c.id.in_(some()), _p.c.of.is_(None), _p.c.model == bindparam("model")
)
_HOME = update(_p).where(_p.c.seq == bindparam("s")).values(root=bindparam("home"))
