"""Facts of a made-up model on which every test holds, to be spoilt one by one."""

from __future__ import annotations

from datetime import UTC, datetime

from everfit.evidence.interval import Interval
from everfit.records import (
    Because,
    Candidate,
    Decision,
    Health,
    Hypothesis,
    Member,
    Performance,
    Segment,
    Trial,
)
from everfit.rubric import Facts, Lived, Made, Tried
from everfit.rubric.facts import Benefit

DAY = datetime(2026, 3, 1, tzinfo=UTC)
BOOSTED = Hypothesis("boosted 1", "boosted", {"rounds": 100})
TRIALS = tuple(
    Trial(i, Hypothesis(f"t{i}", learner), "done", folds=5, fold_losses=(0.3,) * 5)
    for i, learner in enumerate(("prior", "linear", "boosted"))
)
CANDIDATE = Candidate(
    name="boosted 1",
    members=(Member(2, BOOSTED, 1.0, ("a",), refitted=True),),
    calibration={},
    score=Interval(0.8, 0.85, 0.9, n=500),
    loss=Interval(0.28, 0.30, 0.32, n=500),
    selection_score=0.86,
    gain_on_floor=Interval(0.2, 0.3, 0.4, n=500),
    gain_on_simple=Interval(0.01, 0.02, 0.03, n=500),
    speaks_of="all rows",
    segments=(Segment("plan=trial", 90, Interval(-0.1, 0.0, 0.1), 0.9),),
)
SERVING = Decision(
    "churn", "promoted", "Promoted v2", because=(Because("gap", True),),
    also_checked=(Because("answers one row in time", True, 0.2, limit=50.0),),
    version="v2", id=7,
)  # fmt: skip
MADE = Made(
    columns=2,
    described=2,
    held=Because("files as packed", True),
    reference=True,
    libraries={"numpy": "2.0", "python": "3.12"},
    learners=1,
    seed=0,
    data_sha256="abc",
    data_packed="abc",
    metric="roc_auc",
    stages=("assessed", "studied", "promoted"),
    candidate=CANDIDATE,
    trials=TRIALS,
    serving=SERVING,
    repeats=(3, 3),
)
TRIED = Tried(
    loads=Because("loads in a fresh process", True),
    reproduces=Because("reproduces its golden rows", True),
    libraries={"numpy": "2.0", "python": "3.12"},
    row_ms=0.2,
    finite=True,
    explained=2,
    back_to="v1",
    back=(Because("files as packed", True),),
    benefit=Benefit({"age": Interval(0.1, 0.2, 0.3), "plan": Interval(0.0, 0.0, 0.0)}, 400),
)
HEALTH = Health(
    "churn", "v2", "healthy", "The loss was as was certified.", until=DAY,
    measured=(Performance(2, DAY, DAY, 400, 400, Interval(0.27, 0.29, 0.31, n=400)),),
    bound=0.33, asked=400, matured=400,
)  # fmt: skip
LIVED = Lived(
    health=HEALTH,
    windows=6,
    answers=600,
    verified=(600, 0),
    recomputed=(600, 0),
    ages=tuple((float(i), 1.0 + 0.01 * i) for i in range(6)),
    rehearsed="rehearsed in 2026-03",
    tried_first="v2 answered in the shadow for 5 windows and won its trial",
    looked_s=3_600.0,
)
TOLD = {
    "feature_cost": "free",
    "requirements": "checked by maria, 2 March",
    "privacy": "keys are hashed",
    "new_features": "a day",
    "metric": "AUC follows the calls saved",
    "inclusion": "by age group",
}
WHOLE = Facts(
    model="churn", version="v2", made=MADE, tried=TRIED, lived=LIVED, told=TOLD,
    age_s=3 * 86_400.0, guarded=("plan=trial",),
)  # fmt: skip
