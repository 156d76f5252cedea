"""Galaxy Zoo 2's pictures out of its zip of 3.4 GB: so many as are wanted, or all.

Pictures are wanted in blocks that lie together in the zip, so that a few requests fetch them. The blocks are spread
evenly over the zip, in case its order means something.
"""

from pathlib import Path

import numpy as np

from gzutils.data.challenge import Images
from gzutils.data.open_data import remote_zip
from gzutils.data.open_data.addresses import address
from gzutils.data.open_data.polite import TransferError
from gzutils.data.open_data.transfer import Changed, fetch_file
from gzutils.tools.files import check_room, locked
from gzutils.tools.progress import progress

ARCHIVE, IMAGES = "images_gz2.zip", "images"
BLOCKS = 40
ON_DISK = 4096  # a file takes up whole blocks of so many bytes


def fetch(folder: Path | str, asset_ids: np.ndarray, galaxies: int | None = None, seed: int = 0) -> np.ndarray:
    """Fetches pictures that are not there yet; `pictures` reads them. Interrupted and called again, it goes on.

    Which ones depends on the zip, the usable ids and the seed alone. Asked for more with the same seed, those that
    are there are among them. A whole zip in the folder serves without a network.

    Args:
        folder: where they go, into `images/<asset_id>.jpg`; or, for None, where the zip goes.
        asset_ids: int64 (N,), of the usable galaxies, in any order.
        galaxies: how many, at most; None: all, in one download of the whole zip.
        seed: of the choice.

    Returns:
        The asset ids of the chosen galaxies, int64, ascending.

    Raises:
        TransferError: a fault of the network, the server or the zip; the message says which. What came before it stays.
        files.NotWritten: the disk is too full.
    """
    folder = Path(folder)
    archive = fetch_file(ARCHIVE, folder) if galaxies is None else folder / ARCHIVE
    if archive.is_file():
        return np.sort(choose(remote_zip.members_of(archive), asset_ids, galaxies, seed, archive)["asset_id"])
    url, kept = address(ARCHIVE).url, folder / f"{ARCHIVE}.parts"
    with locked(folder / IMAGES, wait=True):
        kept.mkdir(parents=True, exist_ok=True)
        remote, members = remote_zip.directory(url, kept)
        chosen = choose(members, asset_ids, galaxies, seed, url)
        lacking = chosen[[not _is_there(folder, member) for member in chosen]]
        size = int(lacking["size"].sum()) + len(lacking) * ON_DISK
        check_room(folder, size, f"the download of {len(lacking):,} pictures")
        written = remote_zip.fetch_members(remote, lacking, folder / IMAGES)
        try:
            for _ in progress(written, "Fetching galaxies", len(chosen), "galaxies", len(chosen) - len(lacking)):
                pass
        except Changed:
            remote_zip.forget_directory(kept)
            raise
    return np.sort(chosen["asset_id"])


def pictures(folder: Path | str) -> Images:
    """The pictures in a folder after `fetch`, under their asset ids: those of the whole zip, if it is there."""
    archive = Path(folder) / ARCHIVE
    return Images(archive if archive.is_file() else Path(folder) / IMAGES)


def choose(
    members: np.ndarray, asset_ids: np.ndarray, galaxies: int | None, seed: int, place: Path | str
) -> np.ndarray:
    """The members of a zip to fetch, in its order: the first rows of `spread` over those that are usable.

    Args:
        members: remote_zip.MEMBER (N,), in the zip's order. place: of the zip, for the message.

    Raises:
        TransferError: none is usable.
    """
    usable = members[np.isin(members["asset_id"], asset_ids)]
    if not len(usable):
        raise TransferError(place, "none of its pictures is in the tables", "check that they belong together")
    return usable if galaxies is None else usable[spread(len(usable), galaxies, seed)]


def spread(count: int, galaxies: int, seed: int) -> np.ndarray:
    """Which of `count` things in a row to take: blocks, one at a random place in each of 40 equal parts of the row.

    What is taken for one number of galaxies is taken for any larger one, too.

    Returns:
        int64 (min(galaxies, count),), ascending.
    """
    draw = np.random.default_rng(seed)
    rank, place = draw.permutation(BLOCKS), draw.integers(2**32, size=BLOCKS)
    parts = count // BLOCKS + (rank < count % BLOCKS)
    wanted = min(galaxies, count)
    blocks = wanted // BLOCKS + (rank < wanted % BLOCKS)
    # In whole numbers: a block that grows by one begins where it began or one earlier, so that it holds the smaller.
    starts = np.cumsum(parts) - parts + (place * (parts - blocks + 1) >> 32)
    return np.concatenate([np.arange(start, start + length) for start, length in zip(starts, blocks, strict=True)])


def _is_there(folder: Path, member: np.void) -> bool:
    """Whether a picture was written; pictures appear whole, so that its size tells it."""
    try:
        return (folder / IMAGES / f"{member['asset_id']}.jpg").stat().st_size == member["size"]
    except FileNotFoundError:
        return False
