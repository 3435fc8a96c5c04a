from __future__ import annotations

import contextlib
import errno
import inspect
import json
import os
import re
import signal
import stat
import time
from pathlib import Path

import pytest

from everfit import errors
from everfit.errors import EverfitError
from everfit.faces.cli import main as entry
from everfit.faces.cli.main import main, process_start
from everfit.faces.cli.opening import STOPPING
from everfit.records import Progress
from tests.faces.build import FakeHouse

RUN = ["run", "x.csv", "--target", "y", "--progress", "none"]
TREE = [
    cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, EverfitError)
]


def failing(house: FakeHouse, error: BaseException) -> None:
    def during(tell: object) -> None:
        raise error

    house.during = during


def test_the_whole_tree_is_looked_at() -> None:
    assert len(TREE) >= 20


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_every_error_ends_with_its_exit_code_and_its_four_parts(
    cls: type[EverfitError], house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(house, cls("it broke", got="this", expected="that", do="mend it"))

    code = main(RUN)

    out, err = capsys.readouterr()
    assert code == cls.exit_code
    assert out == ""
    assert err.splitlines() == [
        f"{cls.__name__}: it broke",
        "  got       this",
        "  expected  that",
        "  do        mend it",
    ]


@pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)
def test_with_json_every_error_is_one_object_on_stderr(
    cls: type[EverfitError], house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(house, cls("it broke", do="mend it"))

    code = main([*RUN, "--json"])

    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == {
        "error": {
            "code": cls.__name__,
            "message": "it broke",
            "got": "",
            "expected": "",
            "do": "mend it",
            "exit_code": code,
        }
    }


def test_the_exit_codes_are_those_of_the_documentation() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "cli.md"

    documented = {int(n) for n in re.findall(r"^\| (\d+) \|", page.read_text(), re.MULTILINE)}

    # 1 is `everfit check` about a model that needs somebody
    assert documented == {0, 1, entry.CLOSED, *(cls.exit_code for cls in TREE)}


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["run", "--no-such-option"],
        ["why"],
        ["run", "x.csv", "--seed", "many"],
        ["run", "x.csv"],
        ["run", "--target", "y"],
        ["run", "x.csv", "--target", "y", "--kind", "zip"],
        ["run", "x.csv", "--target", "y", "--budget", "soon"],
        ["run", "x.csv", "--target", "y", "-q", "-v"],
        ["run", "x.csv", "--target", "y", "--header", "--names", "a,b"],
        ["--config", "none.toml", "models"],
        ["status", "--progress", "loud"],
    ],
)
def test_a_wrong_call_ends_with_2(
    arguments: list[str], house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(arguments)

    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert "Error: " in err


def test_a_misspelt_command_is_answered_with_the_near_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["asess", "x.csv"])

    assert "Did you mean 'assess'" in capsys.readouterr().err


def test_a_bug_ends_with_70_and_leaves_a_private_file(
    house: FakeHouse,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(house, ZeroDivisionError("division by zero"))

    code = main(RUN)

    err = capsys.readouterr().err
    (file,) = tmp_path.glob("everfit-crash-*.txt")
    assert code == 70
    assert str(file) in err
    assert "ZeroDivisionError: division by zero" in err
    assert "Traceback" not in err
    assert "Traceback" in file.read_text()
    assert "everfit run x.csv" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_bug_without_a_place_for_its_file_prints_the_trace(
    house: FakeHouse,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    failing(house, ZeroDivisionError("division by zero"))

    assert main(RUN) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_no_bug(house: FakeHouse, capsys: pytest.CaptureFixture[str]) -> None:
    failing(house, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    assert main(RUN) == 70
    assert "StoreFailed: the disk could not be written" in capsys.readouterr().err


def test_ctrl_c_once_says_so_and_keeps_what_the_loop_gives(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    def during(tell: object) -> None:
        # as the loop does: it stops searching and releases the best so far
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    house.during = during

    code = main(["run", "x.csv", "--target", "y", "--progress", "plain"])

    out, err = capsys.readouterr()
    assert code == 130
    assert "Verdict" in out
    assert STOPPING in err


def test_ctrl_c_before_anything_was_found_ends_with_130(
    house: FakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    house.during = lambda tell: signal.raise_signal(signal.SIGINT)

    code = main(["run", "x.csv", "--target", "y", "--progress", "plain"])

    out, err = capsys.readouterr()
    assert (code, out) == (130, "")
    assert "Interrupted: stopped" in err


def test_the_handlers_of_signals_are_put_back(house: FakeHouse) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    main(RUN)

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_house_is_closed_after_an_error(house: FakeHouse) -> None:
    failing(house, errors.DataError("no"))

    main(RUN)

    assert house.closed


def test_the_start_of_this_process_lies_before_now_and_does_not_move() -> None:
    first, second = process_start(), process_start()

    assert first == pytest.approx(second, abs=0.05)
    assert first <= time.monotonic()


def test_a_shell_that_lived_long_before_it_became_us_does_not_eat_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: boot + 3600)

    assert process_start() == entry._LOADED


def test_progress_goes_to_stderr_only(house: FakeHouse, capsys: pytest.CaptureFixture[str]) -> None:
    house.during = lambda tell: tell(Progress("assess", "12 checks: all pass"))

    main(["run", "x.csv", "--target", "y"])

    out, err = capsys.readouterr()
    assert "12 checks" in err
    assert "12 checks" not in out
    assert "\x1b" not in out + err
