"""How this kit writes files: beside their name, and renamed when whole, so that no reader ever meets half a file."""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


@contextlib.contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yields a name beside `path` to write to; it takes the place of `path` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two writers apart; the suffix stays last because some writers choose the format by it.
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Writes a text file, UTF-8, whole or not at all."""
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Writes a JSON file, indented, whole or not at all. NumPy numbers become plain ones."""
    write_text(path, json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Reads a JSON file; one that cannot be read is named in the error."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file ({error}); delete it and run again") from None


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any) -> str:
    """Eight hexadecimal digits that name a JSON-like value: equal values have equal ones."""
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def sources_fingerprint(*paths: Path | str) -> str:
    """Eight hexadecimal digits that name the contents of Python files; a folder stands for all below it."""
    files: list[Path] = []
    for path in map(Path, paths):
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return fingerprint([(file.name, sha256(file)) for file in files])


@contextlib.contextmanager
def stderr_to(path: Path | str) -> Iterator[None]:
    """Sends what this process, its libraries in C++ and the processes it starts write to stderr into a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        # Below sys.stderr, where all of them meet: the file descriptor itself.
        os.dup2(file, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(file)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
