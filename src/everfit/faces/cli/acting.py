"""The commands that change something: rollback and init."""

from __future__ import annotations

import sys
from getpass import getuser
from pathlib import Path

import typer

from everfit.errors import Refused
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of
from everfit.faces.cli.template import TEMPLATE
from everfit.faces.words.ledger import decision_lines
from everfit.faces.words.shapes import dump, envelope
from everfit.settings import FILE


def do_rollback(face: Face, model: str, to: str | None, reason: str, *, yes: bool) -> None:
    """Make an older version the champion again; asks on a terminal, refuses elsewhere."""
    with house_of(face) as house:
        champion = house.status(model)[0].champion
        now = champion.name if champion is not None else "no champion"
        target = to or "the previous version"
        if not yes:
            confirm(f"Roll {model} back from {now} to {target}?", f"rollback {model}")
        decision = house.rollback(model, to=to, by=who(), reason=reason)
    if face.as_json:
        face.data(dump(envelope("rollback", model=model, decision=decision)))
    else:
        face.data("\n".join(decision_lines(decision)))


def who() -> str:
    """Who gives a command, for the ledger: the user of the system that it runs as."""
    try:
        name = getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return "person"
    return "person" if name == "system" else name  # that is what everfit does by itself


def confirm(question: str, command: str) -> None:
    """Ask for a yes on a terminal.

    Raises
    ------
    Refused : the answer is no, or there is no terminal to ask on
    """
    if not sys.stdin.isatty():
        raise Refused(
            f"everfit {command} needs a yes, and there is no terminal to ask on",
            do="add --yes",
        )
    if not typer.confirm(question, err=True):
        raise Refused("nothing was changed", got="no", do=f"everfit {command} --yes")


def do_init(face: Face, *, show: bool, force: bool) -> None:
    """Write a settings file with comments; never over one that is there."""
    if show:
        face.data(TEMPLATE)
        return
    file = Path(face.config or FILE)
    if file.exists() and not force:
        raise Refused(
            f"{file} is already there", do="add --force to replace it, or --print to see a new one"
        )
    file.write_text(TEMPLATE, encoding="utf-8")
    if face.as_json:
        face.data(dump(envelope("init", file=str(file.resolve()))))
    else:
        face.tell(f"Wrote {file}. Every line is a comment until you change it.")
