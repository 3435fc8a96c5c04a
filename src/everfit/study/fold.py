"""One fit: learn from the history of one cut, answer its asks, and keep both as files."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from everfit.errors import LearnerFailed
from everfit.events import Past, Reads
from everfit.learners import make
from everfit.learners.contract import FitBudget, History, answered, reads_of
from everfit.learners.golden import golden_places, keep_golden
from everfit.lists.metrics import repeated
from everfit.plain import as_plain
from everfit.records import Array, Form
from everfit.study.workspace import Material, known, pick_up

ALL_ROWS = -1  # the cut that holds nothing back
SOUND = {"probabilities": "; rows that sum to 1", "lists": "; codes of items, each once a row"}


def fit_fold(
    *,
    workspace: str,
    folder: str,
    learner: str,
    settings: Mapping[str, Any],
    cut: int,
    form: Form,
    n_outputs: int,
    seed: int,
    seconds: float,
    threads: int,
    rounds: int | None,
) -> dict[str, Any]:
    """Fit one hypothesis on one cut; ``cut`` -1 fits all rows and asks nothing.

    ``folder`` appears only when everything in it is complete: ``answers.npz`` (ids, values),
    ``fit.json`` (seconds, facts, the part of the scoring plan) and the learner's native files.
    """
    until = time.monotonic() + seconds
    material = pick_up(Path(workspace))
    everything = np.arange(material.features.n_rows)
    chosen = material.cuts[cut].history if cut != ALL_ROWS else everything
    history_rows, target, weight = known(material.truth, chosen)
    maker = make(learner, settings)
    known_before = _Before(material, form, reads_of(maker), history_rows)
    history = History(
        material.features.take(history_rows),
        target,
        form,
        n_outputs,
        seed,
        weight,
        known_before(history_rows),
        material.items,
        material.n_items,
    )
    budget = FitBudget(seconds, threads, rounds, lambda: until - time.monotonic())

    began = time.monotonic()
    fitted = maker.fit(history, budget)
    fit_s = time.monotonic() - began

    temporary = Path(f"{folder}.part-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    predict_us = 0.0
    if cut != ALL_ROWS:
        asked = material.cuts[cut].asked
        began = time.monotonic()
        values = answered(fitted, material.features.take(asked), known_before(asked))
        _check(values, len(asked), form, n_outputs, material.n_items)
        predict_us = 1e6 * (time.monotonic() - began) / max(1, len(asked))
        np.savez(temporary / "answers.npz", ids=asked, values=values)
    part = fitted.save(temporary)
    if cut == ALL_ROWS:
        places = golden_places(material.features)
        keep_golden(temporary, part, material.features, places, known_before(places))
    record = {
        "fit_s": fit_s,
        "predict_us": predict_us,
        "facts": as_plain(dict(fitted.facts_)),
        "part": as_plain(part),
    }
    (temporary / "fit.json").write_text(json.dumps(record))
    _move(temporary, Path(folder))
    return record


class _Before:
    """What was known of rows before them, among the rows of one history; None if nobody reads it.

    A learner sees no row that its cut holds back, nor one that is not earlier than the ask.
    """

    def __init__(self, material: Material, form: Form, reads: Reads | None, seen: Array) -> None:
        self._reads, self._seen = reads, seen
        self._timeline = None if reads is None else material.timeline(form)

    def __call__(self, rows: Array) -> Past | None:
        if self._reads is None or self._timeline is None:
            return None
        return self._timeline.before(rows, seen=self._seen, n=self._reads.events)


def _check(values: Array, n: int, form: Form, n_outputs: int, n_items: int) -> None:
    """Refuse answers that are none, as a learner of another package may give."""
    shaped = values.shape == (n, n_outputs) and bool(np.isfinite(values).all())
    if shaped and form == "probabilities":
        shaped = np.allclose(values.sum(axis=1), 1.0, atol=1e-6)
    if shaped and form == "lists":
        shaped = _are_lists(values[:, : n_outputs // 2], n_items)
    if not shaped:
        raise LearnerFailed(
            "the learner's answers cannot be used",
            got=f"shape {values.shape}, {int((~np.isfinite(values)).sum())} not finite",
            expected=f"finite values of shape {(n, n_outputs)}" + SOUND.get(form, ""),
        )


def _are_lists(codes: Array, n_items: int) -> bool:
    whole = bool((codes == np.floor(codes)).all())
    return (
        whole
        and bool((codes >= -1).all() and (codes < n_items).all())
        and not repeated(codes).any()
    )


def _move(temporary: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
