"""How long work shows itself: one line that moves, in a notebook, in a terminal, and to whoever runs the notebook."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

from tqdm import tqdm

from gzutils.tools.files import write_text

Item = TypeVar("Item")
PROGRESS_FILE = "GZUTILS_PROGRESS_FILE"  # set by the pipeline, which shows the line while a notebook runs


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def show_in_terminal(text: str, stream: TextIO) -> None:
    """Replaces the line in which a terminal's cursor stands, cut to its width; silent where `stream` is no terminal."""
    if stream.isatty():
        stream.write("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1])
        stream.flush()


class Line:
    """A line of text that is replaced in place and leaves nothing behind when it is cleared.

    In a notebook it is one display that is updated (no widgets, no carriage returns in the stored output); in
    a terminal it is a line on stderr; elsewhere it is silent.
    """

    def __init__(self) -> None:
        self._display = None
        self._file = os.environ.get(PROGRESS_FILE)
        self._last = 0.0

    def show(self, text: str) -> None:
        """Replaces the line; at most five times a second."""
        if time.monotonic() - self._last < 0.2:
            return
        self._last = time.monotonic()
        if self._file:
            with contextlib.suppress(OSError):  # a full disk is for the work itself to say
                write_text(self._file, text)
        if in_notebook():
            self._show_in_notebook(text)
        else:
            show_in_terminal(text, sys.stderr)

    def clear(self) -> None:
        """Takes the line away."""
        if self._display is not None:
            self._show_in_notebook("")
        elif not in_notebook():
            show_in_terminal("", sys.stderr)

    def _show_in_notebook(self, text: str) -> None:
        from IPython.display import HTML, display

        page = HTML(f"<pre>{text}</pre>" if text else "")
        if self._display is None:
            self._display = display(page, display_id=True)
        else:
            self._display.update(page)


def progress(
    items: Iterable[Item], description: str, total: int, unit: str, done: int = 0, each: int = 1
) -> Iterator[Item]:
    """Yields the items and shows how many of `total` units are done, how fast, and how long it still takes.

    `done` counts the units finished in an earlier, interrupted call; an item has so many units as `each` says.
    """
    return _shown(items, lambda item: each, description, total, done, {"unit": " " + unit})


def progress_in_bytes(pieces: Iterable[bytes], description: str, total: int, done: int = 0) -> Iterator[bytes]:
    """Yields the pieces of a file and shows how many of its `total` bytes are there, in kB or MB; as `progress`."""
    return _shown(pieces, len, description, total, done, {"unit": "B", "unit_scale": True})


def _shown(
    items: Iterable[Item], units: Callable[[Item], int], description: str, total: int, done: int, form: dict
) -> Iterator[Item]:
    line = Line()
    start = time.monotonic()
    count = done
    try:
        for item in items:
            seconds = time.monotonic() - start
            line.show(tqdm.format_meter(count, total, seconds, initial=done, prefix=description, ncols=90, **form))
            yield item
            count += units(item)
    finally:
        line.clear()
