"""The paths that are answered, and how a request finds its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from everfit.errors import near
from everfit.faces.http.errors import MethodUnknown, RouteUnknown
from everfit.faces.http.machine.state import State
from everfit.faces.http.routes import lists, protocol, rows, told, watch
from everfit.faces.http.routes.request import Reply, Request

Handler = Callable[[State, Request], Awaitable[Reply]]
READ, PREDICT = ("read",), ("predict",)
EITHER = ("read", "predict")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. ``scopes`` are those of which a token needs one."""

    method: str
    path: str
    scopes: tuple[str, ...]
    handler: Handler

    @property
    def protocol(self) -> bool:
        """Whether it belongs to the Open Inference Protocol, which writes errors its own way."""
        return self.path.startswith("/v2")


_MODEL, _V2 = "/models/{model}", "/v2/models/{model}"
_V2V = "/v2/models/{model}/versions/{version}"
ROUTES = (
    Route("POST", f"{_MODEL}/predict", PREDICT, rows.predict),
    Route("POST", f"{_MODEL}/outcomes", ("outcomes",), rows.outcomes),
    Route("POST", f"{_MODEL}/recommend", PREDICT, lists.recommend),
    Route("POST", f"{_MODEL}/similar", PREDICT, lists.similar),
    Route("POST", f"{_MODEL}/interactions", ("outcomes",), lists.interactions),
    Route("GET", "/models", READ, told.models),
    Route("GET", _MODEL, READ, told.model),
    Route("GET", f"{_MODEL}/versions", READ, told.versions),
    Route("GET", f"{_MODEL}/versions/{{version}}", READ, told.version),
    Route("GET", f"{_MODEL}/schema", EITHER, told.schema),
    Route("GET", f"{_MODEL}/card", READ, told.card),
    Route("GET", f"{_MODEL}/ledger", READ, told.ledger),
    Route("GET", f"{_MODEL}/traffic", READ, told.traffic),
    Route("GET", "/health", (), watch.health),
    Route("GET", "/metrics", READ, watch.metrics),
    Route("GET", "/openapi.json", EITHER, watch.openapi),
    Route("GET", "/v2", EITHER, protocol.server),
    Route("GET", "/v2/health/live", (), protocol.live),
    Route("GET", "/v2/health/ready", (), protocol.ready),
    Route("GET", "/v2/models", EITHER, protocol.models),
    Route("GET", _V2, EITHER, protocol.metadata),
    Route("GET", _V2V, EITHER, protocol.metadata),
    Route("GET", f"{_V2}/ready", EITHER, protocol.model_ready),
    Route("GET", f"{_V2V}/ready", EITHER, protocol.model_ready),
    Route("POST", f"{_V2}/infer", PREDICT, protocol.infer),
    Route("POST", f"{_V2V}/infer", PREDICT, protocol.infer),
)
UNKNOWN = Route("", "none", (), watch.health)  # where requests for no route are counted


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """The route of a request, and the parts of its path that are not fixed.

    Raises
    ------
    RouteUnknown : there is no such path
    MethodUnknown : the path has other methods

    Examples
    --------
    >>> route, names = find("GET", "/models/churn/card")
    >>> route.path, names
    ('/models/{model}/card', {'model': 'churn'})
    """
    parts = path.split("/")
    method = "GET" if method == "HEAD" else method
    allowed = []
    for route in ROUTES:
        names = _fit(route.path.split("/"), parts)
        if names is None:
            continue
        if route.method == method:
            return route, names
        allowed.append(route.method)
    if allowed:
        raise MethodUnknown(
            f"{path[:80]} does not take this method", got=method[:20],
            expected=", ".join(sorted(set(allowed))), do="see /openapi.json",
        )  # fmt: skip
    like = near(path, {route.path for route in ROUTES}) if len(path) > 1 else ""
    raise RouteUnknown(
        f"there is no path {path[:80]!r}", got=f"{method[:20]} {path[:80]}",
        expected="a path that /openapi.json describes",
        do=f"did you mean {like}?" if like else "see /openapi.json",
    )  # fmt: skip


def _fit(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    names = {}
    for want, have in zip(pattern, parts, strict=True):
        if want.startswith("{") and have:
            names[want[1:-1]] = have
        elif want != have:
            return None
    return names
