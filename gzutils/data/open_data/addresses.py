"""Where the open data lie on the network: addresses as settings, so that a mirror can take their place."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

SETTING = "GZUTILS_ADDRESSES"  # an environment variable: the JSON file with other addresses

_PICTURES = "https://zenodo.org/records/3565489/files/{}?download=1"
_WILLETT = "https://zooniverse-data.s3.amazonaws.com/galaxy-zoo-2/zoo2MainSpecz.csv.gz"
_SKYSERVER = "https://skyserver.sdss.org/dr19/SkyServerWS"
_HART = "https://gz2hart.s3.amazonaws.com/gz2_hart16.csv.gz"


@dataclass(frozen=True)
class Address:
    """Where a file or a service is, and the MD5 sum of the file as hexadecimal digits; None: it is not known."""

    url: str
    md5: str | None = None


# Galaxy Zoo 2: the pictures and their table of names (Zenodo record 3565489); the votes of Willett et al. (2013) and
# of Hart et al. (2016). Then the services that know where galaxies are in the sky, and cut them out.
ADDRESSES = {
    "images_gz2.zip": Address(_PICTURES.format("images_gz2.zip"), "bc647032d31e50c798770cf4430525c7"),
    "gz2_filename_mapping.csv": Address(
        _PICTURES.format("gz2_filename_mapping.csv"), "7e28465e6dfbf96c0d828c595a5bbd80"
    ),
    "zoo2MainSpecz.csv.gz": Address(_WILLETT),
    "gz2_hart16.csv.gz": Address(_HART),
    "sdss cutout": Address(f"{_SKYSERVER}/ImgCutout/getjpeg"),
    "sdss search": Address(f"{_SKYSERVER}/SearchTools/SqlSearch"),
    "legacy survey cutout": Address("https://www.legacysurvey.org/viewer/jpeg-cutout"),
    "sesame": Address("https://cds.unistra.fr/cgi-bin/nph-sesame/"),
}


def address(name: str) -> Address:
    """Where one of the open data is: what the file that GZUTILS_ADDRESSES names says of it, else the default.

    That file holds, by the names in `ADDRESSES`, `{"url": "https://…", "md5": "…"}`. Without "md5" the default's
    stays, since a mirror has the same file; null there means that none is known.

    Raises:
        ValueError: the file is missing or damaged, or names what nobody asks for; the message says where.
    """
    settings = os.environ.get(SETTING)
    entry = _read(Path(settings)).get(name) if settings else None
    default = ADDRESSES[name]
    return Address(entry["url"], entry.get("md5", default.md5)) if entry else default


def _read(path: Path) -> dict[str, dict[str, str | None]]:
    """The file of settings, checked as a whole, so that a slip in it shows at the first address asked for."""
    if not path.is_file():
        raise ValueError(f"{path}, which {SETTING} names, is not there; correct {SETTING}, or unset it")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _wrong(path, f"it is no JSON file ({error})") from None
    if not isinstance(settings, dict):
        raise _wrong(path, "it holds no addresses by name")
    for name, entry in settings.items():
        if name not in ADDRESSES:
            raise _wrong(path, f"nobody asks for {name!r}; there are {', '.join(ADDRESSES)}")
        url, md5 = (entry.get("url"), entry.get("md5")) if isinstance(entry, dict) else (None, None)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise _wrong(path, f'{name!r} has no "url" that begins with https:// or http://')
        if md5 is not None and not (isinstance(md5, str) and len(md5) == 32 and set(md5) <= set("0123456789abcdef")):
            raise _wrong(path, f'the "md5" of {name!r} is not 32 of the digits 0 to 9 and a to f')
    return settings


def _wrong(path: Path, problem: str) -> ValueError:
    return ValueError(f"{path}: {problem}; correct it, or unset {SETTING}")
