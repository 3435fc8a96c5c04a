"""What is in the record of who met what: repeats, ties, strangers, and the floor of lists."""

from __future__ import annotations

from datetime import UTC, timedelta
from math import isfinite

import numpy as np
import polars as pl

from everfit.assess.check import Check, Context, counted, percent, share
from everfit.assess.enough import POWER, Enough
from everfit.column import DEPTH
from everfit.data.columns.collect import as_words
from everfit.data.split import cuts
from everfit.errors import TooFewRows
from everfit.evidence.interval import spread
from everfit.evidence.power import smallest_gain, units_needed
from everfit.lists.top import pack
from everfit.records import Act, Answers, Array, Cut, Finding, Losses, SplitPolicy, Truth
from everfit.tasks.met import REPEATS, Rows, Strangers

DAYS = (30, 90)  # windows of two popularities, whose lists differ as two models do that follow
SHARES = (0.1, 0.5)  # the same as shares of the newest rows, where no time is shared
DAY_S = 86_400.0
CANDIDATES = 1_000  # most popular items: who has met nearly all of them gets a shorter list
FEW = 5  # interactions: who has fewer says little of a taste
LEAST_APART = 0.5  # of the spread of losses: where two popularities are one, other lists differ
MOST_FUTURE = 0.05  # of all rows: with more of them in the future, a clock is wrong
EXACT = "exact count"


def _rows(context: Context) -> Rows:
    return Rows.of(context.table, context.problem)


def find_missing(context: Context) -> list[Finding]:
    """Rows without a user or an item: nothing can be learnt from them."""
    found = []
    for what, name in (("user", str(context.problem.group)), ("item", context.problem.target)):
        n = context.table.frame[name].null_count()
        if n:
            part = percent(share(n, context.table.n_rows))
            found.append(
                Finding(
                    check="missing users or items",
                    severity="warn",
                    headline=f"{counted(n, 'interaction')} ({part}) without a {what} (`{name}`)",
                    columns=(name,),
                    number=float(n),
                    unit="interactions",
                    done="left out",
                    evidence={"test": EXACT, "n": context.table.n_rows},
                    acts=(Act("drop_missing", name),),
                )
            )
    return found


def find_untimed(context: Context) -> list[Finding]:
    """Interactions that cannot be put in order, or times that users do not share."""
    found = []
    if why := _rows(context).untimed:
        found.append(
            Finding(
                check="time of interactions",
                severity="warn",
                headline=why[0].upper() + why[1:],
                done="the score says less about tomorrow than one forward in time",
                evidence={"test": "exact look at all times", "n": context.table.n_rows},
            )
        )
    time = context.problem.time
    n = context.table.frame[time].null_count() if time else 0
    if n:
        part = percent(share(n, context.table.n_rows))
        found.append(
            Finding(
                check="time of interactions",
                severity="warn",
                headline=f"{counted(n, 'interaction')} ({part}) without a time (`{time}`)",
                columns=(str(time),),
                number=float(n),
                unit="interactions",
                done="kept, as older than all others",
                evidence={"test": EXACT, "n": context.table.n_rows},
            )
        )
    return found


def find_future(context: Context) -> list[Finding]:
    """Times later than now: a few are mistakes and left out, many mean that a clock is wrong."""
    time = context.problem.time
    if time is None or context.now is None or not context.table.frame[time].dtype.is_temporal():
        return []
    values = context.table.frame[time]
    limit = (context.now + timedelta(days=1)).astimezone(UTC).replace(tzinfo=None)
    late = values.filter((values > limit).fill_null(False))
    if late.is_empty():
        return []
    few = share(len(late), context.table.n_rows) <= MOST_FUTURE
    latest = as_words(late).unique().sort(descending=True)
    return [
        Finding(
            check="time in the future",
            severity="warn" if few else "fail",
            headline=f"{counted(len(late), 'interaction')} with a time in the future, the last "
            f"at {latest[0]}",
            columns=(time,),
            number=float(len(late)),
            unit="interactions",
            examples=tuple(latest.head(3).to_list()),
            done="left out, or they would be the newest that everybody liked"
            if few
            else "kept: so many cannot be mistakes of single rows; check the clock that wrote them",
            evidence={"test": EXACT, "n": context.table.n_rows, "later_than": str(limit)},
            acts=(Act("drop_value", time, tuple(latest.to_list())),) if few else (),
        )
    ]


def find_repeats(context: Context) -> list[Finding]:
    """The same user, item and time more than once; and items that users meet again."""
    problem, frame = context.problem, context.table.frame
    user, found = str(problem.group), _rows(context)
    findings = []
    if problem.time is not None:
        extra = frame.height - frame.select(user, problem.target, problem.time).n_unique()
        if extra:
            part = percent(share(extra, frame.height))
            findings.append(
                Finding(
                    check="repeated interactions",
                    severity="warn" if share(extra, frame.height) > 0.01 else "info",
                    headline=f"{counted(extra, 'interaction')} ({part}) stand twice: the same "
                    "user, item and time",
                    columns=(user, problem.target, problem.time),
                    number=float(extra),
                    unit="interactions",
                    done="counted once",
                    evidence={"test": EXACT, "n": frame.height},
                    acts=(Act("drop_repeats", user, (problem.target, problem.time)),),
                )
            )
    pairs = found.users[found.known] * len(problem.labels) + found.items[found.known]
    again = len(pairs) - len(np.unique(pairs))
    if again:
        done = (
            "lists may show an item again, and meeting it again counts"
            if found.again
            else "lists leave out what a user has met, and meeting it again does not count"
        )
        findings.append(
            Finding(
                check="items met again",
                severity="info",
                headline=f"{percent(share(again, len(pairs)))} of the interactions meet an item "
                "again",
                number=share(again, len(pairs)),
                unit="share of interactions",
                done=done,
                evidence={"test": EXACT, "n": len(pairs), "limit": REPEATS},
            )
        )
    return findings


def find_ties(context: Context) -> list[Finding]:
    """Interactions of one user at one time: what came first cannot be told."""
    time, user = context.problem.time, str(context.problem.group)
    if time is None or _rows(context).untimed:
        return []
    frame = context.table.frame.select(user, time, context.problem.target).drop_nulls()
    tied = int(frame.select(pl.struct(user, time).is_duplicated().sum()).item())
    if not tied:
        return []
    part = share(tied, frame.height)
    return [
        Finding(
            check="ties in time",
            severity="warn" if part > 0.1 else "info",
            headline=f"{percent(part)} of the interactions share their time with another of the "
            "same user",
            columns=(time,),
            number=part,
            unit="share of interactions",
            done="their order is that of the rows; orders inside a tie are not to be trusted",
            evidence={"test": EXACT, "n": frame.height},
        )
    ]


def find_sizes(context: Context) -> list[Finding]:
    """How many users, items and interactions there are, and how thin they are spread."""
    found = _rows(context)
    users, items = found.users[found.known], found.items[found.known]
    n, n_users, n_items = len(users), len(np.unique(users)), len(np.unique(items))
    if not n:
        return []
    filled = share(n, n_users * n_items)
    once = int((np.bincount(users) == 1).sum())
    few = int(((c := np.bincount(users)) > 0).sum() - (c >= FEW).sum())
    findings = [
        Finding(
            check="users and items",
            severity="info",
            headline=f"{n:,} interactions of {n_users:,} users with {n_items:,} items; "
            f"{percent(filled)} of all pairs",
            number=filled,
            unit="share of pairs",
            evidence={"test": EXACT, "n": n, "users": n_users, "items": n_items},
        )
    ]
    if share(few, n_users) > 0.2:
        findings.append(
            Finding(
                check="users with few interactions",
                severity="warn" if share(few, n_users) > 0.5 else "info",
                headline=f"{percent(share(few, n_users))} of the users have fewer than {FEW} "
                f"interactions, {percent(share(once, n_users))} have one",
                number=share(few, n_users),
                unit="share of users",
                done="they get what is popular, until more is known of them",
                evidence={"test": EXACT, "n": n_users},
            )
        )
    return findings


def find_strangers(context: Context) -> list[Finding]:
    """Users and items at the newest cut of whom nothing was known before."""
    held = _cuts(context)
    if not held:
        return []
    found = Strangers.of(_rows(context), held[-1:], len(context.problem.labels)).shares
    users, items = found["share of new users"], found["share of new items"]
    if max(users, items) < 0.01:
        return []
    return [
        Finding(
            check="new users and items",
            severity="info",
            headline=f"{percent(users)} of those who are asked for at the newest cut are new, and "
            f"{percent(items)} of what was met then was new to all",
            number=users,
            unit="share of users asked for",
            done="they are judged with the others, and reported apart",
            evidence={"test": EXACT, "n": len(held[-1].asked), "items": items},
        )
    ]


def find_catalogue(context: Context) -> list[Finding]:
    """Keys of the table of items that are missing or double, and items that it does not name."""
    items = context.beside.get("items")
    if items is None:
        return []
    name, keys = context.problem.target, items.frame[context.problem.target]
    missing = keys.null_count()
    doubled = len(keys) - missing - keys.drop_nulls().n_unique()
    found = _rows(context)
    words = [context.problem.labels[c] for c in np.unique(found.items[found.known])]
    unnamed = len(set(words) - set(as_words(keys).drop_nulls().to_list()))
    unmet = len(context.problem.labels) - len(words)
    told = (
        (missing, "row", f"of the table of items without `{name}`", "left out"),
        (doubled, "row", "of the table of items with a key that stands above", "the first counts"),
        (unnamed, "item", "that users met, not in the table of items", "known by who met them"),
        (unmet, "item", "of the table of items that nobody met", "known by what they are"),
    )
    return [
        Finding(
            check="table of items",
            severity="info" if what == "item" and n < len(words) / 2 else "warn",
            headline=f"{counted(n, what)} {text}",
            columns=(name,),
            number=float(n),
            unit=f"{what}s",
            done=done,
            evidence={"test": EXACT, "n": len(keys)},
        )
        for n, what, text, done in told
        if n
    ]


CHECKS = (
    Check("missing users or items", "facts", find_missing),
    Check("time of interactions", "facts", find_untimed),
    Check("time in the future", "facts", find_future),
    Check("repeated interactions", "rows", find_repeats),
    Check("ties in time", "rows", find_ties),
    Check("users and items", "rows", find_sizes),
    Check("new users and items", "rows", find_strangers),
    Check("table of items", "facts", find_catalogue),
)


def measure_enough(context: Context) -> Enough:
    """The loss of what was popular lately at the newest cut, and the smallest gain over all cuts.

    What a gain must stand out from is the spread of paired differences between the lists of two
    windows of popularity, or half the spread of the losses where that is more.

    Raises
    ------
    TooFewRows : nothing came about after any cut, so that no list can be judged
    """
    task, problem = context.task, context.problem
    held = [c for c in _cuts(context) if len(task.turned_out(context.table, problem, [c]).ids)]
    if not held:
        raise TooFewRows(
            "no list can be judged: nobody met anything new after any cut",
            got=f"{context.table.n_rows:,} interactions",
            expected="users who meet items that they had not met before",
            do="add interactions, or name a time that users share",
        )
    truth = task.turned_out(context.table, problem, held[-1:])
    first, second = (_losses(context, held[-1], truth, window) for window in (0, 1))
    floor = min(first, second, key=lambda losses: float(losses.values.mean()))
    n = sum(len(task.asked(context.table, problem, cut)) for cut in held)
    sd = float("nan")
    if len(truth.ids) > 1:
        apart = float(np.std(first.values - second.values, ddof=1))
        sd = max(apart, LEAST_APART * float(np.std(floor.values, ddof=1)))
    visible = smallest_gain(sd, n, power=POWER)
    loss = float(floor.values.mean())
    return Enough(spread(floor.values).interval(), visible, (_finding(n, visible, sd, loss),))


def _finding(n: int, visible: float, sd: float, loss: float) -> Finding:
    needed = units_needed(0.01 * loss, sd, power=POWER) if loss > 0 and sd > 0 else None
    more = "" if needed is None else f"; a drop of 1% of the loss needs {needed:,}"
    seen = percent(share(visible, loss)) if isfinite(visible) else "any size"
    return Finding(
        check="enough asks",
        severity="warn" if visible > 0.1 * loss else "info",
        headline=f"{n:,} asks can show a drop of {seen} of the loss{more}",
        number=visible,
        unit="loss, smallest gain at 80% power",
        done="more users after each cut help most" if visible > 0.1 * loss else "nothing",
        evidence={
            "test": "paired t at 5%, two-sided, power 80%",
            "statistic": sd,
            "unit": "standard deviation of paired differences of two popularities, or half that of "
            "their losses",
            "n": n,
            "floor_loss": loss,
        },
    )


def _cuts(context: Context) -> tuple[Cut, ...]:
    policy: SplitPolicy | None = context.task.split(context.table, context.problem)
    return () if policy is None else cuts(context.table, policy, None, seed=0)


def _losses(context: Context, cut: Cut, truth: Truth, window: int) -> Losses:
    """The losses of the asks of a cut for the items that most met in a window before it."""
    found, n_items = _rows(context), len(context.problem.labels)
    history = cut.history[(found.users[cut.history] >= 0) & (found.items[cut.history] >= 0)]
    newest = _newest(context, found.at[history], window)
    counts = np.bincount(found.items[history[newest]], minlength=n_items)
    best = np.argsort(-counts, kind="stable")[:CANDIDATES]
    users = found.users[truth.ids]
    taken = np.zeros((len(users), len(best)), dtype=bool)
    if not found.again:
        pairs = np.unique(found.users[history] * n_items + found.items[history])
        taken = np.isin(users[:, None] * n_items + best, pairs)
    places = np.argsort(taken, axis=1, kind="stable")[:, :DEPTH]
    free = ~np.take_along_axis(taken, places, axis=1)
    codes = np.where(free, best[places], -1)
    scores = np.where(free, counts[best][places], 0.0)
    answers = Answers(truth.ids, pack(codes, scores))
    return context.task.losses(answers, truth, context.problem.metric)


def _newest(context: Context, at: Array, window: int) -> Array:
    """Positions of the rows of a window: the last days of a time, or a share of rows without."""
    time = context.problem.time
    if time is not None and context.table.frame[time].dtype.is_temporal():
        edge = np.nanmax(at, initial=-np.inf) - DAYS[window] * DAY_S * 1e6  # microseconds
        return np.flatnonzero(~(at < edge))
    n = max(1, round(SHARES[window] * len(at)))
    return np.argsort(at, kind="stable")[-n:]
