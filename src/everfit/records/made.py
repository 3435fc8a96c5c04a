"""The frozen dataclasses that travel between all parts of Everfit.

A stage takes records and gives records; the loop writes them; faces show them. All of them
turn into plain JSON with :func:`everfit.plain.as_plain` and back with its inverse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from everfit.because import Because as Because  # noqa: PLC0414 - mypy: offered here too
from everfit.column import DEPTH
from everfit.column import Array as Array  # noqa: PLC0414 - mypy: offered here too
from everfit.column import Column as Column  # noqa: PLC0414 - mypy: offered here too
from everfit.column import Form as Form  # noqa: PLC0414 - mypy: offered here too
from everfit.column import Kind as Kind  # noqa: PLC0414 - mypy: offered here too
from everfit.column import Role as Role  # noqa: PLC0414 - mypy: offered here too
from everfit.evidence.interval import Interval

Severity = Literal["info", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table came from: uri for people, sha256 of the content, notes of the reader."""

    uri: str
    sha256: str
    n_rows: int
    n_columns: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be predicted, and how a wrong answer is counted.

    ``labels`` are the classes, or the items of lists, in a fixed order (empty for numbers);
    ``label_type`` says how labels are given back (``str``, ``int``, ``float``, ``bool``);
    ``metric`` is a metric name of the task.
    """

    task: str
    target: str
    metric: str
    form: Form
    labels: tuple[str, ...] = ()
    label_type: Literal["str", "int", "float", "bool"] = "str"
    time: str | None = None
    group: str | None = None
    weight: str | None = None

    @property
    def n_outputs(self) -> int:
        """Number of values in one answer: classes, 1 for a number, codes and scores of a list."""
        return 2 * DEPTH if self.form == "lists" else max(1, len(self.labels))


@dataclass(frozen=True, slots=True)
class Act:
    """One change to a table that a finding asks for; data, applied by ``data.clean``.

    kind ``drop_column``: leave ``column`` out. kind ``blank``: the ``values`` of ``column`` count
    as missing. kind ``drop_missing``: rows where ``column`` is missing are left out.
    kind ``drop_value``: rows where ``column`` has one of ``values`` are left out. kind
    ``drop_repeats``: rows that repeat an earlier one in ``column`` and in the columns ``values``.
    """

    kind: Literal["drop_column", "blank", "drop_missing", "drop_value", "drop_repeats"]
    column: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found, with the number behind it and what was done about it.

    ``evidence`` holds the test (name, statistic, p, n) or the exact count behind it.
    """

    check: str
    severity: Severity
    headline: str
    columns: tuple[str, ...] = ()
    number: float | None = None
    unit: str = ""
    examples: tuple[str, ...] = ()
    done: str = "nothing"
    evidence: Mapping[str, Any] = field(default_factory=dict)
    acts: tuple[Act, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitPolicy:
    """How rows are held out: at random, by group, forward in time, or the last ones; and why.

    ``column`` holds the groups, or the times by which rows stand in order (None: they do already).
    ``together`` is the column whose rows count together as evidence, where that is not the group;
    of a split by ``last`` it holds the units whose last rows are held out.
    """

    kind: Literal["random", "group", "time", "last"]
    column: str | None = None
    n_folds: int = 5
    together: str | None = None
    why: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """The facts of one column, counted over all rows."""

    name: str
    kind: Kind
    n_missing: int
    n_distinct: int
    quantiles: tuple[float, ...] = ()  # min, 5%, 25%, 50%, 75%, 95%, max; numbers only
    mean: float | None = None
    sd: float | None = None
    top: tuple[tuple[str, int], ...] = ()  # most frequent values with counts, at most 10


@dataclass(frozen=True, slots=True)
class Profile:
    """The facts of a table: columns, duplicate rows, correlations of numbers above 0.5."""

    n_rows: int
    columns: tuple[ColumnProfile, ...]
    n_duplicate_rows: int = 0
    correlations: tuple[tuple[str, str, float], ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is in the data: findings worst first, split policy, floor, smallest visible gain.

    ``floor`` is the loss of the best floor; ``smallest_gain`` the smallest drop of the mean loss
    that these rows can show at 80% power, both in the unit of the primary loss.
    """

    problem: Problem
    n_rows: int
    findings: tuple[Finding, ...]
    split: SplitPolicy
    profile: Profile
    floor: Interval
    smallest_gain: float
    n_checks: int = 0
    skipped: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def acts(self) -> tuple[Act, ...]:
        """All changes that the findings ask for, in order."""
        return tuple(act for finding in self.findings for act in finding.acts)


@dataclass(frozen=True, slots=True)
class Cut:
    """One place to cut the data: rows a learner may see, and rows it is asked about.

    Both are positions in the table, int64, ascending; they never overlap.
    """

    name: str
    history: Array
    asked: Array


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered: ``ids`` int64 (n,), ``values`` float64 (n, n_outputs)."""

    ids: Array
    values: Array


@dataclass(frozen=True, slots=True)
class Truth:
    """What turned out true: ``ids`` int64 (n,), ``values`` float64 (n,): class codes or numbers.

    Of lists ``values`` is (n, m): the codes of all items that came about, filled up with NaN.
    """

    ids: Array
    values: Array
    weight: Array | None = None


@dataclass(frozen=True, slots=True)
class Losses:
    """One loss per unit, lower is better: ``ids`` int64 (n,), ``values`` float64 (n,)."""

    metric: str
    ids: Array
    values: Array
    weight: Array | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """An idea about the data that one trial tests: a learner with settings, and why."""

    name: str
    learner: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    stage: Literal["floor", "simple", "portfolio", "user", "search"] = "portfolio"


@dataclass(frozen=True, slots=True)
class Trial:
    """One fitted attempt inside a run, judged fold by fold.

    ``loss`` is the corrected 95% range of the mean primary loss over ``folds`` finished folds;
    ``score`` the same in the unit of the metric shown to people; ``predict_us`` microseconds a row
    in batch.
    """

    number: int
    hypothesis: Hypothesis
    status: Literal["done", "dropped", "failed", "timed_out", "skipped"]
    reason: str = ""
    folds: int = 0
    fold_losses: tuple[float, ...] = ()
    loss: Interval | None = None
    score: Interval | None = None
    fit_s: float = 0.0
    predict_us: float = 0.0
    reused: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """One fitted model inside a candidate: which trial, its weight, where its files are."""

    trial: int
    hypothesis: Hypothesis
    weight: float
    folders: tuple[str, ...]  # one folder when refitted on all rows, one a fold otherwise
    refitted: bool


@dataclass(frozen=True, slots=True)
class Ranges:
    """95% ranges of answers: offsets to the answer by bins of it, learnt from unseen rows.

    For numbers the range is of the outcome, for probabilities of the probability of the label that
    is predicted. Bin i ends before ``edges[i]``; its range is the answer plus ``low[i]`` to the
    answer plus ``high[i]``, cut at ``least`` and ``most``; ``n`` counts the rows behind them.
    """

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    least: float | None = None
    most: float | None = None
    n: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a study proposes to release: weighted members, calibration, and its honest score.

    ``score`` is in the unit of ``problem.metric``; ``loss`` in the unit of the primary loss;
    ``gain_on_floor`` and ``gain_on_simple`` are drops of the mean loss, paired, above 0 is better;
    ``speaks_of`` says which artefact the score is a statement about; ``harmed`` names segments that
    are served worse than by the floor; ``loss_bound`` is the largest
    difference of two losses that a later comparison counts, fixed before that comparison;
    ``ranges`` is None when too few rows could say how far answers are off; ``sample`` is a file of
    judged rows with their answers, gone with the run, empty when none was kept; ``measures`` are
    further measures of the judged answers, by name.
    """

    name: str
    members: tuple[Member, ...]
    calibration: Mapping[str, float]
    score: Interval
    loss: Interval
    selection_score: float
    gain_on_floor: Interval
    gain_on_simple: Interval
    speaks_of: str
    segments: tuple[Segment, ...] = ()
    harmed: tuple[Segment, ...] = ()
    loss_bound: float | None = None
    ranges: Ranges | None = None
    sample: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """A group of rows and how its mean loss differs from that of the rest (above 0: worse)."""

    name: str
    n: int
    gap: Interval
    p: float


@dataclass(frozen=True, slots=True)
class Study:
    """All trials of one run, the candidate, and why the search stopped."""

    problem: Problem
    trials: tuple[Trial, ...]
    candidate: Candidate
    split: SplitPolicy
    stopped: str
    not_tried: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """One act, or one decision not to act, as a row of the ledger.

    ``kind`` is one of: assessed, studied, released, promoted, kept, inconclusive,
    not_evaluable, rolled_back, refused, interrupted, did_nothing; canary, shadow for who answers,
    incident for what could not. Of a model that is looked after: decided, recalibrated, retrained,
    searched, proven, degraded, drifted, labels_wanted, set_aside, called, source_lost,
    source_found, rehearsed, turn_failed; paused, resumed; alerted, muted, unmuted. The sentence
    that a person reads is built from these fields, never the other way round.
    """

    model: str
    kind: str
    headline: str
    because: tuple[Because, ...] = ()
    also_checked: tuple[Because, ...] = ()
    not_done: tuple[str, ...] = ()
    would_change: str = ""
    by: str = "system"
    policy: str = "default"
    data_sha256: str = ""
    log_e: float | None = None
    looks: int = 0
    undo: str = ""
    run: str = ""
    version: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """One packed artefact of a model: ``v3``, where it lies, its hash, score, and its role.

    ``trusted`` names types of a user's own estimator that may be loaded: it is kept in the store
    and never read from the artefact, which could then allow itself anything. ``loss_bound``
    and ``speaks_of`` are those of its candidate. ``until`` is its data cut: it may have learnt from
    what was asked before, so that only later predictions judge it; None where a person ran it.
    """

    model: str
    number: int
    folder: str
    sha256: str
    problem: Problem
    score: Interval
    run: str
    candidate: str
    created_at: datetime
    state: Literal["challenger", "champion", "previous", "retired", "refused"] = "challenger"
    trusted: tuple[str, ...] = ()
    loss_bound: float | None = None
    speaks_of: str = ""
    until: datetime | None = None

    @property
    def name(self) -> str:
        """``v3`` for number 3."""
        return f"v{self.number}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A user's rules, with defaults: every limit here is shown beside each number it judged."""

    alpha: float = 0.05
    latency_ms: float = 50.0  # one row, median, in this process
    guardrail: float = 0.10  # a segment's loss may exceed the champion's by this share
    min_gain: float = 0.0  # smallest drop of the mean loss that is worth a promotion
    set_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """One thing to tell a waiting person: the step, how far by expected time, and a line."""

    step: Literal["read", "assess", "study", "release", "done"]
    line: str
    share: float = 0.0  # of the budget, in [0, 1]
    detail: Mapping[str, Any] = field(default_factory=dict)
