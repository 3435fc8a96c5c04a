"""What is known about a model that serves: plain facts, from which the tests are graded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from everfit.evidence.interval import Interval
from everfit.records import Because, Candidate, Decision, Health, Trial


@dataclass(frozen=True, slots=True)
class Made:
    """How the version was made, as its artefact and its run have it.

    ``columns`` counts the features, ``described`` those with a kind; ``held`` are files as packed
    and signed. ``seed`` and ``data_sha256`` are those of the run, ``data_packed`` that of the
    artefact. ``serving`` is the decision that let it answer. ``repeats`` counts trials that another
    run made anew from the same rows and seed: those with equal losses, and all. ``own`` names types
    of a user's own estimator.
    """

    columns: int
    described: int
    held: Because
    reference: bool
    libraries: Mapping[str, str]
    learners: int
    seed: int | None
    data_sha256: str
    data_packed: str
    metric: str
    stages: tuple[str, ...] = ()
    candidate: Candidate | None = None
    trials: tuple[Trial, ...] = ()
    trials_of: str = ""
    serving: Decision | None = None
    repeats: tuple[int, int] = (0, 0)
    own: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Benefit:
    """What the mean loss grows by when one column is shuffled, by column, on labelled rows."""

    gains: Mapping[str, Interval]
    n: int


@dataclass(frozen=True, slots=True)
class Refitted:
    """What fitting one member of the version again showed: alike twice, and how it ages.

    ``equal`` says that two fits to the same rows with the same seed lost the same on each of ``n``
    rows; None: nothing could be fitted. ``ages`` pairs of age in windows and loss as a multiple of
    that just after the fit, from ``fits`` fits at different times. ``error`` says why not.
    """

    learner: str = ""
    equal: bool | None = None
    n: int = 0
    ages: tuple[tuple[float, float], ...] = ()
    fits: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried just now.

    ``loads`` and ``reproduces`` in a fresh process; ``row_ms`` of one row there; ``finite`` golden
    answers. ``explained`` counts the columns of one answer that was explained, ``off`` is how far
    base and contributions are from the answer; ``error`` why it could not. ``back`` are the checks
    of ``back_to``, the version to go back to. ``refitted`` is None where nobody asked for fits.
    """

    loads: Because
    reproduces: Because
    libraries: Mapping[str, str]
    row_ms: float | None = None
    finite: bool = False
    explained: int = 0
    off: float = 0.0
    error: str = ""
    back_to: str = ""
    back: tuple[Because, ...] = ()
    benefit: Benefit | None = None
    refitted: Refitted | None = None


@dataclass(frozen=True, slots=True)
class Lived:
    """What the model has lived through since it serves.

    ``verified`` and ``recomputed`` are (rows looked at, rows that differ), over all windows;
    ``answers`` and ``unanswered`` counts; ``ages`` pairs of age in windows and loss as a multiple
    of what was certified, of each matured window. ``rehearsed`` names the newest rehearsal of going
    back that went well; ``tried_first`` says how it answered before it served: in the shadow, or as
    a canary. ``looked_s`` is how long ago its age was weighed.
    """

    health: Health | None = None
    windows: int = 0
    answers: int = 0
    unanswered: int = 0
    verified: tuple[int, int] = (0, 0)
    recomputed: tuple[int, int] = (0, 0)
    ages: tuple[tuple[float, float], ...] = ()
    rehearsed: str = ""
    tried_first: str = ""
    looked_s: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One version of one model, for the 28 tests.

    ``told`` are facts of the settings by name; ``stale_after_s`` the oldest that it may be, None
    where nobody said; ``age_s`` how old it is; ``guarded`` segments with a guardrail in the policy;
    ``window_s`` and ``latency_ms`` are those of the policy.
    """

    model: str
    version: str
    made: Made
    tried: Tried
    lived: Lived
    told: Mapping[str, str] = field(default_factory=dict)
    age_s: float = 0.0
    stale_after_s: float | None = None
    window_s: float = 86_400.0
    latency_ms: float = 50.0
    guarded: tuple[str, ...] = ()
