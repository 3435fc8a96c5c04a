"""Kill the process anywhere and start it again: the old state or the new, and the same ledger."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from everfit.store import Journal
from everfit.store.artefacts import tree_sha256
from everfit.store.database import Database
from tests.store.build import decision, release

FILE_CALLS = ("rename", "fsync", "link", "mkdir")


class Countdown:
    """Kills this process with SIGKILL when it has counted to ``at``."""

    def __init__(self, at: int) -> None:
        self.left = at

    def __call__(self, *_: Any, **__: Any) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def watch_statements(store: Journal, count: Callable[..., None]) -> None:
    """Count before each statement and each commit: after one is before the next."""
    for name in ("before_cursor_execute", "commit"):
        event.listen(store.database.engine, name, count)


@contextmanager
def watched_files(count: Callable[..., None]) -> Iterator[None]:
    """Count before each call that changes what the disk holds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in FILE_CALLS:
            patch.setattr(os, name, _around(getattr(os, name), count))
        yield


def _around(call: Callable[..., Any], count: Callable[..., None]) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        count()
        return call(*args, **kwargs)

    return counted


def in_child(act: Callable[[], None]) -> int:
    """Run ``act`` in a forked process; gives its exit status, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
            os._exit(0)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def whole_run(store: Journal, model: str = "churn") -> None:
    """The same command each time: one trial, one release, unless they are there already."""
    run = store.begin_run(model, {"seed": 0})
    if store.trial(f"fold-of-{model}", run) is None:
        folder = store.artefacts.stage()
        (folder / "model.txt").write_text("tree" * 50)
        store.save_trial(run, f"fold-of-{model}", {"loss": 0.4}, folder)
    if store.champion(model) is None:
        release(store, run, store.next_number(model), model=model)
    store.finish_run(run, "done", [decision(model, kind="studied")])


def story(store: Journal, model: str = "churn") -> list[tuple[str, str]]:
    return [(d.kind, d.version) for d in store.decisions(model, newest_first=False)]


def check_whole(store: Journal, model: str) -> None:
    """No half of anything: what rows speak of is there, and rows agree with each other."""
    if model not in store.models():
        return
    kinds = [kind for kind, _ in story(store, model)]
    versions = store.versions(model)
    assert kinds in ([], ["released"], ["released", "studied"])
    assert [v.state for v in versions] == (["champion"] if "released" in kinds else [])
    for version in versions:
        assert (Path(version.folder) / "m0" / "model.txt").read_text() == "model"
    kept = store.trial(f"fold-of-{model}")
    if kept is not None:
        assert kept[1] is not None
        assert (kept[1] / "model.txt").read_text() == "tree" * 50
    running = "studied" not in kinds
    assert [row.state for row in store.runs(model)][:1] in (
        [["interrupted"], []] if running else [["done"]]
    )


@pytest.fixture
def quick_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a kill is the same there, and fsync costs nothing."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_a_kill_at_any_statement_or_file_call_leaves_old_or_new(
    quick_disk: Path, new_store: Callable[[Path], Callable[[], Journal]]
) -> None:
    again = new_store(quick_disk)
    store = again()
    points = 0
    while True:
        points += 1
        model = f"m{points}"

        def doomed(model: str = model, at: int = points) -> None:
            count = Countdown(at)
            with watched_files(count):
                mine = again()
                watch_statements(mine, count)
                whole_run(mine, model)

        ended = in_child(doomed)
        if ended == 0:
            break  # it counted past the last point
        assert ended == -signal.SIGKILL
        check_whole(store, model)
        whole_run(store, model)  # the dead owner's hold is taken over at once

        assert story(store, model) == [("released", "v1"), ("studied", "")]
        assert not list((quick_disk / "staging").glob("*"))
        assert [p.name for p in (quick_disk / "models" / model).iterdir()] == ["v1"]

    assert story(store, model) == [("released", "v1"), ("studied", "")]
    assert points > 50  # the countdown really walked through the whole run
    store.close()


@pytest.mark.parametrize("at", [1, 4, 9, 16, 25])
def test_a_kill_while_the_store_is_made_leaves_none_or_all_of_it(
    again: Callable[[], Journal], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    count = Countdown(at)

    def doomed() -> None:
        made = Database.__init__

        def watched(self: Database, url: str, **more: Any) -> None:
            made(self, url, **more)
            event.listen(self.engine, "before_cursor_execute", count)

        monkeypatch.setattr(Database, "__init__", watched)
        again()

    assert in_child(doomed) == -signal.SIGKILL

    whole_run(again())


def test_finished_trials_are_not_repeated_after_a_kill(again: Callable[[], Journal]) -> None:
    def doomed() -> None:
        store = again()
        run = store.begin_run("churn", {})
        for number in range(3):
            folder = store.artefacts.stage()
            (folder / "model.txt").write_text(str(number))
            store.save_trial(run, f"fold-{number}", {"n": number}, folder)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(doomed) == -signal.SIGKILL

    store = again()
    store.begin_run("churn", {})

    found = [store.trial(f"fold-{number}") for number in range(3)]
    assert [kept[0]["n"] for kept in found if kept] == [0, 1, 2]
    assert [row.state for row in store.runs("churn")] == ["running", "interrupted"]


def test_what_was_acknowledged_survives_kills_at_random_moments(
    again: Callable[[], Journal],
) -> None:
    rng = random.Random(0)
    again().begin_run("churn", {})  # makes the model
    before: set[int] = set()
    for _ in range(8):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            store = again()
            while True:
                made = store.commit(decision(kind="kept"))
                os.write(write, made.id.to_bytes(4, "big"))
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            told = pipe.read(4 * rng.randint(1, 4))
            time.sleep(rng.uniform(0, 0.01))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            told += pipe.read()
        acknowledged = {int.from_bytes(told[i : i + 4], "big") for i in range(0, len(told), 4)}

        found = {d.id for d in again().decisions("churn")}

        # all that was said to be kept, all from before, and at most the one under way
        assert before | acknowledged <= found
        assert len(found) <= len(before | acknowledged) + 1
        before = found


def test_the_hash_of_a_folder_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = tree_sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = tree_sha256(tmp_path)
    (tmp_path / "b").write_text("2")

    assert len({first, renamed, tree_sha256(tmp_path)}) == 3
