"""What ``--json`` prints: one object a command, snake_case, times in UTC, null for not a number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from everfit.faces.words.board import plain_rows
from everfit.loop import RunResult
from everfit.plain import as_plain
from everfit.records import Assessment, Decision
from everfit.tasks import TASKS

SCHEMA_VERSION = 1


def envelope(command: str, **fields: Any) -> dict[str, Any]:
    """The object that every command prints: schema_version and command first.

    Examples
    --------
    >>> envelope("models", models=[])
    {'schema_version': 1, 'command': 'models', 'models': []}
    """
    plain = {key: as_plain(value) for key, value in fields.items()}
    return {"schema_version": SCHEMA_VERSION, "command": command, **plain}


def dump(shape: Mapping[str, Any]) -> str:
    """JSON text; a number that is not finite is refused, because no reader could parse it.

    Examples
    --------
    >>> dump({"a": 1.5, "word": "naïve"})
    '{"a": 1.5, "word": "naïve"}'
    """
    return json.dumps(shape, ensure_ascii=False, allow_nan=False, default=str)


def run_shape(result: RunResult, *, budget_s: float, interrupted: bool = False) -> dict[str, Any]:
    """The result of a run."""
    study = result.study
    score = as_plain(study.candidate.score)
    return envelope(
        "run",
        model=result.model,
        run=result.run,
        version=result.version and result.version.name,
        champion=result.champion and result.champion.name,
        score={
            "metric": study.problem.metric,
            "better": TASKS[study.problem.task].better(study.problem.metric),
            **score,
            "speaks_of": study.candidate.speaks_of,
        },
        problem=study.problem,
        decision=decision_shape(result.decision),
        leaderboard=plain_rows(study),
        findings=result.assessment.findings,
        segments=study.candidate.segments,
        stopped=study.stopped,
        not_tried=study.not_tried,
        seconds=result.seconds,
        budget_s=budget_s,
        interrupted=interrupted,
        store=result.store,
    )


def assess_shape(assessment: Assessment, *, model: str, store: str) -> dict[str, Any]:
    """An assessment on its own, and where it was kept."""
    return envelope("assess", model=model, store=store, **as_plain(assessment))


def decision_shape(decision: Decision) -> dict[str, Any]:
    """One decision of the ledger."""
    plain: dict[str, Any] = as_plain(decision)
    return plain


def why_shape(model: str, decisions: Iterable[Decision]) -> dict[str, Any]:
    """The ledger of a model, newest first."""
    newest = sorted(decisions, key=lambda d: (d.at, d.id), reverse=True)
    return envelope("why", model=model, decisions=[decision_shape(d) for d in newest])
