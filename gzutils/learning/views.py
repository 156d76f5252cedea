"""A galaxy seen in many ways, turned, mirrored, larger and smaller, and a model's mean answer to all of them."""

from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from gzutils.data.store import Examples
from gzutils.learning.batches import Batches
from gzutils.models.look_up import look_up, similarity
from gzutils.tools import backend
from gzutils.tools.progress import Line


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


def view_matrices(views: tuple[Seen, ...], side: int) -> np.ndarray:
    """Where in a picture of `side` pixels the pixels of its views are looked up, about its centre: (views, 6) float32."""
    degrees, zoom, mirrored = np.array(views, np.float64).T
    angle, centre = np.radians(degrees), ((side - 1) / 2,) * 2
    # Rounded, so that quarter turns fall on whole pixels.
    cosine, sine = (np.cos(angle) / zoom).round(12), (np.sin(angle) / zoom).round(12)
    return np.stack(similarity(cosine, sine, 1 - 2 * mirrored, centre, centre), axis=-1).astype(np.float32)


class SeenFrom(layers.Layer):
    """Pictures (N, side, side, 3) -> each in every view, (N * views, side, side, 3) of the same dtype: one look-up."""

    def __init__(self, views: tuple[Seen, ...], **kwargs):
        super().__init__(**kwargs)
        self.views = views
        self.supports_jit = backend.compiles_whole_steps()

    def call(self, pictures):
        side = pictures.shape[1]
        matrices = view_matrices(self.views, side)
        each = ops.broadcast_to(matrices[None], (ops.shape(pictures)[0], *matrices.shape))
        return ops.reshape(look_up(pictures, each), (-1, *pictures.shape[1:]))

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


def predict_views(
    model: keras.Model,
    pictures: np.ndarray,
    rows: np.ndarray,
    views: tuple[Seen, ...] = SIXTY,
    batch_size: int = 128,
) -> np.ndarray:
    """The mean of a model's probabilities over the views of each picture, in the order of `rows` (n,): (n, 37) float32.

    Turning, zooming, mirroring and predicting are one program on the device, a batch of views at a time. What a view
    shows from outside of the picture is the nearest pixel inside.

    Args:
        model: uint8 (N, side, side, 3) -> (N, 37). pictures: (M, side, side, 3) uint8.
        batch_size: pictures at once in the model, views counted; at least the views of one galaxy.
    """
    galaxies_at_once = max(1, batch_size // len(views))
    with backend.on_one_device(model) as predictor:
        given = keras.Input(model.input_shape[1:], dtype="uint8")
        answers = predictor(SeenFrom(views)(given))
        mean = ops.mean(ops.reshape(answers, (-1, len(views), answers.shape[-1])), axis=1)
        averaged = keras.Model(given, mean)
        return averaged.predict(Batches(Examples(pictures, None, ""), rows, galaxies_at_once), verbose=0)
