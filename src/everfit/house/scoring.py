"""Finding out what the 28 tests of a model that serves need to know, and trying what can be tried.

Nothing is written: the version is loaded in a fresh process, answers are explained and asked again,
and the ledger, the steps and the log are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.errors import EverfitError
from everfit.house.acting import VERIFY_S, House
from everfit.house.refitting import Refit, refitted
from everfit.loop.gather import Record
from everfit.loop.turn.state import roots_of
from everfit.loop.turn.windows import scored
from everfit.plain import from_plain
from everfit.records import Because, Health, Policy, Step, Study, Trial, Upkeep, Version
from everfit.release.gates import FreshLoad, load_fresh, loads, manifest_holds, reproduces
from everfit.release.manifest import Manifest, verify
from everfit.release.pack import libraries
from everfit.rubric import Facts, Lived, Made, Refitted, Score, Tried, score
from everfit.rubric.benefit import MOST, benefit_of
from everfit.rubric.infra import SERVING
from everfit.rubric.model import LEAST_TRIALS
from everfit.serve.explain import contributions
from everfit.serve.scorer import Scorer
from everfit.serve.verify import golden_past, golden_rows
from everfit.store.contract import RunRow
from everfit.watch.reference import read_reference

RECENT = 28  # windows that are read for labelled rows
SAME = 1e-9  # of a loss that a repeated trial may differ by


@dataclass(frozen=True, slots=True)
class Asked:
    """What a score is asked with: the user's rules and words, the log if there is one, the time.

    ``fit_s`` is how long models may be fitted to see whether that repeats, and how they age.
    """

    model: str
    now: datetime
    upkeep: Upkeep = field(default_factory=Upkeep)
    policy: Policy = field(default_factory=Policy)
    told: Mapping[str, str] = field(default_factory=dict)
    stale_after_s: float | None = None
    record: Record | None = None
    fit_s: float = 0.0


def scored_now(house: House, asked: Asked) -> Score:
    """The ML Test Score of the champion of ``asked.model``.

    Raises
    ------
    ModelUnknown, Refused : no such model, or no champion
    """
    return score(facts_of(house, asked))


def facts_of(house: House, asked: Asked) -> Facts:
    """Everything that the tests are graded from; what could be tried was tried."""
    champion = house.version(asked.model)
    line = _line(house, champion)
    made = _made(house, champion)
    return Facts(
        model=asked.model,
        version=champion.name,
        made=made,
        tried=_tried(house, champion, line, asked, sound=made.held.passed is True),
        lived=_lived(house, champion, line, asked),
        told=asked.told,
        age_s=max(0.0, (asked.now - line.cut).total_seconds()),
        stale_after_s=asked.stale_after_s,
        window_s=asked.upkeep.window_s,
        latency_ms=asked.policy.latency_ms,
        guarded=tuple(asked.upkeep.guardrails),
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """Versions that share the champion's fit and differ by recalibration: one model to others.

    ``cut`` is the data cut of that fit.
    """

    numbers: frozenset[int]
    names: frozenset[str]
    cut: datetime


def _line(house: House, champion: Version) -> _Line:
    versions, roots = house.versions(champion.model), _bases(house, champion.model)
    base = roots.get(champion.number, champion.number)
    mine = [version for version in versions if roots.get(version.number, version.number) == base]
    first = next((version for version in mine if version.number == base), champion)
    return _Line(
        frozenset(version.number for version in mine),
        frozenset(version.name for version in mine),
        first.until or first.created_at,
    )


def _bases(house: House, model: str) -> dict[int, int]:
    """By version, the one whose fit it shares."""
    return {number: root.number for number, root in roots_of(house.steps(model, "fit")).items()}


def _made(house: House, champion: Version) -> Made:
    folder = Path(champion.folder)
    held = manifest_holds(folder, key=house.key(), sha256=champion.sha256)
    manifest = _manifest(folder)
    rows = house.runs(champion.model)
    own = next((row for row in rows if row.id == champion.run), None)
    study = _study(house, champion.model, champion.run)
    trials, trials_of = () if study is None else study.trials, ""
    if sum(trial.status == "done" for trial in trials) < LEAST_TRIALS:
        # a fit of the same recipe tries nothing: what it repeats was chosen in an earlier run
        trials, trials_of = _most_trials(house, champion.model, rows)
    columns = () if manifest is None else manifest.columns
    features = [column for column in columns if column.get("role") == "feature"]
    decisions = house.decisions(champion.model)
    return Made(
        columns=len(features),
        described=sum(bool(column.get("kind")) for column in features),
        held=held,
        reference=read_reference(folder, version=champion.number) is not None,
        libraries={} if manifest is None else manifest.libraries,
        learners=0 if manifest is None else len(manifest.learners),
        seed=None if own is None else own.seed,
        data_sha256="" if own is None else own.data_sha256,
        data_packed="" if manifest is None else str(manifest.data.get("sha256", "")),
        metric=champion.problem.metric,
        stages=tuple(d.kind for d in decisions if d.run == champion.run),
        candidate=None if study is None else study.candidate,
        trials=trials,
        trials_of=trials_of,
        serving=next(
            (d for d in decisions if d.version == champion.name and d.kind in SERVING), None
        ),
        repeats=_repeats(house, champion.model, own, rows),
        own=champion.trusted,
    )


def _manifest(folder: Path) -> Manifest | None:
    try:
        return verify(folder, key=None)
    except EverfitError:
        return None


def _study(house: House, model: str, run: str) -> Study | None:
    found = house.result(model, run) if run else {}
    return from_plain(Study, found["study"]) if "study" in found else None


def _most_trials(house: House, model: str, rows: Sequence[RunRow]) -> tuple[tuple[Trial, ...], str]:
    """The trials of the run that finished most of them."""
    best: tuple[tuple[Trial, ...], str] = (), ""
    for row in rows:
        study = _study(house, model, row.id) if row.state == "done" else None
        if study is not None and _done(study.trials) > _done(best[0]):
            best = study.trials, row.id
    return best


def _done(trials: Sequence[Trial]) -> int:
    return sum(trial.status == "done" for trial in trials)


def _repeats(
    house: House, model: str, own: RunRow | None, rows: Sequence[RunRow]
) -> tuple[int, int]:
    """Trials that another run made anew from the same rows and seed: equal ones, and all."""
    study = None if own is None else _study(house, model, own.id)
    if own is None or study is None:
        return 0, 0
    mine = {_name(trial): trial for trial in study.trials if _is_fresh(trial)}
    same = of = 0
    for row in rows:
        twin = row.id != own.id and row.seed == own.seed and row.data_sha256 == own.data_sha256
        other = _study(house, model, row.id) if twin and row.state == "done" else None
        for trial in () if other is None else other.trials:
            first = mine.get(_name(trial))
            if first is None or not _is_fresh(trial) or first.folds != trial.folds:
                continue
            of += 1
            same += bool(np.allclose(first.fold_losses, trial.fold_losses, rtol=SAME, atol=0.0))
    return same, of


def _is_fresh(trial: Trial) -> bool:
    return trial.status == "done" and not trial.reused


def _name(trial: Trial) -> str:
    return f"{trial.hypothesis.name} {trial.hypothesis.learner} {trial.hypothesis.settings}"


def _tried(house: House, champion: Version, line: _Line, asked: Asked, *, sound: bool) -> Tried:
    """What is found by trying: a fresh load, golden rows, an explanation, the version before."""
    folder = Path(champion.folder)
    # nothing parses files that are not what was packed
    fresh = load_fresh(folder, left_s=VERIFY_S, trusted=champion.trusted) if sound else None
    loaded, reproduced = _loaded(fresh)
    back = _before(house, champion)
    checks = () if back is None else house.checks(back)
    found: dict[str, Any] = {
        "refitted": _refitted(house, champion, asked) if sound and asked.fit_s > 0 else None,
        "back_to": "" if back is None else back.name,
        "back": checks,
        "row_ms": None if fresh is None or fresh.row_us is None else fresh.row_us / 1000,
    }
    try:
        _, scorer = house.scorer(champion.model)
        found |= _explained(scorer, folder)
        found["benefit"] = benefit_of(
            _labelled(line, asked), champion.problem, lambda frame: scored(scorer, frame)
        ) if scorer.reads is None else None  # fmt: skip
    except (EverfitError, OSError) as error:
        found["error"] = str(getattr(error, "what", error))[:200]
    return Tried(loaded, reproduced, libraries(), **found)


def _refitted(house: House, champion: Version, asked: Asked) -> Refitted:
    wish = Refit(asked.model, asked.now, asked.upkeep, asked.fit_s)
    return refitted(lambda: house.lineage(champion), wish, asked.record)


def _loaded(fresh: FreshLoad | None) -> tuple[Because, Because]:
    if fresh is None:
        changed = "its files have changed"
        return (
            Because("loads in a fresh process", False, note=changed),
            Because("reproduces its golden rows", None, note=changed),
        )
    return loads(fresh), reproduces(fresh)


def _explained(scorer: Scorer, folder: Path) -> dict[str, Any]:
    """One golden answer explained: do base and contributions add up to what the row path says?"""
    rows = golden_rows(folder)
    finite = all(math.isfinite(x) for row in rows for x in row["expected"])
    inputs, past = [row["input"] for row in rows], golden_past(rows)
    why = contributions(scorer, inputs, inputs[0], past=past[0])
    answer = scorer.row(inputs[0], past[0])
    value = (
        float(answer.value)
        if answer.probabilities is None
        else max(float(p) for p in answer.probabilities)
    )
    parts = why.base + sum(column.contribution for column in why.columns)
    off = abs(parts - value) / max(1.0, abs(value))
    return {"finite": finite, "explained": len(why.columns), "off": off}


def _before(house: House, champion: Version) -> Version | None:
    aliases = house.aliases(champion.model)
    for name in ("fallback", "previous"):
        number = aliases[name].number if name in aliases else None
        if number is not None and number != champion.number:
            return house.version(champion.model, f"v{number}")
    return None


def _labelled(line: _Line, asked: Asked) -> pl.DataFrame:
    """The newest rows that the champion's line answered and whose outcomes are known."""
    if asked.record is None:
        return pl.DataFrame()
    since = max(
        line.cut,
        asked.now - timedelta(seconds=RECENT * asked.upkeep.window_s + asked.upkeep.label_delay_s),
    )
    mine = pl.col("version").is_in(sorted(line.numbers)) & (pl.col("arm") != "shadow")
    kept = pl.DataFrame()
    for part in asked.record.joined(asked.model, since=since):
        known = part.filter(mine & pl.col("outcome").is_not_null())
        kept = pl.concat([kept, known], how="diagonal_relaxed").tail(MOST)
    return kept


def _lived(house: House, champion: Version, line: _Line, asked: Asked) -> Lived:
    model, windows = champion.model, house.steps(champion.model, "asked")
    mine = [step.record for step in windows if step.record["version"] in line.numbers]
    facts = [record["facts"] for record in mine]
    looks, acts = house.steps(model, "health", last=1), house.steps(model, "action", last=1)
    health = from_plain(Health, looks[-1].record) if looks else None
    if health is not None and health.version not in line.names:
        health = None
    rehearsals = [s for s in house.steps(model, "rehearsed") if s.record["ready"]]
    recomputed = [fact.get("recomputed", {}) for fact in facts]
    return Lived(
        health=health,
        windows=len(mine),
        answers=sum(record["n"] for record in mine),
        unanswered=sum(fact.get("unanswered", 0) for fact in facts),
        verified=_sum([fact.get("verified", {}) for fact in facts]),
        recomputed=(
            sum(one.get("n", 0) for one in recomputed),
            sum(sum(one.get("differ", {}).values()) for one in recomputed),
        ),
        ages=_ages(house, asked),
        rehearsed=f"rehearsed in {rehearsals[-1].key}" if rehearsals else "",
        tried_first=_tried_first(house, champion),
        looked_s=(asked.now - acts[-1].at).total_seconds() if acts else None,
    )


def _sum(verified: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    return (
        sum(one.get("n", 0) for one in verified),
        sum(one.get("differ", 0) for one in verified),
    )


def _ages(house: House, asked: Asked) -> tuple[tuple[float, float], ...]:
    """(age in windows, loss as a multiple of what was certified) of windows with outcomes."""
    versions = {version.number: version for version in house.versions(asked.model)}
    bases = _bases(house, asked.model)
    found = []
    for step in house.steps(asked.model, "matured"):
        number = step.record["version"]
        facts, version = step.record["facts"], versions.get(bases.get(number, number))
        lost = facts["versions"].get(str(number), {})
        certified = facts["certified"][1]
        if version is None or not lost.get("n") or lost.get("mean") is None or not certified:
            continue
        end = datetime.fromisoformat(step.record["end"])
        age = (end - (version.until or version.created_at)).total_seconds() / asked.upkeep.window_s
        found.append((max(0.0, age), float(lost["mean"]) / certified))
    return tuple(found)


def _tried_first(house: House, champion: Version) -> str:
    """How the champion answered before it served; empty when it served at once."""
    model, name = champion.model, champion.name
    for step in house.steps(model, "trial"):
        if step.record["version"] == champion.number and step.record.get("closed") == "promoted":
            looks = step.record["looks"]
            return f"{name} answered in the shadow for {looks} windows and won its trial"
    if _proved_line(house.steps(model, "fit"), champion):
        for step in house.steps(model, "procedure"):
            if step.record.get("closed") == "proven":
                return f"recalibration proved itself on {step.record['looks']} windows before"
    for decision in reversed(house.decisions(model, kinds=("canary", "shadow"))):
        if decision.version == name:
            return f"decision {decision.id}: {decision.headline}"
    return ""


def _proved_line(fits: Sequence[Step], champion: Version) -> bool:
    """Whether the champion is a recalibration that the loop made."""
    return any(
        step.record["act"] == "recalibrate" and step.record.get("version") == champion.number
        for step in fits
    )
