"""A person's own pictures of galaxies, in any size and format, as the models see them; and their shares as tables."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from gzutils.data import stretch
from gzutils.data.jpegs import RAW_SIZE
from gzutils.data.solutions import label_table
from gzutils.data.view import REPORT_VIEW, View
from gzutils.decision_tree import COLUMNS
from gzutils.tools import files

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000")
CUTS = ("challenge", "whole")
MOST_PIXELS = 50_000_000  # with 16 bits they take 1.5 GB on their way, which a laptop has; Pillow allows 179 million


@dataclass(frozen=True)
class OwnImage:
    """One picture. name: the file's. path: where it lies. seen: (side, side, 3) uint8, what the model sees.

    box: left, upper, right, lower pixel of the part that was kept. done: what was done with it, in words.
    """

    name: str
    path: Path
    seen: np.ndarray
    box: tuple[int, int, int, int]
    done: str


def read_all(
    place: Path | str, cut: str | None = None, view: View = REPORT_VIEW
) -> tuple[list[OwnImage], dict[str, str]]:
    """Reads one picture, or all those in a folder (not in folders within it), in the order of their names.

    Args:
        place: the file or folder.
        cut: "challenge": a frame like the challenge's, of which the view keeps the middle (the report's 210 of 424);
            "whole": the galaxy fills the picture already, all of it is kept. None: a picture of 424x424 pixels is
            taken for a frame, every other one for a galaxy that fills it. Of one that is not square, only the central
            square counts.
        view: what a network sees of a frame like the challenge's.

    Returns:
        The pictures, and of the files that cannot be used the reason, by name.

    Raises:
        ValueError: there is no such file or folder, it holds no files, or `cut` is none of these.
    """
    place = Path(place).expanduser()
    if cut is not None and cut not in CUTS:
        raise ValueError(f'a picture is cut like "challenge" or "whole", or None: by its size; not {cut!r}')
    if not place.exists():
        raise ValueError(f"there is no file or folder {place}")
    paths = [place]
    if place.is_dir():
        paths = sorted(path for path in place.iterdir() if not path.is_dir() and not path.name.startswith("."))
    if not paths:
        raise ValueError(f"there are no files in {place}")
    images, refused = [], {}
    for path in paths:
        try:
            images.append(read(path, cut, view))
        except ValueError as error:
            refused[path.name] = str(error)
    return images, refused


def read(path: Path, cut: str | None = None, view: View = REPORT_VIEW) -> OwnImage:
    """One picture as the models see it; see `read_all`.

    Raises:
        ValueError: the file is no picture of a format that is read here, damaged, or far too large.
    """
    picture, done = open_picture(path)
    side = min(picture.size)
    if cut == "challenge" or (cut is None and picture.size == (RAW_SIZE, RAW_SIZE)):
        done.append(f"the middle {view.crop} of {RAW_SIZE} kept, as in the report")
        side = max(1, round(side * view.crop / RAW_SIZE))
    elif picture.width == picture.height:
        done.append("kept whole")
    else:
        done.append("the central square kept")
    left, upper = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, upper, left + side, upper + side)
    if side < view.side:
        done.append(f"enlarged from {side}x{side} pixels")
    seen = np.asarray(picture.crop(box).resize((view.side, view.side), Image.Resampling.BICUBIC))
    return OwnImage(path.name, path, seen, box, ", ".join([f"{picture.width}x{picture.height}", *done]))


def open_picture(path: Path) -> tuple[Image.Image, list[str]]:
    """A picture upright and in RGB, with its whole size, and what was done to make it so, in words.

    Raises:
        ValueError: see `read`.
    """
    if not path.is_file():
        raise ValueError("a link that leads nowhere, or no file")
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels on, and from twice as many it refuses; here fewer are too many.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with open(path, "rb") as file:
                is_fits = file.read(6) == b"SIMPLE"
            if is_fits:
                return _from_fits(path)
            with Image.open(path, formats=FORMATS) as file:
                if file.width * file.height > MOST_PIXELS:  # as its header says; nothing is decoded yet
                    raise Image.DecompressionBombError
                frames = getattr(file, "n_frames", 1)
                deep = ";16" in str(file.tile) and file.mode[0] in "RL"
                picture, done = _to_rgb(ImageOps.exif_transpose(file))
                if deep:  # 16 bits a colour, of which Pillow gives the upper 8: data of 12 bits would be nearly black
                    picture = Image.fromarray(stretch.linear(np.asarray(picture, np.float64)))
                    done.append(f"upper 8 of 16 bits, {stretch.LINEAR}")
    except UnidentifiedImageError:
        raise ValueError(f"no picture of a known format ({', '.join((*FORMATS, 'FITS'))})") from None
    except Image.DecompressionBombError:
        raise ValueError(f"more than {MOST_PIXELS:,} pixels; cut the galaxy out first") from None
    except Exception as error:  # a damaged file fails in each format's own way
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ValueError(f"cannot be read ({reason})") from None
    return picture, done + (["its first frame"] if frames > 1 else [])


def _from_fits(path: Path) -> tuple[Image.Image, list[str]]:
    """The first picture of a FITS file, north where astronomers' programs show it: its first row is the lowest.

    Three planes are one picture in colour, the bluest first, as the Legacy Surveys' cutouts of the bands g, r, z.
    """
    try:
        from astropy.io import fits
    except ImportError:
        raise ValueError("FITS is read by astropy, which is not there: pip install astropy, then run again") from None
    warnings.simplefilter("ignore")  # of headers that keep to the letter of the standard in all but small things
    with fits.open(path, memmap=False) as file:
        found = [part for part in file if part.is_image and part.shape]
        if not found:
            raise ValueError("there is no picture in it")
        shape = [length for length in found[0].shape if length != 1]
        in_colour = len(shape) == 3 and shape[0] == 3
        if len(shape) > 2 and not in_colour:
            raise ValueError(
                f"a cube of {' x '.join(map(str, shape))}; save the plane that you mean, or three for blue, green and "
                "red, as a file of its own"
            )
        if math.prod(shape) > MOST_PIXELS:
            raise Image.DecompressionBombError
        values = np.asarray(found[0].data, np.float64)
    planes = values.reshape(shape)[::-1, ::-1] if in_colour else np.atleast_2d(values.reshape(shape))[::-1]
    picture = Image.fromarray(stretch.asinh(planes)).convert("RGB")
    colours = "three planes as blue, green and red" if in_colour else "grey"
    return picture, [f"{colours}, {stretch.ASINH}"] + (["its first picture"] if len(found) > 1 else [])


def _to_rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        # More than 256 levels: nothing says which of them are black and white.
        levels = stretch.linear(np.asarray(picture, np.float64))
        return Image.fromarray(levels).convert("RGB"), [f"grey, {stretch.LINEAR}"]
    if picture.has_transparency_data:
        sky = Image.new("RGBA", picture.size, "black")
        return Image.alpha_composite(sky, picture.convert("RGBA")).convert("RGB"), ["transparent parts made black"]
    return picture.convert("RGB"), ["grey"] if picture.mode in ("1", "L") else []


def upload(folder: Path) -> Path:
    """On Colab: lets the user choose files of their own computer, and returns the folder that then holds them.

    Raises:
        RuntimeError: this is not Colab.
        ValueError: nothing was chosen.
    """
    try:
        from google.colab import files as colab
    except ImportError:
        raise RuntimeError("files can be uploaded on Colab only; elsewhere name a file or folder in IMAGES") from None
    chosen = colab.upload()
    if not chosen:
        raise ValueError("no file was chosen; run the cell again, or set UPLOAD = False")
    for name, content in chosen.items():
        with files.whole_file(folder / Path(name).name) as beside:
            beside.write_bytes(content)
    return folder


def write_tables(folder: Path, names: Sequence[str], shares: np.ndarray) -> list[Path]:
    """Writes pictures' shares as `shares.csv`, a row a picture, and in words as `answers.csv`, a row an answer.

    Args:
        names: (N,). shares: (N, 37).
    """
    wide = pd.DataFrame(shares, columns=COLUMNS, index=pd.Index(names, name="name"))
    tables = [label_table(row).drop(columns="share at this question") for row in shares]
    long = pd.concat(tables, keys=names, names=["name"]).reset_index("name")
    paths = [folder / "shares.csv", folder / "answers.csv"]
    files.write_text(paths[0], wide.to_csv(float_format="%.4f"))
    files.write_text(paths[1], long.to_csv(float_format="%.4f", index=False))
    return paths
