"""Small records as JSON files: written whole, read with words for what is wrong; and digits that name contents."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from gzutils.tools.files import write_text


def write_json(path: Path | str, value: Any) -> None:
    """Writes a JSON file, indented, whole or not at all. NumPy numbers become plain ones."""
    write_text(path, json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def read_json(path: Path | str) -> Any:
    """Reads a JSON file; one that cannot be read is named in the error."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file ({error}); delete it and run again") from None


def read_record(path: Path | str, *names: str) -> dict[str, Any]:
    """Reads a JSON file that holds values by name, these names at least.

    Raises:
        ValueError: it does not; the message names the file.
    """
    value = read_json(path)
    missing = [name for name in names if name not in value] if isinstance(value, dict) else list(names)
    if not isinstance(value, dict) or missing:
        raise ValueError(f"{path} is damaged (without {', '.join(missing) or 'names'}); delete it and run again")
    return value


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def arrays_sha256(*arrays: np.ndarray) -> str:
    """The SHA-256 of arrays' values, one after the other, as hexadecimal digits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Eight hexadecimal digits that name a JSON-like value: equal values have equal ones."""
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def without_nothing(value: Any) -> Any:
    """A JSON-like value without the entries that are None, at any depth: a library's new setting, left alone."""
    if isinstance(value, dict):
        return {name: without_nothing(one) for name, one in value.items() if one is not None}
    return [without_nothing(one) for one in value] if isinstance(value, list | tuple) else value


def remember(path: Path, settings: dict[str, Any], by_and_by: bool = False) -> dict[str, tuple[Any, Any]]:
    """Writes what a folder is made with into a file that is not there yet.

    Args:
        by_and_by: settings that the file lacks are added to it; else they count as different.

    Returns:
        The settings that are others than the file's, by name: (there, now).

    Raises:
        ValueError: the file is damaged.
    """
    settings = json.loads(json.dumps(settings, default=_plain))  # as a file gives them back: tuples are lists
    known = read_record(path) if path.is_file() else {}
    new = settings.keys() - known.keys() if by_and_by or not path.is_file() else set()
    if new:
        write_json(path, known | {name: value for name, value in settings.items() if name in new})
    return {
        name: (known.get(name), value)
        for name, value in settings.items()
        if name not in new and known.get(name) != value
    }


def insist(path: Path, settings: dict[str, Any], versions: dict[str, str] | None = None) -> None:
    """Remembers all that a folder is made with, and refuses to go on there with anything else.

    Args:
        versions: of the libraries, by name. They may change; a refusal says where they did.

    Raises:
        ValueError: it was made with other settings; the message names them.
    """
    differing = remember(path, settings | {"versions": versions} if versions else settings)
    before = differing.pop("versions", (None, None))[0] or {}
    now = versions or {}
    changed = [f"{name} {before[name]}, now {now[name]}" for name in now if before.get(name, now[name]) != now[name]]
    if differing and changed:
        raise ValueError(
            f"{path.parent} was made with other versions ({'; '.join(changed)}), and they tell a difference in: "
            f"{'; '.join(differing)}. What is there is whole: to go on with it, install those versions again; to train "
            f"anew, give this run a name of its own (RUN, or --run NAME)"
        )
    if differing:
        raise ValueError(
            f"{path.parent} was made with other settings (different: {'; '.join(differing)}); give this run a name "
            f"of its own (RUN, or --run NAME), or delete that folder (--fresh deletes the whole run)"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
