"""Builders that keep the tests of the store short."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from everfit.evidence.interval import Interval
from everfit.records import Because, Decision, Problem, Version
from everfit.store import Journal, RunHandle

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def decision(model: str = "churn", kind: str = "released", **fields: Any) -> Decision:
    """A decision with one rule behind it."""
    because = (Because("gain on the floor", True, 0.1, 0.05, 0.15, n=700, limit=0.0),)
    return Decision(model, kind, f"{kind} it", because=because, at=AT, **fields)


def version(
    number: int, folder: Path | str = ".", *, model: str = "churn", **fields: Any
) -> Version:
    """Version ``number`` of a model."""
    return Version(
        model=model,
        number=number,
        folder=str(folder),
        sha256=str(number) * 64,
        problem=Problem("classify", "churned", "log_loss", "probabilities", ("no", "yes")),
        score=Interval(0.41, 0.43, 0.45, n=700),
        run="1",
        candidate="CatBoost",
        created_at=AT,
        **fields,
    )


def packed(store: Journal, number: int, text: str = "model", *, model: str = "churn") -> Path:
    """A small version folder, placed in the store."""
    with store.artefacts.writing(model, number) as folder:
        (folder / "manifest.json").write_text(json.dumps({"number": number}))
        (folder / "m0").mkdir()
        (folder / "m0" / "model.txt").write_text(text)
    return store.artefacts.folder(model, number)


def release(
    store: Journal, run: RunHandle | None, number: int, *, model: str = "churn"
) -> Decision:
    """Commit version ``number`` as champion, the champion so far as previous."""
    before = store.champion(model)
    moves: dict[str, int | None] = {"champion": number}
    if before is not None:
        moves["previous"] = before.number
    made = version(number, packed(store, number, model=model), model=model)
    return store.commit(decision(model), version=made, aliases=moves, run=run)


def side_by_side(acts: Sequence[Callable[[], object]]) -> list[int]:
    """Do all ``acts`` at once, each in a process of its own; exit codes, or minus the signal."""
    children = []
    for act in acts:
        pid = os.fork()
        if pid == 0:
            try:
                act()
                os._exit(0)
            except BaseException as error:
                os.write(2, repr(error).encode())
                os._exit(1)
        children.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
