"""The line that shows how far long work is: what it counts, and that the work itself passes through unchanged."""

import io
import re
import sys
import threading
import time

import pytest

from gzutils.course import pipeline
from gzutils.tools.progress import PROGRESS_FILE, Line, progress


@pytest.fixture
def shown(monkeypatch):
    """What the line said."""
    said = []
    monkeypatch.setattr(Line, "show", lambda line, text: said.append(text))
    return said


def test_every_item_comes_and_is_counted(shown):
    assert list(progress("abc", "Letters", 3, "letters")) == ["a", "b", "c"]
    assert [text.split("|")[-1].split(" ")[1] for text in shown] == ["0/3", "1/3", "2/3"]
    assert all(text.startswith("Letters") and "letters" in text for text in shown)


def test_chunks_are_counted_by_what_is_in_them_and_what_was_done_before_counts_too(shown):
    chunks = [range(4), range(4), range(1)]
    assert list(progress(chunks, "Preprocessing", 14, "galaxies", done=5, each=4)) == chunks
    assert [text.split("|")[-1].split(" ")[1] for text in shown] == ["5/14", "9/14", "13/14"]


def test_the_line_is_taken_away_when_the_work_breaks_off(monkeypatch):
    cleared = []
    monkeypatch.setattr(Line, "clear", lambda line: cleared.append(True))
    items = progress(iter([1, 2]), "Work", 2, "items")
    next(items)
    items.close()
    assert cleared


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(terminal):
    """What stood in the terminal's one line, one after the other."""
    start, *lines = terminal.getvalue().split("\r\x1b[K")
    assert start == ""
    return lines


def test_a_terminal_shows_one_line_cut_to_its_width_and_nothing_stays(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys, "stderr", Terminal())
    line = Line()
    line.show("a line of more than twenty letters")
    line.clear()
    assert lines(sys.stderr) == ["a line of more than", ""]


def test_the_pipeline_shows_the_line_of_its_notebook_in_one_line_of_the_terminal(tmp_path, monkeypatch):
    (tmp_path / "progress.txt").write_text("epoch 3 of 40, and much more")
    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "progress.txt"))
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", Terminal())
    finished = threading.Event()
    watch = threading.Thread(target=pipeline._show_progress, args=("02_x", finished))
    watch.start()
    while not sys.stdout.getvalue():
        time.sleep(0.01)
    finished.set()
    watch.join()
    first, *_, last = lines(sys.stdout)
    assert re.match(r"02_x: \d+ s  epoch 3 of 40, ", first)
    assert (len(first), last) == (39, "")


def test_what_is_no_terminal_gets_no_line(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    line = Line()
    line.show("a line")
    line.clear()
    assert sys.stderr.getvalue() == ""
