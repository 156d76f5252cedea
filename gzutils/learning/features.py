"""A frozen base's features, computed once: the base never changes, so neither does what it says of a picture.

Training then reads features instead of running the base in every epoch. What it gives up is fresh augmentation: the
training galaxies are seen as they are, or in a fixed number of augmented copies, of which each epoch takes the next.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from gzutils import parameters
from gzutils.data.store import Examples, Split
from gzutils.learning import training
from gzutils.learning.batches import set_draws
from gzutils.learning.recipe import Recipe, described
from gzutils.models import saved
from gzutils.tools import backend, files, records, sources
from gzutils.tools.progress import progress

BATCH = 32  # galaxies; part of the draws of the augmentation, so not a setting


@dataclass(frozen=True)
class Features:
    """A base's features. examples: with the features (rows, values) float16 as inputs, first those of the galaxies as
    they are, in their order. split: with the same validation and test rows, its `train` (copies, n), or as it was where
    there are no copies. seconds: what they took.
    """

    examples: Examples
    split: Split
    seconds: float


@dataclass(frozen=True)
class HeadTrained:
    """What training a head left, in either way.

    trained: the history. predictor and inputs: what predicts the split's galaxies soonest, the head from their features
    where these were kept, else the whole model from the pictures. feature_seconds: what the base's features
    took, 0 where the whole network ran in every epoch.
    """

    trained: training.Trained
    predictor: keras.Model
    inputs: np.ndarray
    feature_seconds: float


def base_and_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """A pretrained model as its base (images -> features) and its head (features -> probabilities).

    Both share the model's layers: what the head learns, the model has learned.
    """
    handed_over = model.get_layer("features")
    base = keras.Model(model.input, handed_over.output, name=f"{model.name}_base")
    x = features = keras.Input(handed_over.output.shape[1:], name="features")
    for layer in model.layers[model.layers.index(handed_over) + 1 :]:
        x = layer(x)
    return base, keras.Model(features, x, name=f"{model.name}_head")


def compute(
    base: keras.Model,
    examples: Examples,
    split: Split,
    copies: int,
    folder: Path | str,
    augmentation: keras.layers.Layer | None = None,
    seed: int = 0,
) -> Features:
    """The base's features of every galaxy as it is, and of so many augmented copies of the training galaxies.

    Args:
        base: uint8 images (N, side, side, 3) -> features (N, values).
        examples, split: the galaxies.
        copies: of each training galaxy; 0: training sees the galaxies as they are.
        folder: for `features.npy` (rows, values) float16 and two small records. Features that are there already are
            opened, a computation that was cut off goes on.
        augmentation: the layer that makes the copies. Its draws follow from the seed, the copy and the batch.
        seed: of the copies.

    Raises:
        ValueError: the folder holds other features (it names the difference) or damaged ones, or a feature is too large
            for float16.
        files.Busy: another process computes in the folder. files.NotWritten: the disk has too little room (it says how
            much is needed), or may not be written.
    """
    parameters.whole_number("FEATURE_COPIES", copies, least=0)
    if copies and augmentation is None:
        raise ValueError(f"{copies} augmented copies cannot be made without augmentation")
    folder = Path(folder)
    count, per_copy, values = len(examples.inputs), len(split.train), base.output_shape[-1]
    identity = {
        "galaxies": examples.fingerprint,
        "base and its weights": _fingerprint(base),
        "copies": copies,
        "augmentation": described(augmentation) if copies else None,
        "training galaxies": records.fingerprint(split.train) if copies else None,
        "seed": seed if copies else None,
        "code of gzutils": sources.modules_fingerprint({__name__, *training.own_modules(base, [augmentation])}),
    }
    records.insist(folder / "features.json", identity, backend.versions())
    shape = (count + copies * per_copy, values)
    if not (folder / "features.npy").is_file():
        with files.locked(folder, backend.member()), files.explained(folder / "features.npy"):
            _fill(folder, base, examples.inputs, _plan(count, split.train, copies), shape, augmentation, seed)
    array, seconds = _open(folder, shape)
    added = count + np.arange(copies * per_copy).reshape(copies, per_copy)
    targets = np.concatenate([examples.targets, *[examples.targets[split.train]] * copies])
    kept = Examples(array, targets, records.fingerprint(identity), examples.source)
    return Features(kept, replace(split, train=added) if copies else split, seconds)


def train_head(
    model: keras.Model,
    examples: Examples,
    split: Split,
    recipe: Recipe,
    folder: Path | str,
    seed: int = 0,
    copies: int | None = None,
    after_epoch: Callable[[pd.DataFrame], Any] | None = None,
) -> HeadTrained:
    """Trains the head of a pretrained model in place and writes the whole model.

    Arguments, files and errors are those of `training.train`, and `compute`'s; the features lie in `features/`,
    the head's training in `head/`.

    Args:
        copies: None: the whole network runs in every epoch, as in the report. Else the base runs once, over so many
            copies of the training galaxies, augmented as the recipe says (0: over the galaxies as they are).
    """
    folder = Path(folder)
    base, head = base_and_head(model)
    made = {"base and its weights": _fingerprint(base), "feature copies": copies}
    records.insist(folder / "base.json", made, backend.versions())
    if copies is None:
        trained = training.train(model, examples, split, recipe, folder, seed, after_epoch=after_epoch)
        return HeadTrained(trained, model, examples.inputs, 0.0)
    augmentation = recipe.made()["augmentation"]
    kept = compute(base, examples, split, copies, folder / "features", augmentation, seed)
    on_features = replace(recipe, augmentation=None)
    place = folder / "head"
    trained = training.train(head, kept.examples, kept.split, on_features, place, seed, after_epoch=after_epoch)
    saved.write(folder / "model.keras", model, examples.source)
    with files.whole_file(folder / "history.csv") as beside:
        trained.history.to_csv(beside, index=False)
    return HeadTrained(trained, head, kept.examples.inputs, kept.seconds)


def _open(folder: Path, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """The finished features, memory-mapped, after their checksum was compared, and how many seconds they took."""
    path = folder / "features.npy"
    try:
        done = records.read_record(folder / "progress.json", "seconds", "sha256")
        array = np.lib.format.open_memmap(path, mode="r")  # which never unpickles anything
        if array.shape != shape or array.dtype != np.float16:
            raise ValueError(f"{array.shape} {array.dtype}, expected {shape} float16")
        if records.sha256(path) != done["sha256"]:
            raise ValueError("it has changed since it was written: checksum")
        return array, done["seconds"]
    except Exception as error:  # NumPy's reading of a damaged header fails in many ways, TokenError among them
        raise ValueError(f"{path} is damaged ({error}); delete {folder} and run again to compute them anew") from None


def _fingerprint(base: keras.Model) -> str:
    """Names a base by its layers, scaling and side among them, and its weights."""
    return records.fingerprint([saved.description(base), saved.weights_fingerprint(base)])


def _plan(count: int, train: np.ndarray, copies: int) -> list[tuple[int, int, np.ndarray]]:
    """The batches in the order of the rows they fill: (copy, place in the copy, galaxies); copy 0 is not augmented."""
    views = [np.arange(count)] + [train] * copies
    return [
        (copy, start, rows[start : start + BATCH])
        for copy, rows in enumerate(views)
        for start in range(0, len(rows), BATCH)
    ]


def _fill(
    folder: Path,
    base: keras.Model,
    inputs: np.ndarray,
    plan: list[tuple[int, int, np.ndarray]],
    shape: tuple[int, int],
    augmentation: keras.layers.Layer | None,
    seed: int,
) -> None:
    """Writes `features.npy` batch by batch, with a record of the finished ones, so that it can go on where it was."""
    partial, record = folder / "features.partial.npy", folder / "progress.json"
    done = {"batches": 0, "seconds": 0.0}
    if record.is_file() and partial.is_file():
        done = records.read_record(record, "batches", "seconds")
    else:
        files.check_room(folder, 2 * shape[0] * shape[1], "a base's features (GALAXIES, FEATURE_COPIES)")
        record.unlink(missing_ok=True)
        np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
    offset = partial.stat().st_size - 2 * shape[0] * shape[1]
    row = sum(len(rows) for _, _, rows in plan[: done["batches"]])
    left = plan[done["batches"] :]
    # Written as a file rather than through a memory map, for which a full disk would end the process without a word.
    with open(partial, "r+b") as file:
        file.seek(offset + 2 * row * shape[1])
        for copy, start, rows in progress(left, "features", len(plan), "batches", done["batches"]):
            began = time.perf_counter()
            images = inputs[np.resize(rows, BATCH)]  # the last batch filled up: one shape is compiled once
            if copy:
                set_draws(augmentation, seed, copy, start)
                images = keras.ops.convert_to_numpy(augmentation(images, training=True))
            values = np.asarray(base.predict_on_batch(images))[: len(rows)]
            file.write(_in_float16(values).tobytes())
            file.flush()
            done = {
                "batches": done["batches"] + 1,
                "seconds": round(done["seconds"] + time.perf_counter() - began, 3),
            }
            records.write_json(record, done)
    records.write_json(record, done | {"sha256": records.sha256(partial)})
    os.replace(partial, folder / "features.npy")


def _in_float16(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        halved = values.astype(np.float16)
    if not np.isfinite(halved).all():
        raise ValueError(
            f"a feature is {np.abs(values).max():.3g}, too large for float16, which ends at 65,504: these weights do "
            f"not suit this input scaling; choose others (INITIAL_WEIGHTS, INPUT_SCALING)"
        )
    return halved
