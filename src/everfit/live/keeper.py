"""The keeper: parent of the workers, follower of the aliases, one writer of the log.

::

    main thread    signals; opening and closing
    following      looks at the aliases ten times a second, verifies, orders
    ingest         spools -> database
    worker 1..n    one thread each: messages, and a new process when one dies
    asked          what only the stores can answer, for workers
    shadow         requests that were logged -> shadow child

What answers requests needs none of it: workers go on when the database is away.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from everfit.errors import EverfitError, StoreFailed, Unreachable
from everfit.live import orders
from everfit.live.crew import Crew, Heard, Lost
from everfit.live.early import WORKER, Early
from everfit.live.following import Following, Incident, Judges
from everfit.live.held import held
from everfit.live.ingest import Ingest, Say, facts_of
from everfit.live.met import Meetings
from everfit.live.orders import Start
from everfit.live.outward import outward
from everfit.live.pointers import Glance, Later, Pointers
from everfit.live.recall import told
from everfit.live.shadow.handing import Shadowing
from everfit.live.sources import Sources
from everfit.live.traffic.split import ByKey, began

if TYPE_CHECKING:
    from everfit.house import House
    from everfit.records import Decision
    from everfit.store.log import Log

LOOK_S = 0.1  # between two looks at the aliases
SLOW_S = 30.0  # without a worker that answers, before that is said
STOP = (signal.SIGTERM, signal.SIGINT)
TROUBLES = {
    "log": "its database takes no rows now; they wait in the spools",
    "store": "it cannot be read now; models stay as they are",
}


class Beside(Protocol):
    """Something that runs as long as the keeper does, such as the operate port."""

    def close(self) -> None:
        """End it."""
        ...


Tell = Callable[["House", ByKey | None, str, Mapping[str, Any]], tuple[int, Any]]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a keeper is made of. What belongs to a face is given as a function.

    Parameters
    ----------
    root : the store's folder
    glanced : whether the store is an SQLite file in ``root``, to be read without SQLAlchemy
    spools : where processes log; one keeper at a time
    tell : answers a worker's question from the stores, as HTTP status and body
    say : writes one line about an event and its facts
    reread : the settings of serving, read again on SIGHUP
    beside : started once the house is open, given the keeper
    early, sources : a worker that runs already; events for models that read history
    """

    root: Path
    glanced: bool
    spools: Path
    start: Start
    workers: int
    keep_days: int | None
    open_house: Callable[[], House]
    open_log: Callable[[House], Log]
    tell: Tell
    say: Say
    reread: Callable[[], Mapping[str, Any]]
    beside: tuple[Callable[[Keeper], Beside], ...] = ()
    worker: tuple[str, ...] = WORKER
    early: Early | None = None
    sources: Sources = field(default_factory=Sources)


class Keeper:
    """Serves until it is told to stop; see the head of this module for its threads."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._stop, self._hup = threading.Event(), threading.Event()
        self._woken = threading.Event()
        self._house: House | None = None
        self._unrecorded: list[Decision] = []
        self.away: EverfitError | None = None  # why the store did not answer at the start
        self._housing = threading.Lock()
        self._asked = ThreadPoolExecutor(2, thread_name_prefix="asked")
        self.crew = Crew(
            setup.worker,
            setup.start,
            setup.workers,
            Heard(said=self._said, lost=self._lost),
            setup.early,
        )
        self.pointers: Pointers = Glance(setup.root) if setup.glanced else Later(self.house)
        self.following = Following(
            self.pointers, self.crew, Judges(self._sealed, self._proved), self._incident
        )
        self.ingest = Ingest(
            lambda: setup.open_log(self.house()),
            setup.spools,
            keep_days=setup.keep_days,
            say=self._say,
        )
        self.meetings = Meetings()
        self.shadowing = Shadowing(
            setup, self.ingest, self.following.shadows, self._shadow_failed, self._say
        )

    def house(self) -> House:
        """The house over the store, opened at the first call.

        Raises
        ------
        Unreachable, StoreFailed : the store cannot be opened now
        """
        with self._housing:
            if self._house is None:
                self._house = self.setup.open_house()
            return self._house

    def log(self) -> Log | None:
        """The log of traffic; None while its database has not answered."""
        return self.ingest.log

    @property
    def spools(self) -> Path:
        """Where processes log."""
        return self.setup.spools

    def forget(self, model: str, user: str) -> None:
        """Let all workers forget what a user met since the fit."""
        self.meetings.forget(model, user)
        self.crew.tell_all(orders.forget(model, user))

    @property
    def stopping(self) -> threading.Event:
        """Set when it was asked to drain and end."""
        return self._stop

    def run(self, ready: Callable[[], None]) -> int:
        """Serve until a signal ends it; ``ready`` is called when the first worker answers.

        Gives the exit code: 0 when every request was finished and everything logged is in the
        database.

        Raises
        ------
        StoreBusy : another keeper has these spools
        """
        with held(self.setup.spools), self._signals(), ExitStack() as stack:
            if (counters := self.setup.start.serving.get("metrics")) is not None:
                # counters begin at nought; only now it is sure that no other server has them
                shutil.rmtree(counters, ignore_errors=True)
            self.crew.open()
            stack.callback(self._asked.shutdown, wait=False, cancel_futures=True)
            self._first_orders()
            self.crew.go()
            if self._wait_ready():
                ready()
            follow = threading.Thread(target=self._follow, name="following", daemon=True)
            self.ingest.open()
            follow.start()
            self.shadowing.open()
            for begin in self.setup.beside:
                stack.callback(begin(self).close)
            self._wait()
            return self._drain(follow)

    def stop(self) -> None:
        """Ask the keeper to drain and end."""
        self._stop.set()
        self._woken.set()

    def state(self) -> dict[str, Any]:
        """How the parts of the keeper are, for health."""
        return {
            "workers": self.crew.states(),
            "log": "writing" if self.ingest.reaches else "waiting",
            "models": {name: arms.as_dict() for name, arms in self.following.models().items()},
        }

    def _say(self, event: str, facts: Mapping[str, Any]) -> None:
        """Write an event down, and let /health tell of those that are a trouble."""
        self.setup.say(event, facts)
        what, _, lost = event.rpartition("_")
        if what in TROUBLES and lost in ("lost", "back"):
            # anybody reads health: paths and addresses that the error names are for the log alone
            reason = TROUBLES[what] if lost == "lost" else ""
            self.crew.stand(what, orders.trouble(what, reason))

    def _shadow_failed(self, model: str, placed: orders.Placed, why: str) -> None:
        self.following.failed(model, placed.number, why)

    def _first_orders(self) -> None:
        try:
            self.following.step()
        except EverfitError as error:
            # workers answer 404 until the store is back: the follower goes on trying
            self.away = error
            self._say("store_lost", error.as_dict())

    def _wait_ready(self) -> bool:
        """Whether a worker answers, waited for until the keeper is told to stop."""
        slow = threading.Timer(SLOW_S, lambda: self._say("no_worker_yet", {"seconds": SLOW_S}))
        slow.daemon = True
        slow.start()
        try:
            while not self._stop.is_set() and not self.crew.hopeless.is_set():
                if self.crew.wait_ready(0.05):
                    return True
            return False
        finally:
            slow.cancel()

    def _wait(self) -> None:
        while not self._stop.is_set() and not self.crew.hopeless.is_set():
            self._woken.wait(LOOK_S)
            self._woken.clear()
            if self._hup.is_set():
                self._hup.clear()
                self._reread()

    def _drain(self, follow: threading.Thread) -> int:
        began = time.monotonic()
        grace_s = self.setup.start.grace_s
        self._say("draining", {"grace_s": grace_s})
        self._stop.set()
        clean = self.crew.close(grace_s)
        self.shadowing.close()
        left_s = max(2.0, grace_s - (time.monotonic() - began))
        taken = self.ingest.close(left_s)
        follow.join(1.0)
        self.pointers.close()
        with self._housing:
            if self._house is not None:
                self._house.close()
        hopeless = self.crew.hopeless.is_set()
        code = 0 if clean and taken and not hopeless else 1
        self._say(
            "stopped",
            {
                "clean": clean,
                "all_in_the_log": taken,
                "seconds": round(time.monotonic() - began, 3),
            },
        )
        return code

    def _follow(self) -> None:
        lost = False
        while not self._stop.wait(LOOK_S):
            try:
                if self.following.step():
                    self._say("ordered", self.state()["models"])
                self._record_incidents()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look must come
                if not lost:
                    self._say("store_lost", facts_of(error))
                lost = True
            else:
                if lost:
                    self._say("store_back", {})
                lost = False

    def _said(self, worker: int, message: Mapping[str, Any]) -> None:
        if "ask" in message:
            with contextlib.suppress(RuntimeError):  # closing: the client's connection ends too
                self._asked.submit(self._answer, worker, message)
        elif message.get("did") == "serving":
            self.following.served(message["model"], message["rev"])
        elif message.get("did") == "failed" and not message["model"]:
            self._say("worker_refused", message["error"])  # its settings: it ends
        elif message.get("did") == "failed":
            error = message["error"]
            why = "; ".join(part for part in (error.get("message"), error.get("got")) if part)
            self.following.failed(message["model"], message["number"], why)

    def _lost(self, lost: Lost) -> None:
        self._say("worker_lost", {"worker": lost.worker, "how": lost.how})
        if lost.carrying is not None:
            number = self.following.suspect(lost.carrying)
            why = f"the worker ended while it loaded it: {lost.how}"
            self.following.failed(lost.carrying["model"], number, why)

    def _answer(self, worker: int, message: Mapping[str, Any]) -> None:
        args = dict(message.get("args") or {})
        if message["call"] == "keeper":
            status, body = 200, self.state()
        elif message["call"] == "history":
            status, body = told(args, self.ingest.log, self.setup.sources, self._say)
        elif message["call"] == "met":
            status, body = self.meetings.told(args, self.ingest.log)
        else:
            status, body = self._told(message["call"], args)
        self.crew.tell(worker, orders.answer(message["ask"], status, body))

    def _told(self, call: str, args: dict[str, Any]) -> tuple[int, Any]:
        log = self.ingest.log
        model = str(args.get("model"))
        try:
            arms = self.following.models().get(model)
            if call == "traffic" and log is not None and arms is not None:
                args["arms"] = arms.as_dict()
                args.setdefault("since", began(self.house(), log, model))
            counted = None if log is None else ByKey(log)
            return self.setup.tell(self.house(), counted, call, args)
        except Exception as error:  # noqa: BLE001 - who asked waits for an answer, whatever it is
            if not isinstance(error, EverfitError) or error.http_status >= 500:
                self._say("not_told", {"call": call, **facts_of(error)})
            known = error if isinstance(error, EverfitError) else StoreFailed("")
            plain = outward(known).as_dict()
            plain.pop("exit_code", None)
            return known.http_status, {"error": plain}

    def _sealed(self, placed: orders.Placed) -> Any:
        from everfit.live.prove import sealed  # numpy: workers load while it is imported

        return (sealed(placed, self._key()),)

    def _proved(self, placed: orders.Placed) -> Any:
        from everfit.live.prove import proved

        return proved(placed, self._key())

    def _key(self) -> bytes:
        if not self.setup.glanced:
            return self.house().key()
        try:
            return (self.setup.root / "key").read_bytes()
        except OSError as error:
            raise Unreachable(
                "the key of the store cannot be read",
                got=error.strerror or str(error),
                expected=f"{self.setup.root / 'key'}",
                do="give the file back its rights: without it no version can be trusted",
            ) from error

    def _incident(self, incident: Incident) -> None:
        from everfit.release.handover import incident as told

        still = "" if incident.still is None else f"v{incident.still}"
        failed = [check for check in incident.checks if check.passed is not True]
        decision = told(incident.model, f"v{incident.number}", still, failed)
        self._say("incident", {"model": incident.model, "headline": decision.headline})
        self._unrecorded.append(decision)

    def _record_incidents(self) -> None:
        """Write incidents into the ledger; those that cannot be written now are tried again."""
        while self._unrecorded:
            decision = self._unrecorded[0]
            last = self.house().decisions(decision.model)[0]
            # a server that is started again and again meets the same one each time
            if (last.kind, last.headline) != (decision.kind, decision.headline):
                self.house().record(decision)
            del self._unrecorded[0]

    def _reread(self) -> None:
        try:
            serving = self.setup.reread()
        except EverfitError as error:
            self._say("settings_not_read", error.as_dict())
            return
        self.crew.change(serving)
        self.crew.tell_all(orders.reread(serving))
        self._say("settings_read", {})

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def on_signal(number: int, frame: FrameType | None) -> None:
            (self._hup if number == signal.SIGHUP else self._stop).set()
            self._woken.set()

        before = {n: signal.signal(n, on_signal) for n in (*STOP, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
