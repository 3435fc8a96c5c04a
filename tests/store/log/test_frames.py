"""Frames: put together and taken apart."""

from __future__ import annotations

import msgspec
import pytest

from everfit.store.log.frames import (
    HEAD,
    Logged,
    Outcomes,
    Predictions,
    outcomes_frame,
    predictions_frame,
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
