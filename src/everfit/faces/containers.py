"""Rows come in as one kind of container and answers go out as the same kind.

Containers are known by the module of their class, so that pandas, Polars and pyarrow are never
imported for people who do not use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from everfit.errors import UsageError

Container = Literal["pandas", "polars", "arrow", "records", "record", "place"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """Rows that were given, how they were wrapped, and the pandas index if there was one."""

    container: Container
    rows: Any
    index: Any = None


def incoming(data: Any) -> Incoming:
    """What ``data`` is.

    Raises
    ------
    UsageError : it is nothing that holds named columns

    Examples
    --------
    >>> incoming({"age": 41}).container, incoming([{"age": 41}]).container
    ('record', 'records')
    """
    if isinstance(data, Mapping):
        if not data or not all(isinstance(v, (list, tuple)) for v in data.values()):
            return Incoming("record", data)
        import polars as pl  # heavy, and a dict of values, which is one row, does not need it

        return Incoming("polars", pl.DataFrame(data))
    module = type(data).__module__.partition(".")[0]
    if module == "polars" and hasattr(data, "collect"):
        return Incoming("polars", data.collect())
    if module == "polars" and hasattr(data, "columns"):
        return Incoming("polars", data)
    if module == "pandas" and hasattr(data, "columns"):
        return Incoming("pandas", data, data.index)
    if module == "pandas" and hasattr(data, "to_dict") and hasattr(data, "name"):
        return Incoming("record", data.to_dict())  # one row of a frame
    if module == "pyarrow" and hasattr(data, "column_names"):
        return Incoming("arrow", data)
    if isinstance(data, str) or hasattr(data, "__fspath__"):
        return Incoming("place", data)
    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        return Incoming("records", list(data))
    raise UsageError(
        "these rows have no named columns",
        got=type(data).__name__,
        expected="a pandas or Polars frame, an Arrow table, a dict, a list of dicts, or a path",
        do="give the columns their names, for example pandas.DataFrame(X, columns=[...])",
    )


def outgoing_labels(given: Incoming, labels: Sequence[Any], name: str) -> Any:
    """One label or number a row, in the container that the rows came in.

    Examples
    --------
    >>> outgoing_labels(incoming([{"a": 1}, {"a": 2}]), ["yes", "no"], "churned")
    ['yes', 'no']
    """
    if given.container == "record":
        return labels[0]
    if given.container == "records":
        return list(labels)
    if given.container == "pandas":
        import pandas as pd  # heavy, and only its users come here

        return pd.Series(list(labels), index=given.index, name=name)
    if given.container == "arrow":
        import pyarrow as pa  # heavy, and only its users come here

        return pa.array(list(labels))
    import polars as pl  # heavy, and only its users come here

    return pl.Series(name, list(labels))


def outgoing_probabilities(given: Incoming, labels: Sequence[Any], values: Any) -> Any:
    """Probabilities (n, k), one column a label, in the container that the rows came in.

    pandas columns are the labels themselves; elsewhere columns must be texts.
    """
    if given.container == "record":
        return dict(zip(labels, map(float, values[0]), strict=True))
    if given.container == "records":
        return [dict(zip(labels, map(float, row), strict=True)) for row in values]
    if given.container == "pandas":
        import pandas as pd  # heavy, and only its users come here

        return pd.DataFrame(values, index=given.index, columns=list(labels))
    import polars as pl  # heavy, and only its users come here

    frame = pl.DataFrame({str(label): values[:, k] for k, label in enumerate(labels)})
    return frame.to_arrow() if given.container == "arrow" else frame


def typed_labels(labels: Sequence[str], label_type: str) -> list[Any]:
    """Labels in the type that they had in the data.

    Examples
    --------
    >>> typed_labels(("false", "true"), "bool"), typed_labels(("0", "1"), "int")
    ([False, True], [0, 1])
    """
    if label_type == "bool":
        return [label == "true" for label in labels]
    if label_type == "int":
        return [int(float(label)) for label in labels]
    if label_type == "float":
        return [float(label) for label in labels]
    return list(labels)
