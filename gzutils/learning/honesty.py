"""Whether posteriors may be believed: coverage, errors foretold and found, sharpness; how to mend them. NumPy only."""

import numpy as np

from gzutils.decision_tree import COLUMNS, QUESTIONS, Question, answered
from gzutils.learning.posteriors import (
    Passes,
    draws_of_share,
    interval_of_votes,
    log_likelihoods,
    posterior_of_votes,
    question_of,
)

LEVELS = (0.5, 0.8, 0.95)  # of credible intervals
QUANTILES = np.linspace(0, 1, 41)


def judge(
    passes: Passes,
    votes: np.ndarray,
    truth: np.ndarray | None = None,
    bend: dict[int, np.ndarray] | None = None,
    least: int = 5,
) -> dict:
    """How good a network's posteriors are, over all answers of the questions that enough volunteers were asked.

    Args:
        votes: whole numbers (n, 37). truth: the kit's 37 true probabilities of the galaxies, (n, 37), where known.
        bend: mends the posteriors over votes first, see `bends`.
        least: so many have to be asked a question of a galaxy for it to count.

    Returns:
        `coverage`, of the votes, and `coverage_of_truth`, of the true shares (or None), by level of `LEVELS`;
        `log_likelihood`, the sum over the questions, the mean of the galaxies, in nats (never mended); `foretold_error`
        and `error`, see `expected_error`; `sharpness`, the mean width of the 80 % intervals as a share of those asked.
    """
    of_votes, of_truth, errors, widths = [], [], [], []
    for place, column in enumerate(COLUMNS):
        own = question_of(column)
        some, asked = _asked_enough(votes, own, least)
        if not len(some):
            continue
        these, given = passes.of(some), votes[some, place]
        posterior = posterior_of_votes(these, column, asked)
        posterior = bent(posterior, bend[own.number]) if bend else posterior
        of_votes.append(coverage_of_votes(posterior, given))
        errors += [expected_error(posterior, given, asked)] * len(some)
        widths += [sharpness(posterior, asked)] * len(some)
        if truth is not None:
            share = truth[some, place] / truth[some, own.slice].sum(axis=1)
            of_truth.append(coverage_of_share(draws_of_share(these, column, seed=place), share))
    if not errors:
        raise ValueError(f"no galaxy has a question that {least} volunteers were asked")
    foretold, found = np.mean(errors, axis=0).tolist()
    return {
        "coverage": _by_level(of_votes),
        "coverage_of_truth": _by_level(of_truth),
        "log_likelihood": float(log_likelihoods(passes, votes).sum(axis=1).mean()),
        "foretold_error": foretold,
        "error": found,
        "sharpness": float(np.mean(widths)),
    }


def coverage_of_votes(posterior: np.ndarray, votes: np.ndarray, levels: tuple[float, ...] = LEVELS) -> np.ndarray:
    """How much of each galaxy's vote lies in the central credible intervals: (n, levels), from 0 to 1.

    Votes are whole numbers, so an interval that holds exactly 80 % of the probability cuts some number in two; of that
    number the part counts that lies within. If the posterior is right, the mean is the level, whatever the numbers.
    """
    return np.stack(
        [_below(posterior, votes, (1 + one) / 2) - _below(posterior, votes, (1 - one) / 2) for one in levels], axis=1
    )


def coverage_of_share(drawn: np.ndarray, truth: np.ndarray, levels: tuple[float, ...] = LEVELS) -> np.ndarray:
    """Whether the true share (n,) lies in the central credible intervals of the draws (draws, n): (n, levels), 0 or 1.

    So few draws as a network's passes hold less than the level: 20 that are as right as can be hold 43, 71 and 90 % for
    50, 80 and 95 %; one alone is an interval of no width, which holds nothing.
    """
    below = (drawn < truth).mean(axis=0)
    inside = [np.abs(below - 0.5) < level / 2 for level in levels]
    return np.stack(inside, axis=1).astype(np.float64)


def expected_error(posterior: np.ndarray, votes: np.ndarray, asked: np.ndarray) -> tuple[float, float]:
    """The mean distance of the votes from the posterior's mean, as a share of those asked: as the posterior foretells
    it, and as it is.
    """
    numbers = np.arange(posterior.shape[1])
    mean = posterior @ numbers
    foretold = (posterior * np.abs(numbers - mean[:, None])).sum(axis=1)
    return float(np.mean(foretold / asked)), float(np.mean(np.abs(votes - mean) / asked))


def sharpness(posterior: np.ndarray, asked: np.ndarray, level: float = 0.8) -> float:
    """The mean width of the credible intervals, as a share of those asked; the smaller, the more is said."""
    low, high = interval_of_votes(posterior, level)
    return float(np.mean((high - low + 1) / (np.asarray(asked) + 1)))


def bends(passes: Passes, votes: np.ndarray, least: int = 5) -> dict[int, np.ndarray]:
    """For each question, how often votes really fall below each quantile of `QUANTILES` of their posteriors.

    Of galaxies that the network was not trained on, whose votes are whole numbers (n, 37). `bent` mends posteriors with
    it (quantile recalibration: Kuleshov, Fenner and Ermon 2018, arXiv:1807.00263). A question that no galaxy has
    `least` volunteers for is left as it is.
    """
    found = {}
    for own in QUESTIONS:
        some, asked = _asked_enough(votes, own, least)
        parts = []
        for column in own.columns if len(some) else ():
            posterior = posterior_of_votes(passes.of(some), column, asked)
            given = votes[some, COLUMNS.index(column)]
            parts.append(np.mean([_below(posterior, given, quantile) for quantile in QUANTILES], axis=1))
        found[own.number] = np.mean(parts, axis=0) if parts else QUANTILES
    return found


def bent(posterior: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """A posterior over votes (n, K) whose quantiles are what they are called, by the `bends` of its question."""
    whole = np.interp(np.cumsum(posterior, axis=1), QUANTILES, bend)
    whole[:, -1] = 1.0
    return np.diff(whole, axis=1, prepend=0.0)


def _below(posterior: np.ndarray, votes: np.ndarray, quantile: float) -> np.ndarray:
    """How much of each galaxy's vote lies below a quantile of its posterior: (n,), from 0 to 1.

    The probability integral transform of counts: Czado, Gneiting and Held 2009, Biometrics 65, 1254.
    """
    rows = np.arange(len(votes))
    width = np.maximum(posterior[rows, votes], 1e-12)
    low = np.cumsum(posterior, axis=1)[rows, votes] - width
    return np.clip((quantile - low) / width, 0, 1)


def _asked_enough(votes: np.ndarray, own: Question, least: int) -> tuple[np.ndarray, np.ndarray]:
    """The galaxies that enough volunteers were asked a question of, and how many these were."""
    reached = answered(votes)[:, own.number - 1]
    some = np.flatnonzero(reached >= least)
    return some, reached[some]


def _by_level(parts: list[np.ndarray]) -> dict[float, float] | None:
    return dict(zip(LEVELS, np.concatenate(parts).mean(axis=0).tolist(), strict=True)) if parts else None
