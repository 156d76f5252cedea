"""The network that won the Galaxy Zoo challenge: 16 turned and mirrored parts, one stack of convolutions for all.

S. Dieleman 2014, read in his public code (https://github.com/benanne/kaggle-galaxies, the variant with an extra dense
layer); Dieleman, Willett and Dambre 2015, https://arxiv.org/abs/1503.07077.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import initializers, layers, ops

from gzutils import parameters
from gzutils.data.view import WINNERS_VIEW
from gzutils.decision_tree import COLUMNS
from gzutils.models.answers import NEVER, logits
from gzutils.models.look_up import look_up, similarity
from gzutils.models.tree_head import RectifiedTree, TreeProbabilities, shares_of_their_question
from gzutils.models.width import scaled
from gzutils.tools import backend

# Filters, side of the kernel, and whether a pool of 2 follows.
CONVOLUTIONS = ((32, 6, True), (64, 5, True), (128, 3, False), (128, 3, True))
OUTPUTS = ("rectified", "softmax", "sigmoid")


def part_matrices(side: int, window: int, part: int) -> np.ndarray:
    """Where in a picture the pixels of its 16 parts are looked up, (16, 6) float32, see `look_up`.

    The central square of `window` pixels is seen straight and turned by 45 degrees, each also mirrored: 4 views. Of
    each view and its 3 quarter turns the upper left corner of `part` pixels is cut: so all four corners, and the
    galaxy's centre lies to the lower right in all of them.
    """
    turn = np.radians([view + 90 * quarter for view in (0, 45) for _ in (1, -1) for quarter in range(4)])
    mirrored = np.array([mirror for _ in (0, 45) for mirror in (1, -1) for _ in range(4)])
    start, end = ((window - 1) / 2,) * 2, ((side - 1) / 2,) * 2
    # Rounded, so that quarter turns fall on whole pixels.
    columns = similarity(np.cos(turn).round(12), np.sin(turn).round(12), mirrored, start, end)
    return np.stack(columns, axis=-1).astype(np.float32)


@keras.saving.register_keras_serializable("gzutils")
class Parts(layers.Layer):
    """Pictures (N, side, side, 3) -> their 16 parts, or fewer, one below the other: (N * parts, part, part, 3).

    One affine look-up, see `part_matrices`; float in, float out.

    Args:
        window: side of the central square that is looked at. part: side of a part. parts: how many, the first of them.
    """

    def __init__(self, window: int, part: int, parts: int = 16, **kwargs):
        super().__init__(**kwargs)
        self.window, self.part, self.parts = window, part, parts
        self.supports_jit = backend.compiles_whole_steps()

    def call(self, pictures):
        matrices = part_matrices(pictures.shape[1], self.window, self.part)[: self.parts]
        each = ops.broadcast_to(matrices[None], (ops.shape(pictures)[0], self.parts, 6))
        return ops.reshape(look_up(pictures, each, self.part), (-1, self.part, self.part, pictures.shape[-1]))

    def compute_output_shape(self, input_shape):
        return (None, self.part, self.part, input_shape[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "window": self.window, "part": self.part, "parts": self.parts}


@keras.saving.register_keras_serializable("gzutils")
class Together(layers.Layer):
    """What was found in the parts of each picture, in one row again: (N * parts, …) -> (N, parts * numbers of each).

    Args:
        parts: of a picture.
    """

    def __init__(self, parts: int, **kwargs):
        super().__init__(**kwargs)
        self.parts = parts

    def call(self, x):
        return ops.reshape(x, (-1, self.parts * math.prod(x.shape[1:])))

    def compute_output_shape(self, input_shape):
        return (None, self.parts * math.prod(input_shape[1:]))

    def get_config(self) -> dict:
        return {**super().get_config(), "parts": self.parts}


@keras.saving.register_keras_serializable("gzutils")
class UntiedBias(layers.Layer):
    """Adds a learned number of its own to every place of every filter: (N, height, width, filters), the same shape.

    Args:
        start: what the numbers are at first.
    """

    def __init__(self, start: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        start = initializers.Constant(self.start)
        self.bias = self.add_weight(shape=input_shape[1:], initializer=start, name="bias")

    def call(self, x):
        return x + self.bias

    def get_config(self) -> dict:
        return {**super().get_config(), "start": self.start}


def dieleman(
    width: float = 1.0,
    parts: int = 16,
    output: str = "rectified",
    side: int = WINNERS_VIEW.side,
    window: int = 69,
    part: int = 45,
    convolutions: Sequence[tuple[int, int, bool]] = CONVOLUTIONS,
    units: int = 2048,
    initial_weights: str = "small",
    mean_answers: Sequence[float] | None = None,
) -> keras.Model:
    """Builds the network: uint8 pictures (N, side, side, 3) of `WINNERS_VIEW` -> 37 shares (N, 37) float32.

    The defaults are the winner's: 42,377,125 parameters.

    Args:
        width: scales the number of filters of every convolution.
        parts: how many of the 16 parts the network sees. 1: the straight view alone, whole (`part` is then `window`).
        output: "rectified", the winner's (see `RectifiedTree`); "softmax", a softmax a question down the tree; or
            "sigmoid", 37 numbers that know of no tree, as the report's networks.
        side: of the pictures. window: side of the central square that is looked at. part: side of a part.
        convolutions: filters, side of the kernel, and whether a pool of 2 follows, of each; none of them is padded.
        units: of each of the two maxout layers.
        initial_weights: "small", the winner's normal numbers with standard deviations of 0.001 to 0.1. "he": those of
            He et al. (2015), https://arxiv.org/abs/1502.01852, with biases of 0.
        mean_answers: of the labels, for the last biases to start at; None: the winner's, all alike.

    Raises:
        ValueError: an argument makes no sense; the message says which.
    """
    _check(parts, output, initial_weights, side, window, part)
    small = initial_weights == "small"

    def start(deviation: float):
        return initializers.RandomNormal(stddev=deviation) if small else "he_normal"

    pictures = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(pictures)
    x = Parts(window, part if parts > 1 else window, parts, name="parts")(x)
    for number, (filters, kernel, pooled) in enumerate(convolutions, start=1):
        deviation = 0.1 if number == 4 else 0.01
        x = layers.Conv2D(
            scaled(filters, width), kernel, use_bias=False, kernel_initializer=start(deviation), name=f"conv_{number}"
        )(x)
        x = UntiedBias(0.1 if small else 0.0, name=f"bias_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
        if pooled:
            x = layers.MaxPooling2D(2, name=f"pool_{number}")(x)
    x = Together(parts, name="together")(x)
    for number in (1, 2):
        x = layers.Dropout(0.5, name=f"dropout_{number}")(x)
        x = layers.Dense(
            2 * units,
            kernel_initializer=start(0.001),
            bias_initializer=initializers.Constant(0.01 if small else 0.0),
            name=f"dense_{number}",
        )(x)
        x = layers.Reshape((units, 2), name=f"pairs_{number}")(x)
        x = layers.GlobalMaxPooling1D(data_format="channels_first", name=f"maxout_{number}")(x)
    x = layers.Dropout(0.5, name="dropout_3")(x)
    return keras.Model(pictures, shares(x, output, mean_answers), name="dieleman")


def shares(features, output: str, mean_answers: Sequence[float] | None):
    """The last layer and the output: features (N, …) -> shares (N, 37) float32; arguments as in `dieleman`."""
    biases = np.full(len(COLUMNS), 0.1)
    if mean_answers is not None:
        logits_of_means = logits(mean_answers)  # which checks them
        own = np.maximum(shares_of_their_question(mean_answers), NEVER)
        biases = {"rectified": own, "softmax": np.log(own), "sigmoid": logits_of_means}[output]
    numbers = layers.Dense(
        len(COLUMNS),
        kernel_initializer=initializers.RandomNormal(stddev=0.01),
        bias_initializer=initializers.Constant(biases.round(4).tolist()),
        dtype="float32",
        name="numbers",
    )(features)
    layer = {"rectified": RectifiedTree, "softmax": TreeProbabilities, "sigmoid": _sigmoid}[output]
    return layer(dtype="float32", name="probabilities")(numbers)


def _sigmoid(**arguments) -> layers.Layer:
    return layers.Activation("sigmoid", **arguments)


def _check(parts: int, output: str, initial_weights: str, side: int, window: int, part: int) -> None:
    parameters.choice("OUTPUT", output, OUTPUTS)
    parameters.choice("INITIAL_WEIGHTS", initial_weights, ("small", "he"))
    if parts not in range(1, 17):
        raise ValueError(f"parts is {parts}; there are 16, so it has to be 1 to 16")
    if not part <= window <= side or (side - window) % 2:
        raise ValueError(
            f"side {side}, window {window}, part {part}: a part has to fit into the window and the window into the "
            f"picture, with as many pixels left on either side"
        )
