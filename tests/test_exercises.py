"""The exercises and the glossary: solutions can be run where the notebook ends (test_notebooks.py runs them)."""

import ast
import builtins
import re
from pathlib import Path

import nbformat
import pytest
from exercises import solution_cells, solutions

from gzutils.course import NAMES

NOTEBOOKS = [Path(__file__).resolve().parents[1] / "notebooks" / f"{name}.ipynb" for name in NAMES]
TERM = re.compile(r"^- \*\*(.+?)\*\* \((\d\d)\): .+\.$", re.M)


def read(path):
    return nbformat.read(path, as_version=4)


def parsed(source):
    return ast.walk(ast.parse(re.sub(r"^(\s*)%.*", r"\1pass", source, flags=re.M)))


def bound(source):
    """Every name that the code gives a meaning to."""
    for node in parsed(source):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestExercises:
    def test_each_is_numbered_and_has_one_solution(self, path):
        (cell,) = (cell for cell in read(path).cells if "## Exercises" in cell.source)
        found = solutions(read(path))
        assert [number for number, _, _ in found] == list(range(1, len(found) + 1))
        assert 2 <= len(found) <= 3
        assert cell.source.count("<details>") == len(found)

    def test_most_solutions_are_code(self, path):
        assert len(solution_cells(read(path))) >= 2

    def test_a_solution_needs_nothing_but_the_notebook(self, path):
        notebook = read(path)
        known = set(dir(builtins))
        for cell in notebook.cells:
            known |= set(bound(cell.source)) if cell.cell_type == "code" else set()
        for cell in solution_cells(notebook):
            used = {n.id for n in parsed(cell.source) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            assert not used - known - set(bound(cell.source)), cell.source

    def test_it_changes_no_file_that_the_notebook_left(self, path):
        for cell in solution_cells(read(path)):
            for folder in re.findall(r"run\.folder / f?\"([^\"]*)\"", cell.source):
                assert folder.startswith("exercise_") or "load(" in cell.source, folder


def test_each_term_of_the_glossary_is_used_in_the_notebook_that_it_names():
    text = {
        path.stem[:2]: " ".join(
            " ".join(cell.source.split())
            for cell in read(path).cells
            if cell.cell_type == "markdown" and not cell.source.startswith("## Glossary")
        ).lower()
        for path in NOTEBOOKS
    }
    (glossary,) = (cell.source for cell in read(NOTEBOOKS[0]).cells if cell.source.startswith("## Glossary"))
    terms = TERM.findall(glossary)
    assert len(terms) == glossary.count("\n- ") >= 40
    assert len({term for term, _ in terms}) == len(terms)
    for term, first in terms:
        assert term.lower() in text[first], f"{term}: not in notebook {first}"
        earlier = [
            number for number in text if number < first and re.search(rf"\*{re.escape(term.lower())}", text[number])
        ]
        assert not earlier, f"{term}: notebook {earlier} explains it before {first}"
