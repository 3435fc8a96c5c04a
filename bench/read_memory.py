"""How much memory reading takes: the peak above an idle process, over the size of the table.

    python bench/read_memory.py [rows]

Writes a CSV of mixed columns to a temporary folder, reads it in a fresh process and prints the
ratio. The promise is at most 2.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

PROMISE = 2.0
CHUNK = 100_000  # rows written at once


def generate(path: Path, n_rows: int) -> None:
    """A CSV of 12 columns: numbers, whole numbers, categories, booleans, a date, a key."""
    rng = np.random.default_rng(0)
    plans = np.array(["trial", "basic", "a plan with a long name", "premium"])
    with path.open("wb") as out:
        for start in range(0, n_rows, CHUNK):
            n = min(CHUNK, n_rows - start)
            minutes = np.arange(start, start + n) * np.timedelta64(60_000_000, "us")
            frame = pl.DataFrame(
                {
                    "key": [f"C{number:09d}" for number in range(start, start + n)],
                    "when": np.datetime64("2020-01-01", "us") + minutes,
                    **{f"x{i}": np.round(rng.normal(0, 100, n), 4) for i in range(4)},
                    **{f"n{i}": rng.integers(0, 10 ** (2 * i + 2), n) for i in range(3)},
                    "plan": plans[rng.integers(0, 4, n)],
                    "state": np.array([f"S{i}" for i in range(50)])[rng.integers(0, 50, n)],
                    "active": np.where(rng.random(n) < 0.5, "yes", "no"),
                }
            )
            out.write(frame.write_csv(include_header=start == 0).encode())


def _bytes(column: pl.Series) -> float:
    """Bytes that a column holds; Polars' own estimate leaves out the 16 bytes of each word."""
    if column.dtype != pl.String:
        return float(column.estimated_size())
    lengths = column.str.len_bytes()
    return 16.0 * len(column) + float(lengths.filter(lengths > 12).sum())


def measure(path: Path) -> dict[str, float]:
    """Peak and size in MB of reading ``path`` in this process."""
    from everfit.data.read import read

    # everything that is loaded once is loaded before the zero is taken
    read({"x": [1, 2], "y": ["a", "b"]})
    small = path.with_name("small.csv")
    small.write_text("a,b\n1,x\n2,y\n")
    read(small)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    table = read(path)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(_bytes(column) for column in table.frame.get_columns()) / 2**20
    return {
        "rows": table.n_rows,
        "file_mb": path.stat().st_size / 2**20,
        "table_mb": size,
        "polars_estimate_mb": table.frame.estimated_size("mb"),
        "idle_mb": idle,
        "peak_mb": peak,
        "ratio": (peak - idle) / size,
        "seconds": seconds,
    }


def main() -> int:
    """Generate, measure in a fresh process, print; 1 when the promise is not kept."""
    if len(sys.argv) == 3 and sys.argv[1] == "--measure":
        print(json.dumps(measure(Path(sys.argv[2]))))
        return 0
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="everfit-bench-") as folder:
        path = Path(folder) / "rows.csv"
        generate(path, n_rows)
        command = [sys.executable, __file__, "--measure", str(path)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    for name, value in found.items():
        print(f"{name:<18} {value:12,.2f}")
    kept = found["ratio"] <= PROMISE
    print(f"promise            {'kept' if kept else 'BROKEN'}: at most {PROMISE} times the table")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
