"""AlexNet: five convolutions and three dense layers (Krizhevsky et al. 2012), for the classes of Schneider et al. 2023.

After Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", on one
processor: they split some convolutions in two, since a GPU of 2012 could not hold them. Without their local response
normalisation, which later networks dropped. Keras has no weights of it that learned from ImageNet, so it starts from
nothing here, where Schneider et al. found that it does significantly worse.
"""

import keras
from keras import layers

from gzutils.data.view import REPORT_VIEW
from gzutils.models.answers import class_probabilities
from gzutils.models.width import scaled

# Filters, side of the window, stride, and whether a pooling of 3 pixels with stride 2 follows.
CONVOLUTIONS = ((96, 11, 4, True), (256, 5, 1, True), (384, 3, 1, False), (384, 3, 1, False), (256, 3, 1, True))
UNITS = (4096, 4096)


def alexnet(
    classes: int = 4,
    width: float = 1.0,
    dropout: float = 0.5,
    enlarge_to: int = 224,
    side: int = REPORT_VIEW.side,
) -> keras.Model:
    """Builds the network: uint8 images (N, side, side, 3) -> the classes' probabilities (N, classes) float32.

    Args:
        classes: how many.
        width: scales filters and dense layers; 1.0 has 58,297,732 parameters with 4 classes.
        dropout: the share that is dropped before the first two dense layers.
        enlarge_to: so many pixels a side, inside the model; 224 are AlexNet's.
        side: of the images, in pixels.

    Raises:
        ValueError: a width of 0 or less, or fewer than 2 classes.
    """
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    x = layers.Resizing(enlarge_to, enlarge_to, interpolation="bilinear", name="resize")(x)
    x = layers.ZeroPadding2D(2, name="frame")(x)  # so that the first convolution has 55 places a side, as theirs
    for number, (filters, window, stride, pooled) in enumerate(CONVOLUTIONS, start=1):
        x = layers.Conv2D(
            scaled(filters, width),
            window,
            stride,
            padding="valid" if number == 1 else "same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv_{number}",
        )(x)
        if pooled:
            x = layers.MaxPooling2D(3, strides=2, name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(UNITS, start=1):
        x = layers.Dropout(dropout, name=f"dropout_{number}")(x)
        x = layers.Dense(
            scaled(units, width), activation="relu", kernel_initializer="he_normal", name=f"dense_{number}"
        )(x)
    return keras.Model(images, class_probabilities(x, classes), name="alexnet")
