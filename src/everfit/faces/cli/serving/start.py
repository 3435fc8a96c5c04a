"""The command that serves: settings and options in, a keeper that runs until it is stopped.

Until the workers are started only what they need is imported: a client waits for the first answer.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from everfit.errors import Refused, SettingsError, StoreFailed
from everfit.faces.cli.everywhere import Face
from everfit.live.keeper import Beside, Keeper, Setup
from everfit.live.listening import is_loopback, listen, url_of
from everfit.live.orders import Start
from everfit.live.sources import registered
from everfit.live.traffic.split import ByKey
from everfit.settings import Settings, read_settings, store_place
from everfit.settings.explore import explored_models

if TYPE_CHECKING:
    from everfit.house import House
    from everfit.store.log import Log

DEFAULTS: Mapping[str, Any] = {
    "host": "127.0.0.1",
    "port": 8321,
    "operate_port": 8322,
    "workers": 1,
    "durability": "os",
    "grace_s": 10.0,
}
# settings that are the keeper's own; all others are the workers'
OWN = (*DEFAULTS, "spool", "keep_days", "require_token")
TOKENS = "tokens.json"
QUIET_EVENTS = ("ordered", "settings_read", "draining", "stopped", "day_sealed")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; None where it says nothing."""

    host: str | None = None
    port: int | None = None
    operate_port: int | None = None
    workers: int | None = None
    durability: str | None = None
    proxies: tuple[str, ...] = ()
    proxy_header: str | None = None
    operate: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where the store is: its URL or folder, and the folder of its files."""

    store: str
    root: Path

    @property
    def is_folder(self) -> bool:
        """Whether the store is an SQLite file in ``root``."""
        return "://" not in self.store


def do_serve(
    face: Face, asked: Asked, *, beside: tuple[Callable[[Keeper], Beside], ...] = ()
) -> None:
    """Serve until a signal ends it; the exit code says whether all was finished.

    ``beside`` is started when the first worker answers, and ends with the server.
    """
    settings = read_settings(face.config)
    values = merged(settings, asked)
    place = place_of(face, settings)
    serving = serving_of(values, place)
    refuse_strangers(values["host"], place.root / TOKENS, serving)
    data = listen(values["host"], values["port"])
    operate = None
    if asked.operate:
        operate = listen("127.0.0.1", values["operate_port"], option="--operate-port")
    spools = _spools(values, place)
    say = saying(face)
    keeper = Keeper(
        Setup(
            root=place.root,
            glanced=place.is_folder,
            spools=spools,
            start=Start(
                worker=0,
                keeper=os.getpid(),
                listening=(data.fileno(),),
                spool=str(spools),
                durability=values["durability"],
                grace_s=values["grace_s"],
                serving=serving,
            ),
            workers=values["workers"],
            keep_days=values.get("keep_days"),
            open_house=lambda: _house(place, settings),
            open_log=lambda house: _log(place, house),
            tell=_tell,
            say=say,
            reread=lambda: serving_of(merged(read_settings(face.config), asked), place),
            beside=(
                *(() if operate is None else (_operating(operate, serving),)),
                _gauging,
                *((_mirroring,) if os.environ.get("MLFLOW_TRACKING_URI") else ()),
                *beside,
            ),
            early=face.early,
            sources=registered(settings.models),
        )
    )
    operated = None if operate is None else url_of(operate)
    code = keeper.run(lambda: _tell_ready(face, keeper, url_of(data), operated))
    if keeper.crew.hopeless.is_set():
        raise StoreFailed(
            "no worker could be started",
            got="each ended before it answered",
            expected="workers that answer",
            do="see the lines above for the reason",
        )
    if code:
        raise typer.Exit(code)


def merged(settings: Settings, asked: Asked) -> dict[str, Any]:
    """Defaults, over them ``[serve]``, over it the command line."""
    given = {
        "host": asked.host,
        "port": asked.port,
        "operate_port": asked.operate_port,
        "workers": asked.workers,
        "durability": asked.durability,
        "proxies": asked.proxies or None,
        "proxy_header": asked.proxy_header,
    }
    said = {name: value for name, value in given.items() if value is not None}
    values = {**DEFAULTS, **settings.serve, **said}
    if explored := explored_models(settings):
        values["explore"] = explored
    if values["workers"] < 1 or values["durability"] not in ("os", "fsync"):
        raise SettingsError(
            "the workers cannot be started like this",
            got=f"workers {values['workers']}, durability {values['durability']!r}",
            expected="1 or more workers; durability os or fsync",
            do="give --workers 2 --durability os",
        )
    return values


def place_of(face: Face, settings: Settings) -> Place:
    """The store of this call, and where its files lie."""
    store = store_place(face.store, settings)
    files = settings.files or ".everfit"
    return Place(store, Path(store if "://" not in store else files).absolute())


def serving_of(values: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """What workers are told of serving."""
    theirs = {name: value for name, value in values.items() if name not in OWN}
    return theirs | {
        "tokens": str(place.root / TOKENS),
        "require_token": bool(values.get("require_token")) or not is_loopback(values["host"]),
        # beside the spools, which are one server's own: replicas share the folder of the store
        "metrics": str(_spools(values, place) / "metrics"),
    }


def _spools(values: Mapping[str, Any], place: Place) -> Path:
    return Path(values.get("spool") or place.root / "spool")


def refuse_strangers(host: str, tokens: Path, serving: Mapping[str, Any]) -> None:
    """Stop a server that others can reach and that would not ask them who they are.

    Raises
    ------
    Refused : no token and no trusted proxy, on an address that is not loopback
    SettingsError : a proxy's header without the networks of proxies, or the other way round
    """
    header, proxies = serving.get("proxy_header"), serving.get("proxies")
    if bool(header) != bool(proxies):
        raise SettingsError(
            "a trusted proxy needs its networks and its header",
            got=f"header {header!r}, networks {', '.join(proxies or ()) or 'none'}",
            expected="both, or none",
            do="give --trusted-proxy-header X-User --trusted-proxy 10.0.0.5",
        )
    if is_loopback(host) or (header and proxies):
        return
    from everfit.faces.http.guard.tokens import list_tokens

    if not list_tokens(tokens):
        raise Refused(
            f"{host} can be reached by others, and there is no token",
            got=f"no tokens in {tokens}",
            expected="a token for each client, or a trusted proxy",
            do="make one: everfit token make NAME; or stay on --host 127.0.0.1",
        )


def saying(face: Face) -> Callable[[str, Mapping[str, Any]], None]:
    """Writes events to stderr: words on a terminal, else one JSON object a line."""
    in_words = sys.stderr.isatty() and not face.as_json

    def say(event: str, facts: Mapping[str, Any]) -> None:
        if face.quiet and event in QUIET_EVENTS:
            return
        now = datetime.now(UTC)
        if in_words:
            told = " ".join(f"{name}={value}" for name, value in facts.items())
            line = f"{now.astimezone():%H:%M:%S} {event.replace('_', ' ')} {told}".rstrip()
        else:
            at = now.isoformat(timespec="milliseconds")
            line = json.dumps({"at": at, "event": event, **facts}, default=str, ensure_ascii=False)
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    return say


def _tell_ready(face: Face, keeper: Keeper, url: str, operate: str | None) -> None:
    arms = keeper.following.models()
    if face.as_json:
        told: dict[str, Any] = {"schema_version": 1, "command": "serve", "url": url}
        told |= {"operate_url": operate, "pid": os.getpid()}
        told["models"] = {name: f"v{one.champion}" for name, one in arms.items()}
        face.data(json.dumps(told))
        return
    served = ", ".join(f"{name} v{one.champion}" for name, one in sorted(arms.items()))
    face.data(f"Serving {served or 'no model yet'} on {url}")
    if keeper.away is not None:
        face.tell(f"The store does not answer; it is tried again until it does.\n{keeper.away}")
    if operate is not None:
        face.tell(f"Promote, roll back and canary on {operate}. Ctrl-C drains and stops.")


def _house(place: Place, settings: Settings) -> House:
    from everfit import wire

    return wire.house(store=place.store, settings=settings)


def _log(place: Place, house: House) -> Log:
    from everfit.store.log import Log

    return Log.open(place.root if place.is_folder else place.store, root=place.root)


def _tell(house: House, log: ByKey | None, call: str, args: Mapping[str, Any]) -> tuple[int, Any]:
    from everfit.faces.http.told import tell

    return tell(house, log, call, args)


def _operating(bound: Any, serving: Mapping[str, Any]) -> Callable[[Keeper], Any]:
    def begin(keeper: Keeper) -> Any:
        from everfit.faces.http.operate import Operating

        return Operating(keeper, bound, serving)

    return begin


def _mirroring(keeper: Keeper) -> Any:
    from everfit.mirror.background import Keeping

    return Keeping(keeper.house())


def _gauging(keeper: Keeper) -> Any:
    from everfit.live.beside.gauges import Gauges

    return Gauges(keeper.house, keeper.crew.stand)
