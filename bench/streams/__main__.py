"""Error rates and delays of all tests over time, beside other tools: bars of watch and maintain.

python -m bench.streams                     everything with 400 runs, about a quarter of an hour
python -m bench.streams nulls --runs 100    false alarms on stationary streams
python -m bench.streams delays              rows from a change to its alarm
python -m bench.streams challengers         200 challengers in a row, 90% of them no better
python -m bench.streams power               the same over the outcomes that each of them gets
python -m bench.streams others              Evidently and NannyML on the same streams
python -m bench.streams --into docs/bench.md    write the tables between their marks, too
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from bench.streams.challengers import POWER, PROMOTIONS, challengers, power
from bench.streams.counts import DELAYS, FALSES, table
from bench.streams.delays import delays
from bench.streams.nulls import jobs
from bench.streams.others import OTHERS, others

LOOKS, ROWS = 1_000, 100


class Cells(Protocol):
    """A result that knows its row of a table."""

    def cells(self) -> list[str]:
        """A row of the table."""
        ...


def list_of(found: Callable[[int], Iterable[Cells]], runs: int) -> list[Cells]:
    """What a generator gives, so that it can be made in another process."""
    return list(found(runs))


def jobs_of(name: str, runs: int) -> list[Callable[[], Sequence[Cells]]]:
    """The parts of a part; delays take a quarter of the runs, challengers half of them."""
    if name == "nulls":
        return list(jobs(runs, LOOKS, ROWS))
    few = {"delays": (delays, max(runs // 4, 2)), "challengers": (challengers, max(runs // 2, 2)),
           "power": (power, max(runs // 4, 2)), "others": (others, runs)}  # fmt: skip
    return [partial(list_of, *few[name])]


HEADS = {"nulls": FALSES, "delays": DELAYS, "challengers": PROMOTIONS, "power": POWER,
         "others": OTHERS}  # fmt: skip


def tables(names: Sequence[str], runs: int) -> Iterator[tuple[str, str]]:
    """The tables of the parts, two jobs worked on at a time."""
    with ProcessPoolExecutor(max_workers=2) as pool:
        waiting = {n: [pool.submit(job) for job in jobs_of(n, runs)] for n in names}
        for name, parts in waiting.items():
            found = sorted((one for part in parts for one in part.result()), key=_kind)
            yield name, table(HEADS[name], [one.cells() for one in found])


def _kind(found: Cells) -> str:
    """What stands together: ours first, and tests that look again and again below."""
    return "~" if found.cells()[0].startswith(("t-test", "z-test")) else ""


def write(page: Path, name: str, text: str) -> None:
    """Put a table between its marks on a page; the page has to have them."""
    begin, end = f"<!-- streams {name}:begin -->\n", f"<!-- streams {name}:end -->"
    before, middle, rest = page.read_text().partition(begin)
    if not middle or end not in rest:
        print(f"{page} has no marks for {name}: {begin.strip()} and {end}")
        return
    page.write_text(before + begin + text + "\n" + end + rest.partition(end)[2])


def main(arguments: list[str]) -> int:
    """Print the tables; 1 when a bar was not reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("parts", nargs="*", choices=[*HEADS, []], default=[])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--into", type=Path)
    given = parser.parse_args(arguments)
    missed, began = 0, time.perf_counter()
    for name, text in tables(given.parts or list(HEADS), given.runs):
        print(f"\n== {name}\n{text}", flush=True)
        missed += text.count("not reached")
        if given.into:
            write(given.into, name, text)
    print(f"\n{time.perf_counter() - began:.0f} s, bars not reached: {missed}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
