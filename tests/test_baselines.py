"""The ridge regression on random filters: held against least squares by another way, and what it may not do."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from tiny_store import make_tiny_store

from gzutils.data.store import Split
from gzutils.learning import baselines, metrics


def some(galaxies=40, width=7, answers=5, seed=0):
    """Features of very different means and spreads, and answers between 0 and 1 that depend on them."""
    draw = np.random.default_rng(seed)
    features = draw.normal(draw.normal(0, 5, width), draw.uniform(0.1, 20, width), (galaxies, width))
    line = (features - features.mean(0)) / features.std(0) @ np.random.default_rng(9).normal(0, 0.1, (width, answers))
    labels = np.clip(0.5 + line + draw.normal(0, 0.05, line.shape), 0, 1)
    return features.astype(np.float32), labels.astype(np.float32)


def fit(features, answers, *others, size=1000, **more):
    chunks = [(features[start : start + size], answers[start : start + size]) for start in range(0, len(answers), size)]
    return baselines.fit_ridge(iter(chunks), *others, **more)


def by_least_squares(features, answers, penalty):
    """The same as a least squares problem with a row more for each feature, which asks its weight to be 0."""
    count, width = features.shape
    mean, spread = features.mean(0, dtype=np.float64), features.std(0, dtype=np.float64)
    spread[spread == 0] = np.inf
    rows = np.concatenate([(features - mean) / spread, np.sqrt(penalty * count) * np.eye(width)])
    offset = answers.mean(0, dtype=np.float64)
    sides = np.concatenate([answers - offset, np.zeros((width, answers.shape[1]))])
    weights = np.linalg.lstsq(rows, sides, rcond=None)[0]
    return lambda others: np.clip((others - mean) / spread @ weights + offset, 0, 1)


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(("galaxies", "width"), [(40, 7), (6, 30), (2, 3)])
def test_the_closed_form_is_the_least_squares_solution_with_fewer_galaxies_than_features_too(penalty, galaxies, width):
    features, answers = some(galaxies, width)
    others, votes = some(25, width, seed=1)
    ridge = fit(features, answers, others, votes, penalties=(penalty,))
    expected = by_least_squares(features, answers, penalty)(others)
    np.testing.assert_allclose(ridge.predict(others), expected, atol=1e-5)


@pytest.mark.parametrize(("size", "galaxies", "width"), [(1, 40, 7), (7, 40, 7), (40, 40, 7), (5, 12, 30)])
def test_the_galaxies_may_come_in_chunks_of_any_size(size, galaxies, width):
    """Sorted by a feature, so that the first chunk's mean is far from the mean. Few galaxies in one chunk have a way of
    their own.
    """
    features, answers = some(galaxies, width)
    order = features[:, 0].argsort()
    whole = fit(features, answers, features, answers)
    chunked = fit(features[order], answers[order], features, answers, size=size)
    np.testing.assert_allclose(chunked.weights, whole.weights, atol=1e-9)
    np.testing.assert_allclose(chunked.predict(features), whole.predict(features), atol=1e-6)


def test_a_feature_that_is_always_the_same_changes_nothing_whatever_it_is_elsewhere():
    features, answers = some(40)
    others, votes = some(25, seed=1)
    plain = fit(features, answers, others, votes)
    constant = np.full((40, 2), (0.0, 0.1), np.float32)
    more = fit(np.hstack([features, constant]), answers, np.hstack([others, others[:, :2]]), votes)
    assert not more.weights[-2:].any()
    strange = np.hstack([others, np.full((25, 2), 1e6, np.float32)])
    np.testing.assert_allclose(more.predict(strange), plain.predict(others), atol=1e-6)


def test_what_differs_by_rounding_alone_is_no_feature():
    """Standardised, the last bits of a constant would count as much as any other feature."""
    features, answers = some(40)
    last_bits = np.where(
        answers[:, :1] > answers[:, :1].mean(), np.float32(5), np.nextafter(np.float32(5), np.float32(6))
    )
    ridge = fit(np.hstack([features, last_bits]), answers, np.hstack([features, last_bits]), answers)
    assert not ridge.weights[-1].any()
    assert ridge.weights[:-1].any(axis=1).all()


def test_features_that_say_nothing_give_the_mean():
    _, answers = some(40)
    constant = np.full((40, 3), 7, np.float32)
    ridge = fit(constant, answers, constant, answers)
    np.testing.assert_allclose(ridge.predict(constant), np.tile(answers.mean(axis=0), (40, 1)), atol=1e-6)


def test_scale_and_order_of_the_features_change_nothing():
    features, answers = some(40)
    others, votes = some(25, seed=1)
    scaled = np.linspace(0.01, 100, features.shape[1], dtype=np.float32)
    plain = fit(features, answers, others, votes).predict(others)
    changed = fit((features * scaled)[:, ::-1], answers, (others * scaled)[:, ::-1], votes)
    np.testing.assert_allclose(changed.predict((others * scaled)[:, ::-1]), plain, atol=1e-4)


def test_the_validation_galaxies_choose_the_penalty_and_nothing_else():
    features, answers = some(12, 30)
    others, votes = some(200, 30, seed=1)
    chosen = fit(features, answers, others, votes)
    errors = {
        penalty: metrics.rmse(by_least_squares(features, answers, penalty)(others), votes)
        for penalty in baselines.PENALTIES
    }
    assert chosen.penalty == min(errors, key=errors.get)
    trained = fit(features, answers, features, answers)
    assert trained.penalty == baselines.PENALTIES[0] < chosen.penalty  # by its own galaxies: as free as it may be
    same = fit(features, answers, others, votes, penalties=(chosen.penalty,))
    np.testing.assert_array_equal(same.weights, chosen.weights)


def test_its_answers_are_shares():
    features, answers = some(40)
    ridge = fit(features, answers, features, answers, penalties=(1e-9,))
    far = ridge.predict(100 * features)
    assert (far.min(), far.max(), far.dtype) == (0, 1, np.float32)


def test_the_filters_are_the_same_for_a_seed_and_no_signal_dies_out():
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
    features, again, other = (baselines.random_filters(seed=s).predict(images, verbose=0) for s in (3, 3, 4))
    assert features.shape == (8, 2048)
    np.testing.assert_array_equal(features, again)
    assert np.abs(features - other).max() > 0.1
    assert (features.std(axis=0) > 1e-3).mean() > 0.8


def test_it_learns_from_the_training_galaxies_alone(tmp_path, monkeypatch):
    """Answers that are the picture's brightness; the others' labels count for the penalty at most."""
    store = make_tiny_store(tmp_path / "store", count=60)
    light = np.random.default_rng(0).integers(10, 245, 60).astype(np.uint8)
    images = np.broadcast_to(light[:, None, None, None], store.images.shape)
    labels = np.repeat(light[:, None] / 255, 37, axis=1).astype(np.float32)
    split = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60))
    monkeypatch.setattr(baselines, "CHUNK", 13)
    told = replace(store, images=images, labels=labels)
    predicted = baselines.ridge_prediction(told, split, split.test)
    assert predicted.shape == (10, 37)
    assert metrics.rmse(predicted, labels[split.test]) < 0.03
    hidden = labels.copy()
    hidden[split.test] = 0
    blind = baselines.ridge_prediction(replace(told, labels=hidden), split, split.test)
    np.testing.assert_array_equal(blind, predicted)


def test_the_filters_leave_no_trace_in_keras_random_state():
    keras.utils.set_random_seed(5)
    expected = keras.random.uniform((3,))
    keras.utils.set_random_seed(5)
    baselines.random_filters(seed=1)
    np.testing.assert_array_equal(np.array(keras.random.uniform((3,))), np.array(expected))
