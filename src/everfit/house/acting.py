"""Everything that a person can do with a store: run, look, compare, and say who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from everfit.errors import Refused, UsageError
from everfit.executors import Executor
from everfit.house.reading import Reading
from everfit.records import Because, Decision, Step, Version
from everfit.release import handover
from everfit.release.gates import load_fresh, loads, manifest_holds, reproduces
from everfit.release.handover import Wish
from everfit.release.rollback import after_rollback, refused, roll_back
from everfit.store.contract import Alias, Traffic

if TYPE_CHECKING:
    from everfit.loop import Request, RunResult, Tell
    from everfit.records import Assessment

VERIFY_S = 60.0  # loading the version that a person wants


@dataclass(slots=True)
class House(Reading):
    """One store with the loop around it; the store is opened when it is first needed.

    ``after`` is called when something was committed: whoever mirrors the store elsewhere begins
    then, beside us and without our waiting.
    """

    make_executor: Callable[[], Executor]
    threads: int
    after: Callable[[], object] = field(default=lambda: None)

    def run(self, request: Request, tell: Tell) -> RunResult:
        """One pass of the loop; see :func:`everfit.loop.run`."""
        # here, not above: a server that only records who answers needs no learner in memory
        from everfit.loop import Means, run

        means = Means(lambda: self._open(create=True), self.make_executor, self.threads, tell)
        try:
            return run(request, means)
        finally:
            self.after()

    def assess(self, request: Request, tell: Tell, *, save: bool = False) -> Assessment:
        """Read and assess; with ``save`` it is kept in the ledger of the model."""
        from everfit.loop import assess_only

        opener = (lambda: self._open(create=True)) if save else None
        return assess_only(request, tell=tell, open_store=opener)

    def rollback(
        self, model: str, to: str | None = None, by: str = "person", reason: str = ""
    ) -> Decision:
        """Make an earlier version the champion again, after it has been verified.

        Raises
        ------
        ModelUnknown : no such model or version
        Refused : there is nothing to go back to, or the version does not verify; the refusal is
            in the ledger and the champion did not move
        """
        store = self._open(create=False)
        champion = self.version(model)
        aliases = store.aliases(model)
        if to is None and (aliases.get("previous") is None or aliases["previous"].number is None):
            raise Refused(
                f"{model!r} has no earlier champion",
                got=f"only {champion.name} has served",
                expected="a version that served before",
                do=f"see which versions there are: everfit status {model}",
            )
        target = self.version(model, to or "previous")
        checks = self.checks(target)
        decision = roll_back(champion=champion, to=target, checks=checks, by=by, reason=reason)
        before = store.served_before(model, target.number)
        moves = after_rollback(target, before)
        if "fallback" in aliases and aliases["fallback"].number == target.number:
            moves = {**moves, "fallback": None}
        return self._commit(decision, moves, _seen(aliases))

    def promote(
        self, model: str, version: str, *, reason: str = "", by: str = "person"
    ) -> Decision:
        """Make a version the champion by hand, after it has been verified; ends its own canary.

        Raises
        ------
        ModelUnknown : no such model or version
        Refused : it does not verify, or is the champion; the refusal is in the ledger
        """
        store = self._open(create=False)
        target = self.version(model, version)
        champion = store.champion(model)
        aliases, traffic = store.aliases(model), store.traffic(model)
        wish = Wish(model, f"promote {target.name}", by, reason)
        decision = handover.promote(wish, champion, target, self.checks(target))
        moves: dict[str, int | None] = {"champion": target.number}
        if champion is not None:
            moves["previous"] = champion.number
        for name in ("canary", "shadow", "fallback"):
            if name in aliases and aliases[name].number == target.number:
                moves[name] = None
        ended = replace(traffic, share=0.0) if "canary" in moves else None
        return self._commit(decision, moves, _seen(aliases), ended)

    def canary(
        self,
        model: str,
        version: str | None = None,
        share: float = 0.0,
        *,
        holdout: float | None = None,
        reason: str = "",
        by: str = "person",
    ) -> Decision:
        """Let ``version`` answer for ``share`` of the keys; share 0 ends the canary.

        ``holdout`` is the share of all keys that the champion answers whatever is tried on the
        others; None leaves it as it is.

        Raises
        ------
        UsageError : a share is not from 0 to 1, or a share without a version
        ModelUnknown : no such model or version
        Refused : no champion, or the version does not verify; the refusal is in the ledger
        """
        store = self._open(create=False)
        champion = self.version(model)
        aliases, traffic = store.aliases(model), store.traffic(model)
        kept = traffic.holdout if holdout is None else _share(holdout, "holdout")
        after = replace(traffic, share=_share(share, "share"), holdout=kept)
        act = f"send {share:.4g} of the keys to {version}" if share else "end the canary"
        wish = Wish(model, act, by, reason)
        if not share:
            before = aliases["canary"].number if "canary" in aliases else None
            ended = "" if before is None else f"v{before}"
            decision = handover.canary_ended(wish, champion, ended, kept)
            return self._commit(decision, {"canary": None}, _seen(aliases), after)
        if version is None:
            raise UsageError(
                "a canary needs a version",
                got=f"a share of {share:g} and no version",
                expected="the version that shall answer for them, such as v4",
                do=f"see which versions there are: everfit status {model}",
            )
        target = self.version(model, version)
        decision = handover.canary(wish, champion, target, share, kept, self.checks(target))
        # always moved, also to where it points: the alias then names the decision about the split
        return self._commit(decision, {"canary": target.number}, _seen(aliases), after)

    def shadow(
        self, model: str, version: str | None = None, *, reason: str = "", by: str = "person"
    ) -> Decision:
        """Let ``version`` answer the champion's requests for the record alone; None ends it.

        Raises
        ------
        ModelUnknown : no such model or version
        Refused : no champion, or the version does not verify; the refusal is in the ledger
        """
        store = self._open(create=False)
        champion = self.version(model)
        aliases = store.aliases(model)
        if version is None:
            before = aliases["shadow"].number if "shadow" in aliases else None
            wish = Wish(model, "end the shadow", by, reason)
            decision = handover.shadow_ended(wish, "" if before is None else f"v{before}")
            return self._commit(decision, {"shadow": None}, _seen(aliases))
        target = self.version(model, version)
        wish = Wish(model, f"let {target.name} answer in the shadow", by, reason)
        decision = handover.shadow(wish, champion, target, self.checks(target))
        return self._commit(decision, {"shadow": target.number}, _seen(aliases))

    def pause(self, model: str, *, reason: str = "", by: str = "person") -> Decision:
        """Let the loop watch a model and change nothing about it, until it is resumed.

        Raises
        ------
        ModelUnknown : no such model
        Refused : it is paused already
        """
        if self.is_paused(model):
            raise Refused(
                f"{model!r} is paused already",
                got=self.decisions(model, kinds=handover.PAUSES, last=1)[0].headline,
                expected="a model that is not paused",
                do=f"everfit resume {model} ends it",
            )
        return self._commit(handover.pause(Wish(model, f"pause {model}", by, reason)), {}, {})

    def resume(self, model: str, *, reason: str = "", by: str = "person") -> Decision:
        """Let the loop change things about a model again.

        Raises
        ------
        ModelUnknown : no such model
        Refused : it is not paused
        """
        if not self.is_paused(model):
            raise Refused(
                f"{model!r} is not paused",
                expected="a model that was paused",
                do=f"everfit status {model} shows how it is",
            )
        return self._commit(handover.resume(Wish(model, f"resume {model}", by, reason)), {}, {})

    def record(self, decision: Decision, steps: Sequence[Step] = ()) -> Decision:
        """Write a decision that moves nothing, such as an incident, into the ledger."""
        return self._open(create=False).commit(decision, steps=steps)

    def key(self) -> bytes:
        """The key that signs manifests of this store."""
        return self._open(create=False).key()

    def holds(self, version: Version) -> Because:
        """Whether the files of a version are those that were packed."""
        return manifest_holds(self.folder(version), key=self.key(), sha256=version.sha256)

    def checks(self, version: Version) -> tuple[Because, ...]:
        """Files as packed, loads in a process of its own, reproduces its golden rows."""
        folder, held = self.folder(version), self.holds(version)
        if not held.passed:
            # nothing parses files that are not what was packed
            return held, Because("loads in a fresh process", None, note="its files have changed")
        fresh = load_fresh(folder, left_s=VERIFY_S, trusted=version.trusted)
        return held, loads(fresh), reproduces(fresh)

    def _commit(
        self,
        decision: Decision,
        moves: Mapping[str, int | None],
        seen: Mapping[str, int],
        traffic: Traffic | None = None,
    ) -> Decision:
        store = self._open(create=False)
        if decision.kind == "refused":
            raise refused(store.commit(decision))
        written = store.commit(decision, aliases=moves, seen=seen, traffic=traffic)
        self.after()
        return written


def _seen(aliases: Mapping[str, Alias]) -> dict[str, int]:
    return {name: alias.rev for name, alias in aliases.items()}


def _share(value: float, name: str) -> float:
    if not 0.0 <= value <= 1.0:
        raise UsageError(
            f"the {name} cannot be used",
            got=f"{value!r}",
            expected="a share from 0 to 1, such as 0.1",
            do=f"give --{name} 0.1 for one key in ten",
        )
    return float(value)
