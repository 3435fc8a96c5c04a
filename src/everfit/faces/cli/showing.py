"""The commands that show: ``demo`` runs the main job, ``doctor`` checks what it needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

from everfit import wire
from everfit.errors import EverfitError, UsageError, near
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import settings_of
from everfit.faces.cli.running import Asked, do_run
from everfit.faces.examples import EXAMPLES, write_example
from everfit.faces.words.figures import counted, size
from everfit.faces.words.grid import grid
from everfit.faces.words.shapes import dump, envelope
from everfit.house import House
from everfit.settings import Settings
from everfit.store.database import WAL_SAFE, journal_mode
from everfit.store.disk import network_file_system
from everfit.store.place import shown_place

PACKAGES = (
    "everfit",
    "numpy",
    "scipy",
    "polars",
    "pyarrow",
    "scikit-learn",
    "lightgbm",
    "catboost",
    "optuna",
    "sqlalchemy",
    "msgspec",
    "uvicorn",
    "pandas",
    "typer",
    "rich",
)
BUDGET = "30s"
TIGHT = 1 << 30


def do_demo(face: Face, name: str | None, *, budget: str | None, only_list: bool) -> None:
    """Write an example to a CSV file and run the main job on it."""
    if only_list:
        rows = [[e.name, e.target, e.about] for e in EXAMPLES]
        if face.as_json:
            face.data(
                dump(
                    envelope(
                        "demo",
                        examples=[
                            {"name": e.name, "target": e.target, "about": e.about} for e in EXAMPLES
                        ],
                    )
                )
            )
        else:
            face.data("\n".join(grid(["name", "target", "what it is"], rows, flexible=2, indent=0)))
        return
    names = [example.name for example in EXAMPLES]
    chosen = name or names[0]
    if chosen not in names:
        hint = near(chosen, names)
        raise UsageError(
            f"there is no example called {chosen!r}",
            expected=", ".join(names),
            do=f"did you mean {hint}?" if hint else "everfit demo --list",
        )
    example = EXAMPLES[names.index(chosen)]
    file = write_example(example, Path(f"everfit-demo-{example.name}.csv"))
    told = f"everfit run {file} --target {example.target} --name {example.name}"
    face.tell(f"{example.about}. The same as:\n  {told} --budget {budget or BUDGET}\n")
    do_run(
        face,
        Asked(source=str(file), target=example.target, name=example.name, budget=budget or BUDGET),
    )


def do_doctor(face: Face) -> None:
    """Print versions, SQLite, memory, disk and the state of the store, each with a verdict."""
    facts = [*_versions(), *_machine(), *_store(face)]
    if face.as_json:
        checks = [{"name": n, "value": v, "state": s, "do": d} for n, v, s, d in facts]
        face.data(dump(envelope("doctor", checks=checks)))
        return
    rows = [[state, name, value] for name, value, state, _ in facts]
    lines = grid(["", "what", "found"], rows, flexible=2, indent=0)
    lines += [f"{name}: {do}" for name, _, state, do in facts if state != "ok"]
    face.data("\n".join(lines))


Fact = tuple[str, str, str, str]  # name, value, ok | warn | fail, what to do


def _versions() -> list[Fact]:
    facts: list[Fact] = [("Python", platform.python_version(), "ok", "")]
    for package in PACKAGES:
        try:
            facts.append((package, importlib.metadata.version(package), "ok", ""))
        except importlib.metadata.PackageNotFoundError:
            facts.append((package, "not installed", "warn", f"pip install {package}"))
    wanted = ".".join(map(str, WAL_SAFE))
    safe = journal_mode(sqlite3.sqlite_version_info) == "WAL"
    facts.append(
        (
            "SQLite",
            f"{sqlite3.sqlite_version}, {'write-ahead log' if safe else 'rollback journal'}",
            "ok" if safe else "warn",
            f"a rare fault of the write-ahead log is mended since {wanted}: "
            "stores use a rollback journal here, which is as safe and a little slower",
        )
    )
    return facts


def _machine() -> list[Fact]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return [
        ("system", platform.platform(terse=True), "ok", ""),
        ("cores", str(cores), "ok", ""),
        ("terminal", f"{'yes' if sys.stderr.isatty() else 'no'}, {sys.stdout.encoding}", "ok", ""),
    ]


def _store(face: Face) -> list[Fact]:
    settings = settings_of(face)
    place = face.store or settings.store or ".everfit"
    named = shown_place(place)
    facts: list[Fact] = [("settings", settings.path or "none, defaults", "ok", "")]
    if "://" not in place:
        there = Path(place).exists()
        nearest = next(
            p for p in [Path(place).resolve(), *Path(place).resolve().parents] if p.exists()
        )
        free = shutil.disk_usage(nearest).free
        facts.append(
            (
                "disk free",
                size(free),
                "warn" if free < TIGHT else "ok",
                "less than 1 GiB: packing a version may fail",
            )
        )
        if not os.access(nearest, os.W_OK):
            facts.append(("store", place, "fail", f"{nearest} cannot be written by this user"))
            return facts
        network = network_file_system(Path(place))
        if network is not None:
            told = "SQLite cannot trust its locks there: use a local disk, or PostgreSQL"
            facts.append(("file system", network, "warn", told))
        if not there:
            # asking must not create it
            return [*facts, ("store", f"{place} (none yet)", "ok", "")]
    try:
        house = wire.house(store=place, settings=settings)
        try:
            found: Any = house.models()
            facts.append(("store", f"{named}: {counted(len(found), 'model')}", "ok", ""))
            facts += _mirror(house)
            facts += _alerts(house, settings) if found else []
        finally:
            house.close()
    except EverfitError as error:
        facts.append(("store", named, "fail", f"{error.what} ({error.got})"))
    return facts


def _mirror(house: House) -> list[Fact]:
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return []
    # most stores are mirrored nowhere
    from everfit.mirror.background import uri_here
    from everfit.mirror.state import state_of

    uri = uri_here()
    if uri is None:
        return []
    state, told, do = state_of(house, uri)
    return [("mirror", told, state, do)]


def _alerts(house: House, settings: Settings) -> list[Fact]:
    """One fact for each way to tell somebody: what waits, and why."""
    if not settings.alerts:
        return []
    # most stores tell nobody
    from everfit.faces.words.keeping.alerts import target_line

    return [
        ("alerts", target_line(one), "warn" if one.error else "ok", "see: everfit alerts test")
        for one in wire.outbox(house, lambda: settings).standing()
    ]
