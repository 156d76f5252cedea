"""How good predictions are, from arrays alone: RMSE (Equation 1), its interval, calibration, the tree's constraints."""

from collections.abc import Callable

import numpy as np

from gzutils.decision_tree import QUESTIONS, constraint_residuals


def rmse(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Root of the mean squared difference over all galaxies and answers, (N, 37) each (report, Equation 1)."""
    difference = np.asarray(predicted, np.float64) - labels
    return float(np.sqrt(np.mean(difference**2)))


def rmse_by_question(predicted: np.ndarray, labels: np.ndarray) -> dict[int, float]:
    """The RMSE over each question's answers, by the question's number, 1 to 11."""
    return {q.number: rmse(predicted[:, q.slice], labels[:, q.slice]) for q in QUESTIONS}


def bootstrap(
    measure: Callable[..., np.ndarray], *values: np.ndarray, seed: int = 0, draws: int = 1000
) -> tuple[float, float]:
    """The 95 % bootstrap interval of a measure: what other galaxies of the same kind might have given.

    Args:
        measure: of values (draws, N) each, along the last axis.
        values: (N,) each, one number a galaxy; each draw takes the same galaxies of all of them (paired).
    """
    rows = np.random.default_rng(seed).integers(len(values[0]), size=(draws, len(values[0])))
    low, high = np.nanquantile(measure(*(of[rows] for of in values)), [0.025, 0.975])
    return float(low), float(high)


def rmse_interval(predicted: np.ndarray, labels: np.ndarray, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the RMSE, (N, 37) each."""
    return bootstrap(_root_of_mean, _squared(predicted, labels), seed=seed, draws=draws)


def gain_interval(
    before: np.ndarray, after: np.ndarray, labels: np.ndarray, seed: int = 0, draws: int = 1000
) -> tuple[float, float, float]:
    """By how much a second prediction's RMSE is lower than the first one's, and the 95 % interval of that difference.

    The bootstrap draws the same galaxies for both: what is hard for both cancels, so that the interval is
    narrower than those of the two RMSEs. One that holds 0 says that other galaxies might have shown no gain.

    Args:
        before, after, labels: (N, 37) each.

    Returns:
        gain, low, high.
    """

    def gain(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return _root_of_mean(first) - _root_of_mean(second)

    interval = bootstrap(gain, _squared(before, labels), _squared(after, labels), seed=seed, draws=draws)
    return rmse(before, labels) - rmse(after, labels), *interval


def overfitting(
    predicted: np.ndarray, labels: np.ndarray, other_predicted: np.ndarray, other_labels: np.ndarray
) -> tuple[float, float, float]:
    """By how much a network's RMSE on other galaxies is higher than on its training galaxies, and the 95 % interval.

    The two sets share no galaxy, so that their variances add up. That of an RMSE follows from the galaxies' mean
    squared differences e by the delta method: var(e) / (4 n mean(e)).

    Args:
        predicted, labels: of the training galaxies, (N, 37) each. other_predicted, other_labels: of the others.

    Returns:
        difference, low, high.
    """
    here, there = _squared(predicted, labels), _squared(other_predicted, other_labels)
    variance = sum(one.var() / (4 * len(one) * max(one.mean(), 1e-12)) for one in (here, there))
    difference = float(np.sqrt(there.mean()) - np.sqrt(here.mean()))
    return difference, difference - 1.96 * float(np.sqrt(variance)), difference + 1.96 * float(np.sqrt(variance))


def ratio_interval(
    values: np.ndarray, chance: np.ndarray, seed: int = 0, draws: int = 2000
) -> tuple[float, float, float]:
    """The ratio of two means over the same galaxies (n,), and its 95 % bootstrap interval: (ratio, low, high).

    NaN where there are fewer than 2 galaxies or chance gives nothing.
    """
    if len(values) < 2 or not chance.any():
        return (float("nan"),) * 3

    def ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # a draw without any chance, among very few galaxies
            return one.mean(axis=-1) / other.mean(axis=-1)

    return float(ratio(values, chance)), *bootstrap(ratio, values, chance, seed=seed, draws=draws)


def _squared(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each galaxy's mean squared difference, (N, 37) twice -> (N,)."""
    return np.mean((np.asarray(predicted, np.float64) - labels) ** 2, axis=1)


def _root_of_mean(squared: np.ndarray) -> np.ndarray:
    return np.sqrt(squared.mean(axis=-1))


def calibration(predicted: np.ndarray, labels: np.ndarray, bins: int = 10) -> np.ndarray:
    """Whether predicted shares mean what they say, over all galaxies and answers, (N, 37) each.

    Returns:
        A structured array, one row for each bin of the predicted share (0 to 1, equally wide, empty bins left out):
        `predicted` and `voted`, the means of the predicted and the voted shares in it, and `count`, how many there are.
        A calibrated model's two means are equal.
    """
    predicted, labels = np.asarray(predicted, np.float64).ravel(), np.asarray(labels, np.float64).ravel()
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    table = np.empty(filled.sum(), [("predicted", np.float64), ("voted", np.float64), ("count", np.int64)])
    table["count"] = counts[filled]
    for name, shares in (("predicted", predicted), ("voted", labels)):
        table[name] = np.bincount(place, shares, bins)[filled] / table["count"]
    return table


def calibration_error(table: np.ndarray) -> float:
    """How far predicted and voted shares lie apart in a calibration table, weighted by its counts."""
    return float(np.average(np.abs(table["predicted"] - table["voted"]), weights=table["count"]))


def constraint_violation(predicted: np.ndarray) -> float:
    """How far predictions (N, 37) break the tree: the 11 absolute residuals summed, averaged over the galaxies."""
    return float(np.abs(constraint_residuals(predicted)).sum(axis=1).mean())


def noise_floor(truth: np.ndarray, labels: np.ndarray) -> float:
    """The RMSE of the true probabilities against the votes, (N, 37) each.

    Forty-odd volunteers scatter around the truth, and no model can foresee how: this is the best that one can reach.
    Only simulated galaxies have a truth, see `Run.true_probabilities`.
    """
    return rmse(truth, labels)
