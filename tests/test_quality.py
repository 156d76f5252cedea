"""What every commit keeps to: ruff on code and notebooks, no path of a machine, links that lead somewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import gzutils
from gzutils.course import NAMES
from gzutils.models.networks import NETWORKS
from gzutils.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = [ROOT / "notebooks" / f"{name}.ipynb" for name in NAMES]
PAGES = [ROOT / name / "README.md" for name in (".", "data", "notebooks", "tests/benchmarks")]
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


def parameters_cell(notebook):
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    return cell


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


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page):
    for target in re.findall(r"\]\((?!https?:|data:)([^)\s]+)\)", prose(page)):
        name, _, heading = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not heading or heading in headings(file), target


def test_the_readme_is_read_in_three_minutes():
    """What only some need stands on a page of its own, one click away."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 130


def test_the_readme_lists_every_notebook_by_its_number():
    listed = re.findall(r"^\| \[(\d\d) [^\]]+\]\(notebooks/([^)]+)\)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert listed == [(path.stem[:2], path.name) for path in NOTEBOOKS]


def test_the_docstring_of_the_package_names_every_room_and_plain_module():
    """And where it lists a room's modules, all of these; an ellipsis ends a list that is not whole."""
    package = Path(gzutils.__file__).parent
    page = re.sub(r"\n {5,}", " ", gzutils.__doc__)  # a long list goes on in the next line
    drawn = [line.strip() for line in page.splitlines() if re.match(r"    \S", line)]
    named = [re.split(r" {3,}", line) for line in drawn]
    rooms = {name.rstrip("/"): words for (name, words) in named if name.endswith("/")}
    plain = {name for names, _ in named if not names.endswith("/") for name in names.split()}
    assert rooms.keys() == {path.parent.name for path in package.glob("*/__init__.py")}
    assert plain == {path.stem for path in package.glob("*.py")} - {"__init__"}
    for room in ("data", "learning", "tools"):
        there = {path.stem for path in (package / room).glob("*.py")} - {"__init__"}
        there |= {f"{path.parent.name}/" for path in (package / room).glob("*/__init__.py")}
        assert set(rooms[room].split(";")[0].split()) == there


@pytest.mark.parametrize(
    "script",
    [
        "models.py",
        "survey_score.py",
        "survey_statistics.py",
        "seeds.py",
        "gz2_requests.py",
        "asking.py",
        "dieleman_ideas.py",
    ],
)
def test_the_benchmarks_that_take_options_start(script):
    """They are run by hand, on machines that are not at hand when the package changes."""
    path = ROOT / "tests" / "benchmarks" / script
    result = subprocess.run([sys.executable, path, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--galaxies" in result.stdout


def test_the_page_beside_the_notebooks_explains_every_parameter():
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| `(.+?)` \| (.+) \|$", (ROOT / "notebooks" / "README.md").read_text(), re.MULTILINE
    )
    expected = [(name, repr(p.default).replace("'", '"'), p.meaning) for name, p in PARAMETERS.items()]
    assert rows == expected


def test_the_readmes_figures_are_those_of_the_stored_outputs():
    """Store the outputs anew, and README has to say what they say then."""
    cells = nbformat.read(ROOT / "notebooks" / "02_parallel_cnn.ipynb", as_version=4).cells
    printed = "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))
    page = " ".join((ROOT / "README.md").read_text().split())
    number, interval = r"(0\.\d{4})", r"\(95 % interval (0\.\d{4}) to (0\.\d{4})\)"
    said = re.search(
        rf"test RMSE {number} {interval}, where guessing the mean answer gives {number} "
        rf"and the scatter of the votes alone {number}",
        page,
    )
    stored = re.search(
        rf"test RMSE {number} {interval}\nguessing the mean {number}.*\nthe noise floor {number}", printed
    )
    assert said.groups() == stored.groups()


def test_the_benchmarks_page_says_of_the_large_run_what_its_records_say():
    """Ship another large run, and the page has to say what that one reached, and in which time."""
    page = (ROOT / "tests" / "benchmarks" / "README.md").read_text()
    number = r"(0\.\d{4})"
    row = rf"^\| (.+?)(?:, a head .+?)? \| {number} \((?:95 % interval )?{number} to {number}\) \| (0\.\d{{3}}) "
    row += r"\| (\d+), (\d+) \| ([\d.]+) s, "
    said = {name: found for name, *found in re.findall(row, page, re.MULTILINE)}
    measured = {}
    for folder in (ROOT / "gzutils" / "trained" / "large_run").iterdir():
        metrics = json.loads((folder / "metrics.json").read_text())
        error, guess = metrics["rmse"]["test"], metrics["mean_guess_test_rmse"]
        measured[NETWORKS[folder.name].title] = [
            *(f"{one:.4f}" for one in (error, *metrics["test_rmse_interval"])),
            f"{error / guess:.3f}",
            *(str(metrics[name]) for name in ("epochs", "best_epoch")),
            f"{metrics['seconds_per_epoch']:.1f}",
        ]
    assert said == measured
