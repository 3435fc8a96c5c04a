from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from everfit.alert.payload import as_json, as_mail, as_slack, first_line
from tests.alert.looks import DAY0, cause, firing

ODD = "<script>&alert</script> *bold*"


def test_the_first_line_has_mark_model_and_what_happened() -> None:
    assert first_line(firing()) == "■ churn: loss is off."
    watch = firing(cause=cause(state="watch"))
    assert first_line(watch).startswith("▲ churn")
    over = firing(event="resolved", at=DAY0 + timedelta(hours=6, minutes=35), fired_at=DAY0)
    assert first_line(over) == "● churn: over: loss is off. Lasted 6 h 35 min."


def test_slack_gets_a_text_and_blocks_that_cannot_be_written_into() -> None:
    odd = firing(cause=replace(cause(), headline=ODD, about=("<!channel>",)))

    shape = as_slack(odd, "abc")

    assert "<" not in shape["text"]
    assert "<!channel>" not in str(shape["blocks"])
    assert [block["type"] for block in shape["blocks"]] == ["section", "section", "context"]
    assert "*You need to do* nothing yet" in shape["blocks"][1]["text"]["text"]


def test_slack_takes_only_so_much() -> None:
    long = firing(cause=replace(cause(), headline="x" * 9_000, means="y" * 9_000))

    shape = as_slack(long, "abc")

    assert max(len(b["text"]["text"]) for b in shape["blocks"][:2]) <= 3_000


def test_a_mail_escapes_what_columns_are_called() -> None:
    _, plain, html = as_mail(firing(cause=replace(cause(), headline=ODD)))

    assert ODD in plain
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_numbers_come_with_range_rows_limit_and_who_set_it() -> None:
    full = replace(
        cause(), measured=0.80612, low=0.793, high=0.819, n=9612, limit=0.82, limit_by="default"
    )

    _, plain, _ = as_mail(firing(cause=full))

    assert "0.8061 (95% range 0.793 to 0.819), 9,612 rows" in plain
    assert "0.82 (default)" in plain


def test_the_key_of_an_alert_is_the_same_from_beginning_to_end() -> None:
    begin, end = as_json(firing(), "abc"), as_json(firing(event="resolved", part=1), "abc")

    assert begin["dedup_key"] == end["dedup_key"] == "abc/churn/loss#1"
    assert begin["id"] != end["id"]


def test_what_is_not_a_number_is_null() -> None:
    odd = firing(cause=replace(cause(), measured=float("nan"), limit=float("inf")))

    shape = as_json(odd, "abc")

    assert shape["measured"]["value"] is None
    assert shape["limit"] is None
