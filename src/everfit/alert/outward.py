"""One request to an address that the settings name: bounded in time and size, never redirected.

The name is looked up once, every address it has is judged, and the connection is made to an address
that was judged: a name that changes in between leads nowhere else. Link-local addresses, where
clouds keep their credentials, are refused always; this machine and private networks unless the
settings allow them.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from everfit.errors import SettingsError, Unreachable

MOST_BYTES = 65_536  # of an answer: it is read for its status and a line of text
TOLD_CHARS = 200
NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``status``, the first of its text, and seconds to wait if it asks so."""

    status: int
    text: str = ""
    wait_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether it took the message."""
        return 200 <= self.status < 300


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float, private: bool = False
) -> Answer:
    """Send ``body`` to ``url`` and give what came back, whatever its status.

    Parameters
    ----------
    timeout_s : for everything; a server that sends a byte now and then does not stretch it
    private : whether this machine and private networks may be asked, and plain ``http`` be used

    Raises
    ------
    SettingsError : the address may not be asked
    Unreachable : no name, no connection, no valid certificate, no answer in time
    """
    until = time.monotonic() + timeout_s
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _may_not("the address cannot be read", str(error), "an address by https") from error
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise _may_not("the address cannot be used", parts.scheme or "no scheme", "https://...")
    port = port or (443 if parts.scheme == "https" else 80)
    found = _judged(host, port, plain=parts.scheme == "http", private=private)
    try:
        with _connected(parts.scheme, host, found, until) as connection:
            return _asked(connection, parts, body, headers)
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message
        raise Unreachable(f"the certificate of {host} is not valid", got=reason) from error
    except ssl.SSLError as error:
        reason = error.reason or "no TLS"
        raise Unreachable(f"{host} does not speak TLS as it should", got=reason) from error
    except (TimeoutError, OSError, http.client.HTTPException, ValueError) as error:
        if time.monotonic() >= until or isinstance(error, TimeoutError):
            raise Unreachable(f"{host} did not answer within {timeout_s:g} s") from error
        raise Unreachable(f"{host} could not be asked", got=type(error).__name__) from error


def may_ask(address: str, *, plain: bool, private: bool) -> str:
    """Why an address may not be asked; empty when it may.

    Examples
    --------
    >>> may_ask("93.184.216.34", plain=False, private=False)
    ''
    >>> may_ask("169.254.169.254", plain=False, private=True)
    'it is link-local'
    >>> may_ask("::ffff:10.0.0.1", plain=False, private=False)
    'it is private'
    """
    ip = _inner(ipaddress.ip_address(address))
    if ip.is_link_local:
        return "it is link-local"
    if ip.is_multicast or ip.is_unspecified or (ip.is_reserved and not ip.is_loopback):
        return "it is no address of one machine"
    if not ip.is_global and not private:
        return "it is private"
    if plain and ip.is_global:
        return "plain http would show the message to everybody on the way"
    return ""


def _inner(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, where it does."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = None if ip.teredo is None else ip.teredo[1]
    return ip.ipv4_mapped or ip.sixtofour or teredo or ip


def _judged(host: str, port: int, *, plain: bool, private: bool) -> list[tuple[str, int]]:
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"there is no address of {host!r}", got=str(error)) from error
    found = list(dict.fromkeys((str(one[4][0]), port) for one in known))
    for address, _ in found:
        # all of them: which one is used is not ours to choose
        why = may_ask(address.partition("%")[0], plain=plain, private=private)
        if why:
            raise _may_not(
                f"{host} may not be asked: {why}",
                address,
                "a public address by https, or private = true for one of your own network",
            )
    return found


def _may_not(what: str, got: str, expected: str) -> SettingsError:
    return SettingsError(what, got=got, expected=expected, do="change it below [alerts]")


@contextlib.contextmanager
def _connected(
    scheme: str, host: str, found: list[tuple[str, int]], until: float
) -> Iterator[http.client.HTTPConnection]:
    """A connection to the first address that takes one, cut when the time is over."""
    connection = http.client.HTTPConnection(host, found[0][1], timeout=_left(until))
    line = _first(found, until)
    if scheme == "https":
        # the handshake comes later, when the line can be cut
        context = ssl.create_default_context()
        line = context.wrap_socket(line, server_hostname=host, do_handshake_on_connect=False)
    connection.sock = line
    try:
        with cut_after(_left(until), lambda: line):
            if isinstance(line, ssl.SSLSocket):
                line.do_handshake()
            yield connection
    finally:
        connection.close()
        line.close()


@contextlib.contextmanager
def cut_after(seconds: float, line: Callable[[], socket.socket | None]) -> Iterator[None]:
    """End what is said on ``line`` after ``seconds``: the socket's own limit is for each read."""
    timer = threading.Timer(seconds, lambda: _cut(line()))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _first(found: list[tuple[str, int]], until: float) -> socket.socket:
    error: OSError | None = None
    for place in found:
        try:
            return socket.create_connection(place, timeout=_left(until))
        except OSError as failed:
            error = failed
    raise error or OSError("no address")


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _cut(line: socket.socket | None) -> None:
    if line is not None:
        with contextlib.suppress(OSError):
            # not closed: the other thread may be about to read from it, and would read another's
            socket.socket.shutdown(line, socket.SHUT_RDWR)


def _asked(
    connection: http.client.HTTPConnection,
    parts: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc
    connection.request(
        "POST",
        path,
        body,
        {"Host": host, "User-Agent": "everfit", **headers, "Connection": "close"},
    )
    answer = connection.getresponse()
    text = answer.read(MOST_BYTES).decode("utf-8", "replace")
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return Answer(answer.status, shown[:TOLD_CHARS], _wait(answer.getheader("Retry-After")))


def _wait(header: str | None) -> float | None:
    """Seconds of a ``Retry-After``, which is a number or a date."""
    if header is None:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(header))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    return None
