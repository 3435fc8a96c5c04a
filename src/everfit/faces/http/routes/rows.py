"""Predictions and outcomes that do not go the fast way: other shapes, large, explained."""

from __future__ import annotations

from functools import partial

from everfit.errors import Unreachable
from everfit.faces.http.errors import TypeUnknown
from everfit.faces.http.machine.remember import remember
from everfit.faces.http.machine.state import State
from everfit.faces.http.routes import arrow, csvs
from everfit.faces.http.routes.request import Reply, Request, flag
from everfit.live.desk.lane import Predicted, encode
from everfit.live.desk.rows import Row, rows_of

JSON = frozenset((b"", b"application/json"))
JOIN_S = 0.5  # an outcome is safe already: its sender does not wait long for what became of it


async def predict(state: State, request: Request) -> Reply:
    """``POST /models/{model}/predict``."""
    options = request.options("version", "explain")
    model, version = request.names["model"], options.get("version")
    explain = flag(options, "explain")
    served = state.desk.served(model)
    lane = served.champion if version is None else state.desk.lane(model, version)
    kind = request.type
    if kind not in JSON and kind not in (csvs.TYPE, arrow.TYPE):
        raise unknown_type(kind)
    as_arrow = arrow.TYPE in request.headers.get(b"accept", b"")
    body = await request.read()
    if kind in JSON and not as_arrow:
        large = explain or len(body) > state.serving.limits.aside_bytes
        memory = None
        if served.reads is not None:
            sent = rows_of(body, state.serving.limits)
            memory = await remember(state, model, sent if isinstance(sent, list) else [sent])
        work = partial(
            state.desk.predict, model, body, version=version, explain=explain, memory=memory
        )
        answer = await state.aside(work) if large else work()
        await state.written()
        return Reply(answer)
    limits = state.serving.limits

    def parsed() -> list[Row]:
        if kind == csvs.TYPE:
            return csvs.csv_rows(body, lane.opened.scorer.columns, limits)
        if kind == arrow.TYPE:
            return arrow.arrow_rows(body, limits)
        found = rows_of(body, limits)
        return found if isinstance(found, list) else [found]

    def answered() -> bytes:
        made: list[Predicted] = state.desk.predict_rows(
            model, rows, version=version, explain=explain, memory=memory
        )
        if as_arrow:
            return arrow.arrow_answer(made)
        return encode({"model": model, "version": lane.version, "predictions": made})

    rows = await state.aside(parsed)
    memory = await remember(state, model, rows)
    answer = await state.aside(answered)
    await state.written()
    return Reply(answer, type=arrow.TYPE) if as_arrow else Reply(answer)


async def outcomes(state: State, request: Request) -> Reply:
    """``POST /models/{model}/outcomes``: answered when they are on the disk."""
    request.options()
    model = request.names["model"]
    state.desk.known(model)
    if request.type not in JSON:
        raise unknown_type(request.type, "application/json")
    body = await request.read()
    work = partial(state.desk.outcomes, model, body)
    found = await state.aside(work) if len(body) > state.serving.limits.aside_bytes else work()
    if not found.rows:
        return Reply(found.told({}))
    await state.durable.now()
    state.metrics.add("everfit_outcomes_total", len(found.rows), model=model)
    states: dict[str, str] = {}
    try:
        args = {"model": model, "receipts": list(found.receipts)}
        status, told = await state.link.ask("outcomes", args, wait_s=JOIN_S)
        states = told["states"] if status == 200 else {}
    except Unreachable:
        pass  # they wait in the spool, which the answer says
    return Reply(found.told(states))


def unknown_type(kind: bytes, expected: str = "") -> TypeUnknown:
    """The refusal of a content type."""
    known = expected or f"application/json, {csvs.TYPE.decode()} or {arrow.TYPE.decode()}"
    return TypeUnknown(
        "the body has a content type that cannot be read", got=kind.decode("latin-1")[:80],
        expected=known, do="send JSON with Content-Type: application/json",
    )  # fmt: skip
