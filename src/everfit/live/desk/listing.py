"""The part of the desk that answers with lists, and takes what was met since the fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from everfit.errors import EverfitError, ModelUnknown, SettingsError
from everfit.events import key_text
from everfit.lists.explore.draw import Explore
from everfit.live.arms import Arms, arm_of, version_of
from everfit.live.desk.lane import DIRECT, encode
from everfit.live.desk.met import Memory, Met, met_frame, met_of
from everfit.live.desk.shelf import Answered, Shelf, Shelved, key_for
from everfit.live.desk.version import OpenedLists
from everfit.live.desk.wanting import Asking, near_asked, top_asked

if TYPE_CHECKING:
    from everfit.live.desk.desk import Desk


class Listing:
    """Models that answer with lists, of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.shelved: Mapping[str, Shelved] = {}
        self._met: dict[str, Memory] = {}
        self._telling = Lock()
        self._explore: dict[str, Explore] = {}
        self.explores(desk.explore)

    def put(self, model: str, rev: int, arms: Arms, found: Mapping[int, OpenedLists]) -> None:
        """Let these versions answer for a model, with what was met since their fits.

        Raises
        ------
        ModelUnknown : an arm has no version
        """
        from everfit.live.desk.desk import check_arms

        check_arms(model, arms, found)
        slots = self._desk.slots
        lanes = {arm: Shelf(model, found[version_of(arm, arms)], arm, slots) for arm in arms.used}
        direct = {f"v{n}": Shelf(model, found[n], DIRECT, slots) for n in arms.answering}
        shelved = Shelved(model, rev, arms, lanes, direct)
        memory = self._met.setdefault(model, Memory())
        before = self.shelved.get(model)
        known = () if before is None else before.versions
        new = [one for one in shelved.versions if one not in known]
        place = memory.place
        for one in memory.since(0):
            _tell(new, one)
        with self._telling:
            for one in memory.since(place):
                _tell(new, one)
            self.shelved = {**self.shelved, model: shelved}

    def drop(self, model: str) -> None:
        """Answer for a model no more."""
        with self._telling:
            self.shelved = {name: one for name, one in self.shelved.items() if name != model}
            self._met.pop(model, None)

    def explores(self, plain: Mapping[str, Mapping[str, Any]]) -> None:
        """Let the lists of models try something, as the settings say.

        Raises
        ------
        SettingsError : a share or a temperature cannot be used
        """
        made = {}
        for model, values in plain.items():
            try:
                policy = Explore(**values)
            except (TypeError, EverfitError) as error:
                raise SettingsError(
                    f"[models.{model}.explore] cannot be used", got=f"{dict(values)}",
                    expected="share from 0 to 1, and temperature from 0.001 to 1000",
                    do="set share = 0.1",
                ) from error  # fmt: skip
            if policy.share > 0:
                made[model] = policy
        self._explore = made

    def recommend(self, model: str, body: bytes, *, version: str | None = None) -> bytes:
        """The list for a JSON body; it is in the spool when this returns.

        Raises
        ------
        UsageError : the body cannot be read
        ModelUnknown, Refused : no such model or version here, or it answers rows
        StoreFailed : the list could not be written down, so that it is not given
        """
        served = self._desk.listed(model)
        return encode(self._answer(served, top_asked(body, self._desk.limits), version))

    def similar(self, model: str, body: bytes, *, version: str | None = None) -> bytes:
        """The items near to one; errors as :meth:`recommend`."""
        served = self._desk.listed(model)
        return encode(self._answer(served, near_asked(body, self._desk.limits), version))

    def interactions(self, model: str, body: bytes) -> dict[str, Any]:
        """Take a JSON body of interactions into the spool and let them count.

        Acknowledge them after the sync of the spool. Gives how many count now, and how many are of
        items that the model does not know, which count after a refit.

        Raises
        ------
        UsageError : one cannot be used; then none of the body is taken
        ModelUnknown, Refused, StoreFailed : as :meth:`recommend`
        """
        desk = self._desk
        desk.listed(model)
        at_us = desk.clock() // 1000
        met = met_of(body, desk.limits, lambda: desk.ids.at(at_us), now_us=at_us)
        if met:
            desk.spool.append(met_frame(model, at_us, met))
        counted = self.meet(model, met)
        return {"accepted": len(met), "counted": counted, "unknown": len(met) - counted}

    def meet(self, model: str, met: Iterable[Met]) -> int:
        """Let interactions count that did not yet; how many of them are of items that are known."""
        with self._telling:
            shelved = self.shelved.get(model)
            if shelved is None:
                return 0
            new = self._met[model].take(met)
            return sum(_tell(shelved.versions, one) for one in new)

    def told(self, model: str, rows: Iterable[Any], upto: int) -> None:
        """Let the keeper's interactions count; ``upto`` is the place they end at."""
        self.meet(model, map(Met.of, rows))
        self.read(model, upto)

    def read(self, model: str, upto: int) -> None:
        """Remember how far the keeper's interactions were read."""
        memory = self._met.get(model)
        if memory is not None:
            memory.upto = upto

    def upto(self, model: str) -> int:
        """How far the keeper's interactions were read."""
        memory = self._met.get(model)
        return 0 if memory is None else memory.upto

    def forget(self, model: str, user: Any) -> None:
        """Forget what a user met since the fit."""
        with self._telling:
            shelved = self.shelved.get(model)
            if shelved is not None:
                self._met[model].forget(key_text(user) or "")
                for one in shelved.versions:
                    one.lists.without(user)

    def shelf(self, model: str, version: str) -> Shelf:
        """The shelf of a version that was named, such as ``v3`` or ``3``.

        Raises
        ------
        ModelUnknown : it does not answer here
        """
        return _named(self._desk.listed(model), version)

    def _answer(self, served: Shelved, asking: Asking, version: str | None) -> Answered:
        desk = self._desk
        at_us = desk.clock() // 1000
        identifier, key = desk.ids.at(at_us), key_for(asking)
        if version is not None:
            shelf = _named(served, version)
        elif served.arms.split:
            shelf = served.lanes[arm_of(key or identifier, served.arms, served.model)]
        else:
            shelf = served.champion
        explore = self._explore.get(served.model) if version is None else None
        listed = shelf.answer(asking, identifier, explore)
        answered = shelf.answered(listed, identifier)
        desk.spool.append(shelf.frame(at_us, asking, listed, identifier, key))
        desk.count(shelf, 1, 1 if listed.fallback or listed.warnings else 0)
        return answered


def _named(served: Shelved, version: str) -> Shelf:
    found = served.direct.get(version) or served.direct.get(f"v{version}")
    if found is None:
        raise ModelUnknown(
            f"version {version[:40]!r} of {served.model!r} does not answer here",
            got=repr(version[:40]), expected=", ".join(served.direct),
            do="leave the version out, or promote it or make it the canary first",
        )  # fmt: skip
    return found


def _tell(versions: Iterable[OpenedLists], one: Met) -> bool:
    """Tell versions of an interaction; whether the first knows its item."""
    known = [v.lists.add(one.user, one.item, at=one.at, weight=one.weight) for v in versions]
    return bool(known) and known[0]
