"""What each target has not been told yet, and one pass to tell it. The store is the outbox.

Messages are steps; the table ``mirrored`` remembers which of them a target took, and when to try
the others again. A message is sent at least once: one whose answer got lost is sent again under
the same id. The messages of one alert go out in order.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Protocol

from everfit.alert import mail, outward, payload, sign
from everfit.alert.message import Message
from everfit.alert.targets import Mail, Target, Webhook, secret, wants, without_secrets
from everfit.alert.telling import Said, messages
from everfit.errors import EverfitError
from everfit.store.contract import Mirrored

KIND = "alert"
BEGAN = ("target", "began")
FIRST_S, LONGEST_S = 15.0, 3_600.0  # the wait after the first failure doubles up to an hour
KEEP_S = 7 * 86_400.0  # a message that could not be sent for so long is of no use any more
IN_A_ROW = 3  # failures after which a target is left alone for this pass
MOST_S = 60.0


class Outgoing(Said, Protocol):
    """What the outbox needs of a store, or of a house: to read, and to remember what was taken."""

    def models(self) -> tuple[str, ...]:
        """Names of all models."""
        ...

    def mirrored(self, target: str) -> Mapping[tuple[str, str], Mirrored]:
        """What a channel was told, by kind and item."""
        ...

    def note_mirrored(
        self,
        target: str,
        kind: str,
        item: str,
        *,
        remote: str = "",
        error: str = "",
        next_try_at: datetime | None = None,
    ) -> Mirrored:
        """See ``contract.Store.note_mirrored``."""
        ...

    def close(self) -> None:
        """Let go of all files."""
        ...


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to one receiver: a target, and of a mail one of its people."""

    target: Target
    to: str = ""

    @property
    def name(self) -> str:
        """The name that the store remembers: of a person only a hash."""
        who = f"/{hashlib.sha256(self.to.encode()).hexdigest()[:12]}" if self.to else ""
        return f"alert:{self.target.name}{who}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that a channel has not taken: how often it was tried, and what came of it."""

    channel: Channel
    message: Message
    tries: int = 0
    error: str = ""
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a pass did: messages taken, tried in vain, and still waiting; and why they wait."""

    taken: int = 0
    waiting: int = 0
    errors: tuple[str, ...] = ()
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one attempt; ``wait_s`` is how long the receiver wants to be left alone."""

    ok: bool
    told: str
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How one channel stands: messages taken and waiting, its last error and its next try."""

    channel: Channel
    taken: int
    waiting: int
    error: str = ""
    next_try_at: datetime | None = None


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class Outbox:
    """Everything that targets have not been told.

    Parameters
    ----------
    store : where messages are, and what was taken
    targets : who is told, asked anew at each pass: settings change while a server runs
    source : a name of the store, see :func:`source_of`
    tell : the targets that the policy of a model names, None for all
    """

    def __init__(
        self,
        store: Outgoing,
        targets: Callable[[], Sequence[Target]],
        *,
        source: str,
        tell: Callable[[str], tuple[str, ...] | None] = lambda model: None,
        clock: Callable[[], datetime] = utc_now,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.store, self.targets, self.source, self.tell = store, targets, source, tell
        self.clock, self.environ = clock, environ

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Every way to every receiver, as the settings are now."""
        return tuple(one for target in self.targets() for one in channels_of(target))

    def waiting(self) -> Iterator[Waiting]:
        """All that was not taken, channel by channel, in the order in which it must go out."""
        said = {model: messages(self.store, model) for model in self.store.models()}
        for channel in self.channels:
            taken = self.store.mirrored(channel.name)
            since = self._began(channel, taken)
            for model, told in said.items():
                named = self.tell(model)
                for message in told:
                    if not self._is_for(channel, message, told, named, since):
                        continue
                    row = taken.get((KIND, f"{model}/{message.key}"))
                    if row is None or row.done_at is None:
                        row = row or Mirrored()
                        yield Waiting(channel, message, row.tries, row.error, row.next_try_at)

    def standing(self) -> tuple[Standing, ...]:
        """Every channel, whether it has anything to send or not; sends nothing."""
        waiting = list(self.waiting())
        found = []
        for channel in self.channels:
            own = [one for one in waiting if one.channel == channel]
            failed = next((one for one in own if one.error), None)
            rows = self.store.mirrored(channel.name).items()
            taken = sum(place[0] == KIND and row.done_at is not None for place, row in rows)
            error = "" if failed is None else failed.error
            again = None if failed is None else failed.next_try_at
            found.append(Standing(channel, taken, len(own), error, again))
        return tuple(found)

    def deliver(self, most_s: float = MOST_S, *, patient: bool = True) -> Delivered:
        """Send what is due, for at most about ``most_s`` seconds; a target that fails waits.

        Parameters
        ----------
        patient : leave alone what failed a short while ago

        Raises
        ------
        StoreBusy, StoreFailed : the store cannot be read or written; what was sent may go out again
        """
        until = time.monotonic() + most_s
        taken, failures = 0, Counter[Channel]()
        held: set[tuple[str, str, str]] = set()
        left, failed, errors = 0, 0, dict[str, None]()
        for one in list(self.waiting()):
            place = (one.channel.name, one.message.model, one.message.alert)
            stop = time.monotonic() >= until or failures[one.channel] >= IN_A_ROW
            if stop or place in held or (patient and self._ahead(one.next_try_at)):
                held.add(place)  # the next of the same alert must not overtake it
                left += 1
                if one.error:
                    errors[f"{one.channel.target.name}: {one.error}"] = None
                continue
            error = self._send(one)
            if error:
                failures[one.channel] += 1
                failed += 1
                held.add(place)
                left += 1
                errors[f"{one.channel.target.name}: {error}"] = None
            else:
                failures[one.channel] = 0
                taken += 1
        return Delivered(taken, left, tuple(errors), failed)

    def _send(self, one: Waiting) -> str:
        """Try one message and note what came of it; gives the error, empty for none."""
        item = f"{one.message.model}/{one.message.key}"
        tried = send(one.channel, one.message, self.source, self.clock(), self.environ)
        if tried.ok:
            self.store.note_mirrored(one.channel.name, KIND, item, remote="taken")
            return ""
        later = min(max(tried.wait_s, wait_s(one.tries + 1)), LONGEST_S)
        self.store.note_mirrored(
            one.channel.name,
            KIND,
            item,
            error=tried.told,
            next_try_at=self.clock() + timedelta(seconds=later),
        )
        return tried.told

    def _began(self, channel: Channel, taken: Mapping[tuple[str, str], Mirrored]) -> datetime:
        """Since when a channel is told; noted when it is first seen."""
        row = taken.get(BEGAN)
        if row is None:
            now = self.clock()
            row = self.store.note_mirrored(channel.name, *BEGAN, remote=now.isoformat())
        return datetime.fromisoformat(row.remote)

    def _is_for(
        self,
        channel: Channel,
        message: Message,
        told: Sequence[Message],
        named: tuple[str, ...] | None,
        since: datetime,
    ) -> bool:
        """Whether a channel is to be told: wanted, not muted, not from before its time, not old."""
        so_far = [m for m in told if m.alert == message.alert and m.part <= message.part]
        # who heard of it when it was worse hears how it goes on
        state = "needs_you" if any(m.cause.state == "needs_you" for m in so_far) else "watch"
        if message.muted or not wants(channel.target, message.model, state, named):
            return False
        if self.clock() - message.at > timedelta(seconds=KEEP_S):
            return False
        if message.at >= since:
            return True
        # a new target hears of what is open now, and not of the past
        last = [m for m in told if m.alert == message.alert][-1]
        return message.key == last.key and message.event != "resolved"

    def _ahead(self, at: datetime | None) -> bool:
        # a clock that was set back must not stop a message for longer than it would ever wait
        now = self.clock()
        return at is not None and now < at <= now + timedelta(seconds=LONGEST_S)


def channels_of(target: Target) -> tuple[Channel, ...]:
    """The channels of a target: each person of a mail is one, so that one may fail alone."""
    if isinstance(target, Mail):
        return tuple(Channel(target, to) for to in target.to)
    return (Channel(target),)


def send(
    channel: Channel,
    message: Message,
    source: str,
    now: datetime,
    environ: Mapping[str, str] | None = None,
) -> Tried:
    """Send one message over one channel; what goes wrong is told, without secrets."""
    target = channel.target
    try:
        if isinstance(target, Mail):
            tried = Tried(True, _mailed(target, channel.to, message, source, now, environ))
        else:
            tried = _posted(target, message, source, now, environ)
    except EverfitError as error:
        tried = Tried(False, error.what + (f": {error.got}" if error.got else ""))
    return replace(tried, told=without_secrets(tried.told, target, environ))


def _mailed(
    target: Mail,
    to: str,
    message: Message,
    source: str,
    now: datetime,
    environ: Mapping[str, str] | None,
) -> str:
    subject, plain, html = payload.as_mail(message)
    first = replace(message, part=0)
    ids = (payload.identity(message, source), payload.identity(first, source))
    letter = mail.letter(target, to, subject, (plain, html), ids)
    letter["Date"] = format_datetime(now)
    return mail.send(target, letter, environ)


def _posted(
    target: Webhook,
    message: Message,
    source: str,
    now: datetime,
    environ: Mapping[str, str] | None,
) -> Tried:
    shape = (payload.as_slack if target.slack else payload.as_json)(message, source)
    body = json.dumps(shape, ensure_ascii=False, allow_nan=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    key = secret(target.secret_env, environ)
    if key:
        named = payload.identity(message, source)
        headers |= sign.headers(key, named, body, now.timestamp())
    url = target.url or secret(target.url_env, environ)
    answer = outward.post(url, body, headers, timeout_s=target.timeout_s, private=target.private)
    told = f"it answered {answer.status}"
    if answer.ok:
        return Tried(True, told)
    if 300 <= answer.status < 400:
        return Tried(False, f"{told}: redirects are not followed")
    return Tried(False, told + (f": {answer.text}" if answer.text else ""), answer.wait_s or 0.0)


def wait_s(tries: int) -> float:
    """Seconds to wait after so many failures in a row.

    Examples
    --------
    >>> [wait_s(n) for n in (1, 2, 3, 20)]
    [15.0, 30.0, 60.0, 3600.0]
    """
    return min(FIRST_S * 2.0 ** min(tries - 1, 30), LONGEST_S)


def source_of(key: bytes) -> str:
    """A name for this store that two stores do not share, from the key that signs its versions.

    Examples
    --------
    >>> len(source_of(b"x" * 32))
    12
    """
    return hashlib.sha256(b"everfit alerts\0" + key).hexdigest()[:12]
