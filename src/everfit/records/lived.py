"""Records of a model that serves: windows of its traffic, its health, what is done about it.

All are plain enough for :func:`everfit.plain.as_plain`. A :class:`Window` is the only thing that
the tests over time see: they are replayed from windows, never from memory, so that a process that
died in between changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from everfit.evidence.interval import Interval
from everfit.records.made import Because, Finding, Segment

State = Literal["healthy", "watch", "needs_you", "not_enough_data", "paused"]
ActKind = Literal[
    "nothing",
    "recalibrate",
    "retrain",
    "search",
    "roll_back",
    "ask_labels",
    "set_aside",
    "call_person",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a turn of the loop did, by what it was done about.

    ``kind`` and ``key`` together are unique for a model: who does the same again writes nothing.
    ``record`` is plain JSON. ``decision`` is the ledger row that was written with it, 0 for none.
    """

    model: str
    kind: str
    key: str
    record: Mapping[str, Any]
    at: datetime
    decision: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """One closed stretch of a model's traffic, reduced to what tests over time and screens need.

    kind ``asked``: what was asked and answered, known when the stretch is over. kind ``matured``:
    how wrong the answers were, known when outcomes had their time. ``start`` is included, ``end``
    is not. ``version`` answered most of it; ``n`` counts its predictions (not those of shadows).
    ``facts`` is plain JSON: ``watch.asked`` and ``watch.matured`` write and read it.
    """

    kind: Literal["asked", "matured"]
    start: datetime
    end: datetime
    version: int
    n: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Performance:
    """How good one version was over a stretch: measured with outcomes, or estimated without.

    ``loss`` is the mean loss per unit; ``score`` the metric that people read, where it can be
    shown; ``n`` units behind it, of ``asked`` predictions.
    """

    version: int
    start: datetime
    end: datetime
    n: int
    asked: int
    loss: Interval
    score: Interval | None = None
    how: Literal["measured", "estimated"] = "measured"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A test over time that has crossed its limit, or is the nearest to it.

    ``budget`` names the share of the yearly error budget that it spends (``degradation``,
    ``drift``, ``promotion``, ``rollback``); ``since`` is the start of the window at which it
    crossed, None while it has not; ``e`` and ``limit`` are logarithms.
    """

    check: str
    about: str  # a column, a segment, a version, or "" for all rows
    budget: str
    e: float
    limit: float
    looks: int
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Regime:
    """How the health of a model reads over its windows: chances that sum to 1 (hidden Markov)."""

    stable: float
    degrading: float
    broken: float
    windows: int

    @property
    def name(self) -> str:
        """The likeliest of the three."""
        chances = {"stable": self.stable, "degrading": self.degrading, "broken": self.broken}
        return max(chances, key=lambda name: chances[name])


@dataclass(frozen=True, slots=True)
class Health:
    """Is the model still good? One look at all windows up to ``until``.

    ``measured`` and ``estimated`` are by window, oldest first; ``findings`` worst first, one
    sentence each; ``alarms`` only those that crossed. ``bound`` is the loss that was certified at
    the release plus the tolerance of the policy: what degradation is tested against.
    """

    model: str
    version: str
    state: State
    headline: str
    until: datetime | None = None
    measured: tuple[Performance, ...] = ()
    estimated: tuple[Performance, ...] = ()
    findings: tuple[Finding, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    segments: tuple[Segment, ...] = ()
    regime: Regime | None = None
    bound: float | None = None
    asked: int = 0
    matured: int = 0
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """What maintain wants done, or why nothing; the loop does it and writes it down.

    ``values`` holds what each act is expected to cost over the remaining life (loss and money in
    the unit of the policy, lower is better), so that a reader sees what else was weighed.
    ``details`` is what the act needs: a version to go back to, rows to be labelled, a column.
    """

    act: ActKind
    headline: str
    because: tuple[Because, ...] = ()
    also_checked: tuple[Because, ...] = ()
    not_done: tuple[str, ...] = ()
    would_change: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """A user's rules for a model that serves, with defaults; times in seconds.

    Parameters
    ----------
    window_s : length of a window; a day unless the policy says otherwise
    label_delay_s : outcomes have this long to come; what is older is judged
    missing_outcome : what a prediction without outcome counts as after that (a label or number
        as text), None: it is left out
    error_budget : chance of any false alarm or false act in a year, all together
    shares : of it, by name; they sum to 1
    floor : worst allowed value of the metric, None: no floor
    tolerance : how much the certified loss may be exceeded, as a share of it
    least_rows : outcomes not seen by any version, before a fit is worth a thought
    rollback_window_s : how long the old champion stays in the shadow after a promotion
    trial_s : longest time a challenger stays in the shadow undecided
    margin : a version with the champion's recipe, fitted again on newer rows, replaces it when it
        is proven not to be worse by more than this share of the certified loss, and was no worse
        on the rows of its trial; 0 asks for proof that it is better
    loss_cost, fit_cost, search_cost, label_cost, call_cost : in money or any common unit; the
        first is for one unit of mean loss over one window
    fits_a_year, searches_a_year : most that may be done in a year
    retrain_budget_s, search_budget_s : seconds a run may take
    acts : acts that the loop may do by itself; others become a call for a person
    learn_from : where rows to learn from come from: the source, the log, or both
    guardrails : by segment, the share by which its loss may exceed what was certified
    table : acts for states of the policy table, by "age, level", that win over what it worked out
    money_a_year : most that acts may cost in a year, in the unit of the costs, None: no limit
    hold_looks, quiet_looks : looks at which something must hold before people are told of it, and
        be gone before they are told that it is over
    tell : names of the targets that are told, None: all of them
    """

    window_s: float = 86_400.0
    label_delay_s: float = 0.0
    missing_outcome: str | None = None
    error_budget: float = 0.05
    shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "promotion": 0.4, "rollback": 0.2, "degradation": 0.2, "drift": 0.2
        }
    )  # fmt: skip
    floor: float | None = None
    tolerance: float = 0.05
    least_rows: int = 200
    rollback_window_s: float = 14 * 86_400.0
    trial_s: float = 60 * 86_400.0
    margin: float = 0.05
    loss_cost: float = 100.0
    fit_cost: float = 1.0
    search_cost: float = 10.0
    label_cost: float = 0.1
    call_cost: float = 20.0
    fits_a_year: int = 365
    searches_a_year: int = 12
    retrain_budget_s: float = 60.0
    search_budget_s: float = 300.0
    acts: tuple[ActKind, ...] = ("recalibrate", "retrain", "search", "roll_back", "set_aside")
    learn_from: Literal["source", "log", "both"] = "both"
    guardrails: Mapping[str, float] = field(default_factory=dict)  # by segment
    table: Mapping[str, ActKind] = field(default_factory=dict)
    money_a_year: float | None = None
    hold_looks: int = 1
    quiet_looks: int = 3
    tell: tuple[str, ...] | None = None
    set_by: Mapping[str, str] = field(default_factory=dict)
