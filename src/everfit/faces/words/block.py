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
from everfit.records import Segment, Study

WORST = 2  # segments named under Watch
FINDINGS = 3  # findings named under Watch
CORRECTED = "(#1 is corrected for having been chosen, the others are not)"
SIMPLE_KEPT = "The simple model, for none of the others is better than it beyond noise."
FLOOR_KEPT = "What must be beaten, for nothing that was tried is better than it beyond noise."
SERVES = ("released", "promoted")  # kinds of decisions after which the version serves


def final_block(result: RunResult, *, budget_s: float | None = None, width: int = WIDTH) -> str:
    """A run's result on one screen; the table may take ``width`` columns, sentences keep to 80."""
    study = result.study
    budget = f" (budget {duration(budget_s)})" if budget_s else ""
    lines = [
        shorten(f"Done in {duration(result.seconds)}{budget}. Store: {place(result.store)}", WIDTH),
        "",
    ]
    rows = board.short(board.rows_of(study))
    note = f"← {result.version.name}" if result.version is not None else ""
    lines += grid(
        board.head(study.problem.metric, form=study.problem.form),
        board.cells(rows, note),
        right=(0, 2),
        flexible=1,
        indent=0,
        width=width,
    )
    if sum(row.rank > 0 for row in rows) > 1:
        lines.append(f"   {CORRECTED}")
    hidden = len(study.trials) - sum(row.trial is not None for row in rows)
    if hidden > 0:
        lines.append(f"   {hidden} more: everfit leaderboard {result.model}")
    lines.append("")
    lines += filled("Verdict", verdict(result))
    made_of = board.members_text(study.candidate)
    lines += filled("Blend", f"{made_of}.") if made_of else []
    lines += filled("Choice", SIMPLE_KEPT) if simple_kept(study) else []
    lines += filled("Choice", FLOOR_KEPT) if floor_kept(study) else []
    also = measures_text(study)
    lines += filled("Also", also) if also else []
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


def simple_kept(study: Study) -> bool:
    """Whether a trial looks better than the simple model that is proposed all the same."""
    candidate = study.candidate
    if any(member.hypothesis.stage != "simple" for member in candidate.members):
        return False
    chosen = {member.trial for member in candidate.members}
    lost = {t.number: t.loss.mid for t in study.trials if t.loss is not None}
    own = min((lost[number] for number in chosen if number in lost), default=0.0)
    return any(loss < own for number, loss in lost.items() if number not in chosen)


def floor_kept(study: Study) -> bool:
    """Whether what must be beaten is what is proposed."""
    return all(member.hypothesis.stage == "floor" for member in study.candidate.members)


def measures_text(study: Study) -> str:
    """Further measures of the judged answers in one sentence; nothing where there are none."""
    own = study.problem.metric
    told = [
        f"{name} {value:,.3g}"
        for name, value in study.candidate.measures.items()
        if name.partition("@")[0] != own or " of " in name
    ]
    return f"{'; '.join(told)}." if told else ""


def watch_list(result: RunResult) -> list[str]:
    """The worst segments and the findings that a person should know, most important first."""
    candidate = result.study.candidate
    worse = [s for s in candidate.segments if s.gap.low > 0]
    worse.sort(key=lambda s: s.gap.mid, reverse=True)
    loss = loss_name(result.study.problem.metric)
    unit = "list" if result.study.problem.form == "lists" else "row"
    texts = [segment_text(s, loss, "than by the floor", unit) for s in candidate.harmed[:WORST]]
    texts += [segment_text(s, loss, f"than the other {unit}s", unit) for s in worse[:WORST]]
    grave = [f for f in worst_first(result.assessment.findings) if f.severity != "info"]
    texts += [f.headline.rstrip(".") + "." for f in grave[:FINDINGS]]
    if len(grave) > FINDINGS:
        texts.append(f"{len(grave) - FINDINGS} more findings: everfit why {result.model}")
    return texts


def segment_text(
    segment: Segment, loss: str, than: str = "than the other rows", unit: str = "row"
) -> str:
    """A segment that is served worse, by how much, with its rows, or what else is judged."""
    gap, places = segment.gap, decimals([segment.gap])
    return (
        f"Segment {segment.name} is served worse {than}: {loss} higher by "
        f"{number(gap.mid, places)} ({ends(gap, places)}), {counted(segment.n, unit)}."
    )


def next_steps(result: RunResult) -> list[tuple[str, str]]:
    """Commands that make sense now."""
    model = result.model
    steps = [(f"everfit why {model}", "why this model")]
    if result.champion is not None:
        lists = result.study.problem.form == "lists"
        use = f"recommend {model} --user NAME" if lists else f"predict {model} NEW.csv"
        steps.insert(0, (f"everfit {use}", "use it"))
    if result.version is not None and result.champion is not None:
        if result.version.number != result.champion.number:
            names = f"{result.champion.name} {result.version.name}"
            steps.append((f"everfit compare {model} {names}", "what differs"))
        elif result.version.number > 1:
            steps.append((f"everfit rollback {model}", "undo the promotion"))
    return steps
