"""What every executor promises, run over all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from everfit.executors import EXECUTORS, Executor, Job

JOBS = "tests.executors.jobs"


def collect(executor: Executor, n: int) -> dict[str, str]:
    found: dict[str, str] = {}
    while len(found) < n:
        found |= {outcome.key: outcome.status for outcome in executor.wait(20.0)}
    return found


@pytest.fixture(params=sorted(EXECUTORS))
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = EXECUTORS[request.param]()
    yield made
    made.close()


def test_both_executors_are_under_contract() -> None:
    assert sorted(EXECUTORS) == ["inline", "local"]


def test_a_job_gives_its_value(executor: Executor) -> None:
    executor.submit(Job("a", f"{JOBS}:double", {"x": 4}, 10.0))

    (outcome,) = executor.wait(20.0)

    assert outcome.status == "ok"
    assert outcome.value == {"x": 8}


def test_a_job_that_raises_becomes_a_value_that_names_the_error(executor: Executor) -> None:
    executor.submit(Job("a", f"{JOBS}:fail", {}, 10.0))

    (outcome,) = executor.wait(20.0)

    assert outcome.status == "error"
    assert outcome.error.startswith("ValueError: no such luck")


def test_an_unknown_function_becomes_a_value(executor: Executor) -> None:
    executor.submit(Job("a", "no_such_module:f", {}, 10.0))

    (outcome,) = executor.wait(20.0)

    assert outcome.status == "error"
    assert "no_such_module" in outcome.error


def test_the_same_key_is_not_run_twice(executor: Executor) -> None:
    executor.submit(Job("a", f"{JOBS}:double", {"x": 1}, 10.0))
    executor.submit(Job("a", f"{JOBS}:double", {"x": 2}, 10.0))

    (outcome,) = executor.wait(20.0)

    assert outcome.value == {"x": 2}
    assert executor.wait(0.1) == []


def test_a_hundred_small_jobs_all_come_back(executor: Executor) -> None:
    for i in range(100):
        executor.submit(Job(str(i), f"{JOBS}:double", {"x": i}, 10.0))

    found = collect(executor, 100)

    assert set(found.values()) == {"ok"}


def test_partitions_come_back_in_the_order_given(executor: Executor) -> None:
    parts = [{"x": i} for i in range(6)]

    outcomes = executor.map_partitions(f"{JOBS}:double", parts, 10.0)

    assert [outcome.value["x"] for outcome in outcomes] == [0, 2, 4, 6, 8, 10]


def test_a_cancelled_job_says_so(executor: Executor) -> None:
    for i in range(executor.slots):
        executor.submit(Job(f"busy-{i}", f"{JOBS}:sleep", {"seconds": 0.2}, 10.0))
    executor.submit(Job("a", f"{JOBS}:double", {"x": 1}, 10.0))

    executor.cancel("a")
    found = collect(executor, executor.slots + 1)

    assert found["a"] == "cancelled"
