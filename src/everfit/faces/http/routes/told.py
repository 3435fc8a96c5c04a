"""What is known of models: the keeper, which has the stores, answers most of it."""

from __future__ import annotations

from typing import Any

from everfit.errors import ModelUnknown, UsageError
from everfit.faces.http.asks import ask_schema
from everfit.faces.http.machine.state import State
from everfit.faces.http.routes.request import Reply, Request, as_json
from everfit.faces.http.schema import ModelDescription, describe, row_schema

MARKDOWN = b"text/markdown; charset=utf-8"
SCHEMA = b"application/json"


async def models(state: State, request: Request) -> Reply:
    """``GET /models``."""
    return await _asked(state, request, "models")


async def model(state: State, request: Request) -> Reply:
    """``GET /models/{model}``."""
    return await _asked(state, request, "model")


async def versions(state: State, request: Request) -> Reply:
    """``GET /models/{model}/versions``."""
    return await _asked(state, request, "versions")


async def version(state: State, request: Request) -> Reply:
    """``GET /models/{model}/versions/{version}``."""
    return await _asked(state, request, "version")


async def ledger(state: State, request: Request) -> Reply:
    """``GET /models/{model}/ledger``."""
    return await _asked(state, request, "ledger", "last", "before")


async def traffic(state: State, request: Request) -> Reply:
    """``GET /models/{model}/traffic``."""
    return await _asked(state, request, "traffic", "since")


async def card(state: State, request: Request) -> Reply:
    """``GET /models/{model}/card``: Markdown, as the release wrote it."""
    return await _asked(state, request, "card", "version", raw=True)


async def schema(state: State, request: Request) -> Reply:
    """``GET /models/{model}/schema``: a JSON Schema of one row, or of an ask for a list."""
    options = request.options("version")
    name = request.names["model"]
    if name in state.desk.models() and name not in state.desk.row_models:
        if "version" in options:
            state.desk.listing.shelf(name, options["version"])
        return as_json(ask_schema(name))
    return as_json(row_schema(described(state, name, options.get("version"))))


def described(state: State, name: str, number: str | None = None) -> ModelDescription:
    """A version that is served, as its clients see it; the champion when none is named."""
    served = state.desk.served(name)
    lane = served.champion if number is None else state.desk.lane(name, number)
    return describe(name, lane.version, lane.opened.scorer, target=lane.opened.target)


async def _asked(
    state: State, request: Request, call: str, *options: str, raw: bool = False
) -> Reply:
    args: dict[str, Any] = dict(request.names)
    for name, value in request.options(*options).items():
        args[name] = _whole(name, value) if name in ("last", "before") else value
    for name, value in args.items():
        if "\0" in str(value):  # no name has it, and PostgreSQL takes no text with it
            raise ModelUnknown(
                f"there is no such {name}", got=repr(value)[:80], expected="a name without NUL",
                do="see GET /models",
            )  # fmt: skip
    status, body = await state.link.ask(call, args, wait_s=state.serving.ask_s)
    if raw and status == 200:
        return Reply(body["card"].encode(), type=MARKDOWN)
    return as_json(body, status)


def _whole(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 15:
        raise UsageError(
            f"{name} is a whole number", got=value[:40], expected="0 or more", do=f"send {name}=20"
        )
    return int(value)
