"""Functions that executor tests run by dotted name."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any


def double(x: float) -> dict[str, Any]:
    return {"x": 2 * x}


def fail() -> dict[str, Any]:
    raise ValueError("no such luck")


def sleep(seconds: float) -> dict[str, Any]:
    time.sleep(seconds)
    return {"slept": seconds}


def die() -> dict[str, Any]:
    os._exit(9)


def shout() -> dict[str, Any]:
    print("a library prints to standard output")
    return {"pid": os.getpid()}


def spawn(path: str) -> dict[str, Any]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with open(path, "w") as out:
        out.write(f"{os.getpid()} {child.pid}")
    time.sleep(60)
    return {}
