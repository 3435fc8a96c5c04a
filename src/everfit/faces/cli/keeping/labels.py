"""The command ``labels``: which outcomes tell most, as a file to fill, and the filled file back."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.errors import ColumnMissing, SourceMissing, SourceUnreadable, UsageError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.keeping.recorded import log_of, served
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.cli.outputs import FORMATS, open_sink
from everfit.faces.cli.serving.start import place_of
from everfit.faces.words.shapes import dump, envelope
from everfit.house.labelling import Wish, wanted_labels
from everfit.settings import upkeep_of

if TYPE_CHECKING:  # a command that is refused does not wait for these
    import polars as pl

    from everfit.live.desk.outcomes import Outcomes
    from everfit.records import Problem
    from everfit.store.log import Log

NEEDED = ("id", "outcome")
STATES = ("counted", "repeated", "replaced", "unknown", "waiting", "strange")


def do_labels(face: Face, model: str, most: int, output: str | None) -> None:
    """Draw rows and write them as a file to fill, on stdout or to ``output``."""
    if output is not None and Path(output).suffix.lower() not in FORMATS:
        raise UsageError(
            "the ending of --output says no format",
            got=repr(output),
            expected=", ".join(FORMATS),
            do="name it labels.csv",
        )
    settings = settings_of(face)
    with house_of(face, settings) as house, log_of(face, settings) as log:
        problem = house.version(model).problem
        upkeep = upkeep_of(settings, model, metric=problem.metric)
        wish = Wish(model, most, datetime.now(UTC), upkeep)
        found = wanted_labels(house, served(log, model), wish)
    if face.as_json and output is None:
        shape = envelope(
            "labels",
            model=model,
            decision=found.decision,
            of=found.of,
            again=found.again,
            rows=found.rows.to_dicts(),
        )
        face.data(dump(shape))
        return
    facts = {"decision": found.decision, "of": found.of, "again": found.again,
             "n": found.rows.height}  # fmt: skip
    with open_sink(output, face.as_json, model) as sink:
        sink.write(found.rows)
        sink.close_with(facts)
    drawn = "the same draw as before" if found.again else f"decision {found.decision}"
    file = output or "FILE"
    face.tell(
        f"{found.rows.height:,} of {found.of:,} requests without an outcome ({drawn}). "
        f"Fill the column outcome, then: everfit labels {model} --bring {file}"
    )


def do_bring(face: Face, model: str, path: str) -> None:
    """Take outcomes from a filled file into the log, as the server does; say what became of each.

    Raises
    ------
    SourceMissing, SourceUnreadable, ColumnMissing : the file is not there, or cannot be read
    UsageError : an outcome that cannot be used; then none is taken
    """
    settings = settings_of(face)
    rows = filled_rows(Path(path))
    with house_of(face, settings) as house, log_of(face, settings) as log:
        problem = house.version(model).problem
        found = _checked(rows, model, problem)
        states = _taken(served(log, model), place_of(face, settings).root, model, found)
    counts = Counter(states.get(receipt, "waiting") for receipt in found.receipts)
    if face.as_json:
        numbers = {state: counts[state] for state in STATES}
        face.data(dump(envelope("labels", model=model, accepted=len(found.rows), **numbers)))
        return
    told = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])
    face.data(f"{len(found.rows):,} outcomes taken: {told or 'none were filled in'}")


def filled_rows(path: Path) -> list[dict[str, Any]]:
    """``{"id", "outcome"}`` of each row of a file whose outcome was filled in.

    Raises
    ------
    SourceMissing, SourceUnreadable, ColumnMissing : the file is not there, or cannot be read
    """
    if not path.is_file():
        raise SourceMissing(
            f"there is no file {str(path)!r}",
            expected="the file that everfit labels wrote, with its column outcome filled",
            do="name the file, or write one: everfit labels MODEL -o labels.csv",
        )
    frame = _read(path)
    missing = [name for name in NEEDED if name not in frame.columns]
    if missing:
        raise ColumnMissing(
            f"{path.name} has no column {missing[0]!r}",
            got=", ".join(map(repr, frame.columns))[:80],
            expected=" and ".join(NEEDED),
            do="keep the columns that everfit labels wrote, with commas between them",
        )
    return [
        {"id": name, "outcome": value.strip() if isinstance(value, str) else value}
        for name, value in frame.select(NEEDED).rows()
        if value is not None and str(value).strip()
    ]


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path)
        if path.suffix.lower() == ".jsonl":
            return pl.read_ndjson(path)
        # as text: an id is none of a number, and what an outcome means is for the model to say
        return pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SourceUnreadable(
            f"{path.name} cannot be read",
            got=str(error).split("\n", maxsplit=1)[0][:120],
            expected="CSV in UTF-8, Parquet or JSON lines, by its ending",
            do="save it as CSV with commas",
        ) from error


def _checked(rows: Sequence[dict[str, Any]], model: str, problem: Problem) -> Outcomes:
    """The outcomes with receipts, those marked that are none of the model's labels."""
    from everfit.live.desk.limits import Limits
    from everfit.live.desk.outcomes import all_numbers, outcomes_of, with_strange
    from everfit.live.desk.single import Identifiers
    from everfit.store.log.place import now_us

    ids, at_us = Identifiers(), now_us()
    body = json.dumps(list(rows)).encode()
    # a file is no request of a stranger: it may be as large as it is
    limits = Limits(body_bytes=max(len(body), 1), rows=max(len(rows), 1))
    found = outcomes_of(body, limits, lambda: ids.at(at_us), now_us=at_us)
    if not problem.labels:
        all_numbers(found, model)
        return found
    return with_strange(found, problem.labels)


def _taken(log: Log, root: Path, model: str, found: Outcomes) -> dict[str, str]:
    """Write them to a spool of their own, drain it, and give the state of each receipt.

    The spool lies among those of the server: what this process cannot drain, the server does.
    """
    from everfit.store.log.frames import outcomes_frame
    from everfit.store.log.place import now_us
    from everfit.store.log.spool import Spool

    if not found.rows:
        return {}
    spools = root / "spool"
    spools.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"labels-{os.getpid()}-", dir=spools))
    spool = Spool(folder)
    spool.append(outcomes_frame(model, now_us(), found.body))
    spool.close()
    log.drain(folder, most_s=60.0)
    with suppress(OSError):  # what could not be drained stays in it
        folder.rmdir()
    return log.outcomes_state(found.receipts)
