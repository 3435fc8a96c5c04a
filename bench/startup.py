"""How long it takes to start: ``import everfit`` and ``everfit --help``, best of several.

python -m bench.startup
"""

from __future__ import annotations

import subprocess
import sys
import time

TRIES = 5
PROMISES = {"import everfit": 0.3, "everfit --help": 0.5}
COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import everfit": [sys.executable, "-c", "import everfit"],
    "everfit --help": [sys.executable, "-m", "everfit", "--help"],
}


def best(command: list[str]) -> float:
    """The least wall time of several runs, in seconds: noise only ever adds."""
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    bare = best(COMMANDS["python"])
    print(f"bare python: {bare:.3f} s")
    for name, promise in PROMISES.items():
        seconds = best(COMMANDS[name])
        print(
            f"{name}: {seconds:.3f} s, {seconds / bare:.1f} times bare python (promise {promise})"
        )


if __name__ == "__main__":
    main()
