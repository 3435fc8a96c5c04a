"""The commands about tokens of clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from everfit.errors import UsageError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.serving.start import TOKENS, place_of
from everfit.faces.http.guard.tokens import SCOPES, list_tokens, make_token, revoke_token
from everfit.faces.words.grid import grid
from everfit.faces.words.shapes import dump, envelope
from everfit.settings import read_settings

# what promotes, rolls back and forgets is given by name only
USUAL = tuple(scope for scope in SCOPES if scope != "operate")


def do_token(face: Face, act: str, name: str | None, scopes: list[str], days: int | None) -> None:
    """Make, list or revoke."""
    if act == "list":
        _list(face)
        return
    if name is None:
        raise UsageError(
            f"everfit token {act} needs a name",
            expected="the name of the client that the token is for",
            do=f"everfit token {act} shop",
        )
    if act == "make":
        _make(face, name, scopes, days)
    else:
        _revoke(face, name)


def _make(face: Face, name: str, scopes: list[str], days: int | None) -> None:
    """Its text goes to stdout alone, and only its hash is kept."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    text = make_token(_path(face), name, scopes or USUAL, expires=expires)
    if face.as_json:
        face.data(dump(envelope("token", act="make", name=name, token=text, expires=expires)))
        return
    face.data(text)
    face.tell("It is shown this once. Send it as: Authorization: Bearer TOKEN")


def _list(face: Face) -> None:
    found = list_tokens(_path(face))
    rows = [
        {"name": one.name, "scopes": one.scopes, "made": one.made, "expires": one.expires}
        for one in found
    ]
    if face.as_json:
        face.data(dump(envelope("token", act="list", tokens=rows)))
    elif not found:
        face.tell("There are no tokens. Make one: everfit token make NAME")
    else:
        shown = [
            [one.name, ", ".join(one.scopes), one.made[:10], _until(one.expires)] for one in found
        ]
        face.data("\n".join(grid(["name", "may", "made", "until"], shown)))


def _revoke(face: Face, name: str) -> None:
    gone = revoke_token(_path(face), name)
    if face.as_json:
        face.data(dump(envelope("token", act="revoke", name=gone.name)))
    else:
        face.data(f"Revoked the token {gone.name!r}. Servers learn it within a second.")


def _path(face: Face) -> Path:
    return place_of(face, read_settings(face.config)).root / TOKENS


def _until(expires: str | None) -> str:
    return "for ever" if expires is None else expires[:10]
