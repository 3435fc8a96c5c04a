"""How likely each item stands at each place, whatever stands elsewhere."""

from __future__ import annotations

import numpy as np

from everfit.column import Array
from everfit.lists.explore.draw import (
    Explore,
    candidates,
    log_weights,
    next_chances,
    placed,
)

WIDE = 0.5  # share of places that the wider of two policies draws, to reach what is seldom seen


def place_chances(
    codes: Array, scores: Array, policy: Explore, *, k: int = 10, draws: int = 256
) -> Array:
    """The chance that each candidate of ONE list (depth,) stands at each place, (k, depth).

    Lists are drawn down to the place above, and the exact chances given these are averaged: right
    on average, exact for the first place and for a share of 0. What hardly ever stands at a place
    may get 0; :func:`chances_at` does not. The same arguments give the same numbers.
    """
    items, worth = candidates(np.asarray(codes)[None], np.asarray(scores)[None], k)
    depth = items.shape[1]
    rng = np.random.Generator(np.random.PCG64(policy.seed % 2**64))
    n = draws if policy.share > 0 else 1
    weight = np.repeat(log_weights(items, worth, policy.temperature), n, axis=0)
    left = np.repeat(items >= 0, n, axis=0)
    at, _ = placed(weight, left, rng.random((n, depth)), rng.random((n, k)) < policy.share)
    found = np.zeros((k, depth))
    for place in range(k):
        found[place] = next_chances(weight, left, policy.share).mean(axis=0)
        taken = np.flatnonzero(at[:, place] >= 0)
        left[taken, at[taken, place]] = False
    return found


def expected_exposure(
    codes: Array, scores: Array, policy: Explore, n_items: int, *, k: int = 10, draws: int = 64
) -> Array:
    """How many places each item of the catalogue gets on average, (n_items,).

    Over the candidate lists (n, depth). Its entropy (``exposure.entropy``) says how widely the
    policy shows the catalogue.
    """
    shown = np.zeros(n_items)
    for items, worth in zip(np.asarray(codes), np.asarray(scores), strict=True):
        held = items >= 0
        places = place_chances(items, worth, policy, k=k, draws=draws).sum(axis=0)
        np.add.at(shown, items[held], places[held])
    return shown


def chances_at(
    codes: Array, scores: Array, shown: Array, policy: Explore, *, draws: int = 128
) -> Array:
    """The chance of each shown item (k,) to stand at ITS place in one list of (depth,) candidates.

    For the item-position estimator. Lists without the item are drawn down to its place; each
    counts by how likely the policy makes it, and by the chance of the item then: right on average,
    and above 0 for everything that can be shown, however seldom. 0 for what is no candidate,
    1 where no item stands. The same arguments give the same numbers.

    Notes
    -----
    ``P(i at j) = sum over lists without i of P(list down to j - 1) c_j``. Half of the lists are
    drawn by the policy, half by one with a share of at least one half: an item that is passed over
    needs draws that the policy seldom makes. Weights are those of the mixture of both.

    References
    ----------
    .. [1] Veach & Guibas (1995), Optimally combining sampling techniques for Monte Carlo
       rendering, SIGGRAPH: the balance heuristic.
    """
    items, worth = candidates(np.asarray(codes)[None], np.asarray(scores)[None], 1)
    listed = np.asarray(shown, dtype=np.int64)
    here = items[0] == listed[:, None]  # (k, depth)
    found = np.where(listed < 0, 1.0, 0.0)
    place = np.flatnonzero((listed >= 0) & here.any(axis=1))
    if not len(place):
        return found
    n = 2 * (draws // 2) if policy.share > 0 else 2
    own = np.repeat(here[place].argmax(axis=1), n)
    stands = np.repeat(place, n)
    weight = np.repeat(log_weights(items, worth, policy.temperature), len(own), axis=0)
    left = np.repeat(items >= 0, len(own), axis=0)
    shares = (policy.share, max(policy.share, WIDE) if policy.share > 0 else 0.0)
    wide = np.arange(len(own)) % n >= n // 2
    rng = np.random.Generator(np.random.PCG64(policy.seed % 2**64))
    rows, chance = np.arange(len(own)), np.zeros(len(own))
    likely, drawn = np.ones(len(own)), np.ones((2, len(own)))
    for step in range(int(place.max()) + 1):
        each = np.stack([next_chances(weight, left, share) for share in shares])
        now = stands == step
        mixed = drawn.mean(axis=0)
        chance[now] = (likely * each[0, rows, own] / np.where(mixed > 0, mixed, 1.0))[now]
        each[:, rows, own] = 0.0
        rest = each.sum(axis=2)  # the chance that another item is taken, by either policy
        by = np.where(wide[:, None], each[1], each[0])
        upto = np.cumsum(by, axis=1)
        taken = (upto <= (rng.random(len(own)) * upto[:, -1])[:, None]).sum(axis=1)
        taken = taken.clip(max=left.shape[1] - 1)
        likely = likely * each[0, rows, taken]
        drawn = drawn * each[:, rows, taken] / np.where(rest > 0, rest, 1.0)
        left[rows, taken] &= taken == own
    found[place] = chance.reshape(-1, n).mean(axis=1)
    return found
