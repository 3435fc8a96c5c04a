"""Who answered, whether the split may be read, and what each arm lost: in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from everfit.evidence.interval import Interval
from everfit.faces.words.figures import counted, decimals, ends, loss_name, number
from everfit.faces.words.grid import filled, grid
from everfit.faces.words.ledger import when
from everfit.live.arms import CANARY, SHADOW, Arms, version_of
from everfit.live.traffic.judged import Judged
from everfit.live.traffic.split import Split

NOT_READ = "not read: split is broken"
ARMS = ("champion", "canary", "holdout", "shadow")


def traffic_text(arms: Arms, split: Split, judged: Judged | None) -> str:
    """The arms, the test of their split, and their losses unless the split is broken."""
    total = sum(n for arm, n in split.keys.items() if arm in arms.shares)
    rows = []
    for arm in [*arms.shares, *(arm for arm in split.keys if arm not in arms.shares)]:
        known = arm in ARMS and not (arm == SHADOW and arms.shadow is None)
        asked, n = arms.shares.get(arm), split.keys.get(arm, 0)
        rows.append(
            [
                arm,
                f"v{version_of(arm, arms)}" if known else "-",
                "-" if asked is None else f"{asked:.2%}",
                f"{n / total:.2%}" if asked is not None and total else "-",
                f"{n:,}",
                f"{split.rows.get(arm, 0):,}",
            ]
        )
    lines = grid(["arm", "version", "asked", "seen", "keys", "rows"], rows, right=(2, 3, 4, 5))
    lines += ["", *filled("Split", split_words(split, total))]
    lines += filled("Loss", NOT_READ) if not split.sound else _losses(judged)
    return "\n".join(lines)


def split_words(split: Split, total: int) -> str:
    """What the sample-ratio test says."""
    if split.torn:
        return f"broken: {counted(split.torn, 'key')} in more than one arm"
    since = "" if split.since is None else f" since {when(split.since)}"
    if split.ratio is None:
        return f"nothing is split: {counted(total, 'key')}{since}"
    if not total:
        settled = "" if split.since is None else f" ({when(split.since)})"
        return f"no key was seen since the arms had settled{settled}"
    p = f"p {split.ratio.p:.2g}, limit {split.ratio.alpha:g}, over {counted(total, 'key')}{since}"
    return (
        f"broken: the arms did not get the shares asked for ({p})"
        if split.ratio.broken
        else (f"as asked ({p})")
    )


def _losses(judged: Judged | None) -> list[str]:
    if judged is None or not judged.loss:
        nothing = filled("Loss", "no outcome of a request is known yet")
        return nothing if judged is None else nothing + _left_out(judged)
    places = decimals([*judged.loss.values(), *judged.gain.values()])
    lines = filled("Loss", f"{loss_name(judged.metric)} on requests whose outcome is known")
    for arm, loss in judged.loss.items():
        told = f"{arm}: {_range(loss, places)}, {counted(loss.n, 'row')}"
        lines += filled("", told)
    for arm, gain in judged.gain.items():
        rows = "the same requests" if arm == SHADOW else "other keys"
        told = f"{arm} against the champion on {rows}: saves {_range(gain, places)}"
        lines += filled("", told)
    if CANARY in judged.gain or SHADOW in judged.gain:
        lines += filled("", "These ranges hold for one look.")
    return lines + _left_out(judged)


def _left_out(judged: Judged) -> list[str]:
    """What was told and cannot be compared with an answer."""
    if not judged.left_out:
        return []
    said = counted(judged.left_out, "outcome")
    return filled("", f"{said} left out: no label that the model knows, or no number")


def _range(interval: Interval, places: int) -> str:
    if not math.isfinite(interval.low):
        return f"{number(interval.mid, max(places, 3))} (too few rows for a range)"
    return f"{number(interval.mid, places)} (95% range {ends(interval, places)})"


def traffic_shape(
    model: str, arms: Arms, split: Split, judged: Judged | None
) -> Mapping[str, object]:
    """The same for programs; ``losses`` is null when the split may not be read."""
    ratio = split.ratio
    return {
        "model": model,
        "since": split.since,
        "arms": [
            {
                "arm": arm,
                "version": f"v{version_of(arm, arms)}" if arm in ARMS else None,
                "asked": arms.shares.get(arm),
                "keys": split.keys.get(arm, 0),
                "rows": split.rows.get(arm, 0),
            }
            for arm in [*arms.shares, *(arm for arm in split.keys if arm not in arms.shares)]
        ],
        "split": {
            "sound": split.sound,
            "torn_keys": split.torn,
            "p": None if ratio is None else ratio.p,
            "log_e": None if ratio is None else ratio.log_e,
            "alpha": None if ratio is None else ratio.alpha,
        },
        "losses": None
        if judged is None
        else {"metric": judged.metric, "of": judged.loss, "left_out": judged.left_out},
        "gains": None if judged is None else judged.gain,
    }
