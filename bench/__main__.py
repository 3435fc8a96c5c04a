"""All benchmarks, one after the other; each prints ratios to a reference taken in the same run.

python -m bench              everything, about three hours on 2 cores
python -m bench quick        start-up, prediction, serving, open sets at 10 s: a quarter of an hour
python -m bench startup predict
"""

from __future__ import annotations

import subprocess
import sys

PARTS: dict[str, list[list[str]]] = {
    "startup": [["bench.startup"]],
    "predict": [["bench.predict"]],
    "memory": [["bench.read_memory", "5000000"]],
    "assess": [["bench.assess", "--others"]],
    "coverage": [["bench.coverage"]],
    "ranges": [["bench.ranges"]],
    "streams": [["bench.streams"]],
    "kill": [["bench.kill"]],
    "replay": [["bench.replay"]],
    "year": [["bench.replay.year"]],
    "serve": [["bench.http"]],
    "others": [["bench.others"]],
    "faults": [["bench.faults"]],
    "traffic": [["bench.traffic"]],
    "lists": [["bench.lists"]],
    "conformance": [["pytest", "-q", "-m", "slow", "tests/faces/http/test_conformance.py"]],
    "quick-sets": [["bench.open_sets", "--budget", "10"]],
    "sets": [
        ["bench.open_sets", "--budget", "60"],
        ["bench.open_sets", "--budget", "300"],
    ],
}
QUICK = ("startup", "predict", "serve", "quick-sets")


def main(names: list[str]) -> int:
    if unknown := set(names) - PARTS.keys() - {"quick"}:
        print(f"no such part: {', '.join(unknown)}; there are: quick, {', '.join(PARTS)}")
        return 2
    chosen = QUICK if names == ["quick"] else names or tuple(PARTS)
    failed = 0
    for name in chosen:
        for module, *rest in PARTS[name]:
            print(f"\n== {module} {' '.join(rest)}", flush=True)
            failed += subprocess.run([sys.executable, "-m", module, *rest], check=False).returncode
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
