"""The list of learners. A new one is a file in this folder and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from everfit.errors import ArtefactRefused, SettingsError, UsageError, near
from everfit.learners.boosted import Boosted
from everfit.learners.contract import Learner
from everfit.learners.foreign import Foreign
from everfit.learners.forest import Forest
from everfit.learners.linear import Linear
from everfit.learners.listing import (
    ContentLists,
    EaseLists,
    FactorLists,
    LaggedLists,
    NeighbourLists,
    PopularLists,
    RerankedLists,
)
from everfit.learners.neural import Neural
from everfit.learners.prior import Prior
from everfit.learners.symmetric import Symmetric
from everfit.named import by_name

__all__ = ["LEARNERS", "load", "make", "outside", "warm"]
GROUP = "everfit.learners"
LIBRARIES = {
    "boosted": ("lightgbm",),
    "symmetric": ("catboost", "pandas"),
    "forest": ("sklearn.ensemble",),
    "linear": ("sklearn.linear_model", "threadpoolctl"),
    "neural": ("sklearn.neural_network", "threadpoolctl"),
    "foreign": ("sklearn.base", "skops.io", "cloudpickle"),
    "ease": ("scipy.linalg", "threadpoolctl"),
    "reranked": ("lightgbm", "scipy.linalg", "threadpoolctl"),
    "lagged": ("scipy.linalg", "threadpoolctl"),
}


_ROWS = (Prior, Linear, Boosted, Symmetric, Forest, Neural, Foreign)
_LISTS = (
    PopularLists, NeighbourLists, EaseLists, LaggedLists, FactorLists, ContentLists, RerankedLists,
)  # fmt: skip
_ALL: tuple[type[Any], ...] = (*_ROWS, *_LISTS)
LEARNERS: dict[str, type[Any]] = by_name("learner", _ALL, place=lambda cls: cls)


def make(name: str, settings: Mapping[str, Any]) -> Learner:
    """The learner ``name`` with ``settings``, not fitted. Names of entry points count too.

    Raises
    ------
    UsageError : there is no such learner; near names are offered
    SettingsError : it does not know one of the settings
    """
    if name not in LEARNERS:
        found, _ = outside()
        if name not in found:
            hint = near(name, [*LEARNERS, *found])
            raise UsageError(
                f"there is no learner called {name!r}",
                got=repr(name),
                expected=", ".join([*LEARNERS, *found]),
                do=f"did you mean {hint}?" if hint else "give one of the names above",
            )
        cls = found[name]
        if not hasattr(cls, "answer"):
            # an estimator as scikit-learn knows it: its settings are those of the estimator
            return Foreign(source=f"entry:{name}", settings=dict(settings))
    else:
        cls = LEARNERS[name]
    try:
        learner: Learner = cls(**settings)
    except TypeError as error:
        raise SettingsError(
            f"the learner {name!r} does not take these settings",
            got=", ".join(f"{key}={value!r}" for key, value in settings.items()),
            expected="the settings named in its docstring",
            do=str(error),
        ) from error
    return learner


def load(folder: Path, part: Mapping[str, Any]) -> Learner:
    """A fitted learner from its files: answers again, and can be saved again in memory only.

    Raises
    ------
    ArtefactRefused : no learner of this release writes such a part
    """
    for cls in LEARNERS.values():
        if cls.engine == part.get("engine"):
            learner: Learner = cls.load(folder, part)
            return learner
    raise ArtefactRefused(
        "no learner can read this part",
        got=repr(part.get("engine")),
        expected=", ".join(cls.engine for cls in LEARNERS.values()),
        do="open it with the release of Everfit that wrote it, or a later one",
    )


def outside(points: Iterable[EntryPoint] | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Classes of installed packages by entry-point name, and warnings of those that are broken.

    A class with ``answer`` is taken as a learner, any other as a scikit-learn estimator. A broken
    one must not keep the others from working.
    """
    found: dict[str, Any] = {}
    warnings = []
    for point in entry_points(group=GROUP) if points is None else points:
        if point.name in LEARNERS or point.name in found:
            warnings.append(f"learner {point.name!r} of {point.value} left out: name is taken")
            continue
        try:
            found[point.name] = point.load()
        except Exception as error:  # noqa: BLE001
            # a foreign package may fail in any way while it is imported; that becomes a warning
            warnings.append(
                f"learner {point.name!r} of {point.value} left out: {type(error).__name__}: {error}"
            )
    return found, tuple(warnings)


def warm(names: Iterable[str]) -> None:
    """Import what the learners ``names`` need, so that no fit pays for it (0.3 to 1.5 s)."""
    for name in names:
        for library in LIBRARIES.get(name, ()):
            import_module(library)
