from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from everfit.faces.http.openapi import FAILED, description, operate_description
from everfit.faces.http.operate import ACTS, FIELDS
from everfit.faces.http.routes.table import ROUTES
from everfit.faces.http.schema import ModelDescription
from tests.faces.http.small import described, small_scorer

URL = "http://127.0.0.1:8321"
PREFIX = re.compile(r"\{(name|model)\}")
OF_THE_PROTOCOL = {
    "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{name}", "/v2/models/{name}/ready",
    "/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}",
    "/v2/models/{name}/versions/{version}/ready", "/v2/models/{name}/versions/{version}/infer",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelDescription:
    return described(small_scorer(tmp_path_factory.mktemp("small") / "v3"))


@pytest.fixture(scope="module")
def whole(model: ModelDescription) -> dict[str, Any]:
    return description([model], server_url=URL)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield path, method, operation


def contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for _, _, operation in operations(document):
        yield from operation.get("requestBody", {}).get("content", {}).values()
        for answer in operation["responses"].values():
            yield from answer["content"].values()


@pytest.mark.parametrize("known", [True, False])
def test_the_description_is_valid(model: ModelDescription, known: bool) -> None:
    validate(description([model] if known else [], server_url=URL))


def test_the_description_of_the_operate_port_is_valid() -> None:
    document = operate_description(server_url=URL)

    validate(document)
    acts = {path.rpartition("/")[2] for path in document["paths"] if path.startswith("/models")}
    assert acts == set(ACTS)
    for act, fields in FIELDS.items():
        body = document["paths"][f"/models/{{name}}/{act}"]["post"]["requestBody"]["content"]
        assert set(body["application/json"]["schema"]["properties"]) == set(fields)


def test_every_route_of_the_worker_is_described_and_no_other(whole: dict[str, Any]) -> None:
    described = {
        (method.upper(), PREFIX.sub("{model}", path)) for path, method, _ in operations(whole)
    }

    assert described == {(route.method, route.path) for route in ROUTES}


def test_every_scope_is_the_one_that_is_asked_for(whole: dict[str, Any]) -> None:
    scopes = {(route.method, route.path): route.scopes for route in ROUTES}

    for path, method, operation in operations(whole):
        asked = scopes[method.upper(), PREFIX.sub("{model}", path)]
        told = operation["description"].rpartition("Needs ")[2]
        expected = (
            f"the scope {' or '.join(f'`{one}`' for one in asked)}." if asked else "no token."
        )
        assert told == expected


def test_it_is_plain_json(whole: dict[str, Any]) -> None:
    assert json.loads(json.dumps(whole, allow_nan=False)) == whole


def test_every_operation_has_a_name_of_its_own_a_summary_and_errors(whole: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(whole)]

    assert len(names) == len(set(names))
    for path, _, operation in operations(whole):
        answers = operation["responses"]
        assert operation["summary"]
        assert {"200", "400", "401", "403", "429", "503"} <= set(answers)
        assert operation["description"].endswith((".", "`"))
        assert ("404" in answers) == ("{name}" in path)
        assert ("413" in answers) == ("requestBody" in operation)
        assert {int(status) for status in answers} - {200} <= set(FAILED)


def test_errors_have_one_shape_and_those_of_the_protocol_its_own(whole: dict[str, Any]) -> None:
    for path, _, operation in operations(whole):
        schema = operation["responses"]["400"]["content"]["application/json"]["schema"]
        expected = "ProtocolError" if path.startswith("/v2") else "Error"
        assert schema == {"$ref": f"#/components/schemas/{expected}"}


def test_every_path_of_the_open_inference_protocol_is_there(whole: dict[str, Any]) -> None:
    assert set(whole["paths"]) >= OF_THE_PROTOCOL


def test_every_example_fits_its_schema(whole: dict[str, Any]) -> None:
    n = 0
    for content in contents(whole):
        examples = [one["value"] for one in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        schema = content["schema"] | {"components": whole["components"]}
        for example in examples:
            Draft202012Validator(schema).validate(example)
            n += 1

    assert n >= 7  # one row, many rows, CSV, two of outcomes, two of tensors


def test_every_schema_is_one_and_every_pointer_leads_somewhere(whole: dict[str, Any]) -> None:
    schemas = whole["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)

    text = json.dumps(whole)
    named = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named - set(schemas) == set()


def test_the_rows_of_a_model_are_described_and_are_the_example(
    whole: dict[str, Any], model: ModelDescription
) -> None:
    row = whole["components"]["schemas"]["Row-mixed"]
    body = whole["paths"]["/models/{name}/predict"]["post"]["requestBody"]["content"]

    assert set(row["properties"]) == {item.column.name for item in model.columns} | {"_key"}
    assert body["application/json"]["examples"]["one row"]["value"] == row["examples"][0]
    assert body["text/csv"]["example"].splitlines()[0].split(",") == list(row["examples"][0])


def test_an_outcome_names_its_prediction_by_id_or_by_key_and_nothing_else(
    whole: dict[str, Any],
) -> None:
    schema = whole["components"]["schemas"]["Outcome"] | {"components": whole["components"]}
    validator = Draft202012Validator(schema)

    assert validator.is_valid({"id": "p1", "outcome": "yes"})
    assert validator.is_valid({"key": 7, "outcome": 1.5, "at": None})
    assert not validator.is_valid({"outcome": "yes"})
    assert not validator.is_valid({"id": "p1", "key": 7, "outcome": "yes"})
    assert not validator.is_valid({"id": "p1"})


def test_a_server_without_tokens_needs_none_and_health_never_does(whole: dict[str, Any]) -> None:
    secured = description(server_url=URL, secured=True)

    assert secured["security"] == [{"token": []}]
    assert secured["paths"]["/v2/health/ready"]["get"]["security"] == []
    assert whole["security"] == [{}, {"token": []}]
    assert whole["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert whole["paths"]["/health"]["get"]["security"] == []
