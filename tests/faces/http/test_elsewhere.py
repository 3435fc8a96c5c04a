"""Public clients that cannot share our environment, each in one of its own: slow, and by pip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import everfit
from tests.faces.http.running import Server, running
from tests.faces.http.stores import MODEL, TARGET, mixed_frame, released_store

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::everfit.InputWarning")]
ROWS = mixed_frame(6, seed=5).drop(TARGET).select("size", "rooms", "plan").fill_null(1).to_dicts()

GENERATED = """
import json, sys
from made import Client
from made.api.models import get_model, get_schema, list_models
from made.api.open_inference_protocol import v2_infer, v2_ready
from made.api.outcomes import tell_outcomes
from made.api.predictions import predict
from made.models import InferRequest, OutcomeById, Row, RowOfMixed

url, rows = sys.argv[1], json.loads(sys.argv[2])
client = Client(url)
one = predict.sync("mixed", client=client, body=Row.from_dict(rows[0]))
many = predict.sync("mixed", client=client, body=[Row.from_dict(row) for row in rows])
told = tell_outcomes.sync("mixed", client=client, body=OutcomeById.from_dict(
    {"id": one.id, "outcome": "yes"}))
inputs = [{"name": "size", "shape": [1], "datatype": "FP64", "data": [rows[0]["size"]]}]
tensors = v2_infer.sync("mixed", client=client, body=InferRequest.from_dict({"inputs": inputs}))
print(json.dumps({
    "one": one.to_dict(),
    "many": many.to_dict(),
    "accepted": told.accepted,
    "models": list_models.sync(client=client).to_dict(),
    "champion": get_model.sync("mixed", client=client).champion.version,
    "ready": v2_ready.sync(client=client).ready,
    "schema": sorted(get_schema.sync("mixed", client=client).to_dict()["properties"]),
    "outputs": [output.name for output in tensors.outputs],
    "missing": predict.sync("nobody", client=client, body=Row()).error.code,
    "row": RowOfMixed.from_dict(rows[0]).to_dict(),
}))
"""

KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

url, rows = sys.argv[1], json.loads(sys.argv[2])

def tensors(binary):
    made = []
    for name, datatype, kind in (("size", "FP64", float), ("plan", "BYTES", object)):
        one = InferInput(name, [len(rows)], datatype)
        one.set_data_from_numpy(np.array([row[name] for row in rows], dtype=kind), binary)
        made.append(one)
    return made

async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    told = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model": await client.is_model_ready(url, "mixed"),
        "nobody": await client.is_model_ready(url, "nobody"),
    }
    for word, binary in (("json", False), ("binary", True)):
        asked = InferRequest("mixed", tensors(binary), request_id="r-1")
        found = await client.infer(url, asked, model_name="mixed")
        outputs = {output.name: output for output in found.outputs}
        told[word] = outputs["probabilities"].as_numpy().tolist()
        told[word + " id"] = found.id
    try:
        await client.infer(url, InferRequest("nobody", tensors(False)), model_name="nobody")
    except Exception as error:
        told["error"] = str(error)
    print(json.dumps(told))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(released_store()) as found:
        yield found


def environment(folder: Path, package: str, variable: str) -> Path:
    """The Python of an environment with the package: a ready one that is named, or a new one."""
    if variable in os.environ:
        return Path(os.environ[variable])
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    made = subprocess.run([str(python), "-m", "pip", "install", "--quiet", package])
    if made.returncode:
        pytest.skip(f"pip cannot install {package} here")
    return python


def said(python: Path, script: str, url: str, folder: Path) -> Any:
    (folder / "script.py").write_text(script)
    run = subprocess.run(
        [str(python), "script.py", url, json.dumps(ROWS)],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_a_client_that_was_generated_from_the_description_works(
    server: Server, tmp_path: Path
) -> None:
    python = environment(tmp_path / "env", "openapi-python-client", "EVERFIT_TEST_GENERATOR")
    make = [*(str(python), "-m", "openapi_python_client", "generate"), "--meta", "none"]
    made = subprocess.run(
        [*make, "--url", f"{server.url}/openapi.json", "--output-path", str(tmp_path / "made")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout[-3000:]

    found = said(python, GENERATED, server.url, tmp_path)

    local = everfit.load(MODEL, store=released_store())
    assert found["one"]["probabilities"] == pytest.approx(local.predict_proba(ROWS[0]))
    labels = [one["prediction"] for one in found["many"]["predictions"]]
    assert labels == local.predict(ROWS)
    assert (found["accepted"], found["champion"], found["ready"]) == (1, "v1", True)
    assert found["models"]["models"][0]["name"] == MODEL
    assert found["schema"] == sorted([*(c.name for c in local._scorer().columns), "_key"])
    assert found["outputs"] == ["prediction", "probabilities", "id"]
    assert found["missing"] == "ModelUnknown"
    assert found["row"] == ROWS[0]


def test_the_client_of_kserve_works_unchanged(server: Server, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", "kserve", "EVERFIT_TEST_KSERVE")

    found = said(python, KSERVE, server.url, tmp_path)

    local = everfit.load(MODEL, store=released_store())
    rows = [{name: row[name] for name in ("size", "plan")} for row in ROWS]
    expected = [list(one.values()) for one in local.predict_proba(rows)]
    assert [found[word] for word in ("live", "ready", "model", "nobody")] == [*[True] * 3, False]
    for word in ("json", "binary"):
        assert found[f"{word} id"] == "r-1"
        for mine, theirs in zip(expected, found[word], strict=True):
            assert theirs == pytest.approx(mine)
    assert "there is no model 'nobody'" in found["error"]
