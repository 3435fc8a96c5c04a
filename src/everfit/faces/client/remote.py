"""A model behind a server: the same questions as to a local one, answered over HTTP."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from everfit.errors import Refused, UsageError
from everfit.evidence.interval import Interval
from everfit.faces.client import rows as wire
from everfit.faces.client.connection import Call, Connection, Reply, TooLarge, piece
from everfit.faces.client.lists import ask_of, list_of, met_body
from everfit.faces.containers import (
    Incoming,
    incoming,
    outgoing_labels,
    outgoing_probabilities,
    typed_labels,
)
from everfit.faces.shown import Score, Words
from everfit.plain import from_plain
from everfit.records import Decision
from everfit.serve.lists.listed import Listed, Wanted

FRAMES = ("pandas", "polars", "arrow")
EXPLAINED = 100  # rows that a server explains at once
OURS = __name__.rpartition(".")[0]
T = TypeVar("T")


class RemoteModel:
    """One model of a server; ``version`` is the one that answers: the champion unless one is named.

    Made by :class:`everfit.Client`. Every prediction is recorded by the server.
    """

    def __init__(self, connection: Connection, name: str, version: str | None = None) -> None:
        self.name = name
        self._connection, self._asked = connection, version
        self._told: Mapping[str, Any] | None = None
        self._at_once = wire.AT_ONCE

    @property
    def version(self) -> str:
        """``v3``: the version that was named, else the champion of this moment."""
        return str(self._version()["version"])

    @property
    def score(self) -> Score:
        """The honest score of this version: corrected for having been chosen."""
        told = self._version()
        found = from_plain(Interval, told["score"])
        return Score(
            found.low, found.mid, found.high, found.n, found.level,
            metric=told["score"]["metric"], speaks_of=told["speaks_of"],
        )  # fmt: skip

    @property
    def decision(self) -> Decision:
        """The last decision about this model, which need not be about this version."""
        return self._decisions(1)[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that this version reads."""
        return tuple(name for name in self.schema()["properties"] if name != "_key")

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of one row."""
        found: dict[str, Any] = self._get("/schema", self._query()).json()
        return found

    def predict(self, data: Any) -> Any:
        """Labels or numbers, in the container that the rows came in; see :meth:`Model.predict`.

        A column ``_key`` says what or whom each row is about, so that outcomes can name it.

        Raises
        ------
        ModelUnknown, Refused : the server has no such model, or it has no champion
        UsageError : the rows have no named columns
        Unreachable : no answer came
        """
        given = self._given(data)
        found = self._answers(given)
        if given.container not in FRAMES:
            return outgoing_labels(given, [one["prediction"] for one in found], "")
        return outgoing_labels(given, found["prediction"].to_list(), self._target())

    def predict_proba(self, data: Any) -> Any:
        """Probabilities, one column a label, in the container that the rows came in.

        Raises
        ------
        UsageError : this model predicts numbers
        """
        given = self._given(data)
        found = self._answers(given)
        if given.container not in FRAMES:
            shares = [self._shares(one) for one in found]
            kind = wire.label_type([one["prediction"] for one in found])
            labels = typed_labels(list(shares[0] if shares else ()), kind)
            values: Any = [list(one.values()) for one in shares]
        elif found.height:
            table = self._shares(found).struct.unnest()
            kind = wire.label_type(found["prediction"].head(1).to_list())
            labels, values = typed_labels(table.columns, kind), table.to_numpy()
        else:
            labels = self._labels()
            values = np.empty((0, len(labels)))
        return outgoing_probabilities(given, labels, values)

    def answers(self, data: Any, *, explain: bool = False) -> Any:
        """All that the server says about each row: prediction, range, warnings, and its id.

        A dict gives a dict, a list of dicts a list; a frame gives a frame of its library with the
        columns id, prediction, probabilities, low, high, version, arm and warnings. ``explain``
        adds how each column moved the answer, for rows that are given as dicts.

        Raises
        ------
        UsageError : a frame shall be explained
        """
        given = self._given(data)
        if explain and given.container in FRAMES:
            raise UsageError(
                "rows of a frame are not explained", got=given.container,
                expected="a dict or a list of dicts", do="frame.head(10).to_dict('records')",
            )  # fmt: skip
        found = self._answers(given, explain=explain, warn=False)
        if given.container == "record":
            return found[0]
        if given.container == "pandas":
            return found.to_pandas().set_index(given.index)
        return found.to_arrow() if given.container == "arrow" else found

    def outcomes(self, told: Any) -> dict[str, Any]:
        """Tell what turned out true: each has ``outcome`` and ``id`` or ``key``, and maybe ``at``.

        ``told`` is a dict, a list of dicts, or a frame with these columns. Telling the same again
        does no harm, so that a call is repeated until the server has said that it is safe on disk.
        Gives how many were counted, repeated, replaced, unknown, waiting or strange, and the
        state of each.

        Raises
        ------
        UsageError : an outcome cannot be used; none of its request were taken
        """
        given = incoming(told)
        if given.container in FRAMES:
            told = [_without_nothing(row) for row in wire.as_polars(given).to_dicts()]
        elif given.container == "record":
            told = [told]
        counts: Counter[str] = Counter(accepted=0)
        states: list[Any] = []

        def tell(start: int, stop: int) -> Any:
            return self._post("/outcomes", wire.body_of(told[start:stop]), safe=True).json()

        for part in self._in_parts(len(told), tell):
            states += part.pop("outcomes")
            counts.update(part)
        return {**counts, "outcomes": states}

    def recommend(
        self, user: Any = None, *, history: Sequence[Any] | None = None, k: int = 10,
        allowed: Iterable[Any] | None = None, blocked: Iterable[Any] = (), again: bool = False,
        why: bool = False,
    ) -> Listed:  # fmt: skip
        """The best items for a user or a history; parameters as for :meth:`Model.recommend`.

        The list is recorded by the server: its outcome is told by ``id``.

        Raises
        ------
        Refused : the model answers rows
        UsageError : a value cannot be used
        """
        wanted = Wanted(k, allowed, blocked, again)
        body = ask_of(wanted, user=user, history=history, why=why)
        return list_of(self._post("/recommend", body, query=self._query()).body)

    def similar(
        self, item: Any, *, k: int = 10, allowed: Iterable[Any] | None = None,
        blocked: Iterable[Any] = (),
    ) -> Listed:  # fmt: skip
        """The items nearest to ``item``; parameters and errors as for :meth:`recommend`."""
        body = ask_of(Wanted(k, allowed, blocked), item=item)
        return list_of(self._post("/similar", body, query=self._query()).body)

    def because(
        self, item: Any, user: Any = None, *, history: Sequence[Any] | None = None
    ) -> list[tuple[Any, float]]:
        """The items met before that speak for ``item``, with shares; empty when none does."""
        one = self.recommend(user, history=history, k=1, allowed=[item], again=True, why=True)
        return list(one.because[0]) if one.because else []

    def interactions(self, told: Any) -> dict[str, int]:
        """Tell what users met: each has ``user`` and ``item``, and maybe ``at`` and ``weight``.

        ``told`` is a dict, a list of dicts, or a frame with these columns; one without a time is
        told as of now. Telling it again does no harm. Gives how many were accepted, how many
        count in lists from now on, and how many are of items that the model does not know.

        Raises
        ------
        UsageError : one cannot be used; none of its request were taken
        """
        given = incoming(told)
        if given.container in FRAMES:
            told = wire.as_polars(given).to_dicts()
        elif given.container == "record":
            told = [told]
        counts: Counter[str] = Counter(accepted=0, counted=0, unknown=0)

        def tell(start: int, stop: int) -> Any:
            return self._post("/interactions", met_body(told[start:stop]), safe=True).json()

        for part in self._in_parts(len(told), tell):
            counts.update(part)
        return dict(counts)

    def why(self, *, last: int | None = None) -> str:
        """The ledger in words, newest first; ``last`` decisions of it when given."""
        from everfit.faces.words.ledger import ledger_text  # few calls need it

        return Words(ledger_text(self._decisions(last)))

    def card(self) -> str:
        """The model card that was packed with the version that serves."""
        reply = self._get("/card", self._query(), accept="text/markdown")
        return Words(reply.body.decode())

    def __repr__(self) -> str:
        version = f" {self._asked}" if self._asked else ""
        return f"<everfit.Client {self._connection.url} model {self.name!r}{version}>"

    def _given(self, data: Any) -> Incoming:
        given = incoming(data)
        if given.container == "place":
            raise UsageError(
                "a file is not sent to a server", got=str(data)[:80],
                expected="a frame, a dict or a list of dicts", do="read it: polars.read_csv(...)",
            )  # fmt: skip
        return given

    def _answers(self, given: Incoming, *, explain: bool = False, warn: bool = True) -> Any:
        """Answers as a list of dicts, or as a Polars frame when the rows came in a frame."""
        if given.container in FRAMES:
            found = self._of_frame(wire.as_polars(given))
            odd = found["warnings"].filter(found["warnings"].list.len() > 0)
            each = odd.explode().to_frame().group_by("warnings", maintain_order=True).len()
            counts = dict(each.iter_rows())
        else:
            found = self._of_records(given, explain)
            counts = Counter(line for one in found for line in one["warnings"])
        if warn and counts:
            _warn(counts)
        return found

    def _of_records(self, given: Incoming, explain: bool) -> list[dict[str, Any]]:
        query = self._query() | ({"explain": "1"} if explain else {})
        if given.container == "record":
            return [self._post("/predict", wire.body_of(given.rows), query=query).json()]

        def ask(start: int, stop: int) -> Any:
            body = wire.body_of(given.rows[start:stop])
            return self._post("/predict", body, query=query).json()["predictions"]

        parts = self._in_parts(len(given.rows), ask, EXPLAINED if explain else None)
        return [answer for part in parts for answer in part]

    def _of_frame(self, frame: Any) -> Any:
        def ask(start: int, stop: int) -> Any:
            kind, body = wire.body_of_frame(frame[start:stop])
            reply = self._post("/predict", body, type=kind, accept=kind, query=self._query())
            return wire.frame_of(reply.type, reply.body)

        return wire.one_frame(self._in_parts(frame.height, ask))

    def _in_parts(
        self, n: int, ask: Callable[[int, int], T], at_once: int | None = None
    ) -> list[T]:
        """What ``ask(start, stop)`` gives for all of ``n`` rows, in as many parts as it takes."""
        found: list[T] = []
        start = 0
        while start < n:
            stop = min(start + (at_once or self._at_once), n)
            try:
                found.append(ask(start, stop))
                start = stop
            except TooLarge:
                if at_once is not None or stop - start <= wire.LEAST:
                    raise
                # what this server takes at once is found out once
                self._at_once = max((stop - start) // 4, wire.LEAST)
        return found

    def _version(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._get(f"/versions/{piece(self._asked or 'champion')}").json()
        return found

    def _decisions(self, last: int | None) -> list[Decision]:
        found: list[Decision] = []
        more, query = True, {"last": str(min(last or 1000, 1000))}
        while more and (last is None or len(found) < last):
            page = self._get("/ledger", query).json()
            found += [from_plain(Decision, one) for one in page["decisions"]]
            more = bool(page["more"]) and bool(found)
            query = query | ({"before": str(found[-1].id)} if found else {})
        return found[:last]

    def _problem(self) -> Mapping[str, Any]:
        """What is predicted; nothing for a token that may only predict."""
        if self._told is None:
            try:
                self._told = self._version()["problem"]
            except (Refused, UsageError):
                self._told = {}
        return self._told

    def _target(self) -> str:
        return str(self._problem().get("target", "prediction"))

    def _labels(self) -> list[Any]:
        problem = self._problem()
        labels = self._shares({wire.SHARES: problem.get("labels")})
        return typed_labels(labels, str(problem["label_type"]))

    def _shares(self, answers: Any) -> Any:
        names = getattr(answers, "columns", answers)
        found = answers[wire.SHARES] if wire.SHARES in names else None
        if found is None or not len(found):
            raise UsageError(
                f"{self.name!r} predicts numbers, which have no probabilities", do="use predict"
            )
        return found

    def _query(self) -> dict[str, str]:
        return {"version": self._asked} if self._asked else {}

    def _get(
        self, path: str, query: Mapping[str, str] | None = None, accept: str = wire.JSON
    ) -> Reply:
        path = f"/models/{piece(self.name)}{path}"
        return self._connection.send(Call("GET", path, query or {}, accept=accept, safe=True))

    def _post(
        self, path: str, body: bytes, *, type: str = wire.JSON, accept: str = wire.JSON,
        query: Mapping[str, str] | None = None, safe: bool = False,
    ) -> Reply:  # fmt: skip
        path = f"/models/{piece(self.name)}{path}"
        return self._connection.send(Call("POST", path, query or {}, body, type, accept, safe))


def _without_nothing(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a frame without the cells that are empty: a frame cannot leave one out."""
    return {name: value for name, value in row.items() if value is not None}


def _warn(counts: Mapping[str, int]) -> None:
    # few calls need them
    from everfit.faces.words.misfits import InputWarning, alike, row_lines, shortened

    # the line to blame is the first that is not ours, whether it came by the client or the model
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith(OURS):
        level, frame = level + 1, frame.f_back
    warnings.warn("; ".join(shortened(row_lines(alike(counts)))), InputWarning, stacklevel=level)
