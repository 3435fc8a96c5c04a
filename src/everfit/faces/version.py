"""The version of the installed package."""

from __future__ import annotations

import importlib.metadata


def version() -> str:
    """The version as the package index knows it; ``0+unknown`` in a bare source tree."""
    try:
        return importlib.metadata.version("everfit")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"
