"""A day of traffic in the log: what it costs to keep, and how fast it is read.

    python -m bench.traffic [--rows 10000000] [--real 350000] [--folder PLACE]

A part of the day (``--real``) goes through real spools, the real drain and the real seal, and its
last rows stay in the tables; the rest is made column by column and written by the code that writes
sealed files, every prediction with an outcome. Then a fresh process reads the day as the stage that
watches a model does: means, missing values and histograms of all columns, and the mean log loss.
The bar is 10 s and 2 GB. Times of appending stand beside a bare write of the same bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from everfit.store.log import Log
from everfit.store.log.frames import Logged, outcomes_frame, predictions_frame
from everfit.store.log.spool import Spool

BAR_S, BAR_MB = 10.0, 2_048.0
DAY_US = 86_400 * 1_000_000
START_US = 1_763_596_800_000_000  # 2025-11-20 00:00:00 UTC
FILE_ROWS = 200_000
WORDS: dict[str, list[str]] = {
    "gender": ["Female", "Male"],
    "Partner": ["Yes", "No"],
    "Dependents": ["Yes", "No"],
    "PhoneService": ["Yes", "No"],
    "MultipleLines": ["Yes", "No", "No phone service"],
    "InternetService": ["DSL", "Fiber optic", "No"],
    "OnlineSecurity": ["Yes", "No", "No internet service"],
    "OnlineBackup": ["Yes", "No", "No internet service"],
    "DeviceProtection": ["Yes", "No", "No internet service"],
    "TechSupport": ["Yes", "No", "No internet service"],
    "StreamingTV": ["Yes", "No", "No internet service"],
    "StreamingMovies": ["Yes", "No", "No internet service"],
    "Contract": ["Month-to-month", "One year", "Two year"],
    "PaperlessBilling": ["Yes", "No"],
    "PaymentMethod": ["Electronic check", "Mailed check", "Bank transfer", "Credit card"],
}
NUMBERS = ("SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges")
encode = msgspec.json.Encoder().encode


def features(rng: np.random.Generator, n: int) -> pl.DataFrame:
    """Nineteen columns like those of the public telco set, 1% of the charges missing."""
    months = rng.integers(0, 73, n)
    monthly = np.round(rng.uniform(18, 119, n), 2)
    total = pl.Series(np.round(monthly * months + rng.normal(0, 20, n), 2))
    words = {
        name: np.array(levels)[rng.integers(0, len(levels), n)] for name, levels in WORDS.items()
    }
    numbers = {
        "SeniorCitizen": rng.integers(0, 2, n),
        "tenure": months,
        "MonthlyCharges": monthly,
        "TotalCharges": total.set(pl.Series(rng.random(n) < 0.01), None),
    }
    return pl.DataFrame({**words, **numbers})


def identifiers(at_us: np.ndarray, first: int) -> list[str]:
    """Ids as the server makes them: time, process, counter."""
    return [f"{at:013x}6f3a{first + i:x}" for i, at in enumerate(at_us.tolist())]


def answers(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The probability of *yes*, and what came true."""
    share = rng.beta(1.0, 2.5, n)
    return share, np.where(rng.random(n) < share, "yes", "no")


def made_day(log: Log, n_rows: int) -> int:
    """Write sealed files of ``n_rows`` predictions and their outcomes; bytes of all files."""
    from sqlalchemy import insert

    from everfit.store.log import tables
    from everfit.store.log.place import take_numbers
    from everfit.store.log.sealed import pack

    place, rng = log.place, np.random.default_rng(0)
    folder = place.files / "sealed" / "1-churn"
    for start in range(0, n_rows, FILE_ROWS):
        n = min(FILE_ROWS, n_rows - start)
        at = START_US + np.linspace(start, start + n, n, False) * (0.95 * DAY_US / n_rows)
        share, truth = answers(rng, n)
        with place.database.write() as connection:
            first = take_numbers(connection, 2 * n)
            model = place.numbers(connection, ["churn", "champion"])["churn"]
        seen = features(rng, n)
        seen.columns = [f"x:{name}" for name in seen.columns]
        times = pl.Series(at.astype(np.int64)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        numbers = pl.int_range(first, first + n, eager=True)
        frame = pl.DataFrame({
            "seq": numbers, "root": numbers, "id": identifiers(at.astype(np.int64), start),
            "at": times, "version": pl.repeat(3, n, dtype=pl.Int32, eager=True),
            "arm": pl.repeat("champion", n, eager=True),
            "key": [f"C{key:07d}" for key in rng.integers(0, 7_000_000, n).tolist()],
            "value": np.where(share > 0.5, "yes", "no"),
            "probabilities": pl.DataFrame({"no": 1 - share, "yes": share}).to_struct(),
            "low": pl.repeat(None, n, dtype=pl.Float64, eager=True),
            "high": pl.repeat(None, n, dtype=pl.Float64, eager=True),
            "warnings": pl.repeat([], n, dtype=pl.List(pl.String), eager=True),
            "of": pl.repeat(None, n, dtype=pl.String, eager=True),
        }).hstack(seen)  # fmt: skip
        late = at.astype(np.int64) + rng.integers(1, 3_600_000_000, n)
        told = pl.DataFrame({
            "seq": numbers + n, "prediction": numbers,
            "key": pl.repeat(None, n, dtype=pl.String, eager=True),
            "value": np.where(truth == "yes", '"yes"', '"no"'), "at_us": late, "arrived_us": late,
        })  # fmt: skip
        name = f"2025-11-20-{first}.parquet"
        rows = [
            pack.write_predictions(place, folder / "predictions" / name, frame, model),
            pack.write_outcomes(place, folder / "outcomes" / name, told, model),
        ]
        with place.database.write() as connection:
            connection.execute(insert(tables.sealed), rows)
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def frames(n: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Frames of ``n`` predictions as a server writes them, and of the outcome of each."""
    rng = np.random.default_rng(seed)
    share, truth = answers(rng, n)
    at = (START_US + 0.95 * DAY_US + np.arange(n) * (0.04 * DAY_US / n)).astype(np.int64)
    names = identifiers(at, 1 << 32)
    shares = share.tolist()
    for i, row in enumerate(features(rng, n).iter_rows(named=True)):
        value = "yes" if share[i] > 0.5 else "no"
        said = {
            "id": names[i], "prediction": value,
            "probabilities": {"no": 1 - shares[i], "yes": shares[i]}, "range": None,
            "model": "churn", "version": "v3", "arm": "champion", "warnings": [],
        }  # fmt: skip
        header = encode(Logged("churn", 3, "champion", int(at[i]), [f"C{i:07d}"]))
        told = [{"receipt": f"r{i}", "id": names[i], "outcome": str(truth[i])}]
        yield (
            predictions_frame(header, encode(row), encode(said)),
            outcomes_frame("churn", int(at[i]) + 1_000_000, encode(told)),
        )


def appending(folder: Path, some: list[bytes]) -> dict[str, float]:
    """Microseconds of appending a frame, and of a bare write of the same bytes; best of three."""
    spool = Spool(folder / "append")
    fd = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    found: dict[str, list[float]] = {"append_us": [], "bare_write_us": []}
    for _ in range(3):
        started = time.perf_counter()
        for frame in some:
            spool.append(frame)
        found["append_us"].append((time.perf_counter() - started) / len(some) * 1e6)
        started = time.perf_counter()
        for frame in some:
            os.write(fd, frame)
        found["bare_write_us"].append((time.perf_counter() - started) / len(some) * 1e6)
    os.close(fd)
    spool.close()
    shutil.rmtree(folder / "append")
    (folder / "bare").unlink()
    return {name: min(values) for name, values in found.items()}


def drained(log: Log, folder: Path, made: list[tuple[bytes, bytes]]) -> dict[str, float]:
    """Rows a second from spools into the tables: predictions alone, then their outcomes."""
    found = {}
    for which, name in enumerate(("predictions", "outcomes")):
        spool = Spool(folder)
        for pair in made:
            spool.append(pair[which])
        spool.close()
        started = time.perf_counter()
        # the last receipt is known when all outcomes before it are settled
        last = f"r{len(made) - 1}"
        while log.drain(folder, most_s=60.0).behind_bytes or (
            which and log.outcomes_state([last])[last] == "waiting"
        ):
            pass
        found[f"drain_{name}_per_s"] = len(made) / (time.perf_counter() - started)
    return found


def watched(folder: Path) -> dict[str, float]:
    """Read the day in this process as the stage that watches a model does."""
    log = Log.open(folder, create=False)
    since = datetime.fromtimestamp(START_US / 1e6, UTC)
    until = datetime.fromtimestamp((START_US + DAY_US) / 1e6, UTC)
    started, cpu = time.perf_counter(), time.process_time()
    counts: dict[str, Any] = {}
    n_rows = n_told = 0
    loss = 0.0
    names = [*WORDS, *NUMBERS]
    columns = [*names, "value", "probabilities", "outcome"]
    for batch in log.joined("churn", since=since, until=until, columns=columns):
        n_rows += batch.height
        seen = batch.select(names)
        words = seen.select(pl.col(pl.String).value_counts().implode())
        for name in seen.columns:
            before = counts.get(name)
            if name in words.columns:
                counts[name] = _words(words[name][0], before)
            else:
                counts[name] = _numbers(seen[name], before)
        shares = batch["probabilities"].struct.field("yes")
        right = pl.when(batch["outcome"] == "yes").then(shares).otherwise(1 - shares)
        each = pl.select((-right.clip(1e-15).log()).filter(batch["outcome"].is_not_null()))
        loss += float(each.to_series().sum())
        n_told += each.height
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    assert len(counts) == 19
    started = time.perf_counter()
    arms = log.arms("churn", since=since)
    arms_s = time.perf_counter() - started
    started = time.perf_counter()
    known = log.history("churn", "C0000007", 5).height
    return {
        "rows": n_rows, "with_outcome": n_told, "log_loss": loss / n_told,
        "columns": len(counts), "watch_s": seconds, "watch_cpu_s": cpu,
        "load": os.getloadavg()[0], "arms_s": arms_s,
        "champion_rows": arms["champion"], "history_s": time.perf_counter() - started,
        "history_rows": known,
        "peak_mb": peak_mb(),
    }  # fmt: skip


def peak_mb() -> float:
    """The most memory that this program has held."""
    # ru_maxrss would count what the parent held when it started us
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _words(found: pl.Series, before: dict[str, int] | None) -> dict[str, int]:
    """How often each word stood there, added to ``before``."""
    counts = dict(before or {})
    for word, n in found.struct.unnest().iter_rows():
        counts[word] = counts.get(word, 0) + n
    return counts


def _numbers(values: pl.Series, before: Any) -> Any:
    """Missing values, the sum, the count and a histogram, added to ``before``."""
    numbers = values.drop_nulls().to_numpy()
    bounds = before[2] if before else (float(numbers.min()), float(numbers.max()))
    bins = np.histogram(np.clip(numbers, *bounds), 20, bounds)[0]
    total = np.array([values.null_count(), numbers.sum(), len(numbers)])
    return (
        (total, bins, bounds) if before is None else (before[0] + total, before[1] + bins, bounds)
    )


def in_postgres(folder: Path, made: list[tuple[bytes, bytes]]) -> dict[str, float]:
    """The same drain into a real PostgreSQL; nothing when there is none."""
    try:
        from tests.postgres import fresh_schema

        url = fresh_schema()
    except BaseException as error:  # skipping is an outcome of pytest, not an Exception
        print(f"PostgreSQL is left out: {error}")
        return {}
    log = Log.open(url, root=folder / "postgres")
    found = drained(log, folder / "postgres-spool", made)
    started = time.perf_counter()
    n_rows = sum(frame.height for frame in log.predictions("churn"))
    read = n_rows / (time.perf_counter() - started)
    log.close()
    return {f"postgres_{name}": value for name, value in found.items()} | {
        "postgres_read_per_s": read
    }


def measure(folder: Path, n_rows: int, n_real: int) -> dict[str, float]:
    """Make the day in ``folder`` and measure each step."""
    now = [START_US + DAY_US - 1]
    log = Log.open(folder, clock=lambda: now[0])
    started = time.perf_counter()
    made = list(frames(n_real, 1))
    found = appending(folder, [pair[0] for pair in made[:50_000]])
    found["frame_bytes"] = sum(len(pair[0]) for pair in made) / n_real
    found |= in_postgres(folder, made[:100_000])
    n_bytes = made_day(log, n_rows - n_real)
    found["made_day_s"] = time.perf_counter() - started
    found["sealed_bytes_per_prediction"] = n_bytes / (n_rows - n_real)
    found |= drained(log, folder / "spool", made)
    found["table_bytes_per_prediction"] = (folder / "log" / "log.db").stat().st_size / n_real
    started = time.perf_counter()
    files = log.seal()
    found["seal_s"] = time.perf_counter() - started
    found["sealed_files"] = len(files)
    ids = [name for frame in log.predictions("churn", columns=["id"]) for name in frame["id"][:20]]
    rows = [{"receipt": f"l{i}", "id": name, "outcome": "no"} for i, name in enumerate(ids)]
    spool = Spool(folder / "spool")
    spool.append(outcomes_frame("churn", now[0], encode(rows)))
    spool.close()
    started = time.perf_counter()
    log.drain(folder / "spool", most_s=600.0)
    found["late_outcomes"] = len(rows)
    found["late_outcomes_per_s"] = len(rows) / (time.perf_counter() - started)
    log.close()
    command = [sys.executable, "-m", "bench.traffic", "--measure", str(folder)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return found | json.loads(said)


def main() -> int:
    """Make, measure, print; 1 when the bar is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--real", type=int, default=350_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--measure", type=Path)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(watched(given.measure)))
        return 0
    with tempfile.TemporaryDirectory(prefix="everfit-bench-", dir=given.folder) as place:
        found = measure(Path(place), given.rows, given.real)
    for name, value in found.items():
        print(f"{name:<30} {value:14,.3f}")
    kept = found["watch_s"] < BAR_S and found["peak_mb"] < BAR_MB
    print(f"bar {'reached' if kept else 'MISSED'}: a day read in {BAR_S:.0f} s and {BAR_MB:.0f} MB")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
