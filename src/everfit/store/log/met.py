"""Interactions in the log: rows of a name of their own beside a model's, keyed by user.

They are kept, sealed, dropped with their days and forgotten as predictions are, and no reader of
a model's predictions ever meets them.
"""

from __future__ import annotations

BESIDE = ".interactions"  # no model's name has a dot


def log_name(model: str) -> str:
    """The name under which the interactions of a model are logged.

    Examples
    --------
    >>> log_name("movies")
    'movies.interactions'
    """
    return model + BESIDE
