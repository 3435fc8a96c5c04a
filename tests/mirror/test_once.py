"""The mirror against a real MLflow server, with a door in front that does all that networks do."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from everfit.house import House
from everfit.mirror.once import Passed, mirror_once
from everfit.mirror.server import Server
from tests.mirror.proxy import Proxy, Way
from tests.mirror.real import copied, promote_copy
from tests.mirror.seen import Seen, expected_items


@pytest.fixture(scope="module")
def told(
    made: Path, server: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, str, Passed]]:
    """A house that was mirrored once, where, and what the mirror said; only to be looked at."""
    uri = f"http://127.0.0.1:{server}"
    with copied(made, tmp_path_factory.mktemp("told") / "store") as house:
        yield house, uri, mirror_once(house, uri)


def test_runs_trials_versions_and_aliases_arrive(told: tuple[House, str, Passed]) -> None:
    house, uri, passed = told

    seen = Seen(uri, house)

    assert (passed.waiting, passed.errors) == (0, ())
    assert seen.items() == expected_items(house)
    assert seen.aliases() == {"champion": "v1"}
    parent = seen.run("tumours/1")
    champion = house.version("tumours")
    metric = champion.problem.metric
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics[metric] == pytest.approx(champion.score.mid)
    assert parent.data.metrics[f"{metric}_low"] == pytest.approx(champion.score.low)
    assert parent.data.params["seed"] == "0"
    assert "released: Released v1" in parent.data.tags["mlflow.note.content"]


def test_a_trial_is_a_child_run_with_its_scores_and_its_reason(
    told: tuple[House, str, Passed],
) -> None:
    house, uri, _ = told
    trials = house.result("tumours")["study"]["trials"]
    best = next(trial for trial in trials if trial["status"] == "done" and trial["score"])

    seen = Seen(uri, house)
    child = seen.run(f"tumours/1/{best['number']}")

    folds = seen.client.get_metric_history(child.info.run_id, "fold_loss")
    assert child.data.tags["mlflow.parentRunId"] == seen.run("tumours/1").info.run_id
    assert child.data.tags["mlflow.note.content"] == best["hypothesis"]["why"]
    assert child.data.params["learner"] == best["hypothesis"]["learner"]
    assert [point.value for point in folds] == pytest.approx(best["fold_losses"])
    assert child.info.status == "FINISHED"


def test_the_registered_version_answers_as_ours_does(
    told: tuple[House, str, Passed], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow
    import pandas as pd

    house, uri, _ = told
    seen = Seen(uri, house)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    version, scorer = house.scorer("tumours")
    row = {column.name: 1.5 for column in scorer.columns}

    loaded = mlflow.pyfunc.load_model(f"models:/{seen.name()}@champion")
    found = loaded.predict(pd.DataFrame([row]))

    answer = scorer.row(row)
    assert found["prediction"][0] == answer.value
    assert found[[f"p_{label}" for label in scorer.labels]].to_numpy()[0] == pytest.approx(
        answer.probabilities, abs=1e-9
    )
    registered = seen.versions()[0]
    assert registered.tags["everfit.sha256"] == version.sha256
    assert float(registered.tags["everfit.score_low"]) == pytest.approx(version.score.low, rel=1e-5)


def test_a_second_pass_asks_nothing_of_the_server(
    told: tuple[House, str, Passed], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, uri, first = told
    monkeypatch.setattr("everfit.mirror.once.Server", None)  # it would fail if it were made

    second = mirror_once(house, uri)

    assert first.arrived > 3
    assert (second.arrived, second.waiting, second.errors) == (0, 0, ())


def test_told_everything_again_it_makes_no_duplicates(told: tuple[House, str, Passed]) -> None:
    house, uri, first = told

    again = mirror_once(house, uri, again=True)

    seen = Seen(uri, house)
    assert again.arrived == first.arrived
    assert seen.items() == expected_items(house)
    assert len(seen.versions()) == 1


def test_a_name_that_somebody_else_uses_is_left_alone(told: tuple[House, str, Passed]) -> None:
    house, uri, _ = told
    ours = Seen(uri, house).name()

    name = Server(uri, "another").registered(ours)

    assert name == f"{ours}-another"
    assert Seen(uri, house).name() == ours


def test_aliases_follow_a_promotion_and_a_rollback(
    house: House, door: Proxy, tmp_path: Path
) -> None:
    promote_copy(tmp_path / "store")
    mirror_once(house, door.uri)
    seen = Seen(door.uri, house)
    before = seen.aliases()

    decision = house.rollback("tumours", reason="it was too sure")
    passed = mirror_once(house, door.uri)

    first, second = seen.versions()
    told = first.tags[f"everfit.decision.{decision.id:06d}"]
    assert before == {"champion": "v2", "previous": "v1"}
    assert passed.waiting == 0
    assert seen.aliases() == {"champion": "v1"}
    assert "rolled_back by person" in told
    assert "it was too sure" in told
    assert second.tags["everfit.version"] == "v2"


def test_what_happened_while_the_server_was_down_arrives_later(house: House, door: Proxy) -> None:
    door.shut()
    down = mirror_once(house, door.uri)
    noted = house.mirrored(door.uri)

    door.open()
    later = mirror_once(house, door.uri, patient=False)

    assert down.arrived == 0
    assert down.waiting == later.arrived
    assert len(down.errors) > 0
    assert noted["run", "tumours/1"].done_at is None
    assert Seen(door.uri, house).items() == expected_items(house)


def test_a_server_that_is_down_is_asked_once_and_then_left_alone(house: House, door: Proxy) -> None:
    door.way = lambda number: "error"
    mirror_once(house, door.uri)
    asked = len(door.requests)

    mirror_once(house, door.uri)

    assert len(door.requests) == asked
    assert asked <= 4


def test_answers_that_get_lost_make_no_duplicates(house: House, door: Proxy) -> None:
    chance = random.Random(1)

    def way(number: int) -> Way:
        # files are sent again whole, so that losing every fifth of them would never end
        file = "mlflow-artifacts" in door.requests[-1]
        return "pass" if file or chance.random() > 0.2 else "cut"

    door.way = way
    passes = [mirror_once(house, door.uri, patient=False)]
    while passes[-1].waiting and len(passes) < 60:
        passes.append(mirror_once(house, door.uri, patient=False))

    door.way = lambda number: "pass"
    seen = Seen(door.uri, house)
    assert len(passes) > 3
    assert seen.items() == expected_items(house)
    assert [version.tags["everfit.version"] for version in seen.versions()] == ["v1"]
    assert seen.aliases() == {"champion": "v1"}


@pytest.mark.parametrize("way", ["error", "nonsense", "client_error"])
def test_a_server_that_answers_wrongly_only_makes_things_wait(
    house: House, door: Proxy, way: Way
) -> None:
    door.way = lambda number: way

    passed = mirror_once(house, door.uri)

    assert passed.arrived == 0
    assert passed.waiting > 0
    assert passed.errors != ()


def test_one_item_that_is_refused_does_not_hold_up_the_others(house: House, door: Proxy) -> None:
    # the first that is asked for is the run: its creation is refused
    created = iter(range(1000))

    def way(number: int) -> Way:
        first = door.requests[-1].endswith("runs/create") and next(created) == 0
        return "client_error" if first else "pass"

    door.way = way
    first = mirror_once(house, door.uri)
    second = mirror_once(house, door.uri, patient=False)

    assert first.waiting > 0
    assert "not like this" in first.errors[0]
    assert second.waiting == 0
    assert Seen(door.uri, house).items() == expected_items(house)


def test_killed_in_the_middle_it_goes_on_without_duplicates(house: House, door: Proxy) -> None:
    killed_at = 9  # among the trials
    program = (
        "import sys; from everfit import wire; from everfit.mirror.once import mirror_once\n"
        "mirror_once(wire.house(sys.argv[1]), sys.argv[2])"
    )
    door.way = lambda number: "hold" if number == killed_at else "pass"
    process = subprocess.Popen([sys.executable, "-c", program, house.place, door.uri])
    until = time.monotonic() + 30
    while len(door.requests) < killed_at and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()

    passed = mirror_once(house, door.uri, patient=False)

    assert process.returncode == -9
    assert passed.waiting == 0
    seen = Seen(door.uri, house)
    assert seen.items() == expected_items(house)
    assert len(seen.versions()) == 1
