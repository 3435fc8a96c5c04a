"""Rates, with a clock that the test turns, and over HTTP."""

from __future__ import annotations

from pathlib import Path

from everfit.faces.http.guard import rate as rates
from everfit.faces.http.guard.rate import Rate
from tests.faces.http.working import working


def test_a_client_gets_its_burst_then_its_rate_and_others_theirs() -> None:
    now = 100.0
    rate = Rate(2.0, burst=3, clock=lambda: now)

    assert [rate.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert rate.wait_s("b") == 0.0
    now += 0.5
    assert [rate.wait_s("a"), rate.wait_s("a")] == [0.0, 0.5]
    now += 1e6
    assert [rate.wait_s("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    now = 100.0
    rate = Rate(1.0, burst=1, clock=lambda: now)
    rate.wait_s("a")

    now -= 50.0

    assert rate.wait_s("a") == 1.0


def test_clients_that_were_silent_longest_are_forgotten() -> None:
    rate = Rate(0.001, burst=1, clock=lambda: 0.0)
    rate.wait_s("first")

    for number in range(rates.MOST_CLIENTS):
        rate.wait_s(number)

    assert rate.wait_s("first") == 0.0
    assert rate.wait_s(rates.MOST_CLIENTS - 1) > 0.0


def test_over_http_too_many_requests_are_told_when_to_come_again(tmp_path: Path) -> None:
    with working(tmp_path, rate_per_s=0.5, rate_burst=2) as keeper, keeper.client() as client:
        answers = [client.post("/models/coin/predict", json={"size": 1}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "2"
    assert answers[2].json()["error"]["code"] == "TooManyRequests"
