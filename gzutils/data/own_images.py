"""A person's own pictures of galaxies, in any size and format, as the models see them; and their shares as tables."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from gzutils.data.jpegs import RAW_SIZE
from gzutils.data.solutions import label_table
from gzutils.data.view import REPORT_VIEW, View
from gzutils.decision_tree import COLUMNS
from gzutils.tools import files

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM", "JPEG2000", "FITS")
CUTS = ("challenge", "whole")


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
            # Pillow warns from 89 million pixels on, and from twice as many it refuses.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as file:
                frames = getattr(file, "n_frames", 1)
                picture, done = _to_rgb(ImageOps.exif_transpose(file))
    except UnidentifiedImageError:
        raise ValueError(f"no picture of a known format ({', '.join(FORMATS)})") from None
    except Image.DecompressionBombError:
        raise ValueError(f"more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels; cut the galaxy out first") from None
    except Exception as error:  # a damaged file fails in each format's own way
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ValueError(f"cannot be read ({reason})") from None
    return picture, done + (["its first frame"] if frames > 1 else [])


def _to_rgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        # More than 256 levels: nothing says which of them are black and white.
        values = np.asarray(picture, np.float64)
        known = np.isfinite(values)
        if not known.any():
            raise ValueError("there is not one number in it")
        low, high = values[known].min(), values[known].max()
        values = np.where(known, values, low)
        levels = np.round((values - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
        return Image.fromarray(levels).convert("RGB"), ["grey, stretched from its darkest to its brightest value"]
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
