"""The simple CNN of the constraint study (report, Figure 7): four convolutions and a dense layer."""

from collections.abc import Sequence

import keras
from keras import layers

from gzutils.data.view import REPORT_VIEW
from gzutils.models.answers import answers
from gzutils.models.width import scaled


def simple_cnn(
    width: float = 1.0, mean_answers: Sequence[float] | None = None, side: int = REPORT_VIEW.side
) -> keras.Model:
    """Builds the network: uint8 images (N, side, side, 3) -> 37 probabilities (N, 37) float32.

    Args:
        width: scales the number of filters of every convolution; 1.0, the report's, has 522,469 parameters. The dense
            layer keeps its size.
        mean_answers: of the labels, for the last biases to start at; None: they start at 0, as the report's.
        side: of the images, in pixels.

    Raises:
        ValueError: a width of 0 or less.
    """
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    for number, filters in enumerate((32, 64, 128, 128), start=1):
        x = layers.Conv2D(scaled(filters, width), 3, activation="relu", name=f"conv_{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(512, activation="relu", name="dense")(x)
    probabilities = answers(x, mean_answers)
    return keras.Model(images, probabilities, name="simple_cnn")
