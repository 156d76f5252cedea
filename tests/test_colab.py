"""The notebooks on Colab, as far as that goes without it.

A session here is an empty folder and an environment without the checkout: Colab's machine. Its `google.colab` is a
stand-in, and its Keras, TensorFlow and the rest are those of this environment, without this kit. The kit comes as
there from a git repository, through the set-up cell; pip may fetch nothing else, so what is installed
already has to do.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from gzutils import colab, repository

ROOT = Path(__file__).resolve().parents[1]
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

    def __init__(self, folder: Path):
        self.folder = folder
        self.drive = folder / "drive"
        (self.drive / "MyDrive").mkdir(parents=True)
        self.published = self._publish()
        self.python = self._install()

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

    def _install(self) -> Path:
        machine = self.folder / "machine"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(machine)], check=True)
        (packages,) = machine.glob("lib/python*/site-packages")
        here = Path(pytest.__file__).parents[1]
        (packages / "this_environment.pth").write_text(f"{here}\nimport google.colab\n")
        stand_in = packages / "google" / "colab"
        stand_in.mkdir(parents=True)
        (stand_in / "__init__.py").touch()
        (stand_in / "drive.py").write_text(DRIVE)
        (stand_in / "userdata.py").write_text(USERDATA)
        return machine / "bin" / "python"

    def environment(self) -> dict:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KAGGLE"))}
        return kept | {"STAND_IN_DRIVE": str(self.drive), "HOME": str(self.folder)}

    def session(self, name: str, notebook: str, on_drive: bool = False) -> Path:
        """Runs a notebook in `smoke` from an empty folder, on a machine without the kit; returns the folder."""
        subprocess.run([self.python, "-m", "pip", "uninstall", "-qy", "gzutils"], env=self.environment(), check=True)
        folder = self.folder / name
        folder.mkdir()
        opened = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
        set_up = next(cell for cell in opened.cells if cell.cell_type == "code")
        local = f"--no-build-isolation --no-index git+file://{self.published}@main"
        set_up.source = set_up.source.replace(repository.install_link(), local)
        set_up.source = set_up.source.replace("on_drive=False", f"on_drive={on_drive}")
        set_up.source += "\nimport gzutils\nprint('the kit lies in', gzutils.__file__)"
        nbformat.write(opened, folder / "opened.ipynb")
        command = [self.python, "-m", "papermill", "opened.ipynb", "run.ipynb", "-p", "PROFILE", "smoke"]
        result = subprocess.run(command, cwd=folder, env=self.environment(), capture_output=True, text=True)
        assert result.returncode == 0, result.stderr[-3000:]
        return folder


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    return Colab(tmp_path_factory.mktemp("colab"))


def said(folder):
    cells = nbformat.read(folder / "run.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_any_notebook_first_alone_and_the_next_session_goes_on_from_drive(machines):
    first = machines.session("first", "07_grad_cam", on_drive=True)
    assert f"the kit lies in {machines.python.parents[1]}" in said(first)
    kept = machines.drive / "MyDrive" / "galaxy-zoo-kit"
    history = (kept / "runs/smoke-simulated/02_parallel_cnn/history.csv").read_text()
    assert list((kept / "runs/smoke-simulated/07_grad_cam/figures").glob("*.png"))
    assert (first / "runs").resolve() == kept / "runs"
    assert (first / "data").is_dir()
    assert [path.name for path in kept.iterdir()] == ["runs"], "galaxies do not go to Drive"

    second = machines.session("second", "02_parallel_cnn", on_drive=True)
    assert (kept / "runs/smoke-simulated/02_parallel_cnn/metrics.json").is_file()
    # Its column of seconds would tell a second training.
    assert (kept / "runs/smoke-simulated/02_parallel_cnn/history.csv").read_text() == history
    assert (second / "runs").is_symlink()


def test_without_asking_nothing_goes_to_drive(machines):
    before = sorted(machines.drive.rglob("*"))
    folder = machines.session("alone", "01_preprocessing")
    assert "mounted" not in said(folder)
    assert sorted(machines.drive.rglob("*")) == before
    assert (folder / "runs/smoke-simulated/01_preprocessing/figures").is_dir()
    assert not (folder / "runs").is_symlink()


ASK_KAGGLE = """\
import shutil, requests
from IPython.core.interactiveshell import InteractiveShell

# By this kagglehub knows Colab.
type("Shell", (InteractiveShell,), {"__module__": "google.colab._shell"}).instance()

def send(session, request, **settings):
    print(request.url.split("/")[2], request.headers["Authorization"])
    raise requests.ConnectionError("no network in a test")

requests.Session.send = send
shutil.disk_usage = lambda path: shutil._ntuple_diskusage(10**13, 0, 10**13)
from gzutils import challenge, download
try:
    download.download("data/kaggle")
except challenge.ChallengeError as error:
    print(error)
"""


def test_the_kaggle_token_comes_from_colabs_secrets(machines, tmp_path):
    """kagglehub itself looks there; the request that it would send is looked at."""
    environment = machines.environment() | {"PYTHONPATH": str(machines.published)}
    command = [machines.python, "-c", ASK_KAGGLE]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    request, error = result.stdout.splitlines()
    assert request == "api.kaggle.com Bearer a-token"
    assert "no connection to Kaggle" in error


@pytest.fixture
def on_colab(tmp_path, monkeypatch):
    """This process as if on Colab, in an empty folder; `drive.mount` makes the folder that it is given."""
    stand_in = type(sys)("google.colab")
    stand_in.drive = type(sys)("google.colab.drive")
    stand_in.drive.mount = lambda folder: Path(folder, "MyDrive").mkdir(parents=True, exist_ok=True)
    monkeypatch.setitem(sys.modules, "google.colab", stand_in)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_outside_colab_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colab.keep_results(on_drive=True)
    assert list(tmp_path.iterdir()) == []


def test_results_from_before_move_to_drive_and_a_second_call_is_content(on_colab):
    (on_colab / "runs" / "quick").mkdir(parents=True)
    (on_colab / "runs" / "quick" / "run.json").write_text("{}")
    for _ in range(2):
        colab.keep_results(on_drive=True)
        assert (on_colab / "drive/MyDrive/galaxy-zoo-kit/runs/quick/run.json").read_text() == "{}"
        assert (on_colab / "runs/quick/run.json").read_text() == "{}"
        assert (on_colab / "runs").is_symlink()


def test_two_runs_of_one_name_are_kept_apart(on_colab):
    for folder in ("runs", "drive/MyDrive/galaxy-zoo-kit/runs"):
        (on_colab / folder / "quick").mkdir(parents=True)
        (on_colab / folder / "quick" / "run.json").write_text(folder)
    with pytest.raises(FileExistsError, match=r"there is a run quick on your Drive, and another one .* run this cell"):
        colab.keep_results(on_drive=True)
    for folder in ("runs", "drive/MyDrive/galaxy-zoo-kit/runs"):
        assert (on_colab / folder / "quick" / "run.json").read_text() == folder
