"""The one way of plain rows: the same answers and records as the desk's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from everfit.errors import UsageError
from everfit.live.arms import Arms
from everfit.live.desk.desk import Desk
from everfit.live.desk.lane import _naming
from everfit.live.desk.single import plain_row
from everfit.store.log.frames import Predictions
from everfit.store.log.spool import Spool
from tests.faces.http.working import packed
from tests.live.desk.test_desk import Clock, frames, order


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'[{"a": 1}]',
        b"7",
        b'{"a": [1]}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1}}',
        b'{"a":\n1}',
        b'{"a": "x\\ny"}',
        b'{"\\u0061": 1}',
        b'{"at": "12:30"}',
        b'{"a": "\xff"}',
        b'{"a":' + b'{"a":' * 2_000,
    ],
)
def test_what_is_not_plain_is_left_to_others(body: bytes) -> None:
    assert plain_row(body) is None


def test_a_plain_row_is_read() -> None:
    assert plain_row(b' {"a": 1, "b": "\xc3\xa9", "c": null}') == {"a": 1, "b": "é", "c": None}


@pytest.mark.parametrize(
    "row",
    [
        {"size": 1.0, "plan": "pro"},
        {"size": 1.0},
        {"size": "wide", "plan": "pro"},
        {"size": 1.0, "plan": "pro", "sise": 2},
        {"size": 1.0, "plan": "pro", "_key": "anna"},
        {"size": 1.0, "plan": "a\nb"},
        [{"size": 1.0}, {"size": 2.0}],
    ],
)
def test_it_answers_and_records_what_the_desk_does(tmp_path: Path, row: object) -> None:
    body = json.dumps(row).encode()
    made = []
    for name in ("desk", "single"):
        spool = Spool(tmp_path / name)
        desk = Desk(spool, clock=Clock())
        desk.apply(order(Arms(1), {1: packed(tmp_path, 1)}, 1))
        answer = desk.predict("coin", body) if name == "desk" else desk.answering("coin")(body)
        (frame,) = frames(spool)
        spool.close()
        made.append((plain(answer), known(frame), desk.slots.read()))

    assert made[0] == made[1]


def plain(answer: bytes) -> object:
    found = json.loads(answer)
    for one in found.get("predictions", [found]):
        del one["id"]  # of each desk's own
    return found


def known(frame: Predictions) -> object:
    return frame.header, frame.request, plain(frame.answer)


def test_a_row_that_was_wrapped_is_refused_and_not_recorded(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    desk = Desk(spool)
    desk.apply(order(Arms(1), {1: packed(tmp_path, 1)}, 1))

    with pytest.raises(UsageError, match="an object under 'row'"):
        desk.answering("coin")(b'{"row": {"size": 1.0}}')

    assert frames(spool) == []
    spool.close()


def test_a_model_whose_traffic_is_split_is_answered_by_its_arms(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    desk = Desk(spool)
    versions = {number: packed(tmp_path, number) for number in (1, 2)}
    desk.apply(order(Arms(1, canary=2, share=0.5), versions, 1, 2))

    answers = [json.loads(desk.answering("coin")(b'{"size": 1.0}')) for _ in range(60)]

    assert {answer["arm"] for answer in answers} == {"champion", "canary"}
    spool.close()


@pytest.mark.parametrize("labels", [("no", "yes"), ('a"b', "c"), ("x", "x\\y"), ("ä", " ")])
def test_probabilities_have_the_names_of_their_labels(labels: tuple[str, ...]) -> None:
    from everfit.live.desk.lane import encode

    assert json.loads(encode(_naming(labels)((0.25, 0.75)))) == dict(
        zip(labels, (0.25, 0.75), strict=True)
    )
