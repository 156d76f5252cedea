"""The outputs that the notebooks carry in git: what of a run is left out of them, and how pictures get small."""

import base64
import io
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image, ImageDraw

from gzutils.course.stored_outputs import WIDGETS, small_png, store_outputs


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def display(**data):
    return new_output("display_data", {kind.replace("_", "/"): value for kind, value in data.items()})


@pytest.fixture
def stored(tmp_path):
    """Stores outputs into a notebook of one cell, which has others already; returns what stands there then."""

    def store(outputs, earlier=()):
        for name, given in (("source", earlier), ("executed", outputs)):
            cell = new_code_cell("1 + 1", id="cell-0", outputs=[nbformat.from_dict(output) for output in given])
            nbformat.write(new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
        store_outputs(tmp_path / "source.ipynb", tmp_path / "executed.ipynb", tmp_path)
        return nbformat.read(tmp_path / "source.ipynb", as_version=4).cells[0].outputs

    return store


def test_progress_warnings_and_widgets_are_left_out_and_text_is_joined(stored, capsys):
    outputs = [stream("one\n"), display(text_html=""), stream("UserWarning: old", "stderr"), stream("two\n")]
    outputs += [new_output("display_data", {WIDGETS: {"model_id": "1"}})]
    assert [dict(output) for output in stored(outputs)] == [dict(stream("one\ntwo\n"))]
    assert capsys.readouterr().err == "cell cell-0: left out what it wrote to stderr: UserWarning: old\n"


def test_the_machines_folder_and_memory_are_left_out(stored, tmp_path):
    (output,) = stored([stream(f"written: {tmp_path}/runs/quick, in {tmp_path} by <a.Writer at 0x7fb2beb64450>\n")])
    assert output.text == "written: runs/quick, in . by <a.Writer>\n"


def test_a_styled_table_gets_the_same_name_each_time(stored):
    table = pd.DataFrame({"a": [1]}).style.to_html()
    (output,) = stored([display(text_html=table)])
    name = re.search(r'id="(T_\w+)_row0_col0"', table)[1]
    assert output.data["text/html"] == table.replace(name, "T_cell-0")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("an epoch: 24.8 s, then 0.64 s", "an epoch: about 20 s, then about 0.6 s"),
        ("about 17 s", "about 20 s"),
        ("1,234 s", "about 1,000 s"),
        ("38 times faster", "about 40 times faster"),
        ("| 47 / 5.4 s |", "| 47 / about 5 s |"),
        ("25 galaxies, 0.1322, 12 seeds, 3 stars", "25 galaxies, 0.1322, 12 seeds, 3 stars"),
    ],
)
def test_times_are_rounded(stored, said, kept):
    (output,) = stored([stream(said)])
    assert output.text == kept
    (output,) = stored([display(text_markdown=said)])
    assert output.data["text/markdown"] == kept


@pytest.mark.parametrize(
    ("earlier", "now", "kept"),
    [
        ("RMSE 0.1, about 20 s", "RMSE 0.1, 31 s", "RMSE 0.1, about 20 s"),
        ("RMSE 0.1, about 20 s", "RMSE 0.1, 55 s", "RMSE 0.1, about 60 s"),
        ("RMSE 0.1, about 20 s", "RMSE 0.1, 4 s", "RMSE 0.1, about 4 s"),
        ("RMSE 0.1, about 20 s", "RMSE 0.2, 31 s", "RMSE 0.2, about 30 s"),
        ("RMSE 0.1, 24 s", "RMSE 0.1, 31 s", "RMSE 0.1, about 30 s"),
    ],
)
def test_a_time_that_is_nearly_the_one_stored_before_changes_nothing(stored, earlier, now, kept):
    (output,) = stored([stream(now)], [stream(earlier)])
    assert output.text == kept
    (output,) = stored([display(text_plain=now)], [display(text_plain=earlier)])
    assert output.data["text/plain"] == kept


def test_a_drawing_gets_a_palette_and_a_photograph_looks_the_same():
    drawing = Image.new("RGBA", (200, 100), "white")
    ImageDraw.Draw(drawing).ellipse((20, 20, 160, 80), fill="orange", outline="black")
    small = Image.open(io.BytesIO(small_png(png(drawing))))
    assert small.mode == "P"
    assert np.array_equal(np.asarray(small.convert("RGB")), np.asarray(drawing.convert("RGB")))

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8))
    small = small_png(png(noise))
    assert len(small) < 0.9 * len(png(noise))
    seen = np.asarray(Image.open(io.BytesIO(small)).convert("RGB"), int)
    assert np.abs(seen - np.asarray(noise)).max() <= 2


def test_a_stored_picture_is_the_small_one(stored):
    picture = png(Image.new("RGBA", (100, 100), "white"))
    (output,) = stored([display(image_png=base64.b64encode(picture).decode(), text_plain="a picture")])
    assert base64.b64decode(output.data["image/png"]) == small_png(picture)
    assert len(small_png(picture)) < len(picture)
