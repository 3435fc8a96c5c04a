"""A key has one arm, everywhere and always; shares are as asked; a hold-out outlives canaries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from everfit.evidence.ratio import ratio_test
from everfit.live.arms import Arms, arm_of, part_of, version_of

KEYS = [f"customer-{i}" for i in range(20_000)]
SPLIT = Arms(3, canary=4, share=0.2, holdout=0.1)


def arms_of(arms: Arms, salt: str = "churn") -> list[str]:
    return [arm_of(key, arms, salt) for key in KEYS]


def test_another_process_gives_every_key_the_same_arm():
    code = (
        "from everfit.live.arms import Arms, arm_of\n"
        "arms = Arms(3, canary=4, share=0.2, holdout=0.1)\n"
        "print(*[arm_of(f'customer-{i}', arms, 'churn') for i in range(200)])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.split() == arms_of(SPLIT)[:200]


def test_what_is_drawn_for_a_key_is_fixed_for_ever():
    # stored arms would no longer be those of their keys if this changed
    assert part_of("customer-7", "churn/holdout") == pytest.approx(0.4759943145, abs=1e-9)


def test_keys_fall_into_the_arms_in_the_shares_that_were_asked_for():
    found = arms_of(SPLIT)

    counts = {arm: found.count(arm) for arm in SPLIT.shares}
    assert sum(counts.values()) == len(KEYS)
    assert not ratio_test(counts, SPLIT.shares).broken
    assert SPLIT.shares == pytest.approx({"champion": 0.72, "canary": 0.18, "holdout": 0.1})


def test_the_hold_out_keeps_its_keys_through_all_canaries():
    before, after = arms_of(SPLIT), arms_of(Arms(3, canary=5, share=0.7, holdout=0.1))

    held = [a == "holdout" for a in before]
    assert held == [a == "holdout" for a in after]
    assert held == [a == "holdout" for a in arms_of(Arms(3, holdout=0.1))]


def test_the_next_canary_draws_its_keys_anew():
    first, second = arms_of(Arms(3, canary=4, share=0.5)), arms_of(Arms(3, canary=5, share=0.5))

    same = sum(a == b for a, b in zip(first, second, strict=True)) / len(KEYS)
    assert same == pytest.approx(0.5, abs=0.02)


def test_a_larger_share_keeps_the_keys_that_the_canary_had():
    small, large = arms_of(Arms(3, canary=4, share=0.1)), arms_of(Arms(3, canary=4, share=0.3))

    assert all(b == "canary" for a, b in zip(small, large, strict=True) if a == "canary")


def test_two_models_do_not_draw_the_same_keys():
    one, other = arms_of(Arms(3, holdout=0.5), "churn"), arms_of(Arms(3, holdout=0.5), "fraud")

    same = sum(a == b for a, b in zip(one, other, strict=True)) / len(KEYS)
    assert same == pytest.approx(0.5, abs=0.02)


def test_a_share_of_all_leaves_nobody_to_the_champion_and_of_none_nobody_else():
    assert set(arms_of(Arms(3, canary=4, share=1.0))) == {"canary"}
    assert set(arms_of(Arms(3, canary=4, share=0.0))) == {"champion"}
    assert set(arms_of(Arms(3, canary=4, share=1.0, holdout=1.0))) == {"holdout"}


def test_a_key_of_any_text_has_an_arm():
    for key in ("", "ü", "a\0b", "\ud800", "x" * 10_000):
        assert arm_of(key, SPLIT, "churn") in SPLIT.shares


@pytest.mark.parametrize(
    ("arms", "answering", "split"),
    [
        (Arms(3), (3,), False),
        (Arms(3, canary=4), (3,), False),
        (Arms(3, canary=4, share=0.1), (3, 4), True),
        (Arms(3, canary=3, share=0.1), (3,), True),
        (Arms(3, holdout=0.1, shadow=5), (3,), True),
    ],
)
def test_who_answers_follows_from_the_arms(arms, answering, split):
    assert (arms.answering, arms.split) == (answering, split)
    assert Arms.from_dict(arms.as_dict()) == arms


def test_each_arm_has_its_version():
    arms = Arms(3, canary=4, share=0.1, holdout=0.1, shadow=5)

    found = [version_of(arm, arms) for arm in ("champion", "holdout", "canary", "shadow")]
    assert found == [3, 3, 4, 5]
