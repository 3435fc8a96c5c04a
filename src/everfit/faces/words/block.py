"""The final block of a run: the leaderboard, the verdict, what to watch, what to do next."""

from __future__ import annotations

from everfit.faces.words import board
from everfit.faces.words.figures import (
    counted,
    decimals,
    duration,
    ends,
    loss_name,
    number,
    place,
    sentence,
)
from everfit.faces.words.findings import worst_first
from everfit.faces.words.grid import WIDTH, filled, grid, shorten
from everfit.loop import RunResult
from everfit.records import Segment

WORST = 2  # segments named under Watch
FINDINGS = 3  # findings named under Watch
SERVES = ("released", "promoted")  # kinds of decisions after which the version serves


def final_block(result: RunResult, *, budget_s: float | None = None) -> str:
    """A run's result on one screen of at most 80 columns."""
    study = result.study
    budget = f" (budget {duration(budget_s)})" if budget_s else ""
    lines = [
        shorten(f"Done in {duration(result.seconds)}{budget}. Store: {place(result.store)}", WIDTH),
        "",
    ]
    rows = board.short(board.rows_of(study))
    note = f"← {result.version.name}" if result.version is not None else ""
    lines += grid(
        board.head(study.problem.metric),
        board.cells(rows, note),
        right=(0, 2),
        flexible=1,
        indent=0,
    )
    hidden = len(study.trials) - sum(row.trial is not None for row in rows)
    if hidden > 0:
        lines.append(f"   {hidden} more: everfit leaderboard {result.model}")
    lines.append("")
    lines += filled("Verdict", verdict(result))
    made_of = board.members_text(study.candidate)
    lines += filled("Blend", f"{made_of}.") if made_of else []
    watch = watch_list(result)
    for position, text in enumerate(watch):
        lines += filled("" if position else "Watch", text)
    lines += filled("Stopped", sentence(study.stopped)) if study.stopped else []
    for position, (command, does) in enumerate(next_steps(result)):
        label = "" if position else "Next"
        lines.append(f"{label:<9}{command:<38}{does}".rstrip())
    return "\n".join(lines)


def verdict(result: RunResult) -> str:
    """The decision's headline, and which other rules failed if it is no promotion."""
    decision = result.decision
    rules = (*decision.because, *decision.also_checked)
    failed = [b.rule for b in rules if b.passed is False and b.rule not in decision.headline]
    text = decision.headline.rstrip(".") + "."
    if failed and decision.kind not in SERVES:
        text += f" Not passed: {', '.join(failed)}."
    if decision.would_change and decision.kind not in (*SERVES, "inconclusive"):
        text += f" This would change it: {decision.would_change.rstrip('.')}."
    return text


def watch_list(result: RunResult) -> list[str]:
    """The worst segments and the findings that a person should know, most important first."""
    candidate = result.study.candidate
    worse = [s for s in candidate.segments if s.gap.low > 0]
    worse.sort(key=lambda s: s.gap.mid, reverse=True)
    loss = loss_name(result.study.problem.metric)
    texts = [segment_text(s, loss, "than by the floor") for s in candidate.harmed[:WORST]]
    texts += [segment_text(s, loss) for s in worse[:WORST]]
    grave = [f for f in worst_first(result.assessment.findings) if f.severity != "info"]
    texts += [f.headline.rstrip(".") + "." for f in grave[:FINDINGS]]
    if len(grave) > FINDINGS:
        texts.append(f"{len(grave) - FINDINGS} more findings: everfit why {result.model}")
    return texts


def segment_text(segment: Segment, loss: str, than: str = "than the other rows") -> str:
    """A segment that is served worse, by how much, with its rows."""
    gap, places = segment.gap, decimals([segment.gap])
    return (
        f"Segment {segment.name} is served worse {than}: {loss} higher by "
        f"{number(gap.mid, places)} ({ends(gap, places)}), {counted(segment.n, 'row')}."
    )


def next_steps(result: RunResult) -> list[tuple[str, str]]:
    """Commands that make sense now."""
    model = result.model
    steps = [(f"everfit why {model}", "why this model")]
    if result.champion is not None:
        steps.insert(0, (f"everfit predict {model} NEW.csv", "use it"))
    if result.version is not None and result.champion is not None:
        if result.version.number != result.champion.number:
            names = f"{result.champion.name} {result.version.name}"
            steps.append((f"everfit compare {model} {names}", "what differs"))
        elif result.version.number > 1:
            steps.append((f"everfit rollback {model}", "undo the promotion"))
    return steps
