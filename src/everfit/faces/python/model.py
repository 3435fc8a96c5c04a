"""The handle of a model in Python: predict, score, leaderboard, why, compare, roll back."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit import wire
from everfit.data.read import read
from everfit.errors import Refused, UsageError
from everfit.events import Past
from everfit.faces.containers import (
    incoming,
    outgoing_labels,
    outgoing_probabilities,
    typed_labels,
)
from everfit.faces.found import card_of, scorer_of, study_of
from everfit.faces.remembering import Remembering, given_past, remembering, with_key
from everfit.faces.shown import Score, Words
from everfit.faces.words import board
from everfit.faces.words.block import final_block, watch_list
from everfit.faces.words.card import card_html
from everfit.faces.words.figures import in_words, metric_name
from everfit.faces.words.ledger import ledger_text
from everfit.faces.words.misfits import InputWarning, absent_columns, misfit_lines, shortened
from everfit.house import Comparison
from everfit.loop import RunResult
from everfit.records import Array, Decision, Problem, Study, Version
from everfit.serve import Answer, Scorer
from everfit.serve.lists.listed import Listed, Wanted
from everfit.serve.lists.lists import Lists
from everfit.serve.misfits import Misfits, with_defaults
from everfit.settings import read_settings

if TYPE_CHECKING:
    import pandas as pd


class Model:
    """One model of a store; ``version`` is the one that answers: the champion unless one is named.

    Made by :func:`everfit.run` and :func:`everfit.load`. It holds no open files: the store is
    opened for each question, and the scoring plan is kept once it was loaded.
    """

    def __init__(
        self,
        name: str,
        version: Version | None,
        store: str,
        *,
        result: RunResult | None = None,
        budget_s: float | None = None,
    ) -> None:
        self.name = name
        # a relative path would mean another place after a change of folder
        self.store = store if "://" in store else str(Path(store).resolve())
        self._version = version
        self._result = result
        self._budget_s = budget_s
        self._loaded: Scorer | None = None
        self._listing: Lists | None = None

    @classmethod
    def of_run(cls, result: RunResult, place: str, budget_s: float) -> Model:
        """The model after a run; answers come from its champion."""
        return cls(result.model, result.champion, place, result=result, budget_s=budget_s)

    @classmethod
    def of_store(cls, name: str, version: str | None, store: str | Path | None) -> Model:
        """The model as the store has it."""
        with wire.house(store=store) as house:
            found = house.version(name, version)
            model = cls(name, found, house.place)
            if found.problem.form == "lists":
                _, model._listing = house.lists(name, version)
            else:
                _, model._loaded = scorer_of(house, name, version)
        return model

    @property
    def version(self) -> str | None:
        """``v3``; None when no version passed its gates."""
        return self._version.name if self._version is not None else None

    @property
    def result(self) -> RunResult | None:
        """All records of the run that made this handle; None when it was loaded."""
        return self._result

    @property
    def decision(self) -> Decision:
        """The last decision about this model, which need not be about this version."""
        if self._result is not None:
            return self._result.decision
        with wire.house(store=self.store) as house:
            return house.decisions(self.name)[0]

    @property
    def score(self) -> Score:
        """The honest score of this version: corrected for having been chosen.

        Without a version it is the score of what the run proposed.
        """
        version = self._version
        if version is not None:
            found, metric, speaks = version.score, version.problem.metric, version.speaks_of
        else:
            study = self._study()
            found, metric = study.candidate.score, study.problem.metric
            speaks = study.candidate.speaks_of
        return Score(found.low, found.mid, found.high, found.n, found.level, metric, speaks)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """All trials of the run that made this version.

        Each with why it was tried, its score with 95% range, fit and predict time.
        """
        import pandas as pd  # heavy, and only this needs it

        frame = pd.DataFrame(board.plain_rows(self._study()))
        return frame.set_index("rank", drop=True)

    def predict(self, data: Any, *, history: Sequence[Any] | None = None) -> Any:
        """Labels or numbers, in the container that the rows came in.

        pandas gives a Series with the same index, Polars a Series, Arrow an array, a dict one
        value, a list of dicts a list; a path gives a Polars Series.

        Parameters
        ----------
        history : for a version that reads it: for each row its events, ``(at, values, outcome)``
            each, oldest first; without it the store's log and the registered sources are asked

        Raises
        ------
        Refused : the model has no version that passed its gates
        UsageError : the rows have no named columns
        """
        given = incoming(data)
        scorer = self._scorer()
        if given.container in ("record", "records"):
            values = [answer.value for answer in self._answers(scorer, given.rows, history)]
        else:
            values = scorer.decide(self._values(scorer, given.rows, history))
        return outgoing_labels(given, values, self._problem().target)

    def predict_proba(self, data: Any, *, history: Sequence[Any] | None = None) -> Any:
        """Probabilities, one column a label; ``data`` and ``history`` as for :meth:`predict`.

        Raises
        ------
        UsageError : this model predicts numbers
        """
        given = incoming(data)
        scorer = self._scorer()
        labels = self._labels()
        if given.container in ("record", "records"):
            found = self._answers(scorer, given.rows, history)
            values: Any = [answer.probabilities for answer in found]
        else:
            values = self._values(scorer, given.rows, history)
        return outgoing_probabilities(given, labels, values)

    def recommend(
        self,
        user: Any = None,
        *,
        history: Sequence[Any] | None = None,
        k: int = 10,
        allowed: Iterable[Any] | None = None,
        blocked: Iterable[Any] = (),
        again: bool = False,
        why: bool = False,
    ) -> Listed:
        """The best items for ``user``, or for somebody who met ``history``, oldest first.

        Whoever is not known gets what is popular; ``fallback`` of the answer then says so.

        Parameters
        ----------
        k : how many items; fewer come when fewer may be shown
        allowed, blocked : the only items that may be shown, and those that may not
        again : items that were met before may be shown
        why : ``because`` of the answer then says which past items speak for each

        Raises
        ------
        Refused : the model answers rows, or has no version that passed its gates
        UsageError : ``k`` is no whole number from 1
        """
        wanted, lists = Wanted(k, allowed, blocked, again), self._lists()
        listed = lists.top(user, history=history, wanted=wanted)
        return lists.with_reasons(listed, user, history=history) if why else listed

    def similar(
        self, item: Any, *, k: int = 10, allowed: Iterable[Any] | None = None,
        blocked: Iterable[Any] = (),
    ) -> Listed:  # fmt: skip
        """The items nearest to ``item``; parameters and errors as for :meth:`recommend`."""
        return self._lists().similar(item, wanted=Wanted(k, allowed, blocked))

    def because(
        self, item: Any, user: Any = None, *, history: Sequence[Any] | None = None
    ) -> list[tuple[Any, float]]:
        """The items met before that speak for ``item``, with shares; empty when none does."""
        return self._lists().because(item, user, history=history)

    def why(self, *, last: int | None = None) -> str:
        """The ledger in words, newest first; ``last`` decisions of it when given."""
        with wire.house(store=self.store) as house:
            decisions = list(house.decisions(self.name))
        return Words(ledger_text(decisions[:last]))

    def card(self) -> str:
        """The model card that was packed with the version that serves."""
        with wire.house(store=self.store) as house:
            return Words(card_of(house, self.name, self.version))

    def compare(self, a: str, b: str) -> Comparison:
        """What differs between two versions, and the paired gain of ``b`` on ``a``."""
        with wire.house(store=self.store) as house:
            return house.compare(self.name, a, b)

    def rollback(self, to: str | None = None, *, reason: str = "") -> Decision:
        """Make an older version the champion again, after it was verified.

        Raises
        ------
        Refused : there is no such version, or it does not verify
        """
        with wire.house(store=self.store) as house:
            decision = house.rollback(self.name, to=to, by="person", reason=reason)
            self._version = house.version(self.name, "champion")
            self._loaded = self._listing = self._result = None
        return decision

    def pause(self, *, reason: str = "") -> Decision:
        """Let the loop watch this model and change nothing about it, until it is resumed.

        Raises
        ------
        Refused : it is paused already
        """
        with wire.house(store=self.store) as house:
            return house.pause(self.name, reason=reason)

    def resume(self, *, reason: str = "") -> Decision:
        """Let the loop change things about this model again.

        Raises
        ------
        Refused : it is not paused
        """
        with wire.house(store=self.store) as house:
            return house.resume(self.name, reason=reason)

    def __repr__(self) -> str:
        version = self.version or "no version"
        score = self.score
        return f"<everfit.Model {self.name!r} {version}, {metric_name(score.metric)} {score}>"

    def __str__(self) -> str:
        if self._result is not None:
            return final_block(self._result, budget_s=self._budget_s)
        score = self.score
        return f"{self.name} {self.version}: {metric_name(score.metric)} {in_words(score)}"

    def _repr_html_(self) -> str:
        if self._version is None:
            return f"<pre>{html.escape(str(self))}</pre>"
        rows = board.rows_of(self._study())
        made = self._result if self._made_here() else None
        notes = watch_list(made) if made is not None else []
        return card_html(self._version, rows, self.decision, notes)

    def _scorer(self) -> Scorer:
        if self._version is None:
            raise Refused(
                f"{self.name!r} has no version that passed its gates",
                got=self.decision.headline,
                do="see why: print(model.why())",
            )
        if self._loaded is None:
            with wire.house(store=self.store) as house:
                _, self._loaded = scorer_of(house, self.name, self._version.name)
        return self._loaded

    def _lists(self) -> Lists:
        """The version that answers with lists, opened once."""
        if self._listing is None:
            with wire.house(store=self.store) as house:
                _, self._listing = house.lists(self.name, self.version)
        return self._listing

    def _values(self, scorer: Scorer, rows: Any, history: Sequence[Any] | None) -> Array:
        """Answers (n, outputs) to rows of a frame or a place; one warning for what did not fit."""
        table = read(rows, like=with_key(scorer))
        misfits = Misfits(scorer)
        misfits.add(table)
        past, odd = self._past(scorer, lambda known: known.of_table(table), history, table.n_rows)
        _warn([*misfit_lines(misfits.found(), table.source.notes), *odd])
        table = with_defaults(scorer, table, absent_columns(table.source.notes))
        return scorer.table(table, past=past)

    def _answers(
        self,
        scorer: Scorer,
        rows: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        history: Sequence[Any] | None,
    ) -> list[Answer]:
        """Answers to one dict or a list of dicts; one warning for all that was odd."""
        if isinstance(rows, Mapping):
            rows, history = [rows], None if history is None else [history]
        given = rows
        past, odd = self._past(scorer, lambda known: known.of_rows(given), history, len(rows))
        known = past or [()] * len(rows)
        answers = [scorer.row(row, events) for row, events in zip(rows, known, strict=True)]
        _warn(list(dict.fromkeys([*odd, *(line for a in answers for line in a.warnings)])))
        return answers

    def _past(
        self,
        scorer: Scorer,
        look: Callable[[Remembering], Past | None],
        history: Sequence[Any] | None,
        n_rows: int,
    ) -> tuple[Past | None, list[str]]:
        """The history of rows, None for a version that reads none; and what was odd about it."""
        if history is not None:
            return given_past(scorer, history, n_rows), []
        if scorer.reads is None or self._version is None:
            return None, []
        settings = read_settings()
        with (
            wire.house(store=self.store, settings=settings) as house,
            remembering(house, self._version, scorer, settings) as known,
        ):
            return look(known), known.warnings()

    def _made_here(self) -> bool:
        """Whether the run that this handle came from is the one that made its version."""
        result, version = self._result, self._version
        return result is not None and (version is None or version.run == result.run)

    def _study(self) -> Study:
        if self._result is not None and self._made_here():
            return self._result.study
        with wire.house(store=self.store) as house:
            return study_of(house, self.name, self._version)

    def _problem(self) -> Problem:
        version = self._version
        return version.problem if version is not None else self._study().problem

    def _labels(self) -> list[Any]:
        problem = self._problem()
        if not problem.labels:
            raise UsageError(
                f"{self.name!r} predicts numbers, which have no probabilities", do="use predict"
            )
        return typed_labels(problem.labels, problem.label_type)


def _warn(lines: Sequence[str]) -> None:
    if lines:
        # 4: predict's caller, past this function, its caller and predict
        warnings.warn("; ".join(shortened(lines)), InputWarning, stacklevel=4)
