"""docs/cli.md and ``--help`` say the same; ``EVERFIT_WRITE_DOCS=1`` writes the page anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from everfit.faces.cli.app import app
from everfit.tasks import TASKS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"
COMMANDS = list(get_command(app).commands)  # type: ignore[attr-defined]
BLOCK = re.compile(r"```text help: ?([a-z]*)\n(.*?)```", re.DOTALL)
EVERYWHERE = re.compile(r"^╭─ Everywhere .*?╰─+╯$", re.DOTALL | re.MULTILINE)
NARROW = {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "TERMINAL_WIDTH": "80"}


def helped(command: str) -> str:
    """What ``everfit COMMAND --help`` prints at 80 columns."""
    run = CliRunner().invoke(app, [*command.split(), "--help"], env=NARROW, prog_name="everfit")
    assert run.exit_code == 0
    return "\n".join(line.rstrip() for line in run.stdout.strip().splitlines())


def documented(command: str) -> str:
    """The help as the page shows it: the options of every command stand under ``everfit`` alone."""
    return EVERYWHERE.sub("", helped(command)).strip() if command else helped(command)


def words(text: str) -> str:
    """The words alone: how boxes are drawn depends on the terminal and on the version of Rich."""
    return " ".join(re.sub(r"[│╭╮╰╯─|+-]+(?=\s|$)|[│╭╮╰╯─]", " ", text).split())


def test_the_page_has_every_command_once() -> None:
    documented = [name for name, _ in BLOCK.findall(PAGE.read_text()) if name]

    assert documented == COMMANDS


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_page_shows_the_help_of(command: str) -> None:
    text = PAGE.read_text()
    if os.environ.get("EVERFIT_WRITE_DOCS"):
        text = re.sub(
            rf"```text help: ?{command}\n.*?```",
            lambda _: (
                f"```text help: {command}\n".replace(": \n", ":\n") + documented(command) + "\n```"
            ),
            text,
            flags=re.DOTALL,
        )
        PAGE.write_text(text)

    shown = dict(BLOCK.findall(text))

    assert words(shown[command]) == words(documented(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_options_that_the_page_shows_once(command: str) -> None:
    (panel,) = EVERYWHERE.findall(helped(command))

    assert all(option in panel for option in ("--json", "--store", "--progress", "--config"))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_80_columns(command: str) -> None:
    assert max(len(line) for line in helped(command).splitlines()) <= 80


def test_the_help_of_run_names_every_metric_and_task_that_there_is() -> None:
    text = words(helped("run"))

    missing = [w for t in TASKS.values() for w in (t.name, *t.metrics) if w not in text]

    assert missing == []


def test_help_does_not_wait_for_heavy_libraries() -> None:
    code = (
        "import sys; from everfit.faces.cli.main import main; main(['run', '--help']); "
        "print([m for m in ('numpy', 'polars', 'pandas', 'sklearn', 'duckdb') if m in sys.modules])"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.splitlines()[-1] == "[]"


def test_the_installed_module_runs_as_a_program() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "everfit", "--version"], capture_output=True, text=True, check=True
    )

    assert re.fullmatch(r"everfit \S+\n", run.stdout)
