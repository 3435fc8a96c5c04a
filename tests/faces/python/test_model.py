"""The handle of a model, over one real run on real data."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import everfit
from everfit.faces.examples import EXAMPLES, write_example

BUDGET = 8.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with real data that has words, holes and a label of words."""
    folder = tmp_path_factory.mktemp("model")
    write_example(EXAMPLES[0], folder / "cancer.csv")
    frame = pd.read_csv(folder / "cancer.csv")
    frame["size"] = np.where(frame["mean radius"] > 14, "large", "small")
    frame["benign"] = frame.pop("diagnosis") == "benign"
    frame.to_parquet(folder / "data.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def model(place: Path) -> Iterator[everfit.Model]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERFIT_EXECUTOR", "inline")
        yield everfit.run(
            place / "data.parquet", "benign", name="tumour", budget=BUDGET, store=place / "store"
        )


@pytest.fixture(scope="module")
def frame(place: Path) -> pd.DataFrame:
    rows = pd.read_parquet(place / "data.parquet").head(6).drop(columns="benign")
    return rows.set_index(pd.Index(list("fedcba")))


def test_a_run_gives_a_model_with_a_champion_and_an_honest_score(model: everfit.Model) -> None:
    assert model.version == "v1"
    assert isinstance(model.score, everfit.Interval)
    assert model.score.metric == "log_loss"
    assert model.score.low < model.score.mid < model.score.high
    assert model.score.speaks_of


def test_pandas_in_pandas_out_with_the_same_index(
    model: everfit.Model, frame: pd.DataFrame
) -> None:
    labels, shares = model.predict(frame), model.predict_proba(frame)

    assert list(labels.index) == list("fedcba")
    assert labels.dtype == bool
    assert list(shares.columns) == [False, True]
    assert ((shares[True] > 0.5) == labels).all()


def test_all_containers_get_the_same_answers(model: everfit.Model, frame: pd.DataFrame) -> None:
    expected = model.predict_proba(frame)[True].to_numpy()
    rows = frame.to_dict("records")

    polars = model.predict_proba(pl.from_pandas(frame))["True"].to_numpy()
    arrow = model.predict_proba(pa.Table.from_pandas(frame))["True"].to_numpy()
    records = [p[True] for p in model.predict_proba(rows)]
    one = model.predict_proba(rows[0])[True]

    assert polars == pytest.approx(expected, abs=1e-12)
    assert arrow == pytest.approx(expected, abs=1e-12)
    assert records == pytest.approx(expected, abs=1e-12)
    assert one == pytest.approx(expected[0], abs=1e-12)


def test_labels_come_back_as_they_were(model: everfit.Model, frame: pd.DataFrame) -> None:
    rows = frame.to_dict("records")

    assert type(model.predict(rows[0])) is bool
    assert {type(label) for label in model.predict(rows)} == {bool}
    assert model.predict(pl.from_pandas(frame)).dtype == pl.Boolean


def test_a_file_can_be_predicted_by_its_path(model: everfit.Model, place: Path) -> None:
    assert len(model.predict(place / "data.parquet")) == 569


def test_what_does_not_fit_is_one_warning_with_counts(
    model: everfit.Model, frame: pd.DataFrame
) -> None:
    odd = frame.assign(size="gigantic", **{"mean radius": 1e9}).drop(columns="mean texture")
    odd["mean area"] = ["big", *odd["mean area"].astype(str)[1:]]

    with pytest.warns(everfit.InputWarning) as caught:
        model.predict(odd)

    (text,) = [str(item.message) for item in caught]
    assert "column 'mean texture' is not there and its default stands in" in text
    assert "column 'mean area': 1 of 6 values are no number" in text
    assert "column 'mean radius': 6 numbers outside the training range" in text
    assert caught[0].filename == __file__


def test_a_frame_and_a_dict_agree_on_what_does_not_fit(
    model: everfit.Model, frame: pd.DataFrame
) -> None:
    odd = frame.assign(size="gigantic", **{"mean radius": 1e9}).drop(columns="mean texture")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", everfit.InputWarning)
        table = model.predict_proba(odd)[True].to_numpy()
        rows = [p[True] for p in model.predict_proba(odd.to_dict("records"))]

    assert rows == pytest.approx(table, abs=1e-12)


def test_rows_that_fit_give_no_warning(model: everfit.Model, frame: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(frame)


def test_rows_without_names_are_refused(model: everfit.Model) -> None:
    with pytest.raises(everfit.UsageError, match="no named columns"):
        model.predict(np.zeros((2, 31)))


def test_the_leaderboard_is_a_data_frame_with_reasons(model: everfit.Model) -> None:
    board = model.leaderboard

    assert {"trial", "why", "metric", "score", "low", "high", "fit_s", "predict_us"} <= set(board)
    assert board.index[0] == 1
    assert board.iloc[0]["score"] == pytest.approx(model.score.mid)
    assert board["why"].str.len().min() > 0


def test_print_gives_the_final_block_and_a_notebook_a_card(model: everfit.Model) -> None:
    html = model._repr_html_()

    assert "Verdict" in str(model)
    assert max(map(len, str(model).splitlines())) <= 80
    assert repr(model).startswith("<everfit.Model 'tumour' v1, log loss")
    assert "<script" not in html
    assert "tumour" in html


def test_why_and_card_show_themselves_with_their_line_breaks(model: everfit.Model) -> None:
    assert repr(model.why()) == str(model.why())
    assert "Because" in model.why()
    assert model.card().startswith("# tumour v1")
    assert len(model.why(last=1)) < len(model.why())


def test_load_gives_the_same_answers(
    model: everfit.Model, place: Path, frame: pd.DataFrame
) -> None:
    loaded = everfit.load("tumour", store=place / "store")

    assert loaded.version == "v1"
    assert loaded.predict(frame).equals(model.predict(frame))
    assert everfit.models(store=place / "store") == ["tumour"]
    assert "tumour v1: log loss" in str(loaded)


def test_a_handle_survives_a_change_of_folder(
    place: Path, model: everfit.Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(place)
    loaded = everfit.load("tumour", store="store")

    monkeypatch.chdir(tmp_path)

    assert "Because" in loaded.why()


def test_an_unknown_name_offers_the_near_one(place: Path, model: everfit.Model) -> None:
    with pytest.raises(everfit.ModelUnknown, match="did you mean 'tumour'"):
        everfit.load("tumor", store=place / "store")


def test_a_changed_file_is_refused(place: Path, model: everfit.Model) -> None:
    result = model.result
    assert result is not None
    assert result.version is not None
    (plan,) = (place / "store").rglob("v1/plan.json")
    before = plan.read_bytes()
    plan.write_bytes(before.replace(b"0", b"1", 1))

    try:
        with pytest.raises(everfit.ArtefactRefused):
            everfit.load("tumour", store=place / "store")
    finally:
        plan.write_bytes(before)


def test_rolling_back_the_first_champion_is_refused(model: everfit.Model) -> None:
    with pytest.raises(everfit.Refused, match="no earlier champion"):
        model.rollback()


def test_the_command_line_answers_from_the_same_store(place: Path, model: everfit.Model) -> None:
    command = [sys.executable, "-m", "everfit", "predict", "tumour", str(place / "data.parquet")]
    command += ["-o", str(place / "out.parquet"), "--store", str(place / "store")]

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    rows = pl.read_parquet(place / "out.parquet")
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    assert run.stderr.startswith("Predict: 569 rows in ")
    assert rows.columns == ["prediction", "p_false", "p_true"]
    assert rows["prediction"].to_list() == model.predict(place / "data.parquet").to_list()


def test_no_target_is_told_before_anything_is_read() -> None:
    with pytest.raises(everfit.UsageError, match="no target is named"):
        everfit.run("nowhere.csv")


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(everfit.UsageError, match="no such limit"):
        everfit.run("nowhere.csv", "y", policy={"alhpa": 0.1})


def test_a_model_is_paused_and_resumed(model: everfit.Model) -> None:
    paused = model.pause(reason="the source is being moved")
    with pytest.raises(everfit.Refused, match="paused already"):
        model.pause()
    resumed = model.resume()

    assert (paused.kind, resumed.kind) == ("paused", "resumed")
    assert "the source is being moved" in model.why(last=2)
