"""The notebooks on Colab, as far as that goes without it: on machines with Colab's own versions, see `on_colab.py`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from on_colab import VERSIONS, Colab

from gzutils.course import colab


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    return Colab(tmp_path_factory.mktemp("colab"))


def said(folder):
    cells = nbformat.read(folder / "run.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    for output in outputs:
        if "image/png" in output.get("data", {}):
            assert output.metadata["image/png"]["alt"], "a picture without its caption as alternative text"
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_the_machine_has_colabs_versions(machines):
    """And what the kit needs beyond them can be installed beside them."""
    wanted = dict(line.split("==") for line in VERSIONS.read_text().splitlines() if "==" in line)
    command = [machines.python, "-m", "pip", "list", "--format", "json"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    there = {package["name"].lower(): package["version"] for package in listed}
    assert {name: there.get(name.lower()) for name in wanted} == wanted
    subprocess.run([machines.python, "-m", "pip", "check"], check=True)


def test_any_notebook_first_alone_and_the_next_session_goes_on_from_drive(machines):
    first = machines.session("first", "07_grad_cam", on_drive=True)
    assert f"the kit lies in {machines.python.parents[1]}" in said(first)
    kept = machines.drive / "MyDrive" / "galaxy-zoo-kit"
    assert "it is the kit's, which learned from" in said(first), "what comes with the kit is installed with it"
    assert list((kept / "runs/smoke-simulated/07_grad_cam/figures").glob("*.png"))
    assert (first / "runs").resolve() == kept / "runs"
    assert (first / "data").is_dir()
    assert [path.name for path in kept.iterdir()] == ["runs"], "galaxies do not go to Drive"

    second = machines.session("second", "02_parallel_cnn", on_drive=True)
    history = (kept / "runs/smoke-simulated/02_parallel_cnn/history.csv").read_text()
    machines.session("third", "02_parallel_cnn", on_drive=True)
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
from gzutils.data import archives, download
try:
    download.download("data/kaggle")
except archives.ChallengeError as error:
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
