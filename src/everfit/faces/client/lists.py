"""Asks for lists and their answers, as they go over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from everfit.faces.client.rows import body_of
from everfit.serve.lists.listed import Listed, Wanted


def ask_of(
    wanted: Wanted, *, user: Any = None, history: Sequence[Any] | None = None, item: Any = None,
    why: bool = False,
) -> bytes:  # fmt: skip
    """The body of an ask; what is as a server takes it to be is left out.

    Examples
    --------
    >>> ask_of(Wanted(k=3, blocked=[7]), user=42)
    b'{"user":42,"k":3,"blocked":[7]}'
    """
    said = {
        "user": user, "item": item, "history": None if history is None else list(history),
        "k": wanted.k, "allowed": None if wanted.allowed is None else list(wanted.allowed),
        "blocked": list(wanted.blocked) or None,
        "exclude_seen": False if wanted.again else None, "why": True if why else None,
    }  # fmt: skip
    return body_of({name: value for name, value in said.items() if value is not None})


def list_of(body: bytes) -> Listed:
    """The list that an answer holds."""
    told: Mapping[str, Any] = json.loads(body)
    found = told["items"]
    titles = tuple(one.get("title") for one in found)
    reasons = tuple(
        tuple((why["item"], why["share"]) for why in one.get("because", ())) for one in found
    )
    return Listed(
        tuple(one["item"] for one in found),
        tuple(one["score"] for one in found),
        told["fallback"] or "",
        tuple(told["warnings"]),
        titles if any(title is not None for title in titles) else (),
        reasons if any("because" in one for one in found) else (),
        tuple(one["propensity"] for one in found if "propensity" in one),
        told["id"],
        told["version"],
    )


def met_body(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The body of interactions; each has a time, so that to tell it twice does no harm."""
    now = datetime.now(UTC).isoformat()
    return body_of([{"at": now, **{k: v for k, v in r.items() if v is not None}} for r in rows])
