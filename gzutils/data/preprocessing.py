"""From the challenge's JPEGs and CSV to the store that every notebook reads (report, section 4.3 and A.4).

The store is one folder: `images.npy` (uint8, N x side x side x 3), `labels.npy` (float32, N x 37), `galaxy_ids.npy`
(int64, N, ascending), `votes.npy` (int32, N x 37: how many volunteers gave each answer) where the source has counts,
and `manifest.json`. It is made beside its final name, `<name>.partial`, and renamed when whole. Stores of several views
of the same galaxies lie side by side.
"""

import math
import os
import shutil
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import PIL

from gzutils.data import challenge
from gzutils.data.archives import ChallengeError
from gzutils.data.download import download
from gzutils.data.jpegs import RAW_SIZE, decoders, preprocessed
from gzutils.data.open_data import gz2
from gzutils.data.simulation import survey
from gzutils.data.view import REPORT_VIEW, View
from gzutils.decision_tree import COLUMNS
from gzutils.parameters import DATA_SOURCES, DEBIASED, WITH_FILES
from gzutils.tools import files, records, sources

CHUNK = 1024  # images between two points from which an interrupted call goes on
TODO, DONE, REJECTED = 0, 1, 2
STORE_VERSION = 3
# Whose code decides what is in a store.
PROTOCOL = tuple(f"gzutils.data.{name}" for name in ("preprocessing", "jpegs", "view", "solutions"))


class Source(Protocol):
    """Galaxies as they come: pictures and labels by galaxy id, as the challenge's files give them or another survey's.

    `labels` returns ids, int64 (N,), ascending, labels, float32 (N, 37), and counts of votes, int32 (N, 37), or None;
    `solutions` is the table that they are read from, and `left_out` how many of its galaxies it left out, by reason.
    `identity` is what changes when pictures or labels change, JSON-like.
    """

    training_images: challenge.Images
    solutions: Path
    left_out: dict[str, int]

    def labels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]: ...

    def identity(self) -> dict[str, Any]: ...


def find_or_make_raw(
    data: str,
    folder: Path | str,
    data_dir: Path | str | None = None,
    galaxies: int | None = None,
    seed: int = 0,
    debiased: str = DEBIASED[0],
) -> Source:
    """The raw files of a data source, simulated or downloaded where they do not exist yet.

    Args:
        data: "simulated", "gz2" or "kaggle".
        folder: where downloaded and made data live, `data/` of the project.
        data_dir: the user's own files: for "kaggle" the folder or competition zip with the challenge's, for "gz2" see
            `gz2.find`. None: `folder`/kaggle or `folder`/gz2, to which they are downloaded where they are missing.
        galaxies: how many to simulate at least, or to take of "gz2" (None: all); without meaning for "kaggle".
        seed: of the simulated survey, and of the choice out of "gz2".
        debiased: of "gz2", by whom: "willett" or "hart".
    """
    _check_source(data, data_dir)
    if data == "gz2":
        return gz2.find(Path(folder) / "gz2", data_dir, galaxies, seed, debiased)
    if data == "kaggle":
        cache = Path(folder) / "kaggle"
        return challenge.find(data_dir or download(cache), cache=cache)
    if galaxies is None or galaxies < 1:
        raise ValueError(f"a simulated survey needs a number of galaxies, at least 1, not {galaxies}")
    raw = Path(folder) / f"simulated-{records.fingerprint(survey.identity(seed))}"
    survey.make_survey(raw, galaxies, seed=seed)
    return replace(challenge.find(raw, cache=folder), votes=raw / survey.VOTES)


def find_or_make_store(
    data: str,
    folder: Path | str,
    data_dir: Path | str | None = None,
    galaxies: int | None = None,
    seed: int = 0,
    view: View = REPORT_VIEW,
    debiased: str = DEBIASED[0],
) -> Path:
    """The store of a data source, made from its raw files where it does not exist yet; arguments as above.

    `galaxies` is how many the store holds at most, those with the lowest ids; None: all. The store's name has a
    fingerprint of the raw data, the view and the settings, so that other data or another view make another store.
    """
    if galaxies is not None and galaxies < 1:
        raise ValueError(f"{galaxies} galaxies were asked for; ask for at least 1")
    _check_source(data, data_dir)
    source = None
    if data == "simulated":  # its identity is known before it is drawn: a store serves without its raw files
        identity = survey.identity(seed)
    else:
        source = find_or_make_raw(data, folder, data_dir, galaxies, seed, debiased)
        identity = source.identity()
    store = Path(folder) / f"store-{data}-{galaxies or 'all'}-{records.fingerprint([identity, _settings(view)])}"
    if not store.is_dir():
        source = source or find_or_make_raw(data, folder, data_dir, galaxies, seed)
        with files.locked(store, wait=True), files.explained(store):
            if not store.is_dir():  # another process may have made it meanwhile
                build_store(source, store, galaxies, view=view, description={"data": data, **identity})
    return store


def build_store(
    source: Source,
    store: Path | str,
    galaxies: int | None = None,
    max_rejected: float = 0.01,
    view: View = REPORT_VIEW,
    description: dict | None = None,
) -> Path:
    """Makes a store from raw files. Interrupted and called again, it goes on where it was.

    Damaged or odd images are left out and listed in the manifest with their reason; so are ids without an image
    or without labels.

    Args:
        source: the raw files, such as a `challenge.Challenge`.
        store: the folder to make.
        galaxies: at most how many, those with the lowest ids that have both image and labels; None: all.
        max_rejected: the share of galaxies that cannot be used, or lack image or labels, beyond which the call stops,
            since then something larger is wrong (ten are always borne, unless they are all).
        view: what of each picture is kept, and at which size.
        description: written into the manifest as the data's source.

    Raises:
        ChallengeError: images and labels have no galaxy in common or too few, or too many images are rejected.
    """
    store = Path(store)
    image_ids = source.training_images.galaxy_ids()
    with decoders(source.training_images, len(image_ids[:galaxies])) as mapped:
        label_ids, labels, votes = source.labels()
        galaxy_ids, label_rows = _in_both(source, image_ids, label_ids, galaxies, max_rejected)
        partial = store.with_name(store.name + ".partial")
        status, reasons = _open_partial(partial, galaxy_ids, view)
        todo = np.flatnonzero(status == TODO)
        chunks = preprocessed(mapped, source.training_images, galaxy_ids, todo, CHUNK, "Preprocessing", view)
        for rows, usable, pixels, refused in chunks:
            status[rows] = np.where(usable, DONE, REJECTED)
            reasons |= refused
            # Mapped anew for each chunk, so that the memory in use does not grow with what is written.
            images = np.load(partial / "images.npy", mmap_mode="r+")
            images[rows[usable]] = pixels
            # First the pixels, then what tells that they are there: a kill in between costs one chunk, never a row.
            images.flush()
            del images
            records.write_json(partial / "rejected.json", reasons)
            files.write_array(partial / "status.npy", status)
            if len(reasons) > max(10, max_rejected * len(galaxy_ids)) or len(reasons) == len(galaxy_ids):
                shutil.rmtree(partial)  # so that the next call looks at mended files anew
                raise ChallengeError(
                    f"{source.training_images.path}: {len(reasons)} of the first {np.count_nonzero(status)} images "
                    f"cannot be used, the first is {next(iter(reasons.values()))}; they are damaged or of another "
                    f"kind, get them anew"
                )
    kept = status == DONE
    arrays = {"galaxy_ids.npy": galaxy_ids[kept], "labels.npy": labels[label_rows][kept].astype(np.float32)}
    if votes is not None:
        arrays["votes.npy"] = votes[label_rows][kept].astype(np.int32)
    return _finish(
        partial,
        store,
        arrays,
        kept,
        {
            "version": STORE_VERSION,
            "source": description or source.identity(),
            "settings": _settings(view),
            "view": asdict(view),
            "galaxies": int(kept.sum()),
            "left_out": source.left_out,
            "rejected": reasons,
            "labels_without_image": len(np.setdiff1d(label_ids, image_ids)),
            "images_without_labels": len(np.setdiff1d(image_ids, label_ids)),
            "raw_bytes_as_array": int(kept.sum()) * RAW_SIZE * RAW_SIZE * 3,
        },
    )


def _in_both(
    source: Source, image_ids: np.ndarray, label_ids: np.ndarray, galaxies: int | None, max_rejected: float
) -> tuple[np.ndarray, np.ndarray]:
    """The galaxies that have both image and labels, at most so many: their ids, and their rows in the table."""
    galaxy_ids, label_rows, _ = np.intersect1d(label_ids, image_ids, return_indices=True)
    if not len(galaxy_ids):
        raise ChallengeError(
            f"{source.training_images.path} ({len(image_ids)} images) and {source.solutions} ({len(label_ids)} rows) "
            f"have no galaxy in common; check that they belong together"
        )
    galaxy_ids = galaxy_ids[:galaxies]
    wanted = len(np.union1d(label_ids, image_ids)[:galaxies])
    if wanted - len(galaxy_ids) > max(10, max_rejected * wanted):
        raise ChallengeError(
            f"{source.training_images.path} has {len(image_ids):,} images, {source.solutions} {len(label_ids):,} rows, "
            f"but only {len(galaxy_ids):,} galaxies have both: one of them is not whole, as when unpacking was cut "
            f"off; get it anew, or ask for no more galaxies than there are (GALAXIES, or --galaxies)"
        )
    return galaxy_ids, label_rows[:galaxies]


def _check_source(data: str, data_dir: Path | str | None) -> None:
    if data not in DATA_SOURCES:
        raise ValueError(f"data is one of {', '.join(DATA_SOURCES)}, not {data!r}")
    if data_dir is not None and data not in WITH_FILES:
        raise ValueError(f'a data folder holds real galaxies: it goes with "gz2" or "kaggle" data, not with "{data}"')


def _settings(view: View) -> dict:
    """What decides a store beside its raw data: the view, and the code and libraries between a JPEG and the store."""
    return {
        "version": STORE_VERSION,
        "raw_size": RAW_SIZE,
        **asdict(view),
        "code of gzutils": sources.modules_fingerprint(PROTOCOL),
        "pillow": PIL.__version__,
        "simplejpeg": version("simplejpeg"),
    }


def _open_partial(partial: Path, galaxy_ids: np.ndarray, view: View) -> tuple[np.ndarray, dict[str, str]]:
    """The images' status (N,) and why some are rejected, as an interrupted call left them, or new."""
    try:
        same_view = records.read_json(partial / "view.json") == asdict(view)
        if same_view and np.array_equal(np.load(partial / "galaxy_ids.npy"), galaxy_ids):
            np.load(partial / "images.npy", mmap_mode="r")  # whole, or it starts anew
            return np.load(partial / "status.npy"), records.read_json(partial / "rejected.json")
    except (OSError, ValueError, EOFError):
        pass  # nothing there, or killed before the first chunk or after the last: it starts anew
    shutil.rmtree(partial, ignore_errors=True)
    shape = (len(galaxy_ids), view.side, view.side, 3)
    needed = math.prod(shape) + len(galaxy_ids) * (len(COLUMNS) * 4 + 8)
    files.check_room(partial, needed, f"a store of {len(galaxy_ids)} galaxies")
    partial.mkdir(parents=True)
    files.zeros_file(partial / "images.npy", np.uint8, shape)
    status = np.full(len(galaxy_ids), TODO, np.uint8)
    records.write_json(partial / "rejected.json", {})
    files.write_array(partial / "status.npy", status)
    records.write_json(partial / "view.json", asdict(view))
    files.write_array(partial / "galaxy_ids.npy", galaxy_ids)
    return status, {}


def _finish(partial: Path, store: Path, arrays: dict[str, np.ndarray], usable: np.ndarray, manifest: dict) -> Path:
    kept = np.flatnonzero(usable)
    if len(kept) < len(usable):
        side = manifest["view"]["side"]
        files.zeros_file(partial / "compact.npy", np.uint8, (len(kept), side, side, 3))
        for start in range(0, len(kept), CHUNK):
            images = np.load(partial / "images.npy", mmap_mode="r")
            compact = np.load(partial / "compact.npy", mmap_mode="r+")
            compact[start : start + CHUNK] = images[kept[start : start + CHUNK]]
            compact.flush()
            del images, compact
        (partial / "galaxy_ids.npy").unlink()  # the rows no longer match: a kill from here on starts anew
        os.replace(partial / "compact.npy", partial / "images.npy")
    for name, array in arrays.items():
        files.write_array(partial / name, array)
    names = ("images.npy", *arrays)
    records.write_json(
        partial / "manifest.json", manifest | {"sha256": {name: records.sha256(partial / name) for name in names}}
    )
    for path in partial.iterdir():  # also what killed calls were about to write
        if path.name not in (*names, "manifest.json"):
            path.unlink()
    partial.rename(store)
    return store
