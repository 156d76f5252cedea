"""The cheapest thing that a network has to beat: filters that nobody trained, and a regression that is solved at once.

Convolutions with random weights tell galaxies apart surprisingly well (Saxe et al. 2011, "On random weights and
unsupervised feature learning"); a ridge regression (Hoerl and Kennard 1970) makes the answers of what they say. There
are no epochs and no gradients. A network that does no better has learned nothing worth its training.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from gzutils.data.store import Split, Store
from gzutils.learning import metrics
from gzutils.learning.predict import predict

PENALTIES = tuple(np.geomspace(0.01, 1000, 11))  # times the number of galaxies
CHUNK = 2048  # galaxies that are in float64 at one time


@dataclass(frozen=True)
class Ridge:
    """A linear map from features to answers: ((features - mean) / spread) @ weights + offset, cut off at 0 and 1.

    mean, spread: (features,) float64 of the training galaxies. weights: (features, answers). offset: (answers,).
    penalty: the chosen one, times the number of galaxies.
    """

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    penalty: float

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The answers of features (n, features): float32 (n, answers)."""
        chunks = [features[start : start + CHUNK] for start in range(0, len(features), CHUNK)]
        answers = [(chunk - self.mean) / self.spread @ self.weights + self.offset for chunk in chunks]
        return np.clip(np.concatenate(answers), 0, 1).astype(np.float32)


def fit_ridge(
    training: Iterable[tuple[np.ndarray, np.ndarray]],
    validation_features: np.ndarray,
    validation_answers: np.ndarray,
    penalties: tuple[float, ...] = PENALTIES,
) -> Ridge:
    """Solves (X'X + penalty n 1) W = X'Y for each penalty; the one with the lowest validation RMSE is kept.

    X are the n training galaxies' features, standardised; Y their answers less the means. A feature that is the same
    for all of them gets no weight. The products are added up from chunk to chunk, so that no more than one of them need
    be in memory. Where one chunk holds all galaxies, fewer than there are features, the same W comes from a smaller
    system: X' (XX' + penalty n 1)^-1 Y.

    Args:
        training: chunks of the training galaxies, each (n, features) and (n, answers).
        validation_features, validation_answers: of others, which choose the penalty and nothing else.
        penalties: all above 0, so that there may be fewer galaxies than features.
    """
    shift, products = None, 0
    for features, answers in training:
        shift = features.mean(axis=0, dtype=np.float64) if shift is None else shift  # near the mean: keeps all digits
        one = np.column_stack([features - shift, answers, np.ones(len(answers))])
        products = products + one.T @ one
    width, count = len(shift), products[-1, -1]
    means = products[-1, :-1] / count
    central = products[:-1, :-1] - count * np.outer(means, means)
    mean, offset = shift + means[:width], means[width:]
    spread = np.sqrt(np.maximum(np.diag(central)[:width], 0) / count)
    spread[spread <= 1e-6 * np.abs(mean)] = np.inf  # what differs there are rounding errors of 32 bits
    few = count == len(one) < width
    if few:
        x, sides = (one[:, :width] - means[:width]) / spread, one[:, width:-1] - means[width:]
        squares = x @ x.T
    else:
        squares, sides = central[:width, :width] / np.outer(spread, spread), central[:width, width:] / spread[:, None]
    best, lowest = None, np.inf
    for penalty in penalties:
        weights = np.linalg.solve(squares + penalty * count * np.eye(len(squares)), sides)
        weights = x.T @ weights if few else weights
        ridge = Ridge(mean, spread, weights, offset, float(penalty))
        error = metrics.rmse(ridge.predict(validation_features), validation_answers)
        if error < lowest:
            best, lowest = ridge, error
    return best


def random_filters(side: int = 64, seed: int = 0) -> keras.Model:
    """Three convolutions that stay as they are drawn, uint8 (N, side, side, 3) -> 2,048 features at 64 pixels, float32.

    He initialisation (He et al. 2015), so that the signal neither fades nor explodes; each of the last 512 filters says
    how strongly it is found in each quarter of the picture.
    """
    draw = np.random.default_rng(seed)
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    for filters, window, stride, pool in ((32, 7, 2, 2), (64, 3, 1, 2), (512, 3, 1, 4)):
        spread = np.sqrt(2 / (window * window * x.shape[-1]))
        convolution = layers.Conv2D(filters, window, stride, "same", activation="relu", kernel_initializer="zeros")
        x = convolution(x)
        convolution.kernel.assign(draw.normal(0, spread, convolution.kernel.shape).astype(np.float32))
        x = layers.MaxPooling2D(pool)(x)
    features = layers.Flatten(dtype="float32", name="features")(x)
    return keras.Model(images, features, name="random_filters")


def ridge_prediction(store: Store, split: Split, rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """What a ridge regression on random filters says of some galaxies, (n, 37) float32 in the order of `rows`.

    It learns from the training galaxies as they are, without augmentation, and takes its penalty by the validation
    galaxies.

    Args:
        seed: of the filters.
    """
    filters = random_filters(store.images.shape[1], seed)

    def seen(of: np.ndarray) -> np.ndarray:
        return predict(filters, store.images, of)

    parts = (split.train[start : start + CHUNK] for start in range(0, len(split.train), CHUNK))
    training = ((seen(part), store.labels[part]) for part in parts)
    ridge = fit_ridge(training, seen(split.validation), store.labels[split.validation])
    return ridge.predict(seen(rows))
