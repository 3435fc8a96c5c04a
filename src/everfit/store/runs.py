"""Runs of a store: who holds a model, and the finished work that a later run finds again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update

from everfit.errors import SettingsError, StoreBusy, UsageError
from everfit.plain import as_plain
from everfit.records import Decision
from everfit.store import schema
from everfit.store.artefacts import Artefacts, tree_sha256
from everfit.store.contract import RunHandle, RunnerHandle, model_name, work_key
from everfit.store.database import Database
from everfit.store.entries import first, write_decision
from everfit.store.holds import lease
from everfit.store.holds.owner import this_process
from everfit.store.holds.pulse import Pulse
from everfit.store.ledger import Ledger, aliases, known_model
from everfit.store.migrations import setting

KEPT_RUNS = 2  # finished work of this many runs of a model stays for the next one


class Runs(Ledger):
    """What a run writes, besides its decisions. See ``contract.Store``."""

    def __init__(self, database: Database, root: Path, clock: Callable[[], datetime]) -> None:
        super().__init__(database, root, clock)
        self._pulses: dict[str, Pulse] = {}

    @property
    def artefacts(self) -> Artefacts:
        """The folders of this store."""
        return Artefacts(self.root)

    def folder(self, model: str, number: int) -> Path:
        """Where version ``number`` of ``model`` lies, or will lie."""
        return self.artefacts.folder(model, number)

    def packing(self, model: str, number: int) -> AbstractContextManager[Path]:
        """A folder to pack a version into; in place when the block ends, gone when it raises."""
        return self.artefacts.writing(model, number)

    def key(self) -> bytes:
        """The 32 bytes that sign manifests; made at the first call."""
        self._check_home()
        return self.artefacts.key()

    def begin_run(
        self, model: str, spec: Mapping[str, Any], *, under: RunHandle | None = None
    ) -> RunHandle:
        """Start a run and hold ``model``; a run whose process died counts as interrupted."""
        model_name(model)
        self._check_home()
        run, at = schema.run, self._now()
        with self.database.write() as connection:
            self._make_model(connection, model, at)
            epoch = self._take(connection, model, under)
            _interrupt(connection, model, at)
            seen = {name: alias.rev for name, alias in aliases(connection, model).items()}
            row = {
                "model": model,
                "state": "running",
                "epoch": epoch,
                "spec": as_plain(spec),
                "seen": seen,
                "started_at": at,
                "budget_s": spec.get("budget_s"),
                "seed": spec.get("seed"),
                "data_sha256": spec.get("data_sha256", ""),
            }
            made = connection.execute(insert(run).values(**row)).inserted_primary_key
            numbers = select(schema.version.c.number).where(schema.version.c.model == model)
            known = set(connection.execute(numbers).scalars())
            over = select(run.c.id).where(run.c.model == model, run.c.state != "running")
            ended = set(connection.execute(over).scalars())
        self.artefacts.forget_versions(model, known)
        self.artefacts.forget_staging(ended)
        ttl_s = under.ttl_s if under else 0.0
        handle = RunHandle(str(first(made)), model, epoch, seen, ttl_s, under is not None)
        if self.database.is_server and under is None:
            self._pulses[handle.id] = Pulse(_beat(weakref.ref(self), handle))
        return handle

    def hold(self, model: str, *, ttl_s: float, runner: RunnerHandle | None = None) -> RunHandle:
        """Take the right to write for ``model`` for a turn of the loop."""
        _above_nought(ttl_s)
        with self.database.write() as connection:
            known_model(connection, model)
            now = self.clock()
            if runner is not None:
                lease.renew(connection, lease.of_runner(runner.name), runner.epoch, now)
            place = lease.of_model(model)
            epoch = lease.take(connection, place, this_process(), now, ttl_s=ttl_s)
            _interrupt(connection, model, self._now())
            seen = {name: alias.rev for name, alias in aliases(connection, model).items()}
        return RunHandle("", model, epoch, seen, ttl_s)

    def let_go(self, hold: RunHandle) -> None:
        """End a hold; the next one need not wait."""
        with self.database.write() as connection:
            self.renew(connection, hold)
            lease.let_go(connection, lease.of_model(hold.model))

    def take_runner(self, name: str, *, ttl_s: float) -> RunnerHandle:
        """Take the right to run the loop of this store; kept by :meth:`renew_runner`."""
        _above_nought(ttl_s)
        place = lease.of_runner(name)
        with self.database.write() as connection:
            epoch = lease.take(connection, place, this_process(), self.clock(), ttl_s=ttl_s)
        return RunnerHandle(name, epoch, ttl_s)

    def renew_runner(self, runner: RunnerHandle) -> None:
        """Say that the runner lives."""
        with self.database.write() as connection:
            lease.renew(connection, lease.of_runner(runner.name), runner.epoch, self.clock())

    def release_runner(self, runner: RunnerHandle) -> None:
        """Let the next runner begin at once; nothing happens when the right was lost already."""
        place = lease.of_runner(runner.name)
        with self.database.write() as connection:
            try:
                lease.renew(connection, place, runner.epoch, self.clock())
            except StoreBusy:
                return
            lease.let_go(connection, place)

    def heartbeat(self, run: RunHandle) -> None:
        """Say that the run lives."""
        with self.database.write() as connection:
            self.renew(connection, run)

    def renew(self, connection: Connection, run: RunHandle) -> None:
        """Check within a transaction that the run still holds its model, and push the expiry on."""
        lease.renew(connection, lease.of_model(run.model), run.epoch, self.clock())

    def finish_run(
        self,
        run: RunHandle,
        state: Literal["done", "failed", "interrupted"],
        decisions: Sequence[Decision] = (),
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the last decisions and what was found, and let go of the model."""
        pulse = self._pulses.pop(run.id, None)
        if pulse is not None:
            pulse.stop()
        table = schema.run
        ended: dict[str, Any] = {"state": state, "ended_at": self._now()}
        if result is not None:
            ended["result"] = as_plain(result)
        with self.database.write() as connection:
            self.renew(connection, run)
            for decision in decisions:
                write_decision(connection, decision, run)
            connection.execute(update(table).where(table.c.id == int(run.id)).values(**ended))
            if not run.under_hold:
                lease.let_go(connection, lease.of_model(run.model))

    def save_trial(
        self, run: RunHandle, key: str, record: Mapping[str, Any], payload: Path | None = None
    ) -> None:
        """Keep finished work; first its files, then the row that makes them count."""
        if self.trial(key, run) is not None:
            return
        place, sha256 = None, ""
        if payload is not None:
            folder, sha256 = self.artefacts.keep_work(key, payload)
            place = folder.relative_to(self.root).as_posix()
        table, me = schema.trial, int(run.id)
        with self.database.write() as connection:
            self.renew(connection, run)
            counted = select(func.coalesce(func.max(table.c.number), 0)).where(table.c.run == me)
            row = {
                "key": work_key(key),
                "run": me,
                "number": connection.execute(counted).scalar_one() + 1,
                "record": as_plain(record),
                "payload": place,
                "sha256": sha256,
                "last_run": me,
                "created_at": self._now(),
            }
            connection.execute(delete(table).where(table.c.key == key))
            connection.execute(insert(table).values(**row))

    def trial(
        self, key: str, run: RunHandle | None = None
    ) -> tuple[Mapping[str, Any], Path | None] | None:
        """Finished work, or None when there is none or its files are not what was saved."""
        table = schema.trial
        with self.database.read() as connection:
            row = connection.execute(select(table).where(table.c.key == key)).one_or_none()
        if row is None:
            return None
        payload = None if row.payload is None else self.root / row.payload
        if payload is not None and not (payload.is_dir() and tree_sha256(payload) == row.sha256):
            return None
        if run is not None and row.last_run != int(run.id):
            with self.database.write() as connection:
                used = update(table).where(table.c.key == key).values(last_run=int(run.id))
                connection.execute(used)
        return row.record, payload

    def prune(self, model: str) -> int:
        """Drop finished work that none of the last two runs used."""
        run, table = schema.run, schema.trial
        with self.database.write() as connection:
            known_model(connection, model)
            of_model = select(run.c.id, run.c.state).where(run.c.model == model)
            rows = connection.execute(of_model.order_by(run.c.id.desc())).all()
            old = [row.id for row in rows[KEPT_RUNS:]]
            gone = connection.execute(select(table.c.key).where(table.c.last_run.in_(old)))
            dropped = list(gone.scalars())
            connection.execute(delete(table).where(table.c.last_run.in_(old)))
            known = set(connection.execute(select(table.c.key)).scalars())
        for key in dropped:
            self.artefacts.drop_work(key)
        self.artefacts.forget_staging()
        return len(dropped) + self.artefacts.forget_work(known)

    def close(self) -> None:
        """Let go of all files."""
        for pulse in self._pulses.values():
            pulse.stop()
        self._pulses.clear()
        self.database.close()

    def _check_home(self) -> None:
        """See that the folders of the versions are where we look for them."""
        if (self.root / "models").is_dir():
            return
        table = schema.version
        with self.database.read() as connection:
            made = connection.execute(select(func.count()).select_from(table)).scalar_one()
            made_in = setting(connection, "files")
        if made:
            raise _elsewhere(self.root, made, made_in)

    def _take(self, connection: Connection, model: str, under: RunHandle | None) -> int:
        """The epoch of a new run: that of the hold above it, or a new one."""
        if under is None:
            return lease.take(connection, lease.of_model(model), this_process(), self.clock())
        if under.model != model:
            raise UsageError(
                "a run cannot be under the hold of another model",
                got=f"a run of {model!r} under a hold of {under.model!r}",
                expected="one model",
                do="take a hold of the model first",
            )
        self.renew(connection, under)
        return under.epoch

    def _make_model(self, connection: Connection, model: str, at: str) -> None:
        known = select(schema.model.c.name).where(schema.model.c.name == model)
        if connection.execute(known).one_or_none() is None:
            connection.execute(insert(schema.model).values(name=model, created_at=at))

    def _now(self) -> str:
        return self.clock().astimezone(UTC).isoformat(timespec="microseconds")


def _beat(store: weakref.ref[Runs], run: RunHandle) -> Callable[[], bool]:
    def beat() -> bool:
        journal = store()
        if journal is not None:
            journal.heartbeat(run)
        return journal is not None

    return beat


def _interrupt(connection: Connection, model: str, at: str) -> None:
    """Runs that are still open are of holders before us: nobody will end them."""
    run = schema.run
    still_open = (run.c.model == model, run.c.state == "running")
    ended = {"state": "interrupted", "ended_at": at}
    connection.execute(update(run).where(*still_open).values(**ended))


def _above_nought(ttl_s: float) -> None:
    if not 0.0 < ttl_s < float("inf"):
        raise UsageError(
            "the time that a hold lives without a sign cannot be used",
            got=repr(ttl_s),
            expected="seconds above 0",
            do="give 5.0",
        )


def _elsewhere(root: Path, n_versions: int, made_in: str | None) -> SettingsError:
    return SettingsError(
        f"the files of this store's {n_versions} versions are not in {root}",
        got="a folder without models",
        expected=f"the folder that was {made_in} when the store was made"
        if made_in
        else "the folder that was beside the store when it was made",
        do="name it with EVERFIT_FILES or as files in [store] of everfit.toml",
    )
