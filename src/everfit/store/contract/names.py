"""Names that a store accepts: of models, of finished work, of versions."""

from __future__ import annotations

import re
import unicodedata

from everfit.errors import UsageError

_MODEL = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,8})")


def model_name(text: str) -> str:
    """``text`` when it is a model name, else an error with the nearest name that is one.

    Raises
    ------
    UsageError : not 1 to 64 of a-z, 0-9 and ``-``, or it begins with ``-``

    Examples
    --------
    >>> model_name("churn-eu")
    'churn-eu'
    """
    if _MODEL.fullmatch(text):
        return text
    raise UsageError(
        "model name cannot be used",
        got=repr(text),
        expected="1 to 64 of a-z, 0-9 and '-', beginning with a letter or digit",
        do=f"use {suggested(text)!r}",
    )


def suggested(text: str) -> str:
    """The model name nearest to ``text``; ``model`` when nothing of it can be kept.

    Examples
    --------
    >>> suggested("Kunden Abgänge (EU)")
    'kunden-abgange-eu'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
    return words[:64].strip("-") or "model"


def work_key(text: str) -> str:
    """``text`` when it can name a folder of finished work, such as a hash in hex digits.

    Raises
    ------
    UsageError : it could not be a folder's name everywhere
    """
    if _KEY.fullmatch(text):
        return text
    raise UsageError(
        "trial key cannot be used",
        got=repr(text),
        expected="1 to 128 letters, digits, '_', '.' and '-'",
        do="use a hash in hex digits",
    )


def version_number(text: str) -> int | None:
    """3 for ``v3`` or ``3``; None for anything else.

    Examples
    --------
    >>> version_number("v3"), version_number("champion")
    (3, None)
    """
    found = _VERSION.fullmatch(text)
    return int(found.group(1)) if found else None
