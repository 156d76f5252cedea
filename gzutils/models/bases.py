"""The convolutions of VGG16 and ResNet50 in any width: the layers of `keras.applications`, with a share of the filters.

Simonyan and Zisserman 2015 (arXiv:1409.1556); He et al. 2016 (arXiv:1512.03385). At width 1 they are those of
`keras.applications` themselves. And how they get their first weights: from a file, or at random.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from gzutils.models.width import scaled
from gzutils.tools.files import first_line

TITLES = {"vgg16": "VGG16", "resnet50": "ResNet50"}
VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions, and filters of each
RESNET50_STACKS = ((3, 64), (4, 128), (6, 256), (3, 512))  # residual blocks, and filters of their inner convolutions
EPSILON = 1.001e-5  # of ResNet50's batch normalisations, as in keras.applications


def convolutions(network: str, images, width: float = 1.0):
    """A network's convolutions, without its top.

    Args:
        network: "vgg16" or "resnet50".
        images: tensor of Keras (N, side, side, 3), scaled as the weights ask for; the side is at least 32.
        width: the share of the filters, above 0; 1 has all of them.

    Returns:
        The last feature map, a thirty-second of the side.

    Raises:
        ValueError: the width makes no sense.
    """
    if width == 1:
        build = {"vgg16": keras.applications.VGG16, "resnet50": keras.applications.ResNet50}[network]
        return build(include_top=False, weights=None, input_tensor=images).output
    return {"vgg16": vgg16_convolutions, "resnet50": resnet50_convolutions}[network](images, width)


def vgg16_convolutions(images, width: float):
    """Thirteen 3x3 convolutions in five blocks, each of which halves the side."""
    x = images
    for block, (count, filters) in enumerate(VGG16_BLOCKS, start=1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            x = layers.Conv2D(scaled(filters, width), 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return x


def resnet50_convolutions(images, width: float):
    """A 7x7 convolution, then sixteen residual blocks in four stacks."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(images)
    x = layers.Conv2D(scaled(64, width), 7, strides=2, name="conv1_conv")(x)
    x = layers.BatchNormalization(epsilon=EPSILON, name="conv1_bn")(x)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stack, (blocks, filters) in enumerate(RESNET50_STACKS, start=2):
        for block in range(1, blocks + 1):
            halves = block == 1 and stack > 2
            x = _residual_block(x, scaled(filters, width), 2 if halves else 1, block == 1, f"conv{stack}_block{block}")
    return x


def _residual_block(x, filters: int, stride: int, projects: bool, name: str):
    """Convolutions 1x1, 3x3, 1x1, added to what came in, which a 1x1 convolution brings into the new shape."""
    shortcut = _normalised(x, 4 * filters, 1, f"{name}_0", strides=stride) if projects else x
    x = _normalised(x, filters, 1, f"{name}_1", strides=stride)
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = _normalised(x, filters, 3, f"{name}_2", padding="same")
    x = layers.Activation("relu", name=f"{name}_2_relu")(x)
    x = _normalised(x, 4 * filters, 1, f"{name}_3")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _normalised(x, filters: int, side: int, name: str, **arguments):
    x = layers.Conv2D(filters, side, name=f"{name}_conv", **arguments)(x)
    return layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)


def load(base: keras.Model, network: str, path: Path) -> None:
    """Loads a base's weights from a file of Keras's: of the network without its top, or of one that it is a part of.

    In Keras's newer layout (`.weights.h5`) the layers are found by their names; the latter has to have it.

    Raises:
        ValueError: the file is missing, damaged, or of another network: the message names the first layer that it
            lacks or has in another shape.
    """
    title = TITLES[network]
    if not path.is_file():
        raise ValueError(f"there is no weights file {path} for {title}'s base")
    for variable in base.variables:  # so that whatever Keras passes over, with a warning at most, is found below
        variable.assign(np.full(variable.shape, np.nan))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not _load_by_name(base, path):
                base.load_weights(path)
        if any(np.isnan(values).any() for values in base.get_weights()):
            raise ValueError("some layers have no weights in it")
    except Exception as error:  # h5py, Keras's two formats and NumPy each fail in ways of their own
        found = width_of(network, path)
        said = first_line(error) if found in (None, _width(base)) else f"it has {found:g} of the filters: set its width"
        raise ValueError(
            f"{path} does not fit: it has to hold the weights of {title} without its top, as a .weights.h5 or .h5 "
            f"file of Keras ({said})"
        ) from None


def width_of(network: str, path: Path) -> float | None:
    """The share of a network's filters that a weights file has, by its first convolution; None where it has none."""
    side = {"vgg16": 3, "resnet50": 7}[network]
    widths = set()

    def look(_: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and len(item.shape) == 4 and item.shape[:3] == (side, side, 3):
            widths.add(item.shape[3] / 64)

    try:
        with h5py.File(path) as file:
            file.visititems(look)
    except (OSError, RuntimeError, KeyError):  # no HDF5, or damaged: who loads it says so
        return None
    return widths.pop() if len(widths) == 1 else None


def _width(base: keras.Model) -> float:
    return next(layer for layer in base.layers if isinstance(layer, layers.Conv2D)).filters / 64


def _load_by_name(base: keras.Model, path: Path) -> bool:
    """Takes each layer's weights from where a file of the newer layout names it; False: the file names no layers.

    Raises:
        ValueError: it lacks a layer, or has it in another shape.
    """
    found: dict[str, list[list[np.ndarray]]] = {}

    def look(_: str, item: h5py.Group | h5py.Dataset) -> None:
        name = item.attrs.get("name")
        if isinstance(item, h5py.Group) and name is not None:
            found.setdefault(name, []).append([item[str(number)][()] for number in range(len(item))])

    with h5py.File(path) as file:
        file.visititems(look)
    if not found:
        return False
    for layer in base.layers:
        wanted = [tuple(variable.shape) for variable in layer.weights]
        there = {tuple(value.shape for value in values): values for values in found.get(layer.name, ())}
        if tuple(wanted) in there:
            layer.set_weights(there[tuple(wanted)])
        elif wanted:
            shapes = " or ".join(map(_shapes, there)) or "not there"
            raise ValueError(f"{layer.name} needs the shapes {_shapes(wanted)}; in the file: {shapes}")
    return True


def _shapes(shapes: Iterable[tuple[int, ...]]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes) or "without weights"


def fill_with_random_weights(base: keras.Model, typical_input: float, seed: int) -> None:
    """He initialisation (He et al., 2015, arXiv:1502.01852): with Keras's own, VGG16 lets its signal die out.

    typical_input: the size of what the base sees, so that it can bring its signal near 1.
    """
    draw = np.random.default_rng(seed)
    scale = 1 / typical_input
    for layer in base.layers:
        if isinstance(layer, layers.Conv2D):
            shape = layer.kernel.shape
            spread = scale * np.sqrt(2 / np.prod(shape[:-1]))
            layer.kernel.assign(draw.normal(0, spread, shape).astype(np.float32))
            scale = 1
        elif layer.name.endswith("_3_bn"):
            # The last step of a residual block, which is added to its input: at full strength 16 blocks would double
            # the variance 16 times, since the normalisation's stored statistics do not know these weights.
            layer.gamma.assign(np.full(layer.gamma.shape, 0.25, np.float32))
