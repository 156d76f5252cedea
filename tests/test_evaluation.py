"""The measures, held against plain NumPy, and what metrics.json says of a model."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from tiny_store import make_tiny_store

from gzutils.course import measure, runs
from gzutils.data.simulation import survey
from gzutils.data.store import Split
from gzutils.decision_tree import QUESTIONS
from gzutils.learning import metrics, training
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.predict import central_colour_guess, ensemble, predict, predict_turned, turned
from gzutils.learning.recipe import Recipe
from gzutils.models.parallel_cnn import parallel_cnn


def test_rmse_is_equation_1():
    predicted, labels = np.random.default_rng(0).random((2, 7, 37))
    total = sum((predicted[n, j] - labels[n, j]) ** 2 for n in range(7) for j in range(37))
    assert metrics.rmse(predicted, labels) == pytest.approx((total / (7 * 37)) ** 0.5, rel=1e-12)
    keras_value = keras.metrics.RootMeanSquaredError()(labels.astype("float32"), predicted.astype("float32"))
    assert metrics.rmse(predicted, labels) == pytest.approx(float(keras_value), rel=1e-5)


def test_rmse_of_the_questions_adds_up_to_the_whole():
    predicted, labels = np.random.default_rng(0).random((2, 7, 37))
    by_question = metrics.rmse_by_question(predicted, labels)
    assert list(by_question) == list(range(1, 12))
    squares = sum(by_question[q.number] ** 2 * len(q.answers) for q in QUESTIONS)
    assert (squares / 37) ** 0.5 == pytest.approx(metrics.rmse(predicted, labels), rel=1e-12)


def test_the_interval_holds_the_rmse_and_narrows_with_more_galaxies():
    rng = np.random.default_rng(0)
    predicted, labels = rng.random((2, 2000, 37))
    low, high = metrics.rmse_interval(predicted, labels)
    assert low < metrics.rmse(predicted, labels) < high
    few_low, few_high = metrics.rmse_interval(predicted[:50], labels[:50])
    assert few_high - few_low > 3 * (high - low)


def test_a_gain_is_the_difference_of_the_two_errors_and_pairing_narrows_its_interval():
    rng = np.random.default_rng(0)
    labels = rng.random((400, 37))
    hard = rng.random((400, 1)) * rng.normal(size=(400, 37))  # what both predictions get wrong alike
    before, after = labels + hard, labels + 0.9 * hard
    gain, low, high = metrics.gain_interval(before, after, labels)
    assert gain == metrics.rmse(before, labels) - metrics.rmse(after, labels)
    assert 0 < low < gain < high
    alone = metrics.rmse_interval(before, labels)
    assert high - low < 0.3 * (alone[1] - alone[0])


def test_the_interval_of_a_gain_holds_the_truth_19_times_in_20():
    """Two predictions that are equally good by making, over and over: 0 lies in about 95 % of the intervals."""
    rng = np.random.default_rng(0)
    holds = 0
    for repeat in range(100):
        labels, noise, other = rng.random((200, 37)), *rng.normal(size=(2, 200, 37))
        _, low, high = metrics.gain_interval(labels + noise, labels + other, labels, seed=repeat, draws=200)
        holds += low <= 0 <= high
    assert 88 <= holds <= 99
    assert metrics.gain_interval(labels, labels, labels) == (0, 0, 0)


def test_overfitting_is_found_where_it_is_and_not_where_chance_is():
    """200 pairs of sets with the same errors: 0 lies in about 95 % of the intervals, and not if one is worse."""
    rng = np.random.default_rng(0)
    holds = 0
    for _ in range(200):
        (labels, others), sizes = (np.zeros((count, 37)) for count in (600, 150)), rng.gamma(4, 0.05, 750)
        here, there = (
            rng.normal(size=one.shape) * of[:, None] for one, of in ((labels, sizes[:600]), (others, sizes[600:]))
        )
        gap, low, high = metrics.overfitting(here, labels, there, others)
        assert gap == pytest.approx(metrics.rmse(there, others) - metrics.rmse(here, labels), abs=1e-12)
        holds += low <= 0 <= high
    assert 180 <= holds <= 198
    _, low, _ = metrics.overfitting(here, labels, 2 * there, others)
    assert low > 0


def test_a_network_behind_the_mean_is_said_to_be_worse():
    """The fault: "-5% better"."""
    measured = {"mean_guess_test_rmse": 0.2, "test_rmse_interval": (0.1, 0.3), "noise_floor_test_rmse": None}
    for error, words in ((0.15, "25% better"), (0.2, "0% better"), (0.21, "5% worse")):
        assert measure.in_words(measured | {"rmse": {"test": error}}).endswith(f"the network is {words}")


def votes_and_guesses(count=400):
    rng = np.random.default_rng(0)
    labels = rng.random((count, 37))
    return labels, labels + rng.normal(0, 0.1, labels.shape), labels + rng.normal(0, 0.2, labels.shape)


def test_a_comparison_says_who_is_ahead_whichever_way_it_goes():
    labels, good, bad = votes_and_guesses()
    gain, low, high = metrics.gain_interval(bad, good, labels)
    errors = f"{metrics.rmse(good, labels):.4f} against {metrics.rmse(bad, labels):.4f}"
    assert measure.compared_in_words("the network", "the guess", good, bad, labels) == (
        f"the network beats the guess, by {gain:.4f} (test RMSE {errors}); "
        f"the 95 % interval {low:.4f} to {high:.4f} holds no 0"
    )
    _, low, high = metrics.gain_interval(good, bad, labels)
    turned_round = measure.compared_in_words("the network", "the guess", bad, good, labels)
    assert turned_round.startswith(f"the network is behind the guess, by {gain:.4f} (test RMSE ")
    assert turned_round.endswith(f"the 95 % interval {-high:.4f} to {-low:.4f} holds no 0")
    assert 0 < -high < gain < -low


def test_a_comparison_of_equals_decides_nothing_and_neither_does_one_galaxy():
    labels, good, bad = votes_and_guesses()
    as_good = labels + np.random.default_rng(1).normal(0, 0.1, labels.shape)
    for one, other in ((good, as_good), (as_good, good)):  # by chance one of them is a little ahead
        equal = measure.compared_in_words("A", "B", one, other, labels)
        assert equal.startswith("A can't be told from B (test RMSE ")
        assert equal.endswith("holds 0")
    assert "holds 0" in measure.compared_in_words("A", "B", good, good, labels)
    alone = measure.compared_in_words("A", "B", good[:1], bad[:1], labels[:1])
    assert alone.startswith("one galaxy can't tell A from B")


MANY = {"galaxies": {"validation": 100}}


def test_a_few_validation_galaxies_tell_nothing_of_overfitting():
    measured = {"overfitting": (0.07, 0.03, 0.12), "rmse": {"train": 0.1, "validation": 0.17}}
    measured["galaxies"] = {"validation": 2}
    line = measure.training_in_words(measured, trained_with([0.3], [0.3]), Recipe(1, 1)).splitlines()[1]
    assert line == "2 validation galaxies can't tell whether it overfits"


def trained_with(val_rmse, rmse):
    history = pd.DataFrame({"epoch": range(1, len(rmse) + 1), "rmse": rmse, "val_rmse": val_rmse})
    return training.Trained(history, int(np.argmin(val_rmse)) + 1, 1.0)


@pytest.mark.parametrize(
    ("val_rmse", "epochs", "words"),
    [
        ([0.3, 0.2, 0.1], 3, "all 3 epochs were run, and the last was the best"),
        ([0.3, 0.1, 0.1], 3, "all 3 epochs were run, and epoch 2 was the best"),
        (
            [0.3, 0.1, 0.2],
            3,
            "all 3 epochs were run, and epoch 2 was the best; since then the training RMSE fell by 0.0500 and the "
            "validation RMSE rose by 0.1000",
        ),
        (
            [0.1, 0.2, 0.3],
            9,
            "early stopping ended it after epoch 3: there was no better one after epoch 1; since then the training "
            "RMSE fell by 0.1500 and the validation RMSE rose by 0.2000",
        ),
    ],
)
def test_the_end_of_a_training_in_words(val_rmse, epochs, words):
    measured = {"overfitting": (0.01, 0.005, 0.015), "rmse": {"train": 0.1, "validation": 0.11}} | MANY
    lines = measure.training_in_words(measured, trained_with(val_rmse, [0.25, 0.15, 0.1]), Recipe(epochs, epochs))
    assert lines.splitlines()[0] == words


@pytest.mark.parametrize(
    ("overfitting", "words"),
    [
        ((0.01, 0.005, 0.015), "it overfits by 0.0100 (95 % interval 0.0050 to 0.0150)"),
        (
            (0.01, -0.005, 0.025),
            "no overfitting can be seen, a difference of +0.0100 (95 % interval -0.0050 to +0.0250)",
        ),
        ((-0.01, -0.02, -0.001), "no overfitting can be seen, a difference of -0.0100"),
    ],
)
def test_overfitting_in_words(overfitting, words):
    measured = {"overfitting": overfitting, "rmse": {"train": 0.1, "validation": 0.11}} | MANY
    line = measure.training_in_words(measured, trained_with([0.3, 0.2], [0.3, 0.2]), Recipe(2, 2)).splitlines()[1]
    assert line.startswith(
        "without augmentation and dropout its RMSE is 0.1000 for the training galaxies and 0.1100 for "
    )
    assert words in line


def test_perfect_predictions_are_calibrated_and_every_share_is_counted():
    labels = np.random.default_rng(0).random((50, 37))
    labels[0, 0] = 1.0  # the upper edge belongs to the last bin
    table = metrics.calibration(labels, labels)
    np.testing.assert_array_equal(table["predicted"], table["voted"])
    assert table["count"].sum() == labels.size
    assert len(table) == 10
    assert metrics.calibration_error(table) == 0


def test_a_model_that_says_too_much_lies_below_the_diagonal():
    predicted = np.full((10, 37), 0.85)
    table = metrics.calibration(predicted, predicted - 0.25)
    assert len(table) == 1
    assert table["predicted"][0] == pytest.approx(0.85)
    assert table["voted"][0] == pytest.approx(0.6)
    assert table["count"][0] == 370
    assert metrics.calibration_error(table) == pytest.approx(0.25)


def test_the_ensemble_is_the_mean_and_no_worse_than_its_members_are_on_average():
    labels, *predictions = np.random.default_rng(0).random((4, 20, 37))
    together = ensemble(predictions)
    np.testing.assert_allclose(together, (predictions[0] + predictions[1] + predictions[2]) / 3, rtol=1e-12)
    members = np.mean([metrics.rmse(one, labels) for one in predictions])
    assert metrics.rmse(together, labels) <= members


def test_the_eight_views_are_the_squares_symmetries():
    """Each view of a picture with no symmetry differs from the others, and each has all of its pixels."""
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    views = [turned(images, view) for view in range(8)]
    assert len({view.tobytes() for view in views}) == 8
    np.testing.assert_array_equal(views[0], images)
    np.testing.assert_array_equal(views[1][0], np.rot90(images[0]))
    np.testing.assert_array_equal(views[4][1], np.fliplr(images[1]))
    for view in views:
        assert view.shape == images.shape
        assert view.dtype == np.uint8
        np.testing.assert_array_equal(np.sort(view.reshape(2, -1, 3), axis=1), np.sort(images.reshape(2, -1, 3), 1))


def pointwise_model(corner):
    """Looks at the mean colour alone, or at the upper left pixel alone."""
    keras.utils.set_random_seed(0)
    images = keras.Input((64, 64, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.Cropping2D(((0, 63), (0, 63)))(x) if corner else x
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(37, activation="sigmoid")(x), name="small")


def test_test_time_averaging_changes_nothing_where_orientation_does_not_matter(tmp_path):
    store, rows = make_tiny_store(tmp_path / "store"), np.array([5, 2, 40])
    model = pointwise_model(corner=False)
    plain = predict(model, store.images, rows)
    np.testing.assert_allclose(predict_turned(model, store.images, rows), plain, atol=1e-6)


def test_test_time_averaging_is_the_mean_over_the_views(tmp_path):
    store, rows = make_tiny_store(tmp_path / "store"), np.array([3, 1])
    pictures = np.random.default_rng(0).integers(0, 256, store.images.shape, np.uint8)
    store = replace(store, images=pictures)
    model = pointwise_model(corner=True)
    averaged = predict_turned(model, store.images, rows, batch_size=1)
    kernel, bias = model.get_weights()
    corners = pictures[rows][:, [0, 0, -1, -1], [0, -1, 0, -1]] / 255  # each comes first in two of the eight views
    expected = (1 / (1 + np.exp(-(corners @ kernel + bias)))).mean(axis=1)
    np.testing.assert_allclose(averaged, expected, atol=1e-6)


def test_the_central_colour_guess_is_its_groups_mean(tmp_path):
    store = make_tiny_store(tmp_path / "store", count=40)
    images = np.zeros(store.images.shape, np.uint8)
    tints = np.array([[200, 90, 10], [90, 90, 90], [20, 80, 200]])  # ratios to the mean: 2.0/.9/.1, 1/1/1, .2/.8/2.0
    tint = np.arange(40) % 3
    images[:, 30:34, 30:34] = tints[tint][:, None, None]
    images[39, 30:34, 30:34] = [10, 200, 10]  # a colour that no training galaxy has
    store = replace(store, images=images)
    train, rows = np.arange(30), np.arange(30, 40)
    guess = central_colour_guess(store, Split(train, rows, rows), rows)
    for place, row in enumerate(rows[:-1]):
        group = [t for t in train if t % 3 == row % 3]
        np.testing.assert_allclose(guess[place], store.labels[group].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(guess[-1], store.labels[train].mean(axis=0), atol=1e-6)


def test_a_black_centre_is_a_colour_too(tmp_path):
    store = make_tiny_store(tmp_path / "store", count=10)
    store = replace(store, images=np.zeros(store.images.shape, np.uint8))
    guess = central_colour_guess(store, Split(np.arange(8), np.array([8]), np.array([9])), np.array([9]))
    np.testing.assert_allclose(guess[0], store.labels[:8].mean(axis=0), atol=1e-6)


def test_constraint_violation_counts_the_eleven_deviations():
    labels = np.zeros((1, 37))
    labels[0, [0, 14, 15]] = 1  # all say smooth, nothing odd, completely round
    assert metrics.constraint_violation(labels) == 0
    labels[0, 15] = 0.75
    assert metrics.constraint_violation(labels) == pytest.approx(0.25)


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
    recipe = Recipe(2, 2, 16, loss=ConstrainedMeanSquaredError(0.25, "report"))
    trained = training.train(model, store.examples(), split, recipe, run.folder)
    measured = measure.measure(model, trained, recipe, run, store, split, initial_weights="random")
    assert (measured["constraint_weight"], measured["constraints"]) == (0.25, "report")
    assert measured["galaxies"] == {"all": 60, "train": 38, "validation": 10, "test": 12}
    predicted = model.predict(store.images[split.test], verbose=0)
    assert measured["rmse"]["test"] == pytest.approx(metrics.rmse(predicted, store.labels[split.test]), rel=1e-5)
    assert measured["rmse_during_training"]["validation"] == trained.history["val_rmse"][trained.best_epoch - 1]
    means = store.labels[split.train].mean(axis=0)
    assert measured["mean_guess_test_rmse"] == pytest.approx(
        np.sqrt(np.mean((store.labels[split.test] - means) ** 2)), rel=1e-5
    )
    truth = run.true_probabilities(store.galaxy_ids[split.test])
    assert measured["noise_floor_test_rmse"] == metrics.rmse(truth, store.labels[split.test])
    assert measured["parameters"] == model.count_params()
    assert measured["trainable_parameters"] < measured["parameters"]
    assert {"epochs", "best_epoch", "seconds_per_epoch", "seed", "profile", "data", "initial_weights", "device"} <= set(
        measured
    )
    assert measured["versions"]["keras"] == keras.__version__
    assert {"threads", "instruction_set"} <= set(measured)
    assert measured["overfitting"][0] == pytest.approx(measured["rmse"]["validation"] - measured["rmse"]["train"])
    given = {part: np.full((len(rows), 37), 0.5) for part, rows in vars(split).items()}
    from_given = measure.measure(model, trained, recipe, run, store, split, "random", given)
    assert from_given["rmse"]["test"] == pytest.approx(metrics.rmse(given["test"], store.labels[split.test]))
    assert from_given["parameters"] == measured["parameters"]
    run.write_metrics(measured)
    assert run.read_metrics("02_parallel_cnn")["rmse"] == measured["rmse"]
    assert run.read_metrics("03_vision_transformer") is None


def test_the_central_colour_is_that_of_the_four_by_four_middle_pixels_alone(tmp_path):
    """Red and grey middles are two groups, whether red or grey lies around them.

    The changes of the code that fail here: `middle >> 2`, `& 2` or `** 2` for `- 2` or `+ 2`; `2 * colour`.
    """
    store = make_tiny_store(tmp_path / "store", count=16)
    tints = np.array([[120, 80, 80], [90, 90, 90]], np.uint8)  # over their means, rounded down: 1 0 0 and 1 1 1
    middle, around = np.arange(16) % 2, np.arange(16) // 2 % 2
    images = np.empty(store.images.shape, np.uint8)
    images[:] = tints[around][:, None, None]
    images[:, 30:34, 30:34] = tints[middle][:, None, None]
    train, rows = np.arange(12), np.arange(12, 16)
    guess = central_colour_guess(replace(store, images=images), Split(train, rows, rows), rows)
    for place, row in enumerate(rows):
        np.testing.assert_allclose(guess[place], store.labels[train[row % 2 :: 2]].mean(axis=0), atol=1e-6)


def test_a_share_that_is_alone_in_its_bin_is_counted_too():
    """The change of the code that fails here: `counts > 1` for `counts > 0` in `calibration`."""
    predicted = np.full((1, 37), 0.25)
    predicted[0, 5] = 0.95
    table = metrics.calibration(predicted, predicted)
    assert table["count"].tolist() == [36, 1]


def test_the_ratio_of_two_means_has_an_interval_and_needs_two_galaxies_and_a_chance():
    """The fault: a single galaxy's ratio, whose interval has no width, or one over a chance of nothing."""
    chance = np.random.default_rng(0).uniform(0.5, 1.5, 200)
    ratio, low, high = metrics.ratio_interval(2 * chance + 0.5, chance)
    assert ratio == pytest.approx(2 + 0.5 / chance.mean())
    assert ratio - 0.1 < low < ratio < high < ratio + 0.1
    one = np.array([2.0])
    assert np.isnan(metrics.ratio_interval(one, one)).all()
    assert np.isnan(metrics.ratio_interval(np.ones(3), np.zeros(3))).all()
