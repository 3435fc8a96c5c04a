"""What one request may ask for, and the error of one that asks for more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from everfit.errors import SettingsError, UsageError, near


class TooMuch(UsageError):
    """A request is larger than this server takes."""

    http_status = 413


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request.

    ``body_bytes`` and ``rows`` bound what is read, ``depth`` how deep JSON may nest; a body larger
    than ``aside_bytes`` is answered in a thread, so that single rows do not wait behind it.
    """

    body_bytes: int = 10_000_000
    rows: int = 10_000
    depth: int = 32
    aside_bytes: int = 16_384

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The limits that settings name; those that they do not name stay as they are.

        Raises
        ------
        SettingsError : an unknown name, or no whole number above zero
        """
        for name, value in plain.items():
            if name not in cls.__dataclass_fields__:
                raise SettingsError(
                    f"[serve.limits] has no setting {name!r}",
                    got=name, expected=", ".join(cls.__dataclass_fields__),
                    do=f"did you mean {found}?" if (found := near(name, cls.__dataclass_fields__))
                    else "remove it",
                )  # fmt: skip
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingsError(
                    f"[serve.limits] {name} cannot be used",
                    got=repr(value), expected="a whole number above zero", do=f"set {name} = 10000",
                )  # fmt: skip
        return cls(**plain)


def check_rows(n: int, limits: Limits) -> None:
    """Refuse more rows than one request may have.

    Raises
    ------
    TooMuch : with what to use instead
    """
    if n > limits.rows:
        raise TooMuch(
            "the request has too many rows",
            got=f"{n:,} rows",
            expected=f"at most {limits.rows:,} rows in one request",
            do="send them in parts, or score the file as a batch job: everfit predict",
        )
