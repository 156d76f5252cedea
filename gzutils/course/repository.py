"""Where this kit is published: the one file that says so, and the command that writes it everywhere else.

    .venv/bin/python -m gzutils.course.repository https://github.com/YOU/YOUR-KIT

puts the address into this file, into the Colab badge and the set-up cell of every notebook, and into README.md. Until
then the set-up cells install nothing on Colab and say so.
Without an address it repeats what stands here, for a notebook that is new. It may be run as often as you like.
"""

import argparse
import re
import sys
from pathlib import Path

from gzutils.course import NAMES
from gzutils.tools.files import write_text

ADDRESS = "https://github.com/YOUR.ACCOUNT/galaxy-zoo-kit"
BRANCH = "main"

UNPUBLISHED = "https://github.com/YOUR.ACCOUNT/"  # no account of GitHub has a dot in its name, so it is nobody's
ROOT = Path(__file__).resolve().parents[2]
THIS_FILE = "gzutils/course/repository.py"
BADGE_LINE = re.compile(r"^\[!\[Open In Colab\]\(.*$", re.MULTILINE)
COLAB_LINK = re.compile(r"https://colab\.research\.google\.com/github/\S+/blob/[^\s)]+?(?=/notebooks/)")
INSTALL_LINK = re.compile(r"git\+https://github\.com/[\w./@-]+")

REFUSAL = "this copy is not published; README says how, and Colab then installs it from there"
SET_UP_CELL = """\
import sys

if "google.colab" in sys.modules:  # Colab lacks this kit; its TensorFlow stays as it is
    {install}

from gzutils.course import colab

colab.set_up(on_drive=False)  # loads Keras; True: on Colab, results are kept on Drive and gone on from"""


def install_link(address: str = ADDRESS, branch: str = BRANCH) -> str:
    """What pip installs the kit from; the branch may be a tag or a commit, which then never changes."""
    return f"git+{address}@{branch}"


def colab_link(address: str = ADDRESS, branch: str = BRANCH) -> str:
    """Colab's address of the published repository's root; Colab opens notebooks below it straight from GitHub."""
    return address.replace("https://github.com/", "https://colab.research.google.com/github/") + f"/blob/{branch}"


def badge(notebook: str, address: str = ADDRESS, branch: str = BRANCH) -> str:
    """The Markdown of the badge that opens a notebook, given by its file name, in Colab."""
    picture = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open In Colab]({picture})]({colab_link(address, branch)}/notebooks/{notebook})"


def set_up_cell(address: str = ADDRESS, branch: str = BRANCH) -> str:
    """The source of each notebook's first code cell: Colab installs the kit there, elsewhere nothing is installed."""
    if address.startswith(UNPUBLISHED):
        return SET_UP_CELL.format(install=f'raise ValueError("{REFUSAL}")')
    return SET_UP_CELL.format(install=f"%pip install --quiet {install_link(address, branch)}")


def write_everywhere(root: Path, address: str, branch: str) -> list[Path]:
    """Writes the address into all files of a checkout that name it; returns those that changed.

    Raises:
        ValueError: not the address of a GitHub repository, or a notebook without badge or set-up cell. Nothing has
            been written then.
    """
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise ValueError(f"{address} is not like https://github.com/YOU/YOUR-KIT; Colab opens notebooks from GitHub")
    if not re.fullmatch(r"[\w./-]+", branch):
        raise ValueError(f"{branch!r} is not the name of a branch, tag or commit")
    texts = {
        path: _notebook(path, address, branch) for path in (root / "notebooks" / f"{name}.ipynb" for name in NAMES)
    }
    readme = (root / "README.md").read_text(encoding="utf-8")
    readme = COLAB_LINK.sub(colab_link(address, branch), readme)
    texts[root / "README.md"] = INSTALL_LINK.sub(install_link(address, branch), readme)
    # Last, so that a call that was cut off halfway is seen and repeated.
    source = (root / THIS_FILE).read_text(encoding="utf-8")
    source = re.sub(r'^ADDRESS = ".*"$', f'ADDRESS = "{address}"', source, flags=re.MULTILINE)
    texts[root / THIS_FILE] = re.sub(r'^BRANCH = ".*"$', f'BRANCH = "{branch}"', source, flags=re.MULTILINE)
    changed = [path for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        write_text(path, texts[path])
    return changed


def _notebook(path: Path, address: str, branch: str) -> str:
    """The whole text of a notebook with its badge and its set-up cell for this address; outputs stay."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    first = notebook.cells[0]
    set_up = next((cell for cell in notebook.cells if cell.cell_type == "code"), None)
    if not BADGE_LINE.search(first.source):
        raise ValueError(f"{path}: its first cell has no line with a badge; it begins with [![Open In Colab](")
    if set_up is None or "google.colab" not in set_up.source:
        raise ValueError(f"{path}: its first code cell is not the set-up cell, which mentions google.colab")
    first.source = BADGE_LINE.sub(badge(path.name, address, branch), first.source)
    set_up.source = set_up_cell(address, branch)
    return nbformat.writes(notebook) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """The command: see the top of this file."""
    parser = argparse.ArgumentParser(prog="python -m gzutils.course.repository", description=__doc__.split("\n")[0])
    parser.add_argument("address", nargs="?", default=ADDRESS, help=f"of the repository (default: {ADDRESS})")
    parser.add_argument(
        "--branch", default=BRANCH, help=f"that Colab takes the kit from, or a tag or commit (default: {BRANCH})"
    )
    options = parser.parse_args(arguments)
    if not (ROOT / "notebooks").is_dir():
        sys.exit(f"There are no notebooks in {ROOT}; this is a command for a checkout of the repository")
    address = options.address.rstrip("/").removesuffix(".git")
    try:
        changed = write_everywhere(ROOT, address, options.branch)
    except ValueError as error:
        sys.exit(str(error))
    for path in changed:
        print(path.relative_to(ROOT))
    print(f"{address}, branch {options.branch}: " + (f"{len(changed)} files changed" if changed else "all said so"))


if __name__ == "__main__":
    main()
