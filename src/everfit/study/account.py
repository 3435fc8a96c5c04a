"""The ledger row of a study: what was tried, what won by how much, why it stopped."""

from __future__ import annotations

from everfit.records import Because, Decision, Study


def account(study: Study, *, model: str, run: str, data_sha256: str) -> Decision:
    """What the study found, as a decision of kind ``studied``."""
    candidate, metric = study.candidate, study.problem.metric
    tried = [t for t in study.trials if t.folds > 0]
    others = [t for t in study.trials if t.status in ("dropped", "failed", "timed_out")]
    score = candidate.score
    lists = study.problem.form == "lists"
    unit, more = ("list", "interactions") if lists else ("row", "rows")
    return Decision(
        model=model,
        kind="studied",
        headline=(
            f"Tried {len(tried)} hypotheses; proposes {candidate.name}: "
            f"{metric.replace('_', ' ')} {score}"
        ),
        because=(
            Because(
                f"honest {metric.replace('_', ' ')} of the choice",
                None,
                measured=score.mid,
                low=score.low,
                high=score.high,
                n=score.n,
                note=candidate.speaks_of,
                counts=unit,
            ),
        ),
        also_checked=(
            Because("it stopped", None, note=study.stopped),
            *(
                Because(f"{t.hypothesis.name}: {t.status.replace('_', ' ')}", None, note=t.reason)
                for t in others
            ),
        ),
        not_done=study.not_tried,
        would_change=f"more time, more {more}, or another model of your own",
        data_sha256=data_sha256,
        run=run,
    )
