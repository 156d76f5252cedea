"""The network of the constraint study: the report's parameter count and shapes."""

import keras
import numpy as np
import pytest

from gzutils.models.simple_cnn import simple_cnn


def test_it_has_the_reports_parameters_and_shapes():
    model = simple_cnn()
    assert model.count_params() == 522_469
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["conv_1"] == (62, 62, 32)
    assert shapes["pool_4"] == (2, 2, 128)
    assert shapes["flatten"] == shapes["dense"] == (512,)
    assert all(
        layer.activation is keras.activations.relu for layer in model.layers if isinstance(layer, keras.layers.Conv2D)
    )


def test_bytes_go_in_and_probabilities_come_out():
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    predicted = simple_cnn(0.25).predict(images, verbose=0)
    assert predicted.shape == (3, 37)
    assert predicted.dtype == np.float32
    assert ((predicted > 0) & (predicted < 1)).all()


def test_width_scales_every_convolution_and_leaves_the_dense_layers():
    quarter = simple_cnn(0.25)
    assert [layer.filters for layer in quarter.layers if isinstance(layer, keras.layers.Conv2D)] == [8, 16, 32, 32]
    assert [layer.units for layer in quarter.layers if isinstance(layer, keras.layers.Dense)] == [512, 37]


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_a_width_of_nothing_is_refused(width):
    with pytest.raises(ValueError, match="width"):
        simple_cnn(width=width)
