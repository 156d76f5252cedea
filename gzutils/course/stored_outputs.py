"""The outputs that the notebooks carry in git: those of a run, without what only that run has, and small.

What is left out: progress lines, warnings, and what differs from run to run, such as the machine's folders. Times are
rounded to one digit.
"""

import base64
import io
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from gzutils.tools.files import whole_file

TIME = re.compile(r"(?:about )?\b(\d[\d,.]*)( s\b| times faster)")
SAME_TO_THE_EYE = 0.9  # RMS difference in levels of 255 up to which a picture may do with 256 colours
STYLED_TABLE = re.compile(r"\bT_[0-9a-f]{5}(?=_|\b)")  # the random name that pandas gives to it in the page
ADDRESS_IN_MEMORY = re.compile(r" at 0x[0-9a-f]+")
WIDGETS = "application/vnd.jupyter.widget-view+json"


def store_outputs(notebook: Path, executed: Path, root: Path) -> None:
    """Copies the outputs of an executed notebook into its source.

    Args:
        notebook: the source; its cells, ids and metadata stay.
        executed: the same notebook as it was run.
        root: the project's folder, which no output may name.
    """
    source = nbformat.read(notebook, as_version=4)
    outputs = {cell.id: cell.get("outputs", []) for cell in nbformat.read(executed, as_version=4).cells}
    for count, cell in enumerate((cell for cell in source.cells if cell.cell_type == "code"), start=1):
        earlier, cell.outputs = cell.outputs, _cleaned(outputs[cell.id], root, cell.id)
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
        _keep_times(cell.outputs, earlier)
    with whole_file(notebook) as beside:
        nbformat.write(source, beside)


def small_png(picture: bytes) -> bytes:
    """A PNG that looks the same in fewer bytes.

    A plot gets a palette of 256 colours. Where that would show, as in photographs, each colour is rounded to a
    multiple of 4 (of 255), which no eye tells apart.
    """
    colours = Image.open(io.BytesIO(picture)).convert("RGB")
    values = np.asarray(colours, np.int16)
    small = colours.quantize(256)
    difference = np.asarray(small.convert("RGB"), np.float64) - values
    if np.sqrt((difference**2).mean()) > SAME_TO_THE_EYE:
        small = Image.fromarray(np.minimum((values + 2) // 4 * 4, 255).astype(np.uint8))
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return min(file.getvalue(), picture, key=len)


def _cleaned(outputs: list, root: Path, cell: str) -> list:
    """The outputs without progress lines, warnings, widgets and folders; text that follows text is one output."""
    kept: list = []
    for output in outputs:
        data = output.get("data", {})
        if output.get("name") == "stderr":
            print(f"cell {cell}: left out what it wrote to stderr: {output.text.strip()[:200]}", file=sys.stderr)
        elif data.get("text/html") != "" and WIDGETS not in data:
            if output.output_type == "stream" and kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
            else:
                kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = _settled(output.text, root)
        data = output.get("data", {})
        for kind in [kind for kind in data if kind.startswith("text/")]:
            data[kind] = STYLED_TABLE.sub(f"T_{cell}", _settled(data[kind], root))
        if "image/png" in data:
            data["image/png"] = base64.b64encode(small_png(base64.b64decode(data["image/png"]))).decode()
    return kept


def _settled(text: str, root: Path) -> str:
    """Text without the project's folder and addresses in memory; times get one digit: "24.8 s" is "about 20 s"."""
    text = ADDRESS_IN_MEMORY.sub("", text.replace(f"{root}/", "").replace(str(root), "."))
    return TIME.sub(lambda found: f"about {_number(found):,.12g}{found[2]}", text)


def _number(found: re.Match) -> float:
    return float(f"{float(found[1].replace(',', '')):.0e}")


def _keep_times(outputs: list, earlier: list) -> None:
    """Leaves a text as it was stored before if only its times differ, and none by more than a factor of two."""
    if len(outputs) != len(earlier):
        return
    for new, old in zip(outputs, earlier, strict=True):
        if new.output_type == old.output_type == "stream":
            new.text = _nearly_the_same(new.text, old.text)
        for kind, text in new.get("data", {}).items():
            if kind.startswith("text/") and kind in old.get("data", {}):
                new.data[kind] = _nearly_the_same(text, old.data[kind])


def _nearly_the_same(new: str, old: str) -> str:
    """`old`, where it says "about" and differs from `new` by no more than that; else `new`."""
    if TIME.sub("", new) != TIME.sub("", old) or any("about" not in found[0] for found in TIME.finditer(old)):
        return new
    pairs = zip(TIME.finditer(new), TIME.finditer(old), strict=True)
    return old if all(_number(a) <= 2 * _number(b) and _number(b) <= 2 * _number(a) for a, b in pairs) else new
