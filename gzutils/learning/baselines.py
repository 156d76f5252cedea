"""The cheapest thing that a network has to beat: filters that nobody trained, and a regression that is solved at once.

Convolutions with random weights tell galaxies apart surprisingly well (Saxe et al. 2011, "On random weights and
unsupervised feature learning"); a ridge regression (Hoerl and Kennard 1970) makes the answers of what they say. There
are no epochs and no gradients. A network that does no better has learned nothing worth its training.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from gzutils.data.store import Split, Store
from gzutils.learning import metrics
from gzutils.learning.predict import predict

PENALTIES = tuple(np.geomspace(0.01, 1000, 11))  # times the number of galaxies
CHUNK = 4096  # galaxies that are in float64 at one time


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
    features: np.ndarray,
    answers: np.ndarray,
    validation_features: np.ndarray,
    validation_answers: np.ndarray,
    penalties: tuple[float, ...] = PENALTIES,
) -> Ridge:
    """Solves (X'X + penalty n 1) W = X'Y for each penalty; the one with the lowest validation RMSE is kept.

    X are the n training galaxies' features, standardised; Y their answers less the means. A feature that is the same
    for all of them gets no weight.

    Args:
        features, answers: of the training galaxies, (n, features) and (n, answers).
        validation_features, validation_answers: of others, which choose the penalty and nothing else.
        penalties: all above 0, so that there may be fewer galaxies than features.
    """
    count, width = features.shape
    chunks = [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
    mean = features.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(sum(((features[chunk] - mean) ** 2).sum(axis=0) for chunk in chunks) / count)
    constant = spread <= 1e-6 * np.abs(mean)  # what is left there are rounding errors of 32 bits
    spread = np.where(constant, np.inf, spread)
    offset = answers.mean(axis=0, dtype=np.float64)
    squares, products = np.zeros((width, width)), np.zeros((width, answers.shape[1]))
    for chunk in chunks:
        standardised = (features[chunk] - mean) / spread
        squares += standardised.T @ standardised
        products += standardised.T @ (answers[chunk] - offset)
    best, lowest = None, np.inf
    for penalty in penalties:
        weights = np.linalg.solve(squares + penalty * count * np.eye(width), products)
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
    galaxies. For 61,578 galaxies the features are half a gigabyte.

    Args:
        seed: of the filters.
    """
    filters = random_filters(store.images.shape[1], seed)
    train, validation, asked = (predict(filters, store.images, of) for of in (split.train, split.validation, rows))
    ridge = fit_ridge(train, store.labels[split.train], validation, store.labels[split.validation])
    return ridge.predict(asked)
