"""The same stationary streams before Evidently and NannyML, each in an environment of its own.

One column, a reference of 1,000 rows, windows of 100; their own defaults decide. They take much
longer, so there are fewer runs and looks; ``in 1,000`` is their alarms per 1,000 looks.

Evidently's present release does not import with pandas 3, NannyML's not without statsmodels, which
it does not ask for: hence the pins.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.http_servers import venv
from bench.streams.worlds import HOURS, WORLDS, Array, Rng, seed

CACHE = Path(".bench/streams")
PINS = {
    "evidently": ("evidently==0.7.23", "pandas<3", "setuptools<81"),
    "nannyml": ("nannyml==0.13.1", "statsmodels", "setuptools<81"),
}
SCRIPTS = {
    "evidently": """
import json, sys, warnings; warnings.filterwarnings("ignore")
import numpy as np, pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
held = np.load(sys.argv[1])
columns = DataDefinition(numerical_columns=["x"])
def data(values):
    return Dataset.from_pandas(pd.DataFrame({"x": values}), data_definition=columns)
alarms = []
for reference, looks in zip(held["reference"], held["looks"]):
    before = data(reference)
    told = [Report([DataDriftPreset()]).run(data(x), before).dict()["metrics"] for x in looks]
    alarms.append(sum(m[0]["value"]["count"] > 0 for m in told))
print("ALARMS", json.dumps([int(a) for a in alarms]))
""",
    "nannyml": """
import json, sys, warnings; warnings.filterwarnings("ignore")
import numpy as np, pandas as pd, nannyml
held = np.load(sys.argv[1])
alarms = []
for reference, looks in zip(held["reference"], held["looks"]):
    drift = nannyml.UnivariateDriftCalculator(column_names=["x"], chunk_size=looks.shape[1])
    drift.fit(pd.DataFrame({"x": reference}))
    told = drift.calculate(pd.DataFrame({"x": looks.ravel()})).filter(period="analysis").to_df()
    alarms.append(told.loc[:, [c for c in told if c[-1] == "alert"]].any(axis=1).sum())
print("ALARMS", json.dumps([int(a) for a in alarms]))
""",
}


@dataclass(frozen=True, slots=True)
class Others:
    """Another tool on a stationary stream: runs with an alarm, and how many alarms."""

    tool: str
    stream: str
    alarms: tuple[int, ...]
    looks: int

    def cells(self) -> list[str]:
        """A row of the table."""
        hit, runs = sum(a > 0 for a in self.alarms), len(self.alarms)
        rate = 1000 * float(np.mean(self.alarms)) / self.looks
        return [self.tool, self.stream, f"{hit} of {runs}", f"{self.looks:,}", f"{rate:.0f}",
                f"{min(self.alarms)} to {max(self.alarms)}"]  # fmt: skip


OTHERS = ["tool", "stream", "runs with a false alarm", "looks", "in 1,000", "alarms in a run"]


def others(runs: int, cache: Path = CACHE) -> Iterator[Others]:
    """Both tools, where they can be installed; of the ``runs`` of ours they get the first few."""
    for tool, most, looks in (("evidently", 4, 30), ("nannyml", 6, 1_000)):
        python = venv(cache, tool, PINS[tool])
        if python is None:
            continue
        for world in WORLDS:
            alarms = _asked(python, SCRIPTS[tool], *_data(world.values, min(runs, most), looks))
            if alarms is None:
                print(f"{tool} is left out: it does not run here")
                break
            yield Others(f"{tool} {PINS[tool][0].split('==')[1]}", world.name, alarms, looks)


def _data(values: Callable[[Rng, int, int], Array], runs: int, looks: int) -> tuple[Array, Array]:
    references, streams = [], []
    for run in range(runs):
        rng = seed(31, run)
        # of the seasonal stream: whole days, so that every hour is in the reference
        references.append(values(rng, HOURS, 1_000 // HOURS + 1).ravel()[:1_000])
        streams.append(values(rng, looks, 100))
    return np.stack(references), np.stack(streams)


def _asked(python: Path, script: str, reference: Array, looks: Array) -> tuple[int, ...] | None:
    with tempfile.TemporaryDirectory() as place:
        held = Path(place) / "held.npz"
        np.savez(held, reference=reference, looks=looks)
        quiet = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [str(python), "-c", script, str(held)], capture_output=True, text=True, check=False,
            cwd=place, env=os.environ | quiet,
        )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if line.startswith("ALARMS ")]
    if done.returncode or not told:
        print(done.stderr[-400:])
        return None
    return tuple(json.loads(told[-1].removeprefix("ALARMS ")))
