"""Named arrays as one npz file, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from everfit.records import Array


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write named arrays into one npz file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, allow_pickle=False, **dict(arrays))


def read_arrays(path: Path) -> dict[str, Array]:
    """The inverse of :func:`write_arrays`."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
