"""The command ``predict``: one row, or a stream of rows of any length."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from everfit.data.sources.opening import open_source
from everfit.data.stream import stream
from everfit.data.table import Table
from everfit.errors import ColumnMissing, UsageError, near
from everfit.events import Past
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.cli.outputs import FORMATS, open_sink
from everfit.faces.found import scorer_of
from everfit.faces.progress import rows_told
from everfit.faces.remembering import Remembering, remembering, with_key
from everfit.faces.words.misfits import (
    absent_columns,
    misfit_lines,
    plain_misfits,
    row_lines,
    shortened,
)
from everfit.faces.words.shapes import dump, envelope
from everfit.records import Array, Column
from everfit.serve import Scorer
from everfit.serve.misfits import Misfits, with_defaults

SAMPLE_BYTES = 1 << 20


def do_predict(
    face: Face,
    model: str,
    source: str | None,
    *,
    output: str | None,
    row: str | None,
    version: str | None,
    keep: Sequence[str],
    query: str | None,
) -> None:
    """Answer one row or all rows of a source."""
    if (source is None) == (row is None):
        raise UsageError(
            "predict needs rows",
            got="neither a source nor --row" if source is None else "a source and --row",
            expected="one of both",
            do=f"everfit predict {model} new.csv -o out.parquet",
        )
    if row is not None:
        values = _row(row)
        settings = settings_of(face)
        with house_of(face, settings) as house:
            found, scorer = scorer_of(house, model, version)
            with remembering(house, found, scorer, settings) as known:
                _answer_row(face, model, scorer, values, known)
        return
    if output is not None and Path(output).suffix.lower() not in FORMATS:
        raise UsageError(
            "this output has no known format", got=output, expected=", ".join(sorted(FORMATS))
        )
    settings = settings_of(face)
    with house_of(face, settings) as house:
        found, scorer = scorer_of(house, model, version)
        with remembering(house, found, scorer, settings) as known:
            rows = Rows(str(source), output, keep, query)
            _answer_stream(face, model, scorer, rows, known)


def _row(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        values, reason = None, str(error)
    else:
        reason = text[:80]
    if not isinstance(values, dict):
        raise UsageError(
            "--row is no JSON object", got=reason, expected='--row \'{"age": 41, "plan": "trial"}\''
        )
    return values


def _answer_row(
    face: Face, model: str, scorer: Scorer, values: dict[str, Any], known: Remembering
) -> None:
    past = known.of_rows([values])
    answer = scorer.row(values, past[0] if past else ())
    answer = answer._replace(warnings=(*answer.warnings, *known.warnings()))
    by_label = dict(zip(scorer.labels, answer.probabilities or (), strict=False))
    if face.as_json:
        shape = envelope(
            "predict",
            model=model,
            prediction=answer.value,
            probabilities=by_label or None,
            warnings=answer.warnings,
        )
        face.data(dump(shape))
        return
    for line in shortened(row_lines(answer.warnings)):
        face.tell(f"! {line}")
    shares = "  ".join(f"p_{label}={p:.6g}" for label, p in by_label.items())
    face.data(f"{answer.value}  {shares}".rstrip())


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that are asked about, and where their answers go."""

    source: str
    output: str | None
    keep: Sequence[str]
    query: str | None


def _answer_stream(face: Face, model: str, scorer: Scorer, asked: Rows, known: Remembering) -> None:
    source, output, keep, query = asked.source, asked.output, asked.keep, asked.query
    like = _columns(scorer, keep)
    misfits = Misfits(scorer)
    notes: list[str] = []
    tables = stream(source, like, query=query)
    first = next(tables)  # an error of the source comes before any output is opened
    absent = absent_columns(first.source.notes)
    for name in keep:
        if name in absent:
            raise _not_kept(name, source, query)
    expected = expected_rows(source)
    with ExitStack() as stack:
        sink = stack.enter_context(open_sink(output, face.as_json, model))
        rows = stack.enter_context(rows_told(sys.stderr, face.mode, "Predict"))
        for table in chain([first], tables):
            notes += table.source.notes
            misfits.add(table)
            past = known.of_table(table)
            sink.write(answers_frame(scorer, table, keep, absent, past))
            rows.add(table.n_rows, (rows.rows + table.n_rows) / expected if expected else None)
        found = misfits.found()
        sink.close_with({"rows": rows.rows, "misfits": plain_misfits(found, notes)})
    for line in shortened([*misfit_lines(found, notes), *known.warnings()]):
        face.tell(f"! {line}")


def _columns(scorer: Scorer, keep: Sequence[str]) -> list[Column]:
    known = {column.name: column for column in with_key(scorer)}
    extra = [Column(n, "identifier") for n in keep if n not in known]
    return [*known.values(), *extra]


def _not_kept(name: str, source: str, query: str | None) -> ColumnMissing:
    # reading gives a column that is not there as all missing; one that was asked for must be there
    with open_source(source, query=query) as supply:
        hint = near(name, supply.names)
    return ColumnMissing(
        f"column {name!r} of --keep is not in {source}",
        do=f"did you mean {hint}?" if hint else "leave it out",
    )


def answers_frame(
    scorer: Scorer,
    table: Table,
    keep: Sequence[str],
    absent: set[str],
    past: Past | None = None,
) -> pl.DataFrame:
    """Kept columns, ``prediction``, and one ``p_LABEL`` for each class."""
    values: Array = scorer.table(with_defaults(scorer, table, absent), past=past)
    made = [table.frame[name] for name in keep]
    made.append(pl.Series("prediction", scorer.decide(values)))
    if scorer.form == "probabilities":
        made += [pl.Series(f"p_{label}", values[:, k]) for k, label in enumerate(scorer.labels)]
    return pl.DataFrame(made)


def expected_rows(source: str) -> float | None:
    """About how many rows a file has, from its first million bytes; None where nobody knows."""
    path = Path(source)
    if "://" in source or not path.is_file():
        return None
    if path.suffix.lower() in (".parquet", ".pq"):
        return float(pl.scan_parquet(path).select(pl.len()).collect().item())
    if path.suffix.lower() not in (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".data", ""):
        return None
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    lines = sample.count(b"\n")
    return os.path.getsize(path) / (len(sample) / lines) if lines else None
