"""``[models.NAME.feeds.X]``: where new labelled rows of a model come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.errors import SettingsError
from everfit.settings.places import Place, table, values
from everfit.settings.values import SOURCE, read_budget

if TYPE_CHECKING:  # the loop needs numpy and polars, for which a server that starts does not wait
    from everfit.loop.feed import Feed
    from everfit.settings.file import Settings

FEED: dict[str, Callable[[Any], Any]] = {
    "source": SOURCE["source"],
    "query": SOURCE["query"],
    "watermark": SOURCE["source"],
    "settle": read_budget,
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def read_feeds(
    sections: Mapping[str, Any], where: str, base: Path, place: Place
) -> dict[str, dict[str, Any]]:
    """The feeds of a model by name, as :class:`everfit.loop.feed.Feed` takes them.

    Parameters
    ----------
    where : the section of the model, such as ``models.churn``
    base : the folder from which a path in the file is meant

    Raises
    ------
    SettingsError : a name or value cannot be used, or a database has no watermark; says its line
    """
    found = {}
    for name in sections:
        section = f"{where}.feeds.{name}"
        one = values(table(sections, f"{where}.feeds", name, place), section, FEED, place)
        if not _NAME.fullmatch(name):
            raise _unusable(place, section, f"the name {name!r} of a feed cannot be used",
                            repr(name), "1 to 64 letters, digits, '_' and '-'",
                            f"rename [{section}]")  # fmt: skip
        if "source" not in one:
            raise _unusable(place, section, f"the feed {name!r} has no source",
                            ", ".join(one) or "nothing", "a file, a folder, or a database",
                            f"add source to [{section}]")  # fmt: skip
        database = "://" in one["source"] and not one["source"].startswith("file://")
        if database and "watermark" not in one:
            raise _unusable(place, section, f"the feed {name!r} has no watermark",
                            "a database", "a column that grows with every row",
                            f"add watermark to [{section}]")  # fmt: skip
        for key in ("query", "watermark"):
            if key in one and not database:
                raise _unusable(place, section, f"the feed {name!r} cannot have a {key}",
                                f"{key} with {one['source']!r}", "a database with it, or no "
                                f"{key}", f"remove {key} from [{section}]", key)  # fmt: skip
        if not database:
            one["source"] = str(base / one["source"].removeprefix("file://"))
        if "settle" in one:
            one["settle_s"] = one.pop("settle")
        found[name] = one
    return found


def feeds_of(settings: Settings, model: str) -> tuple[Feed, ...]:
    """The feeds that the settings name for a model, by name.

    Examples
    --------
    >>> from everfit.settings import Settings
    >>> said = Settings(models={"churn": {"feeds": {"daily": {"source": "drops"}}}})
    >>> [feed.name for feed in feeds_of(said, "churn")], feeds_of(said, "other")
    (['daily'], ())
    """
    from everfit.loop.feed import Feed

    found = settings.models.get(model, {}).get("feeds", {})
    return tuple(Feed(name, **found[name]) for name in sorted(found))


def _unusable(
    place: Place, section: str, what: str, got: str, expected: str, do: str, key: str = ""
) -> SettingsError:
    return SettingsError(f"{place.line(section, key)}: {what}", got=got, expected=expected, do=do)
