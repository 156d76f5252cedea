"""Galaxies by name or coordinates: cutouts of the sky like the challenge's pictures, kept in a folder.

They come from the Sloan Digital Sky Survey (SkyServer's ImgCutout; CC BY) and outside of it from the Legacy Surveys
(their viewer; CC BY 4.0). What was done, and whom to credit, stands in each picture's JPEG comment.
"""

import csv
import http.client
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import Image

from gzutils.data import own_images
from gzutils.data.jpegs import RAW_SIZE
from gzutils.data.open_data import transfer
from gzutils.data.open_data.addresses import ADDRESSES, address
from gzutils.data.open_data.polite import TransferError
from gzutils.data.own_images import OwnImage
from gzutils.data.view import REPORT_VIEW, View
from gzutils.tools.files import NotWritten, whole_file

RADII_A_PIXEL = 0.02  # a pixel of the challenge's pictures is so many times the galaxy's petroR90_r
CAMERA_SCALE = 0.396127  # arcsec a pixel of the Sloan survey's camera
SCALES = (0.015, 60.0)  # arcsec a pixel that SkyServer draws; a side may have 64 to 2,048 pixels
NEAR = 0.2  # arcmin within which the Sloan survey's galaxy has to lie
LEGACY_LAYER = "ls-dr9"

# Of galaxies (type 3) among the primary objects; the distance is in arcmin.
NEAREST_GALAXY = (
    "SELECT TOP 1 g.objID, g.ra, g.dec, g.petroR90_r, n.distance "
    "FROM dbo.fGetNearbyObjEq({ra:.6f}, {dec:.6f}, {near}) AS n JOIN Galaxy AS g ON g.objID = n.objID "
    "ORDER BY n.distance"
)

Place = str | Sequence[float]


def galaxies_at(
    places: Place | Sequence[Place],
    folder: Path | str = "cutouts",
    scale: float | None = None,
    cut: str | None = None,
    view: View = REPORT_VIEW,
) -> tuple[list[OwnImage], dict[str, str]]:
    """Several galaxies, or one; see `galaxy_at`.

    Returns:
        The pictures, and of the galaxies that could not be had the reason, by name.
    """
    images, refused = [], {}
    for place in [places] if is_place(places) else places:
        try:
            images.append(galaxy_at(place, folder, scale, cut, view))
        except (ValueError, NotWritten) as error:
            refused[place if isinstance(place, str) else str(place)] = str(error)
    return images, refused


def is_place(value: object) -> bool:
    """Whether this is one galaxy's name or coordinates, and not several galaxies."""
    return isinstance(value, str) or (
        isinstance(value, Sequence) and bool(value) and not any(isinstance(part, str | Sequence) for part in value)
    )


def galaxy_at(
    place: Place,
    folder: Path | str = "cutouts",
    scale: float | None = None,
    cut: str | None = None,
    view: View = REPORT_VIEW,
) -> OwnImage:
    """The picture of a galaxy, 424x424 pixels as the challenge's, fetched where it is not in the folder yet.

    Args:
        place: a name ("NGC 1300"), which CDS Sesame looks up, or right ascension and declination (J2000) in degrees,
            as two numbers or in a text.
        folder: where the picture is kept, under the galaxy's name.
        scale: arcsec a pixel. None: 0.02 times the radius within which the Sloan survey's galaxy there has 90 % of its
            light, as in the challenge, and the picture centred on that galaxy; where there is none, the scale of the
            Sloan survey's camera.
        cut, view: as `own_images.read_all` takes them.

    Raises:
        ValueError: no such galaxy, no network, no picture there, or a name, scale or place that makes no sense.
        NotWritten: no room or no right to write in the folder.
    """
    name, position = _name_and_position(place)
    if scale is not None and not SCALES[0] <= scale <= SCALES[1]:
        raise ValueError(f"the scale {scale} is not between {SCALES[0]:g} and {SCALES[1]:g} arcsec a pixel")
    path = Path(folder) / f"{_file_name(name)}{'' if scale is None else f' at {scale:g}'}.jpg"
    if not path.is_file():
        jpeg, words = _cutout(*(position or _look_up(name)), scale)
        with whole_file(path) as beside:
            beside.write_bytes(_with_comment(jpeg, words))
    try:
        image = own_images.read(path, cut, view)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; delete it and run again") from None
    return replace(image, name=name, done=f"{_comment(path.read_bytes())}; {image.done}")


def _name_and_position(place: Place) -> tuple[str, tuple[float, float] | None]:
    """A galaxy's name, and its right ascension and declination in degrees where these are given in its place."""
    if isinstance(place, str):
        name = " ".join(place.split())
        if not (1 <= len(name) <= 60 and name.isascii() and name.isprintable()):
            raise ValueError(f"{place!r} is no name of a galaxy: 1 to 60 letters, digits and signs, such as NGC 1300")
        try:
            place = [float(number) for number in name.replace(",", " ").split()]
        except ValueError:
            return name, None
    try:
        ra, dec = map(float, place)
    except (ValueError, TypeError):
        raise ValueError(f"{place!r} is neither a name nor right ascension and declination in degrees") from None
    if not (0 <= ra <= 360 and -90 <= dec <= 90):
        raise ValueError(f"({ra:g}, {dec:g}) is no place in the sky: degrees from 0 to 360, and from -90 to 90")
    return f"{ra:.5f} {dec:+.5f}", (ra, dec)


def _file_name(name: str) -> str:
    """The name as a file's, another one for each; none leads out of the folder or is hidden."""
    quoted = quote(name, safe=" +")
    return f"%2E{quoted[1:]}" if quoted[0] == "." else quoted


def _look_up(name: str) -> tuple[float, float]:
    """Right ascension and declination in degrees, as CDS Sesame knows them."""
    try:
        from astropy.coordinates import SkyCoord
        from astropy.coordinates.name_resolve import NameResolveError, sesame_url
    except ImportError:
        raise ValueError(
            "names are looked up with astropy, which is not there: pip install astropy, then run again, or give right "
            "ascension and declination in degrees"
        ) from None
    url = address("sesame").url
    servers = sesame_url.get() if url == ADDRESSES["sesame"].url else [url]  # astropy knows a mirror of the default
    try:
        with sesame_url.set(servers):
            found = SkyCoord.from_name(name, cache=False)  # the cache would keep wrong answers for good
    except (NameResolveError, OSError, http.client.HTTPException) as error:
        instead = "or give right ascension and declination in degrees"
        if "Unable to find coordinates" in str(error):
            raise ValueError(f"{servers[0]} knows no place of {name!r}; check the spelling, {instead}") from None
        raise ValueError(f"{servers[0]} does not answer; check the network and run again, {instead}") from None
    return found.ra.deg, found.dec.deg


def _cutout(ra: float, dec: float, scale: float | None) -> tuple[bytes, str]:
    """A cutout as JPEG, and in words how it was made."""
    if scale is None:
        ra, dec, scale, how = _as_in_the_challenge(ra, dec)
    else:
        how = f"{scale:g}″ a pixel as asked"
    where = {"ra": f"{ra:.6f}", "dec": f"{dec:.6f}"}
    size = str(RAW_SIZE)
    jpeg = _picture("sdss cutout", where | {"scale": f"{scale:.6f}", "width": size, "height": size})
    if jpeg is not None:
        return jpeg, f"from SDSS, {how} (credit: Sloan Digital Sky Survey, CC BY)"
    jpeg = _picture("legacy survey cutout", where | {"layer": LEGACY_LAYER, "pixscale": f"{scale:.6f}", "size": size})
    if jpeg is not None:
        return jpeg, (
            f"SDSS has no picture there, so from the Legacy Surveys, whose colours (g, r, z) are others than those the "
            f"challenge's networks learned from (g, r, i), and which see fainter light; {how} "
            f"(credit: Legacy Surveys / D. Lang (Perimeter Institute), CC BY 4.0)"
        )
    raise ValueError(f"neither SDSS nor the Legacy Surveys have a picture at ({ra:.5f}, {dec:+.5f})")


def _as_in_the_challenge(ra: float, dec: float) -> tuple[float, float, float, str]:
    """The place of the Sloan survey's galaxy, arcsec a pixel, and both in words; else the place itself."""
    answer = transfer.get("sdss search", {"cmd": NEAREST_GALAXY.format(ra=ra, dec=dec, near=NEAR), "format": "csv"})
    lines = [line for line in answer.decode(errors="replace").splitlines() if line and not line.startswith("#")]
    if lines and lines[0].startswith("No objects"):
        lines = []
    try:
        table = csv.DictReader(lines)
        galaxy = next(table, None)
        if lines and "petroR90_r" not in table.fieldnames:
            raise KeyError
        radius = float(galaxy["petroR90_r"]) if galaxy else 0.0
        if SCALES[0] <= radius * RADII_A_PIXEL <= SCALES[1]:  # -9999 where it could not be measured
            scale = radius * RADII_A_PIXEL
            words = (
                f"centred on its galaxy {galaxy['objID']}, {60 * float(galaxy['distance']):.1f}″ away, whose petroR90 "
                f"is {radius:.1f}″: {scale:.3f}″ a pixel as in the challenge"
            )
            return float(galaxy["ra"]), float(galaxy["dec"]), scale, words
    except (KeyError, TypeError, ValueError):
        raise ValueError(_wrong_answer("sdss search", "table", answer)) from None
    none = f"SDSS has no galaxy of known radius within {60 * NEAR:.0f}″"
    return ra, dec, CAMERA_SCALE, f"{none}, so {CAMERA_SCALE:.3f}″ a pixel, its camera's; SCALE sets another"


def _picture(name: str, query: dict[str, str]) -> bytes | None:
    """A cutout as JPEG, or None where the survey has nothing of that part of the sky.

    SkyServer says so with the status 404, or (older releases) with that sentence on black; the Legacy Surveys' viewer
    with an even picture. Of the challenge's own pictures less than a quarter is quite black (320 seen).
    """
    try:
        jpeg = transfer.get(name, query)
    except TransferError as error:
        if error.status == 404:
            return None
        raise
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except Exception:  # no picture, or a damaged one, which fails in many ways
        raise ValueError(_wrong_answer(name, "picture", jpeg)) from None
    if np.ptp(pixels) < 16 or (pixels == 0).all(axis=-1).mean() > 0.5:
        return None
    if pixels.shape != (RAW_SIZE, RAW_SIZE, 3):
        raise ValueError(f"{address(name).url} sent a picture of another size than asked for; run again later")
    return jpeg


def _wrong_answer(name: str, wanted: str, answer: bytes) -> str:
    begins = " ".join(answer[:60].decode("ascii", errors="replace").split())
    return f"{address(name).url} answered with no {wanted}, but with {begins!r}; look at it in a browser, or run later"


def _with_comment(jpeg: bytes, words: str) -> bytes:
    """A JPEG file with a comment, before any other that it has; not a pixel changes."""
    text = words.encode()
    place = _end_of_head(jpeg)
    return jpeg[:place] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[place:]


def _comment(jpeg: bytes) -> str:
    """The comment that `_with_comment` gave to a JPEG file."""
    place = _end_of_head(jpeg)
    if jpeg[place : place + 2] != b"\xff\xfe":
        return "found in the folder"
    length = int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return jpeg[place + 4 : place + 2 + length].decode(errors="replace")


def _end_of_head(jpeg: bytes) -> int:
    """Where the segment JFIF of a JPEG file ends, or the mark that begins the file."""
    return 4 + int.from_bytes(jpeg[4:6], "big") if jpeg[2:4] == b"\xff\xe0" else 2
