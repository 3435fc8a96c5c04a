"""Options that every command takes, before or after its name, and the face that they make."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import typer

from everfit.errors import EverfitError, UsageError
from everfit.live.early import Early

PANEL = "Everywhere"
ProgressMode = Literal["auto", "plain", "json", "none"]

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout.", rich_help_panel=PANEL)
]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="Only data and errors.", rich_help_panel=PANEL)
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more.", rich_help_panel=PANEL)]
NoColor = Annotated[
    bool,
    typer.Option("--no-color", help="No colours; NO_COLOR does the same.", rich_help_panel=PANEL),
]
ProgressOption = Annotated[
    ProgressMode | None,
    typer.Option(
        "--progress",
        help="How to show progress on stderr. (default: auto)",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH|URL",
        help="Where everything is kept; also EVERFIT_STORE. (default: ./.everfit)",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings file; also EVERFIT_CONFIG. (default: ./everfit.toml)",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
SHARED: dict[str, Any] = {
    "as_json": (Json, False),
    "quiet": (Quiet, False),
    "verbose": (Verbose, False),
    "no_color": (NoColor, False),
    "progress": (ProgressOption, None),
    "store": (StoreOption, None),
    "config": (ConfigOption, None),
}


@dataclass(frozen=True, slots=True)
class Face:
    """How this call speaks: data to stdout, everything else to stderr."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    progress: ProgressMode | None = None
    store: str | None = None
    config: str | None = None
    started: float = field(default=0.0)
    early: Early | None = None

    @property
    def mode(self) -> ProgressMode:
        """The way of showing progress: ``-q`` hides it unless one was asked for."""
        asked = self.progress or ("none" if self.quiet else None)
        from_outside = os.environ.get("EVERFIT_PROGRESS", "auto")
        if asked is None and from_outside in typing.get_args(ProgressMode):
            asked = typing.cast(ProgressMode, from_outside)
        return asked or "auto"

    @property
    def color(self) -> bool:
        """Whether colours may be used."""
        return not self.no_color and not os.environ.get("NO_COLOR")

    def data(self, text: str) -> None:
        """Print what was asked for, on stdout."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    @property
    def paints(self) -> bool:
        """Whether stdout is a terminal that shows colours: a pipe or a file gets plain text."""
        return self.color and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """Columns for a table on stdout: 80, or those of a wider terminal, at most 120."""
        wide = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
        return max(80, min(wide, 120))

    def tell(self, text: str) -> None:
        """Print something about the work, on stderr; not with ``-q``."""
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def merged(outer: Face, given: Mapping[str, Any]) -> Face:
    """The face of a command: what stands after its name wins over what stands before it."""
    changes = {key: value for key, value in given.items() if value not in (None, False)}
    face = replace(outer, **changes)
    if face.quiet and face.verbose:
        raise UsageError(
            "--quiet and --verbose ask for opposite things", do="leave one of them out"
        )
    return face


def with_face(function: Callable[..., None]) -> Callable[..., None]:
    """``function(face, ...)`` as a command that also takes the options of every command."""

    def entry(**given: Any) -> None:
        ctx = given.pop("ctx")
        shared = {key: given.pop(key) for key in SHARED}
        function(merged(ctx.find_root().obj or Face(), shared), **given)

    own = inspect.signature(function, eval_str=True)
    kept = [p.replace(kind=p.KEYWORD_ONLY) for p in list(own.parameters.values())[1:]]
    extra = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for key, (hint, default) in SHARED.items()
    ]
    ctx = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    entry.__signature__ = own.replace(parameters=[ctx, *kept, *extra])  # type: ignore[attr-defined]
    entry.__annotations__ = {p.name: p.annotation for p in (ctx, *kept, *extra)}
    entry.__doc__ = function.__doc__
    entry.__name__ = function.__name__
    return entry


def pairs(texts: list[str], option: str) -> dict[str, str]:
    """``column=word`` texts as a map.

    Raises
    ------
    UsageError : one has no ``=`` between two words

    Examples
    --------
    >>> pairs(["zip=category", "a=b=number"], "--kind")
    {'zip': 'category', 'a=b': 'number'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, word = text.rpartition("=")
        if not (name and equals and word):
            raise UsageError(
                f"{option} cannot be read",
                got=repr(text),
                expected=f"{option} COLUMN=WORD",
                do=f"write {option} zip=category",
            )
        found[name] = word
    return found


def as_usage(message: str) -> EverfitError:
    """An error of the option parser as one of ours."""
    return UsageError(" ".join(message.split()).rstrip(".,"), do="see: everfit --help")
