"""What a version must pass before it may serve: small functions, one ``Because`` each.

A gate that cannot be measured has ``passed`` None and says why; it does not stop a release by
itself. Every gate is always in the record, whether it stopped anything or not.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from everfit.evidence.interval import Interval
from everfit.evidence.paired import paired_gain
from everfit.orphan import PARENT
from everfit.records import Array, Because, Candidate, Policy, Segment, Version
from everfit.release.manifest import manifest_holds as manifest_holds  # noqa: PLC0414

LOSS = "mean loss"
VERIFY = "everfit.serve.verify"
LEAST_S = 10.0  # a process needs this to say anything on a busy machine, whatever is left
SEGMENT_ROWS = 30  # below this a segment's mean says too little to stop a release


@dataclass(frozen=True, slots=True)
class FreshLoad:
    """What a version did in a new process: ``row_us`` is the median of one row in microseconds."""

    loaded: bool
    reproduced: bool | None
    row_us: float | None
    error: str = ""
    seconds: float = 0.0


def is_champion(to: Version) -> Because:
    """A move to where the champion is: no move."""
    note = f"{to.name} is the champion already"
    return Because("another version than the champion", False, note=note)


def passed(gates: Iterable[Because]) -> bool:
    """Whether no gate says no.

    Examples
    --------
    >>> passed([Because("a", True), Because("b", None)]), passed([Because("a", False)])
    (True, False)
    """
    return all(gate.passed is not False for gate in gates)


def beats_floor(candidate: Candidate, *, serves: bool = False) -> Because:
    """Better than the best floor beyond noise: the range of the gain lies above 0.

    With ``serves`` the floor itself may be released when nothing was clearly better.
    """
    gain = candidate.gain_on_floor
    if serves and is_stage(candidate, "floor"):
        note = f"it is the floor itself, {candidate.name}: nothing was clearly better"
        return Because("better than the floor", True, n=candidate.score.n, note=note)
    if math.isnan(gain.mid):
        return Because("better than the floor", False, limit=0.0, note="no floor was judged")
    return _gain("better than the floor", gain, gain.low > 0)


def beats_simple(candidate: Candidate, *, floor_serves: bool = False) -> Because:
    """Better than the simple model beyond noise, or the simple model itself."""
    rule = "better than the simple model"
    if floor_serves and is_stage(candidate, "floor"):
        return Because(rule, None, limit=0.0, note="it is the floor, which is simpler")
    if is_simple(candidate):
        return Because(rule, True, n=candidate.score.n, note="it is the simple model")
    gain = candidate.gain_on_simple
    if math.isnan(gain.mid):
        return Because(rule, None, limit=0.0, note="no simple model was judged")
    return _gain(rule, gain, gain.low > 0)


def is_simple(candidate: Candidate) -> bool:
    """Whether the candidate is the simple model alone."""
    return is_stage(candidate, "simple")


def is_stage(candidate: Candidate, stage: str) -> bool:
    """Whether all members of the candidate are hypotheses of one stage."""
    return all(member.hypothesis.stage == stage for member in candidate.members)


def load_fresh(
    folder: Path,
    *,
    left_s: float,
    trusted: Sequence[str] = (),
    module: str = VERIFY,
    python: str = sys.executable,
) -> FreshLoad:
    """Load ``folder`` in a new process that answers its golden rows and times one row.

    A first load never happens in this process: a damaged model file can end the process that reads
    it. With little time left it runs all the same, cut off after ``LEAST_S`` seconds. ``trusted``
    names types of a user's own estimator that may be loaded.
    """
    began = time.monotonic()
    try:
        told = subprocess.run(
            [python, "-m", module, str(folder), *trusted],
            capture_output=True,
            text=True,
            timeout=max(left_s, LEAST_S),
            check=False,
            env=os.environ | {PARENT: str(os.getpid())},  # it does not outlive us
            start_new_session=True,  # Ctrl-C on a terminal is for us, and must not fail a version
        )
    except subprocess.TimeoutExpired as error:
        return FreshLoad(False, None, None, f"no answer in {error.timeout:.0f} s", error.timeout)
    except OSError as error:
        return FreshLoad(False, None, None, f"no process could be started: {error}")
    seconds = time.monotonic() - began
    found = fresh_of(told.stdout, seconds)
    if found is None:
        lines = told.stderr.strip().splitlines() or [f"it ended with {told.returncode}"]
        return FreshLoad(False, None, None, lines[-1][:300], seconds)
    return found


def fresh_of(said: str, seconds: float) -> FreshLoad | None:
    """What a process that loaded a version wrote; None when it ended before it could."""
    try:
        return _fresh(json.loads(said.strip().splitlines()[-1]), seconds)
    except (ValueError, IndexError):
        return None


def loads(fresh: FreshLoad) -> Because:
    """It loads in a process that knows nothing but its folder."""
    return Because(
        "loads in a fresh process",
        fresh.loaded,
        measured=round(fresh.seconds, 3),
        unit="s",
        note="" if fresh.loaded else fresh.error,
    )


def reproduces(fresh: FreshLoad) -> Because:
    """It answers its golden rows as the learners did when it was packed."""
    rule = "reproduces its golden rows"
    if not fresh.loaded:
        return Because(rule, None, note="it did not load")
    return Because(rule, fresh.reproduced, note="" if fresh.reproduced else fresh.error)


def fast_enough(fresh: FreshLoad, policy: Policy) -> Because:
    """One row takes no longer than the policy allows, at the median."""
    rule = "answers one row in time"
    by = policy.set_by.get("latency_ms", "default")
    if fresh.row_us is None or not math.isfinite(fresh.row_us):
        return Because(
            rule, None, limit=policy.latency_ms, limit_by=by, unit="ms", note="was not timed"
        )
    took_ms = fresh.row_us / 1000
    return Because(
        rule,
        took_ms <= policy.latency_ms,
        measured=took_ms,
        limit=policy.latency_ms,
        limit_by=by,
        unit="ms",
    )


def guards_segments(
    loss_new: Array, loss_old: Array, segments: Mapping[str, Array], policy: Policy, against: str
) -> Because:
    """No segment lost more than the guardrail beyond noise against ``against``.

    Parameters
    ----------
    loss_new, loss_old : shape (n,), losses of the same units; old is the champion's
    segments : by name, bool (n,): who belongs to it

    Notes
    -----
    A segment fails when the lower end of mean(new - old), at 1 - alpha / segments (Bonferroni), is
    above ``policy.guardrail`` times mean(old) of the segment. What is shown is the worst segment.
    """
    rule = f"no segment clearly worse than {against}"
    by = policy.set_by.get("guardrail", "default")
    judged = {name: rows for name, rows in segments.items() if rows.sum() >= SEGMENT_ROWS}
    if not judged:
        note = f"no segment has {SEGMENT_ROWS} rows"
        return Because(rule, None, limit=policy.guardrail, limit_by=by, note=note)
    worst: tuple[float, Because] | None = None
    for name, rows in judged.items():
        gain = paired_gain(loss_new[rows], loss_old[rows], alpha=policy.alpha / len(judged))
        base = float(np.mean(loss_old[rows]))
        scale = base if base > 0 else 1.0
        low, mid, high = -gain.high / scale, -gain.mid / scale, -gain.low / scale
        because = Because(
            rule,
            not low > policy.guardrail,
            measured=mid,
            low=low,
            high=high,
            n=int(rows.sum()),
            limit=policy.guardrail,
            limit_by=by,
            unit="share of its loss",
            note=f"worst of {len(judged)} segments: {name}",
        )
        if worst is None or low > worst[0]:
            worst = low, because
    return worst[1] if worst else Because(rule, None)


def spares_segments(harmed: Sequence[Segment]) -> Because:
    """A first release serves no segment worse than the floor does, beyond chance."""
    rule = "no segment clearly worse than the floor"
    if not harmed:
        return Because(rule, True)
    worst = harmed[0]
    gap = worst.gap
    return Because(
        rule, False, gap.mid, gap.low, gap.high, worst.n, limit=0.0, unit=LOSS, note=worst.name
    )


def tells_segments(segments: Sequence[Segment], policy: Policy) -> Because:
    """The weakest segment against the rest of the rows: told, and never a reason to refuse.

    A group of rows that is harder than the others is a fact of the data. It only becomes a fault
    of a version against another version's answers on the same rows.
    """
    rule = "weakest segment against the rest"
    weak = [segment for segment in segments if segment.gap.low > 0]
    if not weak:
        note = f"none of {len(segments)} segments is clearly worse" if segments else "none found"
        return Because(rule, True, note=note)
    worst = max(weak, key=lambda segment: segment.gap.low)
    gap = worst.gap
    return Because(
        rule, None, gap.mid, gap.low, gap.high, worst.n, unit=LOSS, note=f"{worst.name} is harder"
    )


def _gain(rule: str, gain: Interval, holds: bool) -> Because:
    return Because(rule, holds, gain.mid, gain.low, gain.high, gain.n, limit=0.0, unit=LOSS)


def _fresh(said: Any, seconds: float) -> FreshLoad:
    """What the child said; anything that is not as agreed counts as not loaded."""
    if not isinstance(said, dict):
        return FreshLoad(False, None, None, f"it said {str(said)[:100]!r}", seconds)
    ok = said.get("ok") is True
    row_us = said.get("row_us")
    timed = float(row_us) if isinstance(row_us, (int, float)) and row_us > 0 else None
    # a version that was timed did load: what then failed are its golden rows
    loaded = ok or timed is not None
    return FreshLoad(loaded, ok if loaded else None, timed, str(said.get("error") or ""), seconds)
