"""A stand-in for the servers of the open data: a real HTTP server on the loopback address, in the tests' own process.

It answers range requests, counts what it was asked and sent, and spoils answers as a test tells it to.
"""

import contextlib
import hashlib
import io
import json
import os
import select
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from gzutils.data.open_data.addresses import ADDRESSES

PAGE = b"<!DOCTYPE html>\n<html><body>Please log in to the network of this hotel.</body></html>\n"


class Content(Protocol):
    """What is served where it is too large to lie in memory: so many bytes, read from any place."""

    size: int
    tag: str

    def read(self, first: int, length: int) -> bytes: ...


@dataclass
class Bytes:
    """A file in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def tag(self) -> str:
        return hashlib.md5(self.data).hexdigest()

    def read(self, first: int, length: int) -> bytes:
        return self.data[first : first + length]


@dataclass
class Fault:
    """What is wrong with the answers to some requests for one file."""

    skip: int = 0  # so many requests are answered rightly first
    times: int = 1  # so many are spoiled
    status: int | None = None  # in place of the file
    headers: dict[str, str] = field(default_factory=dict)  # sent with it, such as Retry-After
    page: bool = False  # a web page in place of the file, with status 200
    ignore_range: bool = False  # the whole file, with status 200, whatever was asked
    cut_after: int | None = None  # the connection breaks after so many bytes of the answer
    hold_after: int | None = None  # so many bytes, then silence until the client is gone
    flip: int | None = None  # the bits of the byte at this place of the file arrive turned over


@dataclass
class Asked:
    """One request: what was asked, and what went out."""

    method: str
    name: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int = 0
    sent: int = 0  # bytes of the body


class OpenDataServer:
    """Serves `files` by name, and what `answers` make of a query; `faults` spoil answers, by name, in their order."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Content] = {}
        self.answers: dict[str, Callable[[dict[str, str]], bytes | None]] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[Asked] = []
        self.connections: list[socket.socket] = []
        self.holding = threading.Event()  # set when a fault holds an answer back
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"data": self}))

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def url(self, name: str) -> str:
        """The address of a file or an answer."""
        return f"http://127.0.0.1:{self.port}/{quote(name)}"

    def spoil(self, name: str, **fault: Any) -> None:
        """Adds a fault to the answers for `name`; its arguments are those of `Fault`."""
        self.faults.setdefault(name, []).append(Fault(**fault))

    def sent(self, name: str | None = None) -> int:
        """How many bytes went out, for one name or in all."""
        return sum(asked.sent for asked in self.asked if name in (None, asked.name))

    def write_addresses(self, path: Path, checksums: dict[str, str] | None = None) -> Path:
        """Writes the file that GZUTILS_ADDRESSES names: all that is served here; MD5 sums by name."""
        names = [name for name in (*self.files, *self.answers) if name in ADDRESSES]
        settings = {name: {"url": self.url(name), "md5": (checksums or {}).get(name)} for name in names}
        path.write_text(json.dumps(settings), encoding="utf-8")
        return path

    def fault_of(self, name: str) -> Fault:
        """The fault that spoils the request at hand; one that does nothing where there is none."""
        with self._lock:
            for fault in self.faults.get(name, []):
                if fault.skip:
                    fault.skip -= 1
                    return Fault()
                if fault.times:
                    fault.times -= 1
                    return fault
        return Fault()

    def start(self) -> None:
        """Answers from now on."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Answers no more: its port is closed, and so are the connections that stand."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of clients that left; other errors are the tests' own."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    data: OpenDataServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the client to confirm its headers

    def setup(self) -> None:
        super().setup()
        self.data.connections.append(self.connection)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        name = unquote(address.path).lstrip("/")
        query = {key: values[-1] for key, values in parse_qs(address.query, keep_blank_values=True).items()}
        asked = Asked(self.command, name, query, dict(self.headers))
        self.data.asked.append(asked)
        fault = self.data.fault_of(name)
        content = self._content(name, query)
        if fault.page:
            content, fault.ignore_range = Bytes(PAGE), True
        if fault.status or content is None:
            return self._send(asked, fault, fault.status or 404, Bytes(b"no"), 0, 2, fault.headers)
        headers = {
            "ETag": f'"{content.tag}"',
            "Content-Type": "text/html" if fault.page else "application/octet-stream",
        }
        first, last = self._range(content.size)
        if first is None or fault.ignore_range:
            return self._send(asked, fault, 200, content, 0, content.size, headers | fault.headers)
        if first > last:
            headers = {"Content-Range": f"bytes */{content.size}"}
            return self._send(asked, fault, 416, Bytes(b""), 0, 0, headers)
        headers["Content-Range"] = f"bytes {first}-{last}/{content.size}"
        return self._send(asked, fault, 206, content, first, last - first + 1, headers | fault.headers)

    def _content(self, name: str, query: dict[str, str]) -> Content | None:
        if name in self.data.answers:
            answer = self.data.answers[name](query)
            return None if answer is None else Bytes(answer)
        content = self.data.files.get(name)
        return Bytes(content) if isinstance(content, bytes) else content

    def _range(self, size: int) -> tuple[int | None, int]:
        asked = self.headers.get("Range", "")
        if not asked.startswith("bytes="):
            return None, 0
        first, _, last = asked.removeprefix("bytes=").partition("-")
        if not first:
            return max(size - int(last), 0), size - 1
        return int(first), min(int(last or size - 1), size - 1)

    def _send(
        self,
        asked: Asked,
        fault: Fault,
        status: int,
        content: Content,
        first: int,
        length: int,
        headers: dict[str, str],
    ) -> None:
        asked.status = status
        self.send_response(status)
        for name, value in {"Content-Length": str(length), "Accept-Ranges": "bytes", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = min(filter(lambda stop: stop is not None, (fault.cut_after, fault.hold_after, length)))
        with contextlib.suppress(ConnectionError):  # the client left
            while asked.sent < stop:
                place = first + asked.sent
                piece = bytearray(content.read(place, min(2**16, stop - asked.sent)))
                if fault.flip is not None and place <= fault.flip < place + len(piece):
                    piece[fault.flip - place] ^= 0xFF
                self.connection.sendall(piece)
                asked.sent += len(piece)
            if fault.hold_after is not None:
                self.data.holding.set()
                select.select([self.connection], [], [], 30)
        if stop < length:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serving() -> Iterator[OpenDataServer]:
    """A server that runs while the block does; no proxy of the environment stands before it."""
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "127.0.0.1"
    server = OpenDataServer()
    server.start()
    try:
        yield server
    finally:
        server.close()
        if before is None:
            del os.environ["NO_PROXY"]
        else:
            os.environ["NO_PROXY"] = before


def picture(asset_id: int, size: int = 2000) -> bytes:
    """Bytes that stand for a JPEG, other ones for each id, which cannot be packed."""
    return b"\xff\xd8" + np.random.default_rng(asset_id).bytes(size + asset_id % 7)


def pictures_zip(asset_ids: Iterable[int], method: int = zipfile.ZIP_STORED, picture: Callable = picture) -> bytes:
    """A zip as `images_gz2.zip` is: `images/<asset_id>.jpg`, and beside each what a Mac leaves.

    The extra fields of its local headers have another length than those of its directory.
    """
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("images/", b"")
        for asset_id in asset_ids:
            info = zipfile.ZipInfo(f"images/{asset_id}.jpg")
            info.compress_type = method
            with archive.open(info, "w", force_zip64=True) as member:
                member.write(picture(asset_id))
            archive.writestr(f"__MACOSX/images/._{asset_id}.jpg", b"Mac OS X" * 20)
    return file.getvalue()


def wait_for(happened: Callable[[], bool], seconds: float = 20) -> None:
    """Returns when something in another process has happened, and fails where it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
