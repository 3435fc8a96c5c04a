"""The commands that only ask: why, status, models, leaderboard, columns, card, compare."""

from __future__ import annotations

from dataclasses import asdict

from everfit.errors import Refused
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of
from everfit.faces.found import assessment_of, card_of, schema_of, study_of
from everfit.faces.words import board
from everfit.faces.words.answers import (
    EMPTY,
    columns_text,
    comparison_text,
    gain_words,
    status_text,
    versions_text,
)
from everfit.faces.words.grid import filled, grid
from everfit.faces.words.ledger import decision_lines, ledger_text
from everfit.faces.words.shapes import dump, envelope, why_shape
from everfit.plain import as_plain


def do_why(face: Face, model: str, number: int | None) -> None:
    """Print the ledger, or one decision of it in full."""
    with house_of(face) as house:
        decisions = list(house.decisions(model))
    if number is not None:
        known = decisions
        decisions = [d for d in decisions if d.id == number]
        if not decisions:
            ids = ", ".join(str(d.id) for d in known[:20])
            raise Refused(
                f"{model!r} has no decision {number}",
                got=str(number),
                expected=f"one of {ids}" if ids else "a decision, but there is none yet",
                do=f"everfit why {model}",
            )
    if face.as_json:
        face.data(dump(why_shape(model, decisions)))
    elif number is not None:
        face.data("\n".join(decision_lines(decisions[0], full=True)))
    else:
        none = f"No decisions yet. The first follows: everfit run DATA --name {model}"
        face.data(ledger_text(decisions, full=face.verbose) or none)


def do_status(face: Face, model: str | None) -> None:
    """Print one line a model; with a model also its versions."""
    with house_of(face) as house:
        rows = house.status(model)
        versions = house.versions(model) if model is not None else []
    if face.as_json:
        face.data(dump(envelope("status", models=rows, versions=versions)))
        return
    face.data(status_text(rows))
    if model is not None:
        face.data("\n" + versions_text(versions))


def do_models(face: Face) -> None:
    """Print the names of all models, one a line."""
    with house_of(face) as house:
        names = list(house.models())
    if face.as_json:
        face.data(dump(envelope("models", models=names)))
    elif names:
        face.data("\n".join(names))
    else:
        face.tell(EMPTY)


def do_leaderboard(face: Face, model: str, version: str | None, *, why: bool) -> None:
    """Print all trials of the run that made ``version``, or of the last run that finished."""
    with house_of(face) as house:
        study = study_of(house, model, house.version(model, version) if version else None)
    if face.as_json:
        rows = board.plain_rows(study)
        face.data(dump(envelope("leaderboard", model=model, leaderboard=rows)))
        return
    rows_ = board.rows_of(study)
    table = board.cells(rows_)
    head = board.head(study.problem.metric, form=study.problem.form)
    lines = grid(head, table, right=(0, 2), flexible=1, indent=0, width=face.width)
    made_of = board.members_text(study.candidate)
    blend = ["", *filled("blend", made_of, indent=7)] if made_of else []
    if not why:
        face.data("\n".join([*lines, *blend]))
        return
    told = [lines[0]]
    for line, row in zip(lines[1:], rows_, strict=True):
        told.append(line)
        told += filled("", row.why, indent=6) if row.why else []
        told += filled("", row.reason, indent=6) if row.reason else []
    face.data("\n".join([*told, *blend]))


def do_columns(face: Face, model: str, version: str | None) -> None:
    """Print the columns that a version expects."""
    with house_of(face) as house:
        columns = schema_of(house, model, version)
    if face.as_json:
        face.data(dump(envelope("columns", model=model, columns=columns)))
    else:
        face.data(columns_text(columns))


def do_card(face: Face, model: str, version: str | None) -> None:
    """Print the model card of a version."""
    with house_of(face) as house:
        found = house.version(model, version)
        text = card_of(house, model, version)
        assessment = assessment_of(house, model, found) if face.as_json else None
    if face.as_json:
        shape = envelope("card", model=model, version=found, card=text, assessment=assessment)
        face.data(dump(shape))
    else:
        face.data(text)


def do_compare(face: Face, model: str, a: str, b: str) -> None:
    """Print what differs between two versions."""
    with house_of(face) as house:
        found = house.compare(model, a, b)
    if face.as_json:
        plain = as_plain(asdict(found))
        face.data(dump(envelope("compare", **plain, verdict=gain_words(found))))
    else:
        face.data(comparison_text(found))
