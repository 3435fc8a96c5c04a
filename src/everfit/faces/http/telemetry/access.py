"""One line of JSON for each request, when it is asked for. No body, token or query stands in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from everfit.faces.http.guard.door import Caller


class Access:
    """Writes a line for each request.

    Parameters
    ----------
    handle : an open file descriptor, standard error by default
    """

    def __init__(self, handle: int = 2) -> None:
        self._handle = handle

    def line(
        self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], caller: Caller,
        status: int, size_bytes: int, seconds: float,
    ) -> None:  # fmt: skip
        """Write what was asked, by whom, and how it ended."""
        said = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "bytes": size_bytes,
            "ms": round(seconds * 1e3, 3),
            "client": caller.address,
            "by": caller.name,
            "request": headers.get(b"x-request-id", b"").decode("latin-1")[:200],
        }
        # a log that nobody reads any more must not stop the answers
        with suppress(OSError):
            os.write(self._handle, msgspec.json.encode(said) + b"\n")
