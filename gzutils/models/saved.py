"""Opening a model file of any of the kit's networks, whichever backend wrote it."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

# Keras finds the layers that are this kit's own by name, once the modules that define them are imported.
from gzutils.models import bayesian_cnn, dieleman, pretrained, tree_head, vision_transformer  # noqa: F401
from gzutils.tools.files import first_line, whole_file
from gzutils.tools.records import arrays_sha256, without_nothing

# A model file is a zip, and this begins its comment. With a member more, Keras would unpack all of them to the disk.
LEARNED_FROM = "learned from "
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


def description(model: keras.Model) -> dict[str, Any]:
    """What Keras says of a model's layers and how they are joined, JSON-like, without settings that are left alone."""
    return without_nothing(json.loads(model.to_json()))


def fits(model: keras.Model, image: tuple[int, ...], answers: int) -> bool:
    """Whether a model takes any number of images of a shape (side, side, 3) and gives so many answers for each."""
    wanted = (None, *image, None, answers)
    if not isinstance(model.input_shape, tuple) or not isinstance(model.output_shape, tuple):
        return False  # several inputs or outputs
    there = (*model.input_shape, *model.output_shape)
    return len(there) == len(wanted) and all(one in (None, other) for one, other in zip(there, wanted, strict=True))


def write(path: Path | str, model: keras.Model, learned_from: str) -> None:
    """Writes a model file, and into it the source of the galaxies that the model learned from, such as "gz2".

    Raises:
        files.NotWritten: the disk is full, or may not be written.
    """
    with whole_file(path) as beside:
        model.save(beside)
        with zipfile.ZipFile(beside, "a") as archive:
            archive.comment = f"{LEARNED_FROM}{learned_from}".encode()


def learned_from(path: Path | str) -> str | None:
    """The source of the galaxies that a file's model learned from; None: the file, a readable one, does not say."""
    with zipfile.ZipFile(path) as archive:
        comment = archive.comment.decode(errors="replace")
    return comment.removeprefix(LEARNED_FROM) if comment.startswith(LEARNED_FROM) else None


def load(path: Path | str) -> keras.Model:
    """The model in a `.keras` file, which predicts by itself: uint8 (N, side, side, 3) -> float32 (N, 37).

    Raises:
        ValueError: there is no such file, it is damaged, of another version of Keras that cannot be opened here, or it
            holds code (a Lambda layer), which is never run; or this Keras is too old to keep that.
    """
    path = Path(path)
    if not _is_safe(keras.__version__):
        raise ValueError(f"{path} is not opened: Keras {keras.__version__} might run code in it; install keras>=3.12")
    if not path.is_file():
        raise ValueError(f"there is no model file {path}; run the notebook that trains it")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    # A damaged zip, JSON, HDF5 and an unknown or unsafe layer each fail in ways of their own.
    except Exception as error:
        written_by, said = _written_by(path), first_line(error)
        if written_by is None:
            remedy = "delete it and run the notebook that trains it"
            raise ValueError(f"{path} is no model of this kit, or damaged ({said}); {remedy}") from None
        if written_by != keras.__version__:
            install = f"install that version (pip install keras=={written_by}), or " if _is_safe(written_by) else ""
            raise ValueError(
                f"{path} is whole, but Keras {written_by} wrote it and this is Keras {keras.__version__}, which cannot "
                f"open it ({said}); {install}train anew in a run of another name (RUN, or --run NAME)"
            ) from None
        remedy = "name another, or move it elsewhere and run the notebook that trains it"
        raise ValueError(f"{path} is whole, but no model that this kit opens ({said}); {remedy}") from None


def _is_safe(version: str) -> bool:
    """Whether a version of Keras runs no code that a model file holds."""
    return tuple(map(int, version.split(".")[:2])) >= SAFE_KERAS


def _written_by(path: Path) -> str | None:
    """The version of Keras that wrote a model file, as the file says; None: it is damaged or none."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is None and "model.weights.h5" in archive.namelist():
                version = str(json.loads(archive.read("metadata.json"))["keras_version"])
                return version if re.fullmatch(r"\d+\.\d+(\.\w+)*", version) else None
    except Exception:  # a damaged zip and JSON each fail in ways of their own
        pass
    return None
