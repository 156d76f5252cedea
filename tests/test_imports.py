"""The package's shape: imported in a moment, read from top to bottom, no module too long."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gzutils

PACKAGE = Path(gzutils.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = ("keras", "tensorflow", "jax", "torch", "matplotlib", "pandas", "PIL", "papermill")
STANDALONE = ("command_line",)  # runs before anything is installed
# The docstring of the package gives the order; `files`, `progress` and `workers` serve all.
ORDER = ["files", "progress", "workers", *re.findall(r"`(\w+)`", gzutils.__doc__.split("modules before it")[0])]


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


def stages_of(path):
    """The first names below gzutils among a file's imports."""
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("gzutils.")}


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


@pytest.mark.parametrize("stage", ["preprocessing", "simulation", "profiles"])
def test_what_comes_before_the_models_needs_no_keras(stage):
    loaded = loaded_by(f"import gzutils.{stage}")
    assert f"gzutils.{stage}" in loaded
    assert not {"keras", "tensorflow", "jax"} & loaded


def test_every_module_has_its_place_in_the_order_of_the_package():
    stages = {name_of(path).split(".")[0] for path in MODULES} - {""}
    assert not stages - set(ORDER), "give the new module its place in the docstring of gzutils/__init__.py"
    assert not set(ORDER) - stages, "the docstring of gzutils/__init__.py names modules that are not there"
    assert len(ORDER) == len(set(ORDER))


@by_name
def test_a_module_imports_only_modules_before_it(path):
    stage = name_of(path).split(".")[0]
    place = ORDER.index(stage) if stage else 0
    later = {name for name in stages_of(path) - {stage} if name not in ORDER[:place]}
    assert not later, f"{path.name} imports {later}, which come after it"


@pytest.mark.parametrize("name", STANDALONE)
def test_the_command_line_needs_nothing_that_is_not_installed_yet(name):
    """Options are checked before there is an environment: the standard library and the two have to do."""
    for path in (PACKAGE / f"{one}.py" for one in (name, "profiles", "parameters", "__init__")):
        foreign = {imported.split(".")[0] for imported in imports_of(path)} - sys.stdlib_module_names - {"gzutils"}
        assert not foreign
        assert stages_of(path) <= {"profiles", "parameters"}


@by_name
def test_no_module_is_longer_than_a_person_reads_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@by_name
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
