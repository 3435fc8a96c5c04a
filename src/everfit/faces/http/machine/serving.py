"""The ``[serve]`` settings as a worker uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from everfit.errors import SettingsError, near
from everfit.faces.http.guard.door import LOOPBACK
from everfit.live.desk.limits import Limits


@dataclass(frozen=True, slots=True)
class Serving:
    """How a worker behaves.

    ``hosts`` are the names under which it may be asked, loopback's always among them; ``tokens`` is
    the path of the file of tokens and ``require_token`` refuses whoever has none; ``proxies`` are
    networks whose ``proxy_header`` names a user that was let in there. ``read_s`` is the time for
    head and body of a request, ``ask_s`` that for an answer of the keeper; ``rate_per_s`` is 0 for
    no limit. ``connections_per_client`` bounds those of one address to one worker, but for
    ``proxies``. ``metrics`` is the folder where all workers count. ``explore`` says by model how
    its lists try something.
    """

    limits: Limits = field(default_factory=Limits)
    hosts: tuple[str, ...] = ()
    tokens: str | None = None
    require_token: bool = False
    proxies: tuple[str, ...] = ()
    proxy_header: str = ""
    read_s: float = 30.0
    keep_alive_s: float = 65.0
    ask_s: float = 2.0
    rate_per_s: float = 0.0
    rate_burst: int = 100
    connections_per_client: int = 1_000
    access_log: bool = False
    traces: bool = False
    metrics: str | None = None
    explore: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The settings of a ``begin`` message.

        Raises
        ------
        SettingsError : an unknown name, or a value of another type

        Examples
        --------
        >>> Serving.from_plain({"hosts": ["models.example"], "read_s": 5}).read_s
        5.0
        """
        given = dict(plain)
        limits = Limits.from_plain(given.pop("limits", {}))
        fields = cls.__dataclass_fields__
        made: dict[str, Any] = {"limits": limits, "explore": given.pop("explore", {})}
        for name, value in given.items():
            if name not in fields:
                like = near(name, fields)
                raise SettingsError(
                    f"[serve] has no setting {name!r}", got=name, expected=", ".join(fields),
                    do=f"did you mean {like}?" if like else "remove it",
                )  # fmt: skip
            made[name] = _typed(name, value, fields[name].type)
        return cls(**made)

    @property
    def all_hosts(self) -> tuple[str, ...]:
        """The names under which the server may be asked."""
        return (*LOOPBACK, *self.hosts)


def _typed(name: str, value: Any, hint: Any) -> Any:
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool) and value > 0,
        "float": isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0,
        "str": isinstance(value, str),
        "str | None": value is None or isinstance(value, str),
        "tuple[str, ...]": isinstance(value, (list, tuple))
        and all(isinstance(item, str) for item in value),
    }
    if not fits[hint]:
        words = {"tuple[str, ...]": "a list of texts", "bool": "true or false", "str": "a text"}
        raise SettingsError(
            f"[serve] {name} cannot be used", got=repr(value)[:80],
            expected=words.get(hint, "a number above zero" if hint != "str | None" else "a text"),
            do=f"correct {name} in everfit.toml",
        )  # fmt: skip
    if hint == "float":
        return float(value)
    return tuple(value) if hint.startswith("tuple") else value
