"""The results page: what it gathers from other notebooks, what it says of files that are missing or wrong."""

import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers
from tiny_store import make_tiny_store

from gzutils import report
from gzutils.course import results, runs
from gzutils.data.store import open_store
from gzutils.decision_tree import QUESTIONS
from gzutils.learning import metrics
from gzutils.learning.predict import mean_prediction, predict

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def small_model(name, seed):
    """A network of 259 parameters that looks at the mean colour alone."""
    keras.utils.set_random_seed(seed)
    images = keras.Input((64, 64, 3), dtype="uint8")
    x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(images))
    x = layers.Dense(4, activation="relu")(x)
    return keras.Model(images, layers.Dense(37, activation="sigmoid")(x), name=name)


def metrics_of(model, run, store, split):
    rows = vars(split)
    error = {n: metrics.rmse(predict(model, store.images, r), store.labels[r]) for n, r in rows.items()}
    return {
        "model": model.name,
        "profile": run.profile.name,
        "data": run.data,
        "seed": run.seed,
        "galaxies": {"all": len(store)} | {name: len(part) for name, part in rows.items()},
        "initial_weights": "random initial weights" if model.name in ("vgg16", "resnet50") else "random",
        "parameters": 1234567,
        "trainable_parameters": 259,
        "epochs": 28,
        "best_epoch": 25,
        "seconds_per_epoch": 5.4,
        "rmse": error,
        "rmse_during_training": {"train": 0.1335, "validation": 0.1284},
        "precision": "float32",
        "device": "CPU",
    }


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A folder with a store and a run in which two of the four notebooks have run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("finished"))
        store = make_tiny_store(folder / "store")
        for seed, (name, notebook) in enumerate({"parallel_cnn": "02_parallel_cnn", "vgg16": "04_vgg16"}.items()):
            model, run = small_model(name, seed), runs.start(notebook, "smoke")
            run.folder.mkdir(parents=True)
            model.save(run.folder / "model.keras")
            run.write_metrics(metrics_of(model, run, store, run.split(store)))
    return folder


@pytest.fixture
def setting(finished_run, tmp_path, monkeypatch):
    """A run, its store and split, and two of the four models on disk."""
    shutil.copytree(finished_run, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    store, run = open_store(tmp_path / "store"), runs.start("08_results", "smoke")
    return run, store, run.split(store)


def change_metrics(run, **changes):
    path = run.folder.parent / "02_parallel_cnn" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_there_is_opened_and_what_is_not_names_its_notebook(setting):
    run, store, split = setting
    found, missing = results.gather(run, store, split)
    assert list(found) == ["parallel_cnn", "vgg16"]
    assert missing["vision_transformer"] == "not trained in this run; run notebook 03_vision_transformer"
    assert missing["resnet50"] == "not trained in this run; run notebook 05_resnet50"
    assert found["parallel_cnn"].title == "Parallel CNN"
    assert found["vgg16"].title == "VGG16, random initial weights"
    expected = small_model("vgg16", 1).predict(store.images[split.test], verbose=0)
    np.testing.assert_allclose(found["vgg16"].predicted, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "is of another run .seed 1, here 0"),
        ({"data": "kaggle"}, "of another run .data 'kaggle', here 'simulated'"),
        ({"model": "resnet50"}, "of another run .model 'resnet50'"),
        ({"galaxies": {"all": 7}}, "of another run .galaxies"),
        ({"epochs": "many"}, "is damaged"),
        ({"rmse": None}, "is damaged"),
        ({"rmse_during_training": {}}, r"is damaged \('train'\)"),
        ({"rmse": {"train": 0.1, "validation": 0.1, "test": 0.01}}, "they are of different trainings"),
        ({"rmse": {"train": 0.1, "validation": 0.1, "test": float("nan")}}, "they are of different trainings"),
    ],
)
def test_a_wrong_metrics_file_is_named_and_costs_its_own_model_only(setting, changes, words):
    run, store, split = setting
    change_metrics(run, **changes)
    found, missing = results.gather(run, store, split)
    assert list(found) == ["vgg16"]
    assert re.search(words, missing["parallel_cnn"])
    assert "runs/smoke-simulated/02_parallel_cnn/" in missing["parallel_cnn"]
    assert missing["parallel_cnn"].endswith("run notebook 02_parallel_cnn again")
    assert str(run.home) not in missing["parallel_cnn"]


@pytest.mark.parametrize("text", ["{", "[]", "7", '"words"', "\x00\xff"])
def test_a_metrics_file_that_is_none_is_named(setting, text):
    run, store, split = setting
    (run.folder.parent / "02_parallel_cnn" / "metrics.json").write_text(text, encoding="latin-1")
    found, missing = results.gather(run, store, split)
    assert list(found) == ["vgg16"]
    assert "02_parallel_cnn/metrics.json" in missing["parallel_cnn"]


def other_shape(path):
    images = keras.Input((32, 32, 3))
    keras.Model(images, layers.Dense(37)(layers.Flatten()(images))).save(path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.unlink(), "there is no model file"),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "is no model of this kit, or damaged"),
        (lambda path: path.write_text("no model"), "is no model of this kit, or damaged"),
        (other_shape, "takes or gives other shapes"),
    ],
)
def test_a_wrong_model_file_is_named_and_costs_its_own_model_only(setting, spoil, words):
    run, store, split = setting
    spoil(run.folder.parent / "02_parallel_cnn" / "model.keras")
    found, missing = results.gather(run, store, split)
    assert list(found) == ["vgg16"]
    assert words in missing["parallel_cnn"]
    assert "runs/smoke-simulated/02_parallel_cnn/model.keras" in missing["parallel_cnn"]


def measured_of(setting):
    run, store, split = setting
    found, missing = results.gather(run, store, split)
    voted = store.labels[split.test]
    guess = np.broadcast_to(mean_prediction(store, split), voted.shape)
    return found, results.summary(found, missing, {"guessing the mean": guess}, voted), voted


def test_table_1_has_the_reports_numbers_this_runs_and_the_missing(setting):
    found, measured, voted = measured_of(setting)
    table = results.table_1(measured, "guessing the mean")
    assert list(table.index) == [
        "Parallel CNN",
        "Vision Transformer",
        "VGG16, random initial weights",
        "ResNet50",
        "guessing the mean",
    ]
    assert list(table["test RMSE, report"]) == ["0.0985", "0.0995", "0.1152", "0.1433", "–"]
    error = metrics.rmse(found["parallel_cnn"].predicted, voted)
    guess = measured.loc["guessing the mean", "test_rmse"]
    row = table.loc["Parallel CNN"]
    assert row["test RMSE, this run"] == f"{error:.4f}"
    assert row["better than the mean"] == f"{1 - error / guess:.1%}"
    assert list(table.loc["ResNet50"])[1:] == ["missing", "–", "–", "–", "–"]
    assert table.loc["guessing the mean", "better than the mean"] == "0.0%"


def test_the_trainings_stand_side_by_side(setting):
    found, _, _ = measured_of(setting)
    table = results.training_table(found)
    assert list(table.loc["Parallel CNN"]) == [
        "1,160,165 / 1,234,567",
        "182 / 28",
        "132 / 25",
        "47 / 5.4 s",
        "0.0969 / 0.1335",
        "0.0976 / 0.1284",
    ]
    assert set(table.loc["ResNet50"]) == {"missing"}


def test_the_csv_has_full_precision_and_the_page_every_part(setting):
    run, *_ = setting
    found, measured, voted = measured_of(setting)
    page = results.Page(run)
    page.heading("Table 1")
    page.table(results.table_1(measured, "guessing the mean"))
    page.write(measured)
    read = pd.read_csv(run.folder / "results.csv", index_col=0)
    assert read.loc["Parallel CNN", "test_rmse"] == metrics.rmse(found["parallel_cnn"].predicted, voted)
    assert read.loc["Vision Transformer", "missing"].endswith("run notebook 03_vision_transformer")
    assert read.loc["Parallel CNN", "parameters"] == 1234567
    text = (run.folder / "results.md").read_text()
    assert text.startswith("# Results of the run smoke-simulated\n\n## Table 1\n\n|  | test RMSE, report |")
    assert "| Vision Transformer | 0.0995 | missing |" in text


def test_a_run_without_models_still_has_its_guesses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = make_tiny_store(tmp_path / "store")
    run = runs.start("08_results", "smoke")
    found, measured, _ = measured_of((run, store, run.split(store)))
    assert not found
    assert list(results.table_1(measured, "guessing the mean")["test RMSE, this run"][:4]) == ["missing"] * 4
    assert list(results.question_table(measured).columns) == ["guessing the mean"]
    assert set(results.training_table(found).to_numpy().ravel()) == {"missing"}


def test_the_questions_stand_with_their_texts(setting):
    _, measured, _ = measured_of(setting)
    table = results.question_table(measured)
    assert list(table.index) == [f"{q.number}. {q.text}" for q in QUESTIONS]
    assert "Vision Transformer" not in table
    assert table.loc[table.index[5], "Parallel CNN"] == measured.loc["Parallel CNN", "rmse_question_6"]


def test_a_markdown_table_keeps_its_columns():
    frame = pd.DataFrame({"number": [0.12345, 2.0], "words": ["a|b", "two\nlines"]}, index=["x", "y"])
    assert results.markdown_table(frame).splitlines() == [
        "|  | number | words |",
        "| --- | --- | --- |",
        "| x | 0.1235 | a\\|b |",
        "| y | 2.0000 | two lines |",
    ]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (0.07, "below the winner's 0.0749"),
        (0.08, "between place 1 (0.0749) and place 10 (0.0830)"),
        (report.RESULTS["parallel_cnn"]["test_rmse"], "between place 10 (0.0830) and place 60 (0.1049)"),
        (report.RESULTS["resnet50"]["test_rmse"], "behind place 60 (0.1049), below the central-pixel"),
        (0.17, "above the central-pixel benchmark's 0.1619"),
    ],
)
def test_a_place_on_the_leaderboard_is_said_as_far_as_it_is_known(error, words):
    assert results.leaderboard_place(error).startswith(words)


def test_every_figure_of_the_report_has_a_counterpart_or_the_notebook_to_run(setting):
    run, *_ = setting
    table = results.figures_of_the_report(run)
    assert list(table.index) == list(range(1, 12))
    assert (table["file"] == "").all()
    folder = run.folder.parent / "02_parallel_cnn" / "figures"
    folder.mkdir()
    for name in ("figure_03_parallel_cnn.png", "figure_08_training_history.png", "two_paths.png"):
        (folder / name).touch()
    page = results.Page(run)
    page.figures_of_the_report()
    page.write(pd.DataFrame())
    text = (run.folder / "results.md").read_text()
    assert "| 8 | training of the parallel CNN | `02_parallel_cnn/figures/figure_08_training_history.png` |" in text
    assert (
        "| 7 | training with different weights of the constraints | missing: run notebook 06_constraint_test |" in text
    )
    assert text.count("](../02_parallel_cnn/figures/figure_0") == 2
    table = results.figures_of_the_report(run)
    assert table.loc[8, "file"] == "02_parallel_cnn/figures/figure_08_training_history.png"
    assert list(table.index[table["file"] != ""]) == [3, 8]


@pytest.mark.parametrize("number", report.FIGURES)
def test_the_notebook_of_a_figure_makes_it(number):
    _, notebook = report.FIGURES[number]
    assert f'\\"figure_{number:02}_' in (NOTEBOOKS / f"{notebook}.ipynb").read_text()
