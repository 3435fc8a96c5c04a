"""An assessment in plain words: the problem, the findings worst first, how it will be split."""

from __future__ import annotations

import math
from dataclasses import replace

from everfit.faces.words.figures import duration, in_words, loss_name, metric_name, plain
from everfit.faces.words.grid import filled, shorten
from everfit.records import Assessment, Finding, Problem

ORDER = {"fail": 0, "warn": 1, "info": 2}
OUTCOME = ("test", "p", "n")  # of a test: what most readers need of it
MARK = {"fail": "✗", "warn": "!", "info": "·"}


def worst_first(findings: tuple[Finding, ...]) -> list[Finding]:
    """Findings by severity, in the order of their checks inside each."""
    return sorted(findings, key=lambda finding: ORDER[finding.severity])


def finding_lines(finding: Finding, *, full: bool = False) -> list[str]:
    """A finding: mark and headline, examples, the test behind it, and what was done.

    ``full`` adds all numbers of the test.
    """
    lines = filled(f"  {MARK[finding.severity]}", finding.headline, indent=4)
    if finding.examples:
        shown = ", ".join(repr(shorten(text, 40)) for text in finding.examples[:5])
        lines += filled("", f"such as {shown}", indent=6)
    if told := evidence_text(finding, full=full):
        lines += filled("", told, indent=6)
    if finding.done not in ("", "nothing"):
        lines += filled("", f"done: {finding.done}", indent=6)
    return lines


def evidence_text(finding: Finding, *, full: bool = True) -> str:
    """The test or exact count behind a finding, name by name; without ``full`` its outcome alone.

    Examples
    --------
    >>> evidence_text(Finding("x", "info", "h", evidence={"test": "chi2", "p": 1e-9, "n": 500}))
    'test: chi2, p 1e-09, n 500'
    """
    parts = []
    for key, value in finding.evidence.items():
        if not full and key not in OUTCOME:
            continue
        if isinstance(value, (bool, str)):
            parts.append(f"{key.replace('_', ' ')}{':' if key == 'test' else ''} {value}")
        elif isinstance(value, (int, float)):
            parts.append(f"{key.replace('_', ' ')} {plain(value) if abs(value) >= 1e-4 else value}")
    return shorten(", ".join(parts), 200)


def problem_line(problem: Problem, n_rows: int, n_columns: int) -> str:
    """What is predicted, from how much.

    Examples
    --------
    >>> problem_line(Problem("classify", "churned", "auc", "probabilities", ("0", "1")), 1200, 9)
    '`churned`, 2 classes, judged by AUC; 1,200 rows x 9 columns'
    """
    if problem.form == "lists":
        return (
            f"`{problem.target}`, {len(problem.labels):,} items for each `{problem.group}`, judged "
            f"by {metric_name(problem.metric)}; {n_rows:,} interactions"
        )
    what = f"{len(problem.labels)} classes" if problem.labels else "a number"
    return (
        f"`{problem.target}`, {what}, judged by {metric_name(problem.metric)}; "
        f"{n_rows:,} rows x {n_columns:,} columns"
    )


def counts(assessment: Assessment) -> str:
    """How many checks found what.

    Checks that found nothing say nothing, so the rest passed.
    """
    by = {s: sum(f.severity == s for f in assessment.findings) for s in ORDER}
    parts = [f"{by['fail']} failed"] if by["fail"] else []
    if by["warn"]:
        parts.append(f"{by['warn']} warning{'s' if by['warn'] > 1 else ''}")
    if by["info"]:
        parts.append(f"{by['info']} note{'s' if by['info'] > 1 else ''}")
    found = ", ".join(parts) or "all pass"
    return f"{assessment.n_checks} checks: {found}" if assessment.n_checks else found


def _floor(assessment: Assessment) -> str:
    floor, metric = assessment.floor, assessment.problem.metric
    if metric != "rmse":
        counts = "list" if assessment.problem.form == "lists" else "row"
        return f"{loss_name(metric)} {in_words(floor, counts=counts)}"
    low, mid, high = (math.sqrt(max(0.0, end)) for end in (floor.low, floor.mid, floor.high))
    return f"RMSE {in_words(replace(floor, low=low, mid=mid, high=high))}"


def _power(assessment: Assessment) -> str:
    units = "interactions" if assessment.problem.form == "lists" else "rows"
    return (
        f"these {units} can show that the {loss_name(assessment.problem.metric)} of a model is "
        f"lower by {plain(assessment.smallest_gain)}; less looks like noise (80% power)"
    )


def assessment_text(assessment: Assessment, *, full: bool = False) -> str:
    """The whole assessment as text of at most 80 columns; ``full`` tells every test in full."""
    problem, split = assessment.problem, assessment.split
    lines = filled(
        "Target", problem_line(problem, assessment.n_rows, len(assessment.profile.columns))
    )
    lines += filled("Checks", counts(assessment) + f", in {duration(assessment.seconds)}")
    lines.append("")
    for finding in worst_first(assessment.findings):
        lines += finding_lines(finding, full=full)
    if assessment.findings:
        lines.append("")
    kinds = {
        "random": "at random",
        "group": f"by group `{split.column}`",
        "time": f"forward in time by `{split.column}`",
        "last": f"by what came last of each `{split.together}`",
    }
    why = f": {split.why}" if split.why else ""
    # in how many folds, a run decides by its rows and its budget
    lines += filled("Split", f"{kinds[split.kind]}{why}")
    lines += filled("Floor", f"{_floor(assessment)}: what any model must beat")
    lines += filled("Power", _power(assessment))
    for text in assessment.skipped:
        lines += filled("Skipped", text)
    return "\n".join(lines)
