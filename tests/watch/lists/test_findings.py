"""Findings about lists: narrowing loops ring, calm shops do not, hits are told with their range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from everfit.records import Finding, Upkeep, Window
from everfit.watch import watch
from everfit.watch.lists import list_findings
from tests.watch import traffic
from tests.watch.lists.loops import shop, takings, window


def checks(found: list[Finding]) -> set[str]:
    return {finding.check for finding in found}


@pytest.mark.parametrize("seed", range(5))
def test_a_shop_that_learns_from_what_it_showed_rings(seed: int) -> None:
    windows = shop(60, learns=1.5, seed=seed)

    found = {finding.check: finding for finding in list_findings(windows, [], version=1)}

    narrowing = found["narrowing"]
    assert narrowing.severity == "warn"
    assert narrowing.number is not None
    assert narrowing.number < narrowing.evidence["before"]
    assert narrowing.headline.startswith("Lists narrow since ")
    assert narrowing.headline.endswith(" before.")
    assert ". " not in narrowing.headline  # one sentence
    assert narrowing.evidence["log_e"] >= narrowing.evidence["limit"]


def test_a_shop_that_does_not_learn_is_calm() -> None:
    for seed in range(8):
        assert list_findings(shop(60, learns=0.0, seed=seed), [], version=1) == []


def test_exploring_keeps_a_shop_wider() -> None:
    def last(share: float) -> float:
        facts = shop(50, learns=1.5, seed=1, share=share)[-1].facts["lists"]
        return float(facts["spread"]["100"]["effective"])

    assert last(0.2) > 1.3 * last(0.0)


def plain(at: int, effective: float, head: float, cold: int, size: str = "100") -> Window:
    facts = {"n": 100, "people": 100, "cold": cold, "repeating": 0, "facts": {"empty": 0},
             "spread": {size: {"effective": effective, "head": head}}}  # fmt: skip
    return window(at, facts)


def calm(n: int, seed: int) -> list[Window]:
    rng = np.random.default_rng(seed)
    return [
        plain(at, rng.normal(100, 5), rng.normal(0.2, 0.02), int(rng.binomial(100, 0.1)))
        for at in range(n)
    ]


def test_calm_windows_ring_no_oftener_than_allowed() -> None:
    alpha, runs = 0.2, 150

    rung = [
        bool(list_findings(calm(120, seed), [], version=1, alpha=alpha)) for seed in range(runs)
    ]

    assert np.mean(rung) <= alpha


@pytest.mark.parametrize(
    ("check", "moved", "words"),
    [("narrowing", (60.0, 0.2, 10), "as many different items as 60 shown equally often"),
     ("concentration", (100.0, 0.5, 10), "The most popular 1% of items got 50% of places"),
     ("cold", (100.0, 0.2, 60), "60% of lists were for people not known")],
)  # fmt: skip
def test_each_column_has_its_own_sentence(
    check: str, moved: tuple[float, float, int], words: str
) -> None:
    away = [plain(at, *moved) for at in range(40, 70)]

    found = list_findings(calm(40, 1) + away, [], version=1)

    assert checks(found) == {check}
    assert words in found[0].headline
    assert "since" in found[0].headline


def test_what_came_back_is_no_finding_any_more() -> None:
    away = [plain(at, 60.0, 0.2, 10) for at in range(40, 70)]
    back = [plain(at, 101.0, 0.2, 10) for at in range(70, 75)]

    assert checks(list_findings(calm(40, 1) + away, [], version=1)) == {"narrowing"}
    assert list_findings(calm(40, 1) + away + back, [], version=1) == []


def test_a_wider_shop_is_no_alarm() -> None:
    wide = [plain(at, 300.0, 0.05, 10) for at in range(40, 80)]

    assert list_findings(calm(40, 2) + wide, [], version=1) == []


def test_nothing_is_said_of_narrowing_before_the_twenty_first_window() -> None:
    early = [plain(at, 100.0 - 5 * at, 0.2, 1) for at in range(20)]

    assert list_findings(early, [], version=1) == []


def test_windows_too_small_for_the_size_are_passed_over() -> None:
    quiet = [plain(at, 20.0, 0.2, 10, size="30") for at in range(40, 80)]

    assert list_findings(calm(40, 3) + quiet, [], version=1) == []


def test_what_was_said_stays_when_windows_are_added() -> None:
    away = [plain(at, 60.0, 0.2, 10) for at in range(40, 80)]
    windows = calm(40, 4) + away

    sinces = set()
    for n in range(55, 81):
        found = list_findings(windows[:n], [], version=1)
        sinces |= {finding.headline.split(":")[0] for finding in found}

    assert len(sinces) == 1


def test_windows_come_in_any_order() -> None:
    windows = shop(45, learns=1.5, seed=0)

    assert list_findings(windows[::-1], [], version=1) == list_findings(windows, [], version=1)


def test_empty_lists_and_repeats_are_told_of_the_newest_window() -> None:
    broken = plain(1, 100.0, 0.2, 1)
    broken.facts["lists"]["facts"]["empty"] = 3
    broken.facts["lists"]["repeating"] = 7

    found = list_findings([plain(0, 100.0, 0.2, 1), broken], [], version=1)

    assert [finding.headline for finding in found] == [
        "3.0% of lists were empty since 2 Sep.",
        "7.0% of lists held an item twice since 2 Sep.",
    ]


def test_lists_that_beat_the_popular_one_are_said_to() -> None:
    found = list_findings([], takings(20, own=0.25, popular=0.12, seed=0), version=1)

    assert [finding.severity for finding in found] == ["info"]
    assert "of the popular list, better." in found[0].headline
    assert found[0].evidence["log_e"] >= found[0].evidence["limit"]
    assert found[0].evidence["gain"][0] > 0


def test_a_popular_list_that_is_better_calls_a_person() -> None:
    found = list_findings([], takings(20, own=0.10, popular=0.22, seed=0), version=1)

    assert [finding.severity for finding in found] == ["fail"]
    assert "of the popular list, worse." in found[0].headline
    assert found[0].done == "serve the popular list, or refit"


def test_level_lists_are_not_decided_more_often_than_allowed() -> None:
    decided = 0
    for seed in range(80):
        found = list_findings([], takings(12, own=0.2, popular=0.2, seed=seed, n=80), version=1,
                              alpha=0.1)  # fmt: skip
        decided += "not decided" not in found[0].headline

    assert decided / 80 <= 0.1


def test_hits_are_told_with_their_range_when_no_popular_list_was_kept() -> None:
    windows = takings(3, own=0.3, popular=0.1, seed=0)
    for one in windows:
        del one.facts["lists"]["shadow"]

    found = list_findings([], windows, version=1)

    assert len(found) == 1
    assert "no popular list was kept" in found[0].headline
    low, mid, high = windows[-1].facts["lists"]["hits"]
    assert low < found[0].number == mid < high


def test_hits_of_another_version_do_not_count() -> None:
    windows = takings(20, own=0.10, popular=0.30, seed=0, version=1)
    windows += takings(20, own=0.30, popular=0.10, seed=1, version=2)

    found = list_findings([], windows, version=2)

    assert [finding.severity for finding in found] == ["info"]
    assert "better" in found[0].headline


def test_the_stage_tells_what_lists_say() -> None:
    days = [
        traffic.window(traffic.log(traffic.rows(40, np.random.default_rng(day)), day), day)
        for day in range(45)
    ]
    narrow = shop(45, learns=1.5, seed=0)
    lists = [
        replace(day, facts={**day.facts, **one.facts})
        for day, one in zip(days, narrow, strict=True)
    ]

    plain, told = (
        watch(
            windows, traffic.reference(), Upkeep(), model="films", version=traffic.VERSION,
            now=days[-1].end,
        )
        for windows in (days, lists)
    )  # fmt: skip

    assert "narrowing" not in checks(list(plain.findings))
    assert "narrowing" in checks(list(told.findings))
    assert told.state == "watch"


def test_windows_without_lists_and_without_outcomes_say_nothing() -> None:
    bare = window(0, {})
    bare = Window(bare.kind, bare.start, bare.end, 1, 5, {})

    assert list_findings([bare], [bare], version=1) == []
    assert list_findings([], takings(3, own=0.1, popular=0.1, seed=0, n=0), version=1) == []
