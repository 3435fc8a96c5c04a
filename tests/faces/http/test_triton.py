"""NVIDIA's own client for the Open Inference Protocol, unchanged, against a server that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

import everfit
from tests.faces.http.running import running
from tests.faces.http.stores import MODEL, TARGET, mixed_frame, released_store

pytestmark = pytest.mark.filterwarnings("ignore::everfit.InputWarning")
FRAME = mixed_frame(12, seed=5).drop(TARGET)


@pytest.fixture(scope="module")
def client() -> Iterator[triton.InferenceServerClient]:
    with running(released_store()) as server:
        client = triton.InferenceServerClient(server.url.removeprefix("http://"))
        yield client
        client.close()


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    local = everfit.load(MODEL, store=released_store())
    return np.asarray(local.predict_proba(FRAME).to_numpy())


def tensors(frame: pl.DataFrame, *, binary: bool) -> list[triton.InferInput]:
    """One tensor for each column, as a user of Triton makes them: missing is NaN or no text."""
    made = []
    for column in frame:
        if column.dtype.is_numeric():
            datatype, values = "FP64", column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        else:
            texts = [
                "" if v is None else v.isoformat() if hasattr(v, "isoformat") else str(v).lower()
                if isinstance(v, bool) else str(v)
                for v in column.to_list()
            ]  # fmt: skip
            datatype, values = "BYTES", np.array(texts, dtype=object)
        one = triton.InferInput(column.name, [len(values)], datatype)
        one.set_data_from_numpy(values, binary_data=binary)
        made.append(one)
    return made


def test_server_and_model_say_that_they_are_ready(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready("nobody")


def test_the_metadata_are_read(client: triton.InferenceServerClient) -> None:
    server, model = client.get_server_metadata(), client.get_model_metadata(MODEL, "v1")

    assert "x-null-values" in server["extensions"]
    assert {one["name"] for one in model["inputs"]} == set(FRAME.columns)
    assert model["versions"] == ["v1"]


def test_binary_tensors_give_what_the_local_model_gives(
    client: triton.InferenceServerClient, expected: np.ndarray
) -> None:
    found = client.infer(MODEL, tensors(FRAME, binary=True), request_id="r-1")

    answer = found.get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("r-1", MODEL, "v1")
    np.testing.assert_allclose(found.as_numpy("probabilities"), expected, rtol=1e-12)
    labels = json.loads(found.get_output("probabilities")["parameters"]["labels"])
    names = [labels[i] for i in expected.argmax(axis=1)]
    assert [one.decode() for one in found.as_numpy("prediction")] == names
    assert len(set(found.as_numpy("id"))) == FRAME.height


def test_json_tensors_give_the_same(
    client: triton.InferenceServerClient, expected: np.ndarray
) -> None:
    full = FRAME.select("size", "income", "rooms").fill_null(0.5)  # JSON of Triton has no NaN
    outputs = [
        triton.InferRequestedOutput(name, binary_data=False) for name in ("probabilities", "range")
    ]
    requested = tensors(full, binary=False)

    by_json = client.infer(MODEL, requested, outputs=outputs)
    by_bytes = client.infer(MODEL, tensors(full, binary=True))

    shares = by_json.as_numpy("probabilities")
    np.testing.assert_array_equal(shares, by_bytes.as_numpy("probabilities"))
    assert shares.shape == by_json.as_numpy("range").shape == (FRAME.height, 2)


def test_a_version_is_asked_by_its_number(client: triton.InferenceServerClient) -> None:
    found = client.infer(MODEL, tensors(FRAME, binary=True), model_version="1")

    assert found.get_response()["model_version"] == "v1"


def test_rows_asked_in_the_background_are_answered(client: triton.InferenceServerClient) -> None:
    pending = [client.async_infer(MODEL, tensors(FRAME, binary=True)) for _ in range(4)]

    shapes = {one.get_result().as_numpy("probabilities").shape for one in pending}

    assert shapes == {(FRAME.height, 2)}


def matrix() -> list[Any]:
    one = triton.InferInput("input-0", [2, 3], "FP64")
    one.set_data_from_numpy(np.zeros((2, 3)))
    return [one]


@pytest.mark.parametrize(
    ("model", "inputs", "status", "words"),
    [
        ("nobody", tensors(FRAME, binary=True), "404", "there is no model 'nobody'"),
        (MODEL, matrix(), "400", "that of a column"),
    ],
    ids=["unknown model", "matrix"],
)
def test_a_refusal_reaches_the_caller_in_words(
    client: triton.InferenceServerClient, model: str, inputs: list[Any], status: str, words: str
) -> None:
    with pytest.raises(InferenceServerException, match=words) as caught:
        client.infer(model, inputs)

    assert caught.value.status() == status
