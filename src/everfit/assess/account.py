"""The ledger row of an assessment: what was looked at, what was done about it, what was not."""

from __future__ import annotations

from everfit.records import Assessment, Because, Decision


def account(assessment: Assessment, *, model: str, run: str, data_sha256: str) -> Decision:
    """What was found in the data, as a decision of kind ``assessed``."""
    acted = [f for f in assessment.findings if f.acts]
    counts = summary(assessment)
    open_ = [f for f in assessment.findings if not f.acts and f.severity != "info"]
    split = assessment.split
    units = "interactions" if assessment.problem.form == "lists" else "rows"
    where = f" by {split.column!r}" if split.column else ""
    return Decision(
        model=model,
        kind="assessed",
        headline=f"Looked at {assessment.n_rows:,} {units}: {counts}",
        because=tuple(
            Because(
                f.headline,
                None,
                measured=f.number,
                unit=f.unit,
                n=assessment.n_rows,
                note=f.done,
                counts=units[:-1],
            )
            for f in acted
        ),
        also_checked=(
            Because(f"{units} are held out {_kind(split.kind)}{where}", None, note=split.why),
            Because(
                f"smallest drop of the mean loss that these {units} can show at 80% power",
                None,
                measured=assessment.smallest_gain,
                n=assessment.n_rows,
                counts=units[:-1],
            ),
            *(Because(f.headline, None, measured=f.number, unit=f.unit) for f in open_),
        ),
        not_done=tuple(f"check {name}: no time was left for it" for name in assessment.skipped),
        data_sha256=data_sha256,
        run=run,
    )


def summary(assessment: Assessment) -> str:
    """How many checks found how much, in words."""
    acted = sum(bool(finding.acts) for finding in assessment.findings)
    found = len(assessment.findings)
    return (
        f"{assessment.n_checks} checks, {found} finding{'' if found == 1 else 's'}, "
        f"{acted} acted upon"
    )


def _kind(kind: str) -> str:
    kinds = {
        "random": "at random",
        "group": "by group",
        "time": "forward in time",
        "last": "by their units, the last ones",
    }
    return kinds[kind]
