"""Notebooks one after the other in one process, which saves their start: few_galaxies.py GALAXIES [NOTEBOOK …]

GALAXIES followed by "eager": TensorFlow compiles nothing and calls each operation as it comes. Shapes and values are
the same, and all notebooks take half as long: most of their time is the tracing of networks that see a batch or two.
Followed by "mixed_bfloat16": networks compute in 16 bits.
"""

import sys
from pathlib import Path

import matplotlib
import nbformat
from IPython.core.interactiveshell import InteractiveShell

from gzutils.course import NAMES
from gzutils.tools import backend

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
GALAXIES, *WORDS = sys.argv[1].split()
GIVEN = f'PROFILE = "smoke"\nGALAXIES = {int(GALAXIES)}\nEPOCHS = 1\nSEEDS = 1'
if "mixed_bfloat16" in WORDS:
    GIVEN += '\nPRECISION = "mixed_bfloat16"'


def main() -> int:
    """Runs the notebooks that are named, or all; returns how many failed."""
    matplotlib.use("agg")
    backend.load()
    if "eager" in WORDS and not backend.compiles_whole_steps():
        import tensorflow

        tensorflow.config.run_functions_eagerly(True)
    failed = 0
    for name in sys.argv[2:] or NAMES:
        shell = InteractiveShell()
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            given = "\n" + GIVEN if "parameters" in cell.metadata.get("tags", []) else ""
            if not shell.run_cell(cell.source + given).success:
                print(f"{name}: {cell.id} failed", file=sys.stderr)
                failed += 1
                break
    return failed


if __name__ == "__main__":
    sys.exit(main())
