"""What commands share: the settings, the house, and a polite stop on Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from everfit import wire
from everfit.errors import Interrupted
from everfit.faces.cli.everywhere import Face
from everfit.house import House
from everfit.settings import Settings, read_settings

STOPPING = "Stopping, keeping best so far (again to quit now)"


def settings_of(face: Face) -> Settings:
    """The settings file of this call."""
    return read_settings(face.config)


@contextmanager
def house_of(face: Face, settings: Settings | None = None) -> Iterator[House]:
    """The house of this call's store, closed at the end."""
    settings = settings_of(face) if settings is None else settings
    house = wire.house(store=face.store or settings.store, settings=settings)
    try:
        yield house
    finally:
        house.close()


@dataclass(slots=True)
class Stop:
    """Whether a person asked to stop."""

    asked: bool = False


@contextmanager
def polite_stop(say: Callable[[str], None]) -> Iterator[Stop]:
    """Ctrl-C once: say so and let the loop keep the best so far; twice: quit now.

    SIGTERM, with which containers are stopped, counts as Ctrl-C.
    """
    stop = Stop()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            # the next one is not ours any more: it ends the process
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        else:
            stop.asked = True
            say(STOPPING)
        raise KeyboardInterrupt

    before = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    except KeyboardInterrupt:
        raise Interrupted("stopped", do="give the same command again to go on") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
