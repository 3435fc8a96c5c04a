"""The command simulate: one screen, one JSON object, errors before work, and Ctrl-C."""

from __future__ import annotations

import json
import signal

import pytest

import everfit
from everfit.faces.cli.main import main
from everfit.faces.cli.simulating import living
from everfit.simulate.world import live
from tests.real import cancer

QUICK = ["--budget", "5s", "--first", "0.5", "--rows", "60", "--label-delay", "1d"]


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("EVERFIT_EXECUTOR", "inline")
    monkeypatch.chdir(tmp_path)
    path, target = cancer(tmp_path)
    return [str(path), "--target", target, "--name", "tumour"]


def test_a_simulation_is_shown_on_one_screen_and_leaves_nothing_behind(source, tmp_path, capsys):
    assert main(["simulate", *source, *QUICK, "--windows", "4", "-q"]) == 0

    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].startswith("Simulated tumour: 4 windows of 1 day, 60 rows each; outcomes after")
    assert max(map(len, lines)) <= 80
    assert "never refit" in shown.out
    assert any(line.startswith("Verdict") for line in lines)
    assert any(line.startswith("Decided") for line in lines)
    assert shown.err == ""
    assert not (tmp_path / ".everfit").exists()


def test_with_a_store_its_ledger_is_kept_and_can_be_asked(source, tmp_path, capsys):
    store = ["--store", str(tmp_path / "kept")]
    assert main(["simulate", *source, *QUICK, "--windows", "2", "--json", *store]) == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)

    assert shown.err == ""
    assert [row["window"] for row in told["windows"]] == [0, 1]
    assert told["everfit"]["loss"] == told["never_refitted"]["loss"]
    assert told["store"] == str(tmp_path / "kept")
    assert main(["why", "tumour", "--json", *store]) == 0
    kept = json.loads(capsys.readouterr().out)["decisions"]
    assert {row["id"] for row in told["decisions"]} < {row["id"] for row in kept}

    assert main(["simulate", *source, *QUICK, *store, "-q"]) == 6
    assert "the store has a model 'tumour'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--drift", "melt:age@3"], "a drift cannot be read"),
        (["--drift", "drop:nothing@1"], "there is no column 'nothing' to drop"),
        (["--first", "0.01"], "needs rows to begin with"),
        (["--window", "soon"], "window"),
        (["--time", "when"], "when"),
    ],
)
def test_what_cannot_be_simulated_is_refused_before_anything_is_learnt(
    source, extra, words, capsys
):
    code = main(["simulate", *source, "--budget", "600s", *extra, "-q"])

    error = capsys.readouterr().err
    assert code in (2, 3)
    assert words in error
    assert "expected" in error


def test_ctrl_c_shows_what_was_lived_so_far(source, capsys, monkeypatch):
    def interrupted(world, first):
        for lived in live(world, first):
            yield lived
            if lived.index == 1:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(living, "live", interrupted)

    assert main(["simulate", *source, *QUICK, "--windows", "4", "--json"]) == 130

    told = json.loads(capsys.readouterr().out)
    assert told["interrupted"] is True
    assert (len(told["windows"]), told["wanted"]) == (2, 4)


def test_python_gives_the_same_as_a_data_frame_and_as_text(source):
    done = everfit.simulate(
        source[0], source[2], name="tumour", budget=5, first=0.5, rows=60, windows=2,
        drifts=["missing:worst area:0.5@1"], progress="none",
    )  # fmt: skip

    assert list(done.windows["window"]) == [0, 1]
    assert str(done).startswith("Simulated tumour: 2 windows of 1 day")
    assert done.to_dict()["wanted"] == 2
    assert not done.stopped
    assert all(row.model == "tumour" for row in done.decisions)
