from __future__ import annotations

import io
import re
import sys

import pytest

from everfit.faces.cli.everywhere import Face
from everfit.faces.words.block import final_block
from everfit.faces.words.paint import painted, terminal_text
from tests.faces.build import result


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_changes_no_letter_of_the_block() -> None:
    block = final_block(result(), budget_s=60.0)

    shown = terminal_text(painted(block))

    assert "\x1b[" in shown
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown).rstrip("\n") == block


def test_labels_commands_and_the_new_version_are_marked() -> None:
    text = painted(final_block(result()))

    marked = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert marked["Verdict"] == "bold"
    assert marked["everfit why churn"] == "cyan"
    assert marked["← v1"] == "green"


@pytest.mark.parametrize(
    ("term", "face", "paints"),
    [("xterm", Face(), True), ("dumb", Face(), False), ("xterm", Face(no_color=True), False)],
)
def test_only_a_terminal_that_wants_colours_gets_them(
    term: str, face: Face, paints: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal())

    assert face.paints is paints


def test_a_pipe_gets_no_colours_even_when_they_are_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    assert not Face().paints
