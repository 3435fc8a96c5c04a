"""Writing predictions: what is written is what is read back, or nothing is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from everfit.data.read import read
from everfit.data.write import ENDINGS, write
from everfit.errors import SourceMissing, UsageError

FRAMES = [
    pl.DataFrame({"p": [0.25, None], "label": ["a", 'say "b, c"']}),
    pl.DataFrame({"p": [1.5], "label": ["d"]}),
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_ending_is_read_back_as_it_was_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"

    n_rows = write(FRAMES, path)

    assert n_rows == 3
    assert read(path).frame.rows() == [(0.25, "a"), (None, 'say "b, c"'), (1.5, "d")]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_failure_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(FRAMES, path)
    before = path.read_bytes()

    def broken() -> Iterator[pl.DataFrame]:
        yield FRAMES[0]
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        write(broken(), path)

    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]


def test_a_later_frame_takes_the_types_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"

    write([pl.DataFrame({"p": [0.5]}), pl.DataFrame({"p": [1]})], path)

    assert read(path).frame["p"].to_list() == [0.5, 1.0]


def test_other_endings_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"out\.xyz cannot be written"):
        write(FRAMES, tmp_path / "out.xyz")
    with pytest.raises(SourceMissing, match="no folder"):
        write(FRAMES, tmp_path / "none" / "out.csv")
