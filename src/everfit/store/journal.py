"""Writing a store: each public method is one transaction, fenced by the run's epoch."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from everfit.errors import ArtefactRefused, Refused, SettingsError
from everfit.plain import as_plain, from_plain
from everfit.records import Decision, Version
from everfit.store import lease, outbox, schema
from everfit.store.artefacts import Artefacts, tree_sha256
from everfit.store.contract import Mirrored, RunHandle, Traffic, model_name, work_key
from everfit.store.database import Database
from everfit.store.ledger import Ledger, aliases, known_model
from everfit.store.migrations import setting
from everfit.store.moves import move, revisions, share_out
from everfit.store.pulse import Pulse

BY_CHARS = 128
KEPT_RUNS = 2  # finished work of this many runs of a model stays for the next one


class Journal(Ledger):
    """A store in an SQL database with folders beside it. See ``contract.Store``."""

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

    def begin_run(self, model: str, spec: Mapping[str, Any]) -> RunHandle:
        """Start a run and hold ``model``; a run whose process died counts as interrupted."""
        model_name(model)
        self._check_home()
        run, at = schema.run, self._now()
        with self.database.write() as connection:
            self._make_model(connection, model, at)
            epoch = lease.take(connection, model, lease.this_process(), self.clock())
            open_runs = (run.c.model == model, run.c.state == "running")
            connection.execute(
                update(run).where(*open_runs).values(state="interrupted", ended_at=at)
            )
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
        handle = RunHandle(str(_first(made)), model, epoch, seen)
        if self.database.is_server:
            self._pulses[handle.id] = Pulse(_beat(weakref.ref(self), handle))
        return handle

    def heartbeat(self, run: RunHandle) -> None:
        """Say that the run lives."""
        with self.database.write() as connection:
            lease.renew(connection, run.model, run.epoch, self.clock())

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
            lease.renew(connection, run.model, run.epoch, self.clock())
            for decision in decisions:
                _write_decision(connection, decision, run)
            connection.execute(update(table).where(table.c.id == int(run.id)).values(**ended))
            lease.let_go(connection, run.model)

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
            lease.renew(connection, run.model, run.epoch, self.clock())
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

    def commit(
        self,
        decision: Decision,
        *,
        version: Version | None = None,
        aliases: Mapping[str, int | None] | None = None,
        run: RunHandle | None = None,
        seen: Mapping[str, int] | None = None,
        traffic: Traffic | None = None,
    ) -> Decision:
        """Write a decision with the version and the moves it made, in one transaction."""
        if version is not None and not decision.version:
            decision = replace(decision, version=version.name)
        if version is not None and not Path(self.root, version.folder).is_dir():
            raise _no_folder(version)
        with self.database.write() as connection:
            known_model(connection, decision.model)
            if run is not None:
                lease.renew(connection, run.model, run.epoch, self.clock())
            expected = revisions(connection, decision.model, run, seen)
            written = _write_decision(connection, decision, run)
            if version is not None:
                self._write_version(connection, version, written)
            for name, number in (aliases or {}).items():
                move(connection, written, name, number, expected.get(name, 0), self._now())
            if traffic is not None:
                share_out(connection, written, traffic)
        return written

    def note_mirrored(
        self,
        target: str,
        kind: str,
        item: str,
        *,
        remote: str = "",
        error: str = "",
        next_try_at: datetime | None = None,
    ) -> Mirrored:
        """Count a try to tell ``target`` about an item; it is done when nothing is left to try."""
        place = (target, kind, item)
        with self.database.write() as connection:
            return outbox.note(
                connection,
                place,
                remote=remote,
                error=error,
                next_try_at=next_try_at,
                at=self._now(),
            )

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
            first = setting(connection, "files")
        if made:
            raise _elsewhere(self.root, made, first)

    def _make_model(self, connection: Connection, model: str, at: str) -> None:
        known = select(schema.model.c.name).where(schema.model.c.name == model)
        if connection.execute(known).one_or_none() is None:
            connection.execute(insert(schema.model).values(name=model, created_at=at))

    def _write_version(self, connection: Connection, version: Version, decision: Decision) -> None:
        place = Path(version.folder)
        if place.is_absolute() and place.is_relative_to(self.root):
            place = place.relative_to(self.root)  # the store may be moved
        kept = replace(version, folder=place.as_posix())
        row = {
            "model": version.model,
            "number": version.number,
            "folder": kept.folder,
            "sha256": version.sha256,
            "record": as_plain(kept),
            "run": int(decision.run) if decision.run else None,
            "decision": decision.id,
            "state": "refused" if version.state == "refused" else "challenger",
            "created_at": self._now(),
        }
        try:
            connection.execute(insert(schema.version).values(**row))
        except IntegrityError as error:
            raise Refused(
                f"version {version.name} of {version.model!r} is already in the store",
                got=f"another {version.name}",
                expected="a version number that is new",
                do="repeat the same command: finished trials are kept",
            ) from error

    def _now(self) -> str:
        return self.clock().astimezone(UTC).isoformat(timespec="microseconds")


def _beat(store: weakref.ref[Journal], run: RunHandle) -> Callable[[], bool]:
    def beat() -> bool:
        journal = store()
        if journal is not None:
            journal.heartbeat(run)
        return journal is not None

    return beat


def _write_decision(connection: Connection, decision: Decision, run: RunHandle | None) -> Decision:
    """Append ``decision``; gives it back as every later reader gets it."""
    record = as_plain(replace(decision, run=decision.run or (run.id if run else ""), id=0))
    kept = from_plain(Decision, record)
    row = {
        "model": kept.model,
        "kind": kept.kind,
        "at": record["at"],
        "run": int(kept.run) if kept.run else None,
        "version": kept.version,
        "by": outbox.plain_text(kept.by)[:BY_CHARS],  # the record holds all of it
        "epoch": run.epoch if run else None,
        "record": record,
    }
    made = connection.execute(insert(schema.decision).values(**row)).inserted_primary_key
    return replace(kept, id=_first(made))


def _first(key: Any) -> int:
    return int(key[0])


def _elsewhere(root: Path, n_versions: int, first: str | None) -> SettingsError:
    return SettingsError(
        f"the files of this store's {n_versions} versions are not in {root}",
        got="a folder without models",
        expected=f"the folder that was {first} when the store was made"
        if first
        else "the folder that was beside the store when it was made",
        do="name it with EVERFIT_FILES or as files in [store] of everfit.toml",
    )


def _no_folder(version: Version) -> ArtefactRefused:
    return ArtefactRefused(
        f"{version.name} of {version.model!r} cannot be committed: its folder is not there",
        got=version.folder,
        expected="a packed version that was placed in the store",
        do="pack it again",
    )
