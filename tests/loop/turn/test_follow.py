"""A recalibration that proved itself goes on, and ends when somebody goes back."""

from __future__ import annotations

from everfit.loop.turn.follow import follow
from everfit.records import Because
from tests.loop.turn.fakes import MODEL, served
from tests.loop.turn.test_moves import proven


def adaptive():
    model = served()
    model.store.done.append(proven(model))
    model.add(2, until=model.now)
    model.fitted("recalibrate", 2, 1)
    return model


def test_the_newest_recalibration_of_the_champion_serves_and_its_base_stands_by():
    model = adaptive()

    assert model.do(follow) is not None

    state = model.state()
    assert {name: a.number for name, a in state.aliases.items()} == {
        "champion": 2, "previous": 1, "base": 1,
    }  # fmt: skip
    assert "recalibration was better in its trial" in model.store.rows[-1].because[0].rule
    assert model.do(follow) is None


def test_without_proof_nothing_follows():
    model = served()
    model.add(2, until=model.now)
    model.fitted("recalibrate", 2, 1)

    assert model.do(follow) is None


def test_a_version_whose_files_changed_does_not_follow_and_is_not_tried_again():
    model = adaptive()
    model.checks = (Because("files are as they were packed", False),)

    model.do(follow)

    assert model.state().champion.number == 1
    assert model.store.rows[-1].kind == "kept"
    assert model.do(follow) is None


def test_who_goes_back_to_the_base_by_hand_ends_recalibration():
    model = adaptive()
    model.do(follow)
    model.by_hand(champion=1)
    model.add(3, until=model.now)
    model.fitted("recalibrate", 3, 1)

    assert not model.state().adaptive
    assert model.do(follow) is None


def test_a_new_champion_is_recalibrated_in_its_turn():
    model = adaptive()
    model.do(follow)
    model.add(4, until=model.now)
    model.by_hand(champion=4)
    model.add(5, until=model.now)
    model.fitted("recalibrate", 5, 4)

    assert model.do(follow) is not None
    state = model.state()
    assert (state.champion.number, state.root(5).number) == (5, 4)
    assert [s.key for s in model.store.steps(MODEL, "follow")] == ["v000000002", "v000000005"]
