"""The files of Kaggle's "Galaxy Zoo - The Galaxy Challenge": find, download, read safely, write in the same form.

The simulated survey writes this layout too, so whatever comes after this module serves both. Images stay in their
zip: 61,578 small files are slow to unpack, and a member that is only read can do no harm by its name.
"""

import io
import os
import re
import shutil
import stat
import threading
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gzutils.decision_tree import COLUMNS, check_labels
from gzutils.files import whole_file
from gzutils.progress import progress

COMPETITION = "galaxy-zoo-the-galaxy-challenge"
TRAINING_IMAGES = "images_training_rev1"
TEST_IMAGES = "images_test_rev1"
SOLUTIONS = "training_solutions_rev1"
FORMS = {  # under which names each may lie in a folder, best first
    TRAINING_IMAGES: (f"{TRAINING_IMAGES}.zip", TRAINING_IMAGES),
    TEST_IMAGES: (f"{TEST_IMAGES}.zip", TEST_IMAGES),
    SOLUTIONS: (f"{SOLUTIONS}.zip", f"{SOLUTIONS}.csv", f"{SOLUTIONS}/{SOLUTIONS}.csv"),
}
DOWNLOAD_BYTES = {TRAINING_IMAGES: 850_000_000, SOLUTIONS: 6_000_000, TEST_IMAGES: 1_100_000_000}  # rounded up
# Far above anything in the challenge (an image has about 13 kB), far below what would hurt.
IMAGE_LIMIT, TABLE_LIMIT, ARCHIVE_LIMIT = 10_000_000, 200_000_000, 4_000_000_000

PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}"
TOKEN_PAGE = "https://www.kaggle.com/settings/api"
AGAIN = f"delete the file and download it again from {PAGE}/data"
IMAGE_NAME = re.compile(r"([0-9]{1,18})\.jpg")
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError)


class ChallengeError(ValueError):
    """Something is wrong with the challenge's files; the message says in which, what, and what to do now."""


class Images:
    """A folder or a zip of `<GalaxyID>.jpg`; other names in it are ignored.

    May be read from many threads at once. A pickled copy opens the zip for itself and reads its table of contents
    (about a second for the whole challenge), so give a worker process its copy once, not with every galaxy.

    Args:
        path: the folder (its images may lie in one of the same name inside it) or the zip.
        inside: for a zip that holds several sets of images, the name of the folder in it.
    """

    def __init__(self, path: Path | str, inside: str | None = None) -> None:
        self.path = Path(path)
        self.inside = inside
        self._forget()

    def __reduce__(self) -> tuple:
        return Images, (self.path, self.inside)

    def galaxy_ids(self) -> np.ndarray:
        """The ids of all images, int64 (N,), ascending.

        Raises:
            ChallengeError: no such file, no zip, no images in it, or a member that is refused.
        """
        return np.array(sorted(self._index()), np.int64)

    def read(self, galaxy_id: int) -> bytes:
        """The bytes of one galaxy's JPEG file.

        Raises:
            ChallengeError: there is no such image, or it is damaged or larger than any image of the challenge.
        """
        member = self._index().get(int(galaxy_id))
        if member is None:
            raise _error(self.path, f"there is no image of galaxy {galaxy_id} in it")
        try:
            if isinstance(member, Path):
                with open(member, "rb") as file:
                    data = file.read(IMAGE_LIMIT + 1)
            else:
                # ZipFile counts its open members without a lock of its own: two threads could close it for the rest.
                with self._lock, self._archive.open(member) as file:
                    data = file.read(IMAGE_LIMIT + 1)
        except DAMAGE as error:
            raise _error(self.path, f"the image of galaxy {galaxy_id} is damaged ({error})") from error
        if len(data) > IMAGE_LIMIT:
            raise _error(self.path, f"the image of galaxy {galaxy_id} is larger than {IMAGE_LIMIT:,} bytes")
        return data

    def identity(self) -> dict[str, Any]:
        """What changes when the images change, JSON-like and without the place where they lie."""
        if not self.path.is_dir():
            return _file_identity(self.path) | ({"inside": self.inside} if self.inside else {})
        states = [member.stat() for member in self._index().values()]
        size, newest = sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)
        return {"name": self.path.name, "images": len(states), "size": size, "modified_ns": newest}

    def _forget(self) -> None:
        self._members: dict[int, zipfile.ZipInfo | Path] | None = None
        self._archive: zipfile.ZipFile | None = None
        self._lock = threading.Lock()
        self._process = os.getpid()

    def _index(self) -> dict[int, zipfile.ZipInfo | Path]:
        # After a fork, both processes would move the one position in the open file that they share.
        if self._process != os.getpid():
            self._forget()
        with self._lock:
            if self._members is None:
                self._members = self._read_index()
            return self._members

    def _read_index(self) -> dict[int, zipfile.ZipInfo | Path]:
        images: list[tuple[str, zipfile.ZipInfo | Path]]
        if self.path.is_dir():
            nested = self.path / self.path.name
            folder = nested if nested.is_dir() else self.path
            images = [(name, folder / name) for name in os.listdir(folder)]
        else:
            self._archive = _open_zip(self.path)
            images = []
            for member in self._archive.infolist():
                _check_name(self.path, member)
                *folders, name = member.filename.split("/")
                if IMAGE_NAME.fullmatch(name) and (self.inside is None or self.inside in folders[-1:]):
                    _check_content(self.path, member, IMAGE_LIMIT)
                    images.append((name, member))
        index = {}
        for name, member in images:
            if match := IMAGE_NAME.fullmatch(name):
                if int(match[1]) in index:
                    raise _error(self.path, f"galaxy {int(match[1])} is in it twice")
                index[int(match[1])] = member
        if not index:
            raise _error(self.path, "there is no image named <GalaxyID>.jpg in it")
        return index


@dataclass(frozen=True)
class Challenge:
    """The challenge's files on this machine; `solutions` is a .csv file or a .zip file that holds it."""

    training_images: Images
    solutions: Path
    test_images: Images | None

    def identity(self) -> dict[str, Any]:
        """What changes when the data change: names, sizes and times of the files, JSON-like, no folder's path."""
        return {
            "training_images": self.training_images.identity(),
            "solutions": _file_identity(self.solutions),
            "test_images": self.test_images.identity() if self.test_images else None,
        }


def find(data_dir: Path | str, cache: Path | str) -> Challenge:
    """Finds the challenge's files and checks that they can be opened.

    Args:
        data_dir: the folder that holds them (as .zip files or unpacked; also inside a folder named like the
            competition), the competition's one zip as Kaggle serves it, or a folder that holds that zip.
        cache: where zips inside the competition's zip are copied to, once.

    Raises:
        ChallengeError: files are missing, are no zips, are damaged or refused, or the disk is too full for the copies.
    """
    data_dir = Path(data_dir)
    folders = [data_dir, data_dir / COMPETITION, data_dir / "competitions" / COMPETITION]
    bundles = [data_dir, *(folder / f"{COMPETITION}.zip" for folder in folders)]
    bundle = next((path for path in bundles if path.is_file()), None)
    places = {
        name: _present(name, folders) or (_inside(bundle, name, Path(cache)) if bundle else None) for name in FORMS
    }
    missing = [name for name in (TRAINING_IMAGES, SOLUTIONS) if places[name] is None]
    if missing:
        found = sorted(path.name for path in data_dir.iterdir()) if data_dir.is_dir() else []
        found += [member.filename for member in _open_zip(bundle).infolist()] if bundle else []
        raise _error(
            data_dir,
            f"{' and '.join(missing)} of the Galaxy Zoo challenge not found. Looked for {TRAINING_IMAGES}.zip or the "
            f"folder {TRAINING_IMAGES}, for {SOLUTIONS}.zip or .csv, and for {COMPETITION}.zip; found "
            + (_some(found) or "nothing"),
            f"download them from {PAGE}/data (a free account; accept the rules) and put them into this folder",
        )

    images = {}
    for name in (TRAINING_IMAGES, TEST_IMAGES):
        if place := places[name]:
            images[name] = Images(place, inside=name if place == bundle else None)
            images[name].galaxy_ids()  # refuses now what cannot be read later
    if places[SOLUTIONS].suffix == ".zip":
        _open_zip(places[SOLUTIONS]).close()
    return Challenge(images[TRAINING_IMAGES], places[SOLUTIONS], images.get(TEST_IMAGES))


def read_solutions(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the table of labels, from the .csv file or the .zip file that holds it; rows and columns in any order.

    Returns:
        ids, int64 (N,), ascending, and labels, float32 (N, 37), in the order of `decision_tree.COLUMNS`.

    Raises:
        ChallengeError: the file is no such table, or a value in it is wrong; the message names the file, the row
            (counted in the file's order, without the header), the galaxy and the column.
    """
    path = Path(path)
    data = _solutions_bytes(path)
    if data.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        raise _error(path, "this looks like a web page, not a table", f"{AGAIN} while logged in")
    try:
        table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        raise _error(path, "the file is empty") from None
    except ValueError as error:  # pandas' own errors and undecodable bytes
        raise _error(path, f"not a table of comma-separated values ({error})") from error
    _check_columns(path, list(table.columns))
    if not isinstance(table.index, pd.RangeIndex):
        raise _error(path, f"the rows have more values than the {len(table.columns)} names in the first line")
    if table.empty:
        raise _error(path, "the table has no galaxies")

    names = table["GalaxyID"].str.strip()
    wrong = np.flatnonzero(~names.str.fullmatch("[0-9]{1,18}"))
    if len(wrong):
        raise _error(path, f"row {wrong[0] + 1}: GalaxyID is {names[wrong[0]]!r}, not a whole number")
    galaxy_ids = names.to_numpy(np.int64)
    if repeated := _repeated(galaxy_ids):
        raise _error(path, f"there is more than one row of galaxy {repeated}")
    labels = table[list(COLUMNS)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    for row, column in np.argwhere(np.isnan(labels))[:1]:
        text = table[COLUMNS[column]][row]
        raise _error(path, f"row {row + 1} (galaxy {names[row]}): {COLUMNS[column]} is {text!r}, not a number")
    try:
        check_labels(labels, galaxy_ids)
    except ValueError as error:
        raise _error(path, error) from None
    order = np.argsort(galaxy_ids)
    return galaxy_ids[order], labels[order].astype(np.float32)


def write_solutions(path: Path | str, galaxy_ids: np.ndarray, labels: np.ndarray) -> None:
    """Writes a table of labels in the challenge's CSV format; `read_solutions` gives the same float32 numbers back.

    Args:
        path: the .csv file.
        galaxy_ids: (N,) whole numbers, each once.
        labels: (N, 37), in the order of `decision_tree.COLUMNS`.

    Raises:
        ChallengeError: the ids or the shape are wrong, or the labels are no vote fractions down the decision tree.
    """
    galaxy_ids, labels = _checked_table(path, galaxy_ids, labels)
    try:
        check_labels(labels, galaxy_ids)
    except ValueError as error:
        raise _error(path, f"not written: {error}", "correct the labels") from None
    _write_table(path, galaxy_ids, labels)


def write_submission(path: Path | str, galaxy_ids: np.ndarray, probabilities: np.ndarray) -> None:
    """Writes predictions in the challenge's submission format, the same as that of the labels; nothing is clipped.

    Args:
        path: the .csv file.
        galaxy_ids: (N,) whole numbers, each once.
        probabilities: (N, 37), in the order of `decision_tree.COLUMNS`, from 0 to 1.

    Raises:
        ChallengeError: the ids or the shape are wrong, or a value is not finite or not in [0, 1].
    """
    galaxy_ids, probabilities = _checked_table(path, galaxy_ids, probabilities)
    for row, column in np.argwhere(~((probabilities >= 0) & (probabilities <= 1)))[:1]:
        problem = f"{COLUMNS[column]} of galaxy {galaxy_ids[row]} is {probabilities[row, column]}, not in [0, 1]"
        raise _error(path, f"not written: {problem}", "correct the predictions")
    _write_table(path, galaxy_ids, probabilities)


def download(folder: Path | str, test_images: bool = False) -> Path:
    """Downloads the challenge's zips into a folder, with kagglehub, and returns the folder.

    What is there already is not asked for again. kagglehub finds the credentials and keeps a copy in its own cache,
    so that a download that was cut off continues; on the same disk that copy takes no space of its own.

    Args:
        folder: where the files go; `find` reads them from there.
        test_images: whether to get the unlabelled images too (1.1 GB more).

    Raises:
        ChallengeError: no credentials, rules not accepted, no network, a full disk, or a damaged download.
    """
    folder = Path(folder)
    wanted = (TRAINING_IMAGES, SOLUTIONS, TEST_IMAGES) if test_images else (TRAINING_IMAGES, SOLUTIONS)
    wanted = [name for name in wanted if not _present(name, [folder])]
    if not wanted:
        return folder
    import kagglehub
    from kagglehub.config import get_cache_folder
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    for place in (folder, Path(get_cache_folder())):
        _check_space(
            place, sum(DOWNLOAD_BYTES[name] for name in wanted), "the download (KAGGLEHUB_CACHE moves its cache)"
        )
    for name in wanted:
        target = folder / f"{name}.zip"
        try:
            got = Path(kagglehub.competition_download(COMPETITION, path=target.name))
        except (UnauthenticatedError, DataCorruptionError, OSError, ValueError) as error:
            by_hand = f"or download it in a browser from {PAGE}/data and put it there"
            raise _error(target, f"not downloaded: {_download_problem(error)}", by_hand) from error
        _open_zip(got).close()
        with whole_file(target) as beside:
            try:
                os.link(got, beside)
            except OSError:  # another disk, or one without links
                shutil.copyfile(got, beside)
    return folder


def _download_problem(error: Exception) -> str:
    import requests
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    if isinstance(error, UnauthenticatedError):
        return (
            f"there are no Kaggle credentials. Make a token at {TOKEN_PAGE} and give it in one of four ways: the "
            "environment variable KAGGLE_API_TOKEN; the file ~/.kaggle/access_token; on Colab, a secret named "
            "KAGGLE_API_TOKEN that the notebook may read; or, with a key of the older kind, the file "
            "~/.kaggle/kaggle.json or the variables KAGGLE_USERNAME and KAGGLE_KEY"
        )
    if isinstance(error, DataCorruptionError):
        return "it arrived damaged; run again"
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        return {
            401: f"Kaggle does not know the credentials (401); make a new token at {TOKEN_PAGE}",
            403: f"Kaggle refuses it (403); log in, accept the rules at {PAGE}/rules and run again",
            404: f"Kaggle has no such file (404); see what {PAGE}/data lists",
        }.get(status, f"Kaggle answered with status {status}; try again later")
    if isinstance(error, requests.RequestException):
        return f"no connection to Kaggle, or it broke ({type(error).__name__}); check the network and run again"
    if isinstance(error, OSError):
        return f"it cannot be written ({error}); make room, or set KAGGLEHUB_CACHE to another folder"
    return f"the credentials cannot be used ({error}); correct or delete that file"


def _error(path: Path | str, problem: object, remedy: str = AGAIN) -> ChallengeError:
    return ChallengeError(f"{path}: {problem}; {remedy}")


def _present(name: str, folders: list[Path]) -> Path | None:
    return next((folder / form for folder in folders for form in FORMS[name] if (folder / form).exists()), None)


def _inside(bundle: Path, name: str, cache: Path) -> Path | None:
    """Where to read one of the files that the competition's zip holds: a copy of an inner zip, or the zip itself."""
    with _open_zip(bundle) as archive:
        member = next((m for m in archive.infolist() if m.filename.split("/")[-1] in FORMS[name]), None)
        if member is None:
            images = any(name in m.filename.split("/")[:-1] for m in archive.infolist())
            return bundle if images and name != SOLUTIONS else None
        _check_name(bundle, member)
        _check_content(bundle, member, ARCHIVE_LIMIT)
        # The checksum keeps the files of two competition zips apart.
        target = cache / f"{member.CRC:08x}" / member.filename.split("/")[-1]
        if target.exists() and target.stat().st_size == member.file_size:
            return target
        _check_space(cache, member.file_size, f"the copy of {member.filename} out of {bundle.name}")
        try:
            with archive.open(member) as source, whole_file(target) as beside, open(beside, "wb") as copy:
                chunks = iter(lambda: source.read(2**20), b"")
                for chunk in progress(chunks, f"Copying {name}", member.file_size // 2**20 + 1, "MB"):
                    copy.write(chunk)
        except DAMAGE as error:
            raise _error(bundle, f"{member.filename} cannot be copied out of it ({error})") from error
        return target


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise _error(path, f"cannot be read ({error.strerror})", "see that it exists and may be read") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        with open(path, "rb") as file:
            start = file.read(1000).lstrip()
        if start.startswith(b"<"):
            problem = "no zip, but it looks like a web page, as Kaggle sends it to those who are not logged in"
        elif start.startswith(b"PK"):
            problem = f"a zip that is cut off or damaged ({error})"
        else:
            problem = "no zip" if start else "the file is empty"
        raise _error(path, problem, f"{AGAIN} while logged in") from None


def _check_name(path: Path, member: zipfile.ZipInfo) -> None:
    parts = re.split(r"[/\\]", member.filename)
    if parts[0] == "" or ".." in parts or ":" in parts[0]:
        raise _error(path, f"the name {member.filename!r} in it leads out of its folder; not Kaggle's file")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _error(path, f"{member.filename!r} in it is a link; not Kaggle's file")


def _check_content(path: Path, member: zipfile.ZipInfo, limit: int) -> None:
    if member.flag_bits & 1:
        raise _error(path, f"{member.filename!r} in it is encrypted; not Kaggle's file")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _error(path, f"{member.filename!r} in it is compressed by a method that Kaggle does not use")
    if member.file_size > limit:
        raise _error(path, f"{member.filename!r} in it has {member.file_size:,} bytes, more than {limit:,}")


def _check_space(folder: Path, size: int, what: str) -> None:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < size:
        problem = f"{what} takes {size / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free"
        raise _error(folder, problem, "make room or choose another disk")


def _file_identity(path: Path) -> dict[str, Any]:
    state = path.stat()
    return {"name": path.name, "size": state.st_size, "modified_ns": state.st_mtime_ns}


def _solutions_bytes(path: Path) -> bytes:
    try:
        if path.suffix != ".zip":
            return path.read_bytes()
        with _open_zip(path) as archive:
            tables = [m for m in archive.infolist() if m.filename.endswith(".csv") and "__MACOSX" not in m.filename]
            if len(tables) != 1:
                raise _error(path, f"it holds {len(tables)} files named *.csv, not one")
            _check_name(path, tables[0])
            _check_content(path, tables[0], TABLE_LIMIT)
            with archive.open(tables[0]) as file:
                return file.read(TABLE_LIMIT + 1)
    except DAMAGE as error:
        raise _error(path, f"cannot be read ({error})") from error


def _check_columns(path: Path, names: list[str]) -> None:
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and separator in names[0]:
            raise _error(path, f"separated by {word}", f"save it with commas, or {AGAIN}")
    expected = ("GalaxyID", *COLUMNS)
    missing = _some([name for name in expected if name not in names])
    unknown = _some([name for name in names if name not in expected])
    if missing or unknown:
        problem = f"wrong columns in the first line: missing {missing or 'none'}, unknown {unknown or 'none'}"
        raise _error(path, problem, f"correct them, or {AGAIN}")


def _checked_table(path: Path | str, galaxy_ids: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    galaxy_ids, values = np.asarray(galaxy_ids), np.asarray(values)
    if not len(galaxy_ids) or values.shape != (len(galaxy_ids), len(COLUMNS)):
        problem = f"{len(galaxy_ids)} galaxies need a table of shape ({len(galaxy_ids)}, 37), not {values.shape}"
    elif galaxy_ids.dtype.kind not in "iu" or (galaxy_ids < 0).any():
        problem = "the galaxy ids are not all whole numbers from 0"
    elif repeated := _repeated(galaxy_ids):
        problem = f"there is more than one row of galaxy {repeated}"
    else:
        return galaxy_ids, values
    raise _error(path, f"not written: {problem}", "correct what is passed in")


def _write_table(path: Path | str, galaxy_ids: np.ndarray, values: np.ndarray) -> None:
    with whole_file(path) as beside, open(beside, "w", encoding="ascii", newline="\n") as file:
        file.write(",".join(("GalaxyID", *COLUMNS)) + "\n")
        for galaxy_id, row in zip(galaxy_ids, values.astype(np.float32), strict=True):
            # The fewest digits that give the same float32 back, without exponents: 0.61, 0, 1.
            numbers = (np.format_float_positional(value, trim="-") for value in row)
            file.write(f"{galaxy_id},{','.join(numbers)}\n")


def _repeated(galaxy_ids: np.ndarray) -> str:
    unique, counts = np.unique(galaxy_ids, return_counts=True)
    return _some(unique[counts > 1].tolist())


def _some(items: list) -> str:
    return ", ".join(map(str, items[:5])) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
