"""What a result's code is: exactly the modules that it depends on, and of these the code without its words."""

import shutil
from pathlib import Path

import keras
import nbformat
import numpy as np
import PIL
import pytest
from conftest import write_challenge
from nbformat.v4 import new_code_cell, new_notebook

from gzutils.course import pipeline
from gzutils.data import preprocessing
from gzutils.data.simulation import survey
from gzutils.data.store import Examples, split_galaxies
from gzutils.data.view import REPORT_VIEW
from gzutils.learning import training
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.recipe import Recipe
from gzutils.models.simple_cnn import simple_cnn
from gzutils.models.vision_transformer import vision_transformer
from gzutils.tools import sources

WORDY = '''"""A module."""

# A comment of its own line.
import os  # and one behind code


class Box:
    """A class."""

    size = "# no comment"

    def grow(self):
        """A function,

        in several lines.
        """
        text = """no docstring"""
        return text, os.sep  # done
'''
PLAIN = '''import os
class Box:
    size = "# no comment"
    def grow(self):
        text = """no docstring"""
        return text, os.sep'''


def test_only_comments_docstrings_and_empty_lines_are_dropped():
    assert sources.code_alone(WORDY) == PLAIN
    assert sources.code_alone(PLAIN) == PLAIN


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that lets some folder stand in for the package."""

    def stand_in(folder: Path) -> Path:
        monkeypatch.setattr(sources, "PACKAGE", folder)
        sources._path.cache_clear()
        return folder

    yield stand_in
    monkeypatch.undo()
    sources._path.cache_clear()


@pytest.fixture
def small(package, tmp_path):
    """Four modules, each of which imports the next; the last but one within a function."""
    folder = package(tmp_path / "gzutils")
    (folder / "room").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "room" / "__init__.py").touch()
    (folder / "first.py").write_text("from gzutils.room import second\n")
    (folder / "room" / "second.py").write_text("import numpy\nimport gzutils.third\n")
    (folder / "third.py").write_text("def late():\n    from gzutils import fourth\n")
    (folder / "fourth.py").write_text("import os\n")
    (folder / "alone.py").write_text("x = 1\n")
    return folder


def test_what_is_reached_by_way_of_others_is_reached(small):
    later = {"gzutils", "gzutils.third", "gzutils.fourth"}
    assert sources.reached(["gzutils.first"]) == {"gzutils.first", "gzutils.room", "gzutils.room.second"} | later
    assert sources.reached(["gzutils.fourth"]) == {"gzutils.fourth"}
    assert sources.reached(["gzutils.first"], but="gzutils.room") == {"gzutils.first"}
    assert sources.imported("from gzutils.room import second, nothing\nimport nowhere") == {
        "gzutils.room",
        "gzutils.room.second",
    }


def test_the_digits_follow_the_code_and_the_names_and_nothing_else(small, package, tmp_path):
    names = {"gzutils.first", "gzutils.room.second"}
    first = sources.modules_fingerprint(names)
    (small / "first.py").touch()
    (small / "notes.txt").write_text("x")
    package(shutil.copytree(small, tmp_path / "elsewhere" / "gzutils"))
    assert sources.modules_fingerprint(sorted(names) * 2) == first, "neither times, other files nor the place matter"
    package(small)
    (small / "first.py").write_text("from gzutils.room import second  # as before\n")
    assert sources.modules_fingerprint(names) == first
    (small / "first.py").write_text("from gzutils.room import second as other\n")
    second = sources.modules_fingerprint(names)
    third = sources.modules_fingerprint({*names, "gzutils.alone"})
    assert len({first, second, third}) == 3


# ---- what results depend on


@pytest.fixture
def copied(package, tmp_path):
    """The kit's own code, which a test may change."""
    return package(shutil.copytree(sources.PACKAGE, tmp_path / "gzutils"))


@pytest.fixture(scope="module")
def networks():
    keras.utils.set_random_seed(0)
    return {"simple": simple_cnn(0.125), "transformer": vision_transformer(depth=1)}


def of_training(model) -> dict:
    """What a training of this model remembers."""
    examples = Examples(np.zeros((20, 64, 64, 3), np.uint8), np.zeros((20, 37), np.float32), "12345678")
    recipe = Recipe(2, 2, loss=ConstrainedMeanSquaredError(), augmentation=RandomAffine())
    made = recipe.made()
    parts = [made["augmentation"], made["optimizer"], made["loss"], *made["metrics"]]
    return training._identity(model, examples, split_galaxies(20), recipe, parts, 0)


def of_notebook(tmp_path: Path) -> dict:
    """The state of a notebook that trains and draws."""
    cells = ["from gzutils.learning import training, losses", "from gzutils.plots.history import training_history"]
    source = nbformat.from_dict(new_notebook(cells=[new_code_cell(cell) for cell in cells]))
    return pipeline._state(source, {"DATA_DIR": None}, tmp_path)


def of_all(networks, tmp_path) -> tuple:
    return *map(of_training, networks.values()), survey.identity(0), of_notebook(tmp_path)


def change(path: Path, addition: str) -> None:
    """Adds to a module's end."""
    path.write_text(path.read_text(encoding="utf-8") + addition, encoding="utf-8")


def test_a_new_module_and_other_words_void_nothing(copied, networks, tmp_path):
    before = of_all(networks, tmp_path)
    (copied / "models" / "empty.py").touch()
    change(copied / "plots" / "history.py", "# One word more.\n")
    for path in (copied / "learning" / "training.py", copied / "learning" / "losses.py"):
        path.write_text(path.read_text().replace('"""', '"""In other words: ', 1))
    assert of_all(networks, tmp_path) == before


CODE = "\nEXTRA = 1\n"


@pytest.mark.parametrize(
    "name",
    [
        "learning/losses.py",
        "learning/augmentation.py",
        "learning/training.py",
        "learning/batches.py",
        "tools/backend.py",
        "decision_tree.py",
    ],
)
def test_other_code_of_what_a_training_depends_on_voids_it(copied, networks, name):
    before = of_training(networks["simple"])
    change(copied / name, CODE)
    after = of_training(networks["simple"])
    assert {key for key in before if before[key] != after[key]} == {"code of gzutils"}


@pytest.mark.parametrize(
    "name",
    [
        "models/simple_cnn.py",
        "plots/history.py",
        "learning/metrics.py",
        "tools/files.py",
        "course/runs.py",
        "parameters.py",
    ],
)
def test_other_code_elsewhere_voids_no_training(copied, networks, name):
    """The last counted by way of `tools`: a parameter's new meaning voided all trainings."""
    before = [of_training(model) for model in networks.values()]
    change(copied / name, CODE)
    assert [of_training(model) for model in networks.values()] == before


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("data/jpegs.py", True),
        ("data/view.py", True),
        ("data/preprocessing.py", True),
        ("data/solutions.py", True),
        ("data/store.py", False),
        ("learning/training.py", False),
        ("tools/files.py", False),
    ],
)
def test_other_code_between_jpeg_and_store_makes_another_store(copied, name, counts):
    """Such as another resampling, which once went on with the old pixels."""
    before = preprocessing._settings(REPORT_VIEW)
    change(copied / name, CODE)
    after = preprocessing._settings(REPORT_VIEW)
    assert {key for key in before if before[key] != after[key]} == ({"code of gzutils"} if counts else set())


def test_other_libraries_between_jpeg_and_store_make_another_store(tmp_path, monkeypatch):
    raw = write_challenge(tmp_path / "raw", [100001])
    stores = {preprocessing.find_or_make_store("kaggle", tmp_path, raw) for _ in range(2)}
    assert len(stores) == 1
    monkeypatch.setattr(PIL, "__version__", "99.0")
    stores.add(preprocessing.find_or_make_store("kaggle", tmp_path, raw))
    monkeypatch.setattr(preprocessing, "version", lambda library: "99.0")
    stores.add(preprocessing.find_or_make_store("kaggle", tmp_path, raw))
    assert len(stores) == 3


def test_the_code_of_a_layer_counts_for_the_networks_that_have_it(copied, networks):
    before = {name: of_training(model) for name, model in networks.items()}
    change(copied / "models" / "vision_transformer.py", CODE)
    assert of_training(networks["simple"]) == before["simple"]
    assert of_training(networks["transformer"]) != before["transformer"]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("plots/history.py", True),
        ("plots/style.py", True),
        ("tools/files.py", True),
        ("plots/walk.py", False),
        ("course/results.py", False),
    ],
)
def test_a_notebook_runs_again_after_a_change_of_what_it_imports_and_only_then(copied, tmp_path, name, counts):
    before = of_notebook(tmp_path)
    change(copied / name, CODE)
    assert (of_notebook(tmp_path) != before) == counts
