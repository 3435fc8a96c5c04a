"""The model card: what a version is, how good, tested how, and what not to use it for.

After Mitchell et al. (2019), "Model Cards for Model Reporting", FAT*; built from records only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from everfit.plain import as_plain
from everfit.records import Assessment, Finding, Source, Study
from everfit.release.figures import metric_name, short
from everfit.release.manifest import Label

N_SHOWN = 10
UNKNOWN = "counts as none of the known ones"  # said in the same words when a row is answered


def card_facts(
    label: Label,
    study: Study,
    assessment: Assessment,
    source: Source,
    columns: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """All that the card says, as plain values."""
    candidate, problem = study.candidate, study.problem
    return {
        "model": label.model,
        "version": label.version,
        "run": label.run,
        "created_at": as_plain(label.created_at),
        "problem": as_plain(problem),
        "score": as_plain(candidate.score),
        "selection_score": as_plain(candidate.selection_score),
        "speaks_of": candidate.speaks_of,
        "gain_on_floor": as_plain(candidate.gain_on_floor),
        "gain_on_simple": as_plain(candidate.gain_on_simple),
        "members": [
            {
                "name": m.hypothesis.name,
                "learner": m.hypothesis.learner,
                "weight": m.weight,
                "models": len(m.folders),
                "refitted": m.refitted,
            }
            for m in candidate.members
        ],
        "calibrated": bool(candidate.calibration),
        "ranges": as_plain(candidate.ranges),
        "data": as_plain(source) | {"license": "unknown", "n_judged": assessment.n_rows},
        "split": as_plain(study.split),
        "folds_judged": folds_judged(study),
        "n_trials": len(study.trials),
        "acted_upon": [as_plain(f) for f in assessment.findings if f.acts],
        "warnings": [as_plain(f) for f in assessment.findings if not f.acts and _matters(f)],
        "segments": [as_plain(segment) for segment in candidate.segments],
        "harmed": [as_plain(segment) for segment in candidate.harmed],
        "columns": [dict(column) for column in columns],
        "smallest_gain": as_plain(assessment.smallest_gain),
        "not_tried": list(study.not_tried),
        "measures": as_plain(candidate.measures),
        "is_floor": all(m.hypothesis.stage == "floor" for m in candidate.members),
    }


def folds_judged(study: Study) -> int:
    """On how many folds the trials were compared: the time may have ended before all of them.

    All trials that were compared have at least these folds, and one of them has no more.
    """
    compared = [trial.folds for trial in study.trials if trial.loss is not None and trial.folds]
    return min(compared, default=study.split.n_folds)


def card_text(facts: Mapping[str, Any]) -> str:
    """The card in Markdown and plain words, from :func:`card_facts`."""
    parts = [
        [f"# {facts['model']} {facts['version']}"],
        _purpose(facts),
        _score(facts),
        _measures(facts),
        _tested(facts),
        _data(facts),
        _findings(facts),
        _segments(facts),
        _strangers(facts) if _lists(facts) else _unseen(facts),
        _limits(facts),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _lists(facts: Mapping[str, Any]) -> bool:
    return bool(facts["problem"].get("form") == "lists")


def _units(facts: Mapping[str, Any]) -> str:
    """What is judged one by one, in words."""
    return "lists" if _lists(facts) else "rows"


def _purpose(facts: Mapping[str, Any]) -> list[str]:
    problem = facts["problem"]
    labels = problem["labels"]
    if _lists(facts):
        what = (
            f"Ranks {len(labels):,} items (`{problem['target']}`) for a user (`{problem['group']}`)"
            " or for somebody with a history, by what users met before."
        )
    elif labels:
        shown = ", ".join(f"`{label}`" for label in labels[:N_SHOWN])
        more = f" and {len(labels) - N_SHOWN} more" if len(labels) > N_SHOWN else ""
        what = f"Predicts which of {len(labels)} values `{problem['target']}` has: {shown}{more}."
    else:
        what = f"Predicts the number `{problem['target']}`."
    made = f"Packed {facts['created_at'][:10]} by run {facts['run'] or 'unknown'}."
    return ["## What it does", "", what, made, "", *_members(facts)]


def _members(facts: Mapping[str, Any]) -> list[str]:
    lines = ["| member | learner | weight | fitted on |", "|---|---|---|---|"]
    for member in facts["members"]:
        on = "all rows" if member["refitted"] else f"{member['models']} folds, averaged"
        if _lists(facts):
            on = "all interactions" if member["refitted"] else "all before the newest cut"
        lines.append(f"| {member['name']} | {member['learner']} | {member['weight']:.2f} | {on} |")
    if facts["calibrated"]:
        what = "probabilities were calibrated" if facts["problem"]["labels"] else "level was set"
        lines += ["", f"Its {what} on rows that the fits had not seen."]
    return lines


def _score(facts: Mapping[str, Any]) -> list[str]:
    score, metric = facts["score"], facts["problem"]["metric"]
    lines = ["## How good it is", ""]
    found = f"{metric_name(metric)} {short(score['mid'])}, 95% range {_span(score)}"
    lines.append(f"{found}, on {score['n']:,} {_units(facts)}.")
    if facts["speaks_of"]:
        lines.append(f"The score speaks of {facts['speaks_of']}.")
    lines.append(
        "It is corrected for having chosen the best of all trials; before that it was "
        f"{short(facts['selection_score'])}."
    )
    if facts.get("is_floor"):
        lines.append("It is the floor itself: nothing that was tried is clearly better.")
    for name, rival in (("floor", "the floor"), ("simple", "the simple model")):
        if facts.get("is_floor"):
            continue
        gain = facts[f"gain_on_{name}"]
        if gain["mid"] is not None:
            lines.append(
                f"Mean loss saved against {rival}: {short(gain['mid'])} (95% range {_span(gain)})."
            )
    return lines if _lists(facts) else [*lines, _ranges(facts)]


def _measures(facts: Mapping[str, Any]) -> list[str]:
    """What else was measured of the same answers; nothing where the metric says it all."""
    measures = facts.get("measures") or {}
    if not measures:
        return []
    lines = ["## Other measures of the same lists", "", "| measure | value |", "|---|---|"]
    return [*lines, *(f"| {name} | {short(value, 3)} |" for name, value in measures.items())]


def _ranges(facts: Mapping[str, Any]) -> str:
    ranges = facts["ranges"]
    if ranges is None:
        return "Its answers come without ranges: too few rows could say how far they are off."
    of = "the probability of the predicted label" if facts["problem"]["labels"] else "the outcome"
    widths = sorted(high - low for low, high in zip(ranges["low"], ranges["high"], strict=True))
    wide = f"{short(widths[0], 3)} to {short(widths[-1], 3)}"
    return (
        f"Each answer comes with a 95% range of {of}, {wide} wide by the level of the answer, "
        f"learnt from {ranges['n']:,} answers to rows that the fits had not seen."
    )


def _tested(facts: Mapping[str, Any]) -> list[str]:
    split = facts["split"]
    later = "interactions" if _lists(facts) else "rows"
    how = {
        "random": "at random",
        "group": f"by group (`{split['column']}`): no group is on both sides",
        "time": f"forward in time (`{split['column']}`): judged on later {later} only",
        "last": f"by time: judged on the last {later} of each `{split.get('together')}`",
    }[split["kind"]]
    lines = ["## How it was tested", ""]
    fold, what = ("cut", "Interactions") if _lists(facts) else ("fold", "Rows")
    lines.append(f"{what} were held out {how}.")
    if _lists(facts):
        lines.append("All items were ranked; what a user had met before a cut was left out.")
    judged, planned = facts["folds_judged"], split["n_folds"]
    less = f" of {planned} that were planned" if judged < planned else ""
    lines.append(f"The score rests on {judged} {fold if judged == 1 else fold + 's'}{less}.")
    if split["why"]:
        lines.append(f"Why: {split['why']}.")
    lines.append(f"{facts['n_trials']} hypotheses were tried.")
    lines += [f"Not done: {reason}." for reason in facts["not_tried"]]
    return lines


def _data(facts: Mapping[str, Any]) -> list[str]:
    data = facts["data"]
    lines = ["## Data", ""]
    rows = "interactions" if _lists(facts) else "rows"
    lines.append(f"`{data['uri']}`: {data['n_rows']:,} {rows}, {data['n_columns']:,} columns.")
    if data["n_judged"] != data["n_rows"]:
        lines.append(f"{data['n_judged']:,} {rows} were left after cleaning.")
    lines.append(f"sha256 `{data['sha256']}`.")
    lines.append("Licence of the data: unknown.")
    time = facts["problem"]["time"]
    if time:
        lines.append(f"{'Time' if _lists(facts) else 'Time column'}: `{time}`.")
    return lines


def _findings(facts: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, title in (("acted_upon", "acted upon"), ("warnings", "to know about")):
        found = facts[name]
        if found:
            lines += ["", f"## Findings {title}", ""] if lines else [f"## Findings {title}", ""]
            lines += [f"- {_finding(finding)}" for finding in found]
    return lines


def _finding(finding: Mapping[str, Any]) -> str:
    done = finding["done"]
    return (
        f"{finding['headline']} ({done})"
        if done not in ("", "nothing")
        else str(finding["headline"])
    )


def _segments(facts: Mapping[str, Any]) -> list[str]:
    lines = ["## Segments", ""]
    for name, rival in (
        ("harmed", "the floor's"),
        ("segments", f"that of the other {_units(facts)}"),
    ):
        weak = [s for s in facts[name] if (s["gap"]["low"] or 0) > 0]
        for s in weak[:N_SHOWN]:
            gap = s["gap"]
            lines.append(
                f"- `{s['name']}` ({s['n']:,} {_units(facts)}): mean loss {short(gap['mid'])} "
                f"higher than {rival} (95% range {_span(gap)})"
            )
    if len(lines) == 2:
        others = f"the other {_units(facts)}"
        lines.append(f"No segment was found that is served clearly worse than {others}.")
    return lines


def _strangers(facts: Mapping[str, Any]) -> list[str]:
    """What happens to users and items that the version does not know."""
    return [
        "## Users and items it has not seen",
        "",
        "A user who is not known gets what is popular, and the answer says so. A history that is",
        "given with the question counts at once, known user or not. An item that is not in the",
        "catalogue above is never listed; a new interaction with a known item counts at once.",
    ]


def _unseen(facts: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Input it has not seen",
        "",
        "A column that is not given gets the default below. A value of the wrong type counts as",
        "missing, with a warning. A number outside the range is answered, with a warning.",
        f"A category that is rare or new {UNKNOWN}, with a warning: trees send",
        "it where they send what they do not know, other learners see none of their levels.",
        "",
        "| column | kind | training range | when not given |",
        "|---|---|---|---|",
    ]
    for column in facts["columns"]:
        low, high = column["low"], column["high"]
        span = f"{short(low)} to {short(high)}" if None not in (low, high) else ""
        default = _default(column["default"], column.get("levels") or ())
        cells = (f"`{_cell(column['name'])}`", column["kind"], span, _cell(default))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _default(value: Any, levels: Sequence[str]) -> Any:
    if value is None:
        return "missing"
    if isinstance(value, bool) and len(levels) == 2:
        return levels[value]  # the words of the data, (false, true)
    return short(value) if isinstance(value, float) else value


def _limits(facts: Mapping[str, Any]) -> list[str]:
    lines = ["## Limits", ""]
    known = "interactions" if _lists(facts) else "rows"
    lines.append(f"It knows only what the {known} above could show; other populations may differ.")
    lines.append("It says what goes together, not what causes what.")
    if _lists(facts):
        lines.append("Users can only meet what they are shown: what nobody showed looks unwanted.")
    gain = facts["smallest_gain"]
    if gain is not None:
        lines.append(
            f"These {_units(facts)} can show a drop of the mean loss of {short(gain)} or more; "
            "smaller differences between models are noise."
        )
    return lines


def _matters(finding: Finding) -> bool:
    return finding.severity in ("warn", "fail") or finding.done not in ("", "nothing")


def _span(interval: Mapping[str, Any]) -> str:
    return f"{short(interval['low'])} to {short(interval['high'])}"


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
