"""Galaxy Zoo 2 as a source of galaxies (`DATA = "gz2"`): found or fetched, each picture under its galaxy's object id.

Pictures and tables are open, no account is needed (Willett et al. 2013, https://arxiv.org/abs/1308.3496; Hart et al.
2016, https://arxiv.org/abs/1607.01019). The files keep the names under which they are published.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gzutils.data import gz2_pictures, gz2_tables, remote_zip
from gzutils.data.addresses import address
from gzutils.data.challenge import Images, refusal
from gzutils.data.gz2_tables import Gz2Table
from gzutils.data.transfer import fetch_file
from gzutils.tools import files, records, sources

TABLES = {"willett": "zoo2MainSpecz.csv.gz", "hart": "gz2_hart16.csv.gz"}  # by whose debiased fractions they hold
MAPPING = "gz2_filename_mapping.csv"
CREDIT = (
    "pictures: Sloan Digital Sky Survey, cut out for Galaxy Zoo 2 (Zenodo, record 3565489); "
    "votes: its volunteers, Willett et al. 2013"
)


class CatalogueImages(Images):
    """Images that lie under asset ids, read by object ids.

    Args:
        path: the folder or the zip of `<asset id>.jpg`.
        catalogue: a .npy file, int64 (2, N): the object ids of the galaxies that count, and their asset ids.
    """

    def __init__(self, path: Path | str, catalogue: Path) -> None:
        super().__init__(path)
        self.catalogue = catalogue

    def __reduce__(self) -> tuple:
        return _once, (self.path, self.catalogue)

    def _read_index(self) -> dict:
        by_asset = super()._read_index()
        return {galaxy: by_asset[asset] for galaxy, asset in np.load(self.catalogue).T.tolist()}


@cache
def _once(path: Path, catalogue: Path) -> CatalogueImages:
    """The images of one place, the same object each time that a process is handed them."""
    return CatalogueImages(path, catalogue)


@dataclass(frozen=True)
class GalaxyZoo2:
    """Some galaxies of Galaxy Zoo 2: their pictures, and of the table the rows that are theirs.

    There are no `test_images`: every galaxy here has its votes.
    """

    training_images: Images
    table: Gz2Table
    debiased: str
    test_images: None = None

    @property
    def left_out(self) -> dict[str, int]:
        """Why rows of the table are no galaxies of this source, and how many."""
        return self.table.left_out

    def labels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Object ids int64 (N,), ascending; labels float32 (N, 37); counts of the votes int32 (N, 37)."""
        return self.table.object_ids, self.table.labels, self.table.votes

    def identity(self) -> dict[str, Any]:
        """What changes when pictures or labels change, JSON-like, whatever lies beside them."""
        table = self.table
        return {
            "training_images": self.training_images.identity(),
            "debiased": self.debiased,
            "table": records.arrays_sha256(table.object_ids, table.labels, table.votes),
            "debiasing": table.debiasing,
        }


def find(
    folder: Path | str,
    data_dir: Path | str | None = None,
    galaxies: int | None = None,
    seed: int = 0,
    debiased: str = "willett",
) -> GalaxyZoo2:
    """Finds Galaxy Zoo 2's files, or fetches what lacks: the two tables, and of the pictures so many as are wanted.

    Which galaxies these are follows from the pictures that there are, the table and the seed; the zip of all pictures
    and the part of it that was fetched give the same.

    Args:
        folder: where fetched files go, and what is derived from them.
        data_dir: the user's own: the zip of the pictures, or a folder that holds it or the unpacked `<asset id>.jpg`,
            with both tables beside it (or in `folder`); then nothing is fetched. None: `folder`.
        galaxies: how many; None: all, in one download of 3.4 GB.
        seed: of the choice.
        debiased: by whom; "willett", as the challenge's labels were made, or "hart".

    Raises:
        ChallengeError: files of the user's lack, or are of another kind.
        TransferError: a fault of the network or of a server; what came before it stays.
        files.NotWritten: the disk is too full.
    """
    folder = Path(folder)
    if data_dir is None:
        table = _table(fetch_file(TABLES[debiased], folder), fetch_file(MAPPING, folder), folder)
        chosen = gz2_pictures.fetch(folder, table.asset_ids, galaxies, seed)
        place = gz2_pictures.pictures(folder).path
    else:
        place = _own_pictures(Path(data_dir))
        beside = place.parent if place.is_file() else Path(data_dir)
        table = _table(*(_own_table(name, beside, folder) for name in (TABLES[debiased], MAPPING)), folder)
        chosen = _choose_own(place, table.asset_ids, galaxies, seed)
    table = table.rows(np.isin(table.asset_ids, chosen))
    pairs = np.stack([table.object_ids, table.asset_ids])
    catalogue = folder / f"catalogue-{records.arrays_sha256(pairs)[:8]}.npy"
    if not catalogue.is_file():
        files.write_array(catalogue, pairs)
    return GalaxyZoo2(_once(place, catalogue), table, debiased)


def _table(labels: Path, mapping: Path, folder: Path) -> Gz2Table:
    """The table, read once: what was read is kept beside it, under a name that stands for the files and the code."""
    made_of = [records.sha256(labels), records.sha256(mapping), sources.modules_fingerprint({gz2_tables.__name__})]
    kept = folder / f"{labels.name.split('.')[0]}-{records.fingerprint(made_of)}.npz"
    if not kept.is_file():
        table = gz2_tables.read(labels, mapping)
        with files.whole_file(kept) as beside, open(beside, "wb") as file:
            said = json.dumps({"left_out": table.left_out, "debiasing": table.debiasing})
            np.savez(file, **table.arrays(), said=np.array(said))
    with np.load(kept) as there:  # which never unpickles anything
        said = json.loads(str(there["said"]))
        return Gz2Table(**{name: there[name] for name in there.files if name != "said"}, **said)


def _own_pictures(data_dir: Path) -> Path:
    """The user's zip, or the folder of unpacked pictures."""
    if data_dir.is_file():
        return data_dir
    folders = [data_dir, data_dir / "images_gz2"]
    for place in [folder / name for folder in folders for name in (gz2_pictures.ARCHIVE, gz2_pictures.IMAGES)]:
        if place.exists():
            return place
    if data_dir.is_dir() and any(data_dir.glob("*.jpg")):
        return data_dir
    raise refusal(
        data_dir,
        f"there are no pictures of Galaxy Zoo 2: neither {gz2_pictures.ARCHIVE} nor a folder {gz2_pictures.IMAGES} of "
        "<asset id>.jpg",
        f"get the zip from {address(gz2_pictures.ARCHIVE).url}, or leave DATA_DIR (--data-dir) out",
    )


def _own_table(name: str, beside: Path, folder: Path) -> Path:
    for place in (beside, beside.parent, folder):
        if (place / name).is_file():
            return place / name
    raise refusal(beside, f"{name} is neither there nor in {folder}", f"get it from {address(name).url}")


def _choose_own(place: Path, asset_ids: np.ndarray, galaxies: int | None, seed: int) -> np.ndarray:
    if place.is_file():
        return gz2_pictures.choose(remote_zip.members_of(place), asset_ids, galaxies, seed, place)["asset_id"]
    usable = np.intersect1d(Images(place).galaxy_ids(), asset_ids)  # a folder has no order but that of the names
    if not len(usable):
        raise refusal(place, "none of its pictures is in the tables", "check that they belong together")
    return usable if galaxies is None else usable[gz2_pictures.spread(len(usable), galaxies, seed)]
