"""The OpenAPI 3.1 description of everything that the server answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from everfit.faces.http import asks
from everfit.faces.http.components import FREE, WHOLE, Schema, maybe, record, ref, schemas
from everfit.faces.http.schema import ModelDescription, example_row, row_schema
from everfit.faces.version import version

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
MARKDOWN, PLAIN, BYTES = "text/markdown", "text/plain", "application/octet-stream"
EITHER = "read` or `predict"
SAMPLE = {"age": 41, "plan": "trial"}
SAMPLE_ID = "0650a5f0c1a2b3c4d5e6f0"
Bodies = Mapping[str, Mapping[str, Any]]
FAILED: Mapping[int, str] = {
    400: "the request cannot be read, or says what cannot be",
    401: "no token, or one that is not known or has expired",
    403: "a token without the scope for this",
    404: "no such model or version",
    405: "another method is meant for this path",
    408: "the request did not come in time",
    409: "refused: no champion, files that are not what was released, or a time in the future",
    413: "more bytes, rows or levels than one request may have",
    415: "a content type or encoding that is not understood",
    421: "a host that this server does not answer for",
    422: "the data cannot be used",
    431: "the head of the request is larger than any that is meant",
    429: "too many requests; the header Retry-After says when to come again",
    500: "the answer could not be written down, so that it is not given",
    503: "not ready: it starts, drains, or a part of it does not answer",
}
LARGEST = 10**15 - 1  # of what a query may have as a number
COMMON = (400, 401, 403, 408, 421, 429, 431, 500, 503)
OF_A_MODEL = (404, 409, 422)
OF_A_BODY = (413, 415)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``ok`` maps content types to schemas of the answer."""

    id: str
    summary: str
    tag: str
    scope: str
    ok: Mapping[str, Schema]
    about: str = ""
    query: tuple[Schema, ...] = ()
    body: Bodies | None = None
    failed: tuple[int, ...] = ()
    extra: Mapping[int, Schema] | None = None  # statuses whose body is no error


def description(
    models: Sequence[ModelDescription] = (), *, server_url: str, secured: bool = False
) -> dict[str, Any]:
    """The OpenAPI description of the port that answers clients.

    Parameters
    ----------
    models : those that are served; each gives a schema of its rows, called ``Row-NAME``
    server_url : where clients reach it, such as ``http://127.0.0.1:8321``
    secured : whether a token is needed

    Examples
    --------
    >>> description(server_url="http://127.0.0.1:8321")["openapi"]
    '3.1.0'
    """
    sample = example_row(models[0]) if models else SAMPLE
    name = models[0].name if models else "churn"
    known = {**schemas(), **asks.list_schemas(), **_rows(models)}
    paths = {**_predicting(sample), **_listing(), **_reading(), **_serving(), **_protocol(sample)}
    return _document("Everfit", server_url, paths, known, name, secured)


def operate_description(*, server_url: str) -> dict[str, Any]:
    """The OpenAPI description of the port that operates models, whose scope is ``operate``."""
    return _document("Everfit, operating", server_url, _operating(), schemas(), "churn", True)


def _document(
    title: str,
    server_url: str,
    paths: Mapping[str, Any],
    known: Mapping[str, Any],
    name: str,
    secured: bool,
) -> dict[str, Any]:
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "A token with the scope of the call. A server that listens on loopback "
        "alone may have none, and asks for none.",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version(),
            "description": "Predictions of released models, their outcomes, and why they serve.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server_url}],
        "security": [{"token": []}] if secured else [{}, {"token": []}],
        "tags": [{"name": tag} for tag in _tags(paths)],
        "paths": {
            path: {"parameters": _path_parameters(path, name), **methods}
            for path, methods in paths.items()
        },
        "components": {"schemas": dict(known), "securitySchemes": {"token": bearer}},
    }


def _predicting(sample: Mapping[str, Any]) -> dict[str, Any]:
    rows = {
        "one row": {"value": dict(sample)},
        "many rows": {"value": [dict(sample), {**sample, "_key": "customer-7"}]},
    }
    either = {"anyOf": [ref("Row"), ref("Rows")]}
    bodies: Bodies = {
        JSON: {"schema": either, "examples": rows},
        CSV: {"schema": {"type": "string"}, "example": _csv(sample)},
        ARROW: {"schema": {"type": "string", "format": "binary"}},
    }
    told = {
        "by id": {"value": {"id": SAMPLE_ID, "outcome": "yes"}},
        "by key": {"value": [{"key": "customer-7", "outcome": "no", "at": "2026-11-20T12:00:00Z"}]},
    }
    outcomes: Bodies = {
        JSON: {"schema": {"anyOf": [ref("Outcome"), ref("Outcomes")]}, "examples": told}
    }  # fmt: skip
    version_ = _query("version", {"type": "string"}, "answer with this version, such as v2")
    flags: Schema = {"type": "string", "enum": ["0", "1", "false", "true"]}
    explain = _query("explain", flags, "1: say why, by column")
    return {
        "/models/{name}/predict": {
            "post": _operation(
                Operation(
                    "predict", "Predict for one row or many", "predictions", "predict",
                    {JSON: {"anyOf": [ref("AnswerToOne"), ref("AnswerToMany")]}},
                    "One row gives one answer; a list, CSV or Arrow gives a list. Every prediction "
                    "is recorded before it is answered.",
                    (version_, explain), bodies, (*OF_A_MODEL, *OF_A_BODY),
                )
            )
        },
        "/models/{name}/outcomes": {
            "post": _operation(
                Operation(
                    "tell_outcomes", "Tell what turned out true", "outcomes", "outcomes",
                    {JSON: ref("OutcomesAnswer")},
                    "Answered after it is safe on disk. The same outcome twice counts once; of two "
                    "that differ the latest counts and both are kept.",
                    (), outcomes, (*OF_A_MODEL, *OF_A_BODY),
                )
            )
        },
    }  # fmt: skip


def _listing() -> dict[str, Any]:
    version_ = _query("version", {"type": "string"}, "answer with this version, such as v2")
    top: Bodies = {JSON: {"schema": ref("ListAsk"), "examples": asks.EXAMPLES}}
    near: Bodies = {JSON: {"schema": ref("NearAsk"), "example": asks.NEAR_EXAMPLE}}
    either = {"anyOf": [ref("Interaction"), ref("Interactions")]}
    met: Bodies = {JSON: {"schema": either, "examples": asks.MET_EXAMPLES}}
    bad, answer = (*OF_A_MODEL, *OF_A_BODY), {JSON: ref("ListAnswer")}
    made = {
        "recommend": Operation(
            "recommend", "List the best items for a user or a history", "lists", "predict", answer,
            "Who is not known gets what is popular, and `fallback` says so. Every list is recorded "
            "before it is answered.", (version_,), top, bad,
        ),
        "similar": Operation(
            "similar", "List the items near to one", "lists", "predict", answer,
            query=(version_,), body=near, failed=bad,
        ),
        "interactions": Operation(
            "tell_interactions", "Tell what users met", "lists", "outcomes",
            {JSON: ref("InteractionsAnswer")},
            "Answered after it is safe on disk. It counts in lists at once here, within a second "
            "in all workers, and without a refit; `unknown` are of items that the model does not "
            "know.", body=met, failed=bad,
        ),
    }  # fmt: skip
    return {f"/models/{{name}}/{act}": {"post": _operation(one)} for act, one in made.items()}


def _reading() -> dict[str, Any]:
    version_ = _query("version", {"type": "string"}, "such as v2; the champion without it")
    since = _query("since", {"type": "string", "format": "date-time"}, "count from then on")
    last = _query("last", {**WHOLE, "minimum": 1, "maximum": 1000}, "how many, 50 without it")
    ids = {**WHOLE, "minimum": 0, "maximum": LARGEST}
    before = _query("before", ids, "only those before this id; 0: all")
    one = "/models/{name}"
    told: tuple[tuple[str, str, str, Mapping[str, Schema], tuple[Schema, ...]], ...] = (
        ("/models", "list_models", "All models", {JSON: ref("Models")}, ()),
        (one, "get_model", "One model at a glance", {JSON: ref("Model")}, ()),
        (f"{one}/versions", "list_versions", "Its versions", {JSON: ref("Versions")}, ()),
        (f"{one}/versions/{{version}}", "get_version", "One version", {JSON: ref("Version")}, ()),
        (f"{one}/schema", "get_schema", "What a row holds", {JSON: ref("RowSchema")}, (version_,)),
        (f"{one}/card", "get_card", "Its card", {MARKDOWN: {"type": "string"}}, (version_,)),
        (f"{one}/ledger", "get_ledger", "Why it serves", {JSON: ref("Ledger")}, (last, before)),
        (f"{one}/traffic", "get_traffic", "Who answered", {JSON: ref("Traffic")}, (since,)),
    )
    return {
        path: {
            "get": _operation(
                Operation(name, words, "models", EITHER if name == "get_schema" else "read", ok,
                          query=query, failed=() if path == "/models" else OF_A_MODEL)
            )
        }
        for path, name, words, ok, query in told
    }  # fmt: skip


def _serving() -> dict[str, Any]:
    health = {JSON: ref("Health")}
    return {
        "/health": {
            "get": _operation(
                Operation("health", "Whether it can answer", "server", "", health,
                          extra={503: ref("Health")})
            )
        },
        "/metrics": {
            "get": _operation(
                Operation("metrics", "Counts and times for Prometheus", "server", "read",
                          {PLAIN: {"type": "string"}})
            )
        },
        "/openapi.json": {
            "get": _operation(
                Operation("openapi", "This description", "server", EITHER,
                          {JSON: {"type": "object"}})
            )
        },
    }  # fmt: skip


def _protocol(sample: Mapping[str, Any]) -> dict[str, Any]:
    def get(name: str, words: str, schema: str, **more: Any) -> dict[str, Any]:
        scope = "" if name in ("v2_live", "v2_ready") else EITHER
        one = Operation(name, words, "open inference protocol", scope, {JSON: ref(schema)}, **more)
        return {"get": _operation(one, "ProtocolError")}

    def infer(name: str) -> dict[str, Any]:
        example = {"inputs": [_tensor(key, value) for key, value in sample.items()]}
        # bytes are left out of the bodies: generators of clients stumble over a second type
        bodies: Bodies = {JSON: {"schema": ref("InferRequest"), "example": example}}
        one = Operation(
            name, "Predict for the rows of tensors", "open inference protocol", "predict",
            {JSON: ref("InferAnswer"), BYTES: {"type": "string", "format": "binary"}},
            "One tensor of shape [n] or [n, 1] for each column; null is missing. Binary data as "
            "Triton's clients send them are taken too, as application/octet-stream: the header "
            "Inference-Header-Content-Length tells the length of the JSON before them.",
            body=bodies, failed=(*OF_A_MODEL, *OF_A_BODY),
        )  # fmt: skip
        return {"post": _operation(one, "ProtocolError")}

    model, version_ = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    ready = {"extra": {503: ref("ServerReady")}}
    model_ready = {"failed": OF_A_MODEL, "extra": {503: ref("ModelReady")}}
    return {
        "/v2": get("v2_server", "The server", "ServerMetadata"),
        "/v2/health/live": get("v2_live", "Whether it lives", "ServerLive"),
        "/v2/health/ready": get("v2_ready", "Whether all models answer", "ServerReady", **ready),
        "/v2/models": get("v2_models", "Names of models", "ModelList"),
        model: get("v2_model", "Tensors of a model", "ModelMetadata", failed=OF_A_MODEL),
        f"{model}/ready": get("v2_model_ready", "Ready?", "ModelReady", **model_ready),
        f"{model}/infer": infer("v2_infer"),
        version_: get("v2_version", "Tensors of a version", "ModelMetadata", failed=OF_A_MODEL),
        f"{version_}/ready": get("v2_version_ready", "Ready?", "ModelReady", **model_ready),
        f"{version_}/infer": infer("v2_version_infer"),
    }  # fmt: skip


def _operating() -> dict[str, Any]:
    reason = {"type": "string", "maxLength": 2000, "description": "why, for the ledger"}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    named: Schema = {"type": "string", "minLength": 1, "examples": ["v3"]}
    key = {"type": ["string", "number"], "minLength": 1}
    acts: Mapping[str, tuple[str, Schema, list[str]]] = {
        "promote": ("Make a version the champion", {"version": named}, ["version"]),
        "rollback": ("Make an earlier version the champion again", {"to": maybe(named)}, []),
        "canary": (
            "Let a version answer a share of keys; share 0 ends it",
            {"version": maybe(named), "share": share, "holdout": maybe(share)}, ["share"],
        ),
        "shadow": (
            "Let a version answer the same requests unseen; null ends it",
            {"version": maybe(named)}, ["version"],
        ),
        "forget": ("Remove one key's rows from the record", {"key": key}, ["key"]),
    }  # fmt: skip
    made: dict[str, Any] = {}
    for act, (words, properties, needs) in acts.items():
        forgets = act == "forget"
        schema: Schema = {
            "type": "object",
            "properties": properties if forgets else {**properties, "reason": reason},
            "additionalProperties": False,
        }
        schema |= {"required": needs} if needs else {}
        told = {"forgotten": FREE} if forgets else {"decision": ref("Decision")}
        one = Operation(
            act, words, "operating", "operate", {JSON: record(told)},
            body={JSON: {"schema": schema}}, failed=(*OF_A_MODEL, *OF_A_BODY),
        )  # fmt: skip
        made[f"/models/{{name}}/{act}"] = {"post": _operation(one)}
    watch = (("/health", "How workers, log and models are"), ("/openapi.json", "This description"))
    for path, words in watch:
        free = Operation(path[1:].partition(".")[0], words, "server", "", {JSON: FREE})
        made[path] = {"get": _operation(free)}
    return made


def _operation(one: Operation, error: str = "Error") -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": one.id, "summary": one.summary, "tags": [one.tag]}
    needs = f"Needs the scope `{one.scope}`." if one.scope else "Needs no token."
    made["description"] = f"{one.about} {needs}".strip()
    if not one.scope:
        made["security"] = []
    if one.query:
        made["parameters"] = list(one.query)
    if one.body is not None:
        made["requestBody"] = {"required": True, "content": dict(one.body)}
    answered = {kind: {"schema": schema} for kind, schema in one.ok.items()}
    made["responses"] = {"200": {"description": "answered", "content": answered}}
    bad = {JSON: {"schema": ref(error)}}
    for status in sorted({*COMMON, *one.failed}):
        content = bad
        if status in (one.extra or {}):
            content = {JSON: {"schema": {"anyOf": [(one.extra or {})[status], ref(error)]}}}
        made["responses"][str(status)] = {"description": FAILED[status], "content": content}
    return made


def _path_parameters(path: str, name: str) -> list[dict[str, Any]]:
    examples = {"name": (name, "name of the model"), "version": ("v1", "v1, champion, previous")}
    return [
        {"name": one, "in": "path", "required": True, "description": about, "example": example,
         "schema": {"type": "string", "minLength": 1}}
        for one, (example, about) in examples.items()
        if f"{{{one}}}" in path
    ]  # fmt: skip


def _query(name: str, schema: Schema, about: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}


def _rows(models: Sequence[ModelDescription]) -> dict[str, Any]:
    made = {}
    for one in models:
        schema = row_schema(one)
        del schema["$schema"]  # that of the document holds
        # generators name a class after the title, which must not change with the version
        made[f"Row-{one.name}"] = schema | {"title": f"Row of {one.name}"}
    return made


def _tensor(name: str, value: Any) -> dict[str, Any]:
    kind = {bool: "BOOL", int: "FP64", float: "FP64"}.get(type(value), "BYTES")
    return {"name": name, "shape": [1], "datatype": kind, "data": [value]}


def _csv(sample: Mapping[str, Any]) -> str:
    import csv  # few ask for the description
    import io

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([list(sample), ["" if v is None else v for v in sample.values()]])
    return text.getvalue()


def _tags(paths: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(tag for path in paths.values() for m in path.values()
                              for tag in m["tags"]))  # fmt: skip
