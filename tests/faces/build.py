"""Records as a finished run leaves them, and a house that answers with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from everfit.errors import ModelUnknown
from everfit.evidence.interval import Interval
from everfit.house import Comparison, Status
from everfit.loop import Request, RunResult
from everfit.plain import as_plain
from everfit.records import (
    Assessment,
    Because,
    Candidate,
    ColumnProfile,
    Decision,
    Finding,
    Hypothesis,
    Member,
    Problem,
    Profile,
    Progress,
    Segment,
    SplitPolicy,
    Study,
    Trial,
    Version,
)

AT = datetime(2026, 11, 18, 4, 12, tzinfo=UTC)
NAN = float("nan")


def problem(**changes: Any) -> Problem:
    plain = Problem("classify", "churned", "auc", "probabilities", ("no", "yes"))
    return replace(plain, **changes)


def trial(number: int, name: str, score: float | None, **changes: Any) -> Trial:
    made = Trial(
        number=number,
        hypothesis=Hypothesis(name, "boosted", why=f"because of {name}", stage="portfolio"),
        status="done" if score is not None else "failed",
        folds=5,
        loss=Interval(1 - score, 1 - score, 1 - score) if score is not None else None,
        score=Interval(score - 0.011, score, score + 0.011) if score is not None else None,
        fit_s=41.0,
        predict_us=21.0,
    )
    return replace(made, **changes)


def study(**changes: Any) -> Study:
    floor = trial(0, "prior", 0.5)
    floor = replace(floor, hypothesis=Hypothesis("prior", "prior", why="the floor", stage="floor"))
    boosted = trial(1, "LightGBM", 0.847)
    failed = trial(3, "neural", None, reason="fold 1: ran out of memory")
    candidate = Candidate(
        name="blend of 2",
        members=(
            Member(1, boosted.hypothesis, 0.6, ("a",), True),
            Member(2, Hypothesis("CatBoost", "symmetric"), 0.4, ("b",), True),
        ),
        calibration={"temperature": 1.1},
        score=Interval(0.838, 0.849, 0.860, n=9612),
        loss=Interval(0.40, 0.41, 0.42, n=9612),
        selection_score=0.852,
        gain_on_floor=Interval(0.2, 0.25, 0.3),
        gain_on_simple=Interval(0.01, 0.02, 0.03),
        speaks_of="the blend refitted on all rows",
        segments=(
            Segment("plan_type=trial", 3120, Interval(0.04, 0.06, 0.08), 0.001),
            Segment("plan_type=paid", 6492, Interval(-0.02, -0.01, 0.01), 0.4),
        ),
    )
    made = Study(
        problem=problem(),
        trials=(floor, boosted, trial(2, "CatBoost", 0.845), failed),
        candidate=candidate,
        split=SplitPolicy("random", why="no order in time was found"),
        stopped="the expected gain was no longer worth the time",
        seconds=38.0,
    )
    return replace(made, **changes)


def assessment(**changes: Any) -> Assessment:
    made = Assessment(
        problem=problem(),
        n_rows=48211,
        findings=(
            Finding("missing", "info", "`age` is missing in 4% of the rows", ("age",), 0.04),
            Finding(
                "leak",
                "fail",
                "`last_call_result` is known only after the target",
                ("last_call_result",),
                0.99,
                examples=("yes", "no"),
                done="left out",
                evidence={"test": "auc of one column", "statistic": 0.998, "n": 48211},
            ),
        ),
        split=SplitPolicy("random", why="no order in time was found"),
        profile=Profile(48211, (ColumnProfile("age", "number", 3, 70),)),
        floor=Interval(0.68, 0.69, 0.70, n=48211),
        smallest_gain=0.004,
        n_checks=12,
        seconds=1.5,
    )
    return replace(made, **changes)


def decision(**changes: Any) -> Decision:
    made = Decision(
        model="churn",
        kind="promoted",
        headline="Promoted v1: it beats the floor beyond noise",
        because=(
            Because("gain on the floor", True, 0.25, 0.2, 0.3, n=9612, limit=0.0, unit="log loss"),
            Because("latency", True, 1.2, limit=50.0, limit_by="everfit.toml [policy]", unit="ms"),
        ),
        also_checked=(Because("golden rows", None, note="no rows were withheld"),),
        not_done=("no search beyond 60 s",),
        would_change="a gain below 0",
        undo="everfit rollback churn",
        run="r-1",
        version="v1",
        at=AT,
        id=7,
        data_sha256="ab" * 32,
    )
    return replace(made, **changes)


def version(number: int = 1, **changes: Any) -> Version:
    made = Version(
        model="churn",
        number=number,
        folder=f"versions/churn/v{number}",
        sha256="cd" * 32,
        problem=problem(),
        score=Interval(0.838, 0.849, 0.860, n=9612),
        run="r-1",
        candidate="blend of 2",
        created_at=AT,
        state="champion",
    )
    return replace(made, **changes)


def result(**changes: Any) -> RunResult:
    made = RunResult(
        model="churn",
        run="r-1",
        assessment=assessment(),
        study=study(),
        decision=decision(),
        version=version(),
        champion=version(),
        seconds=52.4,
        store="./.everfit",
    )
    return replace(made, **changes)


class FakeHouse:
    """Answers every question with the records above; keeps what it was asked."""

    def __init__(self, place: Path) -> None:
        self.place = str(place)
        self.requests: list[Request] = []
        self.saved: list[bool] = []
        self.rolled: list[tuple[str | None, str]] = []
        self.during: Callable[[Callable[[Progress], None]], None] = lambda tell: None
        self.closed = False

    def run(self, request: Request, tell: Callable[[Progress], None]) -> RunResult:
        self.requests.append(request)
        tell(Progress("read", f"reading {request.source}"))
        self.during(tell)
        tell(Progress("study", "LightGBM: fold 1 of 5", 0.5))
        return result(model=request.name or "churn")

    def assess(
        self, request: Request, tell: Callable[[Progress], None], *, save: bool = False
    ) -> Assessment:
        self.requests.append(request)
        self.saved.append(save)
        return assessment()

    def result(self, name: str, run: str | None = None) -> Mapping[str, Any]:
        """Run 2 came later and made a challenger that was not promoted."""
        self._known(name)
        trials = (trial(1, "of the challenger", 0.8),)
        found = study(trials=trials) if run == "r-2" else study()
        return {"study": as_plain(found), "assessment": as_plain(assessment())}

    def version(self, name: str, word: str | None = None) -> Version:
        self._known(name)
        return version(2, run="r-2", state="challenger") if word == "v2" else version()

    def models(self) -> tuple[str, ...]:
        return ("churn",)

    def versions(self, name: str) -> tuple[Version, ...]:
        self._known(name)
        return (version(),)

    def decisions(self, name: str) -> tuple[Decision, ...]:
        self._known(name)
        return (decision(), decision(id=6, kind="kept", headline="Kept v1", at=AT.replace(day=17)))

    def status(self, name: str | None = None) -> list[Status]:
        if name is not None:
            self._known(name)
        return [Status("churn", "healthy", version(), decision(), 2)]

    def compare(self, name: str, a: str, b: str) -> Comparison:
        self._known(name)
        differs = {"seed": (0, 1), "score": (0.849, NAN)}
        gain = Interval(-0.003, 0.004, 0.011, n=9612)
        return Comparison(name, version(1), version(2), differs, gain, 9612, "")

    def rollback(
        self, name: str, to: str | None = None, by: str = "x", reason: str = ""
    ) -> Decision:
        self.rolled.append((to, by))
        return decision(kind="rolled_back", headline="Rolled back to v1", by=by)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> FakeHouse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _known(self, name: str) -> None:
        if name != "churn":
            raise ModelUnknown(f"there is no model {name!r}", do="did you mean 'churn'?")
