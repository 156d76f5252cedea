"""Opening a model file of any of the kit's networks, whichever backend wrote it."""

from collections.abc import Iterator
from pathlib import Path

import keras

# Keras finds the layers that are this kit's own by name, once the modules that define them are imported.
from gzutils.models import pretrained, tree_head, vision_transformer  # noqa: F401
from gzutils.tools.files import first_line
from gzutils.tools.records import arrays_sha256

SAFE_KERAS = (3, 11)  # before it, a model file may run code in spite of `safe_mode`: CVE-2025-1550, CVE-2025-9906


def weights_fingerprint(model: keras.Model) -> str:
    """Hexadecimal digits that name a model's weights, whatever it is called."""
    return arrays_sha256(*model.get_weights())


def all_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """A model's layers, in their order; after a model inside it, that model's own."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)


def fits(model: keras.Model, image: tuple[int, ...], answers: int) -> bool:
    """Whether a model takes any number of images of a shape (side, side, 3) and gives so many answers for each."""
    wanted = (None, *image, None, answers)
    if not isinstance(model.input_shape, tuple) or not isinstance(model.output_shape, tuple):
        return False  # several inputs or outputs
    there = (*model.input_shape, *model.output_shape)
    return len(there) == len(wanted) and all(one in (None, other) for one, other in zip(there, wanted, strict=True))


def load(path: Path | str) -> keras.Model:
    """The model in a `.keras` file, which predicts by itself: uint8 (N, side, side, 3) -> float32 (N, 37).

    Raises:
        ValueError: there is no such file, it is damaged, or it holds code (a Lambda layer), which is never run; or this
            Keras is too old to keep that.
    """
    path = Path(path)
    if tuple(map(int, keras.__version__.split(".")[:2])) < SAFE_KERAS:
        raise ValueError(f"{path} is not opened: Keras {keras.__version__} might run code in it; install keras>=3.12")
    if not path.is_file():
        raise ValueError(f"there is no model file {path}; run the notebook that trains it")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    # A damaged zip, JSON, HDF5 and an unknown or unsafe layer each fail in ways of their own.
    except Exception as error:
        raise ValueError(
            f"{path} is no model of this kit, or damaged ({first_line(error)}); delete it and run the notebook that "
            f"trains it"
        ) from None
