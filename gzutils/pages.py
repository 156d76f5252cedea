"""A run as pages to browse: `index.html` with results, figures and notebooks, and each notebook as HTML.

They open from disk without a network. nbconvert's own pages fetch MathJax and other scripts from elsewhere; here no
page has a script, and a formula is a small SVG that matplotlib's mathtext draws: nothing to install, a few kilobytes
each. A formula that mathtext can't draw stands as its LaTeX.
"""

import base64
import html
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import nbformat
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from nbformat import NotebookNode

from gzutils import files
from gzutils.profiles import PROFILES

TITLE = "Galaxy morphology, learned from a crowd"
TEMPLATE = """{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
main { max-width: 65rem; margin: 0 auto; }
img { max-width: 100%; height: auto; }
.back { margin: 0 0 1rem 5rem; font: 1rem system-ui, sans-serif; }
.back a { color: #0072b2; }
.jp-OutputArea-output, .jp-InputArea .jp-InputArea-editor { overflow-x: auto; }
@media (max-width: 45rem) { .jp-InputPrompt, .jp-OutputPrompt { display: none; } body.jp-Notebook { padding: 0.5rem; }
  .back { margin-left: 0; } }
</style>
{%- endblock -%}
{%- block body_header -%}
{{ super() }}<p class="back"><a href="../index.html">All results of this run</a></p>
{%- endblock -%}"""
STYLE = """
:root { color-scheme: light dark;
  --ink: #1f2328; --faint: #59636e; --paper: #ffffff; --line: #d1d9e0; --link: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --faint: #a3acb5; --paper: #15181c; --line: #3a4148; --link: #56b4e9; }
  .formula { filter: invert(1); }
}
body { margin: 0 auto; padding: 1rem; max-width: 62rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
a { color: var(--link); }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
.faint, figcaption { color: var(--faint); }
.failed { color: #d55e00; font-weight: bold; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; min-width: 9rem; }
td:not(:first-child) { white-space: nowrap; }
.anchor-link { display: none; }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; height: auto; background: white; }
li { margin: 0.2rem 0; }
"""
CODE = r"(?P<code>```.*?```|`[^`\n]*`)"
FORMULA = re.compile(CODE + r"|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\n]+?)\$", re.DOTALL)
REMOTE_IMAGE = re.compile(r"!\[([^\]]*)\]\(https?://[^)]*\)")
TO_NOTEBOOK = re.compile(r"\]\((\d\d_\w+)\.ipynb(#[^)]*)?\)")


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
    exporter = HTMLExporter(template_name="lab", raw_template=TEMPLATE)
    for one in found:
        if one.executed is not None:
            page, _ = exporter.from_notebook_node(_offline(one.executed), {"metadata": {"name": one.title}})
            files.write_text(run / "notebooks" / f"{one.name}.html", page)
    body = [_summary(run), _list_of(found), _results(run), *(_figures_of(one) for one in found)]
    head = '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    head += f"<title>{html.escape(run.name)}: {TITLE}</title>\n<style>{STYLE}</style>"
    text = "\n".join(part for part in body if part)
    files.write_text(
        run / "index.html",
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{text}\n</body>\n</html>\n',
    )
    return run / "index.html"


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
    one.state = "" if finished else f"failed: {errors[0]}" if errors else "cut off"
    on_disk = {file.read_bytes(): file for file in sorted((run / path.stem / "figures").glob("*.png"))}
    for output in (output for output in outputs if "image/png" in output.get("data", {})):
        file = on_disk.get(base64.b64decode(output.data["image/png"]))
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
            found.append(files.read_json(path))
        except ValueError:
            continue  # notebook 08 names it
    return [metrics for metrics in found if isinstance(metrics, dict)]


# ---- the parts of index.html


def _summary(run: Path) -> str:
    lines = [f"<h1>{TITLE}</h1>"]
    path = run / "run.json"
    if path.is_file():
        made = files.read_json(path)
        profile, galaxies = made.get("profile"), made.get("galaxies")
        number = f"{galaxies:,} {made.get('data')} galaxies" if galaxies else f"all {made.get('data')} galaxies"
        meaning = f" ({PROFILES[profile].summary})" if profile in PROFILES else ""
        lines.append(f"<p>The run <b>{html.escape(run.name)}</b>: {number}, profile <b>{profile}</b>{meaning}, ")
        lines[-1] += f"seed {made.get('seed')}.</p>"
        if profile not in ("report", "full") or made.get("data") != "kaggle":
            lines.append("<p>Its galaxies or its training are not the report's, so its numbers are not either.</p>")
    metrics = _metrics(run)
    started = [one["model"] for one in metrics if one.get("model") in ("vgg16", "resnet50")
               and str(one.get("initial_weights", "")).startswith("random")]  # fmt: skip
    if started:
        names = " and ".join({"vgg16": "VGG16", "resnet50": "ResNet50"}[name] for name in sorted(set(started))[::-1])
        lines.append(f"<p><b>{names} started from random initial weights</b>, not from those trained on ImageNet.</p>")
    trained = [one for one in metrics if "versions" in one and "device" in one]
    if trained:
        versions = ", ".join(f"{name} {version}" for name, version in trained[-1]["versions"].items())
        lines.append(f'<p class="faint">{html.escape(str(trained[-1]["device"]))}; {html.escape(versions)}</p>')
    return "\n".join(lines)


def _results(run: Path) -> str:
    """Text and tables of notebook 08's `results.md`; its pictures stand with the other figures."""
    path = run / "08_results" / "results.md"
    if not path.is_file():
        return (
            '<h2>Results</h2>\n<p class="faint">The tables of results come with notebook 08, which has not run yet.</p>'
        )
    sections = re.split(r"^(?=## )", path.read_text(encoding="utf-8").split("\n", 1)[1], flags=re.MULTILINE)
    kept = []
    for section in sections:
        text = re.sub(r"^!\[.*\]\(.*\)\n+(\*.*\*\n?)?", "", section, flags=re.MULTILINE).strip()
        if text and not re.fullmatch(r"## .*", text):
            kept.append(re.sub(r"`(\w+/figures/\w+\.png)`", r"[\1](\1)", text))
    page = markdown2html(_offline_text("\n\n".join(["## Results", *kept]).replace("\n## ", "\n### ")))
    return page.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def _list_of(found: list[_Notebook]) -> str:
    items = []
    for one in found:
        title = html.escape(one.title)
        if one.executed is not None:
            title = f'<a href="notebooks/{one.name}.html">{title}</a>'
        kind = "failed" if one.state.startswith("failed") else "faint"
        if one.figures:
            title += f', <a class="faint" href="#{one.name}">figures</a>'
        if one.state:
            title += f' <span class="{kind}">({html.escape(one.state)})</span>'
        items.append(f"<li>{title}</li>")
    return '<h2 id="notebooks">The notebooks</h2>\n<ul>\n' + "\n".join(items) + "\n</ul>"


def _figures_of(one: _Notebook) -> str:
    if not one.figures:
        return ""
    parts = [f'<h2 id="{one.name}"><a href="notebooks/{one.name}.html">{html.escape(one.title)}</a></h2>']
    for file, caption in one.figures:
        words = html.escape(caption)
        parts.append(
            f'<figure><a href="{file}"><img src="{file}" alt="{words}" loading="lazy"></a>'
            f"<figcaption>{words}</figcaption></figure>"
        )
    return "\n".join(parts)


# ---- nothing from elsewhere


def _offline(notebook: NotebookNode) -> NotebookNode:
    """A copy whose Markdown, in cells and outputs, needs nothing from the network."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _offline_text(cell.source)
        for output in cell.get("outputs", []):
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
        with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "formula"}):
            font = FontProperties(size=size, math_fontfamily="cm")
            depth = math_to_image(f"${latex}$", drawn, prop=font, dpi=72, format="svg")
    except ValueError:  # beyond what mathtext knows
        return f"<code>{html.escape(latex)}</code>"
    svg = re.sub(rb"<metadata>.*?</metadata>", b"", drawn.getvalue(), flags=re.DOTALL)
    height = float(re.search(rb'height="([\d.]+)pt"', svg)[1])
    place = f"height:{1.2 * height / size:.3f}em;vertical-align:{-1.2 * depth / size:.3f}em"
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    picture = f'<img class="formula" style="{place}" alt="{html.escape(latex)}" src="{source}">'
    return f'\n\n<p style="text-align:center">{picture}</p>\n\n' if match["block"] else picture
