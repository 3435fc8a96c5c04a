"""The loop makes versions by itself: retrained, searched, recalibrated, or a word why not."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.errors import Refused, StoreBusy
from everfit.loop.backtest import Aged
from everfit.loop.feed import Feed, pull_feeds, pulled_files
from everfit.loop.fit import Fitted
from everfit.loop.lineage import lineage_of
from everfit.plain import as_plain, from_plain
from everfit.records import Upkeep
from everfit.release.gates import manifest_holds
from everfit.release.handover import Wish, is_paused, pause, resume
from everfit.serve.load import open_plan
from everfit.store import Journal
from tests.loop.asked import BEGIN, DAY, Asked, asked
from tests.loop.conftest import NOW, SEEN, Scene


@pytest.fixture(scope="module")
def once(
    released: tuple[Path, str, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Scene, Fitted]]:
    """One retrained version, to look at from all sides."""
    folder, target, came = released
    copy = tmp_path_factory.mktemp("once") / "copy"
    shutil.copytree(folder, copy)
    scene = Scene(copy, target, came)
    yield scene, scene.fit(about="2026-01-31")
    scene.store.close()


def test_a_retrained_version_goes_into_the_shadow_and_serves_nobody(
    once: tuple[Scene, Fitted],
) -> None:
    scene, made = once

    assert made.decision.kind == "retrained"
    assert made.decision.at == NOW
    assert made.version is not None
    assert (made.version.name, made.version.until, made.version.created_at) == ("v2", NOW, NOW)
    assert (scene.alias("shadow"), scene.alias("champion")) == (2, 1)
    assert "569 rows (219 from feeds and the log)" in made.decision.headline
    assert "only predictions from 2026-01-31 00:00 UTC on" in made.decision.not_done[0]
    assert scene.kinds() == ["retrained"]


def test_what_was_made_is_sealed_and_names_its_data_cut(once: tuple[Scene, Fitted]) -> None:
    scene, made = once
    assert made.version is not None
    folder = scene.store.root / made.version.folder
    manifest = json.loads((folder / "manifest.json").read_text())

    assert manifest_holds(folder, key=scene.store.key(), sha256=made.version.sha256).passed
    assert manifest["data"]["until"] == as_plain(NOW)
    assert manifest["data"]["n_rows"] == 569
    assert open_plan(folder).labels == ("benign", "malignant")


def test_a_retrained_version_has_the_hypotheses_of_the_one_before(
    once: tuple[Scene, Fitted],
) -> None:
    scene, made = once
    before = lineage_of(scene.store, scene.store.version("m", "v1"))
    assert made.version is not None

    after = lineage_of(scene.store, made.version)
    learners = {hypothesis.learner for hypothesis in before.hypotheses} | {"linear"}

    assert {hypothesis.learner for hypothesis in after.hypotheses} <= learners
    assert after.spec["source"] == str(scene.source)
    assert [column.name for column in after.columns] == [c.name for c in before.columns]
    assert after.until == NOW


def test_a_line_of_versions_goes_on_from_each(scene: Scene) -> None:
    scene.fit(until=BEGIN + DAY / 24)

    second = scene.fit(champion=2)

    assert second.decision.kind == "retrained"
    assert second.version is not None
    assert second.version.name == "v3"
    assert "v2 is no longer tried in the shadow" in second.decision.not_done


def test_the_same_on_the_same_rows_is_done_once(scene: Scene) -> None:
    first = scene.fit()
    again = scene.fit()

    assert again.again
    assert again.decision == first.decision
    assert scene.kinds() == ["retrained"]
    assert [version.name for version in scene.store.versions("m")] == ["v2", "v1"]


def test_the_same_for_another_reason_is_refused_with_what_it_gave(scene: Scene) -> None:
    scene.fit(about="monday")
    again = scene.fit(about="tuesday")

    assert again.again
    assert again.decision.kind == "refused"
    assert again.decision.because[0].note == "it gave v2"
    assert [step.key for step in scene.store.steps("m", "fit")] == ["monday", "tuesday"]


@pytest.mark.slow
def test_the_same_job_in_two_stores_gives_the_same_answers(
    scene: Scene, released: tuple[Path, str, pl.DataFrame], tmp_path: Path
) -> None:
    folder, target, came = released
    shutil.copytree(folder, tmp_path / "other")
    other = Scene(tmp_path / "other", target, came)
    shutil.copy(scene.source, other.source)
    one, two = scene.fit(), other.fit()
    assert one.version is not None
    assert two.version is not None
    files = [
        {
            path.relative_to(where.store.root / made.folder).as_posix(): path.read_bytes()
            for path in sorted((where.store.root / made.folder).rglob("*"))
            if path.is_file() and path.name not in ("manifest.json", "card.json", "card.md")
        }
        for where, made in ((scene, one.version), (other, two.version))
    ]
    other.store.close()

    assert files[0].keys() == files[1].keys()
    assert {name for name in files[0] if files[0][name] != files[1][name]} == set()


def test_the_step_is_written_with_the_decision(once: tuple[Scene, Fitted]) -> None:
    scene, made = once

    (step,) = scene.store.steps("m", "fit")

    assert (step.key, step.decision, step.at) == ("2026-01-31", made.decision.id, NOW)
    assert step.record["version"] == 2
    assert step.record["champion"] == 1
    assert step.record["act"] == "retrain"


def test_a_search_begins_with_the_champions_hypotheses_and_tries_others(scene: Scene) -> None:
    before = lineage_of(scene.store, scene.store.version("m", "v1")).hypotheses
    made = scene.fit("search", budget_s=8.0)
    assert made.version is not None
    trials = scene.store.result("m", made.version.run)["study"]["trials"]
    by_number = sorted(trials, key=lambda trial: trial["number"])
    names = [t["hypothesis"]["name"] for t in by_number if t["hypothesis"]["stage"] != "floor"]

    assert made.decision.kind == "searched"
    assert scene.alias("shadow") == 2
    assert set(names[1 : 1 + len(before)]) >= {h.name for h in before} - {names[0]}
    assert len(trials) > 2 + len(before)


@pytest.mark.slow
def test_a_search_takes_up_a_column_that_came_since(scene: Scene) -> None:
    frame = pl.read_csv(scene.source)
    rng = np.random.default_rng(0)
    frame.with_columns(pl.Series("marker", rng.normal(size=frame.height))).write_csv(scene.source)

    again = scene.fit("retrain")
    anew = scene.fit("search", budget_s=8.0)

    assert again.version is not None
    assert anew.version is not None
    columns = [c.name for c in lineage_of(scene.store, anew.version).columns]
    assert "marker" in columns
    assert "marker" not in [c.name for c in lineage_of(scene.store, again.version).columns]


@pytest.mark.parametrize(
    ("spoil", "kind", "match"),
    [
        (lambda path: path.unlink(), "source_lost", "there is no file"),
        (lambda path: path.write_bytes(b"\x00" * 2_000), "source_lost", "cancer.csv"),
        (
            lambda path: pl.read_csv(path).drop("mean radius").write_csv(path),
            "refused",
            "lacks 'mean radius'",
        ),
        (
            lambda path: (
                pl.read_csv(path).with_columns(pl.lit("wide").alias("mean radius")).write_csv(path)
            ),
            "refused",
            "'mean radius' is no longer a number",
        ),
    ],
)
def test_a_source_that_cannot_be_used_is_a_decision_and_leaves_all_as_it_was(
    scene: Scene, spoil: object, kind: str, match: str
) -> None:
    spoil(scene.source)  # type: ignore[operator]

    made = scene.fit(about="monday")

    assert made.version is None
    assert made.decision.kind == kind
    assert match in made.decision.headline
    assert made.decision.would_change
    assert scene.alias("shadow") is None
    assert [step.record["version"] for step in scene.store.steps("m", "fit")] == [None]
    assert scene.store.runs("m")[0].state == "done"


def test_the_log_alone_is_enough_when_the_policy_says_so(scene: Scene) -> None:
    scene.source.unlink()

    made = scene.fit(upkeep=Upkeep(learn_from="log"))

    assert made.decision.kind == "retrained"
    assert made.decision.headline.startswith("Retrained as v2 on 219 rows")


def test_outcomes_that_are_all_the_same_are_refused(scene: Scene) -> None:
    same = scene.came.with_columns(pl.lit("benign").alias(scene.target))

    made = scene.fit(log=Asked(asked(same, scene.target)), upkeep=Upkeep(learn_from="log"))

    assert made.decision.kind == "refused"
    assert "all outcomes are the same" in made.decision.headline
    assert "'benign': 219 rows" in made.decision.because[0].note


def test_outcomes_that_nobody_has_heard_of_are_left_out_and_told(scene: Scene) -> None:
    odd = scene.came.with_columns(
        pl.when(pl.int_range(scene.came.height) < 20)
        .then(pl.lit("unsure"))
        .otherwise(pl.col(scene.target))
        .alias(scene.target)
    )

    made = scene.fit(log=Asked(asked(odd, scene.target)))

    assert made.decision.kind == "retrained"
    assert any("20 rows were left out" in line for line in made.decision.not_done)
    assert made.version is not None
    assert made.version.problem.labels == ("benign", "malignant")


class Pausing(Asked):
    """A record during whose reading a person pauses the model."""

    def joined(self, *args: Any, **kwargs: Any) -> Iterator[pl.DataFrame]:
        if not is_paused(self.store.decisions("m")):
            self.store.commit(pause(Wish("m", "pause m", "ann", "a look at the source")))
        return super().joined(*args, **kwargs)

    @classmethod
    def of(cls, scene: Scene) -> Pausing:
        made = cls(asked(scene.came, scene.target))
        made.store = scene.store
        return made

    store: Journal


def test_a_fit_under_way_when_a_person_pauses_is_not_tried_and_made_again_later(
    scene: Scene,
) -> None:
    paused = scene.fit(log=Pausing.of(scene), about="monday")

    assert paused.decision.kind == "refused"
    assert paused.decision.because[0].rule == "nobody paused the model meanwhile"
    assert paused.decision.because[0].note == "Paused by hand: a look at the source"
    assert scene.alias("shadow") is None
    assert scene.store.version("m", "v2").state == "refused"
    (step,) = scene.store.steps("m", "fit")
    assert (step.record["version"], step.record["paused"]) == (None, True)

    scene.store.commit(resume(Wish("m", "resume m", "ann")))
    again = scene.fit(about="tuesday")

    assert again.decision.kind == "retrained"
    assert scene.alias("shadow") == 3
    assert scene.kinds() == ["paused", "refused", "resumed", "retrained"]


def test_a_version_below_the_floor_of_the_policy_is_refused(scene: Scene) -> None:
    # log loss: lower is better, and nothing reaches 0.0001 here
    upkeep = Upkeep(floor=1e-4, set_by={"floor": "everfit.toml [policy]"})
    made = scene.fit(upkeep=upkeep)

    assert made.decision.kind == "refused"
    assert made.decision.because[0].rule == "reaches the floor of the policy"
    assert made.decision.because[0].limit_by == "everfit.toml [policy]"
    assert scene.alias("shadow") is None
    assert scene.store.version("m", "v2").state == "refused"


def test_a_version_of_the_champions_own_line_takes_nobodys_place(scene: Scene) -> None:
    scene.fit(about="first")
    made = scene.fit(champion=2, shadow=False, about="second")

    assert made.version is not None
    assert made.version.name == "v3"
    assert scene.alias("shadow") == 2
    assert "tried in the shadow" not in made.decision.headline


def test_under_a_hold_that_was_lost_nothing_is_written(scene: Scene) -> None:
    lost = scene.store.hold("m", ttl_s=60.0)
    scene.store.let_go(lost)
    scene.store.let_go(scene.store.hold("m", ttl_s=60.0))

    with pytest.raises(StoreBusy):
        scene.fit(hold=lost)

    assert scene.kinds() == []
    assert [version.name for version in scene.store.versions("m")] == ["v1"]


def test_under_a_hold_the_fit_leaves_it_to_its_holder(scene: Scene) -> None:
    hold = scene.store.hold("m", ttl_s=60.0)

    made = scene.fit(hold=hold)

    assert made.decision.kind == "retrained"
    scene.store.heartbeat(hold)
    scene.store.let_go(hold)


def test_a_person_who_moves_the_shadow_meanwhile_is_respected(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.fit(until=BEGIN + DAY / 24)
    real = scene.store.packing

    def meanwhile(model: str, number: int) -> object:
        decision = scene.store.decisions("m")[0]
        row = replace(decision, kind="shadow", headline="by hand", by="person", id=0, run="")
        scene.store.commit(row, aliases={"shadow": None})
        return real(model, number)

    monkeypatch.setattr(scene.store, "packing", meanwhile)

    with pytest.raises(Refused, match="the shadow of 'm' was changed"):
        scene.fit()

    assert scene.alias("shadow") is None
    assert [version.name for version in scene.store.versions("m")] == ["v2", "v1"]


def test_a_job_travels_as_plain_json(scene: Scene) -> None:
    job = scene.job(files=("feeds/m/a/b.parquet",), aside=("2026-01-02T00:00:00+00:00",))

    assert from_plain(type(job), json.loads(json.dumps(as_plain(job)))) == job


def test_the_rows_that_a_version_has_seen_are_those_of_source_and_log(
    once: tuple[Scene, Fitted],
) -> None:
    scene, made = once
    assert made.version is not None

    with np.load(scene.store.root / made.version.folder / "seen.npz") as kept:
        assert len(kept["hashes"]) == SEEN + scene.came.height


def test_rows_of_feeds_are_learnt_from_too(scene: Scene) -> None:
    path = scene.folder / "drops" / "january.csv"
    path.parent.mkdir()
    scene.came.head(60).write_csv(path)
    hold = scene.store.hold("m", ttl_s=60.0)
    feed = Feed("drops", str(path.parent), settle_s=0.0)
    lines = pull_feeds("m", [feed], scene.store, hold, now=NOW)
    scene.store.let_go(hold)

    files = pulled_files(scene.store, "m")
    made = scene.fit(files=files, upkeep=Upkeep(learn_from="source"))

    assert lines == ("drops: 60 new rows",)
    assert "410 rows (60 from feeds and the log)" in made.decision.headline


def test_how_it_ages_is_kept_with_the_step_and_takes_a_small_part_of_the_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    def backtest(line: object, rows: object, *, seconds: float, seed: int) -> tuple[Aged, ...]:
        given.append(seconds)
        return (Aged(0, 0.0, 86_400.0, 0.5, 1.0, 90),)

    monkeypatch.setattr(sys.modules["everfit.loop.fit.fit"], "backtest", backtest)
    made = scene.fit(about="2026-01-31")

    (step,) = scene.store.steps("m", "fit")
    assert made.version is not None
    assert [Aged(**one) for one in step.record["aged"]] == [Aged(0, 0.0, 86_400.0, 0.5, 1.0, 90)]
    assert len(given) == 1
    assert 0 < given[0] <= 5.0


def test_a_back_test_that_fails_keeps_no_fit_from_being_made(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backtest(line: object, rows: object, *, seconds: float, seed: int) -> tuple[Aged, ...]:
        raise Refused("no")

    monkeypatch.setattr(sys.modules["everfit.loop.fit.fit"], "backtest", backtest)

    assert scene.fit(about="2026-01-31").version is not None
    assert scene.store.steps("m", "fit")[0].record["aged"] == []
