"""The operate port: promote, roll back, canary, shadow and forget, in the keeper's process.

An address of its own, so that a client that may ask for predictions cannot even reach it. Every
act needs a token with the scope ``operate``; its name stands in the ledger as who did it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import uvicorn

from everfit.errors import EverfitError, Unreachable, UsageError, near
from everfit.faces.http.errors import (
    CLOSED,
    JSON,
    SECURE,
    BodyTooSlow,
    MethodUnknown,
    RouteUnknown,
    TokenMissing,
    as_body,
    internal,
)
from everfit.faces.http.guard.door import LOOPBACK, Door
from everfit.faces.http.guard.tokens import Tokens
from everfit.live.desk.limits import TooMuch
from everfit.plain import as_plain

if TYPE_CHECKING:
    from everfit.house import House
    from everfit.store.log import Log

BODY_BYTES = 65_536
READ_S = 10.0
_PATH = re.compile(r"/models/([^/]+)/([a-z]+)")
Body = Mapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
logger = logging.getLogger("everfit.operate")


class Kept(Protocol):
    """What the port needs of the keeper."""

    def house(self) -> House:
        """The house over the store."""
        ...

    def log(self) -> Log | None:
        """The log of traffic; None while it is not open."""
        ...

    @property
    def spools(self) -> Path:
        """Where requests are logged first."""
        ...

    def state(self) -> dict[str, Any]:
        """How workers, log and models are."""
        ...

    def forget(self, model: str, user: str) -> None:
        """Let all workers forget what a user met."""
        ...


class Operating:
    """Serves the port in a thread until it is closed.

    Parameters
    ----------
    bound : a socket that listens
    serving : what the settings say of serving: ``tokens`` and ``hosts`` are used
    """

    def __init__(self, keeper: Kept, bound: socket.socket, serving: Mapping[str, Any]) -> None:
        tokens = Tokens(Path(serving["tokens"]))
        hosts = (*LOOPBACK, *serving.get("hosts", ()))
        door = Door(hosts=hosts, tokens=tokens, required=True)
        config = uvicorn.Config(
            _App(keeper, door),
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._run, args=(bound,), name="operate", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Finish acts that have begun, and end."""
        self._server.should_exit = True
        self._thread.join(10.0)

    def _run(self, bound: socket.socket) -> None:
        asyncio.run(self._server.serve([bound]))


class _App:
    def __init__(self, keeper: Kept, door: Door) -> None:
        self._keeper, self._door = keeper, door

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: list[tuple[bytes, bytes]] = []
        try:
            status, body = 200, await self._answer(scope, receive)
        except EverfitError as error:
            status, body = error.http_status, as_body(error)
            if isinstance(error, TokenMissing):
                headers.append((b"www-authenticate", b'Bearer realm="everfit"'))
            if isinstance(error, MethodUnknown):
                headers.append((b"allow", error.expected.encode()))
            if isinstance(error, TooMuch):
                headers.append((b"connection", b"close"))
        except Exception:
            logger.exception("an act failed")
            status, body = 500, as_body(internal())
        length = (b"content-length", b"%d" % len(body))
        headers = [(b"content-type", JSON), length, *SECURE, *CLOSED, *headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Mapping[str, Any], receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        address = (scope.get("client") or ("",))[0]
        method, path = scope["method"], scope["path"]
        self._door.tokens.reread()
        if (found := READS.get(path)) is not None:
            self._door.enter(headers, address, ())
            _expect(method, "GET")
            host = headers.get(b"host", b"").decode("latin-1")
            return msgspec.json.encode(found(self._keeper, f"http://{host}"))
        caller = self._door.enter(headers, address, ("operate",))
        model, act = _route(path)
        _expect(method, "POST")
        body = _object(await _read(headers, receive))
        known = FIELDS[act]
        for name in body:
            if name not in known:
                like = near(name, known)
                raise UsageError(
                    f"{act} has no field {name[:40]!r}",
                    got=name[:40],
                    expected=", ".join(known),
                    do=f"did you mean {like}?" if like else "leave it out",
                )
        made = await asyncio.to_thread(ACTS[act], self._keeper, model, body, caller.name)
        return msgspec.json.encode(made)


def _promote(keeper: Kept, model: str, body: Body, by: str) -> Any:
    version = _text(body, "version")
    made = keeper.house().promote(model, version, reason=_reason(body), by=by)
    return {"decision": as_plain(made)}


def _rollback(keeper: Kept, model: str, body: Body, by: str) -> Any:
    to = _text(body, "to") if body.get("to") is not None else None
    made = keeper.house().rollback(model, to, reason=_reason(body), by=by)
    return {"decision": as_plain(made)}


def _canary(keeper: Kept, model: str, body: Body, by: str) -> Any:
    share = _number(body, "share")
    holdout = _number(body, "holdout") if body.get("holdout") is not None else None
    version = _text(body, "version") if share or body.get("version") is not None else None
    made = keeper.house().canary(
        model, version, share, holdout=holdout, reason=_reason(body), by=by
    )
    return {"decision": as_plain(made)}


def _shadow(keeper: Kept, model: str, body: Body, by: str) -> Any:
    if "version" not in body:
        raise _wrong("version", None, "a version such as v4, or null to end the shadow")
    version = _text(body, "version") if body["version"] is not None else None
    made = keeper.house().shadow(model, version, reason=_reason(body), by=by)
    return {"decision": as_plain(made)}


def _forget(keeper: Kept, model: str, body: Body, by: str) -> Any:
    key = body.get("key")
    if isinstance(key, bool) or not isinstance(key, (str, int, float)) or key == "":
        raise _wrong("key", key, "a text or a number")
    keeper.house().versions(model)  # an unknown model is told with near names
    log = keeper.log()
    if log is None:
        raise Unreachable("the log of traffic is not open", do="try again in a moment")
    gone = log.forget(model, str(key), by=by, spools=keeper.spools)
    keeper.forget(model, str(key))
    return {"forgotten": as_plain(gone)}


ACTS: Mapping[str, Callable[[Kept, str, Body, str], Any]] = {
    "promote": _promote,
    "rollback": _rollback,
    "canary": _canary,
    "shadow": _shadow,
    "forget": _forget,
}
FIELDS: Mapping[str, tuple[str, ...]] = {
    "promote": ("version", "reason"),
    "rollback": ("to", "reason"),
    "canary": ("version", "share", "holdout", "reason"),
    "shadow": ("version", "reason"),
    "forget": ("key",),
}


def _described(keeper: Kept, url: str) -> Any:
    from everfit.faces.http.openapi import operate_description

    return operate_description(server_url=url)


READS: Mapping[str, Callable[[Kept, str], Any]] = {
    "/openapi.json": _described,
    "/health": lambda keeper, url: keeper.state(),
}


def _route(path: str) -> tuple[str, str]:
    found = _PATH.fullmatch(path)
    if found is None or found[2] not in ACTS:
        known = ", ".join(f"/models/NAME/{act}" for act in ACTS)
        raise RouteUnknown(
            f"there is no path {path[:80]!r} on the operate port",
            got=path[:80],
            expected=known,
            do="predictions are on the other port; see /openapi.json",
        )
    return found[1], found[2]


def _expect(method: str, known: str) -> None:
    if method != known:
        raise MethodUnknown(
            "the path does not take this method", got=method[:20], expected=known, do=f"use {known}"
        )


async def _read(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    body: bytes = b""
    try:
        async with asyncio.timeout(READ_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyTooSlow("the client has gone")
                body += bytes(message.get("body", b""))
                if len(body) > BODY_BYTES:
                    raise TooMuch(
                        "the body is too large",
                        got=f"more than {BODY_BYTES:,} bytes",
                        expected=f"at most {BODY_BYTES:,} bytes",
                        do="send the fields of the act alone",
                    )
                if not message.get("more_body"):
                    return body
    except TimeoutError:
        raise BodyTooSlow(
            "the body did not come in time", got=f"{READ_S:g} s", do="send it at once"
        ) from None


def _object(body: bytes) -> Body:
    try:
        found = msgspec.json.decode(body or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            "the body is not JSON", got=str(error)[:200], expected='such as {"version": "v4"}'
        ) from None
    if not isinstance(found, dict):
        raise UsageError("the body is no JSON object", expected='such as {"version": "v4"}')
    return found


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise _wrong(name, value, "a text such as v4")
    return value


def _number(body: Body, name: str) -> float:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, value, "a number from 0 to 1")
    try:
        return float(value)
    except OverflowError:
        raise _wrong(name, "a number that is far too large", "a number from 0 to 1") from None


def _reason(body: Body) -> str:
    value = body.get("reason", "")
    if not isinstance(value, str) or len(value) > 2_000 or "\0" in value:
        raise _wrong("reason", value, "a text of at most 2,000 characters, without NUL")
    return value


def _wrong(name: str, value: Any, expected: str) -> UsageError:
    got = "nothing" if value is None else repr(value)[:80]
    return UsageError(f"{name} cannot be used", got=got, expected=expected, do=f"send {name}")
