"""A frozen base's features, computed once: the base never changes, so neither does what it says of a picture.

Training then reads features instead of running the base in every epoch. What it gives up is fresh augmentation: the
training galaxies are seen as they are, or in a fixed number of augmented copies, of which each epoch takes the next.
"""

import hashlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from gzutils import backend, files, parameters, training
from gzutils.dataset import Split, Store
from gzutils.profiles import Training
from gzutils.progress import progress

BATCH = 32  # galaxies; part of the draws of the augmentation, so not a setting
PACKAGE = Path(__file__).parent
SOURCES = [PACKAGE / name for name in ("augmentation.py", "features.py", "models/pretrained.py")]


@dataclass(frozen=True)
class HeadTrained:
    """What training a head left, in either way.

    trained: the history. predictor and store: what predicts the split's galaxies soonest, the head on a store of
    features where there is one, else the whole model on the store of images. feature_seconds: what the base's features
    took, 0 where the whole network ran in every epoch.
    """

    trained: training.Trained
    predictor: keras.Model
    store: Store
    feature_seconds: float


def cut(model: keras.Model) -> tuple[keras.Model, keras.Model]:
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
    store: Store,
    split: Split,
    copies: int,
    folder: Path | str,
    augmentation: keras.layers.Layer | None = None,
    seed: int = 0,
) -> tuple[Store, Split]:
    """The base's features of every galaxy as it is, and of so many augmented copies of the training galaxies.

    Args:
        base: uint8 images (N, 64, 64, 3) -> features (N, values).
        store, split: the galaxies.
        copies: of each training galaxy; 0: training sees the galaxies as they are.
        folder: for `features.npy` (rows, values) float16 and two small records. Features that are there already are
            opened, a computation that was cut off goes on.
        augmentation: the layer that makes the copies. Its draws follow from the seed, the copy and the batch.
        seed: of the copies.

    Returns:
        What `training.train` takes: a store with features in the place of images, its first rows those of `store`,
        and a split with the same validation and test rows, its `train` (copies, n), or as it was where copies is 0.

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
    count, per_copy, values = len(store), len(split.train), base.output_shape[-1]
    settings = {
        "galaxies": store.fingerprint,
        "base and its weights": _fingerprint(base),
        "copies": copies,
        "augmentation": augmentation.get_config() if copies else None,
        "training galaxies": files.fingerprint(split.train) if copies else None,
        "seed": seed if copies else None,
        "code of gzutils": files.sources_fingerprint(*SOURCES),
    }
    training.remember_settings(folder / "features.json", settings)
    shape = (count + copies * per_copy, values)
    if not (folder / "features.npy").is_file():
        with files.locked(folder, backend.member()), files.explained(folder / "features.npy"):
            _fill(folder, base, store, _plan(count, split.train, copies), shape, augmentation, seed)
    array, seconds = _open(folder, shape)
    added = np.arange(copies * per_copy).reshape(copies, per_copy)
    labels = np.concatenate([store.labels, *[store.labels[split.train]] * copies])
    galaxy_ids = np.concatenate([store.galaxy_ids, *[store.galaxy_ids[split.train]] * copies])
    manifest = {"galaxies": count, "sha256": settings, "seconds": seconds}
    return (
        Store(folder, array, labels, galaxy_ids, manifest),
        replace(split, train=count + added) if copies else split,
    )


def train_head(
    model: keras.Model,
    store: Store,
    split: Split,
    settings: Training,
    loss: keras.losses.Loss,
    folder: Path | str,
    augmentation: keras.layers.Layer,
    seed: int = 0,
) -> HeadTrained:
    """Trains the head of a pretrained model in place and writes the whole model, in the way that the settings say.

    With `settings.feature_copies` None the whole network runs in every epoch, as in the report; else the base runs
    once. Arguments, files and errors are those of `training.train`, and `compute`'s; the features lie in `features/`,
    the head's training in `head/`.
    """
    folder = Path(folder)
    base, head = cut(model)
    made_with = {"base and its weights": _fingerprint(base), "feature copies": settings.feature_copies}
    training.remember_settings(folder / "base.json", made_with)
    if settings.feature_copies is None:
        trained = training.train(model, store, split, settings, loss, folder, augmentation, seed)
        return HeadTrained(trained, model, store, 0.0)
    cached, cached_split = compute(base, store, split, settings.feature_copies, folder / "features", augmentation, seed)
    trained = training.train(head, cached, cached_split, settings, loss, folder / "head", seed=seed)
    with files.whole_file(folder / "model.keras") as beside:
        model.save(beside)
    with files.whole_file(folder / "history.csv") as beside:
        trained.history.to_csv(beside, index=False)
    return HeadTrained(trained, head, cached, cached.manifest["seconds"])


def _open(folder: Path, shape: tuple[int, int]) -> tuple[np.ndarray, float]:
    """The finished features, memory-mapped, and how many seconds they took."""
    path = folder / "features.npy"
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # which never unpickles anything
        if array.shape != shape or array.dtype != np.float16:
            raise ValueError(f"{array.shape} {array.dtype}, expected {shape} float16")
        return array, files.read_record(folder / "progress.json", "seconds")["seconds"]
    except Exception as error:  # NumPy's reading of a damaged header fails in many ways, TokenError among them
        raise ValueError(f"{path} is damaged ({error}); delete {folder} and run again to compute them anew") from None


def _fingerprint(base: keras.Model) -> str:
    """Names a base by its layers, scaling and side among them, and its weights."""
    digest = hashlib.sha256(base.to_json().encode())
    for weights in base.get_weights():
        digest.update(weights.tobytes())
    return digest.hexdigest()[:16]


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
    store: Store,
    plan: list[tuple[int, int, np.ndarray]],
    shape: tuple[int, int],
    augmentation: keras.layers.Layer | None,
    seed: int,
) -> None:
    """Writes `features.npy` batch by batch, with a record of the finished ones, so that it can go on where it was."""
    partial, record = folder / "features.partial.npy", folder / "progress.json"
    done = {"batches": 0, "seconds": 0.0}
    if record.is_file() and partial.is_file():
        done = files.read_record(record, "batches", "seconds")
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
            images = store.images[np.resize(rows, BATCH)]  # the last batch filled up: one shape is compiled once
            if copy:
                training.set_draws(augmentation, seed, copy, start)
                images = keras.ops.convert_to_numpy(augmentation(images, training=True))
            values = np.asarray(base.predict_on_batch(images))[: len(rows)]
            file.write(_in_float16(values).tobytes())
            file.flush()
            done = {
                "batches": done["batches"] + 1,
                "seconds": round(done["seconds"] + time.perf_counter() - began, 3),
            }
            files.write_json(record, done)
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
