from __future__ import annotations

from dataclasses import replace

import pytest

from everfit.evidence.interval import Interval
from everfit.faces.words.block import final_block
from everfit.faces.words.grid import wide
from everfit.records import Hypothesis, Member, Segment, Trial
from tests.faces.build import assessment, decision, result, study, trial, version

GOLDEN = """\
Done in 52 s (budget 1 min). Store: ./.everfit

#  trial              AUC  95% range      fit   per row
1  blend of 2       0.849  0.838 - 0.860  1:22  42 us    ← v1
2  LightGBM         0.847  0.836 - 0.858  0:41  21 us
3  CatBoost         0.845  0.834 - 0.856  0:41  21 us
-  prior (to beat)  0.500  0.489 - 0.511  0:41  21 us
   (#1 is corrected for having been chosen, the others are not)
   1 more: everfit leaderboard churn

Verdict  Promoted v1: it beats the floor beyond noise.
Blend    60% LightGBM; 40% CatBoost.
Watch    Segment plan_type=trial is served worse than the other rows: mean log
         loss higher by 0.060 (0.040 to 0.080), 3,120 rows.
         `last_call_result` is known only after the target.
Stopped  The expected gain was no longer worth the time.
Next     everfit predict churn NEW.csv         use it
         everfit why churn                     why this model"""


def test_the_final_block_reads_top_down() -> None:
    assert final_block(result(), budget_s=60.0) == GOLDEN


def test_a_simple_model_that_others_seem_to_beat_says_why_it_was_chosen() -> None:
    idea = Hypothesis("one weight a feature", "linear", stage="simple")
    simple = replace(trial(4, "", 0.84), hypothesis=idea)
    alone = replace(study().candidate, members=(Member(4, idea, 1.0, ("a",), True),))
    better = study(candidate=alone, trials=(simple, trial(1, "LightGBM", 0.847)))
    worse = study(candidate=alone, trials=(simple, trial(1, "LightGBM", 0.83)))

    assert "Choice   The simple model, for none" in final_block(result(study=better))
    assert "Choice" not in final_block(result(study=worse))
    assert "Choice" not in final_block(result())


def test_names_that_differ_in_their_number_alone_stay_different_when_they_are_cut() -> None:
    names = [f"boosted trees by size rule, log target #{n}" for n in (7, 11)]
    found = study(trials=tuple(trial(n, name, 0.8) for n, name in enumerate(names)))

    text = final_block(result(study=found))

    assert "... #7 " in text
    assert "... #11 " in text


def test_what_is_needed_is_said_once() -> None:
    open_ = decision(
        kind="inconclusive", headline="Kept v1; v2 may be better, but it needs 240 more rows",
        would_change="240 more rows that neither version saw",
    )  # fmt: skip

    text = final_block(result(decision=open_))

    assert text.count("240 more rows") == 1


def test_a_rule_that_the_headline_names_is_not_named_again() -> None:
    failed = replace(decision().because[0], passed=False)
    kept = decision(
        kind="kept", headline="Kept v1: v2 does not pass 'gain on the floor'", because=(failed,)
    )

    assert "Not passed" not in final_block(result(decision=kept))


def test_a_segment_that_is_served_worse_than_by_the_floor_is_told_first() -> None:
    harmed = (Segment("region=north", 812, Interval(0.01, 0.03, 0.05), 0.001),)

    text = final_block(result(study=study(candidate=replace(study().candidate, harmed=harmed))))

    watch = " ".join(text[text.index("Watch") :].split())
    assert watch.startswith("Watch Segment region=north is served worse than by the floor")


def test_one_model_alone_is_no_blend() -> None:
    alone = replace(study().candidate, members=study().candidate.members[:1])

    assert "Blend" not in final_block(result(study=study(candidate=alone)))


def test_a_version_that_was_not_promoted_says_what_failed_and_what_would_change_it() -> None:
    because = replace(decision().because[0], passed=False)
    kept = decision(
        kind="kept", headline="Kept v1; did not promote v2", because=(because,),
        would_change="a gain above 0.005",
    )  # fmt: skip

    text = final_block(result(decision=kept, version=version(2, state="challenger")))

    assert "Not passed: gain on the floor. This would change it: a gain above 0.005." in " ".join(
        text.split()
    )
    assert "← v2" in text
    assert "everfit compare churn v1 v2" in text


def test_a_refused_first_version_offers_no_prediction() -> None:
    refused = decision(kind="refused", headline="Refused v1")

    text = final_block(result(decision=refused, champion=None))

    assert "everfit predict" not in text
    assert "everfit why churn" in text


def test_a_second_champion_can_be_undone() -> None:
    text = final_block(result(version=version(2), champion=version(2)))

    assert "everfit rollback churn" in text


@pytest.mark.parametrize(
    "name", ["x" * 300, "年齢" * 60, "a\nb\tc\x1b[31m", "µ" * 100, "'; drop table --" * 9]
)
def test_no_line_is_wider_than_80_columns_or_holds_a_control_character(name: str) -> None:
    odd = trial(1, name, 0.847)
    found = study(trials=(odd, trial(2, "CatBoost", 0.845)))
    findings = tuple(replace(f, headline=f"{name} {f.headline}") for f in assessment().findings)

    text = final_block(result(study=found, assessment=assessment(findings=findings)))

    lines = text.splitlines()
    table = lines[2 : lines.index("", 2)]
    assert max(wide(line) for line in table) <= 80
    assert all(c.isprintable() for line in lines for c in line)


def test_scores_of_large_numbers_get_separators_and_no_useless_decimals() -> None:
    score = Interval(51_200.0, 52_345.6, 53_900.0, n=1460)
    found = study(candidate=replace(study().candidate, score=score), trials=())

    text = final_block(result(study=found))

    assert "52,300  51,200 - 53,900" in text


def test_trials_without_a_score_do_not_break_the_block() -> None:
    bare = Trial(1, Hypothesis("odd", "odd"), "done")

    assert "Verdict" in final_block(result(study=study(trials=(bare,))))


def test_a_floor_that_serves_is_called_one() -> None:
    idea = Hypothesis("popular, 30 days", "popular", stage="floor")
    floor = replace(trial(4, "", 0.3), hypothesis=idea)
    alone = replace(study().candidate, members=(Member(4, idea, 1.0, ("a",), True),))

    text = final_block(result(study=study(candidate=alone, trials=(floor, trial(1, "EASE", 0.29)))))

    assert "Choice   What must be beaten, for nothing that was tried is better" in text


def test_further_measures_stand_in_one_sentence() -> None:
    measures = {
        "ndcg@10": 0.34,
        "recall@20": 0.159,
        "ndcg@10 of new users": 0.4,
        "coverage@10": 0.07,
    }
    lists = replace(study().problem, task="recommend", metric="ndcg", form="lists", group="user_id")
    told = replace(study().candidate, measures=measures)

    text = final_block(result(study=study(problem=lists, candidate=told)))

    assert "Also     recall@20 0.159; ndcg@10 of new users 0.4; coverage@10 0.07." in text
    assert "Also" not in final_block(result())


def test_lists_are_told_in_words_of_lists() -> None:
    lists = replace(study().problem, task="recommend", metric="ndcg", form="lists", group="user_id")

    text = final_block(result(study=study(problem=lists)))

    assert "per list" in text
    assert "3,120 lists" in text
    assert "than the other lists" in text
    assert "everfit recommend churn --user NAME" in text
    assert "row" not in text
