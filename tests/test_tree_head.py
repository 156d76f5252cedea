"""The output that keeps the tree by construction, held against a walk down the tree in NumPy."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gzutils.decision_tree import QUESTIONS, constraint_residuals
from gzutils.models import saved
from gzutils.models.parallel_cnn import parallel_cnn
from gzutils.models.pretrained import vgg16
from gzutils.models.simple_cnn import simple_cnn
from gzutils.models.tree_head import TreeProbabilities, with_tree_output
from gzutils.models.vision_transformer import vision_transformer


def logits(seed, scale, count=6):
    return (scale * np.random.default_rng(seed).normal(size=(count, 37))).astype(np.float32)


def walk_down(values):
    """The probabilities of one galaxy, as its volunteers walk: from each answer to the question that it leads to.

    All who are done with the tree's other questions are asked question 6, so the labels count it for all: it gets 1.
    """
    reached = np.zeros(12)
    reached[[1, 6]] = 1
    probabilities = np.zeros(37)
    for number in (1, 7, 2, 9, 3, 4, 10, 11, 5, 6, 8):
        question = QUESTIONS[number - 1]
        powers = np.exp(values[question.slice].astype(np.float64))
        shares = powers / powers.sum() * reached[number]
        probabilities[question.slice] = shares
        for share, target in zip(shares, question.leads_to, strict=True):
            if target != 6:
                reached[target] += share
    return probabilities


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([0.0, 0.1, 1.0, 5.0, 30.0]))
def test_all_eleven_identities_hold_whatever_goes_in(seed, scale):
    predicted = np.asarray(TreeProbabilities()(logits(seed, scale)))
    assert predicted.dtype == np.float32
    assert np.abs(constraint_residuals(predicted)).max() <= 1e-6
    assert ((predicted >= 0) & (predicted <= 1 + 1e-6)).all()


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_walk_down_the_tree(seed):
    values = logits(seed, 2.0)
    np.testing.assert_allclose(TreeProbabilities()(values), [walk_down(one) for one in values], atol=1e-6)


def test_a_loss_teaches_every_number_that_goes_in():
    """One step against the gradient changes all 37 numbers and makes the loss smaller."""
    target = np.asarray(TreeProbabilities()(logits(1, 1.0, 1)))
    inputs = keras.Input((37,))
    scaled = keras.layers.Dense(37, kernel_initializer="identity", use_bias=False)(inputs)
    model = keras.Model(inputs, TreeProbabilities()(scaled))
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = model.layers[1].get_weights()[0]
    first = model.evaluate(np.ones((1, 37)), target, verbose=0)
    model.fit(np.ones((1, 37)), target, verbose=0)
    moved = model.layers[1].get_weights()[0] - before
    assert np.isfinite(moved).all()
    assert (np.abs(moved).sum(axis=0) > 0).all()
    assert model.evaluate(np.ones((1, 37)), target, verbose=0) < first


@pytest.mark.parametrize(
    "build",
    [
        lambda: parallel_cnn(0.125),
        lambda: vision_transformer(depth=1),
        lambda: vgg16(initial_weights="random", enlarge_to=32, units=16),
    ],
    ids=["parallel_cnn", "vision_transformer", "vgg16"],
)
def test_any_network_can_take_it(build):
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    model = build()
    with_tree = with_tree_output(model)
    predicted = with_tree.predict(images, verbose=0)
    assert predicted.shape == (3, 37)
    assert np.abs(constraint_residuals(predicted)).max() <= 1e-6
    assert with_tree.count_params() == model.count_params()
    # The sigmoid's numbers before the sigmoid are what the tree gets.
    chances = model.predict(images, verbose=0).astype(np.float64)
    before = np.log(chances / (1 - chances)).astype(np.float32)
    np.testing.assert_allclose(predicted, TreeProbabilities()(before), atol=1e-5)


def test_it_is_saved_with_its_model(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    model = with_tree_output(simple_cnn(0.125))
    model.save(tmp_path / "model.keras")
    loaded = saved.load(tmp_path / "model.keras")
    assert np.array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    assert isinstance(loaded.layers[-1], TreeProbabilities)


def test_a_model_that_does_not_end_in_37_is_refused():
    model = with_tree_output(simple_cnn(0.125))
    with pytest.raises(ValueError, match=r"ends in probabilities; .* dense layer of 37"):
        with_tree_output(model)
