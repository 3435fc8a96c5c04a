"""A shop in which people pick from what they are shown, window by window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from everfit.records import Window
from everfit.watch.lists import hit_facts, shown_facts

START = datetime(2026, 9, 1, tzinfo=UTC)
N_ITEMS, N_USERS, PER_WINDOW, K = 300, 2000, 120, 10


def window(
    at: int, lists: dict[str, Any], *, matured: bool = False, version: int = 1, n: int = PER_WINDOW
) -> Window:
    start = START + timedelta(days=at)
    kind = "matured" if matured else "asked"
    return Window(kind, start, start + timedelta(days=1), version, n, {"lists": lists})


def shop(n_windows: int, *, learns: float, seed: int, share: float = 0.0) -> list[Window]:
    """Windows of lists ranked by taste and by what was picked before, which ``learns`` weighs.

    0: picks change nothing, so windows are alike. Above 0 every window learns from the picks of
    the last: the shop narrows. ``share`` of the places show items at random.
    """
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=(N_USERS, N_ITEMS)) + 0.5 * rng.normal(size=N_ITEMS)
    picked = rng.poisson(5.0, N_ITEMS).astype(float)
    windows = []
    for at in range(n_windows):
        people = rng.integers(0, N_USERS, PER_WINDOW)
        score = taste[people] + learns * np.log1p(picked)
        codes = np.argsort(-score, axis=1)[:, :K]
        chance = rng.random(codes.shape) < share
        codes = np.where(chance, rng.integers(0, N_ITEMS, codes.shape), codes)
        facts = shown_facts(codes, people, np.ones(N_ITEMS), n_users=N_USERS,
                            start=START + timedelta(days=at), k=K)  # fmt: skip
        windows.append(window(at, facts))
        takes = rng.random(codes.shape) < 0.3 / np.arange(1, K + 1)
        if learns:
            picked += np.bincount(codes[takes], minlength=N_ITEMS)
    return windows


def takings(
    n_windows: int, *, own: float, popular: float, seed: int, n: int = 200, version: int = 1
) -> list[Window]:
    """Matured windows in which lists hold what was taken with these chances; some take nothing."""
    rng = np.random.default_rng(seed)
    windows = []
    for at in range(n_windows):
        truth = np.where(rng.random((n, 1)) < 0.8, 0.0, np.nan)
        lists, shadow = np.full((n, K), 5), np.full((n, K), 6)
        lists[:, 3] = np.where(rng.random(n) < own, 0, 5)
        shadow[:, 2] = np.where(rng.random(n) < popular, 0, 6)
        shadow[: n // 2] = -1  # the shadow slice is half of the requests
        facts = hit_facts(lists, truth, rng.integers(0, n, n), popular=shadow, k=K)
        windows.append(window(at, facts, matured=True, version=version, n=n))
    return windows
