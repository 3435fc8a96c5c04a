"""The whole loop: from a file to a released version, again, and back."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

from everfit import wire
from everfit.errors import NothingToLearn, Refused, StoreBusy
from everfit.house import House
from everfit.loop import Request, RunResult
from everfit.records import Progress
from tests.real import cancer, diabetes, insurance, wine


def quiet(progress: Progress) -> None:
    """Nobody listens."""


def request(path: Path, target: str, **more: object) -> Request:
    given = {"budget_s": 12.0, "name": "m", "started": time.monotonic()} | more
    return Request(path, target, **given)  # type: ignore[arg-type]


def run(house: House, path: Path, target: str, **more: object) -> RunResult:
    return house.run(request(path, target, **more), quiet)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, RunResult, Path]:
    folder = tmp_path_factory.mktemp("released")
    path, target = cancer(folder)
    house = wire.house(folder / "store")
    return house, run(house, path, target), folder


def test_a_file_becomes_a_champion(released: tuple[House, RunResult, Path]) -> None:
    _, result, _ = released

    assert result.decision.kind == "released"
    assert result.champion is not None
    assert result.champion.name == "v1"
    assert result.study.candidate.gain_on_floor.low > 0


def test_the_budget_is_kept(released: tuple[House, RunResult, Path]) -> None:
    _, result, _ = released

    # generous here, because other tests share the cores; `make bench` holds the real bar
    assert result.seconds < 2 * 12.0


def test_every_stage_is_in_the_ledger(released: tuple[House, RunResult, Path]) -> None:
    house, _, _ = released

    kinds = [decision.kind for decision in reversed(house.decisions("m"))]

    assert kinds[:3] == ["assessed", "studied", "released"]


def test_every_trial_says_why_it_was_tried(released: tuple[House, RunResult, Path]) -> None:
    _, result, _ = released

    assert len(result.study.trials) >= 3
    assert all(trial.hypothesis.why for trial in result.study.trials)
    assert {"floor", "simple"} <= {trial.hypothesis.stage for trial in result.study.trials}


def test_the_floor_is_on_the_board_and_last_of_the_judged(
    released: tuple[House, RunResult, Path],
) -> None:
    _, result, _ = released

    judged = [trial for trial in result.study.trials if trial.score is not None]

    assert judged[-1].hypothesis.stage == "floor"


def test_a_second_run_on_the_same_few_rows_cannot_be_judged_and_keeps_the_champion(
    released: tuple[House, RunResult, Path],
) -> None:
    house, first, folder = released
    path, target = cancer(folder)

    again = run(house, path, target)

    assert again.decision.kind == "not_evaluable"
    assert "has seen all 569 rows" in again.decision.headline + str(again.decision.because)
    assert again.champion == first.champion


def test_finished_trials_of_the_same_data_are_not_repeated(
    released: tuple[House, RunResult, Path],
) -> None:
    house, _, folder = released
    path, target = cancer(folder)

    again = run(house, path, target)

    # the floor and the simple model are through all folds in any run
    assert sum(trial.reused for trial in again.study.trials) >= 2


@pytest.mark.parametrize("make", [wine, diabetes])
def test_many_classes_and_numbers_go_the_same_way(make: object, tmp_path: Path) -> None:
    path, target = make(tmp_path)  # type: ignore[operator]

    with wire.house(tmp_path / "store") as house:
        result = run(house, path, target, budget_s=10.0)

    assert result.decision.kind == "released"


def test_a_challenger_is_judged_on_rows_that_neither_saw_and_rolled_back(tmp_path: Path) -> None:
    small, target = insurance(tmp_path, 2_500)
    large, _ = insurance(tmp_path, 12_000)

    with wire.house(tmp_path / "store") as house:
        run(house, small, target, budget_s=10.0)
        second = run(house, large, target, budget_s=10.0)
        verdict = second.decision
        judged = [b for b in (*verdict.because, *verdict.also_checked) if b.n]

        assert verdict.kind in ("promoted", "kept", "inconclusive")
        assert max(b.n for b in judged) >= 500
        assert verdict.looks == 1

        if verdict.kind == "promoted":
            back = house.rollback("m")
        else:
            with pytest.raises(Refused, match="no earlier champion"):
                house.rollback("m")
            back = house.rollback("m", to="v2")
        assert back.kind == "rolled_back"
        assert back.undo.startswith("everfit rollback m --to")


def test_rollback_and_its_undo_are_a_pair(released: tuple[House, RunResult, Path]) -> None:
    house, _, folder = released
    path, target = cancer(folder)
    run(house, path, target)
    before = house.version("m").name

    decision = house.rollback("m", to="v2")
    house.rollback("m", to=decision.undo.rsplit(" ", 1)[1])

    assert house.version("m").name == before


def test_a_tampered_version_is_not_rolled_back_to(tmp_path: Path) -> None:
    path, target = wine(tmp_path)
    with wire.house(tmp_path / "store") as house:
        run(house, path, target, budget_s=8.0)
        run(house, path, target, budget_s=8.0)
        plan = house.folder(house.version("m", "v2")) / "plan.json"
        plan.write_text(plan.read_text() + " ")

        with pytest.raises(Refused, match=r"v2"):
            house.rollback("m", to="v2")

        assert house.version("m").name == "v1"
        assert house.decisions("m")[0].kind == "refused"


def test_a_second_run_on_one_model_at_once_is_refused(tmp_path: Path) -> None:
    path, target = wine(tmp_path)
    with wire.house(tmp_path / "store") as first, wire.house(tmp_path / "store") as second:
        store = first._open(create=True)
        handle = store.begin_run("m", {})

        with pytest.raises(StoreBusy):
            run(second, path, target)

        store.finish_run(handle, "failed")
        assert second.versions("m") == ()


def test_data_that_cannot_be_used_leaves_no_store_behind(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1] * 60, "y": ["no", "yes"] * 30})

    with wire.house(tmp_path / "store") as house, pytest.raises(NothingToLearn, match="no usable"):
        run(house, frame, "y")  # type: ignore[arg-type]

    assert not (tmp_path / "store").exists()
