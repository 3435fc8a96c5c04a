"""Hypotheses of the user: models of their own that join the race."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from everfit.learners import make, outside
from everfit.learners.foreign import bring, carry
from everfit.records import Hypothesis


def own_hypotheses(
    learners: Sequence[Any], folder: Path
) -> tuple[tuple[Hypothesis, ...], tuple[str, ...]]:
    """Hypotheses for ``learners`` and for installed packages that offer some; and warnings.

    A learner is ``"path.py:ClassName"``, a learner's name, or an estimator with ``fit`` and
    ``predict``; estimators are written into ``folder`` for the processes that fit them. Each is
    tried out here, so that a mistake in it is an error at once and not a failed trial later.

    Raises
    ------
    UsageError, SourceMissing : one cannot be found or made
    """
    found: list[Hypothesis] = []
    for learner in learners:
        if isinstance(learner, Hypothesis):
            make(learner.learner, learner.settings)
            found.append(learner)
        elif isinstance(learner, str) and ":" not in learner:
            make(learner, {})
            found.append(Hypothesis(learner, learner, {}, "you asked for it", "user"))
        elif isinstance(learner, str):
            bring(learner, {}, {})
            place, _, name = learner.rpartition(":")
            settings = {"source": f"{Path(place).resolve()}:{name}"}
            found.append(Hypothesis(name, "foreign", settings, f"your own, {learner}", "user"))
        else:
            name = type(learner).__name__
            why = "your own model, as you gave it"
            found.append(Hypothesis(name, "foreign", carry(learner, folder), why, "user"))
    offered, warnings = outside()
    for name in offered:
        why = "an installed package offers it"
        found.append(Hypothesis(name, name, {}, why, "user"))
    return _numbered(found), warnings


def identity(hypothesis: Hypothesis) -> dict[str, Any]:
    """What a hypothesis is, whatever folder its files lie in: the key of its fits.

    A model of the user is known by the content of its file: once it was edited it is another one.
    """
    settings = dict(hypothesis.settings)
    source = str(settings.get("source", ""))
    kind, _, place = source.partition(":")
    if kind == "scratch":  # the files are named by the hash of what they hold
        modules = dict(settings.get("modules", {}))
        return {"source": Path(place).name, "modules": [Path(m).name for m in modules.values()]}
    path = Path(source.rpartition(":")[0])
    if source and path.is_file():
        settings["source"] = (
            hashlib.sha256(path.read_bytes()).hexdigest() + source[len(str(path)) :]
        )
    return settings


def _numbered(hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Distinct names, so that a leaderboard with two estimators of one class can be read."""
    seen: dict[str, int] = {}
    distinct = []
    for hypothesis in hypotheses:
        seen[hypothesis.name] = seen.get(hypothesis.name, 0) + 1
        count = seen[hypothesis.name]
        name = hypothesis.name if count == 1 else f"{hypothesis.name} ({count})"
        distinct.append(
            Hypothesis(name, hypothesis.learner, hypothesis.settings, hypothesis.why, "user")
        )
    return tuple(distinct)
