"""Lists of strategies by name: explicit, in one place, and no name twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from everfit.errors import UsageError

T = TypeVar("T")


def by_name(
    what: str, things: Iterable[T], *, place: Callable[[T], Any] | None = None
) -> dict[str, T]:
    """``things`` by their ``name``, in order.

    ``place`` gives the class or function that a clash is shown by; the thing's own class when
    None.

    Raises
    ------
    UsageError : a name stands twice; both places are shown

    Examples
    --------
    >>> from everfit.tasks.classify import Classify
    >>> list(by_name("task", [Classify()]))
    ['classify']
    """
    found: dict[str, T] = {}
    for thing in things:
        name: str = thing.name  # type: ignore[attr-defined]
        if name in found:
            raise UsageError(
                f"two {what}s are called {name!r}",
                got=f"{_shown(found[name], place)} and {_shown(thing, place)}",
                expected=f"one {what} a name",
                do="rename one of them",
            )
        found[name] = thing
    return found


def _shown(thing: T, place: Callable[[T], Any] | None) -> str:
    cls = place(thing) if place else type(thing)
    return f"{cls.__module__}.{getattr(cls, '__qualname__', cls)}"
