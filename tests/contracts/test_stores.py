"""What every store must keep to; runs over each kind of store that there is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from everfit.errors import ArtefactRefused, ModelUnknown, Refused, StoreBusy, UsageError
from everfit.records import Because
from everfit.store import STORES, Journal, RunHandle, Traffic, open_store
from tests.postgres import fresh_schema
from tests.store.build import AT, decision, packed, release, version

OPENERS = {
    **STORES,
    "postgresql": lambda folder: open_store(fresh_schema(), files=folder),
}


@pytest.fixture(params=sorted(OPENERS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    opened = OPENERS[request.param](tmp_path / "store")
    yield opened
    opened.close()


@pytest.fixture
def run(store: Journal) -> RunHandle:
    return store.begin_run("churn", {"budget_s": 60.0, "seed": 0, "data_sha256": "d" * 64})


def test_all_kinds_of_store_are_found() -> None:
    assert sorted(OPENERS) == ["postgresql", "sqlite-file", "sqlite-memory"]


def test_a_run_is_kept_with_what_it_was_asked(store: Journal, run: RunHandle) -> None:
    (row,) = store.runs("churn")

    assert (row.id, row.state, row.budget_s, row.seed) == (run.id, "running", 60.0, 0)
    assert row.data_sha256 == "d" * 64
    assert row.ended_at is None


def test_a_finished_run_lets_the_next_one_begin(store: Journal, run: RunHandle) -> None:
    store.finish_run(run, "done", [decision(kind="studied")], {"study": {"trials": []}})

    second = store.begin_run("churn", {})

    assert [row.state for row in store.runs("churn")] == ["running", "done"]
    assert second.epoch == run.epoch + 1
    assert store.result("churn") == {"study": {"trials": []}}
    assert store.decisions("churn")[0].run == run.id


def test_a_second_run_on_the_same_model_is_told_who_holds_it(
    store: Journal, run: RunHandle
) -> None:
    with pytest.raises(StoreBusy, match=r"(?s)holds model 'churn'.*process \d+ on .*, since"):
        store.begin_run("churn", {})

    assert len(store.runs("churn")) == 1


def test_another_model_is_free(store: Journal, run: RunHandle) -> None:
    other = store.begin_run("prices", {})

    assert store.models() == ("churn", "prices")
    assert other.epoch == 1


def test_a_holder_that_others_took_over_from_changes_nothing(
    store: Journal, run: RunHandle, tmp_path: Path
) -> None:
    store.clock = lambda: datetime.now(UTC) + timedelta(hours=1)  # its heartbeats stopped
    taker = store.begin_run("churn", {})
    late = [
        lambda: store.heartbeat(run),
        lambda: store.save_trial(run, "k", {}),
        lambda: store.commit(decision(), run=run),
        lambda: store.finish_run(run, "done", [decision()]),
    ]

    for write in late:
        with pytest.raises(StoreBusy, match="no longer holds model 'churn'"):
            write()

    assert store.decisions("churn") == ()
    assert store.trial("k") is None
    assert [row.state for row in store.runs("churn")] == ["running", "interrupted"]
    store.heartbeat(taker)


def test_a_run_that_has_ended_cannot_write(store: Journal, run: RunHandle) -> None:
    store.finish_run(run, "done")

    with pytest.raises(StoreBusy, match="no longer holds"):
        store.commit(decision(), run=run)


def test_a_decision_is_read_back_as_it_was_given_back(store: Journal, run: RunHandle) -> None:
    hard = Because("gap", None, math.nan, -math.inf, 0.2, n=3, limit=0.0, note="ä ☃ 'quoted'")
    given = replace(decision(), because=(hard,), log_e=math.inf, not_done=("no refit",))

    kept = store.commit(given, run=run)

    assert store.decisions("churn") == (kept,)
    assert kept.id > 0
    assert kept.run == run.id


def test_decisions_come_newest_first_or_oldest_first(store: Journal, run: RunHandle) -> None:
    kept = [store.commit(decision(kind=kind), run=run) for kind in ("data", "assessed", "kept")]

    assert list(store.decisions("churn")) == kept[::-1]
    assert list(store.decisions("churn", newest_first=False)) == kept


@pytest.mark.parametrize("table", ["decision", "version", "alias_log"])
@pytest.mark.parametrize("act", ["DELETE FROM {}", "UPDATE {} SET model = 'other'"])
def test_the_ledger_refuses_to_be_changed(
    store: Journal, run: RunHandle, table: str, act: str
) -> None:
    release(store, run, 1)
    before = store.decisions("churn"), store.versions("churn")

    with pytest.raises(DatabaseError, match="append-only"), store.database.write() as connection:
        connection.execute(text(act.format(table)))

    assert (store.decisions("churn"), store.versions("churn")) == before


def test_finished_work_is_found_again_with_its_files(
    store: Journal, run: RunHandle, tmp_path: Path
) -> None:
    payload = tmp_path / "payload"
    payload.mkdir()
    (payload / "model.txt").write_text("tree")

    store.save_trial(run, "abc", {"loss": math.nan, "fold": 1}, payload)
    record, folder = store.trial("abc") or ({}, None)

    assert record == {"loss": None, "fold": 1}
    assert folder == store.root / "work" / "abc"
    assert (folder / "model.txt").read_text() == "tree"
    assert not payload.exists()


def test_finished_work_can_be_saved_where_it_was_written(store: Journal, run: RunHandle) -> None:
    folder = store.artefacts.work("abc")
    folder.mkdir(parents=True)
    (folder / "model.txt").write_text("tree")

    store.save_trial(run, "abc", {}, folder)

    assert store.trial("abc") == ({}, folder)


def test_the_first_work_under_a_key_stays(store: Journal, run: RunHandle) -> None:
    store.save_trial(run, "abc", {"loss": 1})
    store.save_trial(run, "abc", {"loss": 2})

    assert store.trial("abc") == ({"loss": 1}, None)
    assert store.runs("churn")[0].n_trials == 1


@pytest.mark.parametrize("harm", ["changed", "removed", "added"])
def test_work_whose_files_changed_is_not_used(
    store: Journal, run: RunHandle, tmp_path: Path, harm: str
) -> None:
    for attempt in ("first", "second"):
        payload = tmp_path / attempt
        payload.mkdir()
        (payload / "model.txt").write_text(attempt)
    store.save_trial(run, "abc", {"n": 1}, tmp_path / "first")
    file = store.root / "work" / "abc" / "model.txt"
    if harm == "removed":
        file.unlink()
    else:
        (file if harm == "changed" else file.with_name("extra")).write_text("other")

    seen = store.trial("abc")
    store.save_trial(run, "abc", {"n": 2}, tmp_path / "second")

    assert seen is None
    assert store.trial("abc") == ({"n": 2}, file.parent)
    assert file.read_text() == "second"


def test_a_key_that_is_no_folder_name_is_refused(store: Journal, run: RunHandle) -> None:
    with pytest.raises(UsageError, match=r"(?s)trial key.*'\.\./out'"):
        store.save_trial(run, "../out", {})


def test_prune_keeps_the_work_of_the_last_two_runs(store: Journal, run: RunHandle) -> None:
    store.save_trial(run, "used-once", {})
    store.save_trial(run, "used-again", {})
    store.finish_run(run, "done")
    for key in ("second", "third"):
        later = store.begin_run("churn", {})
        store.trial("used-again", later)
        store.save_trial(later, key, {})
        store.finish_run(later, "done")

    dropped = store.prune("churn")

    assert dropped == 1
    assert store.trial("used-once") is None
    assert all(store.trial(key) for key in ("used-again", "second", "third"))


def test_prune_leaves_other_models_alone(store: Journal, run: RunHandle) -> None:
    other = store.begin_run("prices", {})
    store.save_trial(other, "theirs", {})

    assert store.prune("churn") == 0
    assert store.trial("theirs") is not None


def test_versions_know_their_part_now(store: Journal, run: RunHandle) -> None:
    for number in (1, 2, 3):
        release(store, run, number)
    refused = version(4, packed(store, 4), state="refused")
    store.commit(decision(kind="refused"), version=refused, run=run)
    challenger = version(5, packed(store, 5))
    store.commit(decision(kind="kept"), version=challenger, run=run)

    states = {v.name: v.state for v in store.versions("churn")}

    assert states == {
        "v5": "challenger",
        "v4": "refused",
        "v3": "champion",
        "v2": "previous",
        "v1": "retired",
    }
    assert store.next_number("churn") == 6


@pytest.mark.parametrize(
    ("name", "number"), [("v1", 1), ("1", 1), ("v2", 2), ("champion", 2), ("previous", 1)]
)
def test_a_version_is_found_by_each_of_its_names(
    store: Journal, run: RunHandle, name: str, number: int
) -> None:
    release(store, run, 1)
    release(store, run, 2)

    found = store.version("churn", name)

    assert found.number == number
    assert Path(found.folder, "m0", "model.txt").is_file()


def test_a_version_that_is_champion_and_previous_is_found_by_both(
    store: Journal, run: RunHandle
) -> None:
    release(store, run, 1)
    store.commit(decision(), aliases={"previous": 1}, run=run)

    assert store.version("churn", "previous").state == "champion"
    assert store.champion("churn") == store.version("churn", "champion")


def test_promote_and_roll_back_are_inverses(store: Journal, run: RunHandle) -> None:
    release(store, run, 1)
    before = {name: alias.number for name, alias in store.aliases("churn").items()}
    release(store, run, 2)

    back = store.commit(
        decision(kind="rolled_back", by="maria"), aliases={"champion": 1, "previous": None}
    )

    after = {name: alias.number for name, alias in store.aliases("churn").items()}
    assert {name: number for name, number in after.items() if number} == before
    assert store.champion("churn").name == "v1"  # type: ignore[union-attr]
    assert store.aliases("churn")["champion"].decision == back.id
    assert [d.kind for d in store.decisions("churn")] == ["rolled_back", "released", "released"]


def test_what_served_before_a_version_is_known_after_many_moves(
    store: Journal, run: RunHandle
) -> None:
    for number in (1, 2, 3):
        release(store, run, number)
    store.commit(decision(kind="rolled_back"), aliases={"champion": 2}, run=run)

    assert [store.served_before("churn", number) for number in (1, 2, 3)] == [None, 1, 2]


def test_every_move_of_an_alias_is_logged_with_its_decision(store: Journal, run: RunHandle) -> None:
    first, second = release(store, run, 1), release(store, run, 2)

    with store.database.read() as connection:
        asked = text("SELECT name, from_number, to_number, rev, decision FROM alias_log")
        log = [tuple(row) for row in connection.execute(asked)]

    assert log == [
        ("champion", None, 1, 1, first.id),
        ("champion", 1, 2, 2, second.id),
        ("previous", None, 1, 1, second.id),
    ]


def test_a_run_does_not_overrule_a_person_who_rolled_back(store: Journal, run: RunHandle) -> None:
    release(store, run, 1)
    release(store, run, 2)
    store.finish_run(run, "done")
    second = store.begin_run("churn", {})
    store.commit(decision(kind="rolled_back"), aliases={"champion": 1, "previous": 2})
    ledger = store.decisions("churn")

    with pytest.raises(Refused, match="(?s)champion of 'churn' was changed.*champion is v1 now"):
        release(store, second, 3)

    assert store.champion("churn").name == "v1"  # type: ignore[union-attr]
    assert store.decisions("churn") == ledger
    assert [v.name for v in store.versions("churn")] == ["v2", "v1"]


def test_a_move_is_refused_when_the_alias_is_not_as_it_was_seen(
    store: Journal, run: RunHandle
) -> None:
    release(store, run, 1)
    seen = {"champion": store.aliases("churn")["champion"].rev}
    release(store, run, 2)

    with pytest.raises(Refused, match="champion of 'churn' was changed"):
        store.commit(decision(), aliases={"champion": 1}, seen=seen)
    with pytest.raises(Refused, match="champion of 'churn' was changed"):
        store.commit(decision(), aliases={"champion": 1}, seen={})

    assert len(store.decisions("churn")) == 2


def test_a_commit_that_fails_half_way_leaves_nothing(store: Journal, run: RunHandle) -> None:
    release(store, run, 1)
    before = store.decisions("churn"), store.versions("churn"), store.aliases("churn")
    two = version(2, packed(store, 2))

    with pytest.raises(ModelUnknown, match="(?s)no version v9.*v9"):
        store.commit(decision(), version=two, aliases={"previous": 1, "champion": 9}, run=run)
    with pytest.raises(Refused, match="version v1 of 'churn' is already in the store"):
        store.commit(decision(), version=version(1, store.root), run=run)

    assert (store.decisions("churn"), store.versions("churn"), store.aliases("churn")) == before


def test_a_version_without_a_folder_is_not_committed(store: Journal, run: RunHandle) -> None:
    with pytest.raises(ArtefactRefused, match="(?s)v1 of 'churn'.*models/churn/v1"):
        store.commit(decision(), version=version(1, "models/churn/v1"), run=run)

    assert store.decisions("churn") == ()


def test_a_canary_and_a_shadow_are_found_by_name_and_stay_challengers(
    store: Journal, run: RunHandle
) -> None:
    release(store, run, 1)
    for number, alias in ((2, "canary"), (3, "shadow")):
        made = version(number, packed(store, number))
        store.commit(decision(kind="kept"), version=made, aliases={alias: number}, run=run)

    states = {v.name: v.state for v in store.versions("churn")}
    found = {name: store.version("churn", name).name for name in ("canary", "shadow")}

    assert states == {"v3": "challenger", "v2": "challenger", "v1": "champion"}
    assert found == {"canary": "v2", "shadow": "v3"}
    with pytest.raises(ModelUnknown, match="(?s)v1, canary, champion, shadow.*'canary'"):
        store.version("churn", "canery")


def test_a_canary_that_ended_is_no_name_any_more(store: Journal, run: RunHandle) -> None:
    release(store, run, 1)
    made = version(2, packed(store, 2))
    store.commit(decision(kind="kept"), version=made, aliases={"canary": 2}, run=run)

    store.commit(decision(kind="kept"), aliases={"canary": None})

    with pytest.raises(ModelUnknown, match="no version 'canary'"):
        store.version("churn", "canary")


def test_a_canary_that_is_promoted_is_champion(store: Journal, run: RunHandle) -> None:
    release(store, run, 1)
    made = version(2, packed(store, 2))
    store.commit(decision(kind="kept"), version=made, aliases={"canary": 2}, run=run)

    store.commit(decision(), aliases={"champion": 2, "previous": 1, "canary": None})

    states = {v.name: v.state for v in store.versions("churn")}
    assert states == {"v2": "champion", "v1": "previous"}


def test_traffic_is_all_the_champions_until_somebody_says_otherwise(
    store: Journal, run: RunHandle
) -> None:
    assert store.traffic("churn") == Traffic(0.0, 0.0, 0)


def test_traffic_changes_with_its_decision_and_counts_its_changes(
    store: Journal, run: RunHandle
) -> None:
    first = store.commit(decision(kind="kept"), traffic=Traffic(0.1, 0.05))
    one = store.traffic("churn")
    store.commit(decision(kind="kept"), traffic=replace(one, share=0.25))

    assert one == Traffic(0.1, 0.05, 1)
    assert store.traffic("churn") == Traffic(0.25, 0.05, 2)
    assert store.decisions("churn")[-1] == first


def test_traffic_that_another_changed_meanwhile_is_left_as_it_is(
    store: Journal, run: RunHandle
) -> None:
    seen = store.traffic("churn")
    store.commit(decision(kind="kept"), traffic=replace(seen, share=0.5))
    ledger = store.decisions("churn")

    with pytest.raises(Refused, match="(?s)traffic of 'churn' was changed.*canary 0.5"):
        store.commit(decision(kind="kept"), traffic=replace(seen, share=0.1))

    assert store.traffic("churn") == Traffic(0.5, 0.0, 1)
    assert store.decisions("churn") == ledger


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan, math.inf])
def test_a_share_that_is_none_is_refused_and_nothing_is_written(
    store: Journal, run: RunHandle, wrong: float
) -> None:
    with pytest.raises(UsageError, match="(?s)holdout of traffic.*a number from 0 to 1"):
        store.commit(decision(kind="kept"), traffic=Traffic(0.1, wrong))

    assert store.traffic("churn") == Traffic()
    assert store.decisions("churn") == ()


def test_what_a_mirror_was_told_is_kept_by_target_kind_and_item(store: Journal) -> None:
    store.note_mirrored("http://a", "run", "1", remote="4f2")
    store.note_mirrored("http://a", "version", "churn/1", remote="churn/9")
    store.note_mirrored("http://b", "run", "1", error="refused", next_try_at=AT)

    told = store.mirrored("http://a")

    assert {key: found.remote for key, found in told.items()} == {
        ("run", "1"): "4f2",
        ("version", "churn/1"): "churn/9",
    }
    assert all(found.done_at for found in told.values())
    assert store.mirrored("http://c") == {}


def test_a_mirror_that_fails_is_tried_again_and_then_done(store: Journal) -> None:
    later = AT + timedelta(minutes=5)
    store.note_mirrored("http://a", "run", "1", remote="4f2", next_try_at=AT)  # begun, not done
    failed = store.note_mirrored("http://a", "run", "1", error="no route", next_try_at=later)
    done = store.note_mirrored("http://a", "run", "1")

    assert (failed.remote, failed.tries, failed.error) == ("4f2", 2, "no route")
    assert (failed.next_try_at, failed.done_at) == (later, None)
    assert (done.remote, done.tries, done.error, done.next_try_at) == ("4f2", 3, "", None)
    assert done.done_at is not None
    assert store.mirrored("http://a") == {("run", "1"): done}


def test_the_error_of_a_mirror_may_be_any_text(store: Journal) -> None:
    noted = store.note_mirrored("http://a", "run", "1", error="a\0b \ud800 ☃" + "x" * 5_000)

    assert noted.error.startswith("a?b ? ☃xxx")
    assert len(noted.error) == 2_000


@pytest.mark.parametrize("field", ["target", "kind", "item", "remote"])
@pytest.mark.parametrize("text", ["x" * 300, "a\0b", "\ud800"])
def test_a_name_that_a_mirror_cannot_keep_is_told(store: Journal, field: str, text: str) -> None:
    names = {"target": "http://a", "kind": "run", "item": "1", "remote": "", field: text}

    with pytest.raises(UsageError, match=f"{field} of a mirrored item cannot be kept"):
        store.note_mirrored(**names)

    assert store.mirrored(names["target"]) == {}


ODD = {
    "nul": "a\0b",
    "half a character": "\ud800 alone",
    "astral": "🙂𝔘 \u200f\ufeff",
    "quotes": "' \" \\ %s %(x)s :name $1 ; --",
    "long": "ü" * 20_000,
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_odd_text_is_given_back_as_it_was(store: Journal, run: RunHandle, odd: str) -> None:
    given = replace(decision(by=odd), headline=odd, not_done=(odd,))
    store.save_trial(run, "k", {odd: [odd]})

    kept = store.commit(given, run=run)
    store.finish_run(run, "done", (), {"study": {odd: odd}})

    assert (kept.headline, kept.by, kept.not_done) == (odd, odd, (odd,))
    assert store.decisions("churn") == (kept,)
    assert store.trial("k") == ({odd: [odd]}, None)
    assert store.result("churn") == {"study": {odd: odd}}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_odd_text_as_a_name_is_unknown_or_refused(store: Journal, run: RunHandle, odd: str) -> None:
    assert store.champion(odd) is None
    for ask in (store.decisions, store.runs, store.traffic):
        with pytest.raises(ModelUnknown):
            ask(odd)
    with pytest.raises(ModelUnknown):
        store.version("churn", odd)
    with pytest.raises(UsageError):
        store.begin_run(odd, {})
    with pytest.raises(ModelUnknown):
        store.commit(decision(odd))


def test_times_are_kept_in_utc_whatever_zone_a_clock_is_in(store: Journal, run: RunHandle) -> None:
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    store.clock = lambda: tokyo
    store.finish_run(run, "done", [replace(decision(), at=tokyo)])

    (row,) = store.runs("churn")
    (kept,) = store.decisions("churn")

    assert (row.ended_at, kept.at) == (AT, AT)
    assert row.ended_at is not None and row.ended_at.utcoffset() == timedelta(0)


def test_names_of_models_are_sorted_alike_everywhere(store: Journal) -> None:
    for name in ("b", "a-b", "ab", "a-c", "a1"):
        store.begin_run(name, {})

    assert store.models() == ("a-b", "a-c", "a1", "ab", "b")


def test_an_unknown_model_offers_near_names(store: Journal, run: RunHandle) -> None:
    asks = (store.runs, store.decisions, store.versions, store.aliases, store.result, store.prune)

    for ask in asks:
        with pytest.raises(ModelUnknown, match="(?s)'chrun' not found.*did you mean 'churn'"):
            ask("chrun")

    assert store.champion("chrun") is None


def test_an_unknown_version_lists_those_that_are_there(store: Journal, run: RunHandle) -> None:
    release(store, run, 1)

    with pytest.raises(ModelUnknown, match="(?s)no version 'champ'.*v1, champion.*'champion'"):
        store.version("churn", "champ")
    with pytest.raises(ModelUnknown, match="(?s)no version 'v7'.*one of the versions above"):
        store.version("churn", "v7")


@pytest.mark.parametrize(
    ("name", "fixed"),
    [("Churn EU", "churn-eu"), ("", "model"), ("-x", "x"), ("a" * 65, "a" * 64), ("../up", "up")],
)
def test_a_name_that_cannot_be_used_comes_with_one_that_can(
    store: Journal, name: str, fixed: str
) -> None:
    with pytest.raises(UsageError, match=f"use '{fixed}'"):
        store.begin_run(name, {})

    assert store.models() == ()


def test_what_was_packed_but_never_committed_is_cleared_by_the_next_run(
    store: Journal, run: RunHandle
) -> None:
    release(store, run, 1)
    orphan = packed(store, 2)
    store.finish_run(run, "failed")

    store.begin_run("churn", {})

    assert not orphan.exists()
    assert store.artefacts.folder("churn", 1).is_dir()
    assert store.next_number("churn") == 2


def test_the_scratch_of_runs_that_are_over_is_cleared_by_the_next_run(
    store: Journal, run: RunHandle
) -> None:
    other = store.begin_run("prices", {})
    for handle in (run, other):
        (store.root / "staging" / f"run-{handle.id}" / "fits").mkdir(parents=True)
    store.finish_run(run, "failed")

    store.begin_run("churn", {})

    assert [p.name for p in (store.root / "staging").iterdir()] == [f"run-{other.id}"]


def test_what_is_packed_through_the_store_lies_where_it_says(store: Journal) -> None:
    with store.packing("churn", 4) as folder:
        (folder / "manifest.json").write_text("{}")

    assert (store.folder("churn", 4) / "manifest.json").read_text() == "{}"
    assert not folder.exists()
    assert len(store.key()) == 32
