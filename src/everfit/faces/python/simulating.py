"""``everfit.simulate``: a data set lived through by the real loop, as a result to look at."""

from __future__ import annotations

import sys
import time as clock
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from everfit import wire
from everfit.faces.progress import Mode, teller
from everfit.faces.python.calls import mode_of, request_of, roles_of
from everfit.faces.words.simulated import simulation_shape, simulation_text
from everfit.records import Decision, Kind, Role
from everfit.settings import read_settings
from everfit.simulate.drift import read_drift
from everfit.simulate.result import Simulated, simulated
from everfit.simulate.stream import Streaming
from everfit.simulate.world import Lived, World, first_version, live

if TYPE_CHECKING:
    import pandas as pd


class Simulation:
    """What a simulation gave; ``print`` shows it on one screen."""

    def __init__(self, done: Simulated) -> None:
        self._done = done

    @property
    def windows(self) -> pd.DataFrame:
        """One row for each window: who served, how good it was, what was done."""
        import pandas as pd

        return pd.DataFrame(self._done.rows())

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions of the loop, oldest first."""
        return self._done.decisions

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its last window."""
        return self._done.stopped

    def to_dict(self) -> dict[str, Any]:
        """The same as ``everfit simulate --json``."""
        return simulation_shape(self._done)

    def __str__(self) -> str:
        return simulation_text(self._done)

    __repr__ = __str__


def simulate(
    source: Any,
    target: str,
    *,
    name: str | None = None,
    window: str | float | None = None,
    label_delay: str | float | None = None,
    rows: int | None = None,
    windows: int | None = None,
    first: float = 0.3,
    drifts: Sequence[str] = (),
    budget: str | float = 20.0,
    seed: int | None = None,
    metric: str | None = None,
    task: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    roles: Mapping[str, Role] | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    store: str | Path | None = None,
    config: str | Path | None = None,
    progress: Mode | None = None,
) -> Simulation:
    """Live through a data set in time order: the real loop, with a clock that is made up.

    Parameters
    ----------
    source, target : as for :func:`everfit.run`; the rows are those of a whole life
    window : length of a window, a day by default; label_delay : until outcomes come
    rows, windows : rows of a window, and how many windows; more rows in all than there are means
        that they are drawn again
    first : rows that the first version learns from: a share, or above 1 their number
    drifts : changes on the way, such as ``"shift:age:0.5@20"``
    budget : time for the first run, and at most for each fit after it
    store : a folder that keeps the ledger; without one it is thrown away

    Raises
    ------
    EverfitError : see :mod:`everfit.errors`; each says what, got, expected and what to do
    """
    started = clock.monotonic()
    settings = read_settings(config)
    given = {
        "source": source if isinstance(source, str) else None,
        "target": target,
        "budget": budget,
        "seed": seed,
        "metric": metric,
        "task": task,
        "kinds": kinds,
        "roles": roles_of(roles, time, None, None, drop),
    }
    request = request_of(settings, name, source, given, started)
    streaming = Streaming(
        first=first,
        windows=windows,
        rows=rows,
        time=time,
        drifts=tuple(read_drift(text) for text in drifts),
        seed=request.seed,
    )
    rules = {"window": window, "label_delay": label_delay}
    with TemporaryDirectory(prefix="everfit-simulated-") as folder:
        place = Path(store) if store is not None else Path(folder)
        asked = wire.Simulating(request, streaming, rules, place, kept=store is not None)
        world = wire.simulation(asked, settings)
        try:
            done = _lived(world, mode_of(progress))
        finally:
            world.store.close()
    return Simulation(replace(done, store=str(store or "")))


def _lived(world: World, mode: Mode) -> Simulated:
    """The first run and the windows; an interrupt ends the windows and keeps those lived."""
    began = clock.monotonic()
    tell = teller(mode, sys.stderr, budget_s=world.request.budget_s, started=began)
    with tell:
        first = first_version(replace(world, means=replace(world.means, tell=tell)))
    lived: list[Lived] = []
    with suppress(KeyboardInterrupt):
        for one in live(world, first):
            lived.append(one)
    return simulated(world, first, lived, clock.monotonic() - began)
