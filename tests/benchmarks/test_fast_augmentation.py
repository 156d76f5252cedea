"""The random views of the training galaxies: the same zoom, rotation and shifts, made in three ways."""

import keras
import numpy as np
import pytest

from gzutils.learning.augmentation import RandomAffine

GALAXIES, BATCH = 2048, 128


@pytest.fixture(scope="module")
def batches():
    images = np.random.default_rng(0).integers(0, 256, (GALAXIES, 64, 64, 3), np.uint8)
    return np.split(images, GALAXIES // BATCH)


def compiled(layer):
    """The layer as one function of the backend's graph, as `fit` runs it."""
    if keras.backend.backend() == "jax":
        import jax

        layer(np.zeros((1, 64, 64, 3), np.uint8), training=True)
        states = [variable.value for variable in layer.non_trainable_variables]
        call = jax.jit(lambda images: layer.stateless_call([], states, images, training=True)[0])
        return lambda images: call(images).block_until_ready()
    import tensorflow

    function = tensorflow.function(lambda images: layer(images, training=True))
    return lambda images: function(tensorflow.constant(images)).numpy()


def all_of(batches, make):
    return lambda: [make(images) for images in batches]


def test_against_three_keras_layers(batches, against):
    settings = {"fill_mode": "nearest", "interpolation": "bilinear", "seed": 0}
    layers = [
        keras.layers.RandomZoom((-0.1, 0.1), (-0.1, 0.1), **settings),
        keras.layers.RandomRotation(25 / 360, **settings),  # a share of a full turn
        keras.layers.RandomTranslation(0.05, 0.05, **settings),
    ]
    ours, theirs = compiled(RandomAffine(rotation=25, zoom=0.1, shift=0.05, seed=0)), compiled(keras.Sequential(layers))
    against(
        "augmentation",
        all_of(batches, ours),
        all_of(batches[:4], theirs),
        "three Keras layers in a row",
        (GALAXIES, 4 * BATCH),
        "images",
        at_least=2,
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="ImageDataGenerator is TensorFlow's")
def test_against_image_data_generator(batches, against):
    """The report's code took it; one image after the other, in NumPy and SciPy."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        zoom_range=0.1, rotation_range=25, width_shift_range=0.05, height_shift_range=0.05, fill_mode="nearest"
    )
    against(
        "augmentation",
        all_of(batches, compiled(RandomAffine(rotation=25, zoom=0.1, shift=0.05, seed=0))),
        all_of(batches[:4], lambda images: next(generator.flow(images, batch_size=BATCH, shuffle=False))),
        "ImageDataGenerator",
        (GALAXIES, 4 * BATCH),
        "images",
        at_least=5,
    )
