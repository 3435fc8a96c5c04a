"""Each gate says yes or no with its number, its limit and who set it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from everfit.evidence.interval import Interval
from everfit.records import Because, Policy, Segment
from everfit.release import gates
from everfit.release.gates import FreshLoad
from tests.real import ROOT
from tests.release.build import GOOD, KEY, candidate, packed
from tests.restart.test_kill import until

NAN = Interval(math.nan, math.nan, math.nan)
NOISE = Interval(-0.01, 0.02, 0.05, n=700)


@pytest.mark.parametrize(("gain", "holds"), [(GOOD, True), (NOISE, False), (NAN, False)])
def test_the_floor_must_be_beaten_beyond_noise(gain: Interval, holds: bool) -> None:
    gate = gates.beats_floor(candidate(gain_on_floor=gain))

    assert gate.passed is holds
    assert gate.limit == 0.0


@pytest.mark.parametrize(
    ("stage", "gain", "holds"),
    [
        ("portfolio", GOOD, True),
        ("portfolio", NOISE, False),
        ("portfolio", NAN, None),
        ("simple", NOISE, True),
        ("simple", NAN, True),
    ],
)
def test_the_simple_model_must_be_beaten_unless_it_is_the_candidate(
    stage: str, gain: Interval, holds: bool | None
) -> None:
    gate = gates.beats_simple(candidate(stage=stage, gain_on_simple=gain))

    assert gate.passed is holds


def test_a_gate_that_could_not_be_measured_does_not_stop_a_release() -> None:
    assert gates.passed([Because("a", True), Because("b", None)])
    assert not gates.passed([Because("a", True), Because("b", False), Because("c", None)])


def module(folder: Path, code: str) -> str:
    """A Python module that stands in for ``everfit.serve.verify``."""
    (folder / "stand_in.py").write_text(f"import sys, time\n{code}\n")
    return "stand_in"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("""print('{"ok": true, "row_us": 12.5, "error": ""}')""", (True, True, 12.5, "")),
        ("""print('note'); print('{"ok": true, "row_us": 3}')""", (True, True, 3.0, "")),
        (
            """print('{"ok": false, "row_us": 12.5, "error": "row 3 differs"}')""",
            (True, False, 12.5, "row 3 differs"),
        ),
        (
            """print('{"ok": false, "row_us": 0.0, "error": "bad plan"}')""",
            (False, None, None, "bad plan"),
        ),
        ("raise ValueError('tree is broken')", (False, None, None, "ValueError: tree is broken")),
        ("import os; os.abort()", (False, None, None, "it ended with -6")),
        ("print('[1]')", (False, None, None, "it said '[1]'")),
        ("print('done')", (False, None, None, "it ended with 0")),
    ],
)
def test_whatever_a_fresh_process_does_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: tuple[object, ...]
) -> None:
    monkeypatch.chdir(tmp_path)

    fresh = gates.load_fresh(tmp_path, left_s=10, module=module(tmp_path, code))

    assert (fresh.loaded, fresh.reproduced, fresh.row_us, fresh.error) == expected


def test_a_process_that_hangs_is_cut_off_and_its_folder_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gates, "LEAST_S", 0.5)
    code = "open('told', 'w').write(sys.argv[1]); time.sleep(60)"

    fresh = gates.load_fresh(tmp_path / "v1", left_s=0.0, module=module(tmp_path, code))

    assert not fresh.loaded
    assert "no answer in" in fresh.error
    assert (tmp_path / "told").read_text() == str(tmp_path / "v1")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the child")
def test_a_load_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = """
from everfit.serve import verify
def slow(*_, **__):
    print(os.getpid(), file=open('pid', 'w'), flush=True)
    time.sleep(60)
verify.check_golden = slow
verify.main([sys.argv[1]])
"""
    name = module(tmp_path, f"import os{code}")
    load = f"import sys; from everfit.release.gates import load_fresh; from pathlib import Path; \
load_fresh(Path('.'), left_s=60, module={name!r})"
    parent = subprocess.Popen(
        [sys.executable, "-c", load], cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{tmp_path}"},
    )  # fmt: skip
    said = tmp_path / "pid"
    assert until(lambda: said.exists() and said.read_text().strip() != "")

    parent.kill()
    parent.wait()

    assert until(lambda: not Path(f"/proc/{int(said.read_text())}").exists(), 5.0)


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    fresh = gates.load_fresh(tmp_path, left_s=1, python=str(tmp_path / "nopython"))

    assert "no process could be started" in fresh.error


@pytest.mark.parametrize(
    ("fresh", "loaded", "reproduced", "fast"),
    [
        (FreshLoad(True, True, 900.0), True, True, True),
        (FreshLoad(True, False, 60_000.0, "row 3 differs"), True, False, False),
        (FreshLoad(False, None, None, "bad plan"), False, None, None),
        (FreshLoad(True, True, math.nan), True, True, None),
    ],
)
def test_loading_reproducing_and_speed_are_three_gates(
    fresh: FreshLoad, loaded: bool, reproduced: bool | None, fast: bool | None
) -> None:
    policy = Policy(latency_ms=50.0, set_by={"latency_ms": "maria"})

    speed = gates.fast_enough(fresh, policy)

    assert gates.loads(fresh).passed is loaded
    assert gates.reproduces(fresh).passed is reproduced
    assert (speed.passed, speed.limit, speed.limit_by, speed.unit) == (fast, 50.0, "maria", "ms")


def test_the_manifest_is_a_gate(tmp_path: Path) -> None:
    folder, manifest = packed(tmp_path)
    before = gates.manifest_holds(folder, key=KEY, sha256=manifest.sha256)
    (folder / "m0" / "model.txt").write_text("evil")

    after = gates.manifest_holds(folder, key=KEY)

    assert before.passed is True
    assert after.passed is False
    assert "m0/model.txt" in after.note


def world(worse: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Losses of two versions: equal but for noise, and ``worse`` higher in segment b."""
    rng = np.random.default_rng(5)
    old = rng.exponential(0.5, n)
    segments = {name: np.arange(n) % 4 == i for i, name in enumerate("abc")}
    new = old + rng.normal(0, 0.1, n) + np.where(segments["b"], worse, 0.0)
    return new, old, segments | {"tiny": np.arange(n) < 5}


@pytest.mark.parametrize(
    ("worse", "holds"),
    [(0.0, True), (0.04, True), (0.2, False)],  # the guardrail is 10% of about 0.5
)
def test_a_segment_may_lose_the_guardrail_and_no_more(worse: float, holds: bool) -> None:
    gate = gates.guards_segments(*world(worse), Policy(), "v1")

    assert gate.passed is holds
    assert gate.limit == 0.10
    if worse:
        assert gate.note == "worst of 3 segments: b"


def test_the_guardrail_rarely_stops_a_version_that_is_as_good() -> None:
    rng = np.random.default_rng(11)
    stopped = 0
    for _ in range(400):
        old = rng.exponential(0.5, 600)
        new = old + rng.normal(0, 0.4, 600)  # equal in every segment
        segments = {str(i): np.arange(600) % 6 == i for i in range(6)}
        gate = gates.guards_segments(new, old, segments, Policy(guardrail=0.0), "v1")
        stopped += gate.passed is False

    # two-sided alpha 5% over all segments, one side counts: at most 2.5% and noise
    assert stopped / 400 <= 0.05


def test_without_segments_large_enough_nothing_is_claimed() -> None:
    new, old, segments = world(1.0)

    gate = gates.guards_segments(new, old, {"tiny": segments["tiny"]}, Policy(), "v1")

    assert gate.passed is None
    assert "30 rows" in gate.note


def test_a_harder_segment_is_told_and_stops_nothing() -> None:
    hard = Segment("plan=trial", 500, Interval(0.02, 0.05, 0.08, n=500), 0.001)
    same = Segment("plan=basic", 300, Interval(-0.02, 0.01, 0.03, n=300), 0.4)

    told = gates.tells_segments((same, hard), Policy())

    assert (told.passed, told.measured, told.note) == (None, 0.05, "plan=trial is harder")
    assert gates.tells_segments((same,), Policy()).passed is True


def test_the_floor_itself_may_only_pass_where_a_floor_serves_and_it_is_said() -> None:
    floor = candidate(stage="floor", gain_on_floor=Interval(0.0, 0.0, 0.0, n=700))

    assert gates.beats_floor(floor).passed is False
    served = gates.beats_floor(floor, serves=True)
    assert served.passed is True
    assert "it is the floor itself" in served.note
    assert gates.beats_simple(floor, floor_serves=True).passed is None


def test_where_a_floor_serves_another_model_must_beat_it_all_the_same() -> None:
    other = candidate(gain_on_floor=NOISE, gain_on_simple=NOISE)

    assert gates.beats_floor(other, serves=True).passed is False
    assert gates.beats_simple(other, floor_serves=True).passed is False
