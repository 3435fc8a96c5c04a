"""The command ``check``: a gate for scripts, which fails when a model needs a person."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.words.answers import EMPTY
from everfit.faces.words.health import Look, check_lines, check_shape
from everfit.faces.words.shapes import dump, envelope
from everfit.house import House
from everfit.plain import from_plain
from everfit.records import Health
from everfit.settings import Settings, upkeep_of

NEEDS_YOU = 1  # the exit code


def do_check(face: Face, model: str | None) -> None:
    """Print the newest look at each model, or at one; end with 1 when one needs a person."""
    settings, now = settings_of(face), datetime.now(UTC)
    with house_of(face, settings) as house:
        if model is not None:
            house.versions(model)  # an unknown model is told with near names
        names = house.models() if model is None else (model,)
        looks = [newest(house, settings, name) for name in names]
    if face.as_json:
        ok = all(look.state != "needs_you" for look in looks)
        face.data(dump(envelope("check", ok=ok, models=[check_shape(look, now) for look in looks])))
    elif not looks:
        face.data(EMPTY)
    else:
        texts = ["\n".join(check_lines(look, now, full=face.verbose)) for look in looks]
        face.data("\n\n".join(texts))
    if any(look.state == "needs_you" for look in looks):
        raise typer.Exit(NEEDS_YOU)


def newest(house: House, settings: Settings, model: str) -> Look:
    """The newest look at ``model``, and who answers now."""
    steps = house.steps(model, "health", last=1)
    champion = house.status(model)[0].champion
    return Look(
        model=model,
        health=from_plain(Health, steps[-1].record) if steps else None,
        at=steps[-1].at if steps else None,
        champion=None if champion is None else champion.name,
        window_s=upkeep_of(settings, model).window_s,
        paused=house.is_paused(model),
    )
