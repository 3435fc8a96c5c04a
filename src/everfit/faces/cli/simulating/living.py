"""The command ``simulate``: a data set lived through, told as it goes, and then on one screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from everfit import wire
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import Stop, polite_stop, settings_of
from everfit.faces.cli.running import INTERRUPTED, Asked, request_of
from everfit.faces.progress import teller
from everfit.faces.words.figures import duration
from everfit.faces.words.grid import WIDTH, pad
from everfit.faces.words.paint import painted, terminal_text
from everfit.faces.words.shapes import dump
from everfit.faces.words.simulated import simulation_shape, simulation_text, window_line
from everfit.loop import RunResult
from everfit.simulate.drift import read_drift
from everfit.simulate.result import Simulated, simulated
from everfit.simulate.stream import Streaming
from everfit.simulate.world import Lived, World, first_version, live
from everfit.wire import Simulating

EVERY_S = 60.0  # a line at least so often where windows bring nothing new


@dataclass(frozen=True, slots=True)
class Stretch:
    """How the data set becomes a stream, as it stood on the command line."""

    window: str | None
    label_delay: str | None
    rows: int | None
    windows: int | None
    first: float
    drifts: tuple[str, ...]


def do_simulate(face: Face, asked: Asked, stretch: Stretch) -> None:
    """Live through the data and print what it came to, as far as it went."""
    settings = settings_of(face)
    request = request_of(asked, settings, face)
    streaming = Streaming(
        first=stretch.first,
        windows=stretch.windows,
        rows=stretch.rows,
        time=asked.columns.get("time"),
        drifts=tuple(read_drift(text) for text in stretch.drifts),
        seed=request.seed,
    )
    # only a store that was named is written to: a made-up ledger has no place among real ones
    with _place(face) as folder:
        simulating = Simulating(
            request,
            streaming,
            {"window": stretch.window, "label_delay": stretch.label_delay},
            folder,
            kept=face.store is not None,
        )
        done, stop = _live(face, simulating, wire.simulation(simulating, settings))
    if face.as_json:
        face.data(dump(simulation_shape(done)))
    else:
        text = simulation_text(done, width=face.width)
        face.data(terminal_text(painted(text)) if face.paints else text)
    if stop.asked:
        raise typer.Exit(INTERRUPTED)


def _live(face: Face, simulating: Simulating, world: World) -> tuple[Simulated, Stop]:
    """The first run, then window after window; Ctrl-C ends it and what was lived stays."""
    began = time.monotonic()
    mode = "none" if face.as_json and face.progress is None else face.mode
    tell = teller(
        mode, sys.stderr, budget_s=world.request.budget_s, started=began, color=face.color
    )
    world = replace(world, means=replace(world.means, tell=tell))
    first: RunResult | None = None
    lived: list[Lived] = []
    try:
        with polite_stop(face.tell) as stop:
            try:
                with tell:
                    first = first_version(world)
                follow = Following(face, first, world.stream.n_windows, quiet=mode == "none")
                for one in () if stop.asked else live(world, first):
                    lived.append(one)
                    follow(one)
            except KeyboardInterrupt:
                if first is None:
                    raise
    finally:
        world.store.close()
    assert first is not None
    store = str(simulating.folder) if simulating.kept else ""
    return simulated(world, first, lived, time.monotonic() - began, store), stop


@dataclass(slots=True)
class Following:
    """Tells of windows as they are lived: those in which something was done, and how far it is."""

    face: Face
    first: RunResult
    of: int
    quiet: bool
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def __call__(self, lived: Lived) -> None:
        """Tell of one more window."""
        if self.quiet or self.face.quiet:
            return
        live_ = sys.stderr.isatty() and self.face.mode == "auto"
        line = window_line(lived, self.first.study.problem.metric, self.of)
        news = any(row.kind not in ("did_nothing", "decided") for row in lived.decisions)
        if live_:
            sys.stderr.write("\r" + pad("", WIDTH) + "\r")
        if news or time.monotonic() - self.told >= EVERY_S:
            self.face.tell(line)
            self.told = time.monotonic()
        if live_ and lived.index + 1 < self.of:
            gone = lived.index + 1
            left = (time.monotonic() - self.began) / gone * (self.of - gone)
            told = f"{gone:>4}/{self.of}  {lived.version}, about {duration(left)} left"
            sys.stderr.write(told)
            sys.stderr.flush()


@contextmanager
def _place(face: Face) -> Iterator[Path]:
    """The store that was named, or one that is thrown away."""
    if face.store is not None:
        yield Path(face.store)
        return
    with TemporaryDirectory(prefix="everfit-simulated-") as folder:
        yield Path(folder)
