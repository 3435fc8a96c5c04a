"""Going back is verified first, recorded either way, and the inverse of a promotion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from everfit.errors import Refused
from everfit.records import Because, Version
from everfit.release import after_rollback, judge, moves, refused, roll_back
from everfit.release.gates import manifest_holds
from everfit.store import Journal, open_store
from tests.release.build import KEY, case
from tests.release.build import packed as packed_version
from tests.store.build import packed, release, version

ONE, TWO = version(1), version(2)
GOOD = (Because("files as packed", True), Because("loads in a fresh process", True))


def test_a_verified_version_is_rolled_back_to() -> None:
    made = roll_back(champion=TWO, to=ONE, checks=GOOD, by="maria", reason="complaints")

    assert made.kind == "rolled_back"
    assert made.headline == "Rolled back from v2 to v1: complaints"
    assert (made.by, made.version) == ("maria", "v1")
    assert made.undo == "everfit rollback churn --to v2"


@pytest.mark.parametrize(
    "checks",
    [(), (Because("files as packed", None),), (*GOOD, Because("reproduces", False, note="row 3"))],
)
def test_a_version_that_is_not_verified_is_refused(checks: tuple[Because, ...]) -> None:
    made = roll_back(champion=TWO, to=ONE, checks=checks, by="person")

    assert made.kind == "refused"
    assert made.not_done == ("the champion was not moved",)
    assert made.headline == "Refused to roll back to v1; v2 still serves"
    with pytest.raises(Refused, match="Refused to roll back to v1"):
        raise refused(made)


def test_the_champion_is_no_place_to_go_back_to() -> None:
    assert roll_back(champion=TWO, to=TWO, checks=GOOD, by="person").kind == "refused"


def test_a_tampered_version_is_refused_and_the_champion_stays(tmp_path: Path) -> None:
    folder, manifest = packed_version(tmp_path)
    (folder / "plan.json").write_text("{}")

    check = manifest_holds(folder, key=KEY, sha256=manifest.sha256)
    made = roll_back(champion=TWO, to=ONE, checks=(check,), by="person")

    assert made.kind == "refused"
    assert "'plan.json'" in made.because[0].note
    assert "plan.json" in refused(made).got


def promote(store: Journal, number: int) -> None:
    champion = store.champion("churn")
    assert champion is not None
    losses = np.linspace(0.2, 1, 500)
    made = judge(case(), losses * 0.5, losses, looks=1)
    new: Version = version(number, packed(store, number))
    store.commit(
        made.__class__("churn", made.kind, made.headline),
        version=new,
        aliases=moves(made, champion.number, number),
    )


def test_promote_and_roll_back_undo_each_other_as_often_as_one_likes(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    release(store, store.begin_run("churn", {}), 1)
    states = [where(store)]
    for number in (2, 3):
        promote(store, number)
        states.append(where(store))

    back = []
    for _ in (2, 1):
        champion = store.champion("churn")
        assert champion is not None
        to = store.version("churn", "previous")
        made = roll_back(champion=champion, to=to, checks=GOOD, by="person")
        before = store.served_before("churn", to.number)
        store.commit(made, aliases=after_rollback(to, before))
        back.append(where(store))

    assert states == [(1, None), (2, 1), (3, 2)]
    assert back == [(2, 1), (1, None)]
    kinds = [d.kind for d in store.decisions("churn")]
    assert kinds == ["rolled_back", "rolled_back", "promoted", "promoted", "released"]


def where(store: Journal) -> tuple[int | None, int | None]:
    aliases = store.aliases("churn")
    previous = aliases.get("previous")
    return aliases["champion"].number, previous.number if previous else None
