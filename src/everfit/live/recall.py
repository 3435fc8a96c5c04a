"""What is known of keys: the log's predictions with their outcomes, and registered sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from everfit.errors import EverfitError
from everfit.events import moment
from everfit.live.ingest import Say, facts_of
from everfit.live.sources import Plain, Sources

if TYPE_CHECKING:
    from everfit.store.log import Log
    from everfit.store.log.lived import Lived

BACK = 500  # events of a key among which those before an earlier time are looked for
Ask = tuple[str, str | None]  # a key, and a time as ISO text; None: now


@dataclass(frozen=True, slots=True)
class Question:
    """Whose history is asked: of ``model`` the last ``n`` events of each key before its time.

    ``asks`` are pairs of a key and a time as ISO text, None for now; ``time`` names the column that
    says when a logged row was, if the model has one; ``target`` is what the model predicts.
    """

    model: str
    asks: Sequence[Ask]
    n: int
    time: str | None = None
    target: str = ""

    @classmethod
    def of(cls, args: Mapping[str, Any]) -> Question:
        """The question that stands in a message."""
        asks = [(str(key), until) for key, until in args["asks"]]
        target = str(args.get("target") or "")
        return cls(str(args["model"]), asks, int(args["n"]), args.get("time"), target)


@dataclass(frozen=True, slots=True)
class Recalled:
    """The events of each ask, ``[at, values, outcome]`` each; and what could not be looked at."""

    events: list[list[Plain]]
    missing: tuple[str, ...] = ()


def told(args: Mapping[str, Any], log: Log | None, sources: Sources, say: Say) -> tuple[int, Any]:
    """The answer to a worker's question, as HTTP status and body."""
    try:
        found = recall(Question.of(args), log, sources)
        missing = (
            list(found.missing) if log is not None else ["the log is not open", *found.missing]
        )
    except Exception as error:  # noqa: BLE001 - an answer without a history is better than none
        facts = facts_of(error)
        say("history_lost", facts)
        return 500, {"error": facts}
    return 200, {"events": found.events, "missing": missing}


def recall(
    question: Question, log: Log | None, sources: Sources, *, strict: bool = False
) -> Recalled:
    """Answer from the log and the sources; what cannot be read is named and left out.

    Raises
    ------
    EverfitError : with ``strict``, when something cannot be read
    """
    missing: dict[str, None] = {}

    def lost(what: str, error: EverfitError) -> None:
        if strict:
            raise error
        missing[f"{what}: {error.what}"] = None

    found: dict[Ask, list[Plain]] = {ask: [] for ask in question.asks}
    if log is not None:
        try:
            found = _logged(log, question)
        except EverfitError as error:
            lost("the log", error)
    now = datetime.now(UTC).replace(tzinfo=None)
    for (key, text), events in found.items():
        until = moment(text) or now
        events[:] = [event for event in events if event[0] < until.isoformat()]
        for source in sources.of(question.model):
            name = f"the source {source.registered.name!r}"
            try:
                events.extend(source.events(key, until, question.n, question.target))
                if source.trouble is not None:
                    lost(name, source.trouble)
            except EverfitError as error:
                lost(name, error)
        events.sort(key=lambda event: str(event[0]))
    return Recalled([found[ask][-question.n :] for ask in question.asks], tuple(missing))


def _logged(log: Log, question: Question) -> dict[Ask, list[Plain]]:
    """Predictions whose outcomes are known, by ask."""
    # an ask about an earlier time must look behind what came since
    dated = any(text is not None for _, text in question.asks)
    keys = list(dict.fromkeys(key for key, _ in question.asks))
    known = log.lived(question.model, keys, max(question.n, BACK) if dated else question.n)
    plain = {
        key: [[_when(one, question.time).isoformat(), one.row, one.outcome] for one in lived]
        for key, lived in zip(keys, known, strict=True)
    }
    return {(key, text): list(plain[key]) for key, text in question.asks}


def _when(one: Lived, time: str | None) -> datetime:
    """When a logged row was: its own column of time says it before the server's clock."""
    told = None if time is None else moment(one.row.get(time))
    return told or one.at.astimezone(UTC).replace(tzinfo=None)
