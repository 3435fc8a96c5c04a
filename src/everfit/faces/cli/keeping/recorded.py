"""The log of a store, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from everfit.errors import ModelUnknown, Refused
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.serving.start import place_of
from everfit.settings import Settings

if TYPE_CHECKING:  # the log needs polars, for which a command that is refused does not wait
    from everfit.store.log import Log


@contextmanager
def log_of(face: Face, settings: Settings) -> Iterator[Log | None]:
    """The log of this call's store, closed at the end; None while nothing was served."""
    from everfit.store.log import Log

    place = place_of(face, settings)
    source = place.root if place.is_folder else place.store
    try:
        log = Log.open(source, root=place.root, create=False)
    except ModelUnknown:
        yield None
        return
    try:
        yield log
    finally:
        log.close()


def served(log: Log | None, model: str) -> Log:
    """The log, when there is one.

    Raises
    ------
    Refused : nothing was served yet
    """
    if log is None:
        raise Refused(
            f"nothing was recorded of {model!r} yet",
            expected="a model that was served",
            do="serve it: everfit serve",
        )
    return log
