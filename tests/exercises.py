"""The exercises of a notebook: their folded solutions, and the code in these as cells to run after the notebook's."""

import re

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

EXERCISE = re.compile(r"^\*\*(\d)\.\*\* (.+?)<details><summary>Solution</summary>\n(.+?)</details>", re.M | re.S)
CODE = re.compile(r"^```python\n(.+?)^```", re.M | re.S)


def solutions(notebook: NotebookNode) -> list[tuple[int, str, str]]:
    """Number, question and solution (Markdown) of each exercise."""
    (cell,) = (cell for cell in notebook.cells if "## Exercises" in cell.source)
    return [(int(number), question, text) for number, question, text in EXERCISE.findall(cell.source)]


def solution_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code of all solutions, one cell a solution, to be run where the notebook ends."""
    return [new_code_cell("\n".join(code)) for _, _, text in solutions(notebook) if (code := CODE.findall(text))]
