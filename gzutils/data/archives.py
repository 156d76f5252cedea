"""Zips and tables from elsewhere: opened and looked through without trust, and refused in words."""

import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path

COMPETITION = "galaxy-zoo-the-galaxy-challenge"
PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}"
AGAIN = f"delete the file and download it again from {PAGE}/data"
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError)


class ChallengeError(ValueError):
    """Something is wrong with the challenge's files; the message says in which, what, and what to do now."""


def open_zip(path: Path) -> zipfile.ZipFile:
    """Opens a zip; what is none is refused in words that say what it looks like."""
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise refusal(path, f"cannot be read ({error.strerror})", "see that it exists and may be read") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        with open(path, "rb") as file:
            start = file.read(1000).lstrip()
        if start.startswith(b"<"):
            problem = "no zip, but it looks like a web page, as Kaggle sends it to those who are not logged in"
        elif start.startswith(b"PK"):
            problem = f"a zip that is cut off or damaged ({error})"
        else:
            problem = "no zip" if start else "the file is empty"
        raise refusal(path, problem, f"{AGAIN} while logged in") from None


def name_problem(member: zipfile.ZipInfo) -> str | None:
    """What is wrong with where a member of a zip would lie: outside of its folder, or it is a link; None: nothing."""
    parts = re.split(r"[/\\]", member.filename)
    if parts[0] == "" or ".." in parts or ":" in parts[0]:
        return f"the name {member.filename!r} in it leads out of its folder"
    return f"{member.filename!r} in it is a link" if stat.S_ISLNK(member.external_attr >> 16) else None


def content_problem(member: zipfile.ZipInfo, limit: int) -> str | None:
    """What keeps a member of a zip from being unpacked: a password, a foreign method, its size; None: nothing."""
    if member.flag_bits & 1:
        return f"{member.filename!r} in it is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{member.filename!r} in it is compressed by a method other than deflate"
    if member.file_size > limit:
        return f"{member.filename!r} in it has {member.file_size:,} bytes, more than {limit:,}"
    return None


def check_name(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuses a member of a zip whose name leads out of its folder, and a link."""
    if problem := name_problem(member):
        raise refusal(path, f"{problem}; not Kaggle's file")


def check_content(path: Path, member: zipfile.ZipInfo, limit: int) -> None:
    """Refuses a member of a zip that is encrypted, packed in a foreign way, or larger than `limit` bytes."""
    if problem := content_problem(member, limit):
        raise refusal(path, f"{problem}; not Kaggle's file")


def refusal(path: Path | str, problem: object, remedy: str = AGAIN) -> ChallengeError:
    """The error of a file that is refused: what is wrong with it, and what to do now."""
    return ChallengeError(f"{path}: {problem}; {remedy}")


def shortlist(items: list) -> str:
    """The first five items, and how many more there are."""
    return ", ".join(map(str, items[:5])) + (f" and {len(items) - 5} more" if len(items) > 5 else "")
