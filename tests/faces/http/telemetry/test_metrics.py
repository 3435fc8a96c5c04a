"""Numbers as Prometheus reads them, counted by several processes."""

from __future__ import annotations

import re
from pathlib import Path

from everfit.faces.http.telemetry.metrics import BOUNDS, Metrics
from everfit.live.desk.slots import Slots, read_all
from tests.faces.http.working import wait, working

LINE = re.compile(r'^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? -?[0-9.e+-]+$')


def value(text: str, start: str) -> float:
    """The number of the one series that starts so."""
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return float(line.rpartition(" ")[2])


def test_a_histogram_adds_up() -> None:
    slots = Slots()
    metrics = Metrics(slots)
    seconds = [0.00005, 0.00006, 0.3, 99.0]
    for taken in seconds:
        metrics.answered("/health", "", 200, taken)
    metrics.answered("/health", "", 503, 0.001)

    text = metrics.text(slots.read()).decode()

    start = 'everfit_request_seconds_bucket{route="/health",le='
    found = [value(text, f'{start}"{bound:g}"') for bound in BOUNDS]
    assert found == [sum(s <= bound for s in [*seconds, 0.001]) for bound in BOUNDS]
    assert value(text, f'{start}"+Inf"') == 5
    assert value(text, 'everfit_request_seconds_count{route="/health"}') == 5
    assert value(text, "everfit_request_seconds_sum") == sum(seconds) + 0.001
    assert value(text, 'everfit_requests_total{route="/health",status="200"}') == 4
    assert value(text, 'everfit_requests_total{route="/health",status="503"}') == 1


def test_every_line_is_one_that_prometheus_reads() -> None:
    slots = Slots()
    metrics = Metrics(slots)
    metrics.answered("/models/{model}/predict", 'a"b\\c\nd', 200, 0.1)
    metrics.gauge("everfit_drift", {"model": "a"}, 0.5, "how far\nit moved")

    lines = metrics.text(slots.read()).decode().splitlines()

    assert r'model="a\"b\\c\nd"' in "".join(lines)
    for line in lines:
        plain = line.replace(r"\"", "").replace(r"\\", "")
        assert line.startswith(("# HELP ", "# TYPE ")) or LINE.match(plain), line
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(set(families)) == len(families)


def test_all_workers_are_summed_and_a_restart_goes_on_counting(tmp_path: Path) -> None:
    for number, n in (("w1", 2), ("w2", 3), ("w1", 4)):
        slots = Slots(tmp_path / f"{number}.slots")
        metrics = Metrics(slots)
        metrics.values[metrics.in_flight] += 1.0
        for _ in range(n):
            metrics.answered("/health", "", 200, 0.1)

    text = metrics.text(read_all(tmp_path)).decode()

    assert value(text, 'everfit_requests_total{route="/health",status="200"}') == 9
    assert value(text, "everfit_worker_up ") == 2
    # what the first w1 had in hand ended with it
    assert value(text, "everfit_requests_in_flight ") == 2


def test_over_http_the_numbers_are_those_of_the_requests(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    with working(tmp_path, metrics=str(folder)) as keeper, keeper.client() as client:
        for _ in range(5):
            client.post("/models/coin/predict", json={"size": 1.0})
        client.post("/models/coin/predict", json=[{"size": "odd"}] * 10)
        client.post("/models/coin/predict", content=b"{")
        for i in range(50):
            client.get(f"/models/nobody-{i}/schema")  # names that anybody may send are not kept

        text = client.get("/metrics").text

    route = 'model="coin",route="/models/{model}/predict"'
    assert value(text, f'everfit_requests_total{{{route},status="200"}}') == 6
    assert value(text, f'everfit_requests_total{{{route},status="400"}}') == 1
    assert value(text, f"everfit_request_seconds_count{{{route}}}") == 7
    arm = 'arm="champion",model="coin",version="v1"'
    assert value(text, f"everfit_predictions_total{{{arm}}}") == 15
    assert value(text, f"everfit_predictions_warned_total{{{arm}}}") >= 10
    assert value(text, f"everfit_version_loaded{{{arm}}}") == 1
    assert value(text, "everfit_requests_in_flight ") == 1
    assert "nobody" not in text


def test_a_large_body_is_counted_to_the_row_though_threads_count_too(tmp_path: Path) -> None:
    with working(tmp_path, limits={"aside_bytes": 100}) as keeper, keeper.client() as client:
        for n in (1, 100, 1, 50):
            client.post("/models/coin/predict", json=[{"size": 1.0}] * n)
        arm = 'everfit_predictions_total{arm="champion"'

        assert wait(lambda: value(client.get("/metrics").text, arm) == 152)
