"""VGG16 and ResNet50: a base that learned from other pictures, frozen, and a head that learns from galaxies.

Report, sections 5.4 and 6.5. Base and head are layers of one flat network, so that each can be reached by its name; the
layer called `features` hands over from the one to the other. The base learned from ImageNet's photographs, as in the
report, or comes with the kit: a quarter of the filters, which learned the properties of simulated galaxies.
"""

import contextlib
import io
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from gzutils import parameters
from gzutils.data.view import REPORT_VIEW
from gzutils.models import bases
from gzutils.models.answers import answers
from gzutils.models.networks import GALAXIES_START, RANDOM_START, TRAINED
from gzutils.tools import records
from gzutils.tools.files import first_line
from gzutils.tools.progress import Line

IMAGENET_MEANS_BGR = (103.939, 116.779, 123.68)  # as keras.applications subtracts them for both networks
# The size of what a base of random weights gets to see, so that it can bring its signal near 1: a galaxy's bright
# middle in 0 ... 1, and a black sky under the means above.
TYPICAL_INPUT = {"report": 0.5, "imagenet": 115.0}
DOWNLOAD_TIMEOUT = 20  # seconds without an answer
SHIPPED_WIDTH = 0.25


@dataclass(frozen=True)
class _Base:
    """The file of a network's ImageNet weights without the top, as keras.applications has it."""

    file: str
    url: str
    md5: str
    megabytes: int


_STORAGE = "https://storage.googleapis.com/tensorflow/keras-applications/"
BASES = {
    "vgg16": _Base(
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        _STORAGE + "vgg16/",
        "6d6bbae143d832006294945121d1f1fc",
        59,
    ),
    "resnet50": _Base(
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        _STORAGE + "resnet/",
        "4d473c1dd8becc155b73f8504c6f6626",
        95,
    ),
}


@keras.saving.register_keras_serializable("gzutils")
class ImageNetScaling(layers.Layer):
    """RGB bytes -> blue, green, red minus ImageNet's mean of each, as both networks were given their photographs."""

    def call(self, images):
        """(N, height, width, 3) of any dtype -> the same shape, the layer's float dtype."""
        return ops.flip(ops.cast(images, self.compute_dtype), axis=-1) - ops.cast(
            IMAGENET_MEANS_BGR, self.compute_dtype
        )


def vgg16(
    width: float = 1.0,
    enlarge_to: int = 224,
    input_scaling: str = "report",
    units: int = 512,
    initial_weights: str = "imagenet",
    seed: int = 0,
    mean_answers: Sequence[float] | None = None,
    side: int = REPORT_VIEW.side,
) -> keras.Model:
    """VGG16's convolutions, frozen, then a dense layer: uint8 (N, side, side, 3) -> probabilities (N, 37) float32.

    Enlarged to 224 it has 27,579,237 parameters, 12,864,549 of them trainable.

    Args:
        width: the share of the filters in every convolution of the base; 1.0 has all of them, as ImageNet's weights.
        enlarge_to: what the galaxies are enlarged to, at least 32 pixels a side.
        input_scaling: "report": 0 ... 1; "imagenet": what the base was trained on.
        units: of the dense layer; 512 are the report's.
        initial_weights: of the base. "imagenet"; "galaxies", which learned from simulated ones (width 0.25); "random"
            (scaled so that the signal neither fades nor explodes); or the path of a Keras weights file that has the
            network without its top, alone or as a part (then by its layers' names).
        seed: of random weights of the base. The head's come from Keras's own seed.
        mean_answers: of the labels, for the last biases to start at; None: they start at 0, as the report's.
        side: of the images, in pixels.

    Raises:
        ValueError: the weights can't be had or do not fit, or an argument makes no sense.
    """
    images, x = _frozen_base("vgg16", side, enlarge_to, input_scaling, initial_weights, seed, width)
    x = layers.Flatten(name="features")(x)
    return _with_head(images, x, units, mean_answers, "vgg16")


def resnet50(
    width: float = 1.0,
    enlarge_to: int = 224,
    input_scaling: str = "report",
    units: int = 2048,
    initial_weights: str = "imagenet",
    seed: int = 0,
    mean_answers: Sequence[float] | None = None,
    side: int = REPORT_VIEW.side,
) -> keras.Model:
    """ResNet50's convolutions, frozen, the maximum of each channel over the image, then a dense layer.

    As `vgg16`; enlarged to 224 it has 27,859,877 parameters, 4,272,165 of them trainable.
    """
    images, x = _frozen_base("resnet50", side, enlarge_to, input_scaling, initial_weights, seed, width)
    x = layers.GlobalMaxPooling2D(name="features")(x)
    return _with_head(images, x, units, mean_answers, "resnet50")


def find_weights(network: str, wanted: str | None, required: bool, home: Path | str = "") -> tuple[dict[str, Any], str]:
    """What a base can start from here, and its name in words for titles and tables.

    Args:
        network: "vgg16" or "resnet50".
        wanted: as `initial_weights` of the builders; None: ImageNet's, or where these can't be had the kit's own.
        required: refuse to take these for ImageNet's.
        home: where a relative path starts.

    Returns:
        The builder's `initial_weights` and `width` by name; and "ImageNet", "simulated galaxies' properties (a quarter
        of the filters)", "random initial weights" or the file's name.

    Raises:
        ValueError: there is no such file, or the ImageNet weights are needed and can't be had; it says what to do.
    """
    if wanted == "random":
        return {"initial_weights": "random", "width": 1.0}, RANDOM_START
    if wanted not in (None, "imagenet", "galaxies"):
        path = Path(home) / Path(wanted).expanduser()
        if not path.is_file():
            raise ValueError(f'there is no weights file {path}; name another, "imagenet", "galaxies" or "random"')
        return {"initial_weights": str(path), "width": bases.width_of(network, path) or 1.0}, path.name
    if wanted != "galaxies":
        try:
            return {"initial_weights": str(imagenet_file(network)), "width": 1.0}, "ImageNet"
        except ValueError:
            if wanted or required:
                raise
    if wanted or shipped_file(network).is_file():
        return {"initial_weights": "galaxies", "width": SHIPPED_WIDTH}, GALAXIES_START
    return {"initial_weights": "random", "width": 1.0}, RANDOM_START


def shipped_file(network: str) -> Path:
    """The weights file of a network's base that comes with the kit."""
    return TRAINED / f"{network}_quarter.weights.h5"


def refuse_its_own_galaxies(network: str, seed: int) -> None:
    """A base that comes with the kit learned from the survey with one seed: of that one every galaxy is known to it.

    Raises:
        ValueError: it is this seed.
    """
    card = shipped_file(network).with_name(f"{network}_quarter.json")
    if card.is_file() and records.read_record(card, "seed")["seed"] == seed:
        raise ValueError(
            f"SEED = {seed} draws the galaxies that the kit's {bases.TITLES[network]} base has learned from, those of "
            f'the test too; take another SEED, or INITIAL_WEIGHTS = "random"'
        )


def imagenet_file(network: str) -> Path:
    """The file with a base's ImageNet weights, downloaded into Keras's cache where it is not there yet.

    Raises:
        ValueError: it can't be had; it says which file to bring, and where to.
    """
    base, title = BASES[network], bases.TITLES[network]
    line = Line()
    waited = socket.getdefaulttimeout()
    try:
        line.show(f"{title}'s ImageNet weights: looking in Keras's cache, else downloading {base.megabytes} MB")
        # Keras sets no limit of its own: behind a firewall that only swallows, it would wait for ever.
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
        with contextlib.redirect_stdout(io.StringIO()):
            path = keras.utils.get_file(base.file, base.url + base.file, file_hash=base.md5, cache_subdir="models")
    except Exception as error:  # Keras wraps some failures of a download in plain Exception and lets others through
        cache = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
        reason = first_line(error).rsplit(" -- ")[-1]  # Keras puts the address before it
        raise ValueError(
            f"{title}'s ImageNet weights could not be downloaded ({reason}); on a machine with internet "
            f"fetch {base.url}{base.file} and put it into {cache}, or anywhere and name it in INITIAL_WEIGHTS"
        ) from None
    finally:
        socket.setdefaulttimeout(waited)
        line.clear()
    return Path(path)


def _frozen_base(
    network: str, side: int, enlarge_to: int, input_scaling: str, initial_weights: str, seed: int, width: float
):
    """Input and last feature map of a network: bytes to float, scaled, enlarged, and the frozen convolutions."""
    parameters.choice("the input scaling", input_scaling, parameters.SCALINGS)
    if enlarge_to < 32:
        raise ValueError(f"the side is {enlarge_to} pixels; {bases.TITLES[network]} needs at least 32")
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    if input_scaling == "report":
        x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    else:
        x = ImageNetScaling(name="subtract_imagenet_means")(images)
    enlarged = layers.Resizing(enlarge_to, enlarge_to, interpolation="bilinear", name="enlarge")(x)
    feature_map = bases.convolutions(network, enlarged, width)
    base = keras.Model(enlarged, feature_map, name=f"{network}_base")
    if initial_weights == "random":
        bases.fill_with_random_weights(base, TYPICAL_INPUT[input_scaling], seed)
    else:
        named = {"imagenet": imagenet_file, "galaxies": shipped_file}.get(initial_weights)
        bases.load(base, network, named(network) if named else Path(initial_weights))
    base.trainable = False  # batch normalisations then also keep to the statistics they were trained with
    return images, feature_map


def _with_head(images, features, units: int, mean_answers: Sequence[float] | None, name: str) -> keras.Model:
    x = layers.Dense(units, activation="relu", name="dense")(features)
    x = layers.Dropout(0.1, name="dropout")(x)
    probabilities = answers(x, mean_answers)
    return keras.Model(images, probabilities, name=name)
