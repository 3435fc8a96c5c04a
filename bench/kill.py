"""What a kill leaves: ``kill -9`` at several moments, then the same command again.

At any moment after the first 5 s the store must hold something that can be released: a finished fit
of more than the floor, which the next command takes up without repeating it.

    python -m bench.kill [--set telco_churn] [--moments 5,10,20]
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.open_sets import SHARED, load, sets
from everfit import wire


def killed(name: str, moment: float) -> dict[str, object]:
    """Kill one run at ``moment`` seconds, repeat its command, and tell what was kept."""
    entry = next(e for e in sets() if e["name"] == name)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        load(entry).write_csv(folder / "data.csv")
        command = [
            sys.executable, "-m", "everfit", "--json", "--store", str(folder / "store"), "run",
            str(folder / "data.csv"), "--target", entry["target"], "--name", "k", "--budget", "30s",
        ]  # fmt: skip
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        first.send_signal(signal.SIGKILL)
        first.wait()
        fits = [json.loads(p.read_text()) for p in (folder / "store" / "work").glob("*/fit.json")]
        learnt = [fit for fit in fits if fit["part"]["engine"] != "constant"]
        again = subprocess.run(command, capture_output=True, text=True)
        report = json.loads(again.stdout) if again.returncode == 0 else {}
        with wire.house(folder / "store") as house:
            trials = house.result("k")["study"]["trials"]
        return {
            "killed_at_s": moment,
            "finished_fits": len(fits),
            "more_than_the_floor": len(learnt),
            "champion_after": report.get("champion"),
            "trials_taken_up": sum(trial["reused"] for trial in trials),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="telco_churn")
    parser.add_argument("--moments", default="5,10,20")
    given = parser.parse_args()
    if not (SHARED / "data").exists():
        print("skipped: the shared data sets are not here")
        return 0
    rows = [killed(given.set, float(moment)) for moment in given.moments.split(",")]
    for row in rows:
        print(json.dumps(row))
    kept = all(row["more_than_the_floor"] and row["champion_after"] for row in rows)
    print(f"something releasable after every kill: {kept}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
