"""Lists, and what was met since the model was fitted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from everfit.faces.http.machine.state import State
from everfit.faces.http.routes.request import Reply, Request, as_json
from everfit.faces.http.routes.rows import JSON, unknown_type


async def recommend(state: State, request: Request) -> Reply:
    """``POST /models/{model}/recommend``."""
    options = request.options("version")
    state.desk.listed(request.names["model"])
    answer = partial(state.desk.listing.recommend, request.names["model"])
    return await _listed(state, request, partial(answer, version=options.get("version")))


async def similar(state: State, request: Request) -> Reply:
    """``POST /models/{model}/similar``."""
    options = request.options("version")
    state.desk.listed(request.names["model"])
    answer = partial(state.desk.listing.similar, request.names["model"])
    return await _listed(state, request, partial(answer, version=options.get("version")))


async def interactions(state: State, request: Request) -> Reply:
    """``POST /models/{model}/interactions``: answered when they are on the disk."""
    request.options()
    model = request.names["model"]
    state.desk.listed(model)
    _only_json(request)
    body = await request.read()
    work = partial(state.desk.listing.interactions, model, body)
    large = len(body) > state.serving.limits.aside_bytes
    told = await state.aside(work) if large else work()
    if told["accepted"]:
        await state.durable.now()
        state.metrics.add("everfit_interactions_total", told["accepted"], model=model)
    return as_json(told)


async def _listed(state: State, request: Request, answer: Callable[[bytes], bytes]) -> Reply:
    _only_json(request)
    body = await request.read()
    large = len(body) > state.serving.limits.aside_bytes
    made = await state.aside(partial(answer, body)) if large else answer(body)
    await state.written()
    return Reply(made)


def _only_json(request: Request) -> None:
    if request.type not in JSON:
        raise unknown_type(request.type, "application/json")
