"""Run one function by its dotted name and turn whatever happens into a value."""

from __future__ import annotations

import importlib
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from everfit.errors import EverfitError
from everfit.executors.contract import Outcome

TRACE_LINES = 6  # enough to name the failing call of a foreign library


def call(key: str, function: str, arguments: Mapping[str, Any]) -> Outcome:
    """Run ``module:function`` with ``arguments``; an exception becomes status ``error``.

    Examples
    --------
    >>> call("k", "math:sqrt_of", {}).status
    'error'
    """
    began = time.monotonic()
    try:
        value = resolve(function)(**arguments)
    except Exception as failure:  # noqa: BLE001 - a job may run anybody's code; its failure is its result
        trace = traceback.format_exc().strip().splitlines()[-TRACE_LINES:]
        # our own errors name their class themselves, and their trace says nothing more
        own = isinstance(failure, EverfitError)
        error = str(failure) if own else f"{type(failure).__name__}: {failure}\n" + "\n".join(trace)
        return Outcome(key, "error", error=error, seconds=time.monotonic() - began)
    return Outcome(key, "ok", value=value or {}, seconds=time.monotonic() - began)


def resolve(function: str) -> Callable[..., Any]:
    """The function called ``module:name``.

    Examples
    --------
    >>> resolve("math:sqrt")(4.0)
    2.0
    """
    module, name = function.split(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found
