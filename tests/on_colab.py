"""Machines like Colab's, and the notebooks on them: what `test_colab.py` uses, and a command that runs any of them.

    .venv/bin/python tests/on_colab.py                    # all, each alone on an empty machine, in `smoke`
    .venv/bin/python tests/on_colab.py 01_preprocessing --python python3.13 --keep FOLDER

A machine is an empty folder and an environment of exactly the versions in `colab_versions.txt`, without the checkout.
Its `google.colab` is a stand-in. The kit comes as there from a git repository, through the set-up cell; pip may fetch
nothing else then, so what the kit needs beyond Colab's packages is installed before.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from gzutils.course import NAMES, repository

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = Path(__file__).with_name("colab_versions.txt")
DRIVE = """\
import os

def mount(folder):
    print("mounted", folder)
    if not os.path.islink(folder):
        os.symlink(os.environ["STAND_IN_DRIVE"], folder)
"""
USERDATA = """\
def get(name):
    return {"KAGGLE_API_TOKEN": "a-token"}[name]
"""


class Colab:
    """Machines of Colab in one folder, all with the same Drive."""

    def __init__(self, folder: Path, python: str = sys.executable):
        self.folder = folder
        self.drive = folder / "drive"
        (self.drive / "MyDrive").mkdir(parents=True)
        self.published = self._publish()
        self.python = self._install(python)

    def _publish(self) -> Path:
        """The working tree as a git repository without notebooks, as if it had been pushed."""
        published = self.folder / "published"
        published.mkdir()
        for name in ("README.md", "LICENSE", "pyproject.toml", "requirements.txt"):
            shutil.copy(ROOT / name, published)
        shutil.copytree(ROOT / "gzutils", published / "gzutils", ignore=shutil.ignore_patterns("__pycache__"))
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        for command in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-qm", "published"]):
            subprocess.run(["git", *command], cwd=published, check=True)
        return published

    def _install(self, python: str) -> Path:
        machine = self.folder / "machine"
        subprocess.run([python, "-m", "venv", machine], check=True)
        inside = machine / "bin" / "python"
        pip = [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--progress-bar", "off"]
        needed = ["-r", ROOT / "requirements.txt", "setuptools>=77"]  # the latter installs the kit without a network
        subprocess.run([*pip, "--no-compile", "-r", VERSIONS, *needed], check=True)
        (packages,) = machine.glob("lib/python*/site-packages")
        (packages / "colab.pth").write_text("import google.colab\n")
        stand_in = packages / "google" / "colab"
        stand_in.mkdir(parents=True)
        (stand_in / "__init__.py").touch()
        (stand_in / "drive.py").write_text(DRIVE)
        (stand_in / "userdata.py").write_text(USERDATA)
        return inside

    def environment(self) -> dict:
        """What a process there finds in its environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KAGGLE"))}
        # A kernel of the same name, installed elsewhere, is not Colab's.
        return kept | {"STAND_IN_DRIVE": str(self.drive), "HOME": str(self.folder), "JUPYTER_PREFER_ENV_PATH": "1"}

    def session(self, name: str, notebook: str, on_drive: bool = False) -> Path:
        """Runs a notebook in `smoke` from an empty folder, on a machine without the kit; returns the folder.

        Raises:
            RuntimeError: a cell failed; the message ends with its traceback.
        """
        subprocess.run([self.python, "-m", "pip", "uninstall", "-qy", "gzutils"], env=self.environment(), check=True)
        folder = self.folder / name
        folder.mkdir()
        opened = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
        set_up = next(cell for cell in opened.cells if cell.cell_type == "code")
        local = f"--no-build-isolation --no-index git+file://{self.published}@main"
        published = "https://github.com/you/your-kit"
        set_up.source = repository.set_up_cell(published).replace(repository.install_link(published), local)
        set_up.source = set_up.source.replace("on_drive=False", f"on_drive={on_drive}")
        set_up.source += "\nimport gzutils\nprint('the kit lies in', gzutils.__file__)"
        nbformat.write(opened, folder / "opened.ipynb")
        command = [self.python, "-m", "papermill", "opened.ipynb", "run.ipynb", "-p", "PROFILE", "smoke"]
        result = subprocess.run(command, cwd=folder, env=self.environment(), capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f"{notebook} failed:\n{result.stderr[-3000:]}")
        return folder


def main() -> int:
    """Runs notebooks, each alone; returns 1 where one failed."""
    names = list(NAMES)
    parser = argparse.ArgumentParser(description="Runs notebooks on machines with Colab's versions, in smoke.")
    parser.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--python", default=sys.executable, help="the machines' Python (default: this one)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the machine and what they wrote there")
    options = parser.parse_args()
    if unknown := set(options.notebooks) - set(names):
        parser.error(f"there is no notebook {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        machines = Colab(options.keep or Path(temporary), options.python)
        for name in options.notebooks or names:
            start = time.monotonic()
            try:
                machines.session(name, name)
                print(f"{name}: ran, {time.monotonic() - start:.0f} s", flush=True)
            except RuntimeError as error:
                failed = 1
                print(error, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
