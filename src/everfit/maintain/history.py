"""What has been done to a model so far: all that the next decision may depend on besides health."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from everfit.records import ActKind


@dataclass(frozen=True, slots=True)
class Made:
    """One version that the loop made, or could not make: when, by which act, what became of it.

    ``version`` is empty where none could be made (``refused``).

    ``gain`` is the drop of the mean loss against the champion of its time, as a share of that
    champion's loss, measured on the rows of its trial; None while nothing is known.
    """

    act: ActKind
    version: str
    at: datetime
    became: str = "on_trial"  # promoted, kept, expired, refused, not_evaluable
    gain: float | None = None


@dataclass(frozen=True, slots=True)
class History:
    """One model's past, reduced to numbers.

    Parameters
    ----------
    now : of the loop's clock
    age : windows since the newest row that the champion learnt from
    learnt_rows, new_rows : rows that it learnt from; labelled rows that it has not seen
    since_tried : labelled rows since the newest fit, whatever became of it; None: there was none
        after the champion's
    losses : (age in windows, loss as a multiple of what was certified) by matured window, oldest
        first; of the champion and of the champions before it
    staleness : the same, from back-tests: trained then, judged so many windows later
    made : versions that the loop made, newest first
    fits_left, searches_left : of this year's allowance; ``windows_left`` of the year
    on_trial : the challenger in the shadow, empty for none; ``trial_cut`` its data cut
    adaptive : whether recalibration has proved itself for this model (its standing trial)
    since_recalibrated : outcomes known since the newest recalibration
    fallback : a version that could serve instead and verifies, empty for none
    unlabelled : predictions whose outcomes had their time and did not come
    broken : what makes the inputs unusable now, in words; empty when nothing does
    aside : windows whose rows are not to be learnt from, by their start
    spent : what acts and calls of the last year cost, in the unit of the costs
    """

    now: datetime
    age: float = 0.0
    learnt_rows: int = 0
    new_rows: int = 0
    since_tried: int | None = None
    losses: tuple[tuple[float, float], ...] = ()
    staleness: tuple[tuple[float, float], ...] = ()
    made: tuple[Made, ...] = ()
    fits_left: int = 0
    searches_left: int = 0
    windows_left: int = 365
    on_trial: str = ""
    trial_cut: datetime | None = None
    adaptive: bool = False
    since_recalibrated: int = 0
    fallback: str = ""
    unlabelled: int = 0
    broken: str = ""
    aside: tuple[str, ...] = ()
    paused: bool = False
    spent: float = 0.0
