"""The run directory: where it lies, what it remembers, what it refuses."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from gzutils import profiles
from gzutils.course import runs
from gzutils.models.parallel_cnn import parallel_cnn

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("inside", [".", "notebooks", "gzutils/models"])
def test_home_is_the_repository_from_anywhere_inside_it(monkeypatch, inside):
    monkeypatch.chdir(ROOT / inside)
    assert runs.home() == ROOT


def test_home_is_the_current_folder_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert runs.home() == tmp_path


def test_a_run_is_named_after_profile_and_data(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = runs.start("02_parallel_cnn", "smoke")
    assert run.folder == tmp_path / "runs" / "smoke-simulated" / "02_parallel_cnn"
    assert run.galaxies == profiles.get("smoke").galaxies
    assert runs.start("02_parallel_cnn", "smoke", run="mine").folder.parent.name == "mine"


def test_a_run_refuses_other_settings_by_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    runs.start("01_preprocessing", "smoke", seed=1)
    runs.start("02_parallel_cnn", "smoke", seed=1)
    with pytest.raises(ValueError, match=r'"smoke-simulated" was made with seed 1, now it is 2.*RUN'):
        runs.start("02_parallel_cnn", "smoke", seed=2)
    with pytest.raises(ValueError, match=r"galaxies 96, now it is 50"):
        runs.start("02_parallel_cnn", "smoke", seed=1, galaxies=50)
    assert json.loads((tmp_path / "runs/smoke-simulated/run.json").read_text())["seed"] == 1


def test_only_the_whole_protocol_on_the_real_galaxies_counts_as_the_reports(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert runs.start("02", "report", "kaggle").is_report
    assert not runs.start("02", "quick", "kaggle").is_report
    assert not runs.start("02", "report", "simulated").is_report
    assert not runs.start("02", "full", "kaggle", galaxies=1000).is_report


def test_a_figure_is_saved_as_a_picture_and_closed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = runs.start("01_preprocessing", "smoke")
    figure, axes = plt.subplots(figsize=(4, 3))
    axes.plot([0, 1])
    run.show_figure(figure, "line", "A line.")
    with Image.open(run.folder / "figures" / "line.png") as picture:
        assert picture.size == (400, 300)
    assert not plt.fignum_exists(figure.number)


def test_another_notebooks_model_is_opened_or_none_and_a_damaged_one_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = runs.start("07_grad_cam", "smoke")
    assert run.model("02_parallel_cnn") is None
    model = parallel_cnn(width=0.02)
    path = run.folder.parent / "02_parallel_cnn" / "model.keras"
    path.parent.mkdir()
    model.save(path)
    opened = run.model("02_parallel_cnn")
    for one, other in zip(model.get_weights(), opened.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"02_parallel_cnn/model.keras is no model of this kit, or damaged"):
        run.model("02_parallel_cnn")


def test_names_of_another_type_are_refused_in_words(monkeypatch, tmp_path):
    """papermill makes a number of `-p RUN 3`."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="RUN is 3; it has to be a plain folder name"):
        runs.start("02_parallel_cnn", "smoke", run=3)
    with pytest.raises(ValueError, match="DATA_DIR is 3; it has to be the name of a folder"):
        runs.start("02_parallel_cnn", "smoke", "kaggle", data_dir=3)


def test_a_network_that_the_profile_does_not_know_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r'"smoke" has no plan for my_cnn; add one in gzutils/profiles.py'):
        runs.start("02_parallel_cnn", "smoke").plan("my_cnn")
