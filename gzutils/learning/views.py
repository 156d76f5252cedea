"""A galaxy seen in many ways, turned, mirrored, larger and smaller, and a model's mean answer to all of them."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from gzutils.data.store import Examples
from gzutils.learning.batches import Batches
from gzutils.models.look_up import look_up, similarity
from gzutils.tools import backend


class Seen(NamedTuple):
    """One way to see a picture: turned by so many degrees, enlarged so many times, mirrored left to right or not."""

    degrees: float = 0.0
    zoom: float = 1.0
    mirrored: bool = False


# The challenge's winner averaged over these 60 (Dieleman, Willett and Dambre 2015, https://arxiv.org/abs/1503.07077).
SIXTY = tuple(
    Seen(degrees, zoom, mirrored)
    for mirrored in (False, True)
    for zoom in (1 / 1.2, 1.0, 1.2)
    for degrees in range(0, 360, 36)
)


def view_matrices(views: Sequence[Seen], side: int) -> np.ndarray:
    """Where in a picture of `side` pixels its views are looked up, all about the centre: (views, 6) float32.

    Raises:
        ValueError: there is no view, or a zoom is not above 0.
    """
    if not len(views) or not all(zoom > 0 for _, zoom, _ in views):
        raise ValueError(f"the views are {list(views)}; there has to be one at least, and each zoom has to be above 0")
    degrees, zoom, mirrored = np.array(views, np.float64).T
    angle, centre = np.radians(degrees), ((side - 1) / 2,) * 2
    # Rounded, so that quarter turns fall on whole pixels.
    cosine, sine = (np.cos(angle) / zoom).round(12), (np.sin(angle) / zoom).round(12)
    return np.stack(similarity(cosine, sine, 1 - 2 * mirrored, centre, centre), axis=-1).astype(np.float32)


@keras.saving.register_keras_serializable("gzutils")
class SeenFrom(layers.Layer):
    """Pictures (N, side, side, 3) -> each in every view, (N * views, side, side, 3) of the same dtype: one look-up.

    Where a view reaches beyond the picture, its nearest pixel counts.
    """

    def __init__(self, views: Sequence[Seen], **kwargs):
        super().__init__(**kwargs)
        self.views = [Seen(*view) for view in views]
        self.supports_jit = backend.compiles_whole_steps()

    def call(self, pictures):
        matrices = view_matrices(self.views, pictures.shape[1])
        each = ops.broadcast_to(matrices[None], (ops.shape(pictures)[0], *matrices.shape))
        return ops.reshape(look_up(pictures, each), (-1, *pictures.shape[1:]))

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])

    def get_config(self) -> dict:
        return {**super().get_config(), "views": [list(view) for view in self.views]}


def averaged(model: keras.Model, views: Sequence[Seen] = SIXTY) -> keras.Model:
    """A model that answers as another does on the mean over the views: uint8 (N, side, side, 3) -> (N, 37).

    Turning, zooming, mirroring, predicting and averaging are one program on the device.
    """
    pictures = keras.Input(model.input_shape[1:], dtype="uint8", name="images")
    answers = model(SeenFrom(views, name="views")(pictures))
    of_each = ops.reshape(answers, (-1, len(views), answers.shape[-1]))
    return keras.Model(pictures, ops.mean(of_each, axis=1), name=f"{model.name}_averaged")


def predict_views(
    model: keras.Model,
    pictures: np.ndarray,
    rows: np.ndarray,
    views: Sequence[Seen] = SIXTY,
    batch_size: int = 128,
) -> np.ndarray:
    """The mean of a model's probabilities over the views of each picture, in the order of `rows` (n,): (n, 37) float32.

    Args:
        model: uint8 (N, side, side, 3) -> (N, 37). pictures: (M, side, side, 3) uint8.
        batch_size: pictures at once in the model, views counted; at least the views of one galaxy.
    """
    galaxies = max(1, batch_size // len(views))
    with backend.on_one_device(model) as predictor:
        return averaged(predictor, views).predict(Batches(Examples(pictures, None, ""), rows, galaxies), verbose=0)
