"""Who answered, in words."""

from everfit.evidence.ratio import ratio_test
from everfit.faces.words.traffic import split_words, traffic_text
from everfit.live.arms import Arms
from everfit.live.traffic.judged import Judged
from everfit.live.traffic.split import Split

SHARES = {"champion": 0.9, "canary": 0.1}


def split(**keys: int) -> Split:
    return Split(None, keys, keys, 0, ratio_test(keys, SHARES))


def test_a_split_that_nobody_was_asked_of_is_not_called_as_asked() -> None:
    said = "no key was seen since the arms had settled"

    assert split_words(split(champion=0, canary=0), 0) == said
    assert split_words(split(champion=90, canary=10), 100).startswith("as asked (p 1")


def test_outcomes_that_no_answer_can_be_held_against_are_counted() -> None:
    asked = Split(None, {"champion": 3}, {"champion": 3}, 0, None)

    told = traffic_text(Arms(1), asked, Judged("log_loss", {}, {}, left_out=2))

    assert "no outcome of a request is known yet" in told
    assert "2 outcomes left out: no label that the model knows, or no number" in told
