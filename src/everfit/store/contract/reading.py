"""What may be asked of a store; screens read no other way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from everfit.records import Decision, Step, Version
from everfit.store.contract.records import Alias, Mirrored, RunRow, Seen, Traffic


class Reading(Protocol):
    """What may be asked of a store.

    Names of models and versions that are not there raise ``ModelUnknown`` and offer near ones,
    except for :meth:`champion`, which gives None.
    """

    def models(self) -> tuple[str, ...]:
        """Names of all models, sorted."""
        ...

    def runs(self, model: str) -> tuple[RunRow, ...]:
        """All runs, newest first; one whose process is gone reads ``interrupted``."""
        ...

    def result(self, model: str, run: str | None = None) -> Mapping[str, Any]:
        """What a run found, as it was given to ``finish_run``; of the newest that left any."""
        ...

    def decisions(
        self,
        model: str,
        newest_first: bool = True,
        *,
        kinds: Collection[str] = (),
        last: int | None = None,
    ) -> tuple[Decision, ...]:
        """The ledger. A decision, once given back by ``commit``, is given back equal for ever.

        Of ``kinds`` alone when any are named; of those the newest ``last``.
        """
        ...

    def steps(
        self,
        model: str,
        kind: str | None = None,
        *,
        last: int | None = None,
        after: str | None = None,
    ) -> tuple[Step, ...]:
        """What turns of the loop did for a model, oldest first.

        Of one ``kind``, or of all; of those whose key sorts after ``after`` (byte by byte) the
        newest ``last``.
        """
        ...

    def seen(self, model: str, *, kinds: Collection[str] = (), after: int = 0) -> Seen:
        """All that a turn of the loop reads of a model, at one moment.

        Steps are those written after the mark ``after``: they never change, so who has some
        already need not read them again. Of decisions the newest of ``kinds``.
        """
        ...

    def versions(self, model: str) -> tuple[Version, ...]:
        """All versions, newest first, each with its present state."""
        ...

    def version(self, model: str, name: str) -> Version:
        """The version called ``v3`` or ``3``, or by an alias such as ``champion``."""
        ...

    def champion(self, model: str) -> Version | None:
        """The version that serves; None when there is none or no such model."""
        ...

    def aliases(self, model: str) -> Mapping[str, Alias]:
        """Where each alias points now."""
        ...

    def traffic(self, model: str) -> Traffic:
        """How requests of ``model`` are shared out."""
        ...

    def mirrored(self, target: str) -> Mapping[tuple[str, str], Mirrored]:
        """What the registry ``target`` has been told, by kind and item."""
        ...

    def revision(self) -> int:
        """The number of the newest decision about any model; 0 when there is none."""
        ...

    def next_number(self, model: str) -> int:
        """The number of the next version."""
        ...

    def served_before(self, model: str, number: int) -> int | None:
        """The version that served before ``number`` was first made champion, if any."""
        ...
