"""What screens read, made of what the store kept; nothing is computed anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everfit.evidence.interval import Interval
from everfit.plain import from_plain
from everfit.records import Decision, Trial, Version
from everfit.store.contract import Reading, RunRow


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One model at a glance: what serves, how good it is, what was last decided.

    ``running`` is the run in progress; ``metric`` and ``score`` are the champion's.
    """

    model: str
    champion: str
    metric: str
    score: Interval | None
    n_versions: int
    n_runs: int
    last_decision: Decision | None
    running: RunRow | None


@dataclass(frozen=True, slots=True)
class LeaderRow:
    """One trial of a run; ``rank`` is None for a trial that was not judged to its end.

    ``fit_s`` in seconds, ``predict_us`` in microseconds a row; ``score`` in the metric's unit.
    """

    rank: int | None
    trial: int
    name: str
    learner: str
    why: str
    stage: str
    status: str
    reason: str
    score: Interval | None
    fit_s: float
    predict_us: float


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version: its role, score, the run it came from and the decision about it."""

    version: Version
    why: str
    decided_at: datetime | None


def status(store: Reading) -> tuple[StatusRow, ...]:
    """One row a model, by name."""
    return tuple(_status(store, model) for model in store.models())


def leaderboard(store: Reading, model: str, run: str | None = None) -> tuple[LeaderRow, ...]:
    """The trials of a run, best loss first; of the newest finished run when ``run`` is None.

    Raises
    ------
    ModelUnknown : no such model
    """
    study = store.result(model, run).get("study") or {}
    trials = [from_plain(Trial, trial) for trial in study.get("trials", ())]
    judged = [trial for trial in trials if trial.status == "done" and trial.loss is not None]
    judged.sort(key=lambda trial: trial.loss.mid if trial.loss else 0.0)
    rest = [trial for trial in trials if trial not in judged]
    rows = [_leader(trial, rank) for rank, trial in enumerate(judged, start=1)]
    return tuple(rows + [_leader(trial, None) for trial in rest])


def versions(store: Reading, model: str) -> tuple[VersionRow, ...]:
    """All versions, newest first, each with the newest decision about it.

    Raises
    ------
    ModelUnknown : no such model
    """
    newest: dict[str, Decision] = {}
    for decision in store.decisions(model, newest_first=False):
        newest[decision.version] = decision
    rows = []
    for version in store.versions(model):
        about = newest.get(version.name)
        rows.append(
            VersionRow(version, about.headline if about else "", about.at if about else None)
        )
    return tuple(rows)


def ledger(
    store: Reading, model: str, *, kinds: tuple[str, ...] = (), run: str | None = None
) -> tuple[Decision, ...]:
    """Decisions newest first, of some kinds or of one run when asked.

    Raises
    ------
    ModelUnknown : no such model
    """
    return tuple(
        decision
        for decision in store.decisions(model)
        if (not kinds or decision.kind in kinds) and run in (None, decision.run)
    )


def _status(store: Reading, model: str) -> StatusRow:
    found = store.versions(model)
    champion = next((version for version in found if version.state == "champion"), None)
    runs, decisions = store.runs(model), store.decisions(model)
    return StatusRow(
        model=model,
        champion=champion.name if champion else "",
        metric=champion.problem.metric if champion else "",
        score=champion.score if champion else None,
        n_versions=len(found),
        n_runs=len(runs),
        last_decision=decisions[0] if decisions else None,
        running=next((run for run in runs if run.state == "running"), None),
    )


def _leader(trial: Trial, rank: int | None) -> LeaderRow:
    idea = trial.hypothesis
    return LeaderRow(
        rank=rank,
        trial=trial.number,
        name=idea.name,
        learner=idea.learner,
        why=idea.why,
        stage=idea.stage,
        status=trial.status,
        reason=trial.reason,
        score=trial.score,
        fit_s=trial.fit_s,
        predict_us=trial.predict_us,
    )
