"""Errors as strangers may see them: without paths, addresses and users of this machine's stores."""

from __future__ import annotations

from everfit.errors import EverfitError, StoreBusy, StoreFailed, Unreachable


def outward(error: EverfitError) -> EverfitError:
    """The error as clients get it; what a store says of itself is for the server's log alone.

    Examples
    --------
    >>> told = outward(StoreFailed("the store at /srv/everfit cannot be read", got="/srv/everfit"))
    >>> type(told).__name__, told.what, "/srv" in str(told)
    ('StoreFailed', 'the store cannot be used now', False)
    """
    if isinstance(error, StoreBusy) or not isinstance(error, (StoreFailed, Unreachable)):
        return error
    return type(error)(
        "the store cannot be used now",
        got="an error that the server's log tells",
        expected="a store that can be read and written",
        do="try again; GET /health tells when it is back",
    )
