"""Galaxy Zoo 2 as a source of galaxies (`DATA = "gz2"`): found or fetched, each picture under its galaxy's object id.

Pictures and tables are open, no account is needed (Willett et al. 2013, https://arxiv.org/abs/1308.3496; Hart et al.
2016, https://arxiv.org/abs/1607.01019). The files keep the names under which they are published.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gzutils import decision_tree
from gzutils.data.archives import refusal
from gzutils.data.challenge import Images
from gzutils.data.open_data import gz2_pictures, gz2_tables, remote_zip
from gzutils.data.open_data.addresses import address
from gzutils.data.open_data.gz2_tables import Gz2Table
from gzutils.data.open_data.transfer import fetch_file
from gzutils.parameters import DEBIASED
from gzutils.tools import files, records, sources

TABLES = {"willett": "zoo2MainSpecz.csv.gz", "hart": "gz2_hart16.csv.gz"}  # by whose debiased fractions they hold
MAPPING = "gz2_filename_mapping.csv"
ARRAYS = ("object_ids", "asset_ids", "labels", "votes")  # of a table, a row each galaxy
SAID = ("publication", "left_out", "noted", "debiasing")  # of a table as a whole
CREDIT = (
    "pictures: Sloan Digital Sky Survey, cut out for Galaxy Zoo 2 (Zenodo, record 3565489); votes: its volunteers, "
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
    """Some galaxies of Galaxy Zoo 2: their pictures, and their rows of the table that `solutions` holds.

    There are no `test_images`: every galaxy here has its votes.
    """

    training_images: Images
    solutions: Path
    table: Gz2Table
    test_images: None = None

    @property
    def left_out(self) -> dict[str, int]:
        """Why rows of the whole table are no galaxies of this source, and how many."""
        return self.table.left_out

    def labels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Object ids int64 (N,), ascending; labels float32 (N, 37); counts of the votes int32 (N, 37)."""
        return self.table.object_ids, self.table.labels, self.table.votes

    def identity(self) -> dict[str, Any]:
        """What changes when pictures or labels change, JSON-like, whatever lies beside them."""
        table = self.table
        return {
            "training_images": self.training_images.identity(),
            "table": records.arrays_sha256(table.object_ids, table.labels, table.votes),
            "credit": CREDIT + table.publication,
            "of the whole table": table.noted,
            "debiasing": [
                {"question": number, "galaxies off by more than 0.01": galaxies, "furthest from 1": miss}
                for number, (galaxies, miss) in table.debiasing.items()
            ],
        }


def find(
    folder: Path | str,
    data_dir: Path | str | None = None,
    galaxies: int | None = None,
    seed: int = 0,
    debiased: str = DEBIASED[0],
) -> GalaxyZoo2:
    """Finds Galaxy Zoo 2's files, or fetches what lacks: two tables, and so many of the pictures as are wanted.

    Which galaxies these are follows from the zip of pictures, the table and the seed, whether the whole zip is there or
    a part of it is fetched. Of a folder of pictures others are chosen: it does not keep the zip's order.

    Args:
        folder: where fetched files go, and what is derived from them.
        data_dir: the user's own: the zip of the pictures, or a folder that holds it or the unpacked `<asset id>.jpg`,
            with both tables beside it (or in `folder`); then nothing is fetched. None: `folder`.
        galaxies: how many; None: all, in one download of 3.4 GB.
        seed: of the choice.
        debiased: by whom; "willett", as the challenge's labels were made, or "hart".

    Raises:
        ChallengeError: a file of the user's lacks or is of another kind; or there are fewer galaxies than asked for.
        TransferError: a fault of the network or of a server; what came before it stays.
        files.NotWritten: the disk is too full.
    """
    folder = Path(folder)
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if data_dir is None:
        tables = fetch_file(TABLES[debiased], folder), fetch_file(MAPPING, folder)
        table = _table(*tables, folder)
        if galaxies is not None and galaxies > len(table.object_ids):  # said before gigabytes are fetched
            problem = f"{len(table.object_ids):,} of its galaxies can be used, {galaxies:,} were asked for"
            raise refusal(tables[0], problem, "ask for fewer (GALAXIES, or --galaxies)")
        chosen = gz2_pictures.fetch(folder, table.asset_ids, galaxies, seed)
        place = gz2_pictures.pictures(folder).path
    else:
        place = _own_pictures(Path(data_dir))
        beside = place.parent if place.is_file() else Path(data_dir)
        tables = _own_table(TABLES[debiased], beside, folder), _own_table(MAPPING, beside, folder)
        table = _table(*tables, folder)
        chosen = _choose_own(place, table.asset_ids, galaxies, seed)
    table = replace(table, **{name: getattr(table, name)[np.isin(table.asset_ids, chosen)] for name in ARRAYS})
    pairs = np.stack([table.object_ids, table.asset_ids])
    catalogue = folder / f"catalogue-{records.arrays_sha256(pairs)[:8]}.npy"
    if not catalogue.is_file():
        files.write_array(catalogue, pairs)
    return GalaxyZoo2(_once(place, catalogue), tables[0], table)


def _table(labels: Path, mapping: Path, folder: Path) -> Gz2Table:
    """The table, read once: what was read is kept, under a name that stands for both files and the code."""
    code = sources.modules_fingerprint({gz2_tables.__name__, decision_tree.__name__})
    made_of = records.fingerprint([records.sha256(labels), records.sha256(mapping), code])
    kept = folder / f"{labels.name.split('.')[0]}-{made_of}.npz"
    if not kept.is_file():
        table = gz2_tables.read(labels, mapping)
        said = json.dumps({name: getattr(table, name) for name in SAID})
        with files.whole_file(kept) as beside, open(beside, "wb") as file:
            np.savez(file, said=np.array(said), **{name: getattr(table, name) for name in ARRAYS})
        for older in folder.glob(f"{kept.name.split('-')[0]}-*.npz"):
            if older != kept:  # read by other code, or of other files
                older.unlink(missing_ok=True)
    try:
        with np.load(kept) as there:  # which never unpickles anything
            said = json.loads(str(there["said"]))
            said["debiasing"] = {int(number): tuple(missed) for number, missed in said["debiasing"].items()}
            return Gz2Table(**said, **{name: there[name] for name in ARRAYS})
    except Exception as error:  # a damaged zip, header or JSON each fail in ways of their own
        raise refusal(kept, f"damaged ({files.first_line(error)})", "delete it and run again") from None


def _own_pictures(data_dir: Path) -> Path:
    """The user's zip, or the folder of unpacked pictures."""
    if not data_dir.exists():
        raise refusal(data_dir, "there is no such file or folder", "correct DATA_DIR (--data-dir)")
    if data_dir.is_file():
        return data_dir
    names = (gz2_pictures.ARCHIVE, gz2_pictures.IMAGES, f"images_gz2/{gz2_pictures.IMAGES}")
    for place in [data_dir / name for name in names]:
        if place.exists():
            return place
    if any(data_dir.glob("*.jpg")):
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
    """The asset ids of the user's pictures that are taken: of a zip the same that would be fetched.

    Raises:
        ChallengeError: most of the pictures are not in the tables. Those of Galaxy Zoo 2 nearly all are; of the
            challenge's, whose names are numbers of another kind, a part is, each as another galaxy.
    """
    members = remote_zip.members_of(place) if place.is_file() else None
    there = Images(place).galaxy_ids() if members is None else members["asset_id"]
    usable = np.intersect1d(there, asset_ids)
    if len(usable) < len(there) / 2:
        problem = f"only {len(usable):,} of its {len(there):,} pictures are in the tables"
        raise refusal(place, problem, "check that they belong together, and are not the challenge's")
    if members is not None:
        return gz2_pictures.choose(members, asset_ids, galaxies, seed, place)["asset_id"]
    return usable if galaxies is None else usable[gz2_pictures.spread(len(usable), galaxies, seed)]
