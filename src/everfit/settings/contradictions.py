"""Rules of upkeep that cannot all hold: each is refused with the line that says it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everfit.errors import SettingsError

if TYPE_CHECKING:
    from everfit.records import Upkeep

UNITS = (("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0))


@dataclass(frozen=True, slots=True)
class Said:
    """Where rules were said, and what else they must agree with.

    ``lines`` has the place of each rule by its name in the file; ``keep_days`` is how long the
    server keeps predictions and outcomes, None for all; ``targets`` are the names of ``[alerts]``.
    """

    lines: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    keep_days: int | None = None
    keep_line: str = ""
    targets: tuple[str, ...] = ()

    def place(self, *names: str) -> str:
        """The line of the first of ``names`` that somebody wrote."""
        return next((self.lines[name] for name in names if name in self.lines), "the policy")


@dataclass(frozen=True, slots=True)
class Clash:
    """One contradiction: the rules it is about, and the four parts of its error."""

    names: tuple[str, ...]
    what: str
    got: str
    expected: str
    do: str
    line: str = ""


def refuse(upkeep: Upkeep, said: Said) -> None:
    """Nothing, when all rules can hold together.

    Raises
    ------
    SettingsError : the first that cannot, with its line
    """
    for rule in RULES:
        for clash in rule(upkeep, said):
            place = clash.line or said.place(*clash.names)
            raise SettingsError(
                f"{place}: {clash.what}", got=clash.got, expected=clash.expected, do=clash.do
            )


def spoken(seconds: float) -> str:
    """A length of time as the file writes it.

    Examples
    --------
    >>> spoken(7 * 86_400), spoken(43_200), spoken(90), spoken(0)
    ('7d', '12h', '90s', '0s')
    """
    for unit, size in UNITS:
        if seconds >= size and math.isclose(seconds / size, round(seconds / size)):
            return f"{round(seconds / size)}{unit}"
    return f"{seconds:g}s"


def _shares(upkeep: Upkeep, _: Said) -> Iterator[Clash]:
    total = sum(upkeep.shares.values())
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        listed = ", ".join(f"{name} {share:g}" for name, share in upkeep.shares.items())
        yield Clash(
            tuple(f"error_budget.{name}" for name in upkeep.shares),
            "the shares of the error budget do not sum to 1",
            f"{listed}: together {total:g}",
            "shares that sum to 1",
            "set all four below [policy.error_budget]",
        )


def _floor(upkeep: Upkeep, said: Said) -> Iterator[Clash]:
    if upkeep.floor is None or said.metric is None:
        return
    from everfit.tasks import TASKS

    tasks = [task for task in TASKS.values() if said.metric in task.metrics]
    if not tasks:
        return
    low, high = tasks[0].limits(said.metric)
    higher = tasks[0].better(said.metric) == "higher"
    floor, metric = upkeep.floor, said.metric
    told = f"{metric} is from {low:g} to {high:g} and better when {'higher' if higher else 'lower'}"
    best, worst = (high, low) if higher else (low, high)
    if metric == "auc":
        worst = 0.5  # what guessing reaches
    reached = floor < best if higher else floor > best
    useful = floor > worst if higher else floor < worst
    if not reached:
        yield Clash(
            ("floor",),
            f"{metric} cannot stay on the good side of the floor {floor:g}",
            told,
            f"a floor {'below' if higher else 'above'} {best:g}",
            "set the worst value that you would still accept",
        )
    elif not useful:
        yield Clash(
            ("floor",),
            f"the floor {floor:g} is on the wrong side: {metric} never gets that bad",
            told if metric != "auc" else "guessing reaches an auc of 0.5",
            f"a floor {'above' if higher else 'below'} {worst:g}",
            "set the worst value that you would still accept",
        )


def _rollback(upkeep: Upkeep, _: Said) -> Iterator[Clash]:
    yield from _too_short(
        upkeep,
        ("rollback_window", upkeep.rollback_window_s),
        "the rollback window ends before its outcomes can say anything",
    )


def _trial(upkeep: Upkeep, _: Said) -> Iterator[Clash]:
    yield from _too_short(
        upkeep,
        ("trial", upkeep.trial_s),
        "a trial would end before its outcomes can say anything",
    )


def _too_short(upkeep: Upkeep, said: tuple[str, float], what: str) -> Iterator[Clash]:
    """What is judged by windows of outcomes must last until their answer can be read once."""
    from everfit.evidence.trial.dispersion import least_time_s

    name, lasts_s = said
    first_s, read_s = upkeep.label_delay_s + upkeep.window_s, least_time_s(upkeep.window_s)
    needed = max(first_s, read_s)
    if lasts_s >= needed:
        return
    windows = round(read_s / upkeep.window_s)
    why = (
        f": an answer is read after {windows} windows, and not before"
        if read_s >= first_s
        else ": its first window of outcomes must be there"
    )
    yield Clash(
        (name, "label_delay", "window"),
        what,
        f"{name} {spoken(lasts_s)}, label_delay {spoken(upkeep.label_delay_s)}, "
        f"window {spoken(upkeep.window_s)}",
        f"at least {spoken(needed)}{why}",
        f'set {name} = "{spoken(needed)}" or more',
    )


def _missing(upkeep: Upkeep, _: Said) -> Iterator[Clash]:
    if upkeep.missing_outcome is not None and upkeep.label_delay_s == 0:
        yield Clash(
            ("missing_outcome",),
            "every prediction would count as wrong or right before its outcome could come",
            f"missing_outcome {upkeep.missing_outcome!r}, label_delay 0s",
            "a label delay, when a missing outcome counts",
            'set label_delay, such as "7d", or leave missing_outcome out',
        )


def _kept(upkeep: Upkeep, said: Said) -> Iterator[Clash]:
    needed = upkeep.label_delay_s + upkeep.rollback_window_s
    if said.keep_days is not None and said.keep_days * 86_400 < needed:
        days = math.ceil(needed / 86_400)
        yield Clash(
            ("rollback_window", "label_delay"),
            "predictions are dropped before a promotion could be taken back by them",
            f"keep_days {said.keep_days}, label_delay {spoken(upkeep.label_delay_s)}, "
            f"rollback_window {spoken(upkeep.rollback_window_s)}",
            f"keep_days of at least {days}",
            f"set keep_days = {days} or more in [serve], or a shorter rollback_window",
            line=said.keep_line,
        )


def _paid(upkeep: Upkeep, _: Said) -> Iterator[Clash]:
    for act, name, most, cost in (
        ("retrain", "fits_a_year", upkeep.fits_a_year, upkeep.fit_cost),
        ("search", "searches_a_year", upkeep.searches_a_year, upkeep.search_cost),
    ):
        if act not in upkeep.acts:
            continue
        if most == 0:
            yield Clash(
                (name,),
                f"it may {act} by itself, and not once in a year",
                f"acts has {act!r}, {name} 0",
                f"{name} of 1 or more, or acts without {act!r}",
                f"set {name}, or take {act!r} out of acts",
            )
        if upkeep.money_a_year is not None and upkeep.money_a_year < cost:
            yield Clash(
                ("money_a_year", f"{'fit' if act == 'retrain' else act}_cost"),
                f"it may {act} by itself, and a year's money does not pay for one",
                f"money_a_year {upkeep.money_a_year:g}, one {act} costs {cost:g}",
                f"money_a_year of {cost:g} or more, or acts without {act!r}",
                f"set money_a_year, or take {act!r} out of acts",
            )


def _told(upkeep: Upkeep, said: Said) -> Iterator[Clash]:
    for name in upkeep.tell or ():
        if name not in said.targets:
            near = difflib.get_close_matches(name, said.targets, n=1, cutoff=0.4)
            yield Clash(
                ("tell",),
                f"there is no target {name!r} to tell",
                name,
                ", ".join(said.targets) or "a target below [alerts]",
                f"did you mean {near[0]!r}?" if near else "add it below [alerts]",
            )


RULES: tuple[Callable[[Upkeep, Said], Iterator[Clash]], ...] = (
    _shares,
    _floor,
    _rollback,
    _trial,
    _missing,
    _kept,
    _paid,
    _told,
)
