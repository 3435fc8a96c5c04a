"""HTTP to one server with the standard library: kept connections, retries, errors as classes."""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from select import select
from threading import Lock
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import finalize

from everfit import errors
from everfit.errors import EverfitError, Unreachable, UsageError

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
BUSY = (429, 503)  # the server did nothing with the request and says so
KEPT = 8  # idle connections


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``safe`` says that it may be sent again when nobody knows what became of it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    type: str = "application/json"
    accept: str = "application/json"
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer."""

    type: str
    body: bytes

    def json(self) -> Any:
        """The body as plain values.

        Raises
        ------
        Unreachable : it is no JSON, so that whoever answered is no Everfit
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Unreachable(
                "the server's answer is no JSON",
                got=repr(self.body[:60]), expected="an Everfit server", do="check the URL",
            ) from error  # fmt: skip


class Connection:
    """Calls to one server. Threads may share it: each call has a connection to itself.

    Parameters
    ----------
    url : ``http://`` or ``https://``, with a path in front when a proxy adds one
    token : sent with every call, never shown
    timeout_s : for a call with all its retries
    retries : how often a call is sent again; only one that may be, see :class:`Call`
    tls : another certificate authority than the system's

    Raises
    ------
    UsageError : the URL or the token cannot be used
    """

    def __init__(
        self, url: str, token: str | None, *, timeout_s: float, retries: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._at = _place(url)
        self.url = f"{self._at.scheme}://{self._at.netloc}{self._at.path.rstrip('/')}"
        if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
            raise UsageError("the token cannot be used", expected="printable ASCII on one line")
        self._headers = {"Authorization": f"Bearer {token.strip()}"} if token else {}
        self._timeout_s, self._retries, self._tls = timeout_s, retries, tls
        self._proxy = _proxy(self._at)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock, self._owner = Lock(), os.getpid()
        finalize(self, _close_all, self._idle)  # who drops a client need not close it

    def send(self, call: Call) -> Reply:
        """The answer to a call.

        Raises
        ------
        EverfitError : the server's own error as its class; Unreachable when no answer came
        """
        end = time.monotonic() + self._timeout_s
        for attempt in range(self._retries + 1):
            try:
                return self._once(call, end)
            except _Again as again:
                wait_s = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S) * random.uniform(0.5, 1.0)
                wait_s = max(wait_s, again.after_s)
                if attempt == self._retries or time.monotonic() + wait_s >= end:
                    raise again.error from again.error.__cause__
                time.sleep(wait_s)
        raise AssertionError("unreachable")  # range is never empty

    def close(self) -> None:
        """Let go of all connections; the next call makes a new one."""
        with self._lock:
            _close_all(self._idle)

    def _once(self, call: Call, end: float) -> Reply:
        left_s = max(end - time.monotonic(), 0.001)
        connection = self._taken(left_s)
        sent = False
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(left_s)
            sent = True
            connection.request(call.method, self._target(call), call.body, self._sent(call))
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            told = self._silent(error)
            # what was never sent, and what does no harm twice, may be sent again
            certificate = isinstance(error, ssl.SSLCertVerificationError)
            if (sent and not call.safe) or certificate or isinstance(error, TimeoutError):
                raise told from error
            told.__cause__ = error
            raise _Again(told) from error
        if answer.will_close:
            connection.close()
        else:
            self._keep(connection)
        if 200 <= answer.status < 300:
            return Reply(answer.headers.get_content_type(), body)
        failed = error_of(answer.status, body)
        if answer.status in BUSY:
            raise _Again(failed, _seconds(answer.headers.get("Retry-After")))
        raise failed

    def _target(self, call: Call) -> str:
        path = self._at.path.rstrip("/") + call.path
        query = f"?{urlencode(call.query)}" if call.query else ""
        if self._proxy is not None and self._at.scheme == "http":
            return f"http://{self._at.netloc}{path}{query}"
        return path + query

    def _sent(self, call: Call) -> dict[str, str]:
        headers = {"Accept": call.accept, **self._headers}
        if call.body is not None:
            headers["Content-Type"] = call.type
        if self._proxy is not None and self._at.scheme == "http":
            headers |= _permit(self._proxy)
        return headers

    def _taken(self, timeout_s: float) -> http.client.HTTPConnection:
        with self._lock:
            if self._owner != os.getpid():
                # a forked child must not talk on its parent's connections
                _close_all(self._idle)
                self._owner = os.getpid()
            while self._idle:
                connection = self._idle.pop()
                if not _gone(connection):
                    return connection
                connection.close()
        return self._new(timeout_s)

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def _new(self, timeout_s: float) -> http.client.HTTPConnection:
        at = self._at if self._proxy is None else self._proxy
        host = at.hostname or ""
        if self._at.scheme == "http":
            return http.client.HTTPConnection(host, at.port or 80, timeout=timeout_s)
        context = self._tls or ssl.create_default_context()
        port = at.port or (443 if self._proxy is None else 80)
        made = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
        if self._proxy is not None:
            made.set_tunnel(self._at.hostname or "", self._at.port or 443, _permit(self._proxy))
        return made

    def _silent(self, error: Exception) -> Unreachable:
        do = "is it running? everfit serve"
        if isinstance(error, TimeoutError):
            do = "give it more time: Client(..., timeout=60)"
        elif isinstance(error, ssl.SSLError):
            do = "check the certificate, or give its authority: Client(..., tls=context)"
        return Unreachable(
            f"no answer from {self.url}", got=f"{type(error).__name__}: {error}"[:200],
            expected="an Everfit server", do=do,
        )  # fmt: skip


class TooLarge(UsageError):
    """A request has more bytes or rows than the server takes at once."""

    http_status = 413


class _Again(Exception):
    """A call failed in a way that may pass; ``after_s`` is when the server wants to be asked."""

    def __init__(self, error: EverfitError, after_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.after_s = error, after_s


def error_of(status: int, body: bytes) -> EverfitError:
    """The error that a server told, as the class that it is there.

    Classes that only servers have become :class:`UsageError`; whatever is no error of Everfit
    comes from someone on the way and becomes :class:`Unreachable`.

    Examples
    --------
    >>> body = b'{"error":{"code":"ModelUnknown","message":"no","got":"","expected":"","do":""}}'
    >>> print(error_of(404, body))
    ModelUnknown: no
    """
    try:
        told = json.loads(body)["error"]
        code = str(told["code"])
        parts = {name: str(told.get(name) or "") for name in ("got", "expected", "do")}
        what = str(told["message"])
    except (ValueError, TypeError, KeyError, AttributeError):
        got = body[:200].decode("utf-8", "replace")
        return Unreachable(
            f"the server answered with status {status}", got=got,
            expected="an Everfit server", do="check the URL, and proxies on the way",
        )  # fmt: skip
    found = getattr(errors, code, None)
    if isinstance(found, type) and issubclass(found, EverfitError):
        return found(what, **parts)
    if status >= 500:
        return Unreachable(f"{code}: {what}", **parts)
    return (TooLarge if status == 413 else UsageError)(f"{code}: {what}", **parts)


def piece(name: str) -> str:
    """A name as one piece of a path.

    Examples
    --------
    >>> piece("a/../b")
    'a%2F..%2Fb'
    """
    return quote(name, safe="")


def _place(url: str) -> SplitResult:
    try:
        at = urlsplit(url)
        good = at.scheme in ("http", "https") and at.hostname and (at.port or 1) > 0
    except ValueError:
        good = False
    if not good or at.query or at.fragment or at.username is not None:
        raise UsageError(
            "the URL of the server cannot be used",
            got=repr(url if "@" not in url else "a URL with a password"),
            expected="such as http://127.0.0.1:8321",
            do="give a token as token=..." if "@" in url else "begin with http:// or https://",
        )  # fmt: skip
    return at


def _proxy(at: SplitResult) -> SplitResult | None:
    """The proxy that the environment names for this place, unless it names it as one to go to."""
    found = getproxies().get(at.scheme)
    if not found or proxy_bypass(at.hostname or ""):
        return None
    proxy = urlsplit(found if "://" in found else f"http://{found}")
    if proxy.scheme != "http":
        raise UsageError(
            f"the proxy for {at.scheme} cannot be used", got=f"{proxy.scheme}://...",
            expected="a proxy that is reached by http://", do=f"set {at.scheme}_proxy or no_proxy",
        )  # fmt: skip
    return proxy


def _permit(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _close_all(idle: list[http.client.HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def _gone(connection: http.client.HTTPConnection) -> bool:
    """Whether the other side has closed a connection that is idle: then it is readable."""
    try:
        return connection.sock is None or bool(select([connection.sock], [], [], 0)[0])
    except (OSError, ValueError):  # closed here, or a number too large for select
        return True


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0
