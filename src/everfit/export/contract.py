"""What every kind of export takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from everfit.export.parity import Parity
from everfit.records import Version

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that is whole: ``path`` is the file or folder, ``files`` all that was written.

    ``parity`` says how far its answers are from those of the version; ``notes`` what its user must
    know, one sentence each.
    """

    path: Path
    files: tuple[Path, ...]
    parity: Parity
    notes: tuple[str, ...] = ()


class Export(Protocol):
    """One kind of export; ``rows`` are real rows, such as the inputs of the golden rows.

    Raises
    ------
    Refused : the kind cannot hold this version, or its answers differ
    UsageError : a library that it needs is missing, or ``out`` is no place to write to
    """

    def __call__(self, scorer_folder: Path, out: Path, *, version: Version, rows: Rows) -> Exported:
        """Build it at ``out``, which must not be there yet, and compare its answers."""
        ...


@dataclass(frozen=True, slots=True)
class Stamp:
    """What stands in every exported artefact: where it comes from and how good it is."""

    model: str
    version: str
    sha256: str
    created_at: datetime
    metric: str
    score: tuple[float, float, float]  # low, mid, high of the 95% range
    target: str
    everfit: str

    def lines(self) -> list[str]:
        """The same as lines of text, for a header or a README."""
        low, mid, high = self.score
        return [
            f"Model    {_line(self.model)} {self.version}, packed {self.created_at:%Y-%m-%d}",
            f"Answers  {_line(self.target)}",
            f"Score    {self.metric} {mid:.4g} (95% range {low:.4g} to {high:.4g})",
            f"Manifest sha256 {self.sha256}",
            f"Written  by Everfit {self.everfit}; do not edit, export again",
        ]


def _line(text: str) -> str:
    """Text that ends no line and no comment, whatever a person called a column."""
    return " ".join(text.split()).replace("*/", "* /")


def stamp_of(version: Version) -> Stamp:
    """The stamp of a version."""
    from everfit.release.pack import libraries

    score = version.score
    return Stamp(
        version.model,
        version.name,
        version.sha256,
        version.created_at,
        version.problem.metric,
        (score.low, score.mid, score.high),
        version.problem.target,
        libraries().get("everfit", "0"),
    )
