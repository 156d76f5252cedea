"""ResNet-26: residual bottlenecks, wider than usual, that give a galaxy one class (Dai and Tong 2019).

After https://arxiv.org/abs/1807.10406 as far as its layers could be verified: 64 pixels, 6x6 convolution, 3x3 pooling,
four stages of two pre-activation bottlenecks, a widening factor of 2, dropout between convolutions. The filters of the
stages are the wide ResNet's (Zagoruyko and Komodakis 2016, https://arxiv.org/abs/1605.07146, WRN-50-2), the strides
ResNet's own.
"""

import keras
from keras import layers

from gzutils.data.view import REPORT_VIEW
from gzutils.models.answers import class_probabilities
from gzutils.models.width import scaled

STAGES = (64, 128, 256, 512)  # a bottleneck's inner filters are these times the widening factor, its outer ones 4 times
# A strided 1x1 convolution of fewer has wrong gradients, or ends the process, in TensorFlow on a CPU with AVX2 (8) or
# AVX-512 (16): oneDNN writes past its memory, https://github.com/uxlfoundation/oneDNN/issues/6035.
FEWEST_OUTER = 16


def bottleneck(x, inner: int, outer: int, stride: int, dropout: float, momentum: float, name: str):
    """Three convolutions, 1x1 to few filters, 3x3 among them, 1x1 to many, whose result is added to what came in.

    Each has its normalisation and ReLU before it (pre-activation, He et al. 2016, https://arxiv.org/abs/1603.05027).
    """

    def activated(x, number: int):
        x = layers.BatchNormalization(momentum=momentum, name=f"{name}_norm_{number}")(x)
        return layers.ReLU(name=f"{name}_relu_{number}")(x)

    def convolution(x, filters: int, size: int, step: int, part: str):
        kernel = "he_normal"
        return layers.Conv2D(
            filters, size, step, "same", use_bias=False, kernel_initializer=kernel, name=f"{name}_{part}"
        )(x)

    start = activated(x, 1)
    shortcut = x if x.shape[-1] == outer and stride == 1 else convolution(start, outer, 1, stride, "shortcut")
    y = convolution(start, inner, 1, 1, "conv_1")
    y = layers.Dropout(dropout, name=f"{name}_dropout_1")(activated(y, 2))
    y = convolution(y, inner, 3, stride, "conv_2")
    y = layers.Dropout(dropout, name=f"{name}_dropout_2")(activated(y, 3))
    return layers.Add(name=f"{name}_add")([shortcut, convolution(y, outer, 1, 1, "conv_3")])


def resnet26(
    classes: int = 5,
    width: float = 1.0,
    widening: int = 2,
    dropout: float = 0.2,
    batch_norm_momentum: float = 0.99,
    side: int = REPORT_VIEW.side,
) -> keras.Model:
    """Builds the network: uint8 images (N, side, side, 3) -> the classes' probabilities (N, classes) float32.

    Args:
        classes: how many.
        width: scales the filters of every convolution; 1.0 has 37,655,621 parameters with 5 classes. What leaves a
            bottleneck has 16 filters at least.
        widening: by how much the inner filters of a bottleneck are more than ResNet's; 2 is the paper's.
        dropout: the share that is dropped between convolutions; the paper's could not be verified.
        batch_norm_momentum: see `parallel_cnn`.
        side: of the images, in pixels.

    Raises:
        ValueError: a width of 0 or less, or fewer than 2 classes.
    """
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    x = layers.Conv2D(scaled(64, width), 6, padding="same", kernel_initializer="he_normal", name="stem")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool")(x)
    for stage, filters in enumerate(STAGES, start=1):
        inner, outer = scaled(filters * widening, width), max(FEWEST_OUTER, scaled(4 * filters, width))
        for block in (1, 2):
            stride, name = (2 if stage > 1 and block == 1 else 1), f"stage_{stage}_block_{block}"
            x = bottleneck(x, inner, outer, stride, dropout, batch_norm_momentum, name)
    x = layers.BatchNormalization(momentum=batch_norm_momentum, name="last_norm")(x)
    x = layers.ReLU(name="last_relu")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(images, class_probabilities(x, classes), name="resnet26")
