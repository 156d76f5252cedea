"""A run as pages: what there is, what failed and what is missing, and nothing that needs a network."""

import base64
import io
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from gzutils.course import NAMES, pages
from gzutils.models import networks as networks_table
from gzutils.models import shipped
from gzutils.models.networks import GALAXIES_START
from gzutils.tools import files, records

ROOT = Path(__file__).resolve().parents[1]
BADGE = "[![Open In Colab](https://example.org/badge.svg)](https://example.org/colab)"
PROSE = f"# 2. A & B\n\n{BADGE}\n\nThe mean $\\frac{{1}}{{N}}$ costs `$5`. See [1](01_first.ipynb#top).\n\n$$a_n = b$$"
RESULTS = """# Results of the run x

Of the 9 test galaxies.

## Table 1

| | RMSE |
| --- | --- |
| CNN | 0.1234 |

![curve](figures/curve.png)

*curve*

## Only a picture

![curve](figures/curve.png)

*curve*
"""


def png(value):
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def shown(data, caption):
    encoded = {"image/png": base64.b64encode(data).decode()}
    return new_output("display_data", encoded, metadata={"image/png": {"alt": caption}})


def executed(title, *outputs):
    return new_notebook(cells=[new_markdown_cell(title), new_code_cell("1 + 1", outputs=list(outputs))])


@pytest.fixture
def run(tmp_path):
    """Of four notebooks one is finished, one failed, one was cut off, one has not run."""
    course, run = tmp_path / "notebooks", tmp_path / "runs" / "x"
    course.mkdir()
    for name in ("01_first", "02_second", "03_third", "04_fourth"):
        nbformat.write(executed(f"# {int(name[:2])}. The {name[3:]}"), course / f"{name}.ipynb")
    (run / "notebooks").mkdir(parents=True)
    for name, data in (("one", png(1)), ("two", png(2))):
        with files.whole_file(run / "02_second" / "figures" / f"{name}.png") as beside:
            beside.write_bytes(data)
    outputs = [shown(png(2), 'the "second" <b>'), shown(png(1), "the first"), shown(png(3), "of an earlier run")]
    nbformat.write(executed(PROSE, *outputs), run / "notebooks" / "02_second.ipynb")
    records.write_json(run / "notebooks" / "02_second.json", {})
    error = new_output("error", ename="ValueError", evalue="no <such> galaxy", traceback=[])
    nbformat.write(executed("# 3. The third", error), run / "notebooks" / "03_third.ipynb")
    (run / "notebooks" / "04_fourth.ipynb").write_text("{cut")
    records.write_json(run / "run.json", {"profile": "quick", "data": "simulated", "galaxies": 2500, "seed": 3})
    return run


def written(run):
    index = pages.write_pages(run, sorted((run.parents[1] / "notebooks").glob("*.ipynb")))
    assert index == run / "index.html"
    return BeautifulSoup(index.read_text(), "html.parser")


def text_of(page):
    return " ".join(page.get_text().split())


def from_elsewhere(page):
    """What a browser would fetch by itself that is not in the page or beside it."""
    loading = page.find_all(["img", "script", "link", "iframe", "source", "video", "object"])
    places = [tag.get(key, "") for tag in loading for key in ("src", "href", "srcset", "data")]
    places += re.findall(r"url\(\s*['\"]?([^'\")]+)", str(page.find_all("style")))
    places += re.findall(r"@import\s+['\"]([^'\"]+)", str(page.find_all("style")))
    return [place for place in places if re.match(r"(https?:)?//", place.strip().replace("\\", "/"))]


def test_each_notebook_is_listed_with_what_became_of_it(run):
    page = written(run)
    items = [" ".join(item.get_text().split()) for item in page.find(id="notebooks").find_next("ul").find_all("li")]
    assert items == [
        "1. The first (not run yet)",
        "2. The second, figures",
        "3. The third (failed: ValueError: no <such> galaxy)",
        "4. The fourth (failed: the executed notebook is damaged)",
    ]
    (run / "notebooks" / "02_second.json").unlink()
    assert "2. The second, figures (cut off)" in text_of(written(run))


def test_every_link_of_the_index_leads_to_a_file_or_place_that_is_there(run):
    page = written(run)
    links = [link["href"] for link in page.find_all("a")]
    assert "notebooks/02_second.html" in links
    for link in links:
        assert page.find(id=link[1:]) if link.startswith("#") else (run / link).is_file(), link


def test_the_figures_stand_in_the_order_of_the_story_with_their_captions(run):
    figures = written(run).find_all("figure")
    assert [figure.img["src"] for figure in figures] == ["02_second/figures/two.png", "02_second/figures/one.png"]
    assert [figure.img["alt"] for figure in figures] == ['the "second" <b>', "the first"]
    assert [figure.figcaption.get_text() for figure in figures] == ['the "second" <b>', "the first"]


def test_what_run_it_is_and_with_which_first_weights(run):
    page = text_of(written(run))
    assert "2,500 simulated galaxies, profile quick" in page
    assert "seed 3" in page
    assert "are not the report's" in page
    assert "random initial weights" not in page
    for name in ("vgg16", "resnet50"):
        metrics = {
            "model": name,
            "initial_weights": "random initial weights",
            "device": "cpu:0",
            "versions": {"keras": "3"},
        }
        records.write_json(run / f"0_{name}" / "metrics.json", metrics)
    assert "VGG16 and ResNet50 started from random initial weights" in text_of(written(run))
    records.write_json(
        run / "0_vgg16" / "metrics.json", metrics | {"model": "vgg16", "initial_weights": GALAXIES_START}
    )
    page = text_of(written(run))
    assert "VGG16 started from simulated galaxies' properties (a quarter of the filters), not" in page
    assert "ResNet50 started from random initial weights, not" in page
    records.write_json(run / "run.json", {"profile": "report", "data": "kaggle", "galaxies": 61578, "seed": 0})
    assert "are not the report's" not in text_of(written(run))


def test_what_stands_in_the_runs_files_is_text_and_not_html(run):
    made = {"profile": "<i>own</i>", "data": "<i>own</i>", "galaxies": 2500, "seed": "<i>0</i>"}
    records.write_json(run / "run.json", made)
    machine = {"device": "<i>cpu</i>", "versions": {"<i>keras</i>": "<i>3</i>"}}
    records.write_json(run / "0_x" / "metrics.json", machine | {"threads": "<i>2</i>", "instruction_set": "<i>AVX</i>"})
    page = written(run)
    assert not page.find_all("i")
    assert "2,500 <i>own</i> galaxies, profile <i>own</i>, seed <i>0</i>." in text_of(page)
    assert "<i>cpu</i>; <i>2</i> threads, <i>AVX</i>; <i>keras</i> <i>3</i>" in text_of(page)


HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<a href=javascript:alert(1)>a</a>",
    "<a href=data:text/html,<script>alert(1)</script>>a</a>",
    "<svg onload=alert(1)>",
    "<img src=https://example.org/seen.png>",
    '<img src=" https://example.org/seen.png">',
    '<img src="\\\\example.org/seen.png">',
    '<a href=" DATA:text/html,<b>a</b>">a</a>',
    "<style>@import url(https://example.org/a.css)</style>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_runs_nothing_and_fetches_nothing_wherever_it_stands(run, text):
    """Each place was seen to let it through without `HARMLESS` there, and the last two without `SHOWN`."""
    outputs = [new_output("display_data", {kind: text}) for kind in ("text/html", "text/markdown", "text/plain")]
    outputs += [new_output("display_data", {"application/javascript": "alert(1)"})]
    outputs += [new_output("display_data", {"text/vnd.mermaid": text}), new_output("stream", text=text)]
    nbformat.write(executed(f"# 2. {text}\n\n{text}", *outputs), run / "notebooks" / "02_second.ipynb")
    files.write_text(run / "08_results" / "results.md", f"# Results\n\n{text}\n\n## Table\n\n| {text} |\n| --- |\n")
    written(run)
    for path in (run / "index.html", run / "notebooks" / "02_second.html"):
        page = BeautifulSoup(path.read_text(), "html.parser")
        assert not from_elsewhere(page)
        assert not page.find_all("script")
        for tag in page.find_all(True):
            assert not [name for name in tag.attrs if name.startswith("on")], tag
            assert not str(tag.get("href", "")).strip().lower().startswith(("javascript:", "data:")), tag


def test_every_network_with_pretrained_weights_is_named_by_its_title(run, monkeypatch):
    networks = {name: networks_table.Network(name, name.title(), "", "", pretrained=name != "own") for name in
                ("first", "second", "own")}  # fmt: skip
    monkeypatch.setattr(pages, "NETWORKS", networks)
    for name in networks:
        metrics = {"model": name, "initial_weights": "random initial weights"}
        records.write_json(run / f"0_{name}" / "metrics.json", metrics)
    assert "First and Second started from random initial weights" in text_of(written(run))


def test_an_installed_package_has_the_templates_and_the_trained_networks(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(ROOT / "gzutils", source / "gzutils", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "-w", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name for name in names if name.endswith(".j2")}
    assert inside == {f"gzutils/course/templates/{name}" for name in pages.TEMPLATES.list_templates()}
    assert inside
    trained = {path.relative_to(ROOT).as_posix() for path in shipped.TRAINED.rglob("*") if path.is_file()}
    assert trained <= set(names)
    assert "gzutils/trained/parallel_cnn.keras" in trained


def test_the_tables_of_notebook_08_stand_without_its_pictures(run):
    assert "notebook 08, which has not run yet" in text_of(written(run))
    files.write_text(run / "08_results" / "results.md", RESULTS)
    page = written(run)
    cells = [cell.get_text() for cell in page.table.find_all("td")]
    assert cells == ["CNN", "0.1234"]
    assert "Of the 9 test galaxies." in page.get_text()
    assert "Only a picture" not in page.get_text()
    assert not page.find("img", src="figures/curve.png")


def test_a_notebooks_page_needs_nothing_from_elsewhere(run):
    assert not from_elsewhere(written(run))
    page = BeautifulSoup((run / "notebooks" / "02_second.html").read_text(), "html.parser")
    assert not from_elsewhere(page)
    assert not page.find_all("script")
    formulas = page.find_all("img", class_="formula")
    assert [formula["alt"] for formula in formulas] == [r"\frac{1}{N}", "a_n = b"]
    assert all(formula["src"].startswith("data:image/svg+xml;base64,") for formula in formulas)
    assert "<svg" in base64.b64decode(formulas[0]["src"].split(",")[1]).decode()
    assert "$5" in page.get_text()
    assert page.find("a", href="https://example.org/colab").get_text() == "Open In Colab"
    assert page.find("a", href="01_first.html#top")
    assert page.find("a", href="../index.html")


def test_every_formula_of_the_course_can_be_drawn(tmp_path):
    for path in (ROOT / "notebooks" / f"{name}.ipynb" for name in NAMES):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                assert "<code>" not in pages._offline_text(cell.source), cell.source


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "["),
        ("run.json", "[]"),
        ("02_second/metrics.json", "3"),
        ("08_results/results.md", ""),
        ("08_results/results.md", "# one line"),
    ],
)
def test_the_pages_are_written_whatever_a_notebook_left(run, name, content):
    files.write_text(run / name, content)
    page = written(run)
    assert "2. The second, figures" in text_of(page)
    assert (run / "notebooks/02_second.html").is_file()


@pytest.mark.parametrize("data", [{"image/png": "a"}, {"image/svg+xml": 3}, {"text/markdown": 3}])
def test_a_notebook_that_no_page_can_be_made_of_costs_its_own_page_alone(run, data):
    executed_file = run / "notebooks" / "01_first.ipynb"
    nbformat.write(executed("# 1. The first", new_output("display_data", {"text/plain": "x"})), executed_file)
    notebook = records.read_json(executed_file)
    notebook["cells"][1]["outputs"][0]["data"] = data
    records.write_json(executed_file, notebook)
    items = [" ".join(item.get_text().split()) for item in written(run).find(id="notebooks").find_next("ul")("li")]
    assert items[0].startswith("1. The first (")
    assert items[1] == "2. The second, figures"
    assert (run / "notebooks/02_second.html").is_file()


def test_a_formula_beyond_mathtext_stays_readable():
    assert pages._offline_text(r"$\begin{cases}a<b\end{cases}$") == r"<code>\begin{cases}a&lt;b\end{cases}</code>"


def test_the_courses_own_notebooks_need_nothing_from_elsewhere(tmp_path):
    (tmp_path / "run/notebooks").mkdir(parents=True)
    notebooks = sorted((ROOT / "notebooks").glob("0[27]_*.ipynb"))
    for path in notebooks:
        (tmp_path / "run/notebooks" / path.name).write_bytes(path.read_bytes())
    pages.write_pages(tmp_path / "run", notebooks)
    for path in notebooks:
        page = BeautifulSoup((tmp_path / "run/notebooks" / f"{path.stem}.html").read_text(), "html.parser")
        assert not from_elsewhere(page)
        assert not page.find_all("script")
        assert len(page.find_all("img")) > 5
