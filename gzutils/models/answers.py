"""The last layers: a sigmoid for each of the 37 answers, which may start at the mean answers; a softmax of classes."""

from collections.abc import Sequence

import numpy as np
from keras import initializers, layers

from gzutils.decision_tree import COLUMNS

NEVER = 0.001  # a mean answer below it counts as it: the logit of 0 is infinite


def answers(features, mean_answers: Sequence[float] | None = None):
    """Features (N, …) -> probabilities (N, 37) float32, each by a sigmoid of its own.

    mean_answers: the mean of the labels, 37 shares. With them the biases start at their logits, so that an untrained
    network's answers lie about the mean and training does not begin by finding it. None: at 0, that is at one half, as
    in the report.

    Raises:
        ValueError: the mean answers are not 37 shares from 0 to 1.
    """
    start = "zeros" if mean_answers is None else initializers.Constant(logits(mean_answers).tolist())
    layer = layers.Dense(
        len(COLUMNS), activation="sigmoid", bias_initializer=start, dtype="float32", name="probabilities"
    )
    return layer(features)


def class_probabilities(features, classes: int):
    """Features (N, …) -> the classes' probabilities (N, classes) float32, which add up to 1: of a hard classifier.

    Raises:
        ValueError: there are fewer than 2 classes.
    """
    if classes < 2:
        raise ValueError(f"classes is {classes}; there have to be 2 or more")
    return layers.Dense(classes, activation="softmax", dtype="float32", name="class_probabilities")(features)


def logits(mean_answers: Sequence[float]) -> np.ndarray:
    """What a sigmoid turns into these 37 shares, to four digits: (37,) float64."""
    shares = np.asarray(mean_answers, np.float64)
    if shares.shape != (len(COLUMNS),) or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(f"the mean answers have to be {len(COLUMNS)} shares from 0 to 1, not {mean_answers!r}")
    shares = np.clip(shares, NEVER, 1 - NEVER)
    return np.log(shares / (1 - shares)).round(4)
