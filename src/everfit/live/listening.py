"""Sockets that listen before any worker is there, so that no connection is refused meanwhile."""

from __future__ import annotations

import ipaddress
import socket

from everfit.errors import Refused, UsageError

WAITING = 2048  # connections that may wait to be accepted


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A socket that listens at an address; port 0 takes any that is free.

    Parameters
    ----------
    option : the option that says the port, for who reads the error

    Raises
    ------
    UsageError : there is no such address on this machine
    Refused : the port is taken, or not ours to take
    """
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server((place[0], place[1]), family=family, backlog=WAITING)
    except (socket.gaierror, UnicodeError) as error:
        raise _no_address(host, error) from error
    except OSError as error:
        if isinstance(error, PermissionError) or "in use" in str(error):
            raise Refused(
                f"port {port} cannot be had",
                got=error.strerror or str(error),
                expected="a port that is free",
                do=f"stop who has it, or give another: {option} {port + 1}",
            ) from error
        raise _no_address(host, error) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost")
    (True, True, True)
    >>> is_loopback("0.0.0.0"), is_loopback("models.example")
    (False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may point anywhere


def url_of(bound: socket.socket) -> str:
    """The address of a listening socket as people type it."""
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _no_address(host: str, error: Exception) -> UsageError:
    return UsageError(
        f"this machine has no address {host!r} to listen on",
        got=str(error),
        expected="an address of this machine, such as 127.0.0.1",
        do="give --host 127.0.0.1, or 0.0.0.0 for all its addresses",
    )
