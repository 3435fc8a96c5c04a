"""The desk: picks the version that answers a row, writes the answer down, and gives it out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any, ClassVar

from everfit.errors import EverfitError, ModelUnknown, near
from everfit.events import Reads
from everfit.live import orders
from everfit.live.arms import CHAMPION, Arms, arm_of, version_of
from everfit.live.desk.lane import DIRECT, KEY, Lane, Predicted, encode, key_of
from everfit.live.desk.limits import Limits, check_rows
from everfit.live.desk.memory import UNTOLD, Ask, Memory, ask_of, own_key
from everfit.live.desk.outcomes import Outcomes, all_numbers, outcomes_of, with_strange
from everfit.live.desk.rows import Row, rows_of
from everfit.live.desk.single import Answers, Identifiers, Written, plain_row, single
from everfit.live.desk.slots import Slots
from everfit.live.desk.version import Opened, OpenedLists, opened
from everfit.live.desk.wanting import no_lists, no_rows
from everfit.store.log.frames import outcomes_frame, row_frame
from everfit.store.log.spool import Spool

if TYPE_CHECKING:  # what lists need, no worker of rows shall load
    from everfit.live.desk.listing import Listing
    from everfit.live.desk.shelf import Shelf, Shelved

EXPLAINED_ROWS = 100  # an explanation costs as much as a thousand answers
AT_ONCE = 256  # rows of a large body, after which other threads get their turn


@dataclass(frozen=True, slots=True)
class Served:
    """A model that is answered for: its arms, and a lane for each of them.

    ``direct`` has a lane for each version under the name ``v3``; ``reads`` is the history that any
    of them reads, None when none does.
    """

    model: str
    rev: int
    arms: Arms
    lanes: Mapping[str, Lane]
    direct: Mapping[str, Lane]
    reads: Reads | None = None
    rows: ClassVar[bool] = True

    @property
    def champion(self) -> Lane:
        """The lane of the champion."""
        return self.lanes[CHAMPION]

    @property
    def versions(self) -> tuple[Opened, ...]:
        """The versions that are open, the champion first."""
        return tuple(lane.opened for lane in self.direct.values())


class Desk:
    """Answers for the models of one worker.

    Parameters
    ----------
    spool : where predictions and outcomes are written before they are acknowledged
    clock : nanoseconds since 1970 UTC
    slots : counters; in memory when not given

    The thread that makes a desk is the one that may count without a lock: that of the event loop.
    """

    def __init__(
        self, spool: Spool, *, limits: Limits | None = None,
        clock: Callable[[], int] = time.time_ns, slots: Slots | None = None,
    ) -> None:  # fmt: skip
        self.limits = limits or Limits()
        self.slots = slots or Slots()
        self.spool, self.clock = spool, clock
        self._served: dict[str, Served] = {}
        self._listing: Listing | None = None
        self.explore: Mapping[str, Mapping[str, Any]] = {}
        self._troubles: dict[str, str] = {}
        self._applying = Lock()
        self.ids = Identifiers()
        self._home = get_ident()

    def models(self) -> Mapping[str, Served | Shelved]:
        """The models that are answered for."""
        return self._served if self._listing is None else {**self._served, **self._listing.shelved}

    @property
    def row_models(self) -> Mapping[str, Served]:
        """Those of them that answer rows."""
        return self._served

    @property
    def listing(self) -> Listing:
        """The models that answer with lists; loads what lists need at the first call."""
        if self._listing is None:
            from everfit.live.desk.listing import Listing  # scipy, which no row needs

            self._listing = Listing(self)
        return self._listing

    @property
    def lists(self) -> bool:
        """Whether a model answers with lists."""
        return self._listing is not None and bool(self._listing.shelved)

    def troubles(self) -> Mapping[str, str]:
        """For models whose last order is not in force: why. A model without any version too."""
        return self._troubles

    def served(self, model: str) -> Served:
        """A model that is answered for.

        Raises
        ------
        ModelUnknown : with near names
        Refused : it answers with lists
        """
        found = self._served.get(model)
        if found is None:
            if self._listing is not None and model in self._listing.shelved:
                raise no_rows(model)
            raise self._unknown(model)
        return found

    def listed(self, model: str) -> Shelved:
        """A model that answers with lists.

        Raises
        ------
        ModelUnknown : with near names
        Refused : it answers rows
        """
        found = None if self._listing is None else self._listing.shelved.get(model)
        if found is None:
            raise no_lists(model) if model in self._served else self._unknown(model)
        return found

    def known(self, model: str) -> Served | Shelved:
        """A model that is answered for, whatever it answers with.

        Raises
        ------
        ModelUnknown : with near names
        """
        found = self.models().get(model)
        if found is None:
            raise self._unknown(model)
        return found

    def _unknown(self, model: str) -> ModelUnknown:
        names = sorted(self.models())
        like = near(model, names)
        return ModelUnknown(
            f"there is no model {model[:80]!r} here",
            got=repr(model[:80]), expected=", ".join(names[:20]) or "no model is served yet",
            do=f"did you mean {like}?" if like else "see GET /models for what is served",
        )  # fmt: skip

    def apply(self, order: Mapping[str, Any]) -> dict[str, Any] | None:
        """Carry out an order about a model; the reply to the keeper, None when there is none.

        What cannot be loaded leaves what was served before in force.
        """
        with self._applying:
            model = str(order["model"])
            if order["do"] == "drop":
                self._drop(model)
                self._troubles.pop(model, None)
                return None
            rev = int(order["rev"])
            number: int | None = None
            before = self.models().get(model)
            have = {} if before is None else {one.placed: one for one in before.versions}
            try:
                found: dict[int, Opened | OpenedLists] = {}
                for placed in map(orders.Placed.from_dict, order["versions"]):
                    number = placed.number
                    found[number] = have.get(placed) or opened(placed)
                number = None
                self._put(model, rev, Arms.from_dict(order["arms"]), found)
            except EverfitError as error:
                self._troubles[model] = f"{'' if number is None else f'v{number}: '}{error.what}"
                return orders.failed(model, rev, number, error.as_dict())
            self._troubles.pop(model, None)
            return orders.serving(model, rev)

    def predict(
        self, model: str, body: bytes, *, version: str | None = None, explain: bool = False,
        memory: Memory | None = None,
    ) -> bytes:  # fmt: skip
        """Answer a JSON body of one row or many; it is in the spool when this returns.

        ``memory`` is what is known of the rows of :meth:`asks`.

        Raises
        ------
        UsageError : the body cannot be read
        ModelUnknown : no such model or version here
        StoreFailed : the answer could not be written down, so that it is not given
        """
        served = self._served.get(model) or self.served(model)
        row = plain_row(body)
        plain = row is not None and KEY not in row
        if row is None:
            rows = rows_of(body, self.limits)
            if isinstance(rows, list):
                return self._many(served, rows, body, version, explain, memory)[1]
            row = rows
        at_us = self.clock() // 1000
        key = None if plain else key_of(row)
        identifier = self.ids.at(at_us)
        told = UNTOLD
        if (reads := served.reads) is not None:
            key = key or own_key(row, reads)
            told = told if memory is None else memory.told(row, key, reads)
        lane = self._lane(served, key or identifier, version)
        found = lane.answer(row, identifier, model, told)
        if explain:
            found.contributions = lane.explain(row, told)
        answer = encode(found)
        if plain and key is None:
            self.spool.append(row_frame(lane.plain, at_us, body, answer, len(identifier)))
        else:
            self.spool.append(lane.frame(at_us, body, answer, None if key is None else [key]))
        self.count(lane, 1, 1 if found.warnings else 0)
        return answer

    def answering(self, model: str) -> Answers:
        """What answers JSON bodies for a model as :meth:`predict`, until its next order.

        For the thread of the event loop alone.
        """
        served = self.served(model)

        def otherwise(body: bytes) -> bytes:
            return self.predict(model, body)

        if served.arms.split or served.reads is not None:
            return otherwise
        written = Written(self.spool, self.ids, self.clock)
        return single(served.champion, written, self.slots.values, otherwise)

    def asks(self, model: str, rows: Sequence[Row]) -> tuple[Ask, ...]:
        """Of which keys, and until when, the rows need the history; each once.

        Raises
        ------
        UsageError, ModelUnknown : as :meth:`predict`
        """
        reads = self.served(model).reads
        if reads is None:
            return ()
        keyed = ((row, key_of({KEY: row.get(KEY)}) or own_key(row, reads)) for row in rows)
        found = (ask_of(row, key, reads) for row, key in keyed if key is not None)
        return tuple(dict.fromkeys(found))

    def predict_rows(
        self, model: str, rows: list[Row], *, version: str | None = None, explain: bool = False,
        memory: Memory | None = None,
    ) -> list[Predicted]:  # fmt: skip
        """Answer rows that came in another shape than JSON; they are in the spool on return.

        Raises
        ------
        UsageError, ModelUnknown, StoreFailed : as :meth:`predict`
        """
        served = self.served(model)
        check_rows(len(rows), self.limits)
        return self._many(served, rows, encode(rows), version, explain, memory)[0]

    def outcomes(self, model: str, body: bytes) -> Outcomes:
        """Take a JSON body of outcomes into the spool; acknowledge them after its sync.

        Raises
        ------
        UsageError : an outcome that cannot be used; then none of the body is taken
        ModelUnknown, StoreFailed : as :meth:`predict`
        """
        served = self.known(model)
        at_us = self.clock() // 1000
        found = outcomes_of(body, self.limits, lambda: self.ids.at(at_us), now_us=at_us)
        if not isinstance(served, Served):
            pass  # the item that was chosen, which may be newer than the model, or a value
        elif served.champion.opened.scorer.form == "values":
            all_numbers(found, model)
        else:
            labels = {label for one in served.versions for label in one.scorer.labels}
            found = with_strange(found, labels)
        if found.rows:
            self.spool.append(outcomes_frame(model, at_us, found.body))
        return found

    def _many(
        self, served: Served, rows: list[Row], request: bytes, version: str | None, explain: bool,
        memory: Memory | None,
    ) -> tuple[list[Predicted], bytes]:  # fmt: skip
        """Answers to rows, and the body that holds them."""
        if explain:
            check_rows(len(rows), replace(self.limits, rows=EXPLAINED_ROWS))
        at_us = self.clock() // 1000
        keys = [key_of(row) if KEY in row else None for row in rows]
        told = [UNTOLD] * len(rows)
        if (reads := served.reads) is not None:
            keys = [key or own_key(row, reads) for key, row in zip(keys, rows, strict=True)]
            if memory is not None:
                told = [memory.told(r, key, reads) for r, key in zip(rows, keys, strict=True)]
        ids = [self.ids.at(at_us) for _ in rows]
        lanes: dict[Lane, list[int]] = {}
        for at, (key, identifier) in enumerate(zip(keys, ids, strict=True)):
            lanes.setdefault(self._lane(served, key or identifier, version), []).append(at)
        answers: dict[int, Predicted] = {}
        for lane, places in lanes.items():
            for start in range(0, len(places), AT_ONCE):
                part = places[start : start + AT_ONCE]
                asked = [rows[at] for at in part]
                found = lane.answers(asked, [ids[at] for at in part], [told[at] for at in part])
                answers.update(zip(part, found, strict=True))
                time.sleep(0)  # a thread with a large body lets single rows pass
            if explain:
                for at in places:
                    answers[at].contributions = lane.explain(rows[at], told[at])
        made = [answers[at] for at in range(len(rows))]
        top = served.champion if version is None else self._lane(served, "", version)
        body = _enveloped(top, made)
        for lane, places in lanes.items():
            some = [keys[at] for at in places]
            named = some if any(key is not None for key in some) else None
            if len(lanes) > 1:
                request = encode([rows[at] for at in places])
                sent = _enveloped(lane, [made[at] for at in places])
            else:
                sent = body
            self.spool.append(lane.frame(at_us, request, sent, named))
            self.count(lane, len(places), sum(1 for at in places if made[at].warnings))
        return made, body

    def lane(self, model: str, version: str) -> Lane:
        """The lane of a version that was named, such as ``v3`` or ``3``.

        Raises
        ------
        ModelUnknown : it does not answer here
        """
        return self._lane(self.served(model), "", version)

    def _lane(self, served: Served, key: str, version: str | None) -> Lane:
        """The lane that answers for ``key``, or the version that was asked for."""
        if version is None:
            if not served.arms.split:
                return served.champion
            return served.lanes[arm_of(key, served.arms, served.model)]
        lane = served.direct.get(version) or served.direct.get(f"v{version}")
        if lane is None:
            raise ModelUnknown(
                f"version {version[:40]!r} of {served.model!r} does not answer here",
                got=repr(version[:40]), expected=", ".join(served.direct),
                do="leave the version out, or promote it or make it the canary first",
            )  # fmt: skip
        return lane

    def _put(
        self, model: str, rev: int, arms: Arms, found: Mapping[int, Opened | OpenedLists]
    ) -> None:
        """Let these versions answer from now on, by rows or with lists."""
        rows = {n: one for n, one in found.items() if isinstance(one, Opened)}
        lists = {n: one for n, one in found.items() if isinstance(one, OpenedLists)}
        # one assignment: a request sees the old order or the new one, never half of each
        if lists:
            self.listing.put(model, rev, arms, lists)
            self._served = {name: s for name, s in self._served.items() if name != model}
            return
        self._served = self._served | {model: self._made(model, rev, arms, rows)}
        if self._listing is not None:
            self._listing.drop(model)

    def _drop(self, model: str) -> None:
        self._served = {name: s for name, s in self._served.items() if name != model}
        if self._listing is not None:
            self._listing.drop(model)

    def _made(self, model: str, rev: int, arms: Arms, found: Mapping[int, Opened]) -> Served:
        check_arms(model, arms, found)
        lanes = {
            arm: Lane(model, found[version_of(arm, arms)], arm, self.slots) for arm in arms.used
        }
        direct = {f"v{n}": Lane(model, found[n], DIRECT, self.slots) for n in arms.answering}
        return Served(model, rev, arms, lanes, direct, _reads(lanes[CHAMPION], direct))

    def explores(self, plain: Mapping[str, Mapping[str, Any]]) -> None:
        """Let the lists of models try something: by model the share, temperature and seed.

        Raises
        ------
        SettingsError : one of them cannot be used
        """
        if self._listing is not None:
            self._listing.explores(plain)
        self.explore = plain

    def count(self, lane: Lane | Shelf, n: int, warned: int) -> None:
        """Count answers of a lane, from any thread."""
        if get_ident() == self._home:
            self.slots.values[lane.predictions] += n
            self.slots.values[lane.warned] += warned
        else:
            self.slots.add(lane.predictions, n)
            self.slots.add(lane.warned, warned)


def check_arms(model: str, arms: Arms, found: Mapping[int, Any]) -> None:
    """Refuse an order that has no version for one of its arms.

    Raises
    ------
    ModelUnknown : there is one
    """
    missing = [f"v{number}" for number in arms.answering if number not in found]
    if missing:
        raise ModelUnknown(
            f"an order for {model!r} has an arm without its version",
            got=", ".join(missing), expected="each arm's version among those of the order",
            do="promote the version again",
        )  # fmt: skip


def _reads(champion: Lane, direct: Mapping[str, Lane]) -> Reads | None:
    """The longest history that a version reads; of which key, the champion says first."""
    found = [lane.reads for lane in (champion, *direct.values()) if lane.reads is not None]
    return replace(found[0], events=max(reads.events for reads in found)) if found else None


def _enveloped(lane: Lane, made: Sequence[Predicted]) -> bytes:
    return encode({"model": lane.model, "version": lane.version, "predictions": made})
