"""Traffic as a server makes it, small, and logs in every kind of database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from everfit.store.log import Log
from everfit.store.log.frames import Logged, outcomes_frame, predictions_frame
from everfit.store.log.spool import Spool
from tests.postgres import fresh_schema

DAY_US = 86_400 * 1_000_000
START_US = 1_763_596_800_000_000  # 2025-11-20 00:00:00 UTC

encode = msgspec.json.encode

# Where a log's database is, by name: every test of a log runs over these
DATABASES: Mapping[str, Callable[[Path], Path | str]] = {
    "sqlite": lambda root: root,
    "postgresql": lambda _: fresh_schema(),
}


@dataclass
class Scene:
    """A log, the folder of its spools, and the clock of both."""

    place: Path | str
    root: Path
    now_us: int = START_US
    n: int = 0
    opened: list[Log] = field(default_factory=list)

    @property
    def spools(self) -> Path:
        return self.root / "spool"

    @property
    def log(self) -> Log:
        if not self.opened:
            self.opened.append(self.open())
        return self.opened[0]

    def open(self) -> Log:
        """The same log, opened once more."""
        return Log.open(self.place, root=self.root, clock=lambda: self.now_us)

    def spool(self, name: str = "w1", **options: Any) -> Spool:
        return Spool(self.spools / name, **options)

    def predict(
        self,
        spool: Spool,
        *,
        model: str = "churn",
        key: str | None = None,
        row: Mapping[str, Any] | None = None,
        arm: str = "champion",
        at_us: int | None = None,
        of: str | None = None,
        id: str | None = None,
    ) -> str:
        """Log one answered request; gives the prediction's id."""
        self.n += 1
        name = id or f"p{self.n}"
        spool.append(
            frame_of(
                [name],
                [row or {"age": self.n, "plan": "trial"}],
                model=model,
                arm=arm,
                at_us=self.now_us if at_us is None else at_us,
                keys=None if key is None else [key],
                of=None if of is None else [of],
            )
        )
        return name

    def tell(self, spool: Spool, *outcomes: Mapping[str, Any], model: str = "churn") -> list[str]:
        """Log outcomes; gives their receipts."""
        made = []
        for outcome in outcomes:
            self.n += 1
            made.append({"receipt": f"r{self.n}", **outcome})
        spool.append(outcomes_frame(model, self.now_us, encode(made)))
        return [item["receipt"] for item in made]

    def drain(self) -> Any:
        return self.log.drain(self.spools, most_s=60.0)

    def states(self, receipts: Sequence[str]) -> list[str]:
        found = self.log.outcomes_state(receipts)
        return [found.get(receipt, "-") for receipt in receipts]

    def ids(self, **options: Any) -> list[str]:
        """The ids of all predictions, as they are read."""
        frames = self.log.predictions("churn", columns=["id"], **options)
        return [name for frame in frames for name in frame["id"]]

    def table(self) -> pl.DataFrame:
        """All predictions with their outcomes."""
        return pl.concat(self.log.joined("churn"), how="diagonal_relaxed")

    def outcomes(self) -> dict[str, Any]:
        """The outcome of each prediction that has one."""
        found: dict[str, Any] = {}
        for frame in self.log.joined("churn", columns=["id", "outcome"]):
            found |= {name: value for name, value in frame.iter_rows() if value is not None}
        return found


def frame_of(
    ids: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *,
    model: str = "churn",
    arm: str = "champion",
    at_us: int = START_US,
    keys: list[str | None] | None = None,
    of: list[str] | None = None,
) -> bytes:
    """A frame as a server writes it: one row as an object, several as an array."""
    answers = [answer_of(name, arm) for name in ids]
    header = encode(Logged(model, 3, arm, at_us, keys, of))
    if len(ids) == 1:
        return predictions_frame(header, encode(rows[0]), encode(answers[0]))
    many = {"model": model, "version": "v3", "predictions": answers}
    return predictions_frame(header, encode(rows), encode(many))


def answer_of(name: str, arm: str) -> dict[str, Any]:
    return {
        "id": name,
        "prediction": "yes",
        "probabilities": {"no": 0.25, "yes": 0.75},
        "range": None,
        "version": "v3",
        "arm": arm,
        "warnings": [],
    }
