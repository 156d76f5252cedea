"""The kit's address: one constant, and badges, set-up cells and README that say the same."""

import re
import shutil
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

from gzutils.course import NAMES, colab, repository

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in NAMES]
COMMAND = "run python -m gzutils.course.repository"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_badge_and_set_up_cell_lead_to_the_notebook_itself(path):
    cells = nbformat.read(path, as_version=4).cells
    place = path.relative_to(ROOT).as_posix()
    colab = repository.ADDRESS.replace("github.com", "colab.research.google.com/github")
    links = re.findall(r"\]\((https://colab[^)]*/github/[^)]*)\)", cells[0].source)
    assert links == [f"{colab}/blob/{repository.BRANCH}/{place}"], COMMAND
    set_up = next(cell for cell in cells if cell.cell_type == "code").source
    assert set_up == repository.set_up_cell(), COMMAND


def test_the_readme_says_the_same_and_its_badge_leads_to_a_file():
    text = (ROOT / "README.md").read_text()
    places = re.findall(r"https://colab\.research\.google\.com/github/[^)\s]+", text)
    assert places
    for place in places:
        start = repository.colab_link() + "/"
        assert place.startswith(start), COMMAND
        assert (ROOT / place.removeprefix(start)).is_file()
    installs = re.findall(r"git\+https[^\s`)]+", text)
    assert set(installs) == {repository.install_link()}, COMMAND


def set_up_on_colab(address, branch, monkeypatch):
    """What the set-up cell installs on Colab; `%pip install` is written down in place of being run."""
    asked = []
    shell = InteractiveShell()
    monkeypatch.setitem(sys.modules, "google.colab", type(sys)("google.colab"))
    monkeypatch.setattr(colab, "set_up", lambda on_drive: None)
    shell.register_magic_function(asked.append, magic_name="pip")
    result = shell.run_cell(repository.set_up_cell(address, branch))
    return asked, str(result.error_in_exec)


def test_while_no_address_is_set_colab_installs_nothing_and_the_cell_says_why(monkeypatch):
    """A badge and a cell that name an account that anyone may open would run that one's code."""
    unpublished = f"{repository.UNPUBLISHED}galaxy-zoo-kit"
    asked, said = set_up_on_colab(unpublished, "main", monkeypatch)
    assert (asked, said) == ([], repository.REFUSAL)
    account = repository.UNPUBLISHED.split("/")[3]
    assert not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", account), "GitHub might have an account of that name"


@pytest.mark.parametrize("version", ["main", "v1.2", "3c7a3f0"])
def test_once_it_is_set_colab_installs_from_there_a_branch_a_tag_or_a_commit(version, monkeypatch):
    asked, _ = set_up_on_colab("https://github.com/me/kit", version, monkeypatch)
    assert asked == [f"install --quiet git+https://github.com/me/kit@{version}"]


@pytest.fixture
def checkout(tmp_path):
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / repository.THIS_FILE).parent.mkdir(parents=True)
    for name in ("README.md", repository.THIS_FILE):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_here_everything_says_so_already(checkout):
    assert repository.write_everywhere(checkout, repository.ADDRESS, repository.BRANCH) == []


def test_another_address_is_written_everywhere_and_nothing_else_changes(checkout):
    before = contents(checkout)
    address, branch = "https://github.com/me/my.kit", "try/colab"
    changed = repository.write_everywhere(checkout, address, branch)
    assert len(changed) == len(NOTEBOOKS) + 2
    for path in changed:
        text = path.read_text()
        assert repository.ADDRESS.removeprefix("https://github.com/") not in text
        assert "me/my.kit" in text
    constants = {}
    exec((checkout / repository.THIS_FILE).read_text().split("ROOT =")[0], constants)
    assert (constants["ADDRESS"], constants["BRANCH"]) == (address, branch)
    assert repository.write_everywhere(checkout, address, branch) == []
    repository.write_everywhere(checkout, repository.ADDRESS, repository.BRANCH)
    assert contents(checkout) == before


def test_what_else_lies_beside_the_courses_notebooks_is_left_alone(checkout):
    path = checkout / "notebooks/02_parallel_cnn-Copy1.ipynb"
    path.write_text("{}")
    repository.write_everywhere(checkout, "https://github.com/me/kit", "main")
    assert path.read_text() == "{}"


@pytest.mark.parametrize(
    ("address", "branch", "words"),
    [
        ("https://gitlab.com/me/kit", "main", "Colab opens notebooks from GitHub"),
        ("git@github.com:me/kit", "main", "not like https://github.com/YOU/YOUR-KIT"),
        ("https://github.com/me/kit", "a branch", "'a branch' is not the name of a branch"),
    ],
)
def test_what_is_no_address_is_refused_and_nothing_written(checkout, address, branch, words):
    before = contents(checkout)
    with pytest.raises(ValueError, match=words):
        repository.write_everywhere(checkout, address, branch)
    assert contents(checkout) == before


@pytest.mark.parametrize(
    ("cell", "source", "words"),
    [(0, "# A title", "no line with a badge"), (1, "print(1)", "first code cell is not the set-up cell")],
)
def test_a_notebook_without_its_first_cells_is_named_and_nothing_written(checkout, cell, source, words):
    path = checkout / "notebooks" / NOTEBOOKS[-1].name
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[cell].source = source
    nbformat.write(notebook, path)
    before = contents(checkout)
    with pytest.raises(ValueError, match=f"{path.name}: .*{words}"):
        repository.write_everywhere(checkout, "https://github.com/me/kit", "main")
    assert contents(checkout) == before


def test_the_command_takes_what_a_browser_shows(checkout, monkeypatch, capsys):
    monkeypatch.setattr(repository, "ROOT", checkout)
    repository.main(["https://github.com/me/kit.git/"])
    assert "https://github.com/me/kit, branch main: " in capsys.readouterr().out
    with pytest.raises(SystemExit, match="Colab opens notebooks from GitHub"):
        repository.main(["me/kit"])
    shutil.rmtree(checkout / "notebooks")
    with pytest.raises(SystemExit, match="a command for a checkout"):
        repository.main([])
