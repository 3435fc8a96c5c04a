"""What is wrong with an outcome is said in its sender's words."""

import json

import pytest

from everfit.errors import Refused, UsageError
from everfit.live.desk.limits import Limits
from everfit.live.desk.outcomes import all_numbers, outcomes_of, with_strange


def refusal(outcome: object) -> UsageError:
    with pytest.raises(UsageError) as told:
        outcomes_of(json.dumps(outcome).encode(), Limits(), lambda: "r-1")
    return told.value


@pytest.mark.parametrize(
    ("at", "what", "got"),
    [
        ("yesterday", "outcome 1 of 1 has a time that cannot be read", '"yesterday"'),
        (7, "outcome 1 of 1 has a time that cannot be read", "7"),
        ("2026-11-20T14:00", "outcome 1 of 1 has a time without its zone", '"2026-11-20T14:00"'),
    ],
)
def test_a_time_is_refused_with_how_to_write_one(at: object, what: str, got: str) -> None:
    error = refusal({"key": "a", "outcome": 1, "at": at})

    assert (error.what, error.got) == (what, got)
    assert error.do.startswith("send it as 2026-11-20T09:30:00Z")


def test_a_value_is_told_back_as_json_has_it() -> None:
    assert refusal({"key": "a", "outcome": None}).got == "null"
    assert refusal({"key": True, "outcome": 1}).got == "true"


def test_a_key_is_the_same_key_however_its_number_is_written() -> None:
    sent = b'[{"key": 17, "outcome": 1}, {"key": 17.0, "outcome": 1}, {"key": "17", "outcome": 1}]'

    told = outcomes_of(sent, Limits(), lambda: "r-1")

    assert [row["key"] for row in told.rows] == ["17", "17", "17"]


@pytest.mark.parametrize("value", ["lots", True, "inf"])
def test_what_is_no_number_cannot_stand_in_for_one(value: object) -> None:
    sent = json.dumps([{"key": "a", "outcome": 3}, {"key": "a", "outcome": value}]).encode()
    told = outcomes_of(sent, Limits(), lambda: "r-1")

    with pytest.raises(UsageError, match="outcome 2 of 2 is no number, and price predicts numbers"):
        all_numbers(told, "price")


def test_a_number_in_a_text_is_a_number() -> None:
    sent = b'[{"key": "a", "outcome": "3.5"}, {"key": "b", "outcome": 4}]'

    all_numbers(outcomes_of(sent, Limits(), lambda: "r-1"), "price")


NOW_US = 1_800_000_000_000_000  # 2027-01-15 08:00 UTC


@pytest.mark.parametrize("at", ["2027-01-16T08:00:01Z", "2072-01-15T08:00:00+01:00"])
def test_a_time_in_the_future_is_refused_with_what_to_check(at: str) -> None:
    sent = json.dumps([{"key": "a", "outcome": 1}, {"key": "a", "outcome": 1, "at": at}]).encode()

    with pytest.raises(Refused) as told:
        outcomes_of(sent, Limits(), lambda: "r-1", now_us=NOW_US)

    assert told.value.what == "outcome 2 of 2 has a time in the future"
    assert told.value.expected.endswith("at most 2027-01-16T08:00:00Z, a day from now")


@pytest.mark.parametrize("at", ["2027-01-16T08:00:00Z", "2027-01-15T21:00:00+13:00", "1999-01-01Z"])
def test_a_time_within_a_day_is_that_of_another_clock(at: str) -> None:
    sent = json.dumps({"key": "a", "outcome": 1, "at": at.replace("01Z", "01T00:00:00Z")}).encode()

    assert len(outcomes_of(sent, Limits(), lambda: "r-1", now_us=NOW_US).rows) == 1


@pytest.mark.parametrize(
    ("labels", "told", "strange"),
    [
        (("no", "yes"), "maybe", True),
        (("no", "yes"), "Yes", True),
        (("no", "yes"), "yes", False),
        (("no", "yes"), True, True),
        (("0", "1"), 1, False),
        (("0", "1"), 1.0, False),
        (("0", "1"), True, False),
        (("0", "1"), 2, True),
        (("0.0", "1.0"), 1, False),
        (("false", "true"), True, False),
    ],
)
def test_an_outcome_that_no_label_is_meant_by_is_marked(
    labels: tuple[str, ...], told: object, strange: bool
) -> None:
    receipts = iter(("r-1", "r-2"))
    sent = json.dumps({"key": "a", "outcome": told}).encode()

    found = with_strange(outcomes_of(sent, Limits(), receipts.__next__), labels)

    assert found.strange == (frozenset({"r-1"}) if strange else frozenset())
    assert ("strange" in json.loads(found.body)[0]) is strange
