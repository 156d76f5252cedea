"""What networks say of galaxies, one alone or several together, and what one would say without a network."""

from collections.abc import Iterable

import keras
import numpy as np

from gzutils.data.store import Examples, Split, Store
from gzutils.learning.batches import Batches
from gzutils.learning.recipe import Recipe
from gzutils.tools import backend
from gzutils.tools.progress import progress


def predict(model: keras.Model, inputs: np.ndarray, rows: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """What a model says of some of its inputs (N, …), in the order of `rows` (n,): such as (n, 37) float32."""
    with backend.on_one_device(model) as predictor:
        return predictor.predict(Batches(Examples(inputs, None, ""), rows, batch_size), verbose=0)


def evaluate(
    model: keras.Model, examples: Examples, rows: np.ndarray, recipe: Recipe, batch_size: int = 128
) -> dict[str, float]:
    """A recipe's loss and metrics, by name, for some examples as they are: not augmented, and without dropout."""
    made = recipe.made()
    with backend.on_one_device(model) as predictor:
        measured = keras.Sequential([predictor], name="measured")
        measured.compile(loss=made["loss"], metrics=made["metrics"])
        found = measured.evaluate(Batches(examples, rows, batch_size), verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}


def predict_turned(model: keras.Model, images: np.ndarray, rows: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """Test-time averaging: the mean of the model's probabilities over the 8 views of each galaxy, (n, 37) float32.

    A galaxy has no up or down, so that all views have the same answers; what the model says differently of them is
    its own error, and part of it averages out.
    """
    some, everyone = images[rows], np.arange(len(rows))
    answers = (predict(model, turned(some, view), everyone, batch_size) for view in range(8))
    return ensemble(progress(answers, model.name, 8, "views"))


def turned(images: np.ndarray, view: int) -> np.ndarray:
    """Images (N, side, side, 3) as seen from view 0 to 7: four quarter turns, and the same of the mirror image.

    Pixels only change places, none is interpolated. View 0 is the images as they are.
    """
    mirrored = images[:, :, ::-1] if view >= 4 else images
    return np.ascontiguousarray(np.rot90(mirrored, view % 4, axes=(1, 2)))


def ensemble(predictions: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of several models' probabilities for the same galaxies, (N, 37) each."""
    return np.mean(np.stack(list(predictions)), axis=0)


def mean_prediction(store: Store, split: Split) -> np.ndarray:
    """The answers' mean over the training galaxies (37,): the best guess that does not look at the image."""
    return store.labels[split.train].mean(axis=0, dtype=np.float64)


def central_colour_guess(store: Store, split: Split, rows: np.ndarray) -> np.ndarray:
    """The challenge's "central pixel benchmark": the answers of training galaxies with a like-coloured centre.

    As the benchmark's published code (J. Noah-Vanhoucke, 2013): the centre's mean red, green and blue are each divided
    by the mean of the three and rounded down; galaxies with the same three numbers are one group, which gets the
    mean answers of its training galaxies. Two things differ: the centre is 4 x 4 pixels of the 64 (13 x 13 of the raw
    ones, there 10 x 10; on 120 of the challenge's galaxies both gave the same groups), and a group without training
    galaxies gets the mean of all (there zeros).

    Returns:
        (n, 37) float64, in the order of `rows`.
    """

    def group(of: np.ndarray) -> np.ndarray:
        middle = store.images.shape[1] // 2
        colour = np.asarray(store.images[of, middle - 2 : middle + 2, middle - 2 : middle + 2], np.int64).sum((1, 2))
        ratio = 3 * colour // np.maximum(colour.sum(axis=1, keepdims=True), 1)
        return ratio @ [100, 10, 1]

    of_training, labels = group(split.train), store.labels[split.train]
    means = {number: labels[of_training == number].mean(axis=0, dtype=np.float64) for number in np.unique(of_training)}
    everyone = mean_prediction(store, split)
    return np.stack([means.get(number, everyone) for number in group(rows)])
