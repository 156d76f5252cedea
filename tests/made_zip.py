"""A zip like Galaxy Zoo 2's of 3.4 GB that is no file: whatever part of it is asked for is made on the spot."""

import struct
import zlib

import numpy as np

RESIDUE = b"Mac OS X        " * 10  # in `__MACOSX/images/._<asset_id>.jpg`
LOCAL = struct.Struct("<4s5H3L2H")
ENTRY = struct.Struct("<4s6H3L5H2L")
MAC_EXTRA = b"UX\x08\x00" + bytes(8)  # in local headers alone, as in the directory there is another


class MadeZip:
    """Has `size`, `tag` and `read`, as `open_data_server.Content`.

    Args:
        pictures: how many. mean: of their sizes in bytes, which scatter by a quarter.
    """

    tag = "made"

    def __init__(self, pictures: int, mean: int = 14_000, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        self.asset_ids = draw.permutation(np.arange(1, pictures + 1))
        self._sizes = np.clip(draw.normal(mean, mean / 4, pictures), 100, None).astype(np.int64)
        digits = np.char.str_len(self.asset_ids.astype(str))
        # Two local headers, their names, and the residue of each picture.
        picture = LOCAL.size + len("images/.jpg") + digits + len(MAC_EXTRA) + self._sizes
        residue = LOCAL.size + len("__MACOSX/images/._.jpg") + digits + len(RESIDUE)
        self._starts = np.concatenate([[0], np.cumsum(picture + residue)])
        self._residues = self._starts[:-1] + picture
        self._first = int(self._starts[-1])
        self._directory = self._make_directory()
        self.directory_bytes = len(self._directory)
        self.size = self._first + len(self._directory)

    def picture(self, number: int) -> bytes:
        """The bytes of the picture at a place in the zip's order: one byte, over and over."""
        return bytes([self.asset_ids[number] % 251]) * int(self._sizes[number])

    def read(self, first: int, length: int) -> bytes:
        """So many bytes of the zip from any place."""
        stop = min(first + length, self.size)
        parts, place = [], first
        while place < min(stop, self._first):
            number = int(np.searchsorted(self._starts, place, side="right")) - 1
            both = self._pair(number)[place - int(self._starts[number]) :]
            parts.append(both[: stop - place])
            place += len(parts[-1])
        if stop > self._first:
            parts.append(self._directory[place - self._first : stop - self._first])
        return b"".join(parts)

    def _pair(self, number: int) -> bytes:
        """A picture and its residue, each with its local header."""
        asset_id, data = self.asset_ids[number], self.picture(number)
        return b"".join(
            LOCAL.pack(
                b"PK\3\4", 20, 0, 0, 0, 0, zlib.crc32(content), len(content), len(content), len(name), len(extra)
            )
            + name
            + extra
            + content
            for name, content, extra in (
                (f"images/{asset_id}.jpg".encode(), data, MAC_EXTRA),
                (f"__MACOSX/images/._{asset_id}.jpg".encode(), RESIDUE, b""),
            )
        )

    def _make_directory(self) -> bytes:
        entries, of_residue = [], zlib.crc32(RESIDUE)
        for number, asset_id in enumerate(self.asset_ids):
            size = int(self._sizes[number])
            for name, crc, length, start in (
                (f"images/{asset_id}.jpg", zlib.crc32(self.picture(number)), size, self._starts[number]),
                (f"__MACOSX/images/._{asset_id}.jpg", of_residue, len(RESIDUE), self._residues[number]),
            ):
                fields = (20, 20, 0, 0, 0, 0, crc, length, length, len(name), 0, 0, 0, 0, 0, int(start))
                entries.append(ENTRY.pack(b"PK\1\2", *fields) + name.encode())
        directory = b"".join(entries)
        # A Mac counts modulo 65,536, and writes no zip64.
        count = len(entries) % 2**16
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), self._first, 0)
        return directory + end
