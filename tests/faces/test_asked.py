"""What a person asks of a run."""

from __future__ import annotations

import pytest

from everfit.errors import UsageError
from everfit.faces.asked import one_item


def test_the_column_of_the_items_is_the_target() -> None:
    assert one_item(None, "user", "item") == "item"
    assert one_item("item", "user", "item") == "item"
    assert one_item("churned", None, None) == "churned"
    assert one_item(None, None, None) is None


def test_two_targets_are_refused() -> None:
    with pytest.raises(UsageError, match="two targets"):
        one_item("rating", "user", "item")


def test_users_and_items_are_two_columns() -> None:
    with pytest.raises(UsageError, match="--user"):
        one_item(None, "id", "id")
