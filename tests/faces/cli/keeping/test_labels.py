"""``everfit labels``: a file to fill, and the filled file back in the log."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from everfit.faces.cli.main import main
from everfit.store import open_store
from everfit.store.log import Log
from tests.live.coins import coin_store
from tests.live.logged import Answered, fill

N = 60


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for word in ("EVERFIT_STORE", "EVERFIT_CONFIG"):
        monkeypatch.delenv(word, raising=False)
    root = coin_store(tmp_path / ".everfit")
    sure = [Answered(f"k{i}", "champion", 1, 0.5 if i % 10 == 0 else 0.01) for i in range(N)]
    fill(root, sure, later_s=-60.0).close()
    return root


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def outcomes(root: Path) -> dict[str, Any]:
    log = Log.open(root, root=root, create=False)
    try:
        whole = pl.concat(list(log.joined("coin")), how="diagonal_relaxed")
    finally:
        log.close()
    known = whole.filter(pl.col("outcome").is_not_null())
    return dict(known.select("id", "outcome").rows())


def written(path: Path, rows: Mapping[str, str]) -> Path:
    lines = ["id,outcome", *(f"{name},{value}" for name, value in rows.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_to_fill_comes_back_as_outcomes_of_its_rows(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = told(capsys, "labels", "coin", "--most", "5", "-o", "labels.csv")
    path = tmp_path / "labels.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    filled = [{**row, "outcome": "heads" if i else ""} for i, row in enumerate(rows)]
    pl.DataFrame(filled).write_csv(path)

    back, out, _ = told(capsys, "labels", "coin", "--bring", "labels.csv")

    assert (code, back, len(rows)) == (0, 0, 5)
    assert list(rows[0]) == ["id", "chance", "at", "key", "size", "answer", "outcome"]
    assert "5 of 60 requests without an outcome" in err
    assert out == "4 outcomes taken: 4 counted\n"
    assert outcomes(store) == {row["id"]: "heads" for row in rows[1:]}
    assert not list((store / "spool").glob("labels-*"))


def test_the_draw_is_in_the_ledger_with_chances(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = told(capsys, "labels", "coin", "--most", "7", "--json")

    found = json.loads(out)
    kept = open_store(store)
    (step,) = kept.steps("coin", "labels")
    (decision,) = kept.decisions("coin", kinds=("labels_wanted",))
    assert [row["id"] for row in found["rows"]] == step.record["ids"]
    assert (decision.id, found["of"], len(step.record["chances"])) == (found["decision"], N, 7)
    assert decision.by == "person"


def test_requests_on_which_the_shadow_disagrees_are_likelier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    root = coin_store(tmp_path / ".everfit")
    champion = [Answered(f"k{i}", "champion", 1, 0.01) for i in range(N)]
    shadow = [Answered(f"k{i}", "shadow", 2, 0.99, of=f"p{i}") for i in range(5)]
    fill(root, [*champion, *shadow], later_s=-60.0).close()

    _, out, _ = told(capsys, "labels", "coin", "--most", "30", "--json")

    found = json.loads(out)
    chances = {row["id"]: row["chance"] for row in found["rows"]}
    disputed = {name: chance for name, chance in chances.items() if name in
                {f"p{i}" for i in range(5)}}  # fmt: skip
    assert found["of"] == N  # what the shadow said is no request
    assert disputed
    assert min(disputed.values()) > max(c for name, c in chances.items() if name not in disputed)


def test_bringing_the_same_file_twice_counts_once(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "filled.csv", {"p1": "heads", "p2": "tails"})
    told(capsys, "labels", "coin", "--bring", str(path))

    _, out, _ = told(capsys, "labels", "coin", "--bring", str(path))

    assert out == "2 outcomes taken: 2 repeated\n"
    assert outcomes(store) == {"p1": "heads", "p2": "tails"}


def test_an_outcome_that_is_no_label_is_kept_and_told_of_and_stands_for_nothing(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "filled.csv", {"p1": "edge", "p2": "tails"})

    _, out, _ = told(capsys, "labels", "coin", "--bring", str(path), "--json")

    found = json.loads(out)
    assert (found["accepted"], found["counted"], found["strange"]) == (2, 1, 1)


def test_ids_as_jsonl_and_parquet_are_read_too(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pl.DataFrame({"id": ["p3"], "outcome": ["heads"]})
    frame.write_ndjson(tmp_path / "filled.jsonl")
    frame.with_columns(id=pl.lit("p4")).write_parquet(tmp_path / "filled.parquet")

    for name in ("filled.jsonl", "filled.parquet"):
        assert told(capsys, "labels", "coin", "--bring", name)[0] == 0

    assert outcomes(store) == {"p3": "heads", "p4": "heads"}


@pytest.mark.parametrize(
    ("content", "said", "exit_code"),
    [
        (b"id,answer\np1,heads\n", "no column 'outcome'", 3),
        (b"", "cannot be read", 3),
        (b"\xff\xfe\x00;\x1b[2J", "no column 'id'", 3),
        (b"id,outcome\n,heads\n", "id that cannot be one", 2),
    ],
)
def test_a_file_that_cannot_be_used_takes_nothing(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    content: bytes, said: str, exit_code: int,
) -> None:  # fmt: skip
    (tmp_path / "filled.csv").write_bytes(content)

    code, _, err = told(capsys, "labels", "coin", "--bring", "filled.csv")

    assert (code, said in err) == (exit_code, True), err
    assert outcomes(store) == {}


def test_a_file_that_is_not_there_and_an_ending_that_is_none_are_told(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no file" in told(capsys, "labels", "coin", "--bring", "gone.csv")[2]
    assert told(capsys, "labels", "coin", "-o", "labels.doc")[0] == 2
    assert open_store(store).steps("coin", "labels") == ()


def test_a_file_without_any_outcome_takes_none(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / "filled.csv", {"p1": "", "p2": "  "})

    assert told(capsys, "labels", "coin", "--bring", str(path))[1] == (
        "0 outcomes taken: none were filled in\n"
    )


def test_a_model_that_nobody_served_has_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    coin_store(tmp_path / ".everfit")

    code, _, err = told(capsys, "labels", "coin")

    assert code == 6
    assert "nothing was recorded of 'coin' yet" in err
