"""What a column is, and the few types that a process needs which only answers.

Apart from the other records, so that such a process starts without making all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "boolean", "category", "ordered", "date", "text", "identifier", "constant"]
Role = Literal["feature", "target", "time", "group", "weight", "ignore"]
Form = Literal["probabilities", "values", "lists"]
DEPTH = 100  # items of a ranked list that an answer keeps: codes first, then as many scores
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Column:
    """What one column is and what it is for.

    Storage in a table's frame: number -> Float64 or Int64; boolean -> Boolean; date ->
    Datetime[us]; all others -> String. ``levels`` are the ordered levels of an ordered
    category, or the two words (false, true) of a boolean; ``missing_marks`` the words or
    numbers that stood for missing in the source; ``why`` says in words how it was inferred.
    """

    name: str
    kind: Kind
    role: Role = "feature"
    n_missing: int = 0
    n_distinct: int = 0
    levels: tuple[str, ...] = ()
    missing_marks: tuple[str, ...] = ()
    why: str = ""
