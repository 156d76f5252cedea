"""A notebook's figures: as files of its run, and in the notebook with their captions."""

import base64
import html
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from gzutils.tools import files
from gzutils.tools.progress import in_notebook


def save_and_show(figure: Figure, path: Path, caption: str) -> None:
    """Saves a figure as a PNG and, in a notebook, shows it with its caption, which is its alt text too."""
    with files.whole_file(path) as beside:
        figure.savefig(beside, dpi=100, metadata={"Software": None})
    plt.close(figure)
    if in_notebook():
        from IPython.display import HTML, display

        # As data: `Image(…, alt=…)` is younger than Colab's IPython 7.34.
        picture = {"image/png": base64.b64encode(path.read_bytes()).decode(), "text/plain": caption}
        display(picture, metadata={"image/png": {"alt": caption}}, raw=True)
        display(HTML(f"<em>{html.escape(caption)}</em>"))  # a picture may be named like a script
