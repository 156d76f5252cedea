"""The store, opened; its split into training, validation and test galaxies; and batches in a seeded order."""

import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from gzutils import backend, files
from gzutils.jpegs import SIZE
from gzutils.parameters import FEWEST_GALAXIES
from gzutils.preprocessing import STORE_VERSION


@dataclass(frozen=True)
class Store:
    """An opened store: images (N, 64, 64, 3) uint8, memory-mapped; labels (N, 37) float32; galaxy_ids (N,) int64."""

    folder: Path
    images: np.ndarray
    labels: np.ndarray
    galaxy_ids: np.ndarray
    manifest: dict

    def __len__(self) -> int:
        return len(self.galaxy_ids)

    @property
    def fingerprint(self) -> str:
        """Eight digits that name the contents."""
        return files.fingerprint(self.manifest["sha256"])


@dataclass(frozen=True)
class Split:
    """Rows of the store, each (n,) int64: the galaxies to train on, to watch while training, and to be tested on.

    `train` may be (copies, n): several views of the same galaxies, of which an epoch takes one after the other.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def open_store(folder: Path | str, verify_images: bool = False) -> Store:
    """Opens a store; its images stay on disk until they are used.

    Args:
        folder: made by `preprocessing.build_store`.
        verify_images: also reads all images and compares their checksum.

    Raises:
        ValueError: a file is missing, damaged or of another version; it says which.
    """
    folder = Path(folder)
    remedy = f"delete {folder} and run notebook 01 again"
    missing = [n for n in ("manifest.json", "images.npy", "labels.npy", "galaxy_ids.npy") if not (folder / n).is_file()]
    if missing:
        raise ValueError(f"{folder} is no store: {', '.join(missing)} missing; {remedy}")
    try:
        manifest = files.read_json(folder / "manifest.json")
        version, count, checksums = manifest["version"], manifest["galaxies"], manifest["sha256"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder / 'manifest.json'} is damaged; {remedy}") from None
    if version != STORE_VERSION:
        raise ValueError(f"{folder} has version {version}, this code reads {STORE_VERSION}; {remedy}")
    arrays = []
    for name, shape, dtype in (
        ("images.npy", (count, SIZE, SIZE, 3), np.uint8),
        ("labels.npy", (count, 37), np.float32),
        ("galaxy_ids.npy", (count,), np.int64),
    ):
        path = folder / name
        try:
            array = np.lib.format.open_memmap(path, mode="r")  # which never unpickles anything
        except Exception as error:  # NumPy's reading of a damaged header fails in many ways, TokenError among them
            raise ValueError(f"{path} is damaged ({error}); {remedy}") from None
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{path} has {array.shape} {array.dtype}, expected {shape} {dtype}; {remedy}")
        if (verify_images or name != "images.npy") and files.sha256(path) != checksums[name]:
            raise ValueError(f"{path} has changed since it was written (checksum); {remedy}")
        arrays.append(array if name == "images.npy" else np.array(array))
    return Store(folder, *arrays, manifest)


def split_galaxies(count: int, seed: int = 0, validation_one_in: int = 5) -> Split:
    """Splits `count` galaxies, sorted by id, 64 : 16 : 20 (report, section 4.2) in a seeded order.

    A fifth is for the test, a fifth of the rest for validation; 61,578 give 39,409 / 9,853 / 12,316.
    `validation_one_in=10` takes a tenth of the rest: 72 : 8 : 20 (the constraint study), with the same test galaxies.

    Raises:
        ValueError: too few galaxies for three parts.
    """
    if count < FEWEST_GALAXIES:
        raise ValueError(
            f"{count} galaxies cannot be split into training, validation and test; take at least {FEWEST_GALAXIES}"
        )
    order = np.random.default_rng(seed).permutation(count)
    test_count = math.ceil(count / 5)
    validation_count = math.ceil((count - test_count) / validation_one_in)
    train_count = count - test_count - validation_count
    return Split(*np.split(order, [train_count, train_count + validation_count]))


class Batches(keras.utils.PyDataset):
    """One pass over some galaxies, for `fit`, `evaluate` or `predict`: batches of (images, labels).

    Args:
        store: an opened store.
        rows: which galaxies, (n,) int.
        batch_size: galaxies in a batch; the last one holds the rest.
        order_seed: numbers from which alone the order follows, such as (seed, epoch); None: as `rows` has them.
        shared: several devices compute each batch, as `backend.configure` set them up. It has to divide evenly: as many
            galaxies of the pass as are too many for that are left out, fewer than there are devices. Where several
            processes train together, each gets its own part of every batch.
    """

    def __init__(
        self,
        store: Store,
        rows: np.ndarray,
        batch_size: int,
        order_seed: tuple[int, ...] | None = None,
        shared: bool = False,
    ):
        # Two threads read ahead. With one, Keras leaves this to tf.data, whose tuning thread can hold up the end of an
        # epoch until the next power of two times 10 ms: on two cores epochs of 4.9 s then took 10.25 s. With several
        # devices TensorFlow's `fit` first looks at one batch, which then comes last if threads read ahead (Keras 3.15).
        super().__init__(workers=2 if backend.replicas() == 1 else 1)
        if batch_size < 1:
            raise ValueError(f"the batch size is {batch_size}; it has to be at least 1")
        self.store, self.batch_size, self.shared = store, batch_size, shared
        self.rows = rows if order_seed is None else np.random.default_rng(order_seed).permutation(rows)
        if shared:
            replicas = backend.replicas()
            if batch_size % replicas:
                raise ValueError(f"the batch size is {batch_size}; {replicas} devices cannot share it evenly")
            self.rows = self.rows[: len(self.rows) // replicas * replicas]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        if self.shared:
            rows = np.array_split(rows, backend.processes())[backend.process()]
        return self.store.images[rows], self.store.labels[rows]
