"""What a person asks of a run, where a command line and a call must take it alike."""

from __future__ import annotations

from everfit.errors import UsageError


def one_item(target: str | None, user: str | None, item: str | None) -> str | None:
    """The target, which of lists is the column of the items.

    Raises
    ------
    UsageError : two targets are named, or one column is to hold users and items

    Examples
    --------
    >>> one_item(None, "user_id", "item_id"), one_item("churned", None, None)
    ('item_id', 'churned')
    """
    if item is not None and target is not None and item != target:
        raise UsageError(
            "two targets are named",
            got=f"--target {target} and --item {item}",
            expected="one of them: the items are the target",
            do="leave --target out",
        )
    wanted = item if item is not None else target
    if user is not None and user == wanted:
        raise UsageError(
            "one column cannot hold the users and the items",
            got=repr(user),
            expected="two columns",
            do="name the column of the users with --user, that of the items with --item",
        )
    return wanted
