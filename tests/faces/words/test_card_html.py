from __future__ import annotations

from html.parser import HTMLParser

from everfit.faces.words.board import rows_of
from everfit.faces.words.card import card_html
from tests.faces.build import decision, study, trial, version


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags_of(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def test_the_card_is_well_formed_small_and_has_no_script() -> None:
    html = card_html(version(), rows_of(study()), decision(), ["a segment is weaker"])

    tags = tags_of(html)
    assert tags.open == []
    assert "script" not in tags.seen
    assert "://" not in html
    assert len(html) < 60_000


def test_names_from_files_cannot_become_markup() -> None:
    evil = "<script>alert('x')</script>"
    found = study(trials=(trial(1, evil, 0.8),))

    html = card_html(version(model=evil), rows_of(found), decision(headline=evil), [evil])

    assert "script" not in tags_of(html).seen
    assert html.count("&lt;script&gt;") == 4
