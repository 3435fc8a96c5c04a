"""The Open Inference Protocol as bytes in and bytes out; test_triton.py has a real client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.faces.http import oip, tensors
from everfit.faces.http.schema import ModelDescription
from everfit.serve import Scorer
from tests.faces.http.small import answers, described, small_scorer


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return small_scorer(tmp_path_factory.mktemp("small") / "v3")


def tensor(name: str, datatype: str, data: list[Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data} | more


def request(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": list(inputs)} | more).encode()


def parsed(*inputs: Any, **more: Any) -> oip.Request:
    return oip.parsed(request(*inputs, **more), None, json.loads)


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


SIZE = tensor("size", "FP64", [0.5, None])


def test_tensors_become_rows_and_null_is_missing() -> None:
    found = parsed(
        SIZE,
        tensor("rooms", "INT64", [3, 4], shape=[2, 1]),
        tensor("paid", "BOOL", [[True], [None]], shape=[2, 1]),
        tensor("plan", "BYTES", ["pro", "plus"]),
        tensor("_key", "INT32", [7, 8]),
        id="r-1",
    )

    assert found.id == "r-1"
    assert found.wanted is None
    assert found.rows == [
        {"size": 0.5, "rooms": 3, "paid": True, "plan": "pro", "_key": 7},
        {"size": None, "rooms": 4, "paid": None, "plan": "plus", "_key": 8},
    ]


@pytest.mark.parametrize("datatype", sorted(tensors.BINARY))
def test_every_datatype_is_read_from_json_and_from_bytes(datatype: str) -> None:
    kind = np.dtype(tensors.BINARY[datatype])
    values = np.array([1, 0, 1], dtype=kind)
    raw = values.tobytes()
    size = {"shape": [3], "datatype": datatype, "name": "x"}
    head = encode({"inputs": [size | {"parameters": {"binary_data_size": len(raw)}}]})

    by_json = parsed(tensor("x", datatype, values.tolist())).rows
    by_bytes = oip.parsed(head + raw, str(len(head)), json.loads).rows

    assert by_json == by_bytes == [{"x": v} for v in values.tolist()]
    assert tensors.packed(datatype, values.tolist()) == raw


def test_binary_tensors_lie_one_after_the_other() -> None:
    texts, numbers = tensors.packed("BYTES", ["prö", ""]), np.array([1.5, np.nan]).tobytes()
    inputs = [
        {"name": name, "shape": [2], "datatype": kind, "parameters": {"binary_data_size": len(raw)}}
        for name, kind, raw in (("plan", "BYTES", texts), ("size", "FP64", numbers))
    ]
    head = encode({"inputs": inputs})

    rows = oip.parsed(head + texts + numbers, str(len(head)), json.loads).rows

    assert rows[0] == {"plan": "prö", "size": 1.5}
    assert rows[1]["plan"] == ""
    assert np.isnan(rows[1]["size"])


BAD: dict[str, tuple[Any, str]] = {
    "no inputs": ({}, "a request has 'inputs'"),
    "no tensors": ({"inputs": []}, "a request has 'inputs'"),
    "inputs no list": ({"inputs": {"name": "x"}}, "a request has 'inputs'"),
    "no name": ({"inputs": [{"shape": [1]}]}, "an input has no name"),
    "no tensor": ({"inputs": [3]}, "an input has no name"),
    "datatype": ({"inputs": [tensor("x", "FP46", [1.0])]}, r"(?s)no datatype.*did you mean 'FP64'"),
    "datatype no text": ({"inputs": [tensor("x", "FP64", [1.0]) | {"datatype": 3}]}, "no datatype"),
    "matrix": ({"inputs": [tensor("x", "FP64", [1.0, 2.0], shape=[1, 2])]}, "that of a column"),
    "cube": ({"inputs": [tensor("x", "FP64", [1.0], shape=[1, 1, 1])]}, "that of a column"),
    "shape below 0": ({"inputs": [tensor("x", "FP64", [], shape=[-1])]}, "that of a column"),
    "shape is true": ({"inputs": [tensor("x", "FP64", [1.0], shape=[True])]}, "that of a column"),
    "huge shape": ({"inputs": [tensor("x", "FP64", [1.0], shape=[10**12])]}, "do not fill"),
    "nested wrongly": (
        {"inputs": [tensor("x", "FP64", [[1.0], [2.0, 3.0]], shape=[2, 1])]}, "do not fill",
    ),
    "no data": ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64"}]}, "has no data"),
    "text for a number": ({"inputs": [tensor("x", "FP64", ["1"])]}, "not of its datatype"),
    "number for a text": ({"inputs": [tensor("x", "BYTES", [1])]}, "not of its datatype"),
    "true for a number": ({"inputs": [tensor("x", "FP32", [True])]}, "not of its datatype"),
    "number for a boolean": ({"inputs": [tensor("x", "BOOL", [1])]}, "not of its datatype"),
    "half an integer": ({"inputs": [tensor("x", "INT64", [1.5])]}, "not of its datatype"),
    "too large": ({"inputs": [tensor("x", "UINT8", [256])]}, "not of its datatype"),
    "infinite": ({"inputs": [tensor("x", "INT8", [1e999])]}, "not of its datatype"),
    "list": ({"inputs": [tensor("x", "BYTES", [["a"]])]}, "not of its datatype"),
    "twice": ({"inputs": [SIZE, SIZE]}, "'size' is there twice"),
    "lengths": ({"inputs": [SIZE, tensor("x", "FP64", [1.0])]}, r"(?s)differ in length.*2 and 1"),
    "id": ({"inputs": [SIZE], "id": 7}, "'id' is no text"),
    "parameters": ({"inputs": [SIZE], "parameters": [1]}, "are no object"),
    "deep parameter": ({"inputs": [SIZE], "parameters": {"a": {}}}, "no single value"),
    "shared memory": (
        {"inputs": [SIZE | {"parameters": {"shared_memory_region": "x"}}]}, "shared memory",
    ),
    "outputs": ({"inputs": [SIZE], "outputs": "prediction"}, "'outputs' is no list"),
    "output": (
        {"inputs": [SIZE], "outputs": [{"name": "predictoin"}]}, r"(?s)no output.*'prediction'",
    ),
    "classification": (
        {"inputs": [SIZE], "outputs": [{"name": "id", "parameters": {"classification": 2}}]},
        "classification is not offered",
    ),
    "binary without bytes": (
        {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64",
                     "parameters": {"binary_data_size": 8}}]},
        "is not there",
    ),
    "no object": ([1], "no JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_request_that_breaks_the_protocol_is_refused_with_its_place(case: str) -> None:
    plain, words = BAD[case]

    with pytest.raises(UsageError, match=words):
        oip.parsed(encode(plain), None, json.loads)


@pytest.mark.parametrize(
    ("length", "words"), [("9999", "longer than the body"), ("x", "no number"), ("²", "no number")]
)
def test_a_wrong_header_length_is_refused(length: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        oip.parsed(request(SIZE), length, json.loads)


def test_bytes_that_no_tensor_claims_are_refused() -> None:
    head = request(SIZE)

    with pytest.raises(UsageError, match=r"(?s)after the last tensor.*3 bytes too many"):
        oip.parsed(head + b"abc", str(len(head)), json.loads)


@pytest.mark.parametrize(
    ("datatype", "raw", "words"),
    [
        ("FP64", b"1234567", "do not fill"),
        ("BYTES", b"\x09\x00\x00\x00ab", "do not fill"),
        ("BYTES", b"\x01\x00", "do not fill"),
        ("BYTES", b"\x01\x00\x00\x00a\x01\x00\x00\x00b", "do not fill"),
        ("BYTES", b"\x01\x00\x00\x00\xff", "no UTF-8"),
    ],
)
def test_damaged_binary_data_are_refused(datatype: str, raw: bytes, words: str) -> None:
    one = {"name": "x", "shape": [1], "datatype": datatype}
    head = encode({"inputs": [one | {"parameters": {"binary_data_size": len(raw)}}]})

    with pytest.raises(UsageError, match=words):
        oip.parsed(head + raw, str(len(head)), json.loads)


def test_json_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="the body is no JSON"):
        oip.parsed(b'{"inputs"', None, json.loads)


def answered(scorer: Scorer, asked: oip.Request) -> dict[str, Any]:
    return oip.response(asked, answers(scorer, asked.rows), described(scorer), "v3")


def test_the_answer_has_prediction_probabilities_and_ids(scorer: Scorer) -> None:
    made = answered(scorer, parsed(SIZE, id="r-1"))
    body, header = oip.written(made, encode)

    assert header is None
    plain = json.loads(body)
    assert (plain["id"], plain["model_name"], plain["model_version"]) == ("r-1", "mixed", "v3")
    outputs = {output["name"]: output for output in plain["outputs"]}
    assert list(outputs) == ["prediction", "probabilities", "id"]
    assert outputs["prediction"]["datatype"] == "BYTES"
    assert outputs["probabilities"]["shape"] == [2, 2]
    assert json.loads(outputs["probabilities"]["parameters"]["labels"]) == ["no", "yes"]
    expected = [p for row in parsed(SIZE).rows for p in scorer.row(row).probabilities or ()]
    assert outputs["probabilities"]["data"] == expected
    assert outputs["id"]["data"] == ["p0", "p1"]
    assert plain["parameters"] == {"rows_with_warnings": 2}  # nine columns were not given


def test_only_what_was_asked_for_is_answered_in_that_order(scorer: Scorer) -> None:
    wanted = [{"name": name} for name in ("warnings", "arm", "version", "range", "prediction")]

    made = answered(scorer, parsed(SIZE, outputs=wanted))

    assert [output["name"] for output in made["outputs"]] == [one["name"] for one in wanted]
    assert made["outputs"][3]["data"] == [None] * 4
    assert made["outputs"][3]["shape"] == [2, 2]
    assert "plan: not given, 'pro' is used" in made["outputs"][0]["data"][0]


@pytest.mark.parametrize("by", ["request", "output"])
def test_binary_outputs_follow_the_json(scorer: Scorer, by: str) -> None:
    if by == "request":
        asked = parsed(SIZE, parameters={"binary_data_output": True})
    else:
        wanted = [
            {"name": n, "parameters": {"binary_data": True}}
            for n in ("prediction", "probabilities", "id")
        ]
        asked = parsed(SIZE, outputs=wanted)

    made = answered(scorer, asked)
    body, header = oip.written(made, encode)

    assert header is not None
    plain, tail = json.loads(body[:header]), body[header:]
    sizes = [output["parameters"]["binary_data_size"] for output in plain["outputs"]]
    assert sum(sizes) == len(tail)
    assert not any("data" in output for output in plain["outputs"])
    shares = np.frombuffer(tail[sizes[0] : sizes[0] + sizes[1]]).reshape(2, 2)
    np.testing.assert_array_equal(shares.sum(axis=1).round(12), [1.0, 1.0])


def test_a_model_of_numbers_has_no_probabilities(tmp_path: Path) -> None:
    number = small_scorer(tmp_path / "v1", "values")

    made = answered(number, parsed(SIZE))

    assert [(o["name"], o["datatype"]) for o in made["outputs"]] == [
        ("prediction", "FP64"), ("id", "BYTES"),
    ]  # fmt: skip
    with pytest.raises(UsageError, match="no probabilities"):
        answered(number, parsed(SIZE, outputs=[{"name": "probabilities"}]))


@pytest.mark.parametrize(
    ("label", "datatype"), [("a", "BYTES"), (1, "INT64"), (True, "BOOL"), (0.5, "FP64")]
)
def test_labels_have_the_datatype_of_their_type(label: Any, datatype: str) -> None:
    made = oip.model_metadata(ModelDescription("m", "v1", (), labels=(label,)), ["v1"])

    assert made["outputs"][0] == {"name": "prediction", "datatype": datatype, "shape": [-1]}


def test_the_metadata_name_every_column_and_every_output(scorer: Scorer) -> None:
    made = oip.model_metadata(described(scorer), ["v3", "v4"])

    inputs = {one["name"]: one["datatype"] for one in made["inputs"]}
    assert made["versions"] == ["v3", "v4"]
    assert set(inputs) == {column.name for column in scorer.columns}
    assert (inputs["size"], inputs["paid"], inputs["since"]) == ("FP64", "BOOL", "BYTES")
    assert {one["name"] for one in made["outputs"]} == set(oip.SHAPES)
    assert made["outputs"][1]["shape"] == [-1, 2]


def test_the_extensions_are_declared_and_an_error_is_one_text() -> None:
    assert "x-null-values" in oip.server_metadata("1.0")["extensions"]
    assert oip.error_body(UsageError("no", got="1", expected="2", do="3")) == {
        "error": "UsageError: no; got 1; expected 2; do: 3"
    }
