"""The parallel CNN: one path sees broad structure, the other fine detail (report, section 5.2, Figure 3)."""

from collections.abc import Sequence

import keras
from keras import layers

from gzutils.data.view import REPORT_VIEW
from gzutils.models.answers import answers
from gzutils.models.width import scaled


def parallel_cnn(
    width: float = 1.0,
    batch_norm_momentum: float = 0.99,
    l2: float = 0.01,
    mean_answers: Sequence[float] | None = None,
    side: int = REPORT_VIEW.side,
) -> keras.Model:
    """Builds the network: uint8 images (N, side, side, 3) -> 37 probabilities (N, 37) float32.

    Args:
        width: scales the number of filters of every convolution; 1.0, the report's, has 1,160,165 parameters
            (1,159,653 trainable). A quarter needs about a sixteenth of the arithmetic. The dense layers keep their
            size: they cost little, and narrower ones learn more slowly.
        batch_norm_momentum: of the two batch normalisations; 0.99 is Keras's default and the report's. Training
            of a few hundred steps needs less, or their running averages lag behind the weights.
        l2: weight of the penalty on the dense layers' squared weights; 0.01 is the report's. It suits the report's many
            steps: with few of them, shrinking the weights is most of what is learned.
        mean_answers: of the labels, for the last biases to start at; None: they start at 0, as the report's.
        side: of the images, in pixels.
    """
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    scaled_images = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)

    def path(kernel_size: int, name: str):
        x = scaled_images
        for number, filters in enumerate((64, 64, 128), start=1):
            x = layers.Conv2D(
                scaled(filters, width), kernel_size, padding="same", activation="relu", name=f"{name}_conv_{number}"
            )(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum, name=f"{name}_batch_norm")(x)
        x = layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x)
        return layers.Dropout(0.1, name=f"{name}_dropout")(x)

    x = layers.Concatenate(name="both_paths")([path(6, "broad"), path(3, "fine")])
    for number, filters in enumerate((128, 64, 64), start=1):
        x = layers.Conv2D(scaled(filters, width), 3, padding="same", activation="relu", name=f"joint_conv_{number}")(x)
        x = layers.MaxPooling2D(2, name=f"joint_pool_{number}")(x)
        x = layers.Dropout(0.1, name=f"joint_dropout_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate((256, 128, 64), start=1):
        regulariser = keras.regularizers.L2(l2)
        x = layers.Dense(units, activation="relu", kernel_regularizer=regulariser, name=f"dense_{number}")(x)
    x = layers.Dropout(0.2, name="dense_dropout")(x)
    probabilities = answers(x, mean_answers)
    return keras.Model(images, probabilities, name="parallel_cnn")
