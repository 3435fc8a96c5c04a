"""Counters that several threads and processes share."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from everfit.errors import StoreFailed
from everfit.live.desk import slots as module
from everfit.live.desk.slots import Slots, clear, read_all


def test_the_loop_and_other_threads_lose_no_count() -> None:
    slots = Slots()
    place = slots.slot("seen")

    def count() -> None:
        for _ in range(20_000):
            slots.add(place, 1.0)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20_000):
        slots.values[place] += 1.0
    for thread in threads:
        thread.join()

    assert slots.read() == {("seen", ()): 80_000.0}


def test_a_name_that_was_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "w1.slots")
    slots.values[slots.slot("whole")] += 2.0
    with (tmp_path / "w1.names").open("a") as file:
        file.write('["counter", "ha')

    assert read_all(tmp_path) == {("whole", ()): 2.0}


def test_a_worker_whose_last_name_was_cut_off_counts_on(tmp_path: Path) -> None:
    slots = Slots(tmp_path / "w1.slots")
    slots.values[slots.slot("whole")] += 2.0
    with (tmp_path / "w1.names").open("a") as file:
        file.write('["counter", "ha')

    again = Slots(tmp_path / "w1.slots")
    again.values[again.slot("new")] += 1.0

    assert read_all(tmp_path) == {("whole", ()): 2.0, ("new", ()): 1.0}


def test_counters_stay_and_gauges_end_with_their_process(tmp_path: Path) -> None:
    first = Slots(tmp_path / "w1.slots")
    first.values[first.slot("total")] += 5.0
    first.put(first.slot("open", (), "gauge"), 3.0)

    again = Slots(tmp_path / "w1.slots")

    assert again.read() == {("total", ()): 5.0, ("open", ()): 0.0}


def test_more_names_than_there_is_room_for_share_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    slots = Slots(tmp_path / "w1.slots")
    for name in ("a", "b", "c", "d"):
        slots.values[slots.slot(name)] += 1.0

    assert read_all(tmp_path) == {("a", ()): 1.0, ("b", ()): 1.0}


def test_names_of_a_run_lie_side_by_side_or_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    slots = Slots(tmp_path / "w1.slots")
    slots.slot("one")
    first = slots.run([("a", ()), ("b", ()), ("c", ())])
    none = slots.run([("d", ()), ("e", ())])

    slots.values[first + 4] += 1.0
    slots.values[none + 2] += 1.0
    assert slots.run([("a", ()), ("b", ()), ("c", ())]) == first
    assert read_all(tmp_path) == {
        ("one", ()): 0.0, ("a", ()): 0.0, ("b", ()): 0.0, ("c", ()): 1.0
    }  # fmt: skip


def test_a_run_that_was_cut_off_by_a_kill_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "w1.names").write_text('["counter", "a", []]\n["counter", "b", []]\n["cou')
    names = [("a", ()), ("b", ()), ("c", ())]

    slots = Slots(tmp_path / "w1.slots")
    first = slots.run(names)
    slots.values[first] += 1.0
    slots.values[first + 4] += 2.0
    again = Slots(tmp_path / "w1.slots")

    assert again.run(names) == first
    assert again.read() == {("a", ()): 1.0, ("b", ()): 0.0, ("c", ()): 2.0}
    assert read_all(tmp_path) == again.read()


def test_a_full_disk_costs_names_but_no_request(tmp_path: Path) -> None:
    """Its file has its room from the start, and half a name would spoil those behind it."""
    code = f"""
import resource, signal
from pathlib import Path
from everfit.live.desk.slots import Slots
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path({str(tmp_path)!r}) / "w1.slots"
slots = Slots(path)
assert path.stat().st_blocks * 512 >= path.stat().st_size, "there are holes in it"
kept = slots.slot("kept")
size = path.with_suffix(".names").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, resource.RLIM_INFINITY))
lost = slots.slot("lost")
slots.values[kept] += 1.0
slots.values[lost] += 1.0
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
slots.values[slots.slot("lost")] += 3.0
"""
    subprocess.run([sys.executable, "-c", code], check=True)

    assert read_all(tmp_path) == {("kept", ()): 1.0, ("lost", ()): 3.0}


def test_cleared_is_empty(tmp_path: Path) -> None:
    Slots(tmp_path / "w1.slots").slot("seen")

    clear(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreFailed, match="counters cannot be made"):
        Slots(tmp_path / "file" / "w1.slots")
