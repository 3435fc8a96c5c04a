"""An assessment in plain words: the problem, the findings worst first, how it will be split."""

from __future__ import annotations

from everfit.faces.words.figures import duration, in_words, metric_name, plain
from everfit.faces.words.grid import filled, shorten
from everfit.records import Assessment, Finding, Problem

ORDER = {"fail": 0, "warn": 1, "info": 2}
MARK = {"fail": "✗", "warn": "!", "info": "·"}


def worst_first(findings: tuple[Finding, ...]) -> list[Finding]:
    """Findings by severity, in the order of their checks inside each."""
    return sorted(findings, key=lambda finding: ORDER[finding.severity])


def finding_lines(finding: Finding, *, full: bool = True) -> list[str]:
    """A finding: mark and headline; then examples, the test behind it, and what was done."""
    lines = filled(f"  {MARK[finding.severity]}", finding.headline, indent=4)
    if not full:
        return lines
    if finding.examples:
        shown = ", ".join(repr(shorten(text, 30)) for text in finding.examples[:5])
        lines += filled("", f"such as {shown}", indent=6)
    if finding.evidence:
        lines += filled("", evidence_text(finding), indent=6)
    lines += filled("", f"done: {finding.done}", indent=6)
    return lines


def evidence_text(finding: Finding) -> str:
    """The test or exact count behind a finding, name by name.

    Examples
    --------
    >>> evidence_text(Finding("x", "info", "h", evidence={"test": "chi2", "p": 1e-9, "n": 500}))
    'test chi2, p 1e-09, n 500'
    """
    parts = []
    for key, value in finding.evidence.items():
        if isinstance(value, (bool, str)):
            parts.append(f"{key.replace('_', ' ')} {value}")
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


def assessment_text(assessment: Assessment) -> str:
    """The whole assessment as text of at most 80 columns."""
    problem, split = assessment.problem, assessment.split
    lines = filled(
        "Target", problem_line(problem, assessment.n_rows, len(assessment.profile.columns))
    )
    lines += filled("Checks", counts(assessment) + f", in {duration(assessment.seconds)}")
    lines.append("")
    for finding in worst_first(assessment.findings):
        lines += finding_lines(finding)
    if assessment.findings:
        lines.append("")
    kinds = {
        "random": "at random",
        "group": f"by group `{split.column}`",
        "time": f"forward in time by `{split.column}`",
    }
    why = f": {split.why}" if split.why else ""
    lines += filled("Split", f"{kinds[split.kind]}, {split.n_folds} folds{why}")
    lines += filled("Floor", f"mean loss {in_words(assessment.floor)}: what any model must beat")
    lines += filled(
        "Power",
        f"a drop of the mean loss below {plain(assessment.smallest_gain)} cannot be shown "
        "with these rows (80% power)",
    )
    for text in assessment.skipped:
        lines += filled("Skipped", text)
    return "\n".join(lines)
