from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import everfit
from everfit import errors


def test_every_public_name_is_there_and_listed_once() -> None:
    assert len(everfit.__all__) == len(set(everfit.__all__))
    assert [name for name in everfit.__all__ if getattr(everfit, name, None) is None] == []


def test_the_list_is_what_star_gives_and_nothing_else_is_public() -> None:
    given: dict[str, object] = {}
    exec("from everfit import *", given)

    public = {name for name in given if name != "__builtins__"}
    assert public == set(everfit.__all__)


def test_every_error_is_public() -> None:
    tree = {
        name
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.EverfitError)
    }

    assert tree <= set(everfit.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        everfit.nothing


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys, everfit; everfit.UsageError; "
        "print([m for m in ('numpy', 'polars', 'pandas', 'sklearn', 'typer') if m in sys.modules])"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


def test_assess_stays_a_function_after_the_folder_of_that_name_was_imported() -> None:
    import everfit.assess.check  # what the loop does

    assert inspect.isfunction(everfit.assess)
    assert sys.modules["everfit.assess"].__name__ == "everfit.assess"


def test_every_public_function_and_class_has_a_docstring_and_a_typed_signature() -> None:
    bare = [
        name
        for name in everfit.__all__
        if callable(item := getattr(everfit, name)) and not inspect.getdoc(item)
    ]
    untyped = [
        f"{name}({p})"
        for name in ("run", "assess", "load", "models")
        for p, spec in inspect.signature(getattr(everfit, name)).parameters.items()
        if spec.annotation is inspect.Parameter.empty
    ]

    assert bare == []
    assert untyped == []
