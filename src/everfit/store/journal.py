"""Writing a store: each public method is one transaction, fenced by the holder's epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from everfit.errors import ArtefactRefused
from everfit.records import Decision, Step, Version
from everfit.store import outbox
from everfit.store import steps as done
from everfit.store.contract import Mirrored, RunHandle, Traffic
from everfit.store.entries import write_decision, write_version
from everfit.store.ledger import known_model
from everfit.store.moves import move, revisions, share_out
from everfit.store.runs import Runs


class Journal(Runs):
    """A store in an SQL database with folders beside it. See ``contract.Store``."""

    def commit(
        self,
        decision: Decision,
        *,
        version: Version | None = None,
        aliases: Mapping[str, int | None] | None = None,
        run: RunHandle | None = None,
        seen: Mapping[str, int] | None = None,
        traffic: Traffic | None = None,
        steps: Sequence[Step] = (),
    ) -> Decision:
        """Write a decision with the version, moves and steps it made, in one transaction."""
        if version is not None and not decision.version:
            decision = replace(decision, version=version.name)
        if version is not None and not Path(self.root, version.folder).is_dir():
            raise _no_folder(version)
        with self.database.write() as connection:
            known_model(connection, decision.model)
            if run is not None:
                self.renew(connection, run)
            expected = revisions(connection, decision.model, run, seen)
            written = write_decision(connection, decision, run)
            if version is not None:
                write_version(connection, version, written, root=self.root, at=self._now())
            for name, number in (aliases or {}).items():
                move(connection, written, name, number, expected.get(name, 0), self._now())
            if traffic is not None:
                share_out(connection, written, traffic)
            epoch = run.epoch if run else 0
            done.add(connection, decision.model, steps, epoch, decision=written.id)
        return written

    def note(self, hold: RunHandle, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Keep steps that decided nothing, in one transaction; gives those that are new."""
        with self.database.write() as connection:
            self.renew(connection, hold)
            return done.add(connection, hold.model, steps, hold.epoch)

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


def _no_folder(version: Version) -> ArtefactRefused:
    return ArtefactRefused(
        f"{version.name} of {version.model!r} cannot be committed: its folder is not there",
        got=version.folder,
        expected="a packed version that was placed in the store",
        do="pack it again",
    )
