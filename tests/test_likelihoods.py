"""The losses on vote counts, held against SciPy, at their edges, and on the other backend."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gzutils.decision_tree import QUESTIONS
from gzutils.learning.likelihoods import DirichletMultinomial, Multinomial
from gzutils.learning.recipe import Recipe
from gzutils.tools import backend


def some_counts(rng, galaxies=6):
    """Counts as volunteers give them, with questions that nobody was asked among them."""
    counts = [rng.multinomial(rng.integers(0, 51), np.full(len(q.answers), 1 / len(q.answers))) for q in QUESTIONS]
    table = np.concatenate([np.concatenate(counts)[None] for _ in range(galaxies)])
    table[1:, QUESTIONS[7].slice] = 0
    return table


def some_concentrations(rng, galaxies=6):
    return (1 + 100 * rng.random((galaxies, 37)) ** 3).astype(np.float32)


def some_shares(rng, galaxies=6):
    raw = rng.random((galaxies, 37)) + 0.01
    return np.concatenate(
        [raw[:, q.slice] / raw[:, q.slice].sum(axis=1, keepdims=True) for q in QUESTIONS], axis=1
    ).astype(np.float32)


def by_scipy(distribution, counts, outputs):
    """The sum over the questions of SciPy's -log P, for each galaxy."""
    total = np.zeros(len(counts))
    for row in range(len(counts)):
        for q in QUESTIONS:
            k, said = counts[row, q.slice], outputs[row, q.slice].astype(np.float64)
            if distribution is stats.multinomial:
                total[row] -= distribution.logpmf(k, k.sum(), said / said.sum())
            else:
                total[row] -= distribution.logpmf(k, said, k.sum())
    return total


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_losses_are_scipys(seed):
    """The fault: a gamma function too many, a sum over all answers in place of a question's, a sign."""
    rng = np.random.default_rng(seed)
    counts, shares, concentrations = some_counts(rng), some_shares(rng), some_concentrations(rng)
    for loss, distribution, outputs in (
        (Multinomial(), stats.multinomial, shares),
        (DirichletMultinomial(), stats.dirichlet_multinomial, concentrations),
    ):
        found = keras.ops.convert_to_numpy(loss.call(counts, outputs))
        np.testing.assert_allclose(found, by_scipy(distribution, counts, outputs), rtol=1e-4, atol=5e-3)
        assert float(loss(counts, outputs)) == pytest.approx(found.mean(), rel=1e-5)


def test_two_answers_are_the_binomial():
    """-[k log rho + (N-k) log(1-rho)], but for what does not depend on rho."""
    counts, loss = np.zeros((2, 37)), Multinomial(questions=(6,))
    counts[:, 13:15] = [[12, 28], [0, 40]]
    shares = np.full((2, 37), 0.5, np.float32)
    shares[:, 13:15] = [[0.3, 0.7], [0.1, 0.9]]
    expected = -stats.binom.logpmf([12, 0], 40, [0.3, 0.1])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loss.call(counts, shares)), expected, rtol=1e-4)


def test_many_concentrations_are_the_multinomial():
    """The Dirichlet's limit: shares that are certain."""
    rng = np.random.default_rng(1)
    counts, shares = some_counts(rng), some_shares(rng)
    certain = keras.ops.convert_to_numpy(DirichletMultinomial().call(counts, 3000 * shares))
    np.testing.assert_allclose(certain, keras.ops.convert_to_numpy(Multinomial().call(counts, shares)), rtol=0.03)


@pytest.mark.parametrize("loss", [Multinomial(), DirichletMultinomial()], ids=lambda loss: loss.name)
def test_a_question_that_nobody_reached_adds_nothing(loss):
    """Nor pulls at its outputs. The fault: a division by the number asked, or a constant that stays."""
    counts = np.zeros((3, 37), np.float32)
    outputs = some_concentrations(np.random.default_rng(2), 3)
    assert np.abs(keras.ops.convert_to_numpy(loss.call(counts, outputs))).max() < 1e-3
    slope = backend.gradient(lambda said: keras.ops.sum(loss.call(counts, said)), keras.ops.convert_to_tensor(outputs))
    assert np.abs(keras.ops.convert_to_numpy(slope)).max() < 1e-4


@pytest.mark.parametrize("loss", [Multinomial(), DirichletMultinomial()], ids=lambda loss: loss.name)
def test_gradients_are_finite_at_the_edges(loss):
    """Nobody gave an answer that is held certain, everybody gave one that is held impossible; and both the other way.

    The fault: log of 0, whose slope is infinite and makes every weight NaN in one step.
    """
    multinomial = isinstance(loss, Multinomial)
    counts = np.zeros((4, 37), np.float32)
    outputs = np.full((4, 37), 0.5 if multinomial else 1.0, np.float32)
    low, high = (0.0, 1.0) if multinomial else (1.0, 101.0)
    counts[:, 13:15] = [[0, 45], [45, 0], [0, 45], [45, 0]]
    outputs[:, 13:15] = [[low, high], [low, high], [high, low], [high, low]]
    value, tensor = loss.call(counts, outputs), keras.ops.convert_to_tensor(outputs)
    slope = backend.gradient(lambda said: keras.ops.sum(loss.call(counts, said)), tensor)
    assert np.isfinite(keras.ops.convert_to_numpy(value)).all()
    assert np.isfinite(keras.ops.convert_to_numpy(slope)).all()
    foretold = keras.ops.convert_to_numpy(value)
    assert foretold[0] < foretold[1]
    assert foretold[3] < foretold[2]


def test_fractions_of_votes_count_too():
    """Of the challenge only shares are known: 45 volunteers' worth of them lies between the whole numbers around it."""
    shares = np.full((1, 37), 0.5, np.float32)
    at = {k: np.zeros((1, 37), np.float32) for k in (4.0, 4.5, 5.0)}
    for k, counts in at.items():
        counts[0, 13:15] = [k, 45 - k]
    loss = Multinomial(questions=(6,))
    found = [float(loss(counts, shares)) for counts in at.values()]
    assert found[0] > found[1] > found[2]


def test_only_the_questions_that_are_named_count():
    rng = np.random.default_rng(3)
    counts, concentrations = some_counts(rng), some_concentrations(rng)
    whole = keras.ops.convert_to_numpy(DirichletMultinomial().call(counts, concentrations))
    parts = [DirichletMultinomial(questions=(number,)).call(counts, concentrations) for number in range(1, 12)]
    np.testing.assert_allclose(sum(keras.ops.convert_to_numpy(part) for part in parts), whole, rtol=1e-4)


def test_a_recipe_knows_them_by_their_configuration():
    """The fault: a loss that loses its questions when a training takes its copy."""
    recipe = Recipe(epochs=1, patience=1, loss=DirichletMultinomial(questions=(1, 3)), metrics=())
    assert recipe.made()["loss"].questions == (1, 3)
    assert recipe.configuration()["loss"]["configuration"]["questions"] == [1, 3]
    by_name = {"class_name": "gzutils>Multinomial", "config": {"questions": [1]}}
    assert Recipe(epochs=1, patience=1, loss=by_name, metrics=()).made()["loss"].questions == (1,)
