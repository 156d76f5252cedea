"""The package's shape: imported in a moment, floors that know only those below, no module too long."""

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest

import gzutils
from gzutils.tools import sources

PACKAGE = Path(gzutils.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("keras", "tensorflow", "jax", "torch", "matplotlib", "pandas", "PIL", "papermill")


def floors() -> dict[str, int]:
    """The rooms and plain modules with their floors, from the bottom, as the docstring of the package draws them."""
    drawn = [line.strip() for line in gzutils.__doc__.splitlines() if re.match(r"    \S", line)]
    names = [re.split(r" {3,}", line)[0].replace("/", "").split() for line in drawn]
    return {name: floor for floor, line in enumerate(reversed(names)) for name in line}


FLOORS = floors()


def name_of(path):
    """`losses`, or `simulation.survey`; a package's `__init__` has the package's own name."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


def imports_of(path):
    """All that a file imports, wherever in it, by full name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


by_name = pytest.mark.parametrize("path", MODULES, ids=name_of)


def loaded_by(statement):
    """All modules that a fresh interpreter has loaded after a statement, which must not print anything."""
    script = f"import sys; {statement}; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    return set(result.stdout.split())


def test_importing_gzutils_loads_nothing_heavy():
    loaded = loaded_by("import gzutils")
    assert "gzutils" in loaded
    assert not set(HEAVY) & loaded


def test_the_measures_need_numpy_alone():
    loaded = loaded_by("import gzutils.learning.metrics")
    assert "gzutils.learning.metrics" in loaded
    assert not set(HEAVY) & loaded


def test_a_process_that_decodes_needs_pillow_alone():
    """The fault: pandas comes along, and each process starts 0.3 s later."""
    loaded = loaded_by("import gzutils.data.jpegs")
    assert set(HEAVY) & loaded == {"PIL"}


def test_what_comes_before_the_models_needs_no_keras():
    names = [f"gzutils.{name_of(path)}" for path in MODULES if path.is_relative_to(PACKAGE / "data")]
    loaded = loaded_by(f"import {', '.join(names)}")
    assert set(names) <= loaded
    assert not {"keras", "tensorflow", "jax", "torch"} & loaded


@pytest.mark.parametrize("path", sorted((PACKAGE / "data").rglob("*.py")), ids=name_of)
def test_data_asks_for_no_keras_anywhere(path):
    assert not {"keras", "tensorflow", "jax", "torch"} & {name.split(".")[0] for name in imports_of(path)}


def test_every_room_and_plain_module_has_its_floor():
    there = {name_of(path).split(".")[0] for path in MODULES} - {""}
    assert not there - set(FLOORS), "give it its place in the docstring of gzutils/__init__.py"
    assert not set(FLOORS) - there, "the docstring of gzutils/__init__.py names what is not there"


def test_the_floors_are_those_that_were_agreed_on():
    """From below; what shares a floor is plain facts and tools, which know nothing of galaxies' networks."""
    agreed = ["data", "models", "learning", "profiles", "plots", "course"]
    assert sorted(agreed, key=FLOORS.get) == agreed
    for name in ("tools", "parameters", "decision_tree", "report"):
        assert FLOORS[name] < FLOORS["data"]


@by_name
def test_imports_run_downward_only(path):
    """Also those within functions; within a room they run as they like, but for circles."""
    own = name_of(path).split(".")[0]
    above = [
        name
        for name in imports_of(path)
        if name.startswith("gzutils.")
        and (other := name.split(".")[1]) != own
        and (not own or FLOORS[other] >= FLOORS[own])
    ]
    assert not above, f"{name_of(path)} imports {above}, which are not below it"


def test_no_imports_run_in_a_circle():
    names = {path: f"gzutils.{name_of(path)}".rstrip(".") for path in MODULES}
    imported = {name: sources.imported(path.read_text(encoding="utf-8")) for path, name in names.items()}
    assert set(TopologicalSorter(imported).static_order()) == set(imported)  # a CycleError names the circle


def test_the_command_line_needs_nothing_that_is_not_installed_yet():
    """Options are checked before there is an environment: all that is reached has to be the standard library's."""
    script = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import gzutils.course.command_line as line; "
    script += "line.parse(['--profile', 'smoke']); print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", script]  # -S: without what is installed
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert {"gzutils.course.command_line", "gzutils.profiles", "gzutils.learning.recipe"} <= loaded
    assert {name.split(".")[0] for name in loaded} <= {*sys.stdlib_module_names, "gzutils", "__main__"}


@by_name
def test_no_module_is_longer_than_a_person_reads_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@by_name
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


DISTRIBUTIONS = packages_distributions()


def third_party(code):
    """The packages from elsewhere that some code imports, wherever in it, by the names of their distributions."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    elsewhere = names - sys.stdlib_module_names - {"gzutils", "google"}  # google.colab is Colab's own
    return {DISTRIBUTIONS[name][0].lower().replace("_", "-") for name in elsewhere if name in DISTRIBUTIONS}


def declared(*lines):
    found = [re.match(r"[\w-]+", line) for line in lines]
    return {name[0].lower().replace("_", "-") for name in found if name}


def test_whatever_is_imported_is_declared():
    """It would be missing as soon as the package that brings it along no longer does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    needed = declared(*(ROOT / "requirements.txt").read_text().splitlines())
    extras = {name: declared(*lines) for name, lines in project.items()}
    kit = [path.read_text() for path in (ROOT / "gzutils").rglob("*.py")]
    notebooks = [nbformat.read(path, as_version=4) for path in (ROOT / "notebooks").glob("*.ipynb")]
    kit += [
        cell.source for book in notebooks for cell in book.cells if cell.cell_type == "code" and "%" not in cell.source
    ]
    optional = extras["jax"] | extras["fits"] | extras["onnx"]
    assert set().union(*map(third_party, kit)) - needed <= optional, "add it to requirements.txt"
    # The survey's tools are run by hand, beside real galaxies, and say themselves what they need.
    tests = [path.read_text() for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("survey_")]
    undeclared = set().union(*map(third_party, tests)) - needed - optional - extras["test"]
    assert not undeclared, "add it to the extra test in pyproject.toml"
