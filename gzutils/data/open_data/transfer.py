"""Fetches files over HTTP, whole or a part of them, and goes on after any cut where it was.

Neither pooch (1.9: no resume, no waiting as a server asks) nor remotezip (one request a member) does that.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from gzutils.data.open_data import polite
from gzutils.data.open_data.addresses import ADDRESSES, address
from gzutils.data.open_data.polite import LATER, TRIES, TransferError, ask, host_of
from gzutils.tools.files import check_room, explained, locked
from gzutils.tools.progress import progress_in_bytes
from gzutils.tools.records import read_json, write_json

PIECE = 2**16  # bytes


class Changed(TransferError):
    """A file on a server is no longer what it was when it was looked at."""


@dataclass(frozen=True)
class Remote:
    """A file on a server: its size in bytes, and what changes when it does (ETag or date; None: it says neither)."""

    url: str
    size: int
    tag: str | None


def get(name_or_url: str, params: dict[str, str] | None = None) -> bytes:
    """The body of a small answer.

    Args:
        name_or_url: a name in `addresses.ADDRESSES`, or an address. params: of the query.

    Raises:
        TransferError: there is no network, or no such thing, or the server refuses or fails.
    """
    url = address(name_or_url).url if name_or_url in ADDRESSES else name_or_url
    for failures in range(TRIES):
        if failures:
            polite.PACE.pause(2 ** (failures - 1), f"{host_of(url)} broke off")
        with ask(url, params=params) as answer, contextlib.suppress(requests.RequestException):
            return answer.content
    raise _broke_off(url)


def look(url: str) -> Remote:
    """What a server says of a file, without fetching it.

    Raises:
        TransferError: as in `get`; or it sends a web page in place of a file, or does not say how large it is.
    """
    with ask(url, headers=_range(0, 0)) as answer:
        return _described(url, answer)


def read(remote: Remote, first: int = 0, last: int | None = None, done: int = 0) -> Iterator[bytes]:
    """The bytes of a remote file from `first` to `last`, both included, in pieces of some kB.

    After a cut it goes on where it was. A server that ignores which part is asked for is borne with where the file is
    read whole (what it sends once more is dropped), and refused where a part is wanted.

    Args:
        done: so many of these bytes are there already and are left out.

    Raises:
        TransferError: as in `look`; or the file has changed since `remote` was looked at, or another part came.
    """
    last = remote.size - 1 if last is None else last
    whole = first == 0 and last == remote.size - 1
    place, failures = first + done, 0
    while place <= last:
        before = place
        with _part(remote, place, last) as answer:
            _check_same(remote, _described(remote.url, answer))
            known = place - _first_byte(answer)
            if known and not (whole and answer.status_code == 200):
                raise TransferError(
                    remote.url, "the server ignores which part of the file is asked for", "use another address"
                )
            answer.raw.headers.discard("Content-Encoding")  # a table.csv.gz stays one
            with contextlib.suppress(requests.RequestException):  # a cut: asked again below
                for piece in answer.iter_content(PIECE):
                    new, known = piece[known : known + last + 1 - place], max(0, known - len(piece))
                    if place == 0 and new.lstrip()[:1] == b"<":
                        raise _web_page(remote.url)
                    place += len(new)
                    yield new
        if place <= last:
            failures = 0 if place - before >= PIECE else failures + 1
            if failures == TRIES:
                raise _broke_off(remote.url)
            polite.PACE.pause(2**failures, f"{host_of(remote.url)} broke off")


def fetch_file(name: str, folder: Path | str) -> Path:
    """A whole file of the open data, in a folder under its own name; one that is there is not asked for again.

    Interrupted and called again, it goes on where it was. Two processes fetch it once.

    Args:
        name: in `addresses.ADDRESSES`.

    Raises:
        TransferError: as in `read`; or its MD5 sum is wrong. files.NotWritten: the disk is too full.
    """
    path = Path(folder) / name
    if not path.is_file():
        with locked(path, wait=True):
            if not path.is_file():  # another process may have fetched it meanwhile
                known = address(name)
                fetch_part(look(known.url), path, md5=known.md5)
    return path


def fetch_part(remote: Remote, path: Path, first: int = 0, md5: str | None = None) -> None:
    """Writes a remote file, from its byte `first` to its end, to `path`, which appears when it is whole.

    Until then the bytes lie beside it in `<name>.part`, and `<name>.part.json` says of which file they are.

    Raises:
        TransferError, files.NotWritten: as `fetch_file`.
    """
    part, note = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
    total, origin = remote.size - first, asdict(remote) | {"first": first}
    if part.exists() and not (note.exists() and read_json(note) == origin and part.stat().st_size <= total):
        print(f"{remote.url} is another file than the one begun in {part}; beginning anew", flush=True)
        part.unlink()
    done = part.stat().st_size if part.exists() else 0
    check_room(path.parent, total - done, f"{path.name} from {host_of(remote.url)}")
    write_json(note, origin)
    with explained(part), open(part, "ab") as file:
        for piece in progress_in_bytes(read(remote, first, done=done), f"Fetching {path.name}", total, done):
            file.write(piece)
    if md5 and _md5(part) != md5:
        part.unlink()
        raise TransferError(
            remote.url, f"its MD5 sum is not {md5}, so it arrived damaged or is another file; it was deleted", LATER
        )
    os.replace(part, path)
    note.unlink()


def _part(remote: Remote, first: int, last: int) -> requests.Response:
    """The answer to the request for a part of a file."""
    try:
        return ask(remote.url, headers=_range(first, last))
    except TransferError as error:
        if error.status == 416:  # the file has become shorter than that
            raise _changed(remote.url) from None
        raise


def _range(first: int, last: int) -> dict[str, str]:
    """The headers that ask for a part of a file as it is, not packed for the way."""
    return {"Range": f"bytes={first}-{last}", "Accept-Encoding": "identity"}


def _described(url: str, answer: requests.Response) -> Remote:
    """What the headers of an answer say of the file."""
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise _web_page(url)
    whole = answer.headers.get("Content-Length", "") if answer.status_code == 200 else ""
    size = answer.headers.get("Content-Range", "").rpartition("/")[2] or whole
    if not size.isdecimal():
        raise TransferError(url, "the server does not say how large the file is", "use another address")
    return Remote(url, int(size), answer.headers.get("ETag") or answer.headers.get("Last-Modified"))


def _first_byte(answer: requests.Response) -> int:
    """The place in the file at which an answer begins."""
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if answer.status_code == 206 and first.isdecimal() else 0


def _check_same(before: Remote, now: Remote) -> None:
    if before.size != now.size or (before.tag and now.tag and before.tag != now.tag):
        raise _changed(now.url)


def _changed(url: str) -> Changed:
    return Changed(url, "the file has changed on the server since it was begun", "run again to begin anew")


def _web_page(url: str) -> TransferError:
    problem = "a web page came in place of the file, as of a network that wants a log-in, or of a server in repair"
    return TransferError(url, problem, f"open the address in a browser, then {LATER}")


def _broke_off(url: str) -> TransferError:
    return TransferError(url, f"the connection broke {TRIES} times in a row", LATER)


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
