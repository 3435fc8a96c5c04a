"""What keeper and worker tell each other: lines of JSON over a socket pair.

::

    keeper -> worker  {"do": "begin", "start": {...}}   the first message of all
                      {"do": "serve", "model", "rev", "arms", "versions": [{number, folder, ...}]}
                      {"do": "go"}    {"do": "drop", "model"}    {"do": "drain"}
                      {"do": "reread", "serving": {...}}    {"do": "forget", "model", "user"}
                      {"do": "trouble", "name", "reason"}    {"do": "gauge", "name", "value", ...}
                      {"answer": 17, "status": 200, "body": ...}
    worker -> keeper  {"did": "ready"}           {"did": "serving", "model", "rev"}
                      {"did": "failed", "model", "rev", "number", "error": {...}}
                      {"ask": 17, "call": "models", "args": {...}}

Standard library alone: it runs in every worker, before the first answer.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from everfit.live.arms import Arms

LIMIT_BYTES = 64 << 20  # more than any card or ledger: a line this long is damage
SEND_S = 10.0  # who does not read for this long has hung
CHUNK = 1 << 16
# room for 8 sockets; not socket.recv_fds, which leaves its flags aside (python/cpython, 3.11)
BESIDE = socket.CMSG_LEN(8 * array("i").itemsize)

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Placed:
    """A version and where its files lie; ``sha256`` is the hash of its verified manifest."""

    number: int
    folder: str
    sha256: str
    trusted: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Placed:
        """A version as it stands in an order."""
        trusted = tuple(plain.get("trusted") or ())
        return cls(int(plain["number"]), str(plain["folder"]), str(plain["sha256"]), trusted)


def serve(model: str, rev: int, arms: Arms, versions: Sequence[Placed]) -> dict[str, Any]:
    """The order to answer for ``model`` with these arms; the champion is among ``versions``.

    Examples
    --------
    >>> order = serve("churn", 7, Arms(3), [Placed(3, "/store/churn/v3", "ab")])
    >>> order["do"], order["rev"], order["arms"]["champion"], order["versions"][0]["number"]
    ('serve', 7, 3, 3)
    """
    placed = [asdict(version) | {"trusted": list(version.trusted)} for version in versions]
    return {"do": "serve", "model": model, "rev": rev, "arms": arms.as_dict(), "versions": placed}


def go() -> dict[str, Any]:
    """The order to accept connections: all that there was to load has been ordered."""
    return {"do": "go"}


def drop(model: str) -> dict[str, Any]:
    """The order to answer for ``model`` no more."""
    return {"do": "drop", "model": model}


def drain() -> dict[str, Any]:
    """The order to take no new request, finish those that are here, flush and end."""
    return {"do": "drain"}


def reread(serving: Mapping[str, Any]) -> dict[str, Any]:
    """The order to read tokens again and to keep to these settings from now on."""
    return {"do": "reread", "serving": dict(serving)}


def forget(model: str, user: str) -> dict[str, Any]:
    """The order to forget what a user met since a model was fitted."""
    return {"do": "forget", "model": model, "user": user}


def trouble(name: str, reason: str) -> dict[str, Any]:
    """The order to tell of a trouble in ``/health``; an empty reason ends it."""
    return {"do": "trouble", "name": name, "reason": reason}


def gauge(name: str, value: float | None, about: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """The order to show a number in ``/metrics``; None takes it away."""
    return {"do": "gauge", "name": name, "labels": dict(labels), "value": value, "about": about}


def ready() -> dict[str, Any]:
    """A worker says that it answers requests."""
    return {"did": "ready"}


def serving(model: str, rev: int) -> dict[str, Any]:
    """A worker says that an order is in force."""
    return {"did": "serving", "model": model, "rev": rev}


def failed(model: str, rev: int, number: int | None, error: Mapping[str, Any]) -> dict[str, Any]:
    """A worker says that a version could not be loaded; what it served before, it still serves."""
    return {"did": "failed", "model": model, "rev": rev, "number": number, "error": dict(error)}


def ask(number: int, call: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """A worker's question that only the stores can answer."""
    return {"ask": number, "call": call, "args": dict(args)}


def answer(number: int, status: int, body: Any) -> dict[str, Any]:
    """The keeper's answer: the HTTP status and the body, as the client shall get them."""
    return {"answer": number, "status": status, "body": body}


@dataclass(frozen=True, slots=True)
class Start:
    """What a new worker is told first: who it is, what it inherited and where it logs.

    ``listening`` are numbers of sockets that listen already, and come with the message; ``serving``
    is what the settings say of serving, as plain values; ``durability`` is ``os`` or ``fsync``.
    """

    worker: int
    keeper: int  # its process id: who has another parent is an orphan and must end
    listening: tuple[int, ...]
    spool: str  # a folder of this worker's own
    durability: str = "os"
    grace_s: float = 10.0  # between the order to drain and the kill
    serving: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, plain: Message, received: Sequence[int] = ()) -> Start:
        """The start that stands in a ``begin`` message, with the sockets that came with it.

        Without any, the numbers in the message are those of inherited sockets.
        """
        known = {name: plain[name] for name in cls.__dataclass_fields__ if name in plain}
        return cls(**known | {"listening": tuple(received) or tuple(plain["listening"])})


def begin(start: Start) -> dict[str, Any]:
    """The first message: it may hold secrets, which do not belong into arguments or environment.

    Examples
    --------
    >>> start = Start(1, 4711, (5,), "/store/spool/w1")
    >>> Start.from_dict(begin(start)["start"]) == start
    True
    """
    return {"do": "begin", "start": asdict(start) | {"listening": list(start.listening)}}


class Channel:
    """One end of a socket pair that carries messages; any thread may send, one may receive.

    Parameters
    ----------
    end : the socket, or the number of an inherited one
    """

    def __init__(self, end: socket.socket | int) -> None:
        self._socket = end if isinstance(end, socket.socket) else socket.socket(fileno=end)
        self._socket.setblocking(True)
        self._sending = threading.Lock()
        self._rest = bytearray()
        self.received: list[int] = []  # numbers of the sockets that came with messages

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """The keeper's end, and the end that a child inherits by its ``fileno``."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(mine), theirs

    def fileno(self) -> int:
        """The number to wait on until there is something to receive."""
        return self._socket.fileno()

    def send(self, message: Message, sockets: Sequence[int] = ()) -> None:
        """Send one message whole, with ``sockets`` that the other side gets for its own.

        Raises
        ------
        EOFError : the other side is gone, or has not read for ten seconds
        """
        line = json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        data = memoryview(line.encode("utf-8", "surrogatepass") + b"\n")
        with self._sending:
            self._send(data, list(sockets))

    def _send(self, data: memoryview, sockets: list[int]) -> None:
        try:
            while data:
                try:
                    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", sockets))]
                    n = self._socket.sendmsg([data], beside if sockets else [], socket.MSG_DONTWAIT)
                    data, sockets = data[n:], []
                except BlockingIOError:
                    if not select.select([], [self._socket], [], SEND_S)[1]:
                        raise TimeoutError("does not read") from None
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            # half a line may be on its way: nothing can follow it
            self.close()
            raise EOFError(f"the other side of the channel is gone: {error}") from error

    def receive(self, *, wait: bool = True) -> list[dict[str, Any]]:
        """The messages that came, at least one when ``wait``; call it when ``fileno`` is readable.

        Raises
        ------
        EOFError : the other side closed, or what came is no message
        """
        while True:
            found = self._lines()
            if found:
                return found
            try:
                flags = 0 if wait else socket.MSG_DONTWAIT
                data, beside, _, _ = self._socket.recvmsg(CHUNK, BESIDE, flags)
            except (BlockingIOError, InterruptedError):
                return []
            except OSError as error:
                raise EOFError(f"the other side of the channel is gone: {error}") from error
            if not data:
                raise EOFError("the other side of the channel is gone")
            for level, kind, numbers in beside:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    self.received += array("i", numbers)
            self._rest += data
            if len(self._rest) > LIMIT_BYTES:
                raise EOFError("a message without end")

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lines(self) -> list[dict[str, Any]]:
        if b"\n" not in self._rest:
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        try:
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise EOFError("what came is no message") from error

    def close(self) -> None:
        """Let go of the socket; a thread that waits in :meth:`receive` gets ``EOFError``."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
