"""The process that answers HTTP: ``python -m everfit.faces.http.worker FD``.

``FD`` is its end of the channel to the keeper, which starts it and tells it all else. It ends when
it is told to, on SIGTERM, and when the keeper is gone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from everfit.errors import EverfitError
from everfit.faces.http.app import App
from everfit.faces.http.guard.door import Door
from everfit.faces.http.guard.rate import Rate
from everfit.faces.http.guard.tokens import Tokens
from everfit.faces.http.machine.durable import Durable
from everfit.faces.http.machine.fast import Fast
from everfit.faces.http.machine.heads import bounded
from everfit.faces.http.machine.link import Link
from everfit.faces.http.machine.meeting import Meeting
from everfit.faces.http.machine.serving import Serving
from everfit.faces.http.machine.state import State
from everfit.faces.http.machine.sweep import Sweep
from everfit.faces.http.telemetry.access import Access
from everfit.faces.http.telemetry.metrics import Metrics
from everfit.faces.http.telemetry.traces import Traces
from everfit.live import orders
from everfit.live.desk.desk import Desk
from everfit.live.desk.slots import Slots
from everfit.orphan import die_with
from everfit.store.log.spool import Spool

THREADS = 2  # for large bodies; a sync or a load must not wait behind them
SWITCH_S = 0.001  # how long a thread may keep the interpreter while a request waits for it
BACKLOG = 2_048
FILES = 65_536
logger = logging.getLogger("everfit.serve")


class Worker:
    """One process that answers.

    Parameters
    ----------
    start : what the keeper told first
    channel : to the keeper
    more : orders that came with the start
    """

    def __init__(
        self, start: orders.Start, channel: orders.Channel, more: Sequence[orders.Message] = ()
    ) -> None:
        self._start, self._channel, self._more = start, channel, more
        self._serving = Serving.from_plain(start.serving)
        folder = self._serving.metrics
        path = None if folder is None else Path(folder) / f"w{start.worker}.slots"
        self._slots = Slots(path)
        self._spool = Spool(Path(start.spool))
        self._tokens = Tokens(_path(self._serving.tokens))

    async def run(self) -> None:
        """Answer until told to end."""
        serving = self._serving
        sys.setswitchinterval(SWITCH_S)
        pools = (ThreadPoolExecutor(THREADS), ThreadPoolExecutor(1), ThreadPoolExecutor(1))
        pool, disk, self._loading = pools
        self._state = state = self._made(serving, pool, disk)
        app, self._fast = App(state), Fast(state)
        self._server = _Server(_config(app, self._fast, serving, self._start.grace_s))
        sockets = [socket.socket(fileno=number) for number in self._start.listening]
        sweep = Sweep(state, app, self._fast, self._server, self._spool)
        self._go = asyncio.Event()
        runs = (state.link.run(), sweep.run(), Meeting(state).run())
        tasks = [asyncio.create_task(run) for run in runs]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        await self._go.wait()
        if not state.draining:
            gc.collect()
            gc.freeze()  # what is loaded stays: collections need not look at it again
            serve = asyncio.create_task(self._server.serve(sockets))
            while not self._server.started and not serve.done():
                await asyncio.sleep(0.001)
            state.link.say(orders.ready())
            await serve
        for task in tasks:
            task.cancel()
        if state.traces is not None:
            state.traces.close()
        for each in pools:
            each.shutdown()
        self._spool.close()

    def _made(self, serving: Serving, pool: ThreadPoolExecutor, disk: ThreadPoolExecutor) -> State:
        state: State
        desk = Desk(self._spool, limits=serving.limits, slots=self._slots)
        desk.explores(serving.explore)

        def told(error: Exception | None) -> None:
            if error is not None or state.troubles:
                state.spool_told(error)

        state = State(
            serving=serving,
            desk=desk,
            door=_door(serving, self._tokens),
            metrics=Metrics(self._slots),
            durable=Durable(self._spool.sync, disk, told),
            link=Link(self._channel, self._obey, self._gone, self._more),
            pool=pool,
            rate=_rate(serving),
            access=Access() if serving.access_log else None,
            traces=Traces() if serving.traces else None,
            fsync=self._start.durability == "fsync",
        )
        return state

    async def _obey(self, order: Mapping[str, Any]) -> None:
        """Carry out one order of the keeper; an order that fails must not end the others."""
        state, act = self._state, order.get("do")
        try:
            if act in ("serve", "drop"):
                loop = asyncio.get_running_loop()
                reply = await loop.run_in_executor(self._loading, state.desk.apply, order)
                self._renew()
                if reply is not None:
                    state.link.say(reply)
            elif act == "go":
                self._go.set()
            elif act == "drain":
                self._end()
            elif act == "reread":
                self._reread(order.get("serving") or {})
            elif act == "forget":
                if state.desk.lists:
                    state.desk.listing.forget(str(order["model"]), order["user"])
            elif act == "gauge":
                labels, about = order.get("labels") or {}, str(order.get("about", ""))
                state.metrics.gauge(order["name"], labels, order["value"], about)
            elif act == "trouble":
                state.troubles.pop(order["name"], None)
                if order["reason"]:
                    state.troubles[order["name"]] = str(order["reason"])
        except Exception as error:
            logger.exception("an order failed: %s", act)
            if act == "serve":
                # the keeper must hear of it, or it waits for ever and nobody is told
                told = {"message": f"{type(error).__name__}: {error}"}
                state.link.say(orders.failed(order["model"], order["rev"], None, told))

    def _reread(self, plain: Mapping[str, Any]) -> None:
        """Keep to new settings from now on; those that cannot be used leave the old in force."""
        state = self._state
        try:
            serving = Serving.from_plain(plain)
            self._tokens.reread()
            door = _door(serving, self._tokens)
        except EverfitError as error:
            state.troubles["settings"] = error.what
            return
        state.troubles.pop("settings", None)
        state.serving, state.door, state.rate = serving, door, _rate(serving)
        state.access = Access() if serving.access_log else None
        state.desk.limits = serving.limits
        state.desk.explores(serving.explore)
        self._fast.renew()

    def _renew(self) -> None:
        served = self._state.desk.models()
        self._state.metrics.loaded(
            (name, lane.version, arm) for name, one in served.items()
            for arm, lane in one.lanes.items()
        )  # fmt: skip
        self._fast.renew()

    def _end(self) -> None:
        """Take no new request, finish those that are here."""
        self._state.draining = True
        self._fast.renew()
        self._server.should_exit = True
        self._go.set()

    def _gone(self) -> None:
        """Without the keeper nobody drains the spool or swaps versions: end at once."""
        logger.error("the keeper has gone")
        os._exit(1)  # all that was acknowledged is in the operating system's hands


def _door(serving: Serving, tokens: Tokens) -> Door:
    return Door(
        hosts=serving.all_hosts, tokens=tokens, required=serving.require_token,
        proxies=serving.proxies, header=serving.proxy_header,
    )  # fmt: skip


def _rate(serving: Serving) -> Rate | None:
    return Rate(serving.rate_per_s, burst=serving.rate_burst) if serving.rate_per_s else None


class _Server(uvicorn.Server):
    """uvicorn's server; signals are the worker's own matter."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: App, fast: Fast, serving: Serving, grace_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        app, loop="uvloop", http=bounded(fast), ws="none", lifespan="off", interface="asgi3",
        log_config=None, access_log=False, server_header=False, proxy_headers=False,
        backlog=BACKLOG, timeout_keep_alive=max(1, round(serving.keep_alive_s)),
        timeout_graceful_shutdown=max(1, round(grace_s)),
    )  # fmt: skip


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _raise_files() -> None:
    """Allow as many files as the system lets us: connections must not use up those of the spool."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # a limit that this system does not have
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main(arguments: Sequence[str]) -> int:
    """Answer requests as the keeper at the other end of the channel says."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    # anybody can send what is no HTTP, as often as they like
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    channel = orders.Channel(int(arguments[0]))
    try:
        first, *more = channel.receive()
    except EOFError:
        return 1
    start = orders.Start.from_dict(first["start"], channel.received)
    die_with(start.keeper)
    _raise_files()
    try:
        worker = Worker(start, channel, more)
    except EverfitError as error:
        channel.send(orders.failed("", 0, None, error.as_dict()))
        return error.exit_code
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(worker.run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
