"""The store, opened; what a network learns of it; and its split into training, validation and test galaxies."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gzutils.data.preprocessing import STORE_VERSION
from gzutils.data.view import View
from gzutils.decision_tree import COLUMNS
from gzutils.parameters import FEWEST_GALAXIES
from gzutils.tools import records


@dataclass(frozen=True)
class Examples:
    """What a network learns from: inputs (N, …), targets (N, …) or None, and digits that name both.

    source: of the galaxies, such as "simulated" or "gz2"; empty where it is not known.
    """

    inputs: np.ndarray
    targets: np.ndarray | None
    fingerprint: str
    source: str = ""


@dataclass(frozen=True)
class Store:
    """An open store: images (N, side, side, 3) uint8, memory-mapped; labels (N, 37) float32; galaxy_ids (N,) int64.

    `votes` (N, 37) int32, how many volunteers gave each answer, is None where the source has shares only.
    """

    folder: Path
    images: np.ndarray
    labels: np.ndarray
    galaxy_ids: np.ndarray
    manifest: dict
    votes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.galaxy_ids)

    @property
    def view(self) -> View:
        """What of each galaxy's picture the images are."""
        return View(**self.manifest["view"])

    @property
    def fingerprint(self) -> str:
        """Eight digits that name the pictures, their labels and their ids, whatever is kept beside them."""
        return records.fingerprint({name: sha for name, sha in self.manifest["sha256"].items() if name != "votes.npy"})

    @property
    def source(self) -> str:
        """Where the galaxies are from: "simulated", "gz2" or "kaggle"; empty where the store's maker did not say."""
        return self.manifest.get("source", {}).get("data", "")

    @property
    def left_out(self) -> dict[str, int]:
        """What of the raw data is not in the store, and how many of each."""
        counts = {
            "images that cannot be used": len(self.manifest.get("rejected", ())),
            "labels without an image": self.manifest.get("labels_without_image", 0),
            "images without labels": self.manifest.get("images_without_labels", 0),
        }
        rows = {f"rows of the table, {why}": count for why, count in self.manifest.get("left_out", {}).items()}
        return {what: count for what, count in (counts | rows).items() if count}

    def examples(self, targets: np.ndarray | None = None) -> Examples:
        """The galaxies' pictures with their vote fractions, or with other targets (N, …), such as classes.

        Raises:
            ValueError: the targets are not one number or row of numbers a galaxy.
        """
        if targets is None:
            return Examples(self.images, self.labels, self.fingerprint, self.source)
        targets = np.asarray(targets)
        if targets.shape[:1] != (len(self),):
            raise ValueError(
                f"targets of shape {targets.shape}, but {len(self)} galaxies: each needs one, in their order"
            )
        if targets.dtype.kind not in "biuf" or not np.isfinite(targets).all():
            raise ValueError(f"the targets ({targets.dtype}) have to be numbers, none of them NaN or infinite")
        named = records.fingerprint([self.fingerprint, str(targets.dtype), records.arrays_sha256(targets)])
        return Examples(self.images, targets, named, self.source)


@dataclass(frozen=True)
class Split:
    """Rows of the store, each (n,) int64: the galaxies to train on, to watch while training, and to be tested on.

    `train` may be (copies, n): several views of the same galaxies, of which an epoch takes one after the other.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def __str__(self) -> str:
        return ", ".join(f"{part} {len(rows):,}" for part, rows in vars(self).items())


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
        manifest = records.read_json(folder / "manifest.json")
        version, count, checksums = manifest["version"], manifest["galaxies"], dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder / 'manifest.json'} is damaged; {remedy}") from None
    if version != STORE_VERSION:
        raise ValueError(f"{folder} has version {version}, this code reads {STORE_VERSION}; {remedy}")
    try:
        side = View(**manifest["view"]).side
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder / 'manifest.json'} is damaged (no view); {remedy}") from None
    expected = {
        "images.npy": ((count, side, side, 3), np.uint8),
        "labels.npy": ((count, len(COLUMNS)), np.float32),
        "galaxy_ids.npy": ((count,), np.int64),
    }
    if "votes.npy" in checksums:
        if not (folder / "votes.npy").is_file():
            raise ValueError(f"{folder} is no store: votes.npy missing; {remedy}")
        expected["votes.npy"] = ((count, len(COLUMNS)), np.int32)
    arrays = {}
    for name, (shape, dtype) in expected.items():
        path = folder / name
        try:
            array = np.lib.format.open_memmap(path, mode="r")  # which never unpickles anything
        except Exception as error:  # NumPy's reading of a damaged header fails in many ways, TokenError among them
            raise ValueError(f"{path} is damaged ({error}); {remedy}") from None
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{path} has {array.shape} {array.dtype}, expected {shape} {dtype}; {remedy}")
        if (verify_images or name != "images.npy") and records.sha256(path) != checksums[name]:
            raise ValueError(f"{path} has changed since it was written (checksum); {remedy}")
        arrays[name.removesuffix(".npy")] = array if name == "images.npy" else np.array(array)
    return Store(folder, manifest=manifest, **arrays)


def few_of(examples: Examples, split: Split, train: int, others: int) -> tuple[Examples, Split]:
    """Few galaxies: the first of the training galaxies, of the validation and of the test galaxies.

    Args:
        examples, split: of all; of several copies the first counts.
        train: how many to train on, at most. others: how many of each of the other two parts, at most.

    Returns:
        Their examples, in memory, and the split of these.
    """
    parts = np.atleast_2d(split.train)[0][:train], split.validation[:others], split.test[:others]
    rows = np.concatenate(parts)
    named = records.fingerprint([examples.fingerprint, records.arrays_sha256(rows)])
    few = Examples(examples.inputs[rows], examples.targets[rows], named, examples.source)
    places = np.split(np.arange(len(rows)), np.cumsum([len(part) for part in parts])[:2])
    return few, Split(*places)


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
