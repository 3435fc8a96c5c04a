"""A simulation on one screen: how good it was by month, what was done, and what it was good for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from everfit.faces.words.figures import counted, duration, loss_name, metric_name, number, place
from everfit.faces.words.grid import WIDTH, filled, grid, shorten
from everfit.faces.words.shapes import decision_shape, envelope
from everfit.plain import as_plain
from everfit.records import Decision
from everfit.simulate.answering import Judged
from everfit.simulate.result import FITS, Simulated, overall, parts_of
from everfit.simulate.world import Lived
from everfit.tasks import TASKS

BLOCKS = "▁▂▃▄▅▆▇█"
SPARK = 20  # columns of the line of a part
MOST = 8  # decisions of a kind that are told one by one
SAME = 0.002  # a difference of the loss that is no difference, as a share
MOVES = ("promoted", "rolled_back", "kept", "inconclusive", "not_evaluable", "proven")
ALARMS = ("degraded", "drifted", "called", "labels_wanted", "set_aside", "source_lost", "refused")
WORDS = {
    "did_nothing": "did nothing",
    "decided": "decided on a fit",
    "rolled_back": "rolled back",
    "not_evaluable": "could not be judged",
    "labels_wanted": "asked for outcomes",
    "set_aside": "set data aside",
    "source_lost": "lost a source",
    "called": "called a person",
    "rehearsed": "rehearsed a rollback",
}


def simulation_text(done: Simulated, *, width: int = WIDTH) -> str:
    """A simulation as text: verdict, scores by month, versions, alarms, fits, decisions."""
    lines = [*filled("", _head(done), indent=0), ""]
    lines += filled("Verdict", verdict(done))
    if done.windows:
        lines += ["", *_scores(done, width), ""]
    lines += _told("Moves", done.kind(*MOVES))
    lines += _told("Alarms", done.kind(*ALARMS))
    lines += filled("Fits", _fits(done))
    lines += filled("Decided", _counts(done.decisions))
    if done.drawn_again:
        again = "Rows were drawn again and again, so only the drifts that you asked for are in it."
        lines += filled("Note", again)
    lines += [f"{'Next':<9}{line}" for line in _next(done)]
    return "\n".join(lines)


def verdict(done: Simulated) -> str:
    """What the loop was good for: its loss beside that of the first version, never refitted."""
    if not done.windows:
        return "Stopped before the first window was over: nothing to tell yet."
    got, never, metric = done.got, done.never, done.metric
    what = loss_name(metric)
    both = f"{number(got.loss, 4)} against {number(never.loss, 4)} of {done.windows[0].version}"
    if not (math.isfinite(got.loss) and math.isfinite(never.loss) and never.loss > 0):
        return "No outcome turned out, so nothing can be said of how good it was."
    saved = 1.0 - got.loss / never.loss
    if abs(saved) < SAME:
        told = f"Looking after it made no difference to the {what}: {both}, never refitted."
    else:
        word = "less" if saved > 0 else "more"
        told = f"{abs(saved):.1%} {word} {what} than never refitting: {both}."
    moved = len({lived.version for lived in done.windows}) - 1
    if not moved:
        told += f" {done.windows[0].version} served all the time."
    return told


def window_line(lived: Lived, metric: str, of: int) -> str:
    """A window in a line: its number and day, who served, how good it was, what was done.

    What did not change anything is left out.
    """
    what = "; ".join(row.headline for row in lived.decisions if row.kind in (*MOVES, *ALARMS))
    fits = ", ".join(row.kind for row in lived.decisions if row.kind in FITS)
    told = "; ".join(filter(None, (fits, what)))
    head = f"{lived.index + 1:>4}/{of}  {lived.start:%d %b %Y}  {lived.version:<4}"
    score = f"{metric_name(metric)} {number(lived.got.score)}"
    return shorten(f"{head} {score}  {told}".rstrip(), WIDTH)


def simulation_shape(done: Simulated) -> dict[str, Any]:
    """A simulation for ``--json``."""
    return envelope(
        "simulate",
        model=done.model,
        metric=done.metric,
        better=TASKS[done.first.study.problem.task].better(done.metric),
        windows=done.rows(),
        wanted=done.of,
        window_s=done.window_s,
        label_delay_s=done.label_delay_s,
        drawn_again=done.drawn_again,
        everfit=_judged(done.got),
        never_refitted=_judged(done.never),
        fits=len(done.kind(*FITS)),
        promotions=len(done.kind("promoted")),
        decisions=[decision_shape(row) for row in done.decisions],
        seconds=done.seconds,
        interrupted=done.stopped,
        store=done.store or None,
    )


def spark(values: Sequence[float], low: float, high: float) -> str:
    """Numbers as a line of blocks from ``low`` to ``high``; a dot where there is none.

    Examples
    --------
    >>> spark([0.0, 0.5, float("nan"), 1.0], 0.0, 1.0)
    '▁▅·█'
    """
    if len(values) > SPARK:
        values = [_mean(values[i * len(values) // SPARK : (i + 1) * len(values) // SPARK])
                  for i in range(SPARK)]  # fmt: skip
    top, width = len(BLOCKS) - 1, high - low
    return "".join(
        "·"
        if not math.isfinite(value)
        else BLOCKS[round(top * min(1.0, max(0.0, (value - low) / width))) if width > 0 else 0]
        for value in values
    )


def _head(done: Simulated) -> str:
    windows = counted(len(done.windows), "window")
    if done.stopped:
        windows = f"{len(done.windows):,} of {counted(done.of, 'window')}"
    delay = f"; outcomes after {_length(done.label_delay_s)}" if done.label_delay_s else ""
    return (
        f"Simulated {done.model}: {windows} of {_length(done.window_s)}, "
        f"{done.n_rows:,} rows each{delay} (took {duration(done.seconds)})"
    )


def _length(seconds: float) -> str:
    days = seconds / 86_400.0
    return counted(round(days), "day") if days >= 1 and days == round(days) else duration(seconds)


def _scores(done: Simulated, width: int) -> list[str]:
    every = [lived.got.score for lived in done.windows if math.isfinite(lived.got.score)]
    low, high = (min(every), max(every)) if every else (0.0, 0.0)
    better = TASKS[done.first.study.problem.task].better(done.metric)
    rows = [
        (
            part.name,
            spark([lived.got.score for lived in part.windows], low, high),
            *_pair(part.windows),
            ", ".join(dict.fromkeys(lived.version for lived in part.windows)),
        )
        for part in parts_of(done.windows)
    ]
    if len(rows) > 1:
        rows.append(("all", "", *_pair(done.windows), ""))
    name = metric_name(done.metric)
    head = (f"{name}, {better} is better", "", "Everfit", "never refitted", "served")
    return grid(head, rows, right=(2, 3), flexible=4, indent=0, width=width)


def _pair(windows: Sequence[Lived]) -> tuple[str, str]:
    def of(which: Callable[[Lived], Judged]) -> str:
        return number(overall(windows, which).score)

    return of(lambda lived: lived.got), of(lambda lived: lived.never)


def _told(label: str, decisions: Sequence[Decision]) -> list[str]:
    lines: list[str] = []
    for row in decisions[:MOST]:
        lines += filled(label, f"{row.at:%d %b}  {row.headline}")
        label = ""
    if len(decisions) > MOST:
        lines += filled("", f"and {len(decisions) - MOST} more")
    return lines


def _fits(done: Simulated) -> str:
    made = Counter(row.kind for row in done.kind(*FITS))
    if not made:
        return "none were worth their price"
    promoted = len(done.kind("promoted"))
    told = ", ".join(f"{n} {kind}" for kind, n in made.items())
    return f"{made.total()} ({told}); {counted(promoted, 'promotion')}"


def _counts(decisions: Sequence[Decision]) -> str:
    kinds = Counter(row.kind for row in decisions)
    told = [f"{n} {WORDS.get(kind, kind.replace('_', ' '))}" for kind, n in kinds.most_common()]
    return f"{counted(len(decisions), 'time')}: {', '.join(told)}" if told else "nothing"


def _next(done: Simulated) -> list[str]:
    if done.store:
        return [f"everfit why {done.model} --store {place(done.store)}    every decision of it"]
    return ["the same with --store DIR keeps its ledger, for everfit why"]


def _judged(judged: Judged) -> dict[str, Any]:
    return {"score": judged.score, "loss": judged.loss, "right": as_plain(judged.right)}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
