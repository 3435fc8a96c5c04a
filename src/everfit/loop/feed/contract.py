"""What a feed is, and what pulling from it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SETTLE_S = 5.0  # a file that was written to more recently may still be being written


@dataclass(frozen=True, slots=True)
class Feed:
    """A place from which labelled rows of a model come, as ``everfit.toml`` names it.

    ``source`` is a file, a folder or pattern of files, or the URL of a database. ``watermark`` is a
    column that grows with every row, which a database needs; ``query`` is SQL that gives the rows,
    where it is not a whole table. A file counts as written when nothing was written to it for
    ``settle_s`` seconds.
    """

    name: str
    source: str
    query: str | None = None
    watermark: str | None = None
    settle_s: float = SETTLE_S

    @property
    def is_database(self) -> bool:
        """Whether rows are asked for by SQL."""
        return "://" in self.source and not self.source.startswith("file://")


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one pull brought: ``n`` new rows in ``files``, as paths in the store.

    ``state`` is what the next pull must know; ``sha256`` hashes it, so that a pull which brought
    nothing new gives the same.
    """

    feed: str
    n: int
    files: tuple[str, ...]
    state: Mapping[str, Any]
    sha256: str
    notes: tuple[str, ...] = field(default=())
