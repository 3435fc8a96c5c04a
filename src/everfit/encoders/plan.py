"""A feature plan: which columns are read, by which steps, into which features. Data, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from everfit.data.table import Table
from everfit.encoders.execute import run
from everfit.encoders.steps import Input, Step, join_step, split_step
from everfit.errors import ArtefactRefused
from everfit.plain import as_plain
from everfit.records import Array

FORMAT = 1


@dataclass(frozen=True, slots=True)
class FeaturePlan:
    """How the rows of a table become vectors of float64.

    ``vocabularies`` give each category and ordered column its levels in code order (None is the
    level of missing); ``names`` are those of the features, ``categorical`` the positions that hold
    category codes (whole numbers, NaN for rare or unseen). See :mod:`everfit.encoders.steps`.
    """

    view: str
    inputs: tuple[Input, ...]
    vocabularies: Mapping[str, tuple[str | None, ...]]
    steps: tuple[Step, ...]
    names: tuple[str, ...]
    categorical: tuple[int, ...] = ()

    def transform(self, table: Table) -> Array:
        """Features of the rows of ``table``: float64, C order, (n, len(names)).

        A column that the table does not have counts as missing in every row; other columns of
        the table are ignored.
        """
        return run(self.steps, self.inputs, self.vocabularies, table.frame)

    def to_plain(self) -> dict[str, Any]:
        """The plan as JSON-ready data, without the arrays."""
        return {
            "format": FORMAT,
            "view": self.view,
            "inputs": as_plain(self.inputs),
            "vocabularies": {name: list(levels) for name, levels in self.vocabularies.items()},
            "steps": [split_step(step)[0] for step in self.steps],
            "names": list(self.names),
            "categorical": list(self.categorical),
        }

    def arrays(self) -> dict[str, Array]:
        """The arrays of the steps, named ``<position of the step>.<field>``."""
        found: dict[str, Array] = {}
        for position, step in enumerate(self.steps):
            for name, value in split_step(step)[1].items():
                found[f"{position}.{name}"] = value
        return found

    def save(self, folder: Path) -> None:
        """Write ``features.json`` and ``features.npz`` into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_plain(), ensure_ascii=False)
        (folder / "features.json").write_text(text, encoding="utf-8")
        np.savez(folder / "features.npz", allow_pickle=False, **self.arrays())

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> FeaturePlan:
        """The plan that ``to_plain`` and ``arrays`` describe.

        Raises
        ------
        ArtefactRefused : another format, or a step that this release does not know
        """
        if plain.get("format") != FORMAT:
            raise ArtefactRefused(
                "the feature plan has a format that this release cannot read",
                got=f"format {plain.get('format')!r}",
                expected=f"format {FORMAT}",
                do="open it with the release of Everfit that wrote it, or a later one",
            )
        by_step: dict[int, dict[str, Array]] = {}
        for name, value in arrays.items():
            position, _, item = name.partition(".")
            by_step.setdefault(int(position), {})[item] = value
        try:
            steps = tuple(join_step(s, by_step.get(i, {})) for i, s in enumerate(plain["steps"]))
        except (KeyError, TypeError) as error:
            raise ArtefactRefused(
                "the feature plan has a step that this release cannot read",
                got=f"{type(error).__name__}: {error}",
                expected="the steps listed in docs/plan.md",
                do="open it with the release of Everfit that wrote it, or a later one",
            ) from error
        inputs = tuple(
            Input(item["name"], item["kind"], tuple(item["levels"])) for item in plain["inputs"]
        )
        vocabularies = {name: tuple(levels) for name, levels in plain["vocabularies"].items()}
        return cls(
            plain["view"], inputs, vocabularies, steps, tuple(plain["names"]),
            tuple(plain["categorical"]),
        )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> FeaturePlan:
        """Read the plan that :meth:`FeaturePlan.save` wrote into ``folder``.

        Raises
        ------
        ArtefactRefused : a file is missing or cannot be read
        """
        try:
            plain = json.loads((folder / "features.json").read_text(encoding="utf-8"))
            with np.load(folder / "features.npz", allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
        except (OSError, ValueError) as error:
            raise ArtefactRefused(
                f"the feature plan in {folder} cannot be read",
                got=f"{type(error).__name__}: {error}",
                expected="features.json and features.npz as a release wrote them",
                do="restore the folder from a copy, or roll back to another version",
            ) from error
        return cls.from_plain(plain, arrays)
