"""What each kind of cause means, and what a person needs to do about it: the words, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from everfit.alert.message import Severity


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of cause that a look at health may show.

    ``person`` is what somebody must do when the model needs a person; ``measured`` says which
    number of the last window belongs to it; ``counts`` that it gets worse with the number of
    columns or segments; ``never_needs`` that it alone never asks for a person.
    """

    means: str
    person: str
    measured: Literal["", "loss", "score"] = ""
    counts: bool = True
    never_needs: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A kind of decision that is told about: until a decision of ``ends``, or one ``by_person``.

    One that does not ``stay`` is over by itself. With ``by_system`` only what Everfit did itself is
    told: whoever did it knows.
    """

    name: str
    state: Severity
    means: str
    person: str
    doing: str = ""
    ends: tuple[str, ...] = ()
    stays: bool = True
    by_person: bool = True
    by_system: bool = False


OTHER = Kind(
    "A check of this model found something that a person should see.",
    "look at it: everfit check MODEL says more",
    counts=True,
)
KINDS: Mapping[str, Kind] = {
    "loss": Kind(
        "Its answers are worse than they were proven to be when it was released.",
        "see what changed; retrain it, or roll back",
        measured="loss",
    ),
    "floor": Kind(
        "It is worse than the worst that you said you would accept.",
        "decide whether it may go on answering; roll back, or retrain it",
        measured="score",
    ),
    "segments": Kind(
        "Some groups of rows are served worse than they were at the release.",
        "see who is in these groups, and whether their rows are sound",
    ),
    "drift": Kind(
        "The rows that are asked about look different from those that it learnt from. That alone "
        "says nothing about how good the answers are.",
        "nothing",
        never_needs=True,
    ),
    "estimated": Kind(
        "Its answers look less sure than at the release; outcomes are not known yet.",
        "see to it that outcomes come",
        never_needs=True,
    ),
    "inputs": Kind(
        "Columns are missing, new, renamed, or of another type: it answers from what is left.",
        "look at what sends the rows",
    ),
    "outcomes": Kind(
        "Without outcomes nobody can say how good the answers are.",
        "look at what tells the outcomes",
    ),
    "skew": Kind(
        "Answers or features of the live service differ from what the same rows give here.",
        "look at the serving path: which code, which version, which source",
    ),
    "answers": Kind(
        "Some requests got no usable answer.",
        "look at the rows that got none: everfit traffic MODEL",
    ),
    "traffic": Kind(
        "Nothing can be said about a model that nobody asks.",
        "look at what should send the rows",
        counts=False,
    ),
    "champion": Kind(
        "What it is asked no longer fits what it was built for.",
        "look at the columns and outcomes that it gets",
    ),
}
# the first pattern that fits the name of a check says which cause it belongs to
_NAMES = (
    (re.compile(r"floor"), "floor"),
    (re.compile(r"segment|guardrail"), "segments"),
    (re.compile(r"concept|degrad|\bloss\b"), "loss"),
    (re.compile(r"estimat"), "estimated"),
    (re.compile(r"drift"), "drift"),
    (re.compile(r"skew|answers again"), "skew"),
    (re.compile(r"outcome|label"), "outcomes"),
    (re.compile(r"answers"), "answers"),
    (re.compile(r"traffic"), "traffic"),
    (re.compile(r"champion|evaluable"), "champion"),
    (re.compile(r"schema|values|columns|rows"), "inputs"),
)
WATCHES = "Everfit keeps watching."
TRIAL = "trial"  # stands for the act while a version is tried
DOING: Mapping[str | None, str] = {
    TRIAL: "Everfit tries another version in the shadow, which answers once it has proved better.",
    "recalibrate": "Everfit corrects its probabilities or ranges and lets that prove itself.",
    "retrain": "Everfit fits it again on new rows; the result goes on trial in the shadow.",
    "search": "Everfit looks for a better model; what it finds goes on trial in the shadow.",
    "roll_back": "Everfit lets the version before answer again.",
    "ask_labels": "Everfit asks for the outcomes that tell most.",
    "set_aside": "Everfit leaves the broken rows out of what it learns from.",
    "call_person": "Everfit waits for you; the champion goes on answering.",
}
DECIDED: Mapping[str, Decided] = {
    "source_lost": Decided(
        "source",
        "needs_you",
        "The rows that it learns from cannot be read: it cannot be renewed until they can.",
        "bring the source back, or name another one in everfit.toml",
        doing="The champion goes on answering. The source is tried again.",
        ends=("source_found", "recalibrated", "retrained", "searched", "shadow"),
    ),
    "not_evaluable": Decided(
        "comparison",
        "needs_you",
        "The champion and its challenger cannot be compared on the same rows.",
        "look at the columns and outcomes that the champion gets",
        doing="The champion goes on answering.",
        ends=("promoted", "rolled_back", "kept", "inconclusive"),
    ),
    "called": Decided(
        "call",
        "needs_you",
        "Everfit came to a point where the policy, or its own limits, leave it to a person.",
        "read the decision and act on it",
        ends=("promoted", "rolled_back", "recalibrated", "retrained", "searched", "did_nothing"),
    ),
    "labels_wanted": Decided(
        "labels",
        "needs_you",
        "A few more outcomes would tell most about how good it is.",
        "tell the outcomes of the predictions that everfit asks for: everfit labels MODEL",
        ends=("promoted", "recalibrated", "retrained", "searched"),
        by_system=True,  # who draws rows by hand knows that outcomes are wanted
    ),
    "turn_failed": Decided(
        "turn",
        "needs_you",
        "Everfit could not look after this model: nothing is watched until it can again.",
        "read the decision: it says what failed",
        doing="The champion goes on answering. The turn is tried again.",
        ends=("did_nothing", "called", "labels_wanted", "set_aside", "promoted", "rolled_back"),
    ),
    "incident": Decided(
        "serving",
        "needs_you",
        "A version that should answer could not.",
        "look at the decision: it says which version and why",
        doing="The version before goes on answering.",
        ends=("promoted", "rolled_back"),
        stays=False,
    ),
    "rolled_back": Decided(
        "rollback",
        "watch",
        "The new champion was measured to be worse than the one before it.",
        "nothing",
        doing="The version before answers again.",
        stays=False,
        by_system=True,
    ),
}


LEDGER = frozenset(kind.name for kind in DECIDED.values())


def name_of(check: str) -> str:
    """The cause that a check belongs to; one that fits none is a cause of its own.

    Examples
    --------
    >>> name_of("degradation"), name_of("label drift"), name_of("Odd thing: 7")
    ('loss', 'drift', 'odd-thing-7')
    """
    found = next((name for pattern, name in _NAMES if pattern.search(check.lower())), "")
    plain = re.sub(r"[^a-z0-9]+", "-", check.lower()).strip("-")[:32]
    return found or plain or "other"
