"""The shadow child's answers: one frame a message, whose ids say what they repeat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from everfit.errors import LearnerFailed
from everfit.live.desk.lane import Lane
from everfit.live.shadow.child import Shade
from everfit.store.log import Log
from everfit.store.log.spool import Spool
from tests.live.coins import pack_coin

KEY = b"k" * 32


@pytest.fixture
def shade(tmp_path: Path) -> Shade:
    return Shade(Spool(tmp_path / "spool" / "shadow"))


def message(folder: Path, number: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    place = folder / f"v{number}"
    if not place.exists():
        place.mkdir()
        pack_coin(place, number, KEY)
    from hashlib import sha256

    digest = sha256((place / "manifest.json").read_bytes()).hexdigest()
    version = {"number": number, "folder": str(place), "sha256": digest, "trusted": []}
    return {"do": "shadow", "model": "coin", "version": version, "rows": rows, "upto": 7}


def asked(name: str, key: str | None = None, **row: Any) -> dict[str, Any]:
    return {"id": name, "key": key, "row": {"size": 41.0, **row}}


def recorded(folder: Path) -> list[dict[str, Any]]:
    log = Log.open(folder)
    log.drain(folder / "spool")
    found = [row for frame in log.predictions("coin") for row in frame.to_dicts()]
    log.close()
    return found


def test_answers_are_recorded_under_the_ids_that_they_repeat(tmp_path, shade):
    told = shade.obey(message(tmp_path, 3, [asked("a", "k1", _key="k1"), asked("b")]))

    assert told == {"did": "shadowed", "model": "coin", "upto": 7, "n": 2, "wrong": 0}
    rows = recorded(tmp_path)
    assert [(r["id"], r["of"], r["key"], r["arm"], r["version"]) for r in rows] == [
        ("a~v3", "a", "k1", "shadow", 3),
        ("b~v3", "b", None, "shadow", 3),
    ]
    assert rows[0]["probabilities"]["heads"] == pytest.approx(0.03, abs=1e-4)


@pytest.fixture
def choosy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version with an estimator of a user's own that raises on some rows."""
    answer = Lane.answer

    def raising(self: Lane, row: dict[str, Any], *rest: Any) -> Any:
        if row["size"] == "bad":
            raise LearnerFailed("mine.Model raised ValueError")
        return answer(self, row, *rest)

    monkeypatch.setattr(Lane, "answer", raising)


def test_a_request_that_this_version_cannot_answer_is_left_out_and_counted(tmp_path, shade, choosy):
    told = shade.obey(message(tmp_path, 3, [asked("a", size="bad"), asked("b")]))

    assert (told["n"], told["wrong"]) == (1, 1)
    assert [row["of"] for row in recorded(tmp_path)] == ["b"]


def test_a_message_without_any_answer_records_nothing(tmp_path, shade, choosy):
    told = shade.obey(message(tmp_path, 3, [asked("a", size="bad")]))

    assert (told["n"], told["upto"]) == (0, 7)
    assert recorded(tmp_path) == []


def test_the_next_version_takes_the_place_of_the_one_before(tmp_path, shade):
    shade.obey(message(tmp_path, 3, [asked("a")]))
    shade.obey(message(tmp_path, 4, [asked("b")]))

    assert [row["version"] for row in recorded(tmp_path)] == [3, 4]


def test_a_version_that_cannot_be_opened_is_told(tmp_path, shade):
    bad = message(tmp_path, 3, [asked("a")])
    (tmp_path / "v3" / "plan.json").write_text("{}")

    told = shade.obey(bad)

    assert (told["did"], told["number"], told["error"]["code"]) == ("failed", 3, "ArtefactRefused")
    assert recorded(tmp_path) == []
