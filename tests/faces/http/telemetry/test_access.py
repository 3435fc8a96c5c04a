"""Lines of access: one for each request, with nothing in it that must stay secret."""

from __future__ import annotations

import json
from pathlib import Path

from everfit.faces.http.guard.tokens import FILE, make_token
from tests.faces.http.working import working


def test_each_request_leaves_one_line_without_its_body_or_token(tmp_path: Path) -> None:
    text = make_token(tmp_path / FILE, "shop")
    with working(tmp_path, access_log=True, tokens=str(tmp_path / FILE)) as keeper:
        headers = {"authorization": f"Bearer {text}", "x-request-id": "r-1"}
        with keeper.client(headers=headers) as client:
            client.post("/models/coin/predict?explain=0", json={"size": 41.5, "note": "private"})
            client.get("/nope")
            client.get("/health", headers={"authorization": "Bearer ef_wrong"})

    lines = [json.loads(line) for line in keeper.errors if line.startswith("{")]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", "/models/coin/predict", 200), ("GET", "/nope", 404), ("GET", "/health", 401),
    ]  # fmt: skip
    assert [line["by"] for line in lines] == ["shop", "", ""]
    assert {line["request"] for line in lines} == {"r-1"}
    for secret in (text, "private", "41.5", "ef_wrong"):
        assert not any(secret in line for line in keeper.errors)
