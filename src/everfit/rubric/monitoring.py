"""Section Monitoring: would anybody notice?"""

from __future__ import annotations

from everfit.rubric.facts import Facts
from everfit.rubric.grade import Found, counted, half, nothing, whole

DAY_S = 86_400.0
LOSSES = ("degradation", "floor", "segment")  # findings about the loss, not the inputs
FRESH_LOOKS = 3.0  # windows: an age that was weighed longer ago is not weighed any more


def dependencies(facts: Facts) -> Found:
    """Libraries that made the version against those installed here."""
    then, now = facts.made.libraries, facts.tried.libraries
    if not then:
        return nothing("libraries were not recorded", f"everfit run {facts.model}", 2)
    moved = [f"{n} {v} -> {now.get(n, 'gone')}" for n, v in then.items() if now.get(n) != v]
    if not moved:
        return whole(f"all {len(then)} that were recorded are as they were")
    if facts.tried.reproduces.passed:
        return whole(f"{', '.join(moved[:3])}; golden rows still come out")
    return nothing(f"{', '.join(moved[:3])}; golden rows differ", f"everfit run {facts.model}", 2)


def invariants(facts: Facts) -> Found:
    """The newest look at the traffic found its columns as the version knows them."""
    health = facts.lived.health
    if health is None or not facts.lived.windows:
        return nothing("no window of traffic was looked at", "serve it and watch it: everfit up", 2)
    broken = [f for f in health.findings if f.severity == "fail" and f.check not in LOSSES]
    if broken:
        return nothing(broken[0].headline, f"everfit status {facts.model}", 2)
    warned = sum(f.severity == "warn" for f in health.findings)
    more = f"; {counted(warned, 'warning')}" if warned else ""
    return whole(f"{counted(facts.lived.windows, 'window')} held against the training{more}")


def skew(facts: Facts) -> Found:
    """Logged answers asked again of the packed version; features looked up again at the source."""
    (n, differ), (looked, off) = facts.lived.verified, facts.lived.recomputed
    if not n:
        return nothing("no logged answer was asked again", "serve it and watch it: everfit up", 2)
    if differ or off:
        return nothing(
            f"{differ:,} of {n:,} answers and {off:,} of {looked:,} rows differ",
            f"everfit status {facts.model}",
            2,
        )
    if looked:
        return whole(f"{n:,} answers asked again, {looked:,} rows looked up again: all equal")
    return half(
        f"{n:,} answers asked again: all equal; no features were looked up at a source",
        f"send keys, and name their source: [models.{facts.model}.sources.NAME]",
        3,
    )


def stale(facts: Facts) -> Found:
    """Its age against the oldest that it may be, or weighed by the loop at each window."""
    days = f"{facts.age_s / DAY_S:.1f} days old"
    if facts.stale_after_s is not None:
        limit = f"limit {facts.stale_after_s / DAY_S:g} days"
        if facts.age_s > facts.stale_after_s:
            return nothing(f"{days}, {limit}", f"everfit run {facts.model}", 2)
        return whole(f"{days}, {limit}")
    looked = facts.lived.looked_s
    if looked is not None and looked <= FRESH_LOOKS * facts.window_s:
        return whole(f"{days}; the loop weighs its age at each window")
    line = f'stale_after = "90d" below [models.{facts.model}.facts]'
    return nothing(f"{days}; nobody said how old it may be", f"say it: {line}", 1)


def stable(facts: Facts) -> Found:
    """No answer is without a number: golden ones now, logged ones in all windows."""
    if not facts.tried.finite:
        return nothing("a golden answer holds no number", f"everfit rollback {facts.model}", 2)
    lived = facts.lived
    if lived.unanswered:
        return nothing(
            f"{lived.unanswered:,} of {lived.answers:,} logged answers hold no number",
            f"everfit status {facts.model}",
            2,
        )
    if not lived.answers:
        return half("golden answers are all numbers; none was logged", "everfit up", 2)
    return whole(f"{lived.answers:,} logged and all golden answers are numbers")


def computing(facts: Facts) -> Found:
    """One row in a fresh process: at the release and now, against the limit."""
    serving, now = facts.made.serving, facts.tried.row_ms
    gates = () if serving is None else (*serving.because, *serving.also_checked)
    then = next((g.measured for g in gates if g.rule == "answers one row in time"), None)
    if now is None:
        return nothing("it was not timed", f"everfit rollback {facts.model}", 2)
    was = "" if then is None else f", {then:.2g} ms at its release"
    text = f"one row takes {now:.2g} ms now{was}; limit {facts.latency_ms:g} ms"
    if now > facts.latency_ms:
        return nothing(text, f"everfit run {facts.model} --latency-ms {facts.latency_ms:g}", 2)
    return whole(text)


def quality(facts: Facts) -> Found:
    """The measured loss against what was certified, tested at each window."""
    health = facts.lived.health
    if health is None:
        return nothing("nobody looks", "serve it and watch it: everfit up", 2)
    rang = [alarm for alarm in health.alarms if alarm.budget == "degradation"]
    if rang:
        return nothing(health.headline, f"everfit why {facts.model}", 2)
    measured = [p for p in health.measured if p.n]
    if measured:
        return whole(f"{counted(health.matured, 'outcome')}: the loss is as was certified")
    if health.estimated:
        return half("estimated without outcomes, not measured", "send outcomes", 3)
    return nothing(
        "no outcomes came", f"send outcomes; which tell most: everfit labels {facts.model}", 2
    )
