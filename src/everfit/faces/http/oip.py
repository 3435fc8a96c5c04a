"""The Open Inference Protocol, version 2, for tables: one tensor for each column.

The protocol has no word for missing. Here JSON ``null`` stands for it, which ``GET /v2`` says in
its extensions; in binary data it is NaN, or an empty text. Binary tensors are those of Triton's
clients: after the JSON, whose length the header ``Inference-Header-Content-Length`` tells, come the
values, little-endian, each text after its length in four bytes.

References
----------
.. [1] KServe, Open Inference Protocol, specification/protocol/inference_rest.md
.. [2] Triton Inference Server, docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from everfit.errors import EverfitError, UsageError, near
from everfit.faces.http import tensors
from everfit.faces.http.schema import ModelDescription

EXTENSIONS = ("x-null-values", "binary_tensor_data")
HEADER = "inference-header-content-length"
PLATFORM = "everfit"
DATATYPES = {"number": "FP64", "boolean": "BOOL"}  # of a column; all other kinds are BYTES
SHAPES: Mapping[str, tuple[int, ...]] = {
    "prediction": (), "probabilities": (-1,), "range": (2,), "id": (), "version": (), "arm": (),
    "warnings": (),
}  # fmt: skip
UNASKED = ("prediction", "probabilities", "range", "id")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One output that a client asked for, and whether it comes as binary data."""

    name: str
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: rows, an id to be echoed, and outputs; None of them for the usual ones."""

    rows: list[dict[str, Any]]
    id: str | None = None
    wanted: tuple[Wanted, ...] | None = None
    binary: bool = False


class Answered(Protocol):
    """One answer, as ``POST /models/{name}/predict`` gives it."""

    id: str
    prediction: Any
    probabilities: Any  # a dict from label to share, in the order of the labels, where there is one
    range: tuple[float, float] | None
    version: str
    arm: str
    warnings: Sequence[str]


def parsed(body: bytes, header_length: str | None, decode: Callable[[bytes], Any]) -> Request:
    """The request in the body of ``POST /v2/models/{name}/infer``.

    Parameters
    ----------
    header_length : the header ``Inference-Header-Content-Length``, None without one
    decode : reads JSON

    Raises
    ------
    UsageError : it is not what the protocol says; names the tensor
    """
    head, tail = body, b""
    if header_length is not None:
        if not header_length.isascii() or not header_length.isdigit():
            raise _bad(f"the header {HEADER} is no number of bytes", got=repr(header_length[:40]))
        cut = int(header_length[:20])
        if cut > len(body):
            raise _bad(f"the header {HEADER} is longer than the body", got=f"{cut} bytes")
        head, tail = body[:cut], body[cut:]
    try:
        plain = decode(head)
    except (ValueError, RecursionError) as error:
        raise _bad("the body is no JSON", got=str(error)[:200]) from error
    if not isinstance(plain, Mapping):
        raise _bad("the body is no JSON object", got=type(plain).__name__)
    name = plain.get("id")
    if name is not None and not isinstance(name, str):
        raise _bad("'id' is no text", got=repr(name)[:80])
    given = _parameters(plain, "the request")
    binary = given.get("binary_data_output", False)
    return Request(rows_of(plain, tail), name, _wanted(plain, binary is True), binary is True)


def rows_of(request: Mapping[str, Any], tail: bytes = b"") -> list[dict[str, Any]]:
    """The rows in the tensors of a request; ``tail`` is its binary data.

    A tensor has the shape ``[n]`` or ``[n, 1]``. One that is called ``_key`` says what each row is
    about. Names that the model does not know are kept: it is the model's matter to say so.

    Raises
    ------
    UsageError : a tensor is not what its shape and datatype say, or they differ in length

    Examples
    --------
    >>> age = {"name": "age", "shape": [2], "datatype": "FP64", "data": [41.0, None]}
    >>> rows_of({"inputs": [age]})
    [{'age': 41.0}, {'age': None}]
    """
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise _bad(
            "a request has 'inputs'",
            got=f"{type(inputs).__name__}, {len(inputs or ())} of them"
            if isinstance(inputs, list) else type(inputs).__name__,
            expected="a list with one tensor for each column",
        )  # fmt: skip
    columns: dict[str, list[Any]] = {}
    for one in inputs:
        name = _named(one, "input")
        if name in columns:
            raise _bad(f"tensor {name!r} is there twice", expected="one tensor for each column")
        values, tail = tensors.values_of(name, one, _parameters(one, f"tensor {name!r}"), tail)
        columns[name] = values
        if len(values) != len(next(iter(columns.values()))):
            first = next(iter(columns))
            raise _bad(
                f"tensors {first!r} and {name!r} differ in length",
                got=f"{len(columns[first])} and {len(values)}",
                expected="one value for each row in every tensor",
            )
    if tail:
        raise _bad("there are bytes after the last tensor", got=f"{len(tail)} bytes too many")
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def response(
    request: Request,
    answers: Sequence[Answered],
    described: ModelDescription,
    version: str,
) -> dict[str, Any]:
    """The answer as JSON-ready values; outputs that were asked for as binary data hold bytes.

    Parameters
    ----------
    answers : one a row
    described : the model, for its labels
    version : ``v3``, of the champion when rows were answered by several
    """
    wanted = request.wanted
    if wanted is None:
        wanted = tuple(Wanted(name, request.binary) for name in _usual(answers, described))
    made: dict[str, Any] = {"model_name": described.name, "model_version": version}
    if request.id is not None:
        made["id"] = request.id
    if odd := sum(bool(answer.warnings) for answer in answers):
        made["parameters"] = {"rows_with_warnings": odd}
    made["outputs"] = [_output(one, answers, described) for one in wanted]
    return made


def written(made: Mapping[str, Any], encode: Callable[[Any], bytes]) -> tuple[bytes, int | None]:
    """The body of an answer, and the length of its JSON when binary data follows, else None.

    With a length the content type is ``application/octet-stream`` and the header
    ``Inference-Header-Content-Length`` must tell it.
    """
    tail = []
    outputs = []
    for output in made["outputs"]:
        data = output["data"]
        if isinstance(data, bytes):
            tail.append(data)
            size = {"binary_data_size": len(data)}
            bare = {key: value for key, value in output.items() if key != "data"}
            outputs.append(bare | {"parameters": output.get("parameters", {}) | size})
        else:
            outputs.append(output)
    head = encode({**made, "outputs": outputs})
    return (b"".join([head, *tail]), len(head)) if tail else (head, None)


def server_metadata(version: str) -> dict[str, Any]:
    """The body of ``GET /v2``; ``version`` is that of Everfit."""
    return {"name": "everfit", "version": version, "extensions": list(EXTENSIONS)}


def server_live() -> dict[str, bool]:
    """The body of ``GET /v2/health/live``."""
    return {"live": True}


def server_ready(ready: bool) -> dict[str, bool]:
    """The body of ``GET /v2/health/ready``: the specification says live here, its clients ready."""
    return {"live": True, "ready": ready}


def model_ready(name: str, ready: bool = True) -> dict[str, Any]:
    """The body of ``GET /v2/models/{name}/ready``."""
    return {"name": name, "ready": ready}


def model_list(names: Sequence[str]) -> dict[str, list[str]]:
    """The body of ``GET /v2/models``, which is KServe's and not in the specification."""
    return {"models": list(names)}


def model_metadata(described: ModelDescription, versions: Sequence[str]) -> dict[str, Any]:
    """The body of ``GET /v2/models/{name}``; ``versions`` are those that are served.

    Examples
    --------
    >>> model_metadata(ModelDescription("churn", "v3", ()), ["v3"])["platform"]
    'everfit'
    """
    inputs = [
        _tensor(item.column.name, DATATYPES.get(item.column.kind, "BYTES"), ())
        for item in described.columns
    ]
    outputs = [
        _tensor(name, _datatype(name, described), SHAPES[name])
        for name in SHAPES
        if described.labels or name != "probabilities"
    ]
    for output in outputs:
        if output["name"] == "probabilities":
            output["shape"] = [-1, len(described.labels)]
            output["parameters"] = {"labels": tensors.listed(described.labels)}
    return {
        "name": described.name,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": inputs,
        "outputs": outputs,
    }


def error_body(error: EverfitError) -> dict[str, str]:
    """The one text that the protocol has for an error, made of its four parts.

    Examples
    --------
    >>> error_body(UsageError("no rows", got="0", do="send one"))
    {'error': 'UsageError: no rows; got 0; do: send one'}
    """
    parts = [f"{type(error).__name__}: {error.what}"]
    parts += [f"got {error.got}"] if error.got else []
    parts += [f"expected {error.expected}"] if error.expected else []
    parts += [f"do: {error.do}"] if error.do else []
    return {"error": "; ".join(parts)}


def _wanted(request: Mapping[str, Any], binary: bool) -> tuple[Wanted, ...] | None:
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list):
        raise _bad("'outputs' is no list", got=type(outputs).__name__)
    found = []
    for one in outputs:
        name = _named(one, "output")
        if name not in SHAPES:
            raise _bad(
                f"there is no output {name[:80]!r}",
                expected=", ".join(SHAPES),
                do=f"did you mean {hint}?" if (hint := near(name[:80], SHAPES)) else "",
            )
        given = _parameters(one, f"output {name!r}")
        if "classification" in given:
            raise _bad("classification is not offered", do="ask for the output 'probabilities'")
        found.append(Wanted(name, given.get("binary_data", binary) is True))
    return tuple(found)


def _usual(answers: Sequence[Answered], described: ModelDescription) -> list[str]:
    """Outputs of a request that names none: those that this model has something to say for."""
    ranged = any(answer.range is not None for answer in answers)
    has = {"probabilities": bool(described.labels), "range": ranged}
    return [name for name in UNASKED if has.get(name, True)]


def _output(
    wanted: Wanted, answers: Sequence[Answered], described: ModelDescription
) -> dict[str, Any]:
    name, n = wanted.name, len(answers)
    shape = list(SHAPES[name])
    if name == "probabilities":
        if not described.labels:
            raise _bad(
                f"{described.name!r} predicts numbers, which have no probabilities",
                got="the output 'probabilities'", do="ask for 'prediction' and 'range'",
            )  # fmt: skip
        shape = [len(described.labels)]
        data = [p for answer in answers for p in answer.probabilities.values()]
    elif name == "range":
        data = [end for answer in answers for end in answer.range or (None, None)]
    elif name == "warnings":
        data = ["; ".join(answer.warnings) for answer in answers]
    else:
        data = [getattr(answer, name) for answer in answers]
    datatype = _datatype(name, described)
    made: dict[str, Any] = {"name": name, "shape": [n, *shape], "datatype": datatype}
    if name == "probabilities":
        made["parameters"] = {"labels": tensors.listed(described.labels)}
    made["data"] = tensors.packed(datatype, data) if wanted.binary else data
    return made


def _datatype(name: str, described: ModelDescription) -> str:
    if name in ("probabilities", "range"):
        return "FP64"
    if name != "prediction":
        return "BYTES"
    label = described.labels[0] if described.labels else 0.0
    words = {bool: "BOOL", int: "INT64", float: "FP64"}
    return words.get(type(label), "BYTES")


def _tensor(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, *shape]}


def _named(one: Any, what: str) -> str:
    name = one.get("name") if isinstance(one, Mapping) else None
    if not isinstance(name, str) or not name:
        raise _bad(f"an {what} has no name", got=repr(one)[:80], expected="an object with 'name'")
    return name


def _parameters(one: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    given = one.get("parameters")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise _bad(f"the parameters of {where} are no object", got=type(given).__name__)
    if deep := [key for key, value in given.items() if isinstance(value, (list, dict))]:
        raise _bad(
            f"parameter {deep[0][:80]!r} of {where} is no single value",
            expected="a text, a number, true or false",
        )
    if any(key.startswith("shared_memory") for key in given):
        raise _bad(f"{where} names shared memory", expected="the values in the request itself")
    return given


def _bad(what: str, *, got: str = "", expected: str = "", do: str = "") -> UsageError:
    return UsageError(what, got=got, expected=expected, do=do)
