"""What all learners of lists share: answers in blocks, and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from everfit.errors import ArtefactRefused
from everfit.learners.listing import listed
from everfit.learners.listing.lister import refuse_large
from everfit.lists import asked as asks
from everfit.lists.neighbours import Neighbours, cosine, met
from everfit.lists.packed import SCORERS, opened
from everfit.lists.popular import Popular, popularity
from everfit.lists.top import unpack
from tests.lists.walks import groups


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = groups()
    scorer = Neighbours(cosine(met(seen)), popularity(seen))

    whole = listed(scorer, seen.histories())
    monkeypatch.setattr(asks, "CELLS", 7 * 60)
    parts = listed(scorer, seen.histories())

    np.testing.assert_array_equal(whole, parts)


def test_popular_lists_are_those_of_its_scores() -> None:
    seen = groups()
    base = popularity(seen, days=30.0)
    sparse = Neighbours(cosine(met(seen)) * 0.0, base, mix=1.0)

    quick = unpack(listed(Popular(base), seen.histories()))[0]
    plain = unpack(listed(sparse, seen.histories()))[0]

    np.testing.assert_array_equal(quick, plain)


def test_a_part_of_an_unknown_scorer_is_refused(tmp_path: Path) -> None:
    part = {"engine": "lists", "scorer": "oracle", "settings": {"again": False}}

    with pytest.raises(ArtefactRefused, match="no scorer can read this part"):
        opened(tmp_path, part)


def test_scorers_are_found_by_name() -> None:
    assert sorted(SCORERS) == [
        "content", "factors", "lagged", "neighbours", "popular", "reranked",
    ]  # fmt: skip


def test_too_many_items_are_refused_with_a_way_out() -> None:
    with pytest.raises(Exception, match="7,000 items") as caught:
        refuse_large(7_000, 6_000, "EASE")

    assert "lagged" in str(caught.value)
