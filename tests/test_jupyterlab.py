"""A notebook in JupyterLab in a real browser: opened as README says, all cells run from the menu."""

import nbformat
import pytest
from in_jupyterlab import ROOT, copy, failures, find_browser, open_in_jupyterlab, run_all_cells, take_pictures
from PIL import Image


@pytest.mark.skipif(not find_browser(), reason="neither Chromium nor Chrome is installed")
def test_run_all_cells_in_a_browser(tmp_path):
    notebook = copy(ROOT / "notebooks" / "01_preprocessing.ipynb", tmp_path, "smoke")
    with open_in_jupyterlab(notebook, tmp_path) as page:
        finished = run_all_cells(page, notebook)
        # A notebook too wide for its panel would have to be scrolled sideways.
        wide = "document.querySelector('.jp-WindowedPanel-outer'); [p.scrollWidth, p.clientWidth]"
        content, panel = page.value(f"const p = {wide}")
        pictures = take_pictures(page, tmp_path, "page")
    code = [cell for cell in finished.cells if cell.cell_type == "code"]
    assert failures(code) == []
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert content <= panel
    assert len(pictures) > 3
    for path in pictures[:3]:
        assert len(Image.open(path).convert("RGB").getcolors(1 << 24)) > 100, "an empty page"


def test_errors_and_warnings_in_a_notebook_are_seen():
    cell = nbformat.v4.new_code_cell(id="x", outputs=[nbformat.v4.new_output("stream", name="stderr", text="beware")])
    wrong = nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    other = nbformat.v4.new_code_cell(id="y", outputs=[wrong])
    assert failures([cell, other]) == ["y: ValueError: no", "x: beware"]
    assert failures([nbformat.v4.new_code_cell(id="z")]) == []
