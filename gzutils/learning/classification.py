"""How good hard classes are, from arrays alone: accuracy and its interval, by class, confusion, reliability."""

import numpy as np

from gzutils.learning.metrics import bootstrap

NORMAL = 1.959963984540054  # 95 % of a normal distribution lie within so many standard deviations


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, `right` of `count`, after Wilson (1927); it stays within 0 and 1.

    0 to 1 where there are none to count.
    """
    if not count:
        return 0.0, 1.0
    share, spread = right / count, NORMAL**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = NORMAL * np.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return float(max(middle - half, 0)), float(min(middle + half, 1))


def accuracy(predicted: np.ndarray, classes: np.ndarray) -> tuple[float, float, float]:
    """The share of galaxies with the right class, (N,) int each, and its 95 % interval: (accuracy, low, high).

    NaN, and 0 to 1, without any galaxy.
    """
    right = int(np.count_nonzero(np.asarray(predicted) == classes))
    return (right / len(classes) if len(classes) else float("nan")), *wilson(right, len(classes))


def confusion(predicted: np.ndarray, classes: np.ndarray, count: int) -> np.ndarray:
    """How many galaxies of each class (rows) are taken for each (columns): (count, count) int64."""
    pairs = np.asarray(classes) * count + predicted
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def by_class(table: np.ndarray) -> np.ndarray:
    """Each class's accuracy, from a confusion matrix (classes, classes).

    Returns:
        A structured array, one row a class: `right` of `count`, their ratio `accuracy` (NaN where there are none), and
        its 95 % interval `low` to `high`.
    """
    found = np.empty(len(table), [("right", int), ("count", int), ("accuracy", float), ("low", float), ("high", float)])
    found["right"], found["count"] = np.diag(table), table.sum(axis=1)
    nothing = np.full(len(table), np.nan)
    found["accuracy"] = np.divide(found["right"], found["count"], out=nothing, where=found["count"] > 0)
    intervals = [wilson(row["right"], row["count"]) for row in found]
    found["low"], found["high"] = np.transpose(intervals)
    return found


def balanced_accuracy(table: np.ndarray) -> float:
    """The mean of the classes' accuracies, those without a galaxy left out, from a confusion matrix; NaN without any.

    Always saying the most frequent class gives 1 / classes.
    """
    accuracies = by_class(table)["accuracy"]
    return float(np.nanmean(accuracies)) if np.isfinite(accuracies).any() else float("nan")


def balanced_interval(predicted: np.ndarray, classes: np.ndarray, count: int, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of the balanced accuracy, (N,) int each; NaN without any galaxy."""
    if not len(classes):
        return float("nan"), float("nan")

    def measure(drawn_right: np.ndarray, drawn_classes: np.ndarray) -> np.ndarray:
        shares = []
        for number in range(count):
            of_class = drawn_classes == number
            with np.errstate(invalid="ignore"):  # a draw without that class
                shares.append((drawn_right * of_class).sum(axis=1) / of_class.sum(axis=1))
        return np.nanmean(np.where(np.isfinite(shares), shares, np.nan), axis=0)

    return bootstrap(measure, (np.asarray(predicted) == classes).astype(float), np.asarray(classes), seed=seed)


def gain(before: np.ndarray, after: np.ndarray, classes: np.ndarray) -> tuple[float, float, float]:
    """By how much a second prediction's accuracy is higher than the first one's: (gain, low, high), (N,) int each.

    The 95 % interval is that of Agresti and Min (2005) for the same galaxies twice: what both get right or wrong
    cancels, and half a galaxy more in each of the four cases keeps it wide where few galaxies agree. NaN without any.
    """
    if not len(classes):
        return (float("nan"),) * 3
    right_before, right_after = np.asarray(before) == classes, np.asarray(after) == classes
    won, lost = np.sum(right_after & ~right_before) + 0.5, np.sum(right_before & ~right_after) + 0.5
    count = len(classes) + 2
    middle = (won - lost) / count
    half = NORMAL * np.sqrt(won + lost - count * middle**2) / count
    found = float(right_after.mean() - right_before.mean())
    return found, float(max(middle - half, -1)), float(min(middle + half, 1))


def accuracy_in_bins(right: np.ndarray, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The accuracy of galaxies between each two edges of a value, such as how clear they are.

    Args:
        right: (N,) bool. values: (N,). edges: (bins + 1,), ascending; the last one belongs to its bin.

    Returns:
        A structured array, one row a bin, empty ones left out: `value`, the mean, `accuracy`, `low`, `high`, `count`.
    """
    right, values = np.asarray(right), np.asarray(values, np.float64)
    place = np.digitize(values, edges[1:-1])
    inside = (values >= edges[0]) & (values <= edges[-1])
    rows = []
    for number in range(len(edges) - 1):
        here = inside & (place == number)
        if here.any():
            hits, count = int(right[here].sum()), int(here.sum())
            rows.append((values[here].mean(), hits / count, *wilson(hits, count), count))
    kinds = [("value", float), ("accuracy", float), ("low", float), ("high", float), ("count", int)]
    return np.array(rows, kinds)


def reliability(probabilities: np.ndarray, classes: np.ndarray, bins: int = 10) -> np.ndarray:
    """Whether a network is right as often as it says: (N, classes) and (N,) int -> rows as of `accuracy_in_bins`.

    `value` is the mean of its highest probability in a bin; a reliable network's accuracy equals it.
    """
    right = probabilities.argmax(axis=1) == classes
    return accuracy_in_bins(right, probabilities.max(axis=1), np.linspace(0, 1, bins + 1))


def reliability_error(table: np.ndarray) -> float:
    """How far confidence and accuracy lie apart in a reliability table, weighted by its counts; NaN without rows."""
    if not len(table):
        return float("nan")
    return float(np.average(np.abs(table["value"] - table["accuracy"]), weights=table["count"]))


def nearest_to_the_border(probabilities: np.ndarray, count: int) -> np.ndarray:
    """The rows of the galaxies whose two highest probabilities lie closest together: (N, classes) -> (count,) int."""
    two = np.sort(probabilities, axis=1)[:, -2:]
    return np.argsort(two[:, 1] - two[:, 0], kind="stable")[:count]
