"""The Open Inference Protocol, version 2: KServe's and Triton's clients work unchanged."""

from __future__ import annotations

from everfit.errors import ModelUnknown
from everfit.faces.http import oip
from everfit.faces.http.machine.remember import remember
from everfit.faces.http.machine.state import State
from everfit.faces.http.routes.request import Reply, Request, as_json
from everfit.faces.http.routes.rows import JSON, unknown_type
from everfit.faces.http.routes.told import described
from everfit.faces.version import version
from everfit.live.desk.lane import encode
from everfit.live.desk.limits import check_rows
from everfit.live.desk.rows import decoded

BINARY = b"application/octet-stream"
LENGTH = b"inference-header-content-length"


async def server(state: State, request: Request) -> Reply:
    """``GET /v2``."""
    return as_json(oip.server_metadata(version()))


async def live(state: State, request: Request) -> Reply:
    """``GET /v2/health/live``: this process can answer."""
    return as_json(oip.server_live())


async def ready(state: State, request: Request) -> Reply:
    """``GET /v2/health/ready``: every model that was ordered answers; 503 when not."""
    good = bool(state.desk.models()) and not state.unready() and not state.draining
    return as_json(oip.server_ready(good), 200 if good else 503)


async def models(state: State, request: Request) -> Reply:
    """``GET /v2/models``."""
    return as_json(oip.model_list(sorted(state.desk.row_models)))


async def metadata(state: State, request: Request) -> Reply:
    """``GET /v2/models/{model}[/versions/{version}]``."""
    name, number = request.names["model"], request.names.get("version")
    found = described(state, name, number)
    numbers = list(state.desk.served(name).direct) if number is None else [found.version]
    return as_json(oip.model_metadata(found, numbers))


async def model_ready(state: State, request: Request) -> Reply:
    """``GET /v2/models/{model}[/versions/{version}]/ready``."""
    name, number = request.names["model"], request.names.get("version")
    try:
        described(state, name, number)
    except ModelUnknown:
        if name in state.unready():
            return as_json(oip.model_ready(name, False), 503)
        raise
    return as_json(oip.model_ready(name))


async def infer(state: State, request: Request) -> Reply:
    """``POST /v2/models/{model}[/versions/{version}]/infer``."""
    name, number = request.names["model"], request.names.get("version")
    found = described(state, name, number)
    length = request.headers.get(LENGTH)
    if request.type not in JSON and request.type != BINARY:
        raise unknown_type(request.type, "application/json or application/octet-stream")
    body = await request.read()
    limits = state.serving.limits

    def parsed() -> oip.Request:
        told = None if length is None else length.decode("latin-1")
        asked = oip.parsed(body, told, lambda head: decoded(head, limits))
        check_rows(len(asked.rows), limits)
        return asked

    def answered() -> tuple[bytes, int | None]:
        answers = state.desk.predict_rows(name, asked.rows, version=number, memory=memory)
        return oip.written(oip.response(asked, answers, found, found.version), encode)

    large = len(body) > limits.aside_bytes
    asked = await state.aside(parsed) if large else parsed()
    memory = await remember(state, name, asked.rows)
    answer, json_bytes = await state.aside(answered) if large else answered()
    await state.written()
    if json_bytes is None:
        return Reply(answer)
    return Reply(answer, type=BINARY, headers=[(LENGTH, b"%d" % json_bytes)])
