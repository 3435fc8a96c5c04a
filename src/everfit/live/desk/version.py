"""A version in a worker: opened, its files checked by hash and its golden rows answered again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.errors import ArtefactRefused, Refused
from everfit.live.orders import Placed
from everfit.release.manifest import verify
from everfit.serve.load import open_version
from everfit.serve.scorer import Scorer
from everfit.serve.verify import TOLERANCE, golden_past, golden_rows

if TYPE_CHECKING:
    from everfit.serve.lists.lists import Lists


@dataclass(frozen=True, slots=True)
class Opened:
    """A version that may answer rows. ``target`` is the name of what it predicts."""

    placed: Placed
    scorer: Scorer
    target: str

    @property
    def name(self) -> str:
        """The version as people write it: ``v3``."""
        return f"v{self.placed.number}"


@dataclass(frozen=True, slots=True)
class OpenedLists:
    """A version that may answer with lists. ``target`` is the column of the items."""

    placed: Placed
    lists: Lists
    target: str

    @property
    def name(self) -> str:
        """The version as people write it: ``v3``."""
        return f"v{self.placed.number}"


def opened(placed: Placed) -> Opened | OpenedLists:
    """Open a version whose manifest the keeper has verified.

    Every file is hashed again here: between the keeper's look and ours, files may change. The
    signature needs the store's key, which no worker has; the manifest's hash stands for it.

    Raises
    ------
    ArtefactRefused : another hash, a file that cannot be read, or golden rows that differ
    """
    folder = Path(placed.folder)
    manifest = verify(folder, key=None, sha256=placed.sha256)
    found = open_version(folder, trusted=placed.trusted)
    rows = golden_rows(folder)
    target = str(manifest.problem.get("target", ""))
    if isinstance(found, Scorer):
        _same_rows(placed, found, rows)
        return Opened(placed, found, target)
    _same_lists(placed, found, rows)
    return OpenedLists(placed, found, target)


def opened_rows(placed: Placed) -> Opened:
    """As :func:`opened`, for who answers rows alone.

    Raises
    ------
    Refused : the version answers with lists
    """
    found = opened(placed)
    if isinstance(found, OpenedLists):
        raise Refused(
            f"v{placed.number} answers with lists, which nobody answers in the shadow",
            got="form 'lists'", expected="a version that answers rows",
            do="compare it in a canary: everfit canary MODEL VERSION --share 0.1",
        )  # fmt: skip
    return found


def _same_rows(placed: Placed, scorer: Scorer, rows: Sequence[Mapping[str, Any]]) -> None:
    for at, (row, past) in enumerate(zip(rows, golden_past(rows), strict=True)):
        answer = scorer.row(row["input"], past)
        found = answer.probabilities or (float(answer.value),)
        if not _same(found, row["expected"]):
            raise _differs(placed, at, found, row["expected"])


def _same_lists(placed: Placed, lists: Lists, rows: Sequence[Mapping[str, Any]]) -> None:
    import numpy as np  # there already wherever lists are

    from everfit.serve.lists import compare  # scipy, which no row needs

    for at, row in enumerate(rows):
        found = lists.numbers(row["input"])
        expected = row["expected"]
        if len(found) != len(expected) or not (
            compare.apart(np.array([expected]), np.array([found])) <= compare.TOLERANCE
        ):
            raise _differs(placed, at, found, expected)


def _differs(
    placed: Placed, at: int, found: Sequence[float], expected: Sequence[float]
) -> ArtefactRefused:
    return ArtefactRefused(
        f"version v{placed.number} does not give its golden answers",
        got=f"row {at + 1}: {list(found)}"[:200], expected=f"{expected}"[:200],
        do="the version before it goes on serving; release this one again",
    )  # fmt: skip


def _same(found: Sequence[float], expected: Sequence[float]) -> bool:
    return len(found) == len(expected) and all(
        abs(ours - theirs) <= TOLERANCE * max(1.0, abs(theirs))  # false for NaN
        for ours, theirs in zip(found, expected, strict=True)
    )
