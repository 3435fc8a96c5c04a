"""Section Infrastructure: can it be made again, proved, and taken back?"""

from __future__ import annotations

from everfit.release.gates import passed
from everfit.rubric.facts import Facts
from everfit.rubric.grade import Found, counted, half, nothing, whole

STAGES = ("assessed", "studied")  # rows of the ledger that a whole run leaves before its release
TOLERANCE = 1e-6  # of contributions against the answer: 32-bit engines round
SERVING = ("released", "promoted", "rolled_back")


def reproducible(facts: Facts) -> Found:
    """What a repeat needs is recorded; and fits that were repeated lost the same."""
    made = facts.made
    lacks = [
        name
        for name, have in (
            ("seed", made.seed is not None),
            ("hash of the data", bool(made.data_packed) and made.data_packed == made.data_sha256),
            ("libraries", bool(made.libraries)),
        )
        if not have
    ]
    if lacks:
        return nothing(f"not recorded: {', '.join(lacks)}", f"everfit run {facts.model}", 2)
    same, of = made.repeats
    if same < of:
        return nothing(
            f"{of - same} of {counted(of, 'repeated trial')} lost otherwise the second time",
            f"everfit leaderboard {facts.model}",
            2,
        )
    refitted = facts.tried.refitted
    if refitted is not None and refitted.equal is False:
        return nothing(
            f"{refitted.learner} fitted twice to the same rows lost otherwise the second time",
            f"everfit leaderboard {facts.model}",
            2,
        )
    if refitted is not None and refitted.equal:
        return whole(f"{refitted.learner} fitted twice, now: equal on {refitted.n:,} rows")
    if of:
        return whole(f"{counted(of, 'trial')} repeated from the same rows and seed, losses equal")
    failed = "" if refitted is None else f"; {refitted.error or 'nothing could be fitted'}"
    return half(
        f"seed, data hash and libraries are recorded, not repeated{failed}",
        f"everfit score {facts.model} --fit 20s" if refitted is None else "",
        2,
    )


def spec_tested(facts: Facts) -> Found:
    """The packed learners answer as the fitted ones did, in a fresh process, now."""
    tried, own = facts.tried, facts.made.own
    if not (tried.loads.passed and tried.reproduces.passed):
        said = tried.loads.note or tried.reproduces.note or "it does not load"
        return nothing(said, f"everfit rollback {facts.model}", 2)
    if own and not facts.told.get("feature_tests"):
        line = f'feature_tests = "..." below [models.{facts.model}.facts]'
        return half(f"own code: {', '.join(own)}; golden rows come out", f"how tested: {line}", 1)
    return whole("packed learners answer their golden rows as the fitted ones did, now")


def pipeline(facts: Facts) -> Found:
    """One run went through all stages, from the rows to a version that loads."""
    missing = [stage for stage in STAGES if stage not in facts.made.stages]
    if facts.made.serving is None or not facts.tried.loads.passed:
        missing.append("a version that loads")
    if missing:
        return nothing(f"not in the ledger: {', '.join(missing)}", f"everfit run {facts.model}", 2)
    return whole("assessed, studied, packed, gated and loaded in one run; it loads now")


def validated(facts: Facts) -> Found:
    """Gates stood before it served, and all of them held."""
    serving = facts.made.serving
    if serving is None:
        return nothing("no decision let it serve", f"everfit why {facts.model}", 2)
    gates = (*serving.because, *serving.also_checked)
    told = f"decision {serving.id}: {counted(len(gates), 'rule')} checked, none failed"
    if not gates or not passed(gates):
        return nothing(
            f"decision {serving.id}: {serving.headline}", f"everfit run {facts.model}", 2
        )
    if serving.by != "system":
        return half(f"{told}; by {serving.by}", "let a trial decide: everfit up", 2)
    return whole(told)


def debuggable(facts: Facts) -> Found:
    """One answer was explained now, and its parts add up to it."""
    tried = facts.tried
    if tried.error or not tried.explained:
        said = tried.error or "no answer could be explained"
        return nothing(said, f"everfit rollback {facts.model}", 2)
    if tried.off > TOLERANCE:
        return nothing(
            f"parts of one answer are off by {tried.off:.2g}", f"everfit card {facts.model}", 2
        )
    return whole(f"one answer explained by {counted(tried.explained, 'column')}, now: it adds up")


def canaried(facts: Facts) -> Found:
    """It answered for the record, or for few keys, before it answered for all."""
    if facts.lived.tried_first:
        return whole(facts.lived.tried_first)
    return nothing(
        f"{facts.version} served at once",
        "let the loop make the next one, it begins in the shadow: everfit up",
        2,
    )


def rolled_back(facts: Facts) -> Found:
    """There is a version to go back to, and it can serve."""
    lived, tried = facts.lived, facts.tried
    if not tried.back_to:
        return nothing(
            "no version served before", "nothing: the next promotion leaves one to go back to", 3
        )
    if not passed(tried.back):
        failed = next(check for check in tried.back if check.passed is False)
        return nothing(f"{tried.back_to}: {failed.rule}: {failed.note}", "everfit doctor", 2)
    told = f"{tried.back_to} loads and reproduces its golden rows, now"
    if lived.rehearsed:
        return whole(f"{told}; {lived.rehearsed}")
    return half(f"{told}; no rehearsal by itself yet", "everfit up", 2)
