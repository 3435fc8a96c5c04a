"""Telling a waiting person how far a run is: live on a terminal, plain lines elsewhere.

Progress goes to stderr only, so that stdout stays data. Bars follow expected *time*, because the
budget is what a person knows; they never show 100% before the end.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table as Lines
from rich.text import Text

from everfit.faces.words.figures import clock, counted, duration, plain
from everfit.faces.words.grid import WIDTH, pad, shorten
from everfit.plain import as_plain
from everfit.records import Progress

Mode = Literal["auto", "plain", "json", "none"]
LABELS = {
    "read": "Read",
    "assess": "Check data",
    "study": "Study",
    "release": "Release",
    "done": "Done",
}
EVERY_S = 60.0  # plain lines inside one step
LABEL, BAR = 11, 26  # columns


class Teller(Protocol):
    """Something that takes progress and shows it; a context manager so that it can tidy up."""

    def __call__(self, progress: Progress) -> None:
        """Show one more thing."""
        ...

    def say(self, line: str) -> None:
        """Show a line that stays, such as the answer to Ctrl-C."""
        ...

    def __enter__(self) -> Teller:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the last step and leave the screen as it was."""
        ...


def teller(
    mode: Mode,
    stream: TextIO,
    *,
    budget_s: float,
    started: float,
    color: bool = True,
    now: Callable[[], float] = time.monotonic,
) -> Teller:
    """The teller that fits: ``auto`` is live on a terminal and plain lines anywhere else.

    ``FORCE_COLOR`` does not switch the live form on: logs of build servers would be full of
    cursor codes.
    """
    if mode == "none":
        return Silent()
    if mode == "json":
        return JsonLines(stream, started, now)
    if mode == "auto" and stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveLines(stream, budget_s, started, color, now)
    return PlainLines(stream, started, now)


def came_to(last: Progress, best: Mapping[str, Any], then: Progress | None) -> str:
    """What a finished step came to, in a line: its own last line may only say what it was doing.

    Parameters
    ----------
    last : the last thing that the step said
    best : the last detail of the step that named the best trial; empty when none did
    then : the first thing that the next step said; None at the end

    Examples
    --------
    >>> best = {"n_trials": 9, "best": "CatBoost", "best_loss": 0.31256}
    >>> came_to(Progress("study", "judging"), best, None)
    '9 models tried; best alone: CatBoost, mean loss 0.3126'
    >>> came_to(Progress("release", "loading"), {}, Progress("done", "Released v1 (x): AUC 0.8"))
    'Released v1 (x)'
    """
    if last.step == "study" and best:
        tried = counted(best["n_trials"], "model")
        return f"{tried} tried; best alone: {best['best']}, mean loss {plain(best['best_loss'])}"
    if last.step == "release" and then is not None and then.step == "done":
        return then.line.partition(": ")[0]  # the final block tells the rest
    return last.line


class Silent:
    """Shows nothing."""

    def __call__(self, progress: Progress) -> None:
        """Show nothing."""

    def say(self, line: str) -> None:
        """Show nothing."""

    def __enter__(self) -> Silent:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""


class JsonLines(Silent):
    """One JSON object a line, for programs that wait."""

    def __init__(self, stream: TextIO, started: float, now: Callable[[], float]) -> None:
        self._stream, self._started, self._now = stream, started, now

    def __call__(self, progress: Progress) -> None:
        """Write everything that came, with the seconds since the start."""
        told = {"seconds": round(self._now() - self._started, 3), **as_plain(progress)}
        self._stream.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")
        self._stream.flush()

    def say(self, line: str) -> None:
        """Write a line as an object of its own."""
        self._stream.write(json.dumps({"line": line}, ensure_ascii=False) + "\n")
        self._stream.flush()


class PlainLines(Silent):
    """One line a step when it ends, one a minute inside it, and every warning."""

    def __init__(self, stream: TextIO, started: float, now: Callable[[], float]) -> None:
        self._stream, self._started, self._now = stream, started, now
        self._last: Progress | None = None
        self._best: Mapping[str, Any] = {}
        self._told = started

    def __call__(self, progress: Progress) -> None:
        """Keep ``progress``; print what is due."""
        if self._last is not None and progress.step != self._last.step:
            self._print(replace(self._last, line=came_to(self._last, self._best, progress)))
            self._best = {}
        if progress.detail.get("level") == "warn":
            self.say(f"    ! {progress.line}")
            return
        same = self._last is not None and progress.step == self._last.step
        self._last = progress
        self._best = progress.detail if "best" in progress.detail else self._best
        if same and self._now() - self._told >= EVERY_S:
            self._print(progress)

    def say(self, line: str) -> None:
        """Print a line."""
        self._stream.write(line + "\n")
        self._stream.flush()

    def __exit__(self, *_: object) -> None:
        """Print the step that was under way."""
        if self._last is not None:
            self._print(self._last)
            self._last = None

    def _print(self, progress: Progress) -> None:
        self._told = self._now()
        if progress.step == "done":
            return  # the final block says it
        at = clock(self._told - self._started)
        self.say(f"{at:>7}  {pad(LABELS[progress.step], LABEL)} {progress.line}")


class LiveLines(Silent):
    """Finished steps as lines; the present one with a spinner, a bar, the best and the time."""

    def __init__(
        self,
        stream: TextIO,
        budget_s: float,
        started: float,
        color: bool,
        now: Callable[[], float],
    ) -> None:
        self._budget_s, self._started, self._now = budget_s, started, now
        self._console = Console(file=stream, no_color=not color, highlight=False)
        self._last: Progress | None = None
        self._best: Mapping[str, Any] = {}
        self._spinner = Spinner("dots")
        self._live = Live(
            console=self._console,
            get_renderable=self._picture,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveLines:
        """Start drawing."""
        self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Stop drawing; the step that was under way stays as a line."""
        if self._last is not None:
            failed = raised[:1] != (None,)
            # where it failed is in its own last line
            told = self._last.line if failed else came_to(self._last, self._best, None)
            self._finish("✗" if failed else "✓", told)
        self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Take ``progress``; the drawing thread shows it."""
        if self._last is not None and progress.step != self._last.step:
            self._finish("✓", came_to(self._last, self._best, progress))
        if progress.detail.get("level") == "warn":
            self.say(f"    ! {progress.line}")
        else:
            self._last = progress
            self._best = progress.detail if "best" in progress.detail else self._best

    def say(self, line: str) -> None:
        """Print a line above the live part."""
        self._console.print(Text(shorten(line, self._width())))

    def _width(self) -> int:
        return min(self._console.width, 100)

    def _finish(self, mark: str, told: str) -> None:
        if self._last is not None and self._last.step != "done":
            at = clock(self._now() - self._started)
            room = self._width() - LABEL - 5 - len(at)
            line = pad(shorten(told, room), room)
            self._console.print(
                Text.assemble(
                    (mark, "green" if mark == "✓" else "red"),
                    " ",
                    pad(LABELS[self._last.step], LABEL),
                    " ",
                    line,
                    " ",
                    (at, "dim"),
                )
            )
        self._last, self._best = None, {}

    def _picture(self) -> Lines:
        passed = self._now() - self._started
        progress = self._last
        grid = Lines.grid(padding=(0, 1))
        if progress is None:
            return grid
        share = shown_share(progress.share, passed, self._budget_s)
        left = max(0.0, self._budget_s - passed)
        full = int(share * BAR)
        bar = Text.assemble(("━" * full, "cyan"), ("━" * (BAR - full), "dim"))
        times = f"{clock(passed)}, at most {clock(left)} left"
        grid.add_row(self._spinner, pad(LABELS[progress.step], LABEL), bar, Text(times, "dim"))
        whole = Lines.grid()
        whole.add_row(grid)
        whole.add_row(Text("  " + shorten(progress.line, min(self._width(), WIDTH) - 2)))
        return whole


def shown_share(share: float, passed_s: float, budget_s: float) -> float:
    """How much of the bar is filled: by time, at most 99% before the end.

    Examples
    --------
    >>> shown_share(0.2, 30.0, 60.0), shown_share(0.4, 90.0, 60.0)
    (0.5, 0.99)
    """
    by_time = passed_s / budget_s if budget_s > 0 else 0.0
    return max(0.0, min(0.99, max(share, by_time)))


def rows_told(
    stream: TextIO, mode: Mode, what: str, *, now: Callable[[], float] = time.monotonic
) -> RowCounter:
    """A counter of rows for batch prediction: live on a terminal, silent in short plain runs."""
    live = mode == "auto" and stream.isatty() and os.environ.get("TERM") != "dumb"
    return RowCounter(stream, what, live, mode not in ("none", "json"), now)


class RowCounter(AbstractContextManager["RowCounter"]):
    """Counts rows and says how many there were, how fast, and how far the whole is."""

    def __init__(
        self, stream: TextIO, what: str, live: bool, loud: bool, now: Callable[[], float]
    ) -> None:
        self._stream, self._what, self._live, self._loud = stream, what, live, loud
        self._now, self._start, self._told = now, now(), now()
        self.rows = 0

    def add(self, rows: int, share: float | None = None) -> None:
        """Count ``rows`` more; ``share`` of the whole in [0, 1] when it is known."""
        self.rows += rows
        wait = 0.1 if self._live else EVERY_S
        if self._loud and self._now() - self._told >= wait:
            self._told = self._now()
            end = "\r" if self._live else "\n"
            self._stream.write(self._line(share).ljust(WIDTH - 1) + end)
            self._stream.flush()

    def _line(self, share: float | None) -> str:
        passed = self._now() - self._start
        if share is None or share <= 0:
            return f"{self._what}: {self.rows:,} rows, {clock(passed)}"
        full = int(min(share, 0.99) * BAR)
        left = passed / share - passed
        bar = "━" * full + "─" * (BAR - full)
        return f"{self._what} {bar} {self.rows:,} rows, about {clock(max(0.0, left))} left"

    def __exit__(self, *raised: object) -> None:
        """Clear the live line; say the total, when all went well."""
        if not self._loud:
            return
        if self._live:
            self._stream.write(" " * (WIDTH - 1) + "\r")
        if raised[0] is not None:
            return
        self._stream.write(
            f"{self._what}: {self.rows:,} rows in {duration(self._now() - self._start)}\n"
        )
        self._stream.flush()
