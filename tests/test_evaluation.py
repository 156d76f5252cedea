"""The measures, held against plain NumPy, and what metrics.json says of a model."""

import keras
import numpy as np
import pytest
from tiny_store import make_tiny_store

from gzutils import evaluation, runs, training
from gzutils.decision_tree import QUESTIONS
from gzutils.losses import ConstrainedMeanSquaredError
from gzutils.models.parallel_cnn import parallel_cnn
from gzutils.profiles import Training
from gzutils.simulation import survey


def test_rmse_is_equation_1():
    predicted, labels = np.random.default_rng(0).random((2, 7, 37))
    total = sum((predicted[n, j] - labels[n, j]) ** 2 for n in range(7) for j in range(37))
    assert evaluation.rmse(predicted, labels) == pytest.approx((total / (7 * 37)) ** 0.5, rel=1e-12)
    keras_value = keras.metrics.RootMeanSquaredError()(labels.astype("float32"), predicted.astype("float32"))
    assert evaluation.rmse(predicted, labels) == pytest.approx(float(keras_value), rel=1e-5)


def test_rmse_of_the_questions_adds_up_to_the_whole():
    predicted, labels = np.random.default_rng(0).random((2, 7, 37))
    by_question = evaluation.rmse_by_question(predicted, labels)
    assert list(by_question.index) == list(range(1, 12))
    squares = sum(by_question[q.number] ** 2 * len(q.answers) for q in QUESTIONS)
    assert (squares / 37) ** 0.5 == pytest.approx(evaluation.rmse(predicted, labels), rel=1e-12)


def test_the_interval_holds_the_rmse_and_narrows_with_more_galaxies():
    rng = np.random.default_rng(0)
    predicted, labels = rng.random((2, 2000, 37))
    low, high = evaluation.rmse_interval(predicted, labels)
    assert low < evaluation.rmse(predicted, labels) < high
    few_low, few_high = evaluation.rmse_interval(predicted[:50], labels[:50])
    assert few_high - few_low > 3 * (high - low)


def test_constraint_violation_counts_the_eleven_deviations():
    labels = np.zeros((1, 37))
    labels[0, [0, 14, 15]] = 1  # all say smooth, nothing odd, completely round
    assert evaluation.constraint_violation(labels) == 0
    labels[0, 15] = 0.75
    assert evaluation.constraint_violation(labels) == pytest.approx(0.25)


def test_only_simulated_galaxies_have_a_truth(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    galaxy_ids = np.array([100001, 100004])
    truth = runs.start("02_parallel_cnn", "smoke", seed=3).true_probabilities(galaxy_ids)
    assert np.array_equal(truth, [survey.simulate(3, number)[2] for number in (0, 3)])
    real = runs.start("02_parallel_cnn", "smoke", data="kaggle")
    assert real.true_probabilities(galaxy_ids) is None


def test_metrics_say_all_that_the_results_table_needs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = make_tiny_store(tmp_path / "store")
    run = runs.start("02_parallel_cnn", "smoke")
    split = run.split(store)
    model = parallel_cnn(width=1 / 16)
    loss = ConstrainedMeanSquaredError(0.25, "report")
    trained = training.train(model, store, split, Training(2, 2, 16), loss, run.folder)
    metrics = evaluation.measure(model, trained, loss, run, store, split, initial_weights="random")
    assert (metrics["constraint_weight"], metrics["constraints"]) == (0.25, "report")
    assert metrics["galaxies"] == {"all": 60, "train": 38, "validation": 10, "test": 12}
    predicted = model.predict(store.images[split.test], verbose=0)
    assert metrics["rmse"]["test"] == pytest.approx(evaluation.rmse(predicted, store.labels[split.test]), rel=1e-5)
    assert metrics["rmse_during_training"]["validation"] == trained.history["val_rmse"][trained.best_epoch - 1]
    means = store.labels[split.train].mean(axis=0)
    assert metrics["mean_guess_test_rmse"] == pytest.approx(
        np.sqrt(np.mean((store.labels[split.test] - means) ** 2)), rel=1e-5
    )
    truth = run.true_probabilities(store.galaxy_ids[split.test])
    assert metrics["noise_floor_test_rmse"] == evaluation.rmse(truth, store.labels[split.test])
    assert metrics["parameters"] == model.count_params()
    assert metrics["trainable_parameters"] < metrics["parameters"]
    assert {"epochs", "best_epoch", "seconds_per_epoch", "seed", "profile", "data", "initial_weights", "device"} <= set(
        metrics
    )
    assert metrics["versions"]["keras"] == keras.__version__
    given = {part: np.full((len(rows), 37), 0.5) for part, rows in vars(split).items()}
    from_given = evaluation.measure(model, trained, loss, run, store, split, "random", given)
    assert from_given["rmse"]["test"] == pytest.approx(evaluation.rmse(given["test"], store.labels[split.test]))
    assert from_given["parameters"] == metrics["parameters"]
    run.write_metrics(metrics)
    assert run.read_metrics("02_parallel_cnn")["rmse"] == metrics["rmse"]
    assert run.read_metrics("03_vision_transformer") is None
