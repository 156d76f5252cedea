"""The notebooks: their form, and that every cell runs (nbval, on copies whose parameters say `smoke`)."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from exercises import solution_cells
from test_quality import parameters_cell

from gzutils.course import NAMES
from gzutils.course.stored_outputs import TIME
from gzutils.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in NAMES]
TAGS = {"parameters", "nbval-check-output", "nbval-skip"}

STORE = "store them anew: ./run_all.sh --store-outputs"


def texts(output):
    """All that is text in an output."""
    data = output.get("data", {})
    return [output.text] if output.output_type == "stream" else [data[kind] for kind in data if kind[:5] == "text/"]


def test_there_are_notebooks():
    assert [path.stem[:2] for path in NOTEBOOKS] == [f"{i:02}" for i in range(1, len(NOTEBOOKS) + 1)]
    assert len(NOTEBOOKS) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestForm:
    def test_it_is_valid_and_its_cells_have_ids(self, path):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)

    def test_its_metadata_say_what_they_may(self, path):
        notebook = nbformat.read(path, as_version=4)
        assert set(notebook.metadata) == {"gzutils", "kernelspec", "language_info"}
        assert notebook.metadata.kernelspec == {"display_name": "Python 3", "language": "python", "name": "python3"}
        own = notebook.metadata.gzutils
        assert set(own) <= {"needs", "reads"}
        others = {other.stem for other in NOTEBOOKS} - {path.stem}
        assert set(own["needs"]) | set(own.get("reads", [])) <= others
        assert {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])} <= TAGS
        for cell in notebook.cells:
            assert set(cell.metadata) <= {"tags"}
            assert re.fullmatch(rf"{path.stem[:2]}-\d\d\w?", cell.id)

    def test_it_begins_with_its_number_badge_and_what_is_learned(self, path):
        first = nbformat.read(path, as_version=4).cells[0].source
        assert first.startswith(f"# {int(path.stem[:2])}. ")
        assert f"/notebooks/{path.name})" in first
        for heading in ("**You will learn**", "**Mirrors**", "**Takes**"):
            assert heading in first

    def test_parameters_are_plain_literals_with_a_comment_each(self, path):
        """And the others that the notebook takes are named below them."""
        source = parameters_cell(nbformat.read(path, as_version=4)).source
        lines = [line for line in source.splitlines() if not line.startswith("#")]
        for line in lines:
            assert re.fullmatch(r"[A-Z_]+ = (None|True|False|\"[^\"]*\"|[0-9.]+)  # .+", line), line
        shown = [line.split(" = ")[0] for line in lines]
        assert shown[:2] == ["PROFILE", "DATA"]
        assert "SEED" in shown
        more = re.findall(r"[A-Z_]{3,}", source.split("# More")[1])
        assert {"RUN", "DATA_DIR"} <= set(more)
        assert set(shown) | (set(more) - {"README"}) <= set(PARAMETERS)
        for name, value in ((line.split(" = ")[0], line.split(" = ")[1].split("  #")[0]) for line in lines):
            assert ast.literal_eval(value) == PARAMETERS[name].default

    def test_what_comes_before_the_idea_is_short(self, path):
        """Set-up, parameters, imports and the opening of the run, without empty lines."""
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"][:4]
        lines = [line for cell in cells for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 36

    def test_prose_comes_before_code_and_cells_are_short(self, path):
        cells = nbformat.read(path, as_version=4).cells
        code = [cell for cell in cells if cell.cell_type == "code"]
        assert max(len(cell.source.splitlines()) for cell in code) <= 20
        assert sum(cell.cell_type == "markdown" for cell in cells) >= 0.5 * len(code)

    def test_it_links_to_the_notebooks_before_and_after_it(self, path):
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        place = NOTEBOOKS.index(path)
        for word, other in (("Back", place - 1), ("Next", place + 1)):
            links = re.findall(rf"\*\*{word}:\*\* \[(\d+)\. [^\]]+\]\(([^)]+)\)", text)
            there = NOTEBOOKS[other : other + 1] if other >= 0 else []
            assert links == [(str(int(neighbour.stem[:2])), neighbour.name) for neighbour in there]

    def test_it_has_exercises_with_folded_solutions(self, path):
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        exercises = text.split("## Exercises")[1]
        assert exercises.count("<details>") == exercises.count("</details>") >= 2

    def test_stored_outputs_are_of_one_run_in_order(self, path):
        code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), STORE

    def test_stored_outputs_are_clean(self, path):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                assert output.output_type != "error"
                assert output.get("name") != "stderr", output
                assert not set(output.get("data", {})) - {"image/png", "text/plain", "text/html", "text/markdown"}
                for text in texts(output):
                    assert text, "the rest of a progress line"
                    assert not re.search(r"Warning\b|WARNING|/(work|root|tmp|home|Users|usr)/| at 0x|\r|\x1b", text), (
                        STORE
                    )
                    assert not re.search(r"(it|galaxies)/s\b|%\|", text), "the rest of a progress bar"
                    assert re.search(r"T_[0-9a-f]{5}_", text) is None, STORE
                    for time in TIME.finditer(text):
                        assert time[0].startswith("about "), STORE


def test_all_notebooks_together_stay_small():
    stored = [*NOTEBOOKS, *(ROOT / "notebooks").glob("*.png")]
    assert sum(path.stat().st_size for path in stored) < 8_000_000, STORE


def test_every_cell_runs(tmp_path):
    """nbval cannot inject parameters, so it gets copies in which the parameters cell alone is changed."""
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        cell = parameters_cell(notebook)
        assert 'PROFILE = "quick"' in cell.source
        cell.source = cell.source.replace('PROFILE = "quick"', 'PROFILE = "smoke"')
        notebook.cells += solution_cells(notebook)
        nbformat.write(notebook, tmp_path / path.name)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--nbval-lax",
        "--nbval-cell-timeout=600",
        "-p",
        "no:cacheprovider",
    ]
    result = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-1000:]
    assert (tmp_path / "runs/smoke-simulated/02_parallel_cnn/model.keras").is_file()
