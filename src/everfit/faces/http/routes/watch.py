"""What machines ask: health, counters, and the description of everything."""

from __future__ import annotations

from pathlib import Path

from everfit.faces.http.machine.state import State
from everfit.faces.http.routes.request import Reply, Request, as_json
from everfit.faces.http.routes.told import described
from everfit.faces.http.telemetry.metrics import CONTENT_TYPE
from everfit.faces.version import version
from everfit.live.desk.slots import read_all


async def health(state: State, request: Request) -> Reply:
    """``GET /health``: ok, degraded or unavailable, and why.

    Degraded: all that is asked is answered, by what was good before, or what is answered cannot be
    recorded. Unavailable (503): a model has no version that answers, or this worker is ending.
    """
    request.options()
    served = state.desk.models()
    reasons, unready = state.reasons(), state.unready()
    status = "degraded" if reasons else "ok"
    if unready or state.draining or not served:
        status = "unavailable"
        reasons += ["the server is ending"] if state.draining else []
        reasons += ["no model has a champion yet"] if not served and not unready else []
    body = {
        "status": status, "reasons": reasons, "everfit": version(),
        "models": {name: one.champion.version for name, one in sorted(served.items())},
    }  # fmt: skip
    return as_json(body, 503 if status == "unavailable" else 200)


async def metrics(state: State, request: Request) -> Reply:
    """``GET /metrics``: the sums over all workers."""
    request.options()
    folder = state.serving.metrics
    numbers = state.desk.slots.read() if folder is None else read_all(Path(folder))
    return Reply(state.metrics.text(numbers), type=CONTENT_TYPE)


async def openapi(state: State, request: Request) -> Reply:
    """``GET /openapi.json``."""
    from everfit.faces.http.openapi import description  # few ask for it

    request.options()
    models = [described(state, name) for name in sorted(state.desk.row_models)]
    host = request.headers.get(b"host", b"localhost").decode("latin-1")
    required = state.door.required
    return as_json(description(models, server_url=f"http://{host}", secured=required))
