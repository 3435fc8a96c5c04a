"""The command ``up``: a server with the loop beside it, or the loop alone."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any

from everfit.errors import SettingsError, UsageError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.serving.start import Asked, do_serve, saying
from everfit.live.beside.supervised import Supervised
from everfit.live.keeper import STOP, Beside, Keeper
from everfit.orphan import die_with
from everfit.settings import Settings, read_budget, read_settings

LEAST_S = 1.0


def do_up(face: Face, asked: Asked, every: str) -> None:
    """Serve until a signal ends it, and keep a process beside it that runs the loop."""
    seconds(every)

    def begin(keeper: Keeper) -> Beside:
        return Supervised("runner", command(face, every), saying(face), keeper.stopping)

    do_serve(face, asked, beside=(begin,))


def do_loop(face: Face, every: str, beside: int | None) -> None:
    """Run the loop of the store until a signal ends it; stands by while another process does.

    Parameters
    ----------
    beside : the process whose end shall be the end of this one
    """
    if beside is not None:
        die_with(beside)
    from everfit import wire  # the loop's libraries: a server does not wait for them

    say = saying(face)
    every_s = seconds(every)
    with stopped() as stop:
        turns = wire.turning(face.store, rereading(face.config, say), _teller(face))
        courier = wire.courier(turns, say)
        turns.after = courier.wake
        try:
            wire.runner(turns, say, every_s=every_s, stop=stop).run()
        finally:
            courier.close()


def command(face: Face, every: str) -> list[str]:
    """The command line of the process that runs the loop beside this one."""
    flags = {"--json": face.as_json, "--quiet": face.quiet, "--verbose": face.verbose}
    named = {"--store": face.store, "--config": face.config}
    said = [flag for flag, given in flags.items() if given]
    said += [part for name, value in named.items() if value for part in (name, value)]
    alone = ["up", "--no-serve", "--beside", str(os.getpid()), "--every", every]
    return [sys.executable, "-m", "everfit", *said, *alone]


def seconds(every: str) -> float:
    """The time between two turns.

    Raises
    ------
    UsageError : it is no time, or too short

    Examples
    --------
    >>> seconds("5m")
    300.0
    """
    found = read_budget(every)
    if found < LEAST_S:
        raise UsageError(
            "--every is too short", got=every, expected="1s or more", do="give --every 60s"
        )
    return found


def rereading(
    config: str | None, say: Callable[[str, Mapping[str, Any]], None]
) -> Callable[[], Settings]:
    """Reads the settings anew at each call; while the file is broken, those before it hold.

    Raises
    ------
    SettingsError : the file is broken at the start
    """
    good = read_settings(config)
    broken = ""

    def read() -> Settings:
        nonlocal good, broken
        try:
            good = read_settings(config)
        except SettingsError as error:
            if broken != error.what:
                say("settings_not_read", error.as_dict())
            broken = error.what
        else:
            broken = ""
        return good

    return read


@contextmanager
def stopped() -> Iterator[Event]:
    """Set by SIGTERM or Ctrl-C; the second Ctrl-C ends the process at once."""
    stop = Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in STOP}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _teller(face: Face) -> Callable[[str], None]:
    return face.tell if face.verbose else lambda line: None
