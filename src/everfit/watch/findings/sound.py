"""Findings about the traffic itself: columns, values, answers, and whether any came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from everfit.records import Finding, Severity, Window
from everfit.watch.findings.words import day, listed, percent, short, windows
from everfit.watch.reference import Reference
from everfit.watch.usual import LEANS, Usual

CHANCE = 1e-6  # below it, what is seen in one window is no accident
JUMP = 0.2  # share of rows by which missing or unknown values may rise before one window is enough
MUCH = 0.5  # share of values of another type from which on a column is broken
OUT = 0.05  # share of values out of the training range that is worth a word
COPIES = 0.5  # share of rows that are copies of others
DIFFER = 0.05  # share of rows that the source has otherwise, which changes since cannot explain
QUIET = 3.0  # windows without a request that are no longer a pause
LATE = timedelta(minutes=5)
LEFT_AS = "they count as missing"


def traffic_findings(
    asked: Sequence[Window], reference: Reference, *, now: datetime, window_s: float
) -> list[Finding]:
    """Findings about the newest window with requests, and about windows without any."""
    found = _quiet(asked, now, window_s)
    full = [window for window in asked if window.n and "away" in window.facts]
    if not full:
        return found
    newest = full[-1]
    for usual in reference.columns:
        found += _column(usual, newest, full, reference)
    found += _answers(newest, full) + _extra(full) + _copies(newest)
    return found + _verified(full) + _source(full)


def _quiet(asked: Sequence[Window], now: datetime, window_s: float) -> list[Finding]:
    """No request for some windows, though there were some before."""
    busy = [window for window in asked if window.n]
    if not busy:
        return []
    gone = now - busy[-1].end
    silent = gone / timedelta(seconds=window_s)
    # a window is closed a while after its end: of short ones several may be under way
    if silent < QUIET or gone < LATE:
        return []
    return [
        Finding(
            "traffic", "warn",
            f"No request has come since {day(busy[-1].end)}; nothing new can be said.",
            number=round(silent, 1), unit="windows",
            evidence={"test": "exact count", "n": busy[-1].n},
        )
    ]  # fmt: skip


def _column(
    usual: Usual, newest: Window, full: Sequence[Window], reference: Reference
) -> list[Finding]:
    """What is wrong with one column in the newest window, worst first; one finding at most."""
    before = "at training" if reference.made_of == "training" else "in the first window"
    odd = newest.facts.get("odd", {}).get(usual.name, {})
    n = newest.n
    gone = usual.name in newest.facts.get("schema", {}).get("missing", ())
    if gone and usual.missing**n < CHANCE:
        return [_gone(usual, newest, full, before)]
    if odd.get("misfit"):
        return [_retyped(usual, odd, n, full)]
    away = _away(usual, newest, reference)
    for name, words in (("missing", "are missing"), ("new", "are levels never seen")):
        more, error = away.get(name, (0.0, 1.0))
        if more >= JUMP and more > 6 * error:
            was = usual.centres[usual.statistics.index(name)]
            when = _since(full, partial(_far, usual, reference, name))
            return [_found(
                "values", "warn", usual, more,
                f"`{usual.name}`: {percent(min(was + more, 1.0))} of values {words}{when}, "
                f"{percent(was)} {before}. {_leans(usual)}", n,
            )]  # fmt: skip
    if "constant" in odd and _top_share(usual) ** n < CHANCE:
        return [_found(
            "values", "warn", usual, float(n),
            f"`{usual.name}` had one value, {short(odd['constant'])}, in all {n:,} rows. "
            f"{_leans(usual)}", n,
        )]  # fmt: skip
    if odd.get("outside", 0) >= OUT * n:
        share = odd["outside"] / n
        return [_found(
            "values", "warn" if usual.weight >= LEANS else "info", usual, share,
            f"`{usual.name}`: {percent(share)} of values lie outside the training range "
            f"({short(usual.low or 0.0)} to {short(usual.high or 0.0)}), such as "
            f"{short(odd['far'])}. Those answers are guesses.", n,
        )]  # fmt: skip
    return []


def _gone(usual: Usual, newest: Window, full: Sequence[Window], before: str) -> Finding:
    name = usual.name
    when = _since(full, lambda window: name in window.facts.get("schema", {}).get("missing", ()))
    like = newest.facts["schema"].get("renamed", {}).get(name)
    guess = f" `{like}` looks like it: was it renamed?" if like else ""
    never = all(name in window.facts.get("schema", {}).get("missing", ()) for window in full)
    came = "never came" if never else f"no longer comes{when}"
    severity: Severity = "fail" if usual.weight >= LEANS or not never else "warn"
    return Finding(
        check="schema",
        severity=severity,
        headline=f"`{name}` {came}; {percent(1 - usual.missing)} of rows had it {before}.{guess} "
        + _leans(usual),
        columns=(name, like) if like else (name,),
        number=float(newest.n),
        unit="rows without it",
        done=f"answered without it ({'its default' if usual.default is not None else 'missing'})",
        evidence={"test": "exact count", "n": newest.n, "weight": usual.weight},
    )


def _retyped(usual: Usual, odd: dict[str, Any], n: int, full: Sequence[Window]) -> Finding:
    share = odd["misfit"] / n
    when = _since(
        full, lambda window: bool(window.facts.get("odd", {}).get(usual.name, {}).get("misfit"))
    )
    severity: Severity = "fail" if share >= MUCH else "warn"
    return Finding(
        check="schema",
        severity=severity,
        headline=f"`{usual.name}`: {odd['misfit']:,} of {n:,} values are no {usual.column.kind}, "
        f"such as {short(odd['example'])}{when}; {LEFT_AS}. {_leans(usual)}",
        columns=(usual.name,),
        number=round(share, 4),
        unit="share of rows",
        examples=(odd["example"],),
        done="counted as missing",
        evidence={"test": "exact count", "n": n, "given_as": odd.get("type", "")},
    )


def _answers(newest: Window, full: Sequence[Window]) -> list[Finding]:
    missed = int(newest.facts.get("unanswered", 0))
    if not missed:
        return []
    when = _since(full, lambda window: bool(window.facts.get("unanswered")))
    return [Finding(
        "answers", "fail" if missed >= MUCH * newest.n else "warn",
        f"{missed:,} of {newest.n:,} answers hold no number{when}.",
        number=float(missed), unit="answers", evidence={"test": "exact count", "n": newest.n},
    )]  # fmt: skip


def _extra(full: Sequence[Window]) -> list[Finding]:
    """Columns that came for the first time in the newest window, or lately."""
    newest = full[-1].facts.get("schema", {}).get("extra", ())
    known = {
        name for window in full[:-1] for name in window.facts.get("schema", {}).get("extra", ())
    }
    new = [name for name in newest if name not in known]
    if not new or len(full) < 2:
        return []
    return [Finding(
        "schema", "info",
        f"{listed(new)} came for the first time; the version does not read "
        f"{'it' if len(new) == 1 else 'them'}. The next fit may.",
        columns=tuple(new), number=float(len(new)), unit="columns",
        evidence={"test": "exact count", "n": full[-1].n},
    )]  # fmt: skip


def _copies(newest: Window) -> list[Finding]:
    share = float(newest.facts.get("repeated", 0.0))
    if share < COPIES or newest.n < 20:
        return []
    return [Finding(
        "rows", "info",
        f"{percent(share)} of rows are exact copies of others in the same window.",
        number=share, unit="share of rows", evidence={"test": "exact count", "n": newest.n},
    )]  # fmt: skip


def _verified(full: Sequence[Window]) -> list[Finding]:
    newest = full[-1].facts.get("verified")
    if newest is None:
        return []
    if error := newest.get("error"):
        return [Finding(
            "answers again", "fail", f"The version could not be asked again: {error}.",
            done="the answers that it gave are kept", evidence={"test": "recomputed answers"},
        )]  # fmt: skip
    if not newest["differ"]:
        return []
    when = _since(full, lambda window: bool(window.facts.get("verified", {}).get("differ")))
    largest = newest.get("largest")
    by = "" if largest is None else f" (by up to {short(largest)})"
    return [Finding(
        "answers again", "fail",
        f"{newest['differ']} of {newest['n']} logged answers are not what the version gives for "
        f"their rows{by}{when}.",
        number=float(newest["differ"]), unit="answers",
        evidence={"test": "recomputed answers", "n": newest["n"]},
    )]  # fmt: skip


def _source(full: Sequence[Window]) -> list[Finding]:
    """Train-serve skew: features that the source has otherwise than they were sent."""
    newest = full[-1].facts.get("recomputed")
    if newest is None:
        return []
    if error := newest.get("error"):
        return [Finding(
            "skew", "warn", f"The source could not be asked for the rows that came: {error}.",
            done="skew was not checked", evidence={"test": "recomputed features"},
        )]  # fmt: skip
    made = []
    for name, differ in sorted(newest["differ"].items(), key=lambda item: -item[1]):
        example = newest.get("examples", {}).get(name, "")
        made.append(Finding(
            "skew", "warn" if differ >= DIFFER * newest["n"] else "info",
            f"`{name}` differs from the source in {differ} of {newest['n']} rows, such as "
            f"{example}. Training and serving may compute it differently.",
            columns=(name,), number=round(differ / max(newest["n"], 1), 4), unit="share of rows",
            evidence={"test": "recomputed features", "n": newest["n"]},
        ))  # fmt: skip
    return made


def _found(
    check: str, severity: Severity, usual: Usual, number: float, headline: str, n: int
) -> Finding:
    return Finding(
        check, severity, headline, columns=(usual.name,), number=round(number, 4),
        unit="share of rows", done="answered as it came",
        evidence={"test": "exact count", "n": n, "weight": usual.weight},
    )  # fmt: skip


def _since(full: Sequence[Window], holds: Callable[[Window], bool]) -> str:
    """Since when something holds without a gap, up to the newest window; empty for that alone."""
    first = None
    for window in reversed(full):
        if not holds(window):
            break
        first = window
    return "" if first is None or first is full[-1] else f" since {day(first.start)}"


def _away(usual: Usual, window: Window, reference: Reference) -> dict[str, tuple[float, float]]:
    """By statistic, how far the window is from the reference, and its error."""
    begin = 0
    for other in reference.columns:
        if other.name == usual.name:
            break
        begin += len(other.statistics)
    found = {}
    for k, name in enumerate(usual.statistics):
        away, error = window.facts["away"][begin + k], window.facts["errors"][begin + k]
        if away is not None and error is not None:
            found[name] = (float(away), float(error))
    return found


def _far(usual: Usual, reference: Reference, name: str, window: Window) -> bool:
    return _away(usual, window, reference).get(name, (0.0, 1.0))[0] >= JUMP


def _top_share(usual: Usual) -> float:
    if usual.shares:
        return usual.shares[0]
    steps = [b - a for a, b in zip(usual.marks, usual.marks[1:], strict=False)]
    return min(2 * max(steps, default=0.5), 0.999)


def _leans(usual: Usual) -> str:
    if usual.column.kind in ("text", "date"):
        return ""
    return "The answers lean on it." if usual.weight >= LEANS else "The answers hardly need it."


def quiet_state(asked: Sequence[Window]) -> str:
    """A word on how little there was, where nothing can be judged."""
    return f"{windows(len(asked))} and {sum(window.n for window in asked):,} predictions so far"
