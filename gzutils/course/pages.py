"""A run as pages to browse: `index.html` with results, figures and notebooks, and each notebook as HTML.

They open from disk without a network. nbconvert's own pages fetch MathJax and other scripts from elsewhere; here no
page has a script, whatever stands in a notebook's outputs. A formula is a small SVG that matplotlib's mathtext draws:
nothing to install, a few kilobytes each. A formula that mathtext can't draw stands as its LaTeX.
"""

import base64
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.style
import nbformat
import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from nbformat import NotebookNode

from gzutils import report
from gzutils.models.networks import GALAXIES_START, NETWORKS, RANDOM_START
from gzutils.profiles import PROFILES
from gzutils.tools import files, records

TITLE = "Galaxy morphology, learned from a crowd"
TEMPLATES = Environment(
    loader=PackageLoader("gzutils.course"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
CODE = r"(?P<code>```.*?```|`[^`\n]*`)"
FORMULA = re.compile(CODE + r"|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+?)\$", re.DOTALL)
REMOTE_IMAGE = re.compile(r"!\[([^\]]*)\]\(https?://[^)]*\)")
TO_NOTEBOOK = re.compile(r"\]\((\d\d_\w+)\.ipynb(#[^)]*)?\)")
SHOWN = ("image/png", "image/jpeg", "text/html", "text/markdown", "text/plain")  # of an output, and nothing that runs


def _kept(tag: str, name: str, value: str) -> str | None:
    """The value of an attribute; None where a browser would fetch it from elsewhere, or run what a link holds."""
    read = re.sub(r"[\0- ]", "", value).replace("\\", "/").lower()  # as a browser takes it
    if (tag, name) == ("img", "src"):
        return value if read.startswith("data:image/") or not re.match(r"[\w+.-]+:|//", read) else None
    return None if read.startswith("data:") else value


HARMLESS = nh3.Cleaner(
    attributes=nh3.ALLOWED_ATTRIBUTES | {"*": {"class", "id", "style"}},
    attribute_filter=_kept,
    filter_style_properties={"height", "vertical-align", "text-align"},
    url_schemes={"http", "https", "mailto", "data"},
    link_rel=None,
)


@dataclass
class _Notebook:
    """One notebook of the course in this run. executed: None where it has not run, or its file is damaged."""

    name: str
    title: str
    state: str
    executed: NotebookNode | None = None
    figures: list[tuple[str, str]] = field(default_factory=list)  # file below the run's folder, caption


def write_pages(run: Path, notebooks: list[Path]) -> Path:
    """Writes each executed notebook of a run as HTML beside it, and `index.html`, which leads to them.

    Args:
        run: the run's folder, `runs/<name>`.
        notebooks: the course's notebooks, in order; those that have not run in it are listed as such.

    Returns:
        The path of `index.html`.
    """
    found = [_look_at(run, path) for path in notebooks]
    # nbconvert's own environment knows the template that this one extends.
    extension, _, _ = TEMPLATES.loader.get_source(TEMPLATES, "notebook.html.j2")
    exporter = HTMLExporter(template_name="lab", raw_template=extension, sanitize_html=True)
    exporter.register_filter("clean_html", HARMLESS.clean)  # nbconvert's own leaves no table and no picture
    for one in found:
        if one.executed is not None:
            try:
                page, _ = exporter.from_notebook_node(_offline(one.executed), {"metadata": {"name": one.title}})
            except Exception as error:  # whatever a notebook put out, the others get their pages
                one.executed, one.state = None, f"failed: no page can be made of it, {files.first_line(error)}"
                continue
            files.write_text(run / "notebooks" / f"{one.name}.html", page)
    page = TEMPLATES.get_template("run.html.j2").render(
        title=TITLE, run=run.name, notebooks=found, profiles=PROFILES, results=_results(run), **_summary(run)
    )
    files.write_text(run / "index.html", page)
    return run / "index.html"


def write_results_so_far(run: Path, notebooks: list[Path]) -> Path:
    """Writes `results.md` of a run whose notebook 08 has not come to its end: what there is so far, what is missing.

    Notebook 08 writes its own in its place.

    Args:
        run, notebooks: as of `write_pages`.

    Returns:
        The path of `results.md`.
    """
    found = [_look_at(run, path) for path in notebooks]
    measured = {metrics.get("model"): metrics for metrics in _metrics(run)}
    lines = [
        f"# Results of the run {run.name}, so far",
        "Notebook 08 has not run with all of this yet: these are the numbers that the other notebooks left. "
        "The same command goes on from here.",
        "## Table 1, as far as it goes",
        "| | test RMSE, report | test RMSE, this run |\n| --- | --- | --- |\n"
        + "\n".join(
            f"| {NETWORKS[name].title} | {said['test_rmse']:.4f} | {_test_rmse(measured.get(name))} |"
            for name, said in report.RESULTS.items()
        ),
        "## Missing",
        "\n".join(f"- {one.title}: {' '.join(one.state.split())}" for one in found if one.state) or "Nothing else.",
    ]
    files.write_text(run / "08_results" / "results.md", "\n\n".join(lines) + "\n")
    return run / "08_results" / "results.md"


def _test_rmse(metrics: dict | None) -> str:
    try:
        return f"{metrics['rmse']['test']:.4f}"
    except (KeyError, TypeError, ValueError):  # not there, or damaged
        return "missing"


# ---- what there is


def _look_at(run: Path, path: Path) -> _Notebook:
    executed = run / "notebooks" / path.name
    one = _Notebook(path.stem, _title(nbformat.read(path, as_version=4), path.stem), "not run yet")
    if not executed.is_file():
        return one
    try:
        one.executed = nbformat.read(executed, as_version=4)
    except (ValueError, AttributeError, nbformat.ValidationError):
        one.state = "failed: the executed notebook is damaged"
        return one
    outputs = [output for cell in one.executed.cells for output in cell.get("outputs", [])]
    errors = [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]
    finished = executed.with_suffix(".json").is_file()  # what the pipeline notes of a notebook that ran to its end
    failed = errors and not errors[-1].startswith("KeyboardInterrupt")
    one.state = "" if finished else f"failed: {errors[0]}" if failed else "cut off"
    figures = sorted((run / path.stem / "figures").glob("*.png"))
    on_disk = {file.read_bytes(): file for file in figures if file.is_file()}
    for output in (output for output in outputs if "image/png" in output.get("data", {})):
        try:
            file = on_disk.get(base64.b64decode(output.data["image/png"]))
        except ValueError:  # no picture, whatever it calls itself
            continue
        if file is not None:
            caption = output.metadata.get("image/png", {}).get("alt", "")
            one.figures.append((file.relative_to(run).as_posix(), caption))
    return one


def _title(notebook: NotebookNode, name: str) -> str:
    first = notebook.cells[0].source.splitlines() if notebook.cells else []
    return first[0].removeprefix("# ") if first and first[0].startswith("# ") else name


def _metrics(run: Path) -> list[dict]:
    found = []
    for path in sorted(run.glob("*/metrics.json")):
        try:
            found.append(records.read_json(path))
        except (OSError, ValueError):
            continue  # notebook 08 names it
    return [metrics for metrics in found if isinstance(metrics, dict)]


# ---- the parts of index.html


def _summary(run: Path) -> dict:
    """What the page says of the run as a whole, by the template's names: None or nothing where it is not known."""
    made = dict.fromkeys(("profile", "data", "galaxies", "seed"))
    path = run / "run.json"
    try:
        made = made | records.read_record(path) if path.is_file() else None
    except ValueError:  # the next notebook that begins says what is wrong with it
        made = None
    metrics = _metrics(run)
    started = {one.get("model"): one.get("initial_weights") for one in metrics}
    trained = [one for one in metrics if "versions" in one and "device" in one]
    return {
        "made": made,
        "other_starts": {
            words: [one.title for one in NETWORKS.values() if one.pretrained and started.get(one.name) == words]
            for words in (RANDOM_START, GALAXIES_START)
        },
        "trained": trained[-1] if trained else None,
    }


def _results(run: Path) -> str:
    """Text and tables of notebook 08's `results.md` as HTML; its pictures stand with the other figures.

    Empty where it has not run.
    """
    path = run / "08_results" / "results.md"
    if not path.is_file():
        return ""
    sections = re.split(r"^(?=## )", path.read_text(encoding="utf-8").partition("\n")[2], flags=re.MULTILINE)
    kept = []
    for section in sections:
        text = re.sub(r"^!\[.*\]\(.*\)\n+(\*.*\*\n?)?", "", section, flags=re.MULTILINE).strip()
        if text and not re.fullmatch(r"## .*", text):
            kept.append(re.sub(r"`(\w+/figures/\w+\.png)`", r"[\1](\1)", text))
    page = HARMLESS.clean(markdown2html(_offline_text("\n\n".join(["## Results", *kept]).replace("\n## ", "\n### "))))
    return page.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


# ---- nothing from elsewhere


def _offline(notebook: NotebookNode) -> NotebookNode:
    """A copy whose Markdown, in cells and outputs, needs nothing from the network, and whose outputs run nothing."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _offline_text(cell.source)
        for output in cell.get("outputs", []):
            if "data" in output:
                output.data = {kind: shown for kind, shown in output.data.items() if kind in SHOWN}
            if "text/markdown" in output.get("data", {}):
                output.data["text/markdown"] = _offline_text(output.data["text/markdown"])
    return notebook


def _offline_text(markdown: str) -> str:
    """Markdown with formulas as pictures, pictures from elsewhere as their words, links to notebooks' pages."""
    markdown = FORMULA.sub(_formula, markdown)
    markdown = REMOTE_IMAGE.sub(r"\1", markdown)
    return TO_NOTEBOOK.sub(r"](\1.html\2)", markdown)


def _formula(match: re.Match) -> str:
    if match["code"]:
        return match["code"]
    latex = " ".join((match["block"] or match["inline"]).split())
    size = 12
    drawn = io.BytesIO()
    try:
        with matplotlib.style.context(["default", {"svg.fonttype": "path", "svg.hashsalt": "formula"}]):
            font = FontProperties(size=size, math_fontfamily="cm")
            depth = math_to_image(f"${latex}$", drawn, prop=font, dpi=72, format="svg")
    except Exception:  # beyond what mathtext knows, or a font that cannot be read
        return Markup("<code>{}</code>").format(latex)
    svg = re.sub(rb"<metadata>.*?</metadata>", b"", drawn.getvalue(), flags=re.DOTALL)
    height = float(re.search(rb'height="([\d.]+)pt"', svg)[1])
    place = f"height:{1.2 * height / size:.3f}em;vertical-align:{-1.2 * depth / size:.3f}em"
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    picture = Markup('<img class="formula" style="{}" alt="{}" src="{}">').format(place, latex, source)
    return f'\n\n<p style="text-align:center">{picture}</p>\n\n' if match["block"] else picture
