"""The leaderboard of a study: what was tried, why, and how well it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from everfit.evidence.interval import Interval
from everfit.faces.words.figures import clock, decimals, metric_name, number, per_row, span
from everfit.records import Candidate, Study, Trial

SHOWN = 5  # trials in the short form


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the leaderboard; ``rank`` 0 stands for what must be beaten or did not finish."""

    rank: int
    name: str
    why: str
    score: Interval | None
    fit_s: float
    predict_us: float
    stage: str
    status: str
    reason: str
    trial: int | None  # None: the candidate, made of several trials


def rows_of(study: Study) -> tuple[Row, ...]:
    """All rows, the candidate first, finished trials by their loss, then the unfinished ones.

    The candidate's score is corrected for having been chosen; a trial's is not, so a trial may
    look better than the candidate that is made of it.
    """
    done = [t for t in study.trials if t.status == "done" and t.loss is not None]
    done.sort(key=lambda t: (t.loss.mid if t.loss is not None else 0.0, t.number))
    ranked = [t for t in done if t.hypothesis.stage != "floor"]
    floors = [t for t in done if t.hypothesis.stage == "floor"]
    rest = [t for t in study.trials if t not in done]
    made_of = study.candidate.members
    members = [t for m in made_of for t in study.trials if t.number == m.trial]
    best = Row(
        rank=1,
        name=study.candidate.name,
        why=study.candidate.speaks_of,
        score=study.candidate.score,
        fit_s=sum(t.fit_s for t in members),
        predict_us=sum(t.predict_us for t in members),
        stage="candidate",
        status="done",
        reason="",
        trial=made_of[0].trial if len(made_of) == 1 else None,
    )
    alone = best.trial
    return (
        best,
        *[_row(t, n) for n, t in enumerate((t for t in ranked if t.number != alone), start=2)],
        *[_row(t, 0) for t in floors if t.number != alone],
        *[_row(t, 0) for t in rest],
    )


def _row(trial: Trial, rank: int) -> Row:
    return Row(
        rank=rank,
        name=trial.hypothesis.name,
        why=trial.hypothesis.why,
        score=trial.score,
        fit_s=trial.fit_s,
        predict_us=trial.predict_us,
        stage=trial.hypothesis.stage,
        status=trial.status,
        reason=trial.reason,
        trial=trial.number,
    )


def members_text(candidate: Candidate) -> str:
    """What a blend is made of, the heaviest first; empty for one model alone.

    Shares are of the answer, in percent.
    """
    if len(candidate.members) < 2:
        return ""
    ordered = sorted(candidate.members, key=lambda member: -member.weight)
    return "; ".join(f"{member.weight:.0%} {member.hypothesis.name}" for member in ordered)


def head(metric: str, *, form: str = "") -> list[str]:
    """Names of the columns that :func:`cells` fills."""
    cost = "per list" if form == "lists" else "per row"
    return ["#", "trial", metric_name(metric), "95% range", "fit", cost, ""]


def cells(rows: tuple[Row, ...], note: str = "") -> list[list[str]]:
    """Rows as text; ``note`` stands beside the first, what is to be beaten is marked.

    A trial that came on fewer folds than the others cannot be compared: it is not judged.
    """
    places = decimals(row.score for row in rows[:1])
    lines = []
    for position, row in enumerate(rows):
        range_, mark = span(row.score, places), note if position == 0 else ""
        ended = "not judged" if row.status == "done" else row.status.replace("_", " ")
        if row.score is None:
            range_ = ended  # there is no range, so its place tells why
        elif row.status != "done":
            mark = ended
        beat = " (to beat)" if row.stage == "floor" and position else ""
        lines.append(
            [
                str(row.rank) if row.rank else "-",
                row.name + beat,
                number(row.score.mid if row.score else None, places),
                range_,
                clock(row.fit_s) if row.fit_s else "-",
                per_row(row.predict_us) if row.predict_us else "-",
                mark,
            ]
        )
    return lines


def short(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The best few and the floor."""
    best = [row for row in rows if row.rank][:SHOWN]
    floors = [row for row in rows if row.stage == "floor" and not row.rank and row.score]
    return (*best, *floors[:1])


def plain_rows(study: Study) -> list[Mapping[str, Any]]:
    """The leaderboard as plain values, the shape of ``--json`` and of the data frame."""
    metric = study.problem.metric
    return [
        {
            "rank": row.rank or None,
            "trial": row.name,
            "number": row.trial,
            "stage": row.stage,
            "status": row.status,
            "why": row.why,
            "metric": metric,
            "score": row.score.mid if row.score else None,
            "low": row.score.low if row.score else None,
            "high": row.score.high if row.score else None,
            "fit_s": row.fit_s,
            "predict_us": row.predict_us,
            "reason": row.reason,
        }
        for row in rows_of(study)
    ]
