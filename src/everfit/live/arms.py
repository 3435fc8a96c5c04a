"""Which version answers for which key: champion, canary, and a hold-out that stays with the first.

Pure, and standard library alone: it runs in every worker, once for a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

CHAMPION, CANARY, HOLDOUT, SHADOW = "champion", "canary", "holdout", "shadow"
ARMS = (CHAMPION, CANARY, HOLDOUT, SHADOW)
_WHOLE = 1 << 64


@dataclass(frozen=True, slots=True)
class Arms:
    """Who answers for one model: numbers of versions, and shares of keys from 0 to 1.

    ``holdout`` is the share of keys that the champion answers whatever is tried on the others;
    ``share`` is the canary's part of all keys that are not held out. ``shadow`` answers nobody.
    """

    champion: int
    canary: int | None = None
    share: float = 0.0
    holdout: float = 0.0
    shadow: int | None = None

    @property
    def split(self) -> bool:
        """Whether rows of one model may be answered by different arms."""
        return self.holdout > 0.0 or (self.canary is not None and self.share > 0.0)

    @property
    def answering(self) -> tuple[int, ...]:
        """The versions that answer requests, the champion first."""
        if self.canary is None or self.share <= 0.0 or self.canary == self.champion:
            return (self.champion,)
        return (self.champion, self.canary)

    @property
    def used(self) -> list[str]:
        """The arms that answer, the champion first."""
        canary = [CANARY] if self.canary is not None and self.share > 0.0 else []
        return [CHAMPION, *canary, *([HOLDOUT] if self.holdout > 0.0 else [])]

    @property
    def shares(self) -> dict[str, float]:
        """The share of all keys that each arm shall get; the champion alone when nothing is split.

        Examples
        --------
        >>> Arms(3, canary=4, share=0.5, holdout=0.5).shares
        {'champion': 0.25, 'canary': 0.25, 'holdout': 0.5}
        """
        tried = 0.0 if self.canary is None else self.share
        shares = {
            CHAMPION: (1.0 - self.holdout) * (1.0 - tried),
            CANARY: (1.0 - self.holdout) * tried,
            HOLDOUT: self.holdout,
        }
        return {arm: share for arm, share in shares.items() if share > 0.0}

    def as_dict(self) -> dict[str, Any]:
        """The arms as they stand in an order."""
        return {
            "champion": self.champion,
            "canary": self.canary,
            "share": self.share,
            "holdout": self.holdout,
            "shadow": self.shadow,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Arms:
        """The inverse of :meth:`as_dict`.

        Examples
        --------
        >>> Arms.from_dict(Arms(3, canary=4, share=0.1).as_dict())
        Arms(champion=3, canary=4, share=0.1, holdout=0.0, shadow=None)
        """
        return cls(
            champion=int(plain["champion"]),
            canary=plain.get("canary"),
            share=float(plain.get("share") or 0.0),
            holdout=float(plain.get("holdout") or 0.0),
            shadow=plain.get("shadow"),
        )


def arm_of(key: str, arms: Arms, salt: str) -> str:
    """The arm that answers for ``key``: ``champion``, ``canary`` or ``holdout``.

    The same key gets the same arm in every process, for as long as the split stands. The hold-out
    has a hash of its own that does not know the canary, so that its keys stay the same through all
    canaries of a model; each canary draws its keys anew. A row without a key is split by the id of
    its prediction.

    Parameters
    ----------
    salt : the name of the model, so that two models do not draw the same keys

    Examples
    --------
    >>> arm_of("customer-7", Arms(champion=3), "churn")
    'champion'
    >>> arm_of("customer-7", Arms(champion=3, canary=4, share=1.0), "churn")
    'canary'
    >>> arm_of("customer-7", Arms(champion=3, canary=4, share=1.0, holdout=1.0), "churn")
    'holdout'
    """
    if arms.holdout > 0.0 and part_of(key, f"{salt}/holdout") < arms.holdout:
        return HOLDOUT
    if (
        arms.canary is not None
        and arms.share > 0.0
        and part_of(key, f"{salt}/canary/{arms.canary}") < arms.share
    ):
        return CANARY
    return CHAMPION


def version_of(arm: str, arms: Arms) -> int:
    """The number of the version that answers in ``arm``.

    Examples
    --------
    >>> version_of("canary", Arms(3, canary=4, share=0.5)), version_of("holdout", Arms(3))
    (4, 3)
    """
    if arm == CANARY and arms.canary is not None:
        return arms.canary
    if arm == SHADOW and arms.shadow is not None:
        return arms.shadow
    return arms.champion


def part_of(key: str, salt: str) -> float:
    """Where ``key`` falls in [0, 1): 64 bits of BLAKE2b over salt and key, even over all keys."""
    # the zero byte keeps ("a", "bc") and ("ab", "c") apart
    text = f"{salt}\0{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") / _WHOLE
