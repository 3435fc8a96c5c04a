"""Interactions that were told to any worker, for all of them: the keeper reads them in the log.

A list for each model, in the order in which they were drained. Workers ask for what stands behind
the place they came to, and a new one begins at the first; so an interaction counts in all workers,
also of other servers on the same database, and again after a restart.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from everfit.errors import EverfitError
from everfit.events import key_text

if TYPE_CHECKING:
    from everfit.store.log import Log

PAGE = 5_000  # interactions of one answer
MOST = 200_000  # of one model that are held: the newest
FRESH_S = 0.1  # a look at the log holds so long
Plain = list[Any]  # [id, user, item, at in seconds since 1970, weight]


@dataclass(slots=True)
class _Held:
    rows: list[Plain] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    dropped: int = 0
    mark: int = -1  # the number in the log up to which all is held
    looked: float = float("-inf")


class Meetings:
    """The interactions of all models."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._turn = threading.Lock()

    def told(self, args: Mapping[str, Any], log: Log | None) -> tuple[int, Any]:
        """The answer to a worker's question, as HTTP status and body."""
        if log is None:
            return 503, {"error": {"message": "the log is not open"}}
        try:
            with self._turn:
                return 200, self._page(str(args["model"]), int(args["after"]), log)
        except EverfitError as error:
            return error.http_status, {"error": error.as_dict()}

    def forget(self, model: str, user: Any) -> None:
        """Forget what one user met; the places of the others stay."""
        name = key_text(user)
        with self._turn:
            held = self._held.get(model)
            if held is not None:
                for row in held.rows:
                    if row[1] == name:
                        row[:] = [row[0], "", "", row[3], row[4]]

    def _page(self, model: str, after: int, log: Log) -> dict[str, Any]:
        held = self._held.setdefault(model, _Held())
        if time.monotonic() - held.looked > FRESH_S:
            self._look(held, model, log)
            held.looked = time.monotonic()
        start = max(after - held.dropped, 0)
        rows = held.rows[start : start + PAGE]
        upto = held.dropped + start + len(rows)
        shown = [row for row in rows if row[1]]
        return {"rows": shown, "upto": upto, "more": start + PAGE < len(held.rows)}

    def _look(self, held: _Held, model: str, log: Log) -> None:
        from everfit.store.log.met import log_name

        name, newest = log_name(model), log.newest()
        if held.mark < 0:
            self._first(held, name, log)
        else:
            mark = held.mark
            while True:
                page = log.requests(name, after=mark, most=PAGE)
                for one in page:
                    row = one.row
                    self._take(held, [one.id, row["user"], row["item"], row["when"], row["weight"]])
                if len(page) < PAGE:
                    break
                mark = page[-1].number
        held.mark = newest

    def _first(self, held: _Held, name: str, log: Log) -> None:
        """All that there are, also in sealed days."""
        for frame in log.predictions(name, columns=["id", "user", "item", "when", "weight"]):
            for row in frame.iter_rows():
                if row[1] is not None:
                    self._take(held, [row[0], str(row[1]), str(row[2]), row[3], row[4]])

    def _take(self, held: _Held, row: Plain) -> None:
        if row[0] in held.ids:
            return
        held.rows.append(row)
        held.ids.add(row[0])
        if len(held.rows) > 2 * MOST:
            gone = len(held.rows) - MOST
            held.ids.difference_update(one[0] for one in held.rows[:gone])
            del held.rows[:gone]
            held.dropped += gone
