"""The door: host, origin, token and scope of a request, before anything in it is read.

A request to a name that is not ours comes from a browser that was lured to our address (DNS
rebinding); one with a strange origin comes from another site's page. Both are refused, token or no
token. A request to an address is let in: who rebinds needs a name, and at our address only we
answer. A token is needed when the settings say so, and always judged when it is sent, so that a
wrong one is not found out only later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from everfit.errors import SettingsError
from everfit.faces.http.errors import HostRefused, OriginRefused, ScopeMissing, TokenMissing
from everfit.faces.http.guard.tokens import Tokens

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SEEN = 1_000  # spellings of hosts that are remembered as good


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name of a token, of a proxy's user, or nobody; ``address`` for rates."""

    name: str
    address: str


class Door:
    """Lets requests in.

    Parameters
    ----------
    hosts : names under which this server may be asked; ``*`` for any
    required : whether a request without token is refused
    proxies : networks whose ``header`` names a user that a proxy has let in
    """

    def __init__(
        self, *, hosts: Iterable[str], tokens: Tokens, required: bool,
        proxies: Iterable[str] = (), header: str = "",
    ) -> None:  # fmt: skip
        self._hosts = frozenset(host.lower() for host in hosts)
        self.tokens, self.required = tokens, required
        try:
            self._proxies = tuple(ip_network(proxy) for proxy in proxies)
        except ValueError as error:
            raise SettingsError(
                "[serve] proxies has an entry that is no network", got=str(error),
                expected='addresses such as "10.0.0.5" or "10.0.0.0/8"', do="correct the entry",
            ) from error  # fmt: skip
        self._header = header.lower().encode()
        self._good: set[bytes] = set()

    def known(self, host: bytes | None) -> bool:
        """Whether a Host header was let in before in this very spelling."""
        return host in self._good

    def plain(self, sent: bytes | None) -> bool:
        """Whether a request with this Authorization may predict, judged in a microsecond."""
        if sent is None:
            return not self.required
        if sent[:7] != b"Bearer ":
            return False
        found = self.tokens.find(sent[7:])
        return found is not None and found.expires is None and "predict" in found.scopes

    def is_proxy(self, address: str) -> bool:
        """Whether an address is one of the proxies that let others in."""
        return bool(self._proxies) and _inside(address, self._proxies)

    def reread(self) -> bool:
        """Learn of tokens that were made or revoked; whether there were any."""
        return self.tokens.reread()

    def enter(
        self, headers: Mapping[bytes, bytes], address: str, scopes: tuple[str, ...]
    ) -> Caller:
        """Who asks, when they may.

        Parameters
        ----------
        address : of the other end of the connection
        scopes : those of which a token needs one; none when everybody may ask

        Raises
        ------
        HostRefused, OriginRefused : a host or origin that is not ours
        TokenMissing : no token though one is needed, or one that is wrong or expired
        ScopeMissing : the token may not do this
        """
        self.host(headers)
        if self._proxies and _inside(address, self._proxies):
            forwarded = headers.get(b"x-forwarded-for", b"").split(b",")[-1].strip()
            address = forwarded.decode("latin-1") or address
            user = headers.get(self._header) if self._header else None
            if user:
                return Caller(f"proxy:{user.decode('latin-1')}", address)
        sent = headers.get(b"authorization")
        if sent is not None:
            return Caller(self._token(sent, scopes), address)
        if scopes and self.required:
            raise _missing("no token was sent")
        return Caller("", address)

    def host(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse names and pages that are not ours.

        Raises
        ------
        HostRefused, OriginRefused : as :meth:`enter`
        """
        host = headers.get(b"host", b"")
        if host not in self._good:
            asked = _bare(host)
            if "*" not in self._hosts and asked not in self._hosts and not _address(asked):
                raise HostRefused(
                    "this server is not asked for under that name",
                    got=host.decode("latin-1")[:80] or "no Host header",
                    expected="its IP address, or a name from [serve] hosts",
                    do="ask its IP address, or add the name to [serve] hosts",
                )  # fmt: skip
            if len(self._good) < _SEEN:
                self._good.add(host)
        origin = headers.get(b"origin")
        if origin is not None:
            name = origin.partition(b"://")[2]
            if "*" not in self._hosts and _bare(name) not in self._hosts:
                raise OriginRefused(
                    "a page of another site may not ask here",
                    got=f"Origin: {origin.decode('latin-1')[:80]}",
                    expected="no Origin header, or a name from [serve] hosts",
                    do="ask from a server, or add the page's host to [serve] hosts",
                )  # fmt: skip

    def _token(self, sent: bytes, scopes: tuple[str, ...]) -> str:
        scheme, _, text = sent.partition(b" ")
        found = self.tokens.find(text.strip()) if scheme.lower() == b"bearer" else None
        if found is None:
            raise _missing("a token that is not known" if text else "a header without token")
        if found.expired(datetime.now(UTC)):
            raise _missing(f"the token {found.name!r}, which expired on {found.expires}")
        if scopes and not set(scopes) & set(found.scopes):
            raise ScopeMissing(
                f"the token {found.name!r} may not do this",
                got=f"scopes {', '.join(found.scopes)}", expected=f"scope {' or '.join(scopes)}",
                do="use another token, or make one with this scope: everfit token make",
            )  # fmt: skip
        return found.name


def _missing(got: str) -> TokenMissing:
    return TokenMissing(
        "a valid token is needed", got=got, expected="Authorization: Bearer <token>",
        do="make a token: everfit token make NAME",
    )  # fmt: skip


def _bare(host: bytes) -> str:
    """A Host header without its port, in lower case."""
    try:
        return (urlsplit(f"//{host.decode('ascii')}").hostname or "").lower()
    except ValueError:
        return ""


def _address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _inside(address: str, networks: Iterable[object]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False  # a unix socket has no address
    return any(found in network for network in networks)  # type: ignore[operator]
