"""Monte Carlo dropout (Gal and Ghahramani 2016, arXiv:1506.02142): each pass drops other values, as another network.

The dropout stands behind the features, so the convolutions run once, and the passes are one batch of the small head.
"""

import functools

import keras
import numpy as np
from keras import layers

from gzutils.learning.batches import set_draws
from gzutils.learning.posteriors import Passes
from gzutils.learning.predict import predict
from gzutils.models.bayesian_cnn import FEATURES, likelihood_of

AT_ONCE = 1024  # galaxies whose passes are one batch; part of the draws, so not a setting


@functools.lru_cache(maxsize=4)
def body_and_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """A Bayesian CNN as its convolutions (images -> features) and its head with the dropout (features -> outputs).

    Both share the model's layers: what it learns, they have learned. They are kept, since Keras compiles each anew.
    """
    handed_over = model.get_layer(FEATURES)
    x = features = keras.Input(handed_over.output.shape[1:], name="features")
    for layer in model.layers[model.layers.index(handed_over) + 1 :]:
        x = layer(x)
    body = keras.Model(model.input, handed_over.output, name=f"{model.name}_body")
    return body, keras.Model(features, x, name=f"{model.name}_head")


def features_of(model: keras.Model, images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What the network has seen in pictures, for `familiarity`: the mean and highest answer of its last filters.

    Of the last two groups' pools, float32 (n, values). The dense layer's values serve less: it keeps of a picture
    only what tells galaxies apart, and an empty one is nothing to it.
    """
    pools = [model.get_layer(name).output for name in ("pool_3", "pool_4")]
    summaries = [kind()(pool) for pool in pools for kind in (layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D)]
    return predict(keras.Model(model.input, layers.Concatenate(dtype="float32")(summaries)), images, rows)


def passes(model: keras.Model, images: np.ndarray, rows: np.ndarray, count: int = 20, seed: int = 0) -> Passes:
    """What the network says of some of the images in `count` passes; 0: once, without dropout.

    Args:
        model: a Bayesian CNN. images: (N, side, side, 3) uint8. rows: which of them, (n,).
        seed: of what the passes drop.

    Raises:
        ValueError: it is another network.
    """
    kind = likelihood_of(model)
    body, head = body_and_head(model)
    return Passes(_through(head, predict(body, images, rows), count, seed), kind)


def _through(head: keras.Model, features: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Features (n, 128) through the head: (passes, n, 37) float32."""
    if count == 0:
        return keras.ops.convert_to_numpy(head(features, training=False))[None]
    said = []
    for start in range(0, len(features), AT_ONCE):
        some = features[start : start + AT_ONCE]
        set_draws(head, seed, start)
        outputs = keras.ops.convert_to_numpy(head(np.tile(some, (count, 1)), training=True))
        said.append(outputs.reshape(count, len(some), -1))
    return np.concatenate(said, axis=1)
