from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from everfit import wire
from everfit.errors import StoreBusy
from everfit.faces.http import told as module
from everfit.faces.http.told import error_body, tell
from everfit.house import House
from everfit.live.arms import Arms
from tests.faces.http.stores import MODEL, released_store


class Log:
    """Counts of a log that is not there."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = counts
        self.since: datetime | None = None

    def arms(self, model: str, *, since: datetime | None = None) -> Mapping[str, int]:
        self.since = since
        return self.counts

    def outcomes_state(self, receipts: Sequence[str]) -> Mapping[str, str]:
        return dict.fromkeys(receipts, "counted")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with wire.house(released_store()) as found:
        yield found


def told(house: House, call: str, log: Log | None = None, **args: Any) -> tuple[int, Any]:
    status, body = tell(house, log, call, args)
    return status, json.loads(json.dumps(body, allow_nan=False))


def test_the_models_are_told_with_their_champions(house: House) -> None:
    status, body = told(house, "models")

    (one,) = body["models"]
    assert status == 200
    assert (one["name"], one["champion"], one["state"], one["runs"]) == (MODEL, "v1", "serving", 1)
    assert one["last_decision"]["headline"]


def test_a_store_without_models_tells_none(tmp_path: Path) -> None:
    with wire.house(tmp_path / "none") as empty:
        assert told(empty, "models") == (200, {"models": []})


def test_a_model_is_told_with_its_champion(house: House) -> None:
    status, body = told(house, "model", model=MODEL)

    assert status == 200
    assert body["champion"]["version"] == "v1"
    assert body["champion"]["score"]["metric"] == "auc"


@pytest.mark.parametrize("name", ["v1", "1", "champion"])
def test_a_version_is_told_by_any_of_its_names(house: House, name: str) -> None:
    status, body = told(house, "version", model=MODEL, version=name)

    assert (status, body["version"], body["state"]) == (200, "v1", "champion")
    assert body["score"]["low"] <= body["score"]["mid"] <= body["score"]["high"]
    assert told(house, "versions", model=MODEL) == (200, {"model": MODEL, "versions": [body]})


def test_no_answer_names_a_folder_of_the_server(house: House) -> None:
    calls = ("models", "model", "versions", "version", "card", "ledger")
    bodies = [told(house, call, model=MODEL, version="v1")[1] for call in calls]

    assert str(released_store()) not in json.dumps(bodies)
    assert "folder" not in json.dumps(bodies)


def test_the_card_is_the_one_that_was_packed(house: House) -> None:
    status, body = told(house, "card", model=MODEL)

    folder = house.folder(house.version(MODEL))
    assert (status, body["version"]) == (200, "v1")
    assert body["card"] == (folder / "card.md").read_text()


def test_a_card_that_is_gone_is_refused_without_naming_its_folder(tmp_path: Path) -> None:
    shutil.copytree(released_store(), tmp_path / "store")
    with wire.house(tmp_path / "store") as spoilt:
        (spoilt.folder(spoilt.version(MODEL)) / "card.md").unlink()

        status, body = told(spoilt, "card", model=MODEL)

    assert (status, body["error"]["code"]) == (409, "ArtefactRefused")
    assert str(tmp_path) not in json.dumps(body)


def test_the_ledger_is_told_in_pages_newest_first(house: House) -> None:
    _, whole = told(house, "ledger", model=MODEL)
    ids = [one["id"] for one in whole["decisions"]]

    _, first = told(house, "ledger", model=MODEL, last="2")
    _, rest = told(house, "ledger", model=MODEL, before=str(ids[1]))

    assert ids == sorted(ids, reverse=True)
    assert len(ids) >= 3
    assert [one["id"] for one in first["decisions"] + rest["decisions"]] == ids
    assert (whole["more"], first["more"], rest["more"]) == (False, True, False)


@pytest.mark.parametrize(
    ("call", "args", "status", "words"),
    [
        ("model", {"model": "mixde"}, 404, "did you mean 'mixed'"),
        ("version", {"model": MODEL, "version": "v9"}, 404, "v9"),
        ("version", {"model": MODEL, "version": "../../etc"}, 404, "etc"),
        ("model", {}, 400, "no model is named"),
        ("ledger", {"model": MODEL, "last": "0"}, 400, "1 to 1000"),
        ("ledger", {"model": MODEL, "last": "-1"}, 400, "no whole number"),
        ("ledger", {"model": MODEL, "before": "9" * 30}, 400, "no whole number"),
        ("traffic", {"model": "mixde"}, 404, "did you mean 'mixed'"),
        ("traffic", {"model": MODEL, "since": "yesterday"}, 400, "no time"),
        ("traffic", {"model": MODEL, "since": "0001-01-01T00:00:00+23:00"}, 400, "no time"),
        ("outcomes", {"receipts": "r1"}, 400, "no receipts"),
        ("divine", {}, 400, "there is no call 'divine'"),
    ],
)
def test_what_cannot_be_answered_is_an_error_of_four_parts(
    house: House, call: str, args: dict[str, Any], status: int, words: str
) -> None:
    found, body = told(house, call, Log({}), **args)

    assert found == status
    assert set(body["error"]) == {"code", "message", "got", "expected", "do"}
    assert words in " ".join(body["error"].values())


def test_a_log_that_is_not_open_is_told_as_such(house: House) -> None:
    status, body = told(house, "traffic", None, model=MODEL)

    assert (status, body["error"]["code"]) == (503, "Unreachable")


def test_the_states_of_outcomes_are_told(house: House) -> None:
    assert told(house, "outcomes", Log({}), receipts=["a"]) == (200, {"states": {"a": "counted"}})


def test_outcomes_are_waited_for_a_moment_and_by_one_at_a_time(
    house: House,
) -> None:
    class Late(Log):
        """Joins at the third look."""

        looks = 0

        def outcomes_state(self, receipts: Sequence[str]) -> Mapping[str, str]:
            self.looks += 1
            return super().outcomes_state(receipts if self.looks > 2 else receipts[:1])

    late, never = Late({}), Late({})
    never.looks = -1_000_000

    assert told(house, "outcomes", late, receipts=["a", "b"])[1]["states"].keys() == {"a", "b"}
    assert told(house, "outcomes", never, receipts=["a", "b"])[1]["states"].keys() == {"a"}
    busy = Late({})
    with module._JOINING:
        assert told(house, "outcomes", busy, receipts=["a", "b"])[1]["states"].keys() == {"a"}
    assert busy.looks == 1


def test_traffic_without_a_split_is_not_tested(house: House) -> None:
    _, body = told(house, "traffic", Log({"champion": 7}), model=MODEL, arms=Arms(1).as_dict())

    assert body["arms"] == [
        {"arm": "champion", "version": "v1", "asked": 1.0, "keys": 7, "seen": 1.0}
    ]
    assert body["sample_ratio"] is None


def test_traffic_under_a_canary_is_held_against_its_shares(house: House) -> None:
    arms = Arms(1, canary=2, share=0.1, holdout=0.2, shadow=3).as_dict()
    fair, unfair = (
        Log({"champion": 7200, "canary": 800, "holdout": 2000, "shadow": 9, "direct": 3}),
        Log({"champion": 7900, "canary": 100, "holdout": 2000}),
    )

    log_time = "2026-11-01T00:00:00Z"
    _, good = told(house, "traffic", fair, model=MODEL, arms=arms, since=log_time)
    _, bad = told(house, "traffic", unfair, model=MODEL, arms=arms)

    assert fair.since == datetime(2026, 11, 1, tzinfo=UTC)
    assert [(one["arm"], one["version"]) for one in good["arms"]] == [
        ("champion", "v1"), ("canary", "v2"), ("holdout", "v1"),
    ]  # fmt: skip
    assert [one["asked"] for one in good["arms"]] == pytest.approx([0.72, 0.08, 0.2])
    assert (good["shadow"], good["direct"]) == ("v3", 3)
    assert (good["sample_ratio"]["broken"], bad["sample_ratio"]["broken"]) == (False, True)
    assert good["sample_ratio"]["keys"] == 10_000


def test_keys_in_an_arm_that_should_have_none_are_proof(house: House) -> None:
    arms = Arms(1, canary=2, share=0.5).as_dict()

    _, body = told(house, "traffic", Log({"champion": 5, "holdout": 1}), model=MODEL, arms=arms)

    assert body["sample_ratio"]["broken"]
    assert body["sample_ratio"]["log_e"] is None  # infinite, for which JSON has no word


def test_an_error_has_the_status_of_its_class_and_no_exit_code() -> None:
    assert error_body(StoreBusy("held"))["error"]["code"] == "StoreBusy"
    assert "exit_code" not in error_body(StoreBusy("held"))["error"]


def test_telling_loads_nothing_that_reading_needs_not() -> None:
    code = (
        "import sys, everfit.faces.http.told;"
        " print([m for m in ('polars', 'scipy', 'sklearn', 'pandas') if m in sys.modules])"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"
