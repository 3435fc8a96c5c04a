"""Reading a store: models, runs, versions and the ledger of decisions."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select

from everfit.errors import ModelUnknown, near
from everfit.plain import from_plain
from everfit.records import Decision, Step, Version
from everfit.store import outbox, schema, steps
from everfit.store.contract import Alias, Mirrored, RunRow, Seen, Traffic, version_number
from everfit.store.database import Database
from everfit.store.holds import lease

ALIASES = ("champion", "previous")  # those that say what a version is now


class Ledger:
    """Answers questions about a store; never writes. See ``contract.Reading``."""

    def __init__(self, database: Database, root: Path, clock: Callable[[], datetime]) -> None:
        self.database = database
        self.root = root
        self.clock = clock
        self._known: dict[str, dict[int, Version]] = {}

    def models(self) -> tuple[str, ...]:
        """Names of all models, sorted."""
        with self.database.read() as connection:
            return _models(connection)

    def runs(self, model: str) -> tuple[RunRow, ...]:
        """All runs, newest first; one whose process is gone reads ``interrupted``."""
        trials = (
            select(func.count())
            .select_from(schema.trial)
            .where(schema.trial.c.run == schema.run.c.id)
            .scalar_subquery()
        )
        light = [column for column in schema.run.c if column.name != "result"]
        asked = select(*light, trials.label("n_trials")).where(schema.run.c.model == model)
        with self.database.read() as connection:
            known_model(connection, model)
            held = lease.holder(connection, lease.of_model(model), self.clock())
            rows = connection.execute(asked.order_by(schema.run.c.id.desc())).all()
        return tuple(_run(row, row.epoch == held) for row in rows)

    def result(self, model: str, run: str | None = None) -> Mapping[str, Any]:
        """What a run found; of the newest run that left any when ``run`` is None."""
        table = schema.run
        asked = select(table.c.id, table.c.result).where(table.c.model == model)
        with self.database.read() as connection:
            known_model(connection, model)
            for row in connection.execute(asked.order_by(table.c.id.desc())):
                if row.result and run in (None, str(row.id)):
                    found: Mapping[str, Any] = row.result
                    return found
        return {}

    def decisions(
        self,
        model: str,
        newest_first: bool = True,
        *,
        kinds: Collection[str] = (),
        last: int | None = None,
    ) -> tuple[Decision, ...]:
        """The ledger of ``model``: of ``kinds`` alone when any are named, the newest ``last``."""
        table = schema.decision
        asked = select(table.c.id, table.c.record).where(table.c.model == model)
        if kinds:
            asked = asked.where(table.c.kind.in_(kinds))
        asked = asked.order_by(table.c.id.desc())
        with self.database.read() as connection:
            known_model(connection, model)
            limited = asked if last is None else asked.limit(max(0, last))
            rows = list(connection.execute(limited))
        ordered = rows if newest_first else rows[::-1]
        return tuple(map(_decision, ordered))

    def steps(
        self,
        model: str,
        kind: str | None = None,
        *,
        last: int | None = None,
        after: str | None = None,
    ) -> tuple[Step, ...]:
        """What turns of the loop did for ``model``, oldest first."""
        with self.database.read() as connection:
            known_model(connection, model)
            return steps.found(connection, model, kind, last=last, after=after)

    def seen(self, model: str, *, kinds: Collection[str] = (), after: int = 0) -> Seen:
        """All that a turn of the loop reads of ``model``, in one transaction."""
        table = schema.decision
        asked = select(table.c.id, table.c.record).where(
            table.c.model == model, table.c.kind.in_(kinds)
        )
        with self.database.read() as connection:
            known_model(connection, model)
            last = connection.execute(asked.order_by(table.c.id.desc()).limit(1)).one_or_none()
            newer, mark = steps.since(connection, model, after)
            return Seen(
                versions=self._versions(connection, model),
                aliases=aliases(connection, model),
                newest=None if last is None else _decision(last),
                steps=newer,
                mark=mark,
            )

    def versions(self, model: str) -> tuple[Version, ...]:
        """All versions, newest first, each with its present state."""
        with self.database.read() as connection:
            known_model(connection, model)
            return self._versions(connection, model)

    def version(self, model: str, name: str) -> Version:
        """The version called ``v3`` or ``3``, or by an alias such as ``champion``."""
        with self.database.read() as connection:
            known_model(connection, model)
            versions = self._versions(connection, model)
            named = aliases(connection, model)
        alias = named.get(name)
        number = alias.number if alias else version_number(name)
        for version in versions:
            if version.number == number:
                return version
        set_now = tuple(alias.name for alias in named.values() if alias.number is not None)
        raise _version_unknown(model, name, versions, set_now)

    def champion(self, model: str) -> Version | None:
        """The version that serves; None when there is none or no such model."""
        with self.database.read() as connection:
            # asked first: a name that is none could not even be asked for in PostgreSQL
            known = model in _models(connection)
            versions = self._versions(connection, model) if known else ()
        return next((v for v in versions if v.state == "champion"), None)

    def aliases(self, model: str) -> Mapping[str, Alias]:
        """Where each alias points now."""
        with self.database.read() as connection:
            known_model(connection, model)
            return aliases(connection, model)

    def traffic(self, model: str) -> Traffic:
        """How requests of ``model`` are shared out; all zero when nobody has said."""
        with self.database.read() as connection:
            known_model(connection, model)
            return traffic_of(connection, model)

    def mirrored(self, target: str) -> Mapping[tuple[str, str], Mirrored]:
        """What the registry ``target`` has been told, by kind and item."""
        with self.database.read() as connection:
            return outbox.told(connection, target)

    def revision(self) -> int:
        """The number of the newest decision about any model; 0 when there is none."""
        with self.database.read() as connection:
            newest = connection.execute(select(func.max(schema.decision.c.id))).scalar()
        return int(newest or 0)

    def next_number(self, model: str) -> int:
        """The number of the next version."""
        table = schema.version
        asked = select(func.coalesce(func.max(table.c.number), 0)).where(table.c.model == model)
        with self.database.read() as connection:
            return int(connection.execute(asked).scalar_one()) + 1

    def served_before(self, model: str, number: int) -> int | None:
        """The version that served before ``number`` was first made champion, if any."""
        log = schema.alias_log
        asked = select(log.c.from_number).where(
            log.c.model == model, log.c.name == "champion", log.c.to_number == number
        )
        with self.database.read() as connection:
            known_model(connection, model)
            first: int | None = connection.execute(asked.order_by(log.c.rev).limit(1)).scalar()
        return first

    def _versions(self, connection: Connection, model: str) -> tuple[Version, ...]:
        """Versions newest first; the state follows from the aliases, now and before."""
        table, log = schema.version, schema.alias_log
        asked = select(table.c.number, table.c.state).where(table.c.model == model)
        rows = connection.execute(asked.order_by(table.c.number.desc())).all()
        records = self._records(connection, model, [row.number for row in rows])
        served = select(log.c.to_number).where(log.c.model == model, log.c.name == "champion")
        once = {row.to_number for row in connection.execute(served)}
        pointers = aliases(connection, model)
        # both may point to one version: then it is the champion
        now = {pointers[a].number: a for a in reversed(ALIASES) if a in pointers}
        found = []
        for row in rows:
            version = records[row.number]
            past = "retired" if version.number in once else row.state
            state: Any = now.get(version.number, past)
            folder = (self.root / version.folder).as_posix()
            found.append(replace(version, folder=folder, state=state))
        return tuple(found)

    def _records(
        self, connection: Connection, model: str, numbers: Collection[int]
    ) -> Mapping[int, Version]:
        """Versions as they were written, by number; they never change, so each is read once."""
        known = self._known.setdefault(model, {})
        new = [number for number in numbers if number not in known]
        if new:
            table = schema.version
            asked = select(table.c.number, table.c.record).where(
                table.c.model == model, table.c.number.in_(new)
            )
            known |= {n: from_plain(Version, kept) for n, kept in connection.execute(asked)}
        return known


def aliases(connection: Connection, model: str) -> dict[str, Alias]:
    """Where each alias of ``model`` points, within a transaction."""
    rows = connection.execute(select(schema.alias).where(schema.alias.c.model == model))
    return {r.name: Alias(r.model, r.name, r.number, r.rev, r.decision) for r in rows}


def traffic_of(connection: Connection, model: str) -> Traffic:
    """How requests of ``model`` are shared out, within a transaction."""
    table = schema.traffic
    row = connection.execute(select(table).where(table.c.model == model)).one_or_none()
    return Traffic() if row is None else Traffic(row.canary_share, row.holdout_share, row.rev)


def known_model(connection: Connection, model: str) -> None:
    """Check that there is such a model.

    Raises
    ------
    ModelUnknown : there is none; near names are offered
    """
    names = _models(connection)
    if model in names:
        return
    hint = near(model, names)
    raise ModelUnknown(
        f"model {model!r} not found",
        got=", ".join(names[:20]) if names else "no models yet",
        expected=f"a model called {model!r}",
        do=f"did you mean {hint}?" if hint else "everfit status shows all models",
    )


def _decision(row: Row[*tuple[Any, ...]]) -> Decision:
    return replace(from_plain(Decision, row.record), id=row.id)


def _models(connection: Connection) -> tuple[str, ...]:
    # sorted here: a database may sort by the rules of a language, where "-" counts for nothing
    return tuple(sorted(connection.execute(select(schema.model.c.name)).scalars()))


def _version_unknown(
    model: str, name: str, versions: tuple[Version, ...], named: tuple[str, ...]
) -> ModelUnknown:
    known = [version.name for version in versions] + sorted(named)
    hint = near(name, known)
    if not known:
        do = f"everfit run DATA --target COLUMN --name {model} makes the first version"
    else:
        # near() knows spelling, not numbers: v12 is not near v7
        do = f"did you mean {hint}?" if hint and not re.fullmatch(r"v?\d+", name) else ""
        do = do or "use one of the versions above"
    return ModelUnknown(
        f"model {model!r} has no version {name!r}",
        got=", ".join(known) if known else "no versions yet",
        expected="a version such as v1, or champion, or previous",
        do=do,
    )


def _run(row: Row[*tuple[Any, ...]], held: bool) -> RunRow:
    ended = datetime.fromisoformat(row.ended_at) if row.ended_at else None
    return RunRow(
        id=str(row.id),
        model=row.model,
        # the word alone may be of a process that was killed: believe the lease
        state="interrupted" if row.state == "running" and not held else row.state,
        spec=row.spec,
        started_at=datetime.fromisoformat(row.started_at),
        ended_at=ended,
        budget_s=row.budget_s,
        seed=row.seed,
        data_sha256=row.data_sha256,
        n_trials=row.n_trials,
    )
