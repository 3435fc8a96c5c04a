"""Where predictions go: CSV on stdout, one JSON object, or a file that appears when it is whole."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import polars as pl
import pyarrow.parquet as pq

from everfit.faces.words.shapes import dump, envelope

FORMATS = (".parquet", ".csv", ".jsonl")


class Sink(Protocol):
    """Takes frames of the same columns one after another."""

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        ...

    def close_with(self, facts: Mapping[str, Any]) -> None:
        """Everything was written: what is to be said about it."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; after an error nothing half-written stays."""
        ...


def open_sink(output: str | None, as_json: bool, model: str) -> Sink:
    """The sink for ``--output`` and ``--json``."""
    if output is not None:
        return FileSink(Path(output), as_json, model)
    return JsonSink(model) if as_json else CsvSink()


class CsvSink:
    """CSV on stdout, with the header once."""

    def __init__(self) -> None:
        self._header = True

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        sys.stdout.write(frame.write_csv(include_header=self._header))
        self._header = False

    def close_with(self, facts: Mapping[str, Any]) -> None:
        """Nothing: stdout holds the rows alone."""
        sys.stdout.flush()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""


class JsonSink(CsvSink):
    """One JSON object on stdout that is written as the rows come, so that memory stays small."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def __enter__(self) -> Self:
        """Write the head of the object."""
        head = dump(envelope("predict", model=self._model))
        sys.stdout.write(head[:-1] + ', "predictions": [')
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows as objects."""
        rows = [line for line in frame.write_ndjson().splitlines() if line]
        if rows:
            sys.stdout.write(("" if self._header else ", ") + ", ".join(rows))
            self._header = False

    def close_with(self, facts: Mapping[str, Any]) -> None:
        """Write the end of the object."""
        sys.stdout.write("], " + json.dumps(facts, ensure_ascii=False)[1:] + "\n")
        sys.stdout.flush()


class FileSink:
    """A file of the format of its ending; it takes its name only when it is whole."""

    def __init__(self, path: Path, as_json: bool, model: str) -> None:
        self._path, self._as_json, self._model = path, as_json, model
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file: IO[bytes] | None = None
        self._parquet: pq.ParquetWriter | None = None
        self._header = True

    def __enter__(self) -> Self:
        """Open the part file beside the output."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._part.open("wb")
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        if self._file is None:
            raise ValueError("the sink is not open")
        if self._path.suffix.lower() == ".parquet":
            rows = frame.to_arrow()
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._file, rows.schema)
            self._parquet.write_table(rows)
        elif self._path.suffix.lower() == ".csv":
            frame.write_csv(self._file, include_header=self._header)
        else:
            frame.write_ndjson(self._file)
        self._header = False

    def close_with(self, facts: Mapping[str, Any]) -> None:
        """Give the file its name; say what was written when JSON was asked for."""
        if self._parquet is not None:
            self._parquet.close()
        if self._file is not None:
            self._file.close()
        self._part.replace(self._path)
        if self._as_json:
            shape = envelope("predict", model=self._model, output=str(self._path), **facts)
            sys.stdout.write(dump(shape) + "\n")

    def __exit__(self, *_: object) -> None:
        """Remove the part file of a run that did not end well."""
        if self._file is not None:
            self._file.close()
        self._part.unlink(missing_ok=True)
