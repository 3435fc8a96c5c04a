"""A person says who answers: one transaction each, verified first, recorded always."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from everfit.errors import ModelUnknown, Refused, UsageError
from everfit.house import House
from everfit.live.arms import Arms
from everfit.live.traffic.split import arms_of
from everfit.records import Because
from tests.live.coins import coin_store, house_at


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return coin_store(tmp_path / "store", (1, 2, 3))


@pytest.fixture
def house(store, monkeypatch):
    """A house that takes every version for sound, because most tests are not about that."""
    sound = (Because("files as packed", True), Because("loads in a fresh process", True))
    monkeypatch.setattr(House, "checks", lambda self, version: sound)
    with house_at(store) as made:
        yield made


def spoil(store: Path, number: int) -> None:
    (store / "models" / "coin" / f"v{number}" / "plan.json").write_text("{}")


def test_a_promotion_by_hand_moves_champion_and_previous_and_says_who_did_it(house):
    made = house.promote("coin", "v2", reason="we know better", by="anna")

    assert arms_of(house, "coin") == Arms(2)
    assert house.aliases("coin")["previous"].number == 1
    assert (made.kind, made.version, made.by) == ("promoted", "v2", "anna")
    assert made.headline == "Promoted v2 by hand; v1 is now previous: we know better"
    assert made.undo == "everfit rollback coin"
    assert house.decisions("coin")[0] == made


def test_a_promotion_can_be_rolled_back(house):
    house.promote("coin", "v2")

    house.rollback("coin")

    assert arms_of(house, "coin") == Arms(1)


def test_promoting_the_canary_ends_it_and_leaves_the_hold_out(house):
    house.canary("coin", "v2", 0.3, holdout=0.1)
    house.shadow("coin", "v3")

    house.promote("coin", "v2")

    assert arms_of(house, "coin") == Arms(2, holdout=0.1, shadow=3)
    assert house.traffic("coin").share == 0.0


def test_promoting_another_version_leaves_the_canary(house):
    house.canary("coin", "v2", 0.3)

    house.promote("coin", "v3")

    assert arms_of(house, "coin") == Arms(3, canary=2, share=0.3)


@pytest.mark.parametrize("act", ["promote", "canary", "shadow"])
def test_the_champion_itself_is_refused(house, act):
    with pytest.raises(Refused, match="Refused to") as told:
        house.canary("coin", "v1", 0.1) if act == "canary" else getattr(house, act)("coin", "v1")

    assert "another version than the champion: v1 is the champion already" in told.value.got
    assert arms_of(house, "coin") == Arms(1)
    assert house.decisions("coin")[0].kind == "refused"


@pytest.mark.parametrize("act", ["promote", "canary", "shadow"])
def test_a_version_that_does_not_verify_is_refused_recorded_and_nothing_moves(store, act):
    spoil(store, 2)
    with house_at(store) as house:
        with pytest.raises(Refused, match="nothing was changed") as told:
            house.canary("coin", "v2", 0.1) if act == "canary" else getattr(house, act)(
                "coin", "v2"
            )

        assert "files as packed" in told.value.got
        assert arms_of(house, "coin") == Arms(1)
        assert (house.decisions("coin")[0].kind, house.decisions("coin")[0].version) == (
            "refused", "v2",
        )  # fmt: skip


def test_a_sound_version_is_verified_by_loading_it_in_a_process_of_its_own(store):
    with house_at(store) as house:
        made = house.promote("coin", "v2")

    assert [because.rule for because in made.because] == [
        "files as packed", "loads in a fresh process", "reproduces its golden rows",
    ]  # fmt: skip


def test_a_canary_is_begun_changed_and_ended(house):
    begun = house.canary("coin", "v2", 0.1, holdout=0.05, by="anna", reason="looks good")
    assert arms_of(house, "coin") == Arms(1, canary=2, share=0.1, holdout=0.05)
    assert begun.headline == (
        "v2 answers 0.1 of the keys beside v1; 0.05 of all keys stay with the champion: looks good"
    )
    assert house.aliases("coin")["canary"].decision == begun.id

    changed = house.canary("coin", "v2", 0.5)
    assert arms_of(house, "coin") == Arms(1, canary=2, share=0.5, holdout=0.05)
    assert house.aliases("coin")["canary"].decision == changed.id

    ended = house.canary("coin")
    assert arms_of(house, "coin") == Arms(1, holdout=0.05)
    assert ended.headline.startswith("v2 answers no keys any more; v1 answers all of them")


def test_a_hold_out_stands_without_a_canary(house):
    house.canary("coin", holdout=0.2)

    assert arms_of(house, "coin") == Arms(1, holdout=0.2)


@pytest.mark.parametrize(
    ("share", "holdout"), [(-0.1, None), (1.1, None), (float("nan"), None), (0.1, 2.0)]
)
def test_a_share_outside_nought_to_one_is_refused_before_anything_is_written(house, share, holdout):
    before = len(house.decisions("coin"))

    with pytest.raises(UsageError, match="cannot be used"):
        house.canary("coin", "v2", share, holdout=holdout)

    assert len(house.decisions("coin")) == before


def test_a_share_needs_a_version(house):
    with pytest.raises(UsageError, match="a canary needs a version"):
        house.canary("coin", share=0.1)


def test_a_shadow_is_begun_and_ended(house):
    begun = house.shadow("coin", "v2")
    assert arms_of(house, "coin") == Arms(1, shadow=2)
    assert begun.headline == "v2 answers in the shadow of v1"

    ended = house.shadow("coin")
    assert arms_of(house, "coin") == Arms(1)
    assert ended.headline == "v2 answers in the shadow no more"


@pytest.mark.parametrize("act", ["promote", "canary", "shadow"])
def test_an_unknown_version_is_told_with_those_that_there_are(house, act):
    with pytest.raises(ModelUnknown, match="no version 'v9'") as told:
        house.canary("coin", "v9", 0.1) if act == "canary" else getattr(house, act)("coin", "v9")

    assert "v1" in told.value.got


def test_two_who_act_at_once_do_not_both_win(store, monkeypatch):
    """The second one decided about a champion that is champion no more."""
    with house_at(store) as one, house_at(store) as other:
        sound = (Because("files as packed", True),)

        def checks(self: House, version: object) -> tuple[Because, ...]:
            monkeypatch.setattr(House, "checks", lambda self, version: sound)
            other.promote("coin", "v3")
            return sound

        monkeypatch.setattr(House, "checks", checks)

        with pytest.raises(Refused, match="was changed while this was being decided"):
            one.promote("coin", "v2")

        assert arms_of(one, "coin") == Arms(3)


def test_a_decision_that_moves_nothing_is_recorded(house):
    from everfit.release.handover import incident

    failed = [Because("files as packed", False, note="'plan.json' is not what was packed")]
    made = house.record(incident("coin", "v2", "v1", failed))

    assert house.decisions("coin")[0] == made
    assert made.kind == "incident"
    assert made.by == "system"


def test_a_pause_is_in_the_ledger_and_ends_with_a_resume(house):
    made = house.pause("coin", reason="the source is being moved", by="anna")
    during = house.is_paused("coin"), house.status("coin")[0].state
    house.record(handover_of_nothing(house))  # other decisions do not end it
    still = house.is_paused("coin")
    ended = house.resume("coin")

    assert (made.kind, made.by, made.undo) == ("paused", "anna", "everfit resume coin")
    assert made.headline == "Paused by hand: the source is being moved"
    assert (during, still) == ((True, "paused"), True)
    assert (ended.kind, house.is_paused("coin")) == ("resumed", False)
    assert house.status("coin")[0].state == "serving"


def handover_of_nothing(house):
    return replace(house.decisions("coin")[-1], kind="kept", id=0, run="", version="")


def test_what_is_paused_is_not_paused_again_nor_resumed_twice(house):
    house.pause("coin", reason="first")

    with pytest.raises(Refused, match="(?s)paused already.*first.*everfit resume coin"):
        house.pause("coin")
    house.resume("coin")
    with pytest.raises(Refused, match="'coin' is not paused"):
        house.resume("coin")

    assert [d.kind for d in house.decisions("coin")[:2]] == ["resumed", "paused"]


def test_a_model_that_is_not_there_cannot_be_paused(house):
    with pytest.raises(ModelUnknown, match="did you mean 'coin'"):
        house.pause("coinn")


def test_promoting_or_going_back_to_the_fallback_ends_it(house):
    for act in (lambda: house.promote("coin", "v1"), lambda: house.rollback("coin")):
        house.promote("coin", "v2")
        house._open(create=False).commit(handover_of_nothing(house), aliases={"fallback": 1})

        act()

        assert arms_of(house, "coin").champion == 1
        assert house.aliases("coin")["fallback"].number is None
