"""Lists that try something: a share of the places is drawn at random, and the chances are kept.

At each place a coin falls: with the chance ``share`` the item is drawn among the candidates that
are left, with weights ``exp(score/temperature)`` (Plackett-Luce); else it is the best one left. So
every candidate can stand at every place, and the chance of each choice is known exactly. Scores are
scaled to [0, 1] list by list first, so that a temperature means the same for every model.

Candidates stand best first, codes -1 where there is none; nothing else is ever shown.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from everfit.column import Array
from everfit.errors import UsageError

COLD, HOT = 1e-3, 1e3  # temperatures between which the choice makes a difference


@dataclass(frozen=True, slots=True)
class Explore:
    """How lists try something: ``share`` of the places in [0, 1], ``temperature`` 0.001 to 1,000.

    ``seed`` and the id of a request fix what is drawn for it, so that an answer can be repeated.
    """

    share: float = 0.0
    temperature: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and COLD <= self.temperature <= HOT):
            raise UsageError(
                "lists cannot explore like this",
                got=f"share {self.share}, temperature {self.temperature}",
                expected=f"a share of places in [0, 1] and a temperature from {COLD:g} to {HOT:g}",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One list as it is shown: items (k,), -1 where there is none, and the chance of each.

    ``log_propensity`` (k,) is the log of the chance of each item GIVEN those above it; the sum
    is that of the whole list. ``drawn`` (k,) says at which places the coin fell for a draw.
    """

    codes: Array
    log_propensity: Array
    drawn: Array


def explored(codes: Array, scores: Array, policy: Explore, *, request: str, k: int = 10) -> Shown:
    """The list of one request from its candidates ``codes`` and ``scores``, both (depth,).

    The same request, candidates and policy give the same list, and a shorter one is its
    beginning. With a share of 0 it is the plain list, and every chance is 1.

    Raises
    ------
    UsageError : candidates that cannot be used, or k below 1

    Examples
    --------
    >>> plain = explored(np.array([7, 3, 9]), np.array([3.0, 2.0, 1.0]), Explore(), request="a")
    >>> plain.codes[:4].tolist(), plain.log_propensity.sum().item()
    ([7, 3, 9, -1], 0.0)
    """
    items, worth = candidates(np.asarray(codes)[None], np.asarray(scores)[None], k)
    held = np.flatnonzero(items[0] >= 0)
    shown, chances = np.full(k, -1, dtype=np.int64), np.zeros(k)
    if policy.share == 0 or not len(held):
        shown[: min(k, len(held))] = items[0][held[:k]]
        return Shown(shown, chances, np.zeros(k, dtype=bool))
    depth = items.shape[1]
    u = _draws(policy.seed, request, depth + k)
    coins = u[depth:] < policy.share
    weight = log_weights(items, worth, policy.temperature)[0]
    at, chances = _drawn(weight, held, np.argsort(_waits(weight, u[:depth])), coins, policy.share)
    shown[: len(at)] = items[0][at]
    return Shown(shown, chances, coins & (shown >= 0))


def log_chances(codes: Array, scores: Array, shown: Array, policy: Explore) -> Array:
    """The log chance of each shown item given those above it, under any policy, (n, k).

    ``log(share e^(s/T)/sum_left e^(s/T) + (1 - share) [best left])``: minus infinity for what the
    policy never shows there, 0 at a place without an item. What another policy makes of lists
    that were logged is this with its own candidates.

    Parameters
    ----------
    codes, scores : (n, depth), the policy's candidates, best first
    shown : (n, k) items

    Raises
    ------
    UsageError : candidates that cannot be used, or lists of other requests
    """
    lists = np.asarray(shown, dtype=np.int64)
    items, worth = candidates(codes, scores, 1)
    if lists.ndim != 2 or len(lists) != len(items):
        raise UsageError(
            "lists and candidates do not fit",
            got=f"shown {lists.shape}, candidates {items.shape}",
            expected="shown (n, k) and candidates (n, depth)",
        )
    weight = log_weights(items, worth, policy.temperature)
    left = items >= 0
    found = np.zeros(lists.shape)
    for place in range(lists.shape[1]):
        chance = next_chances(weight, left, policy.share)
        here = (items == lists[:, place, None]) & (lists[:, place, None] >= 0)
        with np.errstate(divide="ignore"):
            found[:, place] = np.log(np.where(here, chance, 0.0).sum(axis=1))
        found[lists[:, place] < 0, place] = 0.0
        left = left & ~here
    return found


def candidates(codes: Array, scores: Array, k: int) -> tuple[Array, Array]:
    items, worth = np.asarray(codes), np.asarray(scores, dtype=np.float64)
    sound = items.ndim == 2 and items.shape == worth.shape and k >= 1
    if not sound or not np.isfinite(worth[items >= 0]).all():
        raise UsageError(
            "candidates cannot be drawn from",
            got=f"codes {items.shape}, scores {worth.shape}, k {k}",
            expected="items beside finite scores, best first, and k from 1",
        )
    return items.astype(np.int64), worth


def scaled(items: Array, scores: Array) -> Array:
    """Scores list by list on [0, 1]; 0 for all where they are equal."""
    held = items >= 0
    low = np.where(held, scores, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    high = np.where(held, scores, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    wide = high > low
    span = np.where(wide, high - low, 1.0)
    return np.where(held & wide, (scores - np.where(wide, low, 0.0)) / span, 0.0)


def log_weights(items: Array, scores: Array, temperature: float) -> Array:
    """Log weights (n, depth), the best of a list near 0."""
    return (scaled(items, scores) - 1.0) / temperature


def next_chances(weight: Array, left: Array, share: float) -> Array:
    """The chance of each candidate that is left to come next, (n, depth)."""
    if not left.shape[1]:
        return np.zeros(left.shape)
    some = left.any(axis=1, keepdims=True)
    logs = np.where(left, weight, -np.inf)
    top = np.where(some, logs.max(axis=1, initial=-np.inf, keepdims=True), 0.0)
    part = np.exp(logs - top)
    soft = part / np.where(some, part.sum(axis=1, keepdims=True), 1.0)
    best = np.arange(left.shape[1]) == left.argmax(axis=1)[:, None]
    return np.asarray(share * soft + (1.0 - share) * (best & some))


def placed(weight: Array, held: Array, u: Array, coins: Array) -> tuple[Array, Array]:
    """Which candidate comes at each place (n, k), -1 for none; and where one was drawn.

    The first of those left to arrive is a draw by weight, whichever were taken before for being
    best: waiting times are memoryless.
    """
    waits = np.where(held, _waits(weight, u), np.inf)
    left = held.copy()
    rows = np.arange(len(held))
    at = np.full(coins.shape, -1, dtype=np.int64)
    for place in range(coins.shape[1] if held.shape[1] else 0):
        first = np.where(left, waits, np.inf).argmin(axis=1)
        chosen = np.where(coins[:, place], first, left.argmax(axis=1))
        some = left.any(axis=1)
        at[some, place] = chosen[some]
        left[rows[some], chosen[some]] = False
    return at, coins & (at >= 0)


def _waits(weight: Array, u: Array) -> Array:
    """Logs of the waiting times ``-log(1 - u)/e^weight``."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(-np.log1p(-u)) - weight)


def _drawn(
    weight: Array, held: Array, arriving: Array, coins: Array, share: float
) -> tuple[list[int], Array]:
    """:func:`placed` and :func:`log_chances` of one list at once: somebody waits for it."""
    left = np.full(len(weight), -np.inf)
    left[held] = weight[held]
    best, first = held.tolist(), [at for at in arriving.tolist() if left[at] > -np.inf]
    at: list[int] = []
    chances = np.zeros(len(coins))
    for place in range(min(len(coins), len(held))):
        chosen = first[0] if coins[place] else best[0]
        top = left.max()
        soft = np.exp(left[chosen] - top) / np.exp(left - top).sum()
        chances[place] = share * soft + (1.0 - share) * (chosen == best[0])
        left[chosen] = -np.inf
        best.remove(chosen)
        first.remove(chosen)
        at.append(chosen)
    with np.errstate(divide="ignore"):
        chances[: len(at)] = np.log(chances[: len(at)])
    return at, chances


def _draws(seed: int, request: str, n: int) -> Array:
    """Uniform numbers (n,) that hang on the seed and the request alone; a longer row goes on."""
    digest = hashlib.blake2b(f"{seed}|{request}".encode(), digest_size=16).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
    return generator.random(n)
