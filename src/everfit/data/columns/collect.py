"""Collects the batches of one column into one typed series, without holding it twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from everfit.data.columns.missing import blank, is_mark_beside_numbers, marks_in, stripped
from everfit.data.columns.reading import TEXT, Reading, choose, spread, tally, tolerable

MAX_ODD_WORDS = 1_000  # more different words than this: the column is no column of numbers


@dataclass(slots=True)
class Collected:
    """One whole column: its values, the marks found, and notes about cells that did not fit.

    ``cells`` are the words of a column that stayed text, each at least once, and ``n_distinct``
    how many differ; None for other columns.
    """

    values: pl.Series
    reading: Reading = TEXT
    marks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    from_text: bool = False
    cells: pl.Series | None = None
    n_distinct: int | None = None


@dataclass(slots=True)
class Collector:
    """Takes the batches of one column in order; text is read as its first batch suggests.

    ``as_words`` keeps text as it is. When a later cell contradicts the first reading,
    ``again`` turns true: the column must be collected again with ``whole=True``, which keeps the
    text of the whole column before it decides.
    """

    name: str
    comma: bool = False
    as_words: bool = False
    whole: bool = False
    again: bool = False
    _chunks: list[pl.Series] = field(default_factory=list)
    _reading: Reading | None = None
    _odd: Counter[str] = field(default_factory=Counter)
    _blanks: bool = False
    _text: bool = False
    _n_nan: int = 0

    def add(self, values: pl.Series) -> None:
        """Take one more batch."""
        if self.again:
            return
        if values.dtype != pl.String:
            self._chunks.append(self._stored(values))
            return
        self._text = True
        texts = self._fast(values)
        if texts is not None:
            self._chunks.append(texts)
            return
        texts, blanks = stripped(values)
        self._blanks |= blanks
        if self._reading is None and not (self.as_words or self.whole):
            cells, counts = tally(texts)
            if len(cells):
                self._reading = choose(cells, counts, comma=self.comma)
        reading = self._reading or TEXT
        read = reading.apply(texts)
        if not reading.is_text:
            self._note_odd(texts, read)
        self._chunks.append(read)

    def _fast(self, values: pl.Series) -> pl.Series | None:
        """The batch as values when every cell fits the reading so far, without any look at text."""
        if self._reading is None or self._reading.is_text:
            return None
        read = self._reading.apply(values)
        return read if read.null_count() == values.null_count() else None

    def _note_odd(self, texts: pl.Series, read: pl.Series) -> None:
        lost = texts.filter(read.is_null() & texts.is_not_null())
        if lost.is_empty():
            return
        cells, counts = tally(lost)
        self._odd.update(dict(zip(cells.to_list(), counts.to_list(), strict=True)))
        if len(self._odd) > MAX_ODD_WORDS:
            self._give_up()

    def _give_up(self) -> None:
        self.again = True
        self._chunks.clear()

    def _stored(self, values: pl.Series) -> pl.Series:
        if values.dtype == pl.Float64:
            clean = values.fill_nan(None)
            self._n_nan += clean.null_count() - values.null_count()
            return clean
        return values

    def finish(self) -> Collected | None:
        """The whole column, or None when it must be collected again."""
        if self.again:
            return None
        reading = self._reading or TEXT
        if not reading.is_text and len(self._chunks) > 1 and self._contradicted(reading):
            self._give_up()
            return None
        values = self._join()
        if values.dtype != pl.String:
            marks, notes = self._odd_words()
            return Collected(values, reading, marks, notes, self._text)
        return self._finish_words(values)

    def _contradicted(self, reading: Reading) -> bool:
        """Whether later cells may mean another reading than the first batch suggested."""
        if reading.form is not None and reading.form.either:
            return True
        if not all(is_mark_beside_numbers(word) for word in self._odd):
            return True
        n_fit = sum(len(chunk) - chunk.null_count() for chunk in self._chunks)
        return not tolerable(self._odd, n_fit)

    def _finish_words(self, values: pl.Series) -> Collected:
        cells, counts, n_distinct = spread(values)
        if not self.as_words and len(cells):
            reading = choose(cells, counts, comma=self.comma)
            if not reading.is_text:
                read = reading.apply(values)
                self._note_odd(values, read)
                marks, notes = self._odd_words()
                return Collected(read, reading, marks, notes, True)
        found = marks_in(cells)
        words = blank(values, found)
        if found:
            cells = cells.filter(~cells.is_in(pl.Series(sorted(found), dtype=pl.String).implode()))
            n_distinct -= len(found)
        marks = tuple(sorted(found)) + ((" ",) if self._blanks else ())
        return Collected(words, TEXT, marks, (), True, cells, n_distinct)

    def _join(self) -> pl.Series:
        """One contiguous series; chunks of different types become the type that holds both."""
        chunks = [chunk for chunk in self._chunks if chunk.dtype != pl.Null]
        types = {chunk.dtype for chunk in chunks if chunk.null_count() < len(chunk)}
        kind: pl.DataType | type[pl.DataType] = pl.String
        if len(types) == 1:
            kind = types.pop()
        elif types and all(dtype.is_numeric() for dtype in types):
            kind = pl.Float64
        self._chunks = [
            chunk
            if chunk.dtype == kind
            else as_words(chunk)
            if kind == pl.String
            else chunk.cast(kind)
            for chunk in self._chunks
        ]
        if not self._chunks:
            return pl.Series(self.name, [], dtype=pl.String)
        joined = pl.concat(self._chunks, rechunk=True).alias(self.name)
        self._chunks.clear()
        return joined

    def _odd_words(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        marks = sorted(word for word in self._odd if is_mark_beside_numbers(word))
        junk = {word: n for word, n in self._odd.items() if not is_mark_beside_numbers(word)}
        notes: tuple[str, ...] = ()
        if junk:
            shown = ", ".join(f"{word!r} ({n:,})" for word, n in list(junk.items())[:5])
            notes = (
                f"column {self.name!r}: {sum(junk.values()):,} cells do not fit the others and "
                f"count as missing: {shown}",
            )
        blanks = [" "] if self._blanks else []
        nan = ["NaN"] if self._n_nan and "NaN" not in marks else []
        return tuple(marks + sorted(junk) + blanks + nan), notes


def as_words(values: pl.Series) -> pl.Series:
    """Any values as the words that stand for them: 3.0 is "3", a midnight is its day.

    Examples
    --------
    >>> as_words(pl.Series([3.0, 2.5, None])).to_list()
    ['3', '2.5', None]
    >>> as_words(pl.Series(["3.0", "x"])).to_list()
    ['3', 'x']
    """
    if values.dtype == pl.Boolean:
        return values.cast(pl.String)
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        same = (whole.cast(pl.Float64) == values).fill_null(False)
        return values.fill_nan(None).cast(pl.String).zip_with(~same, whole.cast(pl.String))
    if isinstance(values.dtype, pl.Datetime):
        text = values.dt.to_string("%Y-%m-%d %H:%M:%S")
        return text.str.strip_suffix(" 00:00:00")
    if values.dtype != pl.String:
        return values.cast(pl.String, strict=False)
    if values.str.ends_with(".0").any():
        return values.str.replace(r"^(-?\d+)\.0+$", "$1")
    return values
