"""The bodies of the HTTP interface as JSON Schema: what goes in, and what comes out."""

from __future__ import annotations

from typing import Any

from everfit.faces.http.oip import SHAPES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
FREE: Schema = {"type": "object", "additionalProperties": True}
SINGLE: Schema = {"type": ["string", "number", "boolean"]}
KEY: Schema = {"type": ["string", "number"]}
MOMENT: Schema = {"type": "string", "format": "date-time"}
VERSION: Schema = {"type": "string", "examples": ["v3"]}
ENDS: Schema = {
    "type": ["array", "null"], "items": NUMBER, "minItems": 2, "maxItems": 2,
    "description": "95% range: of the outcome for a number, of the probability of what was "
    "predicted for a label; null for a version without ranges",
}  # fmt: skip
ARMS = ["champion", "canary", "holdout", "shadow", "direct"]


def ref(name: str) -> Schema:
    """A pointer to one of the schemas.

    Examples
    --------
    >>> ref("Error")
    {'$ref': '#/components/schemas/Error'}
    """
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """All schemas by name."""
    return {**_errors(), **_predictions(), **_outcomes(), **_models(), **_ledger(), **_protocol()}


def record(
    properties: dict[str, Schema], *, needs: list[str] | None = None, about: str = ""
) -> Schema:
    """An object with these properties, all of them there unless ``needs`` says which."""
    made: Schema = {"type": "object", "properties": properties}
    needed = list(properties) if needs is None else needs
    if needed:
        made["required"] = needed
    return made | ({"description": about} if about else {})


def listed(item: Schema) -> Schema:
    """A list of ``item``."""
    return {"type": "array", "items": item}


def maybe(item: Schema) -> Schema:
    """``item`` or null."""
    if "$ref" in item:
        return {"anyOf": [item, {"type": "null"}]}
    kinds = item["type"] if isinstance(item["type"], list) else [item["type"]]
    return item | {"type": [*kinds, "null"]}


def _errors() -> dict[str, Schema]:
    parts = {
        "code": {"type": "string", "description": "name of the error's class"},
        "message": {"type": "string", "description": "what is wrong, with its place"},
        "got": TEXT,
        "expected": TEXT,
        "do": {"type": "string", "description": "what to do about it"},
    }
    return {
        "Error": record({"error": record(parts)}, about="Every error but those below /v2."),
        "ProtocolError": record({"error": TEXT}, about="Every error below /v2."),
    }


def _predictions() -> dict[str, Schema]:
    contribution = record(
        {"column": TEXT, "value": {}, "contribution": NUMBER, "se": maybe(NUMBER)},
        needs=["column", "contribution"],
    )
    answer = {
        "id": {"type": "string", "description": "name it when the outcome is known"},
        "prediction": {**SINGLE, "description": "the label or the number"},
        "probabilities": {
            "type": "object", "additionalProperties": NUMBER,
            "description": "by label; not there for a model that predicts numbers",
        },
        "range": ENDS,
        "version": VERSION,
        "arm": {"type": "string", "enum": ARMS},
        "warnings": {**listed(TEXT), "description": "what was odd about the row"},
        "contributions": ref("Contributions"),
    }  # fmt: skip
    needs = ["id", "prediction", "range", "version", "arm", "warnings"]
    return {
        "Row": {
            "type": "object",
            "description": "One row: columns to values; GET /models/{name}/schema says which. Null "
            "and what is absent count as missing. A value that does not fit is answered with a "
            "warning; a list or an object under a name that is no column is refused.",
            "properties": {"_key": {**maybe(KEY), "description": "what or whom the row is about"}},
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        },
        "Rows": listed(ref("Row")),
        "Contributions": record(
            {"of": SINGLE, "base": NUMBER, "columns": listed(ref("Contribution"))},
            needs=["base", "columns"],
            about="How the columns moved the answer away from the base; the largest first.",
        ),
        "Contribution": contribution,
        "Answer": record(answer, needs=needs, about="The answer to one row among many."),
        "AnswerToOne": record(
            {"model": TEXT, **answer}, needs=["model", *needs], about="The answer to one row."
        ),
        "AnswerToMany": record(
            {"model": TEXT, "version": VERSION, "predictions": listed(ref("Answer"))},
            about="Answers in the order of the rows; under a canary their versions may differ.",
        ),
    }


def _outcomes() -> dict[str, Schema]:
    by = {
        "id": {"type": "string", "minLength": 1, "description": "of the prediction"},
        "key": {**KEY, "minLength": 1,
                "description": "what or whom it is about: its latest prediction is meant"},
    }  # fmt: skip
    told = {
        "outcome": {**SINGLE, "description": "what turned out true"},
        "at": {**maybe(MOMENT), "description": "when it did, with its zone; now, when absent"},
    }
    by_id, by_key = (
        record({name: by[name], **told}, needs=[name, "outcome"]) | {"additionalProperties": False}
        for name in by
    )
    states = ["counted", "repeated", "replaced", "unknown", "waiting", "strange"]
    state = {
        "id": maybe(TEXT), "key": maybe(KEY), "state": {"type": "string", "enum": states}
    }  # fmt: skip
    counts = dict.fromkeys(("accepted", *states), WHOLE)
    return {
        "OutcomeById": by_id,
        "OutcomeByKey": by_key,
        "Outcome": {"oneOf": [ref("OutcomeById"), ref("OutcomeByKey")]},
        "Outcomes": listed(ref("Outcome")),
        "OutcomesAnswer": record({**counts, "outcomes": listed(record(state, needs=["state"]))}),
    }


def _models() -> dict[str, Schema]:
    interval = {"low": maybe(NUMBER), "mid": maybe(NUMBER), "high": maybe(NUMBER), "n": WHOLE}
    score = {"metric": TEXT, **interval, "level": NUMBER}
    last = record({"id": WHOLE, "kind": TEXT, "headline": TEXT, "at": MOMENT})
    common = {
        "name": TEXT,
        "state": TEXT,
        "runs": WHOLE,
        "last_decision": maybe(ref("LastDecision")),
    }
    version = {
        "model": TEXT, "version": VERSION, "state": TEXT, "candidate": TEXT, "run": TEXT,
        "created_at": MOMENT, "sha256": TEXT, "speaks_of": TEXT, "score": ref("Score"),
        "problem": FREE,
    }  # fmt: skip
    arm = {
        "arm": {"type": "string", "enum": ARMS}, "version": maybe(TEXT), "asked": maybe(NUMBER),
        "keys": WHOLE, "seen": maybe(NUMBER),
    }  # fmt: skip
    ratio = {"p": NUMBER, "log_e": maybe(NUMBER), "alpha": NUMBER, "broken": FLAG, "keys": WHOLE}
    traffic = {
        "model": TEXT, "since": maybe(MOMENT), "arms": listed(record(arm)),
        "direct": {**WHOLE, "description": "keys whose requests named their version"},
        "shadow": maybe(TEXT), "sample_ratio": maybe(ref("SampleRatio")),
    }  # fmt: skip
    health = {
        "status": {"type": "string", "enum": ["ok", "degraded", "unavailable"]},
        "reasons": listed(TEXT), "everfit": TEXT,
        "models": {"type": "object", "additionalProperties": TEXT},
    }  # fmt: skip
    return {
        "LastDecision": last,
        "Score": record(score, needs=["metric", "low", "mid", "high"]),
        "ModelSummary": record({**common, "champion": maybe(TEXT)}),
        "Models": record({"models": listed(ref("ModelSummary"))}),
        "Model": record({**common, "champion": maybe(ref("Version"))}),
        "Version": record(version),
        "Versions": record({"model": TEXT, "versions": listed(ref("Version"))}),
        "SampleRatio": record(
            ratio, about="Whether the arms got the shares of keys that were asked for."
        ),
        "Traffic": record(traffic),
        "Health": record(health, about="`ok` when every model can answer and is recorded."),
        "RowSchema": {**FREE, "description": "JSON Schema of one row of this model"},
    }


def _ledger() -> dict[str, Schema]:
    because = {
        "rule": TEXT, "passed": maybe(FLAG), "measured": maybe(NUMBER), "low": maybe(NUMBER),
        "high": maybe(NUMBER), "n": WHOLE, "limit": maybe(NUMBER), "limit_by": TEXT, "unit": TEXT,
        "note": TEXT,
    }  # fmt: skip
    decision = {
        "id": WHOLE, "model": TEXT, "kind": TEXT, "headline": TEXT, "at": MOMENT, "by": TEXT,
        "version": TEXT, "run": TEXT, "because": listed(ref("Because")),
        "also_checked": listed(ref("Because")), "not_done": listed(TEXT), "would_change": TEXT,
        "undo": TEXT,
    }  # fmt: skip
    more = {**FLAG, "description": "whether there are older ones"}
    return {
        "Because": record(because),
        "Decision": record(decision),
        "Ledger": record({"model": TEXT, "decisions": listed(ref("Decision")), "more": more}),
    }


def _protocol() -> dict[str, Schema]:
    parameters = {"type": "object", "additionalProperties": SINGLE}
    shape = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
    datatypes = ["BOOL", "BYTES", "FP16", "FP32", "FP64"]
    datatypes += [f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)]
    values = {"type": "array", "items": {}}
    tensor = {
        "name": {**TEXT, "minLength": 1}, "shape": shape,
        "datatype": {"type": "string", "enum": sorted(datatypes)},
        "parameters": maybe(parameters), "data": values,
    }  # fmt: skip
    needs = ["name", "shape", "datatype", "data"]
    output = {"type": "string", "enum": list(SHAPES)}
    wanted = record({"name": output, "parameters": maybe(parameters)}, needs=["name"])
    described = record(
        {"name": TEXT, "datatype": TEXT, "shape": listed(WHOLE), "parameters": parameters},
        needs=["name", "datatype", "shape"],
    )
    request = {
        "id": maybe(TEXT), "parameters": maybe(parameters),
        "inputs": {**listed(ref("Tensor")), "minItems": 1}, "outputs": maybe(listed(wanted)),
    }  # fmt: skip
    answer = {
        "model_name": TEXT, "model_version": TEXT, "id": TEXT, "parameters": parameters,
        "outputs": listed(ref("Tensor")),
    }  # fmt: skip
    metadata = {
        "name": TEXT, "versions": listed(TEXT), "platform": TEXT,
        "inputs": listed(ref("TensorMetadata")), "outputs": listed(ref("TensorMetadata")),
    }  # fmt: skip
    return {
        "Tensor": record(tensor, needs=needs, about="One column, or one output; null is missing."),
        "TensorMetadata": described,
        "InferRequest": record(request, needs=["inputs"]),
        "InferAnswer": record(answer, needs=["model_name", "outputs"]),
        "ModelMetadata": record(metadata),
        "ServerMetadata": record({"name": TEXT, "version": TEXT, "extensions": listed(TEXT)}),
        "ServerLive": record({"live": FLAG}),
        "ServerReady": record({"live": FLAG, "ready": FLAG}),
        "ModelReady": record({"name": TEXT, "ready": FLAG}),
        "ModelList": record({"models": listed(TEXT)}),
    }
