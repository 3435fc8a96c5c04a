"""Counters of one process in a shared file: one addition a count, and any process can read all.

A process writes its own file of float64 alone, so that nothing is locked on the way of a request.
Each name has two numbers: the first belongs to the thread of the event loop, the second to all
other threads, which take turns. Counters go on where they were when a worker starts again.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Literal

from everfit.errors import StoreFailed

MOST = 16_384  # names: some hundreds for a model, and a store has tens of models
SPARE = 64  # places for names that find no room; nobody reads them
Kind = Literal["counter", "gauge"]
Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]


class Slots:
    """The counters of one process.

    ``values[slot]`` may be added to by the thread of the event loop; others call :meth:`add`.

    Parameters
    ----------
    path : the file, with a list of its names beside it; None keeps all in memory

    Raises
    ------
    StoreFailed : the file cannot be made

    Examples
    --------
    >>> slots = Slots()
    >>> seen = slots.slot("requests", (("status", "200"),))
    >>> slots.values[seen] += 1.0
    >>> slots.add(seen, 2.0)
    >>> slots.read()
    {('requests', (('status', '200'),)): 3.0}
    """

    def __init__(self, path: Path | None = None) -> None:
        self._names = None if path is None else path.with_suffix(".names")
        self._slots: dict[Series, int] = {}
        self._n = 0  # places that are taken
        self._making, self._adding = Lock(), Lock()
        try:
            self.values: memoryview[float] = _memory(path)
            _repair(self._names)
            for kind, series in _named(self._names):
                slot = self._slots[series] = 2 * self._n
                self._n += 1
                if kind == "gauge":
                    # what a process that ended had in hand, it has no more
                    self.values[slot] = self.values[slot + 1] = 0.0
        except OSError as error:
            raise StoreFailed(
                "the file of counters cannot be made",
                got=error.strerror or str(error), expected=f"{path} to be writable",
                do="free space, or give the folder of the store back its rights",
            ) from error  # fmt: skip

    def slot(self, name: str, labels: Labels = (), kind: Kind = "counter") -> int:
        """The place of a name in ``values``, made when it is new."""
        found = self._slots.get((name, labels))
        return self.run([(name, labels)], kind) if found is None else found

    def run(self, names: Sequence[Series], kind: Kind = "counter") -> int:
        """The place of the first of some names that lie side by side, made when they are new.

        Names that find no room, on the disk or among ``MOST``, get places that nobody reads: a
        number that is lost must not cost a request its answer.
        """
        with self._making:
            first = self._slots.get(names[0], -1)
            if all(self._slots.get(name) == first + 2 * i for i, name in enumerate(names)):
                return first
            if self._n + len(names) > MOST or not self._written(names, kind):
                return 2 * MOST
            first = 2 * self._n
            self._slots |= {name: first + 2 * i for i, name in enumerate(names)}
            self._n += len(names)
            return first

    def _written(self, names: Sequence[Series], kind: Kind) -> bool:
        """Whether the list of names took some more, all of them or none."""
        if self._names is None:
            return True
        lines = "".join(json.dumps([kind, name, labels]) + "\n" for name, labels in names).encode()
        try:
            handle = os.open(self._names, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                before = os.fstat(handle).st_size
                try:
                    if os.write(handle, lines) == len(lines):
                        return True
                except OSError:
                    pass
                os.ftruncate(handle, before)
            finally:
                os.close(handle)
        except OSError:
            pass
        return False

    def add(self, slot: int, amount: float) -> None:
        """Add to a number from any thread but that of the event loop."""
        with self._adding:
            self.values[slot + 1] += amount

    def put(self, slot: int, value: float) -> None:
        """Set a gauge."""
        self.values[slot] = value

    def read(self) -> dict[Series, float]:
        """All numbers of this process."""
        values = self.values
        return {
            series: values[slot] + values[slot + 1] for series, slot in list(self._slots.items())
        }


def read_all(folder: Path) -> dict[Series, float]:
    """The sums over all processes that count in ``folder``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("w1", "w2"):
    ...         slots = Slots(Path(folder) / f"{name}.slots")
    ...         slots.values[slots.slot("seen")] += 1.0
    ...     read_all(Path(folder))
    {('seen', ()): 2.0}
    """
    total: dict[Series, float] = {}
    for path in sorted(folder.glob("*.names")):
        try:
            values = memoryview(path.with_suffix(".slots").read_bytes()).cast("d")
        except (OSError, TypeError):
            continue  # its process has only begun to make it
        for at, (_, series) in enumerate(_named(path)):
            total[series] = total.get(series, 0.0) + values[2 * at] + values[2 * at + 1]
    return total


def clear(folder: Path) -> None:
    """Remove the counters of all processes: for a server that starts, before its workers do."""
    for pattern in ("*.names", "*.slots"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def as_labels(labels: Mapping[str, str]) -> Labels:
    """Labels in the order in which they name a series.

    Examples
    --------
    >>> as_labels({"version": "v3", "model": "churn"})
    (('model', 'churn'), ('version', 'v3'))
    """
    return tuple(sorted(labels.items()))


def _memory(path: Path | None) -> memoryview[float]:
    size = 16 * (MOST + SPARE)
    if path is None:
        return memoryview(bytearray(size)).cast("d")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        # room on the disk for all of it: a store into a mapping that finds none is SIGBUS
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        elif os.fstat(handle).st_size < size:
            os.pwrite(handle, bytes(size), 0)
        return memoryview(mmap.mmap(handle, size)).cast("d")
    finally:
        os.close(handle)


def _repair(path: Path | None) -> None:
    """Cut off a last line that is not whole, so that the next name stands in a line of its own."""
    if path is not None and path.exists():
        whole = path.read_bytes().rpartition(b"\n")
        os.truncate(path, len(whole[0] + whole[1]))


def _named(path: Path | None) -> list[tuple[str, Series]]:
    if path is None or not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            kind, name, labels = json.loads(line)
        except ValueError:
            break  # the last line was cut off when its process was killed
        found.append((kind, (name, tuple((key, value) for key, value in labels))))
    return found
