"""The line that shows how far long work is: what it counts, and that the work itself passes through unchanged."""

import pytest

from gzutils.progress import Line, progress


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
