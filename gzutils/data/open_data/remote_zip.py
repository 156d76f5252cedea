"""Pictures out of a zip on a server, of which only its directory and the wanted parts are fetched.

The directory, at the end of a zip, says of each member where it lies, how large it is and its CRC. A zip's format is
described in PKWARE's APPNOTE (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from gzutils.data.archives import content_problem, name_problem
from gzutils.data.challenge import DAMAGE, IMAGE_LIMIT, IMAGE_NAME, shortlist
from gzutils.data.open_data.polite import LATER, TransferError
from gzutils.data.open_data.transfer import Changed, Remote, fetch_part, look, read
from gzutils.tools.files import first_line, whole_file, write_array
from gzutils.tools.records import fingerprint, read_record, write_json

# One picture of a zip, `<number>.jpg`: its local header begins at byte `first`, and what comes next at byte `end`.
_FIELDS = {"asset_id": "i8", "first": "i8", "end": "i8", "packed": "i8", "size": "i8", "crc": "u4", "method": "u2"}
MEMBER = np.dtype([(name, f"<{kind}") for name, kind in _FIELDS.items()])
TAIL = 2**16 + 200  # bytes at the end of a zip that hold its end records, whatever its comment
DIRECTORY_LIMIT = 500_000_000
GAP = 250_000  # bytes between two wanted members that are sooner fetched than asked around
LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, and the lengths of the name and of the extra field


def members_of(path: Path) -> np.ndarray:
    """The pictures of a zip on this machine, MEMBER (N,), in the order in which they lie in it.

    Raises:
        TransferError: it is no zip, is damaged, or has a member that is refused.
    """
    with open(path, "rb") as file:
        return _parse(file, path, "get images_gz2.zip anew, if it should be that; else name that")


def directory(url: str, folder: Path) -> tuple[Remote, np.ndarray]:
    """A zip on a server, and its pictures as `members_of` gives them.

    Its directory is fetched once, and kept in the folder under the zip's name.

    Raises:
        TransferError: as in `transfer.read`; or its directory is cut off or damaged, or a member is refused.
        files.NotWritten: the disk is too full.
    """
    record, table = folder / "directory.json", folder / "directory.npy"
    if record.is_file() and table.is_file():
        kept = Remote(**read_record(record, "url", "size", "tag"))
        try:
            members = np.load(table, allow_pickle=False)
        except Exception as error:  # NumPy's reading of a damaged header fails in many ways
            raise _damaged(table, first_line(error), f"delete {folder} and run again") from None
        # Another address has the same zip, under a tag of its own.
        return kept if kept.url == url else Remote(url, kept.size, None), members
    remote = look(url)
    first = _directory_start(remote)
    raw = folder / f"directory-{fingerprint(asdict(remote))}"
    if not raw.is_file():
        fetch_part(remote, raw, first)
    try:
        with _Tail(raw, first) as file:
            members = _parse(file, url, LATER)
    except TransferError:
        raw.unlink()
        raise
    write_array(table, members)
    write_json(record, asdict(remote))
    raw.unlink()
    return remote, members


def forget_directory(folder: Path) -> None:
    """Drops a kept directory, so that the next call fetches it anew."""
    (folder / "directory.json").unlink(missing_ok=True)


def fetch_members(remote: Remote, members: np.ndarray, folder: Path) -> Iterator[int]:
    """Writes pictures of a zip on a server as `<asset_id>.jpg` into a folder; yields the id of each one written.

    Those that lie together come with one request, and each is written as soon as it is there.

    Args:
        members: MEMBER (N,), in the order in which they lie in the zip.

    Raises:
        TransferError: as in `transfer.read`; or a picture arrived damaged, which is said after all others are written.
        transfer.Changed: the zip on the server is another one than that of the directory.
        files.NotWritten: the disk is full.
    """
    damaged = []
    for run in runs(members):
        for member, data in _packed(remote, run):
            picture = _unpacked(remote, member, data)
            if picture is None:
                damaged.append(int(member["asset_id"]))
                continue
            with whole_file(folder / f"{member['asset_id']}.jpg") as beside:
                beside.write_bytes(picture)
            yield int(member["asset_id"])
    if damaged:
        raise TransferError(
            remote.url,
            f"damaged by their CRC, as they arrived: {len(damaged)} of the pictures ({shortlist(damaged)}); all others "
            "are there",
            LATER,
        )


def runs(members: np.ndarray) -> list[np.ndarray]:
    """Members of a zip, MEMBER (N,) in its order, parted where so much lies between two that asking twice is better."""
    if not len(members):
        return []
    return np.split(members, np.flatnonzero(members["first"][1:] - members["end"][:-1] > GAP) + 1)


def _packed(remote: Remote, run: np.ndarray) -> Iterator[tuple[np.void, bytes]]:
    """Each member of a run, and its bytes in the zip from its local header on."""
    pieces = read(remote, int(run["first"][0]), int(run["end"][-1]) - 1)
    held, start = bytearray(), int(run["first"][0])
    for member in run:
        while start + len(held) < member["end"]:
            held += next(pieces)
        yield member, bytes(held[member["first"] - start : member["end"] - start])
        del held[: member["end"] - start]
        start = int(member["end"])


def _unpacked(remote: Remote, member: np.void, data: bytes) -> bytes | None:
    """A picture out of its bytes in the zip; None: it is damaged."""
    signature, name_length, extra_length = LOCAL_HEADER.unpack_from(data)
    # The extra field here may differ in length from the directory's.
    begin = LOCAL_HEADER.size + name_length + extra_length
    name = data[LOCAL_HEADER.size : LOCAL_HEADER.size + name_length].decode("utf-8", "replace")
    match = IMAGE_NAME.fullmatch(name.split("/")[-1])
    if signature != b"PK\3\4" or not match or int(match[1]) != member["asset_id"]:
        raise Changed(remote.url, f"picture {member['asset_id']} is not where the zip's directory says", LATER)
    picture = data[begin : begin + int(member["packed"])]
    if member["method"] == zipfile.ZIP_DEFLATED:
        try:
            picture = zlib.decompressobj(-zlib.MAX_WBITS).decompress(picture, int(member["size"]) + 1)
        except zlib.error:
            return None
    return picture if len(picture) == member["size"] and zlib.crc32(picture) == member["crc"] else None


def _directory_start(remote: Remote) -> int:
    """At which byte of a zip on a server its directory begins."""
    tail_start = max(0, remote.size - TAIL)
    tail = b"".join(read(remote, tail_start))
    end = tail.rfind(b"PK\5\6")
    if end < 0 or len(tail) - end < 22:
        raise TransferError(remote.url, "it is no zip, or one that is cut off (it has no end record)", LATER)
    (size,) = struct.unpack_from("<L", tail, end + 12)
    locator = tail.rfind(b"PK\6\7", max(0, end - 20), end)
    if locator >= 0:  # zip64: the numbers lie in another record, which the locator names
        (place,) = struct.unpack_from("<Q", tail, locator + 8)
        end = place - tail_start
        if not 0 <= end <= locator - 56 or tail[end : end + 4] != b"PK\6\6":
            raise _damaged(remote.url, "its zip64 end record is not where it should be", LATER)
        (size,) = struct.unpack_from("<Q", tail, end + 40)
    if not 0 < size <= min(tail_start + end, DIRECTORY_LIMIT):
        raise _damaged(remote.url, f"its end record gives it {size:,} bytes", LATER)
    return tail_start + end - size


def _parse(file: io.BufferedIOBase, place: Path | str, remedy: str) -> np.ndarray:
    """The pictures in the directory of a zip, MEMBER (N,); other names are left out, if they do no harm."""
    try:
        archive = zipfile.ZipFile(file)
    except (*DAMAGE, ValueError) as error:  # a name that is no UTF-8 is a ValueError
        raise _damaged(place, first_line(error), remedy) from None
    pictures = []
    for info in archive.infolist():
        match = IMAGE_NAME.fullmatch(info.filename.split("/")[-1])
        if problem := name_problem(info) or (match and content_problem(info, IMAGE_LIMIT)):
            raise TransferError(place, f"{problem}; not Galaxy Zoo's file", remedy)
        if match:
            content = (info.compress_size, info.file_size, info.CRC, info.compress_type)
            pictures.append((int(match[1]), info.header_offset, 0, *content))  # its end is known when all are
    members = np.sort(np.array(pictures, MEMBER), order="first")
    if not len(members):
        raise TransferError(place, "there is no picture named <number>.jpg in it", remedy)
    ids, counts = np.unique(members["asset_id"], return_counts=True)
    if counts.max() > 1:
        raise TransferError(place, f"picture {ids[counts.argmax()]} is in it twice", remedy)
    # A member ends at the latest where the next one or the directory begins, whether or not that is a picture.
    starts = np.sort(np.array([*(info.header_offset for info in archive.infolist()), archive.start_dir]))
    members["end"] = starts[np.searchsorted(starts, members["first"], side="right")]
    if members["first"][0] < 0 or (members["first"] + LOCAL_HEADER.size + members["packed"] > members["end"]).any():
        raise _damaged(place, "members overlap", remedy)
    return members


class _Tail(io.RawIOBase):
    """The end of a zip, from its directory on, as a file in which every byte has its place in the whole zip."""

    def __init__(self, path: Path, first: int) -> None:
        self._file, self._first = open(path, "rb"), first  # noqa: SIM115
        self._place = first

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            self._place = self._first + self._file.seek(offset, io.SEEK_END)
        else:
            self._place = offset + (self._place if whence == io.SEEK_CUR else 0)
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._place - self._first)
        data = self._file.read(size)
        self._place += len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


def _damaged(place: Path | str, problem: str, remedy: str) -> TransferError:
    return TransferError(place, f"its directory is damaged ({problem})", remedy)
