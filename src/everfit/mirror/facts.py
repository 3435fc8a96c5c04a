"""Our records in the words of an MLflow server: parameters, metrics and tags, within its limits.

MLflow: keys of at most 250 letters, digits and ``_-. :/``; values of parameters up to 6,000 and of
tags up to 8,000 characters; metrics are finite floats; at most 100 parameters, 100 tags and 1,000
metrics in one request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from everfit.evidence.interval import Interval
from everfit.mirror.outbox import without_secrets
from everfit.plain import from_plain
from everfit.records import Decision, Trial, Version

ITEM, STORE = "everfit.item", "everfit.store"
KEY, VALUE = 250, 5_000
RUN_STATES = {"done": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
TRIAL_STATES = {"done": "FINISHED", "failed": "FAILED"}  # all others were stopped: KILLED
_ODD = re.compile(r"[^A-Za-z0-9_\-. :/]")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is said about one run of the mirror; ``metrics`` are (name, value, step).

    ``state`` is FINISHED, FAILED or KILLED; times in ms since 1970 UTC.
    """

    name: str
    state: str
    started_ms: int
    ended_ms: int
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[tuple[str, float, int], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def of_run(run: Any, result: Mapping[str, Any], decisions: Iterable[Decision]) -> Facts:
    """A pass of the loop: what was asked, what came out, and its rows of the ledger.

    Parameters
    ----------
    run : a row of ``House.runs``
    result : what the run found, as ``House.result`` gives it; empty when it did not come so far
    """
    study = result.get("study") or {}
    assessment = result.get("assessment") or {}
    metrics: list[tuple[str, float | None]] = [
        ("rows", assessment.get("n_rows")),
        ("trials", len(study["trials"]) - len(_not_begun(study)) if study else None),
        ("seconds", (run.ended_at - run.started_at).total_seconds() if run.ended_at else None),
        *_ends("floor_loss", assessment.get("floor")),
    ]
    candidate = study.get("candidate") or {}
    if candidate:
        metrics += _ends(study["problem"]["metric"], candidate["score"])
        metrics += _ends("loss", candidate["loss"])
        metrics += _ends("gain_on_floor", candidate["gain_on_floor"])
        metrics += _ends("gain_on_simple", candidate["gain_on_simple"])
    told = [f"* {d.kind}: {d.headline}" for d in decisions if d.run == run.id]
    tags = {
        "everfit.state": run.state,
        "everfit.candidate": candidate.get("name", ""),
        "everfit.speaks_of": candidate.get("speaks_of", ""),
        "everfit.stopped": study.get("stopped", ""),
        "everfit.not_begun": ", ".join(_not_begun(study)),
        "mlflow.note.content": "\n".join(reversed(told)),
    }
    started = _ms(run.started_at)
    return Facts(
        name=f"run {run.id}",
        state=RUN_STATES.get(run.state, "KILLED"),
        started_ms=started,
        ended_ms=_ms(run.ended_at) if run.ended_at else started,
        params=params(run.spec),
        metrics=finite((name, value, 0) for name, value in metrics),
        tags=tags_of(tags),
    )


def of_trial(plain: Mapping[str, Any], metric: str, run: Facts) -> Facts:
    """One trial of a run: learner and settings, its scores fold by fold, and why it was tried."""
    trial = from_plain(Trial, plain)
    idea = trial.hypothesis
    metrics: list[tuple[str, float | None, int]] = [
        *((name, value, 0) for name, value in _ends(metric, trial.score)),
        *((name, value, 0) for name, value in _ends("loss", trial.loss)),
        *(("fold_loss", loss, fold) for fold, loss in enumerate(trial.fold_losses)),
        ("folds", trial.folds, 0),
        ("fit_s", trial.fit_s, 0),
        ("predict_us", trial.predict_us, 0),
    ]
    tags = {
        "everfit.stage": idea.stage,
        "everfit.status": trial.status,
        "everfit.reason": trial.reason,
        "mlflow.note.content": idea.why,
    }
    return Facts(
        name=text(f"{trial.number} {idea.name}"),
        state=TRIAL_STATES.get(trial.status, "KILLED"),
        started_ms=run.started_ms,
        ended_ms=run.ended_ms,
        params=params({"learner": idea.learner, **idea.settings}),
        metrics=finite(metrics),
        tags=tags_of(tags),
    )


def of_version(version: Version, decisions: Iterable[Decision]) -> tuple[dict[str, str], str]:
    """The tags of a version, and its description: the newest decision about it."""
    about = [d for d in decisions if d.version == version.name]
    score = version.score
    tags = {
        "everfit.version": version.name,
        "everfit.sha256": version.sha256,
        "everfit.run": version.run,
        "everfit.candidate": version.candidate,
        "everfit.created_at": version.created_at.isoformat(),
        "everfit.metric": version.problem.metric,
        "everfit.score": f"{score.mid:.6g}",
        "everfit.score_low": f"{score.low:.6g}",
        "everfit.score_high": f"{score.high:.6g}",
        "everfit.target": version.problem.target,
    }
    return tags_of(tags), about[0].headline if about else ""


def line_of(decision: Decision) -> str:
    """A row of the ledger as one line."""
    at = f"{decision.at:%Y-%m-%d %H:%M:%S} UTC"
    return text(f"{at}, {decision.kind} by {decision.by}: {decision.headline}")


def params(given: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings as flat parameters; what is empty is left out.

    Examples
    --------
    >>> params({"seed": 0, "policy": {"alpha": 0.05}, "kinds": {}, "n": None})
    {'seed': '0', 'policy.alpha': '0.05'}
    """
    flat: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            flat |= params(value, f"{prefix}{name}.")
        elif value not in (None, "", [], ()):
            listed = isinstance(value, (list, tuple))
            told = ", ".join(map(str, value)) if listed else str(value)
            flat[key(prefix + name)] = text(told)
    return flat


def tags_of(given: Mapping[str, str]) -> dict[str, str]:
    """Tags that are not empty, cut to what the server takes."""
    return {key(name): text(value) for name, value in given.items() if value}


def key(name: str) -> str:
    """``name`` as a key that the server takes.

    Examples
    --------
    >>> key("plan=trial (new)")
    'plan_trial _new_'
    """
    return _ODD.sub("_", name)[:KEY]


def text(value: str) -> str:
    """``value`` without passwords in URLs, as a database keeps it, cut to what the server takes.

    Examples
    --------
    >>> text("a\\x00b from s3://key:secret@bucket")
    'a?b from s3://bucket'
    """
    plain = without_secrets(value).replace("\0", "?").encode("utf-8", "replace").decode("utf-8")
    return plain if len(plain) <= VALUE else plain[: VALUE - 3] + "..."


def finite(
    metrics: Iterable[tuple[str, float | None, int]],
) -> tuple[tuple[str, float, int], ...]:
    """The metrics that are finite numbers, under keys that the server takes.

    Examples
    --------
    >>> finite([("auc", 0.8, 0), ("loss", float("nan"), 0), ("gain", None, 0)])
    (('auc', 0.8, 0),)
    """
    return tuple(
        (key(name), float(value), step)
        for name, value, step in metrics
        if value is not None and math.isfinite(value)
    )


def _not_begun(study: Mapping[str, Any]) -> list[str]:
    trials = study.get("trials") or ()
    return [trial["hypothesis"]["name"] for trial in trials if trial["status"] == "skipped"]


def _ends(
    name: str, interval: Interval | Mapping[str, Any] | None
) -> list[tuple[str, float | None]]:
    """An interval as three metrics: the middle under ``name``, and both ends."""
    if interval is None:
        return []
    known = interval if isinstance(interval, Interval) else from_plain(Interval, interval)
    return [(name, known.mid), (f"{name}_low", known.low), (f"{name}_high", known.high)]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
