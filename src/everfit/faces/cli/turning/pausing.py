"""The commands by which a person stops the loop from changing a model, and lets it again."""

from __future__ import annotations

from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of
from everfit.faces.words.ledger import decision_lines
from everfit.faces.words.shapes import dump, envelope
from everfit.records import Decision


def do_pause(face: Face, model: str, reason: str) -> None:
    """Pause a model; nothing is asked, since nothing changes."""
    with house_of(face) as house:
        decision = house.pause(model, reason=reason)
    _tell(face, "pause", model, decision)


def do_resume(face: Face, model: str, reason: str) -> None:
    """End a pause."""
    with house_of(face) as house:
        decision = house.resume(model, reason=reason)
    _tell(face, "resume", model, decision)


def _tell(face: Face, command: str, model: str, decision: Decision) -> None:
    if face.as_json:
        face.data(dump(envelope(command, model=model, decision=decision)))
    else:
        face.data("\n".join(decision_lines(decision)))
