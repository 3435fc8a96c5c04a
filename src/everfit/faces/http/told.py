"""What the keeper answers to questions that only the stores can answer; each body is final JSON.

::

    models    {}                        {"models": [{name, state, champion, runs, last_decision}]}
    model     model                     {name, state, champion: version, runs, last_decision}
    versions  model                     {model, versions: [version]}, newest first
    version   model, version            version
    card      model, version?           {model, version, card}, card in Markdown
    ledger    model, last?, before?     {model, decisions: [decision], more}, newest first
    traffic   model, since?, arms?      {model, since, arms: [arm], direct, shadow, sample_ratio}
    outcomes  receipts                  {states: {receipt: state}}

Every error is ``{"error": {code, message, got, expected, do}}`` with the status of its class.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from everfit.errors import ArtefactRefused, EverfitError, Unreachable, UsageError
from everfit.faces.found import card_of
from everfit.live.arms import Arms, version_of
from everfit.live.outward import outward
from everfit.plain import as_plain
from everfit.records import Version

if TYPE_CHECKING:
    from everfit.house import House, Status

MOST, USUAL = 1000, 50  # decisions in one answer
JOIN_S, LOOK_S = 0.3, 0.02  # how long outcomes may take to be joined, and between two looks
_JOINING = Lock()
Args = Mapping[str, Any]
Body = dict[str, Any]


class Counted(Protocol):
    """What is asked of the log of traffic."""

    def arms(self, model: str, *, since: datetime | None = None) -> Mapping[str, int]:
        """Distinct keys that each arm answered."""
        ...

    def outcomes_state(self, receipts: Sequence[str]) -> Mapping[str, str]:
        """What became of outcomes."""
        ...


def tell(house: House, log: Counted | None, call: str, args: Args) -> tuple[int, Body]:
    """The status and body of one answer.

    Parameters
    ----------
    log : None while it is not open; what needs it is refused with 503
    call, args : see the head of this module; numbers and times may be texts from a query
    """
    try:
        return 200, _body(house, log, call, args)
    except EverfitError as error:
        return error.http_status, error_body(outward(error))


def error_body(error: EverfitError) -> Body:
    """The one shape of all errors over HTTP.

    Examples
    --------
    >>> error_body(UsageError("no rows", do="send one"))["error"]["code"]
    'UsageError'
    """
    return {"error": {k: v for k, v in error.as_dict().items() if k != "exit_code"}}


def _body(house: House, log: Counted | None, call: str, args: Args) -> Body:
    if call in _OF_THE_LOG:
        if log is None:
            raise Unreachable("the log of traffic is not open", do="try again in a moment")
        return _OF_THE_LOG[call](house, log, args)
    if call in _OF_THE_HOUSE:
        return _OF_THE_HOUSE[call](house, args)
    known = ", ".join([*_OF_THE_HOUSE, *_OF_THE_LOG])
    raise UsageError(f"there is no call {call!r}", expected=known)


def _models(house: House, args: Args) -> Body:
    return {"models": [_status(one) | {"champion": _champion(one)} for one in house.status()]}


def _model(house: House, args: Args) -> Body:
    (one,) = house.status(_text(args, "model"))
    return _status(one) | {"champion": None if one.champion is None else _version(one.champion)}


def _versions(house: House, args: Args) -> Body:
    model = _text(args, "model")
    return {"model": model, "versions": [_version(one) for one in house.versions(model)]}


def _one_version(house: House, args: Args) -> Body:
    return _version(house.version(_text(args, "model"), _text(args, "version")))


def _card(house: House, args: Args) -> Body:
    model = _text(args, "model")
    version = house.version(model, args.get("version"))
    try:
        card = card_of(house, model, version.name)
    except ArtefactRefused as error:
        # the folder, which its parts name, is this machine's own matter
        raise ArtefactRefused(
            error.what, got="it cannot be read", expected="the card that was packed", do=error.do
        ) from error
    return {"model": model, "version": version.name, "card": card}


def _ledger(house: House, args: Args) -> Body:
    model, last = _text(args, "model"), _whole(args, "last", USUAL)
    before = _whole(args, "before", 0)
    if not 1 <= last <= MOST:
        raise UsageError(
            "so many decisions are not told at once",
            got=f"last={last}", expected=f"1 to {MOST}", do="page with before=ID",
        )  # fmt: skip
    found = [one for one in house.decisions(model) if not before or one.id < before]
    return {
        "model": model,
        "decisions": [as_plain(one) for one in found[:last]],
        "more": len(found) > last,
    }


def _traffic(house: House, log: Counted, args: Args) -> Body:
    model, since = _text(args, "model"), _time(args, "since")
    arms = Arms.from_dict(args["arms"]) if args.get("arms") else None
    house.versions(model)  # an unknown model is told with near names
    counts = dict(log.arms(model, since=since))
    counts.pop("shadow", None)
    direct = counts.pop("direct", 0)  # whoever names a version is part of no comparison
    asked = {} if arms is None else _asked(arms)
    tested = _tested(counts, asked) if len(asked) > 1 else None
    total = sum(counts.values())
    rows = [
        {
            "arm": arm,
            "version": None if arms is None else f"v{version_of(arm, arms)}",
            "asked": asked.get(arm),
            "keys": counts.get(arm, 0),
            "seen": counts.get(arm, 0) / total if total else None,
        }
        for arm in [*asked, *(arm for arm in counts if arm not in asked)]
    ]
    return {
        "model": model,
        "since": as_plain(since),
        "arms": rows,
        "direct": direct,
        "shadow": f"v{arms.shadow}" if arms is not None and arms.shadow is not None else None,
        "sample_ratio": tested,
    }


def _tested(counts: Mapping[str, int], asked: Mapping[str, float]) -> Body:
    from everfit.evidence.ratio import ratio_test  # SciPy, and few ask for it

    found = ratio_test(counts, asked)
    return {
        "p": found.p,
        "log_e": as_plain(found.log_e),
        "alpha": found.alpha,
        "broken": found.broken,
        "keys": found.n,
    }


def _outcomes(house: House, log: Counted, args: Args) -> Body:
    receipts = args.get("receipts")
    if not isinstance(receipts, list) or not all(isinstance(one, str) for one in receipts):
        raise UsageError("no receipts are named", got=type(receipts).__name__, expected="a list")
    states = log.outcomes_state(receipts)
    # one at a time waits until they are joined: the threads that answer are few, and what is
    # told already lies safe
    if not _joined(states, receipts) and _JOINING.acquire(blocking=False):
        try:
            until = time.monotonic() + JOIN_S
            while not _joined(states, receipts) and time.monotonic() < until:
                time.sleep(LOOK_S)
                states = log.outcomes_state(receipts)
        finally:
            _JOINING.release()
    return {"states": dict(states)}


def _joined(states: Mapping[str, str], receipts: Sequence[str]) -> bool:
    """Whether the log has all of these outcomes, and knows of each what became of it."""
    return len(states) == len(receipts) and "waiting" not in states.values()


_OF_THE_HOUSE: Mapping[str, Callable[[House, Args], Body]] = {
    "models": _models,
    "model": _model,
    "versions": _versions,
    "version": _one_version,
    "card": _card,
    "ledger": _ledger,
}
_OF_THE_LOG: Mapping[str, Callable[[House, Counted, Args], Body]] = {
    "traffic": _traffic,
    "outcomes": _outcomes,
}


def _asked(arms: Arms) -> dict[str, float]:
    """The share of all keys that each arm shall get; one arm alone when nothing is split."""
    tried = 0.0 if arms.canary is None else arms.share
    shares = {
        "champion": (1.0 - arms.holdout) * (1.0 - tried),
        "canary": (1.0 - arms.holdout) * tried,
        "holdout": arms.holdout,
    }
    return {arm: share for arm, share in shares.items() if share > 0.0}


def _status(one: Status) -> Body:
    last = one.last
    return {
        "name": one.model,
        "state": one.state,
        "runs": one.runs,
        "last_decision": None
        if last is None
        else {"id": last.id, "kind": last.kind, "headline": last.headline, "at": as_plain(last.at)},
    }


def _champion(one: Status) -> str | None:
    return None if one.champion is None else one.champion.name


def _version(version: Version) -> Body:
    """A version as clients see it: without its folder, which is this machine's own matter."""
    plain = as_plain(version)
    problem = plain.pop("problem")
    score = plain.pop("score")
    for private in ("folder", "trusted", "loss_bound", "number"):
        del plain[private]
    return {
        "model": plain.pop("model"),
        "version": version.name,
        "state": plain.pop("state"),
        "score": {"metric": version.problem.metric, **score},
        **plain,
        "problem": problem,
    }


def _text(args: Args, name: str) -> str:
    value = args.get(name)
    if not isinstance(value, str) or not value:
        raise UsageError(f"no {name} is named", got=repr(value)[:80])
    return value


def _whole(args: Args, name: str, usual: int) -> int:
    value = args.get(name)
    if value is None:
        return usual
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise UsageError(f"{name} is no whole number", got=repr(value)[:80], expected="such as 20")
    return int(text)


def _time(args: Args, name: str) -> datetime | None:
    value = args.get(name)
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(str(value))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{name} is no time", got=repr(value)[:80], expected="such as 2026-11-20T12:00:00Z"
        ) from error
