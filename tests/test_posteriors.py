"""The posteriors over votes and true shares: held against SciPy, and right for votes drawn by their own rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gzutils.decision_tree import QUESTIONS, constraint_residuals
from gzutils.learning import honesty, posteriors
from gzutils.learning.posteriors import Passes

LIKELIHOODS = ("multinomial", "dirichlet_multinomial")


def some_passes(likelihood, count=4, galaxies=5, seed=0):
    """Outputs of a network that never was: concentrations from 1 to 30, or each question's shares."""
    outputs = 1 + 29 * np.random.default_rng(seed).random((count, galaxies, 37))
    passes = Passes(outputs, likelihood)
    return passes if passes.over_dispersed else Passes(posteriors.shares(passes), likelihood)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["Class1.1", "Class3.2", "Class8.7", "Class11.4"]))
def test_the_posterior_is_the_mean_of_scipys_distributions(seed, column):
    """Not the distribution of the mean. The fault: an answer's rest counted wrongly, or the passes averaged first."""
    asked = np.random.default_rng(seed).integers(0, 51, 5)
    place = [c for q in QUESTIONS for c in q.columns].index(column)
    own = posteriors.question_of(column).slice
    numbers = np.arange(asked.max() + 1)
    for likelihood in LIKELIHOODS:
        passes = some_passes(likelihood, seed=seed)
        found = posteriors.posterior_of_votes(passes, column, asked)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)
        for row, everyone in enumerate(asked):
            this, all_of_them = passes.outputs[:, row, place], passes.outputs[:, row, own].sum(axis=-1)
            if passes.over_dispersed:
                each = [
                    stats.betabinom.pmf(numbers, everyone, a, b - a) for a, b in zip(this, all_of_them, strict=True)
                ]
            else:
                each = [stats.binom.pmf(numbers, everyone, a) for a in this]
            np.testing.assert_allclose(found[row], np.mean(each, axis=0), atol=1e-9)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_log_likelihood_is_that_of_scipy(likelihood):
    """Of a question the log of the passes' mean; of one that nobody was asked 0."""
    passes, rng = some_passes(likelihood), np.random.default_rng(1)
    votes = np.concatenate(
        [rng.multinomial(rng.integers(1, 40), np.full(len(q.answers), 1 / len(q.answers)), 5) for q in QUESTIONS],
        axis=1,
    )
    votes[2, QUESTIONS[2].slice] = 0
    found = posteriors.log_likelihoods(passes, votes)
    assert found.shape == (5, 11)
    assert found[2, 2] == pytest.approx(0, abs=1e-9)
    for row in (0, 4):
        for q in QUESTIONS:
            k = votes[row, q.slice]
            said = passes.outputs[:, row, q.slice]
            if passes.over_dispersed:
                each = [np.exp(stats.dirichlet_multinomial.logpmf(k, one, k.sum())) for one in said]
            else:
                each = [stats.multinomial.pmf(k, k.sum(), one) for one in said]
            assert found[row, q.number - 1] == pytest.approx(np.log(np.mean(each)), rel=1e-6)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_probabilities_keep_the_tree(likelihood):
    probabilities = posteriors.probabilities(some_passes(likelihood))
    assert probabilities.shape == (5, 37)
    assert np.abs(constraint_residuals(probabilities)).max() < 1e-9


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_votes_drawn_by_the_posteriors_own_rule_are_covered_as_often_as_it_says(likelihood):
    """The law that coverage has to keep, also where few are asked and an interval is a handful of numbers.

    The fault: whole numbers that count as inside wherever they touch an interval, which is 5 to 20 points too much.
    """
    rng, galaxies = np.random.default_rng(2), 4000
    passes = some_passes(likelihood, 3, galaxies)
    asked = rng.integers(1, 12, galaxies)
    posterior = posteriors.posterior_of_votes(passes, "Class3.1", asked)
    votes = np.array([rng.choice(len(one), p=one / one.sum()) for one in posterior])
    covered = honesty.coverage_of_votes(posterior, votes).mean(axis=0)
    np.testing.assert_allclose(covered, honesty.LEVELS, atol=0.02)


def test_true_shares_drawn_from_the_concentrations_are_covered_as_often_as_they_say():
    rng, galaxies = np.random.default_rng(3), 3000
    passes = some_passes("dirichlet_multinomial", 1, galaxies)
    own = passes.outputs[0, :, 3:5]
    truth = rng.beta(own[:, 0], own[:, 1])
    drawn = posteriors.draws_of_share(passes, "Class2.1", count=400)
    np.testing.assert_allclose(honesty.coverage_of_share(drawn, truth).mean(axis=0), honesty.LEVELS, atol=0.025)


def test_one_multinomial_pass_claims_to_know_the_true_share_exactly():
    """So its interval is a point, which no true share hits."""
    drawn = posteriors.draws_of_share(some_passes("multinomial", 1), "Class2.1")
    assert drawn.shape == (1, 5)
    assert honesty.coverage_of_share(drawn, np.full(5, 0.4)).sum() == 0


def test_intervals_hold_what_they_say():
    posterior = np.array([[0.05, 0.15, 0.6, 0.15, 0.05], [1.0, 0, 0, 0, 0]])
    low, high = posteriors.interval_of_votes(posterior, 0.8)
    assert [*low, *high] == [1, 0, 3, 0]
    low, high = posteriors.interval_of_votes(np.full((1, 40), 1 / 40), 0.8)
    assert [*low, *high] == [3, 35], "a tenth lies below and a tenth above, no less"
    for level in honesty.LEVELS:
        low, high = posteriors.interval_of_votes(posterior, level)
        held = [row[a : b + 1].sum() for row, a, b in zip(posterior, low, high, strict=True)]
        assert min(held) >= level - 1e-9


def test_the_sharpness_is_the_share_of_the_possible_numbers_that_an_interval_holds():
    """Three of five, one of five. The fault: a width that grows with the number asked."""
    posterior = np.array([[0.05, 0.15, 0.6, 0.15, 0.05], [1.0, 0, 0, 0, 0]])
    assert honesty.sharpness(posterior, np.array([4, 4])) == pytest.approx((3 / 5 + 1 / 5) / 2)


def test_how_open_a_share_is_left_is_the_width_of_scipys_interval():
    """Of one pass's Beta distribution; several multinomial passes are as far apart as they say."""
    passes = some_passes("dirichlet_multinomial", 1)
    a, b = passes.outputs[0, :, 3], passes.outputs[0, :, 4]
    expected = stats.beta.ppf(0.9, a, b) - stats.beta.ppf(0.1, a, b)
    np.testing.assert_allclose(posteriors.width_of_shares(passes, "Class2.1"), expected, rtol=0.2)
    outputs = np.full((11, 1, 37), 0.5)
    outputs[:, 0, 3], outputs[:, 0, 4] = np.linspace(0, 1, 11), np.linspace(1, 0, 11)
    assert posteriors.width_of_shares(Passes(outputs, "multinomial"), "Class2.1") == pytest.approx(0.8)


def test_the_error_that_is_foretold_is_the_error_of_such_votes():
    """And a posterior that is too narrow foretells too little."""
    rng, asked = np.random.default_rng(4), np.full(3000, 40)
    passes = some_passes("dirichlet_multinomial", 1, 3000)
    posterior = posteriors.posterior_of_votes(passes, "Class6.1", asked)
    votes = np.array([rng.choice(41, p=one / one.sum()) for one in posterior])
    foretold, found = honesty.expected_error(posterior, votes, asked)
    assert foretold == pytest.approx(found, rel=0.05)
    narrow = posteriors.posterior_of_votes(Passes(10 * passes.outputs, passes.likelihood), "Class6.1", asked)
    assert honesty.expected_error(narrow, votes, asked)[0] < 0.8 * found
    assert honesty.sharpness(narrow, asked) < honesty.sharpness(posterior, asked)


def test_mutual_information_is_high_where_passes_disagree_and_not_where_all_doubt():
    """Two passes that are each sure of another answer; and two that both say one half. The fault: plain entropy."""
    asked, outputs = np.full(2, 40), np.full((2, 2, 37), 0.5)
    outputs[0, 0, 3:5], outputs[1, 0, 3:5] = [0.95, 0.05], [0.05, 0.95]
    by_pass = posteriors.votes_of_answer(Passes(outputs, "multinomial"), "Class2.1", asked)
    told = posteriors.mutual_information(by_pass)
    assert told[0] == pytest.approx(np.log(2), abs=1e-3)
    assert told[1] == pytest.approx(0, abs=1e-9)
    assert posteriors.entropy(by_pass.mean(axis=0))[1] > 2


def test_posteriors_that_are_too_sure_are_mended_by_other_galaxies_votes():
    """Votes drawn with a third of the concentrations that are said; and those that are right are left as they are.

    The fault: the map turned round, which makes it worse.
    """
    rng, galaxies = np.random.default_rng(5), 2400
    said = some_passes("dirichlet_multinomial", 1, galaxies)
    votes = np.zeros((galaxies, 37), np.int64)
    for q in QUESTIONS[:10]:
        firm = 3 if q.number < 9 else 1
        shares = [rng.dirichlet(one / firm) for one in said.outputs[0, :, q.slice]]
        votes[:, q.slice] = [rng.multinomial(40, share) for share in shares]
    bends = honesty.bends(said.of(slice(1200)), votes[:1200])
    later, voted = said.of(slice(1200, None)), votes[1200:]
    before, after = (honesty.judge(later, voted, bend=bend) for bend in (None, bends))
    assert before["coverage"][0.8] < 0.7
    np.testing.assert_allclose([*after["coverage"].values()], honesty.LEVELS, atol=0.02)
    assert after["foretold_error"] == pytest.approx(after["error"], rel=0.05)
    np.testing.assert_allclose(bends[10], honesty.QUANTILES, atol=0.03)
    np.testing.assert_array_equal(bends[11], honesty.QUANTILES)
    posterior = posteriors.posterior_of_votes(later, "Class3.1", np.full(1200, 40))
    np.testing.assert_allclose(honesty.bent(posterior, bends[3]).sum(axis=1), 1)
    np.testing.assert_allclose(honesty.bent(posterior, honesty.QUANTILES), posterior, atol=1e-9)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_nobody_asked_and_no_galaxy_at_all_are_borne(likelihood):
    passes = some_passes(likelihood)
    np.testing.assert_allclose(posteriors.posterior_of_votes(passes, "Class3.1", np.zeros(5, int)), 1)
    assert posteriors.posterior_of_votes(passes.of([]), "Class3.1", np.zeros(0, int)).shape == (0, 1)
