"""Do lists get better as interactions come in? A log in ten slices of time, through the loop.

Run k learns from slices 1 to k and is judged by what the users of slice k + 1 then met for the
first time, all items ranked; beside it what was popular in the 30 days before, on the same users. A
new version serves only when the loop's own test lets it. The trend is tested by Mann-Kendall.

python -m bench.growth FOLDER [--budget 20] [--slices 10]     FOLDER holds ratings.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

import everfit
from everfit import wire
from everfit.column import DEPTH, Array
from everfit.data.read import read
from everfit.evidence.interval import spread
from everfit.evidence.trend import rising
from everfit.lists.metrics import ndcg
from everfit.lists.top import top, unpack
from everfit.records import Role
from everfit.release.stage import was_seen
from everfit.serve.lists.lists import Lists

POPULAR_S = 30 * 86_400
ROLES: dict[str, Role] = {"user_id": "group", "item_id": "target", "timestamp": "time"}


def truth(seen: pl.DataFrame, then: pl.DataFrame, codes: dict[int, int]) -> tuple[list[int], Array]:
    """Users of ``then`` who met something new, and the codes of it, (n, m) filled with NaN."""
    new = then.join(seen, on=["user_id", "item_id"], how="anti")
    met = new.group_by("user_id", maintain_order=True).agg(pl.col("item_id").unique())
    lists = [[codes.get(item, len(codes)) for item in items] for items in met["item_id"].to_list()]
    found = np.full((len(lists), max(map(len, lists), default=1)), np.nan)
    for row, items in enumerate(lists):
        found[row, : len(items)] = items
    return met["user_id"].to_list(), found


def told(lists: Lists, seen: pl.DataFrame, folder: Path) -> Lists:
    """The version with what happened after its fit, as a server would have told it."""
    learnt, _ = was_seen(folder, read(seen, roles=dict(ROLES)))
    later = seen if learnt is None else seen.filter(~pl.Series(learnt))
    names, items = (later[name].cast(pl.String).to_list() for name in ("user_id", "item_id"))
    return lists.knowing(np.array(names, dtype=np.str_), items, later["timestamp"].to_numpy())


def popular(seen: pl.DataFrame, users: list[int], labels: tuple[str, ...]) -> Array:
    """What was met most in the last 30 days, less what each user met before: codes (n, DEPTH)."""
    code = {int(label): at for at, label in enumerate(labels)}
    newest = int(seen["timestamp"].max() or 0)  # type: ignore[arg-type]
    lately = seen.filter(pl.col("timestamp") > newest - POPULAR_S)["item_id"].to_list()
    counts = np.bincount([code[item] for item in lately], minlength=len(labels)).astype(np.float32)
    by_user = dict(seen.group_by("user_id").agg("item_id").iter_rows())
    scores = np.tile(counts, (len(users), 1))
    for row, user in enumerate(users):
        scores[row, [code[item] for item in by_user.get(user, ())]] = -1.0
    return top(scores, depth=DEPTH)[0]


def main() -> int:
    """Print one line a run, then the trend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--budget", type=float, default=20.0)
    parser.add_argument("--slices", type=int, default=10)
    given = parser.parse_args()
    rows = pl.read_parquet(given.folder / "ratings.parquet").sort("timestamp", maintain_order=True)
    rows = rows.select("user_id", "item_id", "timestamp")
    ends = np.linspace(0, rows.height, given.slices + 1).astype(int)
    found: list[tuple[float, float]] = []
    print("run  interactions  users  serves                        NDCG@10 (95%)           popular")
    with TemporaryDirectory() as place:
        for k in range(1, given.slices):
            seen, then = rows[: ends[k]], rows[ends[k] : ends[k + 1]]
            everfit.run(
                seen, item="item_id", task="recommend", name="movies", store=place, seed=0,
                user="user_id", time="timestamp", budget=given.budget, progress="none",
            )  # fmt: skip
            with wire.house(store=place) as house:
                version, lists = house.lists("movies")
                lists = told(lists, seen, house.folder(version))
            codes = {int(label): at for at, label in enumerate(lists.labels)}
            users, true = truth(seen, then, codes)
            asks = lists.as_table([{lists.user: user} for user in users])
            ours = ndcg(unpack(lists.table(asks))[0], true, k=10)
            theirs = ndcg(popular(seen.filter(pl.col("item_id").is_in(list(codes))), users,
                                  lists.labels), true, k=10)  # fmt: skip
            mean, half = float(ours.mean()), 1.96 * spread(ours).error
            found.append((mean, float(theirs.mean())))
            print(
                f"{k:3d}  {seen.height:12,}  {len(users):5d}  "
                f"{version.name} {version.candidate:26.26s}"
                f"  {mean:.4f} ({mean - half:.4f} to {mean + half:.4f})  {found[-1][1]:.4f}",
                flush=True,
            )
    for what, values in (
        ("NDCG@10", [ours for ours, _ in found]),
        ("gain on what is popular", [ours - theirs for ours, theirs in found]),
    ):
        trend = rising(values)
        print(
            f"{what}: tau {trend.tau:+.2f}, p {trend.p:.3g} that it does not rise, {trend.n} runs"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
