"""Hypotheses of the user: models of their own that join the race."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from everfit.data.table import Table
from everfit.events import Reads
from everfit.learners import make, outside
from everfit.learners.foreign import bring, carry
from everfit.learners.reading import declared, one_key
from everfit.records import Hypothesis


def own_hypotheses(
    learners: Sequence[Any], folder: Path, table: Table | None = None
) -> tuple[tuple[Hypothesis, ...], tuple[str, ...]]:
    """Hypotheses for ``learners`` and for installed packages that offer some; and warnings.

    A learner is ``"path.py:ClassName"``, a learner's name, or an estimator with ``fit`` and
    ``predict``; estimators are written into ``folder`` for the processes that fit them. Each is
    tried out here, so that a mistake in it is an error at once and not a failed trial later.
    ``table`` is what they shall learn from: one that reads history must find its key there.

    Raises
    ------
    UsageError, SourceMissing : one cannot be found or made
    ColumnMissing : one reads the history of a column that the table has not
    """
    found: list[Hypothesis] = []
    reading: list[Reads] = []

    def history(estimator: Any) -> dict[str, Any]:
        reads = declared(estimator, table)
        if reads is None:
            return {}
        reading.append(reads)
        return {"history": reads.as_dict()}

    for learner in learners:
        if isinstance(learner, Hypothesis):
            make(learner.learner, learner.settings)
            found.append(learner)
        elif isinstance(learner, str) and ":" not in learner:
            make(learner, {})
            found.append(Hypothesis(learner, learner, {}, "you asked for it", "user"))
        elif isinstance(learner, str):
            more = history(bring(learner, {}, {}))
            place, _, name = learner.rpartition(":")
            settings = {"source": f"{Path(place).resolve()}:{name}"} | more
            found.append(Hypothesis(name, "foreign", settings, f"your own, {learner}", "user"))
        else:
            name = type(learner).__name__
            why = "your own model, as you gave it"
            settings = carry(learner, folder) | history(learner)
            found.append(Hypothesis(name, "foreign", settings, why, "user"))
    offered, warnings = outside()
    for name, cls in offered.items():
        why = "an installed package offers it"
        more = {} if hasattr(cls, "answer") else history(cls)
        settings = {"source": f"entry:{name}"} | more if more else {}
        found.append(Hypothesis(name, "foreign" if more else name, settings, why, "user"))
    one_key(reading)
    return _numbered(found), warnings


def histories(hypotheses: Sequence[Hypothesis]) -> tuple[Reads, ...]:
    """Which histories hypotheses of the user read."""
    found = [Reads.of(one.settings.get("history")) for one in hypotheses]
    return tuple(reads for reads in found if reads is not None)


def identity(hypothesis: Hypothesis) -> dict[str, Any]:
    """What a hypothesis is, whatever folder its files lie in: the key of its fits.

    A model of the user is known by the content of its file: once it was edited it is another one.
    """
    settings = dict(hypothesis.settings)
    source = str(settings.get("source", ""))
    kind, _, place = source.partition(":")
    if kind == "scratch":  # the files are named by the hash of what they hold
        modules = dict(settings.get("modules", {}))
        read = {"history": settings["history"]} if "history" in settings else {}
        named = [Path(m).name for m in modules.values()]
        return {"source": Path(place).name, "modules": named} | read
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
