"""A table: a Polars frame whose columns have kinds and roles, and a source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from everfit.errors import ColumnMissing, near
from everfit.records import Array, Column, Role, Source


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in source order with typed columns; frozen, every change gives a new one.

    ``columns`` stand in the order of the frame. See :class:`everfit.records.Column` for how each
    kind is stored.
    """

    frame: pl.DataFrame
    columns: tuple[Column, ...]
    source: Source

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.frame.height

    @property
    def features(self) -> tuple[Column, ...]:
        """Columns whose role is feature, in order."""
        return tuple(column for column in self.columns if column.role == "feature")

    def column(self, name: str) -> Column:
        """The column called ``name``.

        Raises
        ------
        ColumnMissing : there is none; near names are offered
        """
        for column in self.columns:
            if column.name == name:
                return column
        names = [column.name for column in self.columns]
        hint = near(name, names)
        raise ColumnMissing(
            f"column {name!r} is not in {self.source.uri}",
            got=", ".join(repr(n) for n in names[:20]) + (" ..." if len(names) > 20 else ""),
            expected=f"a column called {name!r}",
            do=f"did you mean {hint}?" if hint else "give one of the columns above",
        )

    def role(self, role: Role) -> Column | None:
        """The first column with ``role``, or None."""
        return next((column for column in self.columns if column.role == role), None)

    def take(self, rows: Array) -> Table:
        """The rows at positions ``rows`` (int64), in that order."""
        return replace(self, frame=self.frame[rows])

    def drop(self, names: Iterable[str]) -> Table:
        """The table without the columns ``names``; names that are not there are ignored."""
        gone = set(names)
        kept = tuple(column for column in self.columns if column.name not in gone)
        return replace(self, frame=self.frame.select([c.name for c in kept]), columns=kept)

    def with_roles(self, roles: Mapping[str, Role]) -> Table:
        """The table with other roles for some columns.

        Raises
        ------
        ColumnMissing : a name is not in the table
        """
        for name in roles:
            self.column(name)
        columns = tuple(replace(c, role=roles.get(c.name, c.role)) for c in self.columns)
        return replace(self, columns=columns)
