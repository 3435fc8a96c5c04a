"""The command ``score``: the 28 tests of the ML Test Score on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.keeping.recorded import log_of
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.words.grid import WIDTH, filled, pad, shorten
from everfit.faces.words.shapes import dump, envelope
from everfit.house.scoring import Asked, scored_now
from everfit.rubric.grade import SECTIONS, Graded, Score
from everfit.settings import plan_run, upkeep_of
from everfit.settings.facts import facts_of

MARKS = {0.0: "✗", 0.5: "◐", 1.0: "✓"}
INDENT, WORD = 11, 12  # columns before what to do, and of the word for a test


def do_score(face: Face, model: str, fit_s: float) -> None:
    """Grade the champion of a model and print the four sections, or one JSON object.

    ``fit_s`` is how long models may be fitted for it.
    """
    settings = settings_of(face)
    told, oldest = facts_of(settings, model)
    with house_of(face, settings) as house, log_of(face, settings) as log:
        champion = house.version(model)
        face.tell("Loading it in a fresh process, asking and explaining it ...")
        asked = Asked(
            model,
            datetime.now(UTC),
            upkeep=upkeep_of(settings, model, metric=champion.problem.metric),
            policy=plan_run(settings, model, {}).policy,
            told=told,
            stale_after_s=oldest,
            record=log,
            fit_s=fit_s,
        )
        found = scored_now(house, asked)
    if face.as_json:
        face.data(dump(score_shape(found)))
    else:
        face.data(score_text(found, full=face.verbose))


def score_shape(found: Score) -> dict[str, object]:
    """The score as ``--json`` prints it."""
    return envelope(
        "score",
        model=found.model,
        version=found.version,
        score=found.total,
        sections=found.sums,
        tests=found.tests,
        next=[test.code for test in found.cheapest()],
    )


def score_text(found: Score, *, full: bool = False) -> str:
    """One screen: the score, four sections with their tests, and what raises it with least effort.

    ``full`` folds what does not fit on a line instead of cutting it.
    """
    sums = found.sums
    weakest = min(sums, key=lambda name: sums[name])
    lines = filled(
        "",
        f"{found.model} {found.version}: ML Test Score {found.total:g} of 7, the sum of its "
        f"weakest section ({weakest}).",
        indent=0,
    )
    for section in SECTIONS:
        lines += ["", f"{section} {sums[section]:g} of 7"]
        for test in found.tests:
            if test.section == section:
                lines += _test(test, full=full)
    return "\n".join([*lines, *_next(found.cheapest())])


def _test(test: Graded, *, full: bool) -> list[str]:
    head = f"  {MARKS[test.grade]} {test.code}"
    if full:
        more = filled("", f"do: {test.do}", indent=INDENT) if test.do else []
        return [*filled(head, f"{test.name}: {test.checked}", indent=INDENT - 3), *more]
    return [shorten(f"{head}  {pad(test.word, WORD)} {test.checked}", WIDTH)]


def _next(tests: Sequence[Graded]) -> list[str]:
    lines = [""] if tests else []
    for at, test in enumerate(tests):
        lines += filled("Next" if at == 0 else "", f"{test.code}: {test.do}")
    return lines
