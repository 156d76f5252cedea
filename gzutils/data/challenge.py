"""The files of Kaggle's "Galaxy Zoo - The Galaxy Challenge": what they are called, found, and read safely.

The simulated survey writes this layout too, so whatever comes after this module serves both. Images stay in their
zip: 61,578 small files are slow to unpack, and a member that is only read can do no harm by its name.
"""

import os
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gzutils.data.archives import COMPETITION, DAMAGE, PAGE, check_content, check_name, open_zip, refusal, shortlist
from gzutils.tools import records
from gzutils.tools.files import NotWritten, check_room, state_of, whole_file
from gzutils.tools.progress import progress

TRAINING_IMAGES = "images_training_rev1"
TEST_IMAGES = "images_test_rev1"
SOLUTIONS = "training_solutions_rev1"
FORMS = {  # under which names each may lie in a folder, best first
    TRAINING_IMAGES: (f"{TRAINING_IMAGES}.zip", TRAINING_IMAGES),
    TEST_IMAGES: (f"{TEST_IMAGES}.zip", TEST_IMAGES),
    SOLUTIONS: (f"{SOLUTIONS}.zip", f"{SOLUTIONS}.csv", f"{SOLUTIONS}/{SOLUTIONS}.csv"),
}
# Far above anything in the challenge (an image has about 13 kB), far below what would hurt.
IMAGE_LIMIT, ARCHIVE_LIMIT = 10_000_000, 4_000_000_000

IMAGE_NAME = re.compile(r"([0-9]{1,18})\.jpg")


class Images:
    """A folder or a zip of `<GalaxyID>.jpg`; other names in it are ignored.

    Pickled, it goes to another process without its table of contents, which that process reads once for itself.

    Args:
        path: the folder (its images may lie in one of the same name inside it) or the zip.
        inside: for a zip that holds several sets of images, the name of the folder in it.
    """

    def __init__(self, path: Path | str, inside: str | None = None) -> None:
        self.path = Path(path)
        self.inside = inside
        self._members: dict[int, zipfile.ZipInfo | Path] | None = None
        self._archive: zipfile.ZipFile | None = None

    def __reduce__(self) -> tuple:
        return _once, (self.path, self.inside)

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
            raise refusal(self.path, f"there is no image of galaxy {galaxy_id} in it")
        try:
            if isinstance(member, Path):
                with open(member, "rb") as file:  # not more than it has: memory for the limit is slow to come by
                    data = file.read(min(os.fstat(file.fileno()).st_size, IMAGE_LIMIT) + 1)
            else:  # so many bytes and no more, since ZipFile would unpack a bomb before it sees what it is
                with self._archive.open(member) as file:
                    data = file.read(member.file_size + 1)
        except DAMAGE as error:
            raise refusal(self.path, f"the image of galaxy {galaxy_id} is damaged ({error})") from error
        if len(data) > IMAGE_LIMIT:
            raise refusal(self.path, f"the image of galaxy {galaxy_id} is larger than {IMAGE_LIMIT:,} bytes")
        return data

    def file_name(self, galaxy_id: int) -> str:
        """The name of one galaxy's file, which a catalogue may have under another number than the galaxy's."""
        member = self._index()[int(galaxy_id)]
        return member.name if isinstance(member, Path) else member.filename.rpartition("/")[2]

    def identity(self) -> dict[str, Any]:
        """What changes when the images change, JSON-like and without the place where they lie.

        Of a zip, the checksums that it keeps of its members; of a folder, sizes and the youngest file's time.
        """
        members = self._index()
        if not self.path.is_dir():
            checksums = [(galaxy_id, members[galaxy_id].CRC) for galaxy_id in sorted(members)]
            return {"images": len(members), "checksums": records.fingerprint(checksums)}
        states = [state_of(member) for member in members.values()]
        size, newest = sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)
        return {"images": len(states), "size": size, "modified_ns": newest}

    def _index(self) -> dict[int, zipfile.ZipInfo | Path]:
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
            self._archive = open_zip(self.path)
            images = []
            for member in self._archive.infolist():
                check_name(self.path, member)
                *folders, name = member.filename.split("/")
                if IMAGE_NAME.fullmatch(name) and (self.inside is None or self.inside in folders[-1:]):
                    check_content(self.path, member, IMAGE_LIMIT)
                    images.append((name, member))
        index = {}
        for name, member in images:
            if match := IMAGE_NAME.fullmatch(name):
                if int(match[1]) in index:
                    raise refusal(self.path, f"galaxy {int(match[1])} is in it twice")
                index[int(match[1])] = member
        if not index:
            raise refusal(self.path, "there is no image named <GalaxyID>.jpg in it")
        return index


@cache
def _once(path: Path, inside: str | None) -> Images:
    """The images of one place, the same object each time that a process is handed them."""
    return Images(path, inside)


@dataclass(frozen=True)
class Challenge:
    """The challenge's files on this machine; `solutions` is a .csv file or a .zip file that holds it.

    `votes` is the table of counts that a simulated survey has beside its labels; the challenge has none.
    """

    training_images: Images
    solutions: Path
    test_images: Images | None
    votes: Path | None = None

    @property
    def left_out(self) -> dict[str, int]:
        """How many galaxies its own tables made it leave out, by reason: none."""
        return {}

    def labels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The training galaxies' ids, int64 (N,), ascending; labels, float32 (N, 37); votes, int32 (N, 37), or None.

        Raises:
            ChallengeError: a table is damaged, or the two are not of the same galaxies.
        """
        # Not above: pandas comes with it, which takes 0.3 s in each process that only reads images.
        from gzutils.data.solutions import read_solutions, read_votes

        galaxy_ids, labels = read_solutions(self.solutions)
        if self.votes is None:
            return galaxy_ids, labels, None
        voted_ids, votes = read_votes(self.votes)
        if not np.array_equal(voted_ids, galaxy_ids):
            raise refusal(self.votes, f"its galaxies are not those of {self.solutions}", "delete both and run again")
        return galaxy_ids, labels, votes

    def identity(self) -> dict[str, Any]:
        """What changes when the training pictures or their labels change, JSON-like, whatever lies beside them."""
        return {"training_images": self.training_images.identity(), "solutions": records.sha256(self.solutions)}


def find(data_dir: Path | str, cache: Path | str) -> Challenge:
    """Finds the challenge's files and checks that they can be opened.

    Args:
        data_dir: the folder that holds them (as .zip files or unpacked; also inside a folder named like the
            competition), the competition's one zip as Kaggle serves it, or a folder that holds that zip.
        cache: where zips inside the competition's zip are copied to, once.

    Raises:
        ChallengeError: files are missing, are no zips, are damaged or refused.
        files.NotWritten: the disk is too full for the copies.
    """
    data_dir = Path(data_dir)
    folders = [data_dir, data_dir / COMPETITION, data_dir / "competitions" / COMPETITION]
    bundles = [data_dir, *(folder / f"{COMPETITION}.zip" for folder in folders)]
    bundle = next((path for path in bundles if path.is_file()), None)
    places = {
        name: present(name, folders) or (_inside(bundle, name, Path(cache)) if bundle else None) for name in FORMS
    }
    missing = [name for name in (TRAINING_IMAGES, SOLUTIONS) if places[name] is None]
    if missing:
        found = sorted(path.name for path in data_dir.iterdir()) if data_dir.is_dir() else []
        found += [member.filename for member in open_zip(bundle).infolist()] if bundle else []
        raise refusal(
            data_dir,
            f"{' and '.join(missing)} of the Galaxy Zoo challenge not found. Looked for {TRAINING_IMAGES}.zip or the "
            f"folder {TRAINING_IMAGES}, for {SOLUTIONS}.zip or .csv, and for {COMPETITION}.zip; found "
            + (shortlist(found) or "nothing"),
            f"download them from {PAGE}/data (a free account; accept the rules) and put them into this folder",
        )

    images = {}
    for name in (TRAINING_IMAGES, TEST_IMAGES):
        if place := places[name]:
            images[name] = Images(place, inside=name if place == bundle else None)
            images[name].galaxy_ids()  # refuses now what cannot be read later
    if places[SOLUTIONS].suffix == ".zip":
        open_zip(places[SOLUTIONS]).close()
    return Challenge(images[TRAINING_IMAGES], places[SOLUTIONS], images.get(TEST_IMAGES))


def present(name: str, folders: list[Path]) -> Path | None:
    """Where one of the challenge's files lies in the first folder that has it, in whichever form; None: nowhere."""
    return next((folder / form for folder in folders for form in FORMS[name] if (folder / form).exists()), None)


def _inside(bundle: Path, name: str, cache: Path) -> Path | None:
    """Where to read one of the files that the competition's zip holds: a copy of an inner zip, or the zip itself."""
    with open_zip(bundle) as archive:
        member = next((m for m in archive.infolist() if m.filename.split("/")[-1] in FORMS[name]), None)
        if member is None:
            images = any(name in m.filename.split("/")[:-1] for m in archive.infolist())
            return bundle if images and name != SOLUTIONS else None
        check_name(bundle, member)
        check_content(bundle, member, ARCHIVE_LIMIT)
        # The checksum keeps the files of two competition zips apart.
        target = cache / f"{member.CRC:08x}" / member.filename.split("/")[-1]
        if target.exists() and target.stat().st_size == member.file_size:
            return target
        check_room(cache, member.file_size, f"the copy of {member.filename} out of {bundle.name}")
        try:
            with archive.open(member) as source, whole_file(target) as beside, open(beside, "wb") as copy:
                chunks = iter(lambda: source.read(2**20), b"")
                for chunk in progress(chunks, f"Copying {name}", member.file_size // 2**20 + 1, "MB"):
                    copy.write(chunk)
        except NotWritten:
            raise
        except DAMAGE as error:
            raise refusal(bundle, f"{member.filename} cannot be copied out of it ({error})") from error
        return target
