"""The challenge's JPEGs as the models see them (report, section 4.3 and A.4): one galaxy, or many on all cores.

An image of 424x424 pixels is cut to its centre and resampled with Pillow's bicubic filter: a `View` of it.
"""

import io
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from gzutils.data.challenge import Images
from gzutils.data.view import REPORT_VIEW, View
from gzutils.tools import workers
from gzutils.tools.progress import progress

RAW_SIZE = 424
BLOCK = 32  # rows of the largest blocks that a usual JPEG has
SPARE = 2  # rows below the crop whose colours may lend to its last ones
ROWS_LEFT = "extraneous bytes before marker 0xd9"  # libjpeg-turbo's words for the rows below, which are left out
HANDED_OVER = 32  # galaxies to a process at a time
WORTH_PROCESSES = 1000  # images; fewer are ready before other processes would have started


def preprocess(jpeg: bytes, view: View = REPORT_VIEW) -> np.ndarray:
    """One galaxy as the models see it: centre crop, Pillow bicubic to the view's side.

    Args:
        jpeg: the file's bytes.

    Returns:
        (side, side, 3) uint8 RGB.

    Raises:
        ValueError: the bytes are not a whole RGB JPEG of 424x424 pixels.
    """
    centre = _centre_of_usual(jpeg, view)
    if centre is None:
        try:
            with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
                # Size and mode come from the header: a decompression bomb is turned away before it is decoded.
                if image.size != (RAW_SIZE, RAW_SIZE) or image.mode != "RGB":
                    width, height = image.size
                    raise ValueError(f"{width}x{height} pixels, mode {image.mode}; expected 424x424 RGB")
                centre = crop(image, view)
        except UnidentifiedImageError:
            raise ValueError("not a JPEG file") from None
        except (ValueError, MemoryError):
            raise
        except Exception as error:  # a damaged file fails in ways of its own
            raise ValueError(f"damaged JPEG: {error}") from None
    return np.asarray(centre.resize((view.side, view.side), Image.Resampling.BICUBIC))


def _centre_of_usual(jpeg: bytes, view: View) -> Image.Image | None:
    """The crop of a JPEG of the usual kind, from the rows that it needs. None: for Pillow to read, or to refuse.

    simplejpeg and Pillow have the same decoder, libjpeg-turbo, and so the same pixels. Pillow takes half as long again.
    """
    first = (RAW_SIZE - view.crop) // 2
    last = first + view.crop
    rows = min(-(-(last + SPARE) // BLOCK) * BLOCK, RAW_SIZE)
    upper = _upper_rows(jpeg, rows)
    if upper is None:
        return None
    decoded = _memory.rows[:rows]
    try:
        if simplejpeg.decode_jpeg_header(upper)[:3] != (rows, RAW_SIZE, "YCbCr"):
            return None
        simplejpeg.decode_jpeg(upper, "RGB", buffer=decoded)
    except Exception as error:  # KeyError, too: what it cannot place may still be one for Pillow
        if not str(error).endswith(ROWS_LEFT):
            return None
    return Image.fromarray(decoded[first:last, first:last])


class _Memory(threading.local):
    """Each thread's memory for decoded rows: to get it anew for each JPEG would take as long as to decode one."""

    def __init__(self) -> None:
        self.rows = np.empty((RAW_SIZE, RAW_SIZE, 3), np.uint8)


_memory = _Memory()


def _upper_rows(jpeg: bytes, rows: int) -> bytes | None:
    """The same JPEG with a header that promises only its upper rows, so that no others are decoded.

    A sequential JPEG stores its blocks row by row (ITU T.81, A.2), and these rows hold whole blocks of every usual
    size: their pixels stay the same. None: not of that kind, or cut off, which only decoding all of it would show.
    """
    if not jpeg.endswith(b"\xff\xd9"):
        return None
    at = 2
    while jpeg[at : at + 1] == b"\xff" and at + 10 <= len(jpeg):
        kind, length, *shape = struct.unpack_from(">BHxHHB", jpeg, at + 1)
        if kind in (0xC0, 0xC1) and shape == [RAW_SIZE, RAW_SIZE, 3]:
            return jpeg[: at + 5] + rows.to_bytes(2, "big") + jpeg[at + 7 :]
        if kind == 0xDA:  # here the pixels begin
            break
        at += 2 + length
    return None


def crop(image: Image.Image, view: View = REPORT_VIEW) -> Image.Image:
    """The central pixels of an image of 424x424 that a view keeps, in any mode."""
    first = (RAW_SIZE - view.crop) // 2
    return image.crop((first, first, first + view.crop, first + view.crop))


@contextmanager
def decoders(images: Images, count: int) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """Yields what `preprocessed` works with: a `map` on all cores where there are many images, else in this process.

    The processes start, and read the table of contents, while the caller does what it has to do first.

    Args:
        images: where the JPEGs are. count: how many of them are wanted.

    Raises:
        RuntimeError: a process was killed.
    """
    processes = 1 if count < WORTH_PROCESSES else workers.cores()
    with workers.mapping(processes) as mapped:
        mapped(_read_contents, [images] * processes)
        yield mapped


def preprocessed(
    mapped: Callable[[Callable, Iterable], Iterator],
    images: Images,
    galaxy_ids: np.ndarray,
    todo: np.ndarray,
    chunk: int,
    description: str,
    view: View = REPORT_VIEW,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, str]]]:
    """Galaxies as the models see them, in chunks; shows the progress.

    The next chunk is in work while the caller has one, so two are in memory.

    Args:
        mapped: from `decoders`. images: where the JPEGs are.
        galaxy_ids: (N,) int, of images that are there.
        todo: rows of `galaxy_ids`, in order: those that an earlier, interrupted call has not done.
        chunk: how many galaxies.
        description: of the work, which begins the line of progress.
        view: what of each picture is kept, and at which size.

    Yields:
        For each chunk of n galaxies their rows, (n,) int; which of them can be used, (n,) bool; the pixels of these,
        (usable, side, side, 3) uint8; and why the others cannot, GalaxyID -> reason.
    """

    def begin(start: int) -> tuple[np.ndarray, Iterator[tuple[np.ndarray, dict[int, str]]]]:
        rows = todo[start : start + chunk]
        some = galaxy_ids[rows]
        parts = np.array_split(some, -(-len(some) // HANDED_OVER))
        return rows, mapped(partial(_preprocess_all, images, view), parts)

    def chunks() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, str]]]:
        begun = map(begin, range(0, len(todo), chunk))
        following = next(begun, None)
        while following:
            (rows, parts), following = following, next(begun, None)
            pixels, refused = zip(*parts, strict=True)
            reasons = {galaxy_id: why for part in refused for galaxy_id, why in part.items()}
            usable = ~np.isin(galaxy_ids[rows], list(reasons))
            yield rows, usable, np.concatenate(pixels), {str(galaxy_id): why for galaxy_id, why in reasons.items()}

    total = len(galaxy_ids)
    return progress(chunks(), description, total, "galaxies", total - len(todo), chunk)


def _read_contents(images: Images) -> None:
    """Lets a process read once what it will need for each image."""
    images.galaxy_ids()


def _preprocess_all(images: Images, view: View, galaxy_ids: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Pixels of some galaxies, (usable, side, side, 3) uint8, and why the others cannot be used, by GalaxyID."""
    pixels = np.empty((len(galaxy_ids), view.side, view.side, 3), np.uint8)
    reasons: dict[int, str] = {}
    for place, galaxy_id in enumerate(galaxy_ids.tolist()):
        try:
            pixels[place - len(reasons)] = preprocess(images.read(galaxy_id), view)
        except ValueError as error:
            reasons[galaxy_id] = f"{images.file_name(galaxy_id)}: {error}"
    return pixels[: len(galaxy_ids) - len(reasons)], reasons
