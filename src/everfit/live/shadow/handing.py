"""Hands requests that were logged to the shadow child, a few at a time, in the order they came.

The log itself is the queue: nothing waits in memory, and how far a shadow came stands in the log as
the newest request that it repeated. So nothing is answered twice, whoever was killed when. A file
beside the spools says where it began, and what the log has sealed away since.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.live import early, orders
from everfit.live.crew import ended_by
from everfit.live.ingest import Ingest, Say, facts_of
from everfit.live.orders import Channel, Placed
from everfit.live.shadow.past import with_past

if TYPE_CHECKING:
    from everfit.live.keeper import Setup
    from everfit.store.log import Log

CHILD = (sys.executable, "-m", "everfit.live.shadow.child")
MOST = 200  # rows in one message: what a crash of the child may have to repeat
LOOK_S = 0.2
SLOW_S = 60.0  # a message that takes longer means that the child hangs
AGAIN_S = 2.0  # after a child that failed
FALLS = 3  # a version that ends its process so often is asked no more
FILE = "shadow.json"


class Shadowing:
    """Keeps one shadow child at work while any model has a shadow.

    Parameters
    ----------
    setup : of the keeper
    shadows : the versions in the shadow of each model, now
    failed : told of a version that the child could not load
    """

    def __init__(
        self,
        setup: Setup,
        ingest: Ingest,
        shadows: Callable[[], Mapping[str, tuple[Placed, ...]]],
        failed: Callable[[str, Placed, str], None],
        say: Say,
    ) -> None:
        start, self._sources = setup.start, setup.sources
        spools = Path(start.spool)
        self._start = replace(start, worker=0, listening=(), spool=str(spools / "shadow"))
        self._marks = _Marks(spools / FILE)
        self._ingest, self._shadows, self._failed, self._say = ingest, shadows, failed, say
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._at: dict[str, tuple[Placed, int]] = {}  # by model and version
        self._asking: tuple[str, Placed] | None = None
        self._childless_at = time.monotonic()  # since when no earlier child answers
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def open(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Let the child finish its message, and end it."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(SLOW_S)
        if self._at:
            self._marks.write(self._at)
        self._end()

    def _run(self) -> None:
        wait_s, fell = LOOK_S, 0
        while not self._stop.wait(wait_s):
            try:
                wait_s = 0.0 if self._round() else LOOK_S
                fell = 0
            except (EOFError, OSError) as error:
                # whatever it was doing, the log says how far it came
                fell += 1
                self._say("shadow_lost", {"why": str(error)})
                self._end()
                self._at.clear()
                if self._asking is not None and fell == FALLS:
                    why = f"it ended its process {FALLS} times on the same requests"
                    self._failed(*self._asking, why)
                wait_s = AGAIN_S
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round must come
                self._say("shadow_waits", facts_of(error))
                wait_s = AGAIN_S

    def _round(self) -> bool:
        """Hand over what is next of each model; whether there was anything."""
        if self._child is not None and self._child.poll() is not None:
            raise EOFError(f"its process ended: {ended_by(self._child.returncode)}")
        wanted = self._shadows()
        log = self._ingest.log
        if log is None or not wanted:
            if self._child is not None and not wanted:
                self._end()
            return False
        did = False
        for model, placed in [(name, one) for name, some in wanted.items() for one in some]:
            after = self._from(log, model, placed)
            if after is None:
                continue
            asked = log.requests(model, after=after, most=MOST)
            if asked:
                rows = with_past(model, placed.folder, asked, log, self._sources)
                self._hand_over(model, placed, rows, asked[-1].number)
                did = True
        return did

    def _from(self, log: Log, model: str, placed: Placed) -> int | None:
        """The number of the last request that this version needs not answer; None: not known."""
        known = self._at.get(_named(model, placed))
        if known is not None and known[0] == placed:
            return known[1]
        if self._ingest.caught_up_at < self._childless_at:
            return None  # what an earlier child answered may still be in its spool
        begun = self._marks.read(model, placed)
        if begun is None:
            begun = log.newest()
            self._marks.write({_named(model, placed): (placed, begun)})
        after = max(begun, log.shadowed(model, placed.number))
        self._at[_named(model, placed)] = placed, after
        return after

    def _hand_over(self, model: str, placed: Placed, rows: list[dict[str, Any]], upto: int) -> None:
        channel = self._opened()
        self._asking = model, placed
        version = {"number": placed.number, "folder": placed.folder, "sha256": placed.sha256}
        channel.send(
            {
                "do": "shadow",
                "model": model,
                "version": version | {"trusted": list(placed.trusted)},
                "rows": rows,
                "upto": upto,
            }
        )
        told = self._reply(channel)
        if told.get("did") == "failed":
            self._failed(model, placed, str(told["error"].get("message")))
            return
        if told["wrong"]:
            self._say("shadow_wrong", {"model": model, "rows": told["wrong"]})
        self._at[_named(model, placed)] = placed, upto
        self._marks.write(self._at, rest_s=1.0)

    def _reply(self, channel: Channel) -> Mapping[str, Any]:
        hung = threading.Timer(SLOW_S, self._kill)
        hung.start()
        try:
            return channel.receive()[0]
        finally:
            hung.cancel()

    def _opened(self) -> Channel:
        if self._channel is None:
            begun = early.start(CHILD)
            self._child, self._channel = begun.process, Channel(begun.end)
            self._channel.send(orders.begin(self._start))
        return self._channel

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _end(self) -> None:
        child, channel = self._child, self._channel
        self._child = self._channel = None
        if channel is not None:
            channel.close()
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5.0)
            child.kill()
            child.wait()
            self._childless_at = time.monotonic()


def _named(model: str, placed: Placed) -> str:
    return f"{model}/v{placed.number}"


class _Marks:
    """How far each shadow came, as a file: written now and then, for the log knows the rest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written_at = 0.0

    def read(self, model: str, placed: Placed) -> int | None:
        """Where this version of ``model`` came to; None when it has not begun."""
        mark = self._all().get(_named(model, placed))
        return mark["after"] if mark and mark["sha256"] == placed.sha256 else None

    def write(self, at: Mapping[str, tuple[Placed, int]], *, rest_s: float = 0.0) -> None:
        """Keep ``at``, unless the file was written in the last ``rest_s`` seconds."""
        if time.monotonic() - self._written_at < rest_s:
            return
        marks = {name: {"sha256": p.sha256, "after": after} for name, (p, after) in at.items()}
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(self._all() | marks), encoding="utf-8")
        new.replace(self._path)
        self._written_at = time.monotonic()

    def _all(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found
