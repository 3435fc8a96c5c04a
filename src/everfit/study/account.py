"""The ledger row of a study: what was tried, what won by how much, why it stopped."""

from __future__ import annotations

from everfit.records import Because, Decision, Study


def account(study: Study, *, model: str, run: str, data_sha256: str) -> Decision:
    """What the study found, as a decision of kind ``studied``."""
    candidate, metric = study.candidate, study.problem.metric
    judged = [t for t in study.trials if t.score is not None]
    others = [t for t in study.trials if t.status in ("dropped", "failed", "timed_out")]
    score = candidate.score
    return Decision(
        model=model,
        kind="studied",
        headline=(f"Tried {len(judged)} hypotheses; proposes {candidate.name}: {metric} {score}"),
        because=(
            Because(
                f"honest {metric} of the choice",
                None,
                measured=score.mid,
                low=score.low,
                high=score.high,
                n=score.n,
                note=candidate.speaks_of,
            ),
            *(
                Because(
                    f"drop of the mean loss against the {name}",
                    gain.low > 0,
                    measured=gain.mid,
                    low=gain.low,
                    high=gain.high,
                    n=gain.n,
                    limit=0.0,
                )
                for name, gain in (
                    ("floor", candidate.gain_on_floor),
                    ("simple model", candidate.gain_on_simple),
                )
                if gain.n
            ),
        ),
        also_checked=tuple(
            Because(f"{t.hypothesis.name}: {t.status.replace('_', ' ')}", None, note=t.reason)
            for t in others
        ),
        not_done=study.not_tried,
        would_change=f"it stopped because: {study.stopped}",
        data_sha256=data_sha256,
        run=run,
    )
