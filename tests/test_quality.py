"""What every commit keeps to: ruff on code and notebooks, no path of a machine, commands and links that exist."""

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

import gzutils
from gzutils.course import COURSE, command_line
from gzutils.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in COURSE]
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md"]
TOP_LEVEL = {
    "README.md", "requirements.txt", "constraints.txt", "pyproject.toml", "LICENSE", "run_all.sh",
    "notebooks", "gzutils", "data", "tests",
}  # fmt: skip


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_is_content(command):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "gzutils", "notebooks", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


def prose(page):
    """The Markdown of a page or a notebook."""
    if page.suffix != ".ipynb":
        return page.read_text()
    return "\n\n".join(c.source for c in nbformat.read(page, as_version=4).cells if c.cell_type == "markdown")


def headings(page):
    """The anchors of a page's headings, as GitHub makes them; a notebook's, as JupyterLab makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", prose(page), flags=re.DOTALL), re.MULTILINE)
    if page.suffix != ".ipynb":
        titles = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in titles}


@pytest.fixture(scope="module")
def tracked():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_top_level_holds_what_the_layout_says(tracked):
    names = {path.relative_to(ROOT).parts[0] for path in tracked}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_no_path_of_a_machine_is_tracked(tracked):
    for path in tracked:
        if path.suffix in {".py", ".md", ".sh", ".toml", ".txt", ".ipynb", ""}:
            assert not re.search(r"(?<![\w.])/(work|root|tmp|home/\w+|Users/\w+)/", path.read_text()), path


def commands():
    """All commands that the pages show: lines of shell blocks, and commands within a sentence."""
    shown = []
    for page in (*PAGES, *NOTEBOOKS):
        text = prose(page)
        lines = [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        lines += re.findall(r"`((?:\w+=\w+ )?(?:\./run_all\.sh|\.venv/bin/)[^`\n]*)`", text)
        shown += [(page.name, line.strip()) for line in lines if line.strip()]
    return shown


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_that_is_shown_exists(page, command, tmp_path):
    """Not run, but held against what there is: options, files, modules, parameters of notebooks."""
    words = shlex.split(command.replace("DIR", str(tmp_path)), comments=True)
    while words and re.fullmatch(r"\w+=\S+", words[0]):
        words = words[1:]
    match words:
        case ["./run_all.sh", "test" | "benchmark", *_] | ["./run_all.sh", "--help"]:
            pass
        case ["./run_all.sh", *options]:
            only = command_line.parse(options).only
            assert only is None or list((ROOT / "notebooks").glob(f"{only}_*.ipynb"))
        case [".venv/bin/jupyter", "lab", file]:
            assert (ROOT / file).is_file()
        case [".venv/bin/papermill", notebook, "out.ipynb", *parameters]:
            cells = nbformat.read(ROOT / notebook, as_version=4).cells
            (cell,) = (cell for cell in cells if "parameters" in cell.metadata.get("tags", []))
            assert parameters[::3] == ["-p"] * (len(parameters) // 3)
            assert set(parameters[1::3]) <= {line.split(" = ")[0] for line in cell.source.splitlines()}
        case [".venv/bin/python", "-m", "pytest", *arguments]:
            assert all((ROOT / word.split("::")[0]).exists() for word in arguments if word.startswith("tests/"))
        case [".venv/bin/python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case [".venv/bin/python", file, *_]:
            assert (ROOT / file).is_file()
        case [".venv/bin/pip", "install", what]:
            (extra,) = re.fullmatch(r"\.\[(\w+)\]", what).groups()
            assert extra in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        case ["export", *settings]:
            assert all("=" in setting for setting in settings)
        case _:
            pytest.fail(f"{page} shows a command of a new kind; tell this test how to check it: {command}")


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page):
    for target in re.findall(r"\]\((?!https?:|data:)([^)\s]+)\)", prose(page)):
        name, _, heading = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not heading or heading in headings(file), target


def test_the_readme_lists_every_notebook_by_its_number():
    listed = re.findall(r"^\| \[(\d\d) [^\]]+\]\(notebooks/([^)]+)\)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert listed == [(path.stem[:2], path.name) for path in NOTEBOOKS]


def test_the_docstring_of_the_package_names_every_room_and_plain_module():
    """And where it lists a room's modules, all of these; an ellipsis ends a list that is not whole."""
    package = Path(gzutils.__file__).parent
    drawn = [line.strip() for line in gzutils.__doc__.splitlines() if re.match(r"    \S", line)]
    named = [re.split(r" {3,}", line) for line in drawn]
    rooms = {name.rstrip("/"): words for (name, words) in named if name.endswith("/")}
    plain = {name for names, _ in named if not names.endswith("/") for name in names.split()}
    assert rooms.keys() == {path.parent.name for path in package.glob("*/__init__.py")}
    assert plain == {path.stem for path in package.glob("*.py")} - {"__init__"}
    for room in ("data", "learning", "tools"):
        there = {path.stem for path in (package / room).glob("*.py")} - {"__init__"}
        there |= {f"{path.parent.name}/" for path in (package / room).glob("*/__init__.py")}
        assert set(rooms[room].split(";")[0].split()) == there


@pytest.mark.parametrize("script", ["models.py", "survey_score.py", "survey_statistics.py"])
def test_the_benchmarks_that_take_options_start(script):
    """They are run by hand, on machines that are not at hand when the package changes."""
    path = ROOT / "tests" / "benchmarks" / script
    result = subprocess.run([sys.executable, path, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--galaxies" in result.stdout


def test_the_readme_explains_every_parameter():
    rows = re.findall(r"^\| `([A-Z_]+)` \| `(.+?)` \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    expected = [(name, repr(p.default).replace("'", '"'), p.meaning) for name, p in PARAMETERS.items()]
    assert rows == expected
