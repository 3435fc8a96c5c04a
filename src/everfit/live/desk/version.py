"""A version in a worker: opened, its files checked by hash and its golden rows answered again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from everfit.errors import ArtefactRefused
from everfit.live.orders import Placed
from everfit.release.manifest import verify
from everfit.serve.load import open_plan
from everfit.serve.scorer import Scorer
from everfit.serve.verify import TOLERANCE, golden_past, golden_rows


@dataclass(frozen=True, slots=True)
class Opened:
    """A version that may answer. ``target`` is the name of what it predicts."""

    placed: Placed
    scorer: Scorer
    target: str

    @property
    def name(self) -> str:
        """The version as people write it: ``v3``."""
        return f"v{self.placed.number}"


def opened(placed: Placed) -> Opened:
    """Open a version whose manifest the keeper has verified.

    Every file is hashed again here: between the keeper's look and ours, files may change. The
    signature needs the store's key, which no worker has; the manifest's hash stands for it.

    Raises
    ------
    ArtefactRefused : another hash, a file that cannot be read, or golden rows that differ
    """
    folder = Path(placed.folder)
    manifest = verify(folder, key=None, sha256=placed.sha256)
    scorer = open_plan(folder, trusted=placed.trusted)
    rows = golden_rows(folder)
    for at, (row, past) in enumerate(zip(rows, golden_past(rows), strict=True)):
        answer = scorer.row(row["input"], past)
        found = answer.probabilities or (float(answer.value),)
        if not _same(found, row["expected"]):
            raise ArtefactRefused(
                f"version v{placed.number} does not give its golden answers",
                got=f"row {at + 1}: {list(found)}"[:200], expected=f"{row['expected']}"[:200],
                do="the version before it goes on serving; release this one again",
            )  # fmt: skip
    return Opened(placed, scorer, str(manifest.problem.get("target", "")))


def _same(found: Sequence[float], expected: Sequence[float]) -> bool:
    return len(found) == len(expected) and all(
        abs(ours - theirs) <= TOLERANCE * max(1.0, abs(theirs))  # false for NaN
        for ours, theirs in zip(found, expected, strict=True)
    )
