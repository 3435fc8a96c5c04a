"""The command ``alerts``: what fired, who was told, a test, and silence for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from everfit import wire
from everfit.alert.message import Cause, Message
from everfit.alert.outbox import Standing, Tried, channels_of, send, source_of
from everfit.alert.targets import STATES
from everfit.alert.telling import messages, mute, muted_until, unmute
from everfit.errors import SettingsError, Unreachable, UsageError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.words.keeping.alerts import alerts_text, shape_of, target_line
from everfit.faces.words.shapes import dump, envelope
from everfit.settings import read_budget

ACTS = ("list", "test", "mute", "unmute")
NO_TARGETS = "Nobody is told. Add a target below [alerts] in everfit.toml: see docs/alerts.md"


def do_alerts(
    face: Face, act: str | None, model: str | None, length: str | None, reason: str
) -> None:
    """List, test, mute or unmute; a word that is none of these is a model to list."""
    if act is not None and act not in ACTS:
        if model is not None:
            raise UsageError(
                f"everfit alerts cannot {act!r}",
                got=f"{act} {model}",
                expected=", ".join(ACTS),
                do=f"everfit alerts list {model}",
            )
        act, model = "list", act
    if act == "test":
        _test(face, model)
    elif act in ("mute", "unmute"):
        if model is None:
            raise UsageError(
                f"everfit alerts {act} needs a model",
                expected="the name of the model",
                do=f"everfit alerts {act} MODEL" + (" --for 2d" if act == "mute" else ""),
            )
        _silence(face, act, model, length, reason)
    else:
        _list(face, model)


def _list(face: Face, model: str | None) -> None:
    settings = settings_of(face)
    now = datetime.now(UTC)
    with house_of(face, settings) as house:
        names = house.models() if model is None else (house.status(model)[0].model,)
        told = {name: messages(house, name) for name in names}
        muted = {name: until for name in names if (until := muted_until(house, name, now))}
        standing = wire.outbox(house, lambda: settings).standing() if names else ()
    if face.as_json:
        rows = [shape_of(message) for found in told.values() for message in found]
        targets = [_target_shape(one) for one in standing]
        face.data(dump(envelope("alerts", alerts=rows, targets=targets, muted=muted)))
        return
    face.data(alerts_text(told, muted, now, all_of_them=face.verbose))
    for one in standing:
        face.data(target_line(one))
    if not settings.alerts:
        face.tell(NO_TARGETS)


def _target_shape(one: Standing) -> dict[str, Any]:
    return {
        "name": one.channel.target.name,
        "kind": one.channel.target.kind,
        "to": one.channel.to or None,
        "taken": one.taken,
        "waiting": one.waiting,
        "error": one.error or None,
        "next_try_at": one.next_try_at,
    }


def _test(face: Face, name: str | None) -> None:
    """Send one message to each target, or one of them, and say what came back."""
    settings = settings_of(face)
    targets = [target for target in settings.alerts if name in (None, target.name)]
    if not targets:
        known = ", ".join(target.name for target in settings.alerts)
        raise SettingsError(
            "there is nobody to tell" if name is None else f"there is no target {name!r}",
            got=known or "no target below [alerts]",
            expected="a webhook, a Slack address or mail below [alerts]",
            do="see docs/alerts.md, or: everfit init --print",
        )
    message = _example(datetime.now(UTC))
    tried: list[tuple[str, str, Tried]] = []
    with house_of(face, settings) as house:
        source = source_of(house.key()) if house.models() else "test"
        for channel in (one for target in targets for one in channels_of(target)):
            label = channel.target.name + (f" ({channel.to})" if channel.to else "")
            tried.append((label, channel.target.kind, send(channel, message, source, message.at)))
    failed = [f"{label}: {one.told}" for label, _, one in tried if not one.ok]
    if face.as_json:
        rows = [
            {"name": label, "kind": kind, "taken": one.ok, "told": one.told}
            for label, kind, one in tried
        ]
        face.data(dump(envelope("alerts", act="test", targets=rows)))
    else:
        for label, kind, one in tried:
            face.data(f"{'taken' if one.ok else 'not taken':<10} {kind:<8} {label}: {one.told}")
    if failed:
        raise Unreachable(
            f"{len(failed)} of {len(tried)} did not take the test",
            got="; ".join(failed),
            expected="an answer from 200 to 299, or a mail server that takes the mail",
            do="see docs/alerts.md for what each target needs",
        )


def _example(now: datetime) -> Message:
    cause = Cause(
        name="test",
        state=STATES[0],  # type: ignore[arg-type]
        headline="this is a test; nothing happened",
        means="Alerts of Everfit arrive here.",
        doing="Everfit does nothing: this is a test.",
        you_need="nothing",
    )
    return Message("test", "firing", int(now.timestamp()), 0, now, cause, now)


def _silence(face: Face, act: str, model: str, length: str | None, reason: str) -> None:
    now = datetime.now(UTC)
    if act == "mute" and length is None:
        raise UsageError(
            "everfit alerts mute needs to know for how long",
            expected="a time, such as 12h or 2d",
            do=f"everfit alerts mute {model} --for 2d",
        )
    with house_of(face) as house:
        house.status(model)  # a name that is not there is told before anything is written
        if length is not None and act == "mute":
            decision = mute(model, read_budget(length), by="person", reason=reason, at=now)
        else:
            decision = unmute(model, by="person", reason=reason, at=now)
        decision = house.record(decision)
    if face.as_json:
        face.data(dump(envelope("alerts", act=act, model=model, decision=decision)))
    else:
        face.data(decision.headline)
