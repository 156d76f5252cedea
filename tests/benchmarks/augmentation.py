"""The random views of the training galaxies against the obvious alternatives, in one run; run by hand:

    python tests/benchmarks/augmentation.py --galaxies 2048

The same zoom, rotation and shifts by `RandomAffine` (one look-up an image), by Keras's three layers in a row, and by
`ImageDataGenerator`, which the report's code used (on TensorFlow, needs SciPy). Prints images a second, the median of
several rounds that take turns, and how many times faster the first is.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from gzutils import backend

BATCH = 128


def by_one_layer() -> Callable[[np.ndarray], object]:
    """The kit's layer, compiled as `fit` would."""
    from gzutils.augmentation import RandomAffine

    return compiled(RandomAffine(rotation=25, zoom=0.1, shift=0.05, seed=0))


def by_three_layers() -> Callable[[np.ndarray], object]:
    """Keras's own layers; each rotation is a share of a full turn."""
    import keras

    layers = keras.layers
    settings = {"fill_mode": "nearest", "interpolation": "bilinear", "seed": 0}
    return compiled(
        keras.Sequential(
            [
                layers.RandomZoom((-0.1, 0.1), (-0.1, 0.1), **settings),
                layers.RandomRotation(25 / 360, **settings),
                layers.RandomTranslation(0.05, 0.05, **settings),
            ]
        )
    )


def by_generator() -> Callable[[np.ndarray], object]:
    """One image after the other in NumPy and SciPy, as the report's code did."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        zoom_range=0.1, rotation_range=25, width_shift_range=0.05, height_shift_range=0.05, fill_mode="nearest"
    )
    return lambda images: next(generator.flow(images, batch_size=len(images), shuffle=False))


def compiled(layer) -> Callable[[np.ndarray], object]:
    """The layer as one function of the backend's graph."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        seeds = [variable for variable in layer.variables if "seed" in variable.path]

        @jax.jit
        def call(states, images):
            outputs, states = layer.stateless_call([], states, images, training=True)
            return outputs, states

        layer(np.zeros((1, 64, 64, 3), np.float32), training=True)
        states = [variable.value for variable in seeds or layer.non_trainable_variables]
        return lambda images: call(states, images)[0].block_until_ready()
    import tensorflow

    function = tensorflow.function(lambda images: layer(images, training=True))
    return lambda images: function(images).numpy()


def main() -> None:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=2048, help="images a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    backend.load()
    import keras

    images = np.random.default_rng(0).integers(0, 256, (options.galaxies, 64, 64, 3)).astype(np.float32)
    ways = {"RandomAffine": by_one_layer(), "three Keras layers": by_three_layers()}
    if keras.backend.backend() == "tensorflow":
        ways["ImageDataGenerator"] = by_generator()
    seconds = {name: [] for name in ways}
    for round_number in range(options.rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            for first in range(0, len(images), BATCH):
                way(images[first : first + BATCH])
            if round_number:  # the first one compiles
                seconds[name].append(time.perf_counter() - start)
    speeds = {name: len(images) / statistics.median(values) for name, values in seconds.items()}
    times = {name: round(speeds["RandomAffine"] / speed, 2) for name, speed in speeds.items()}
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "device": backend.device(),
                "images_per_second": {name: round(speed) for name, speed in speeds.items()},
                "RandomAffine is faster by": times,
            }
        )
    )


if __name__ == "__main__":
    main()
