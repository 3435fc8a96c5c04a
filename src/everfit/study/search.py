"""Genetic search over configuration genes, while it is expected to be worth its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from everfit.records import Hypothesis
from everfit.study.choose import choose_blend, error_of, judge, losses_of, thinned
from everfit.study.entry import Entry
from everfit.study.field.portfolio import Gene, genes
from everfit.study.race import BLEND_ROWS, Race
from everfit.study.worth import worth

LEAST_PARENTS = 3  # with fewer survivors, chance makes up the first generation
PARENTS = 3  # the best so many learners pass on their genes
LEAST_SHARE = 0.5  # of a typical trial: with less time left a search cannot finish one


@dataclass(slots=True)
class Search:
    """NSGA-II (Deb et al. 2002) over loss and latency, seeded with the survivors of the portfolio.

    Each of the best learners has a population of its own, because their genes differ; they take
    turns, the one with the lower loss first.
    """

    race: Race
    studies: dict[str, Any] = field(default_factory=dict)
    asked: dict[int, tuple[str, Any]] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)

    def run(self, left: Callable[[], float]) -> tuple[str, int]:
        """Search until it is not worth it; why it stopped, and how many trials it made."""
        parents = self._parents()
        if not parents:
            return "no learner of the race has settings to vary", 0
        made = 0
        self.losses.append(self._blend_loss())
        while True:
            judged = judge(self.race)
            error = error_of(losses_of(self.race, judged, 0), judged)
            verdict = worth(self.losses, error)
            if not verdict.go_on:
                return verdict.why, made
            typical = self._typical_seconds()
            if left() < LEAST_SHARE * typical:
                return f"{max(left(), 0):.0f} s are left, a trial takes about {typical:.0f} s", made
            batch = [self._ask(parents[(made + i) % len(parents)]) for i in range(self._slots)]
            entries = self.race.enter([hypothesis for hypothesis, _, _ in batch])
            for entry, (_, learner, trial) in zip(entries, batch, strict=True):
                self.asked[entry.number] = (learner, trial)
            self.race.run(left)
            self._tell(entries)
            made += sum(entry.n_folds > 0 for entry in entries)
            if any(entry.status == "running" and not entry.n_folds for entry in entries):
                return "the time for trials ended", made

    @property
    def _slots(self) -> int:
        return self.race.course.executor.slots

    def _parents(self) -> list[Entry]:
        judged, _ = self.race.standing()
        found: dict[str, Entry] = {}
        for entry in judged:
            learner = entry.hypothesis.learner
            if learner not in found and genes(learner):
                found[learner] = entry
        return list(found.values())[:PARENTS]

    def _typical_seconds(self) -> float:
        slowest = max(
            (sum(f.fit_s for f in e.folds.values()) for e in self._parents()), default=1.0
        )
        return float(slowest)

    def _ask(self, parent: Entry) -> tuple[Hypothesis, str, Any]:
        learner = parent.hypothesis.learner
        ranges = genes(learner)
        study = self.studies.get(learner) or self._found(learner, parent, ranges)
        trial = study.ask()
        chosen = {name: _suggest(trial, name, gene) for name, gene in ranges.items()}
        settings = dict(parent.hypothesis.settings) | chosen
        number = len(study.trials)
        why = (
            f"child {number} of {parent.hypothesis.name}: "
            + ", ".join(f"{k} {_short(v)}" for k, v in list(chosen.items())[:4])
            + "; the search keeps what lowers the loss or the latency"
        )
        name = f"{parent.hypothesis.name.split(' #')[0]} #{number}"
        return Hypothesis(name, learner, settings, why, "search"), learner, trial

    def _found(self, learner: str, parent: Entry, ranges: dict[str, Gene]) -> Any:
        import optuna  # half a second to import, and many runs never search

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        judged, n_folds = self.race.standing()
        parents = [entry for entry in judged if entry.hypothesis.learner == learner]
        sampler = optuna.samplers.NSGAIISampler(
            population_size=max(LEAST_PARENTS, len(parents)), seed=self.race.course.seed
        )
        study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
        for entry in parents:
            study.add_trial(_seeded(optuna, entry, n_folds, ranges))
        self.studies[learner] = study
        return study

    def _tell(self, entries: list[Entry]) -> None:
        import optuna

        for entry in entries:
            learner, trial = self.asked.pop(entry.number)
            if entry.n_folds == 0 or entry.status == "dropped":
                state = optuna.trial.TrialState.FAIL
                self.studies[learner].tell(trial, state=state)
            else:
                fold = entry.folds[0]
                self.studies[learner].tell(trial, [entry.loss(entry.n_folds), fold.predict_us])
            self.losses.append(min(self.losses[-1], self._blend_loss()))

    def _blend_loss(self) -> float:
        judged = thinned(judge(self.race), BLEND_ROWS, seed=self.race.course.seed)
        return choose_blend(self.race, judged).loss


def _seeded(optuna: Any, entry: Entry, n_folds: int, ranges: dict[str, Gene]) -> Any:
    settings = entry.hypothesis.settings
    params: dict[str, Any] = {}
    distributions: dict[str, Any] = {}
    for name, gene in ranges.items():
        distributions[name] = _distribution(optuna, gene)
        known = name in settings and _inside(settings[name], gene)
        if gene.choices:
            params[name] = gene.choices.index(settings[name]) if known else 0
        else:
            params[name] = settings[name] if known else gene.typical
    values = [entry.loss(min(n_folds, entry.n_folds)), entry.folds[0].predict_us]
    # without this mark the sampler takes them for strangers and begins at random
    mark = {f"{optuna.samplers.NSGAIISampler.__name__}:generation": 0}
    return optuna.trial.create_trial(
        params=params, distributions=distributions, values=values, system_attrs=mark
    )


def _inside(value: Any, gene: Gene) -> bool:
    if gene.choices:
        return value in gene.choices
    return isinstance(value, (int, float)) and gene.low <= value <= gene.high


def _distribution(optuna: Any, gene: Gene) -> Any:
    kinds = optuna.distributions
    if gene.choices:
        # by position: a choice may be a tuple, which Optuna does not keep
        return kinds.CategoricalDistribution(tuple(range(len(gene.choices))))
    if gene.whole:
        return kinds.IntDistribution(int(gene.low), int(gene.high), log=gene.log)
    return kinds.FloatDistribution(gene.low, gene.high, log=gene.log)


def _suggest(trial: Any, name: str, gene: Gene) -> Any:
    if gene.choices:
        return gene.choices[trial.suggest_categorical(name, tuple(range(len(gene.choices))))]
    if gene.whole:
        return trial.suggest_int(name, int(gene.low), int(gene.high), log=gene.log)
    return trial.suggest_float(name, gene.low, gene.high, log=gene.log)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
