"""Frames: put together and taken apart."""

from __future__ import annotations

import msgspec
import pytest

from everfit.store.log.frames import (
    HEAD,
    Logged,
    Outcomes,
    Predictions,
    is_row,
    outcomes_frame,
    predictions_frame,
    row_frame,
    split,
)

HEADER = Logged("churn", 3, "canary", 17, ["a", None], ["p1", "p2"])


def test_a_frame_of_predictions_comes_back_as_it_was() -> None:
    frame = predictions_frame(msgspec.json.encode(HEADER), b'[{"a": 1}, {}]', b'{"b": "\xc3\xa9"}')

    assert split(frame) == Predictions(HEADER, b'[{"a": 1}, {}]', b'{"b": "\xc3\xa9"}')


def test_a_frame_of_outcomes_comes_back_as_it_was() -> None:
    frame = outcomes_frame("modèle", -5, b'[{"id": "x"}]')

    assert split(frame) == Outcomes("modèle", -5, b'[{"id": "x"}]')


@pytest.mark.parametrize(
    "body", [b"", b"\x09what", b"\x01\x00", b"\x02\x00\x00", b"\x01" + b"\xff" * 20]
)
def test_a_frame_of_an_unknown_kind_or_with_half_a_body_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="frame"):
        split(HEAD.pack(b"\xf5EvF", len(body), 0) + body)


def test_a_row_frame_comes_apart_as_it_was_put_together() -> None:
    header = msgspec.json.encode(Logged("modèle", 3, "canary", 0))
    answer = b'{"id":"0a1","prediction":1}'

    frame = row_frame(header, -7, b'{"a": "\xc3\xa9"}', answer, 3)

    assert is_row(frame)
    assert split(frame) == Predictions(
        Logged("modèle", 3, "canary", -7), b'{"a": "\xc3\xa9"}', answer, "0a1"
    )
    assert not is_row(predictions_frame(header, b"{}", answer))


@pytest.mark.parametrize(
    ("header", "answer", "n_id"),
    [
        (b"{", b'{"id":"a"}', 1),
        (msgspec.json.encode(HEADER), b'{"id":"a"}', 2),
        (msgspec.json.encode(HEADER), b'{"no":"a"}', 1),
        (msgspec.json.encode(HEADER), b'{"id":"\xc3\xa9"}', 2),
        (msgspec.json.encode(HEADER), b"", 0),
    ],
)
def test_a_row_frame_whose_parts_do_not_fit_is_refused(
    header: bytes, answer: bytes, n_id: int
) -> None:
    with pytest.raises(ValueError):
        split(row_frame(header, 0, b"{}", answer, n_id))


def test_half_a_head_of_a_row_frame_is_refused() -> None:
    frame = row_frame(msgspec.json.encode(HEADER), 0, b"{}", b'{"id":"a"}', 1)

    with pytest.raises(ValueError):
        split(frame[: HEAD.size + 4])
