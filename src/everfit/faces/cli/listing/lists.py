"""The command ``recommend``: a list of items for a user, for a history, or near to an item."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from everfit.errors import UsageError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of
from everfit.faces.words.lists import list_lines
from everfit.faces.words.shapes import dump, envelope
from everfit.serve.lists.listed import Listed, Wanted
from everfit.serve.lists.lists import Lists


@dataclass(frozen=True, slots=True)
class Asking:
    """What the options say, as they were given."""

    user: str | None
    history: str | None
    similar: str | None
    k: int
    allowed: str | None
    blocked: str | None
    again: bool
    why: bool


def do_recommend(face: Face, model: str, asking: Asking, version: str | None) -> None:
    """Print one list."""
    named = [word for word in (asking.user, asking.history, asking.similar) if word is not None]
    if len(named) > 1:
        raise UsageError(
            "a list is for one of them",
            got=" and ".join(
                option
                for option, word in (
                    ("--user", asking.user),
                    ("--history", asking.history),
                    ("--similar", asking.similar),
                )
                if word is not None
            ),
            expected="--user, --history or --similar",
            do=f"everfit recommend {model} --user NAME",
        )
    wanted = Wanted(
        asking.k,
        None if asking.allowed is None else _items("--allowed", asking.allowed),
        () if asking.blocked is None else _items("--blocked", asking.blocked),
        asking.again,
    )
    with house_of(face) as house:
        found, lists = house.lists(model, version)
        listed = _asked(lists, asking, wanted)
        if asking.why and asking.similar is None:
            listed = lists.with_reasons(listed, asking.user, history=_history(asking))

        def called(item: object) -> str:
            return lists.title(item) or str(item)

    if face.as_json:
        told = envelope(
            "recommend",
            model=model,
            version=found.name,
            items=_plain(listed),
            fallback=listed.fallback or None,
            warnings=listed.warnings,
        )
        face.data(dump(told))
        return
    for line in (listed.fallback, *listed.warnings):
        if line:
            face.tell(f"! {line}")
    for line in list_lines(listed, called, why=asking.why and asking.similar is None):
        face.data(line)


def _plain(listed: Listed) -> list[dict[str, object]]:
    """The items as JSON has them."""
    return [
        {"item": item, "score": score}
        | ({"title": listed.titles[at]} if listed.titles else {})
        | ({"because": [list(one) for one in listed.because[at]]} if listed.because else {})
        for at, (item, score) in enumerate(zip(listed.items, listed.scores, strict=True))
    ]


def _asked(lists: Lists, asking: Asking, wanted: Wanted) -> Listed:
    if asking.similar is not None:
        return lists.similar(asking.similar, wanted=wanted)
    return lists.top(asking.user, history=_history(asking), wanted=wanted)


def _history(asking: Asking) -> list[str] | None:
    return None if asking.history is None else _items("--history", asking.history)


def _items(option: str, text: str) -> list[str]:
    """Items by commas, or one a line of a file behind ``@``."""
    if not text.startswith("@"):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        lines = Path(text[1:]).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the file of {option} cannot be read",
            got=f"{text[1:]}: {error}",
            expected="a text file with one item a line",
            do=f"give items by commas: {option} a,b,c",
        ) from error
    return [line.strip() for line in lines if line.strip()]
