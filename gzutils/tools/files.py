"""How this kit writes files: beside their name, and renamed when whole, so that no reader ever meets half a file.

And how two processes keep out of each other's way: whoever works in a folder for long holds its lock.
"""

import contextlib
import errno
import io
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


def first_line(error: BaseException) -> str:
    """The first line of what an error says, or its kind where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class NotWritten(OSError):
    """A file could not be written; the message says where, why, and what to do now."""


class Busy(ValueError):
    """Another process works in the folder; the message says which, and what to do now."""


@contextlib.contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """Says of a full disk or a missing right, met while `path` is written in the block, where that was.

    Raises:
        NotWritten: instead of the system's own error, which often names no file and never says what to do.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.EFBIG:
            remedy = "raise the limit on the size of a file (ulimit -f)"
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = f"make room on its disk ({_free(path) / 1e6:,.1f} MB are free)"
        elif error.errno in NO_RIGHT:
            remedy = "get the right to write there, or work in another folder"
        else:
            raise
        problem = f"{path} cannot be written ({os.strerror(error.errno)})"
        raise NotWritten(f"{problem}; {remedy}, then run again: what is done stays") from error


def state_of(path: Path) -> os.stat_result:
    """What the system says of a file, or of a link itself where it leads nowhere."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()


def check_room(folder: Path | str, needed: int, what: str) -> None:
    """Looks before long work whether its result finds room on the disk.

    Args:
        folder: where it will lie; need not be there yet. needed: bytes. what: it is, which begins the sentence.

    Raises:
        NotWritten: the disk has less room; the message says how much is needed.
    """
    free = _free(folder)
    if free < needed:
        raise NotWritten(
            f"{what} needs {needed / 1e6:,.1f} MB in {folder}, where {free / 1e6:,.1f} MB are free; make room there, "
            f"or ask for less"
        )


def _free(path: Path | str) -> int:
    """Bytes on the disk of a path, or of the folder that it would lie in."""
    path = Path(path).absolute()
    return shutil.disk_usage(next(place for place in (path, *path.parents) if place.exists())).free


@contextlib.contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Yields a name beside `path` to write to; it takes the place of `path` when the block ends without an error.

    Raises:
        NotWritten: no room, or no right to write there; what was there before stays.
    """
    path = Path(path)
    # Process and host keep two writers apart; the suffix stays last because some writers choose the format by it.
    beside = path.with_name(f".{path.stem}.{os.getpid()}-{_host()}{path.suffix}")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)


def remove_leftovers(folder: Path | str) -> None:
    """Removes what killed processes of this machine left half-written in a folder (`.model.4711-myhost.keras`).

    What those of another host or container write there may still be going on.
    """
    for path in Path(folder).rglob(".*.*.*"):
        process, _, host = path.name.split(".")[-2].partition("-")
        if process.isdecimal() and host == _host() and not _runs(int(process)):
            path.unlink(missing_ok=True)


def _host() -> str:
    """This machine's name (a container has its own), without dots."""
    return platform.node().replace(".", "_")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


@contextlib.contextmanager
def locked(folder: Path | str, member: int | None = None, wait: bool = False) -> Iterator[None]:
    """Keeps other processes from the same work in a folder while the block runs, and tidies what killed ones left.

    The lock is held on the file `.<name>.lock` beside the folder (which need not exist yet), by the process alone:
    when it ends, even killed, the lock ends too. A file system without locks keeps nothing apart, and a line says so.

    Args:
        member: this process's number among several that work there together on purpose, each with a lock of its own.
        wait: until the other process is done, instead of raising.

    Raises:
        Busy: another process holds the lock. NotWritten: no right to write there.
    """
    folder = Path(folder)
    path = folder.with_name(f".{folder.name}.lock" + (f"-{member}" if member else ""))
    with contextlib.ExitStack() as stack:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _take(path, folder, wait)
            stack.callback(lock.release)
            # While it is still held, so that whoever comes next never holds a lock on a deleted file unknowingly.
            stack.callback(path.unlink, missing_ok=True)
        if member is None:
            remove_leftovers(folder)
        yield


def _take(path: Path, folder: Path, wait: bool) -> FileLock:
    """The lock, held by this process, whose name is in its file."""
    # What the library takes in place of the system's lock may outlive a killed process.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = ""
        with contextlib.suppress(FileNotFoundError):  # its holder deleted it just then
            holder = path.read_text(encoding="utf-8")
        busy = f"{folder} is in use by {holder or 'another process'}"
        if not wait:
            raise Busy(
                f"{busy}; wait until that is done, or end it, or give this run a name of its own (RUN, or --run NAME)"
            ) from None
        print(f"{busy}; waiting until that is done", flush=True)
        lock.acquire(poll_interval=0.2)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        print(f"{folder}: this file system has no locks; start nothing else on it until this is done", flush=True)
    path.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
    return lock


def write_array(path: Path | str, array: np.ndarray) -> None:
    """Writes an .npy file, whole or not at all; it passes through memory once more.

    `np.save` to a file does not notice (NumPy 2.4) that the disk got full within the last 4 kB.
    """
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    with whole_file(path) as beside:
        beside.write_bytes(data.getbuffer())


def zeros_file(path: Path | str, dtype: type, shape: tuple[int, ...]) -> None:
    """Makes an .npy file of zeros that has all its room on the disk.

    Without it, writing through a memory map would end the process without a word where the disk is full.

    Raises:
        NotWritten: there is no room for it.
    """
    block = bytes(2**20)
    with explained(path):
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        with open(path, "r+b") as file:
            file.seek(array.offset)
            for start in range(0, array.nbytes, len(block)):
                file.write(block[: array.nbytes - start])


def write_text(path: Path | str, text: str) -> None:
    """Writes a text file, UTF-8, whole or not at all."""
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


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
