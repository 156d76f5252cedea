"""The run directory: where it lies, what it remembers, what it refuses."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import make_labels, write_challenge
from PIL import Image

from gzutils import profiles
from gzutils.course import runs
from gzutils.data.challenge import TRAINING_IMAGES
from gzutils.data.solutions import write_solutions
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
    for profile, data, there, expected in (
        ("report", "kaggle", 61_578, True),
        ("full", "kaggle", 61_578, True),
        ("quick", "kaggle", 61_578, False),
        ("report", "simulated", 61_578, False),
        ("full", "kaggle", 61_577, False),
        ("report", "kaggle", 30_000, False),
        ("report", "kaggle", None, False),
    ):
        run = runs.start("02", profile, data, run=f"{profile}-{data}-{there}")
        if there:
            run._remember({"galaxies there": there})
        assert run.is_report is expected


@pytest.mark.parametrize(
    ("images", "rows", "said"),
    [
        (range(1, 41), range(1, 41), ""),
        (range(1, 36), range(1, 41), "left out: 5 labels without an image\n"),
        (range(1, 41), range(4, 43), "left out: 2 labels without an image, 3 images without labels\n"),
    ],
)
def test_what_the_data_lack_is_said_wherever_they_are_opened(images, rows, said, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    write_challenge(tmp_path / "raw", images)
    write_solutions(tmp_path / "raw/training_solutions_rev1.csv", np.array(rows), make_labels(len(rows)))
    for notebook in ("01_preprocessing", "02_parallel_cnn"):
        run = runs.start(notebook, "report", "kaggle", data_dir="raw")
        run.open_store()
        assert capsys.readouterr().out == said
        assert not run.is_report


@pytest.mark.parametrize(
    ("images", "rows"), [(range(1, 61), range(1, 121)), (range(1, 121), range(1, 61)), (range(60), range(40, 100))]
)
def test_half_a_data_set_is_refused_unless_so_few_galaxies_are_asked_for(images, rows, monkeypatch, tmp_path):
    """Pictures half unpacked, a table cut off, and two that overlap."""
    monkeypatch.chdir(tmp_path)
    write_challenge(tmp_path / "raw", images)
    write_solutions(tmp_path / "raw/training_solutions_rev1.csv", np.array(rows), make_labels(len(rows)))
    both = len({*images} & {*rows})
    for profile in ("report", "quick"):
        with pytest.raises(ValueError, match=rf"but only {both} galaxies have both: one of them .*\(GALAXIES"):
            runs.start("01_preprocessing", profile, "kaggle", data_dir="raw").open_store()
    run = runs.start("01_preprocessing", "report", "kaggle", data_dir="raw", galaxies=both, run="mine")
    assert len(run.open_store()) == both
    assert not run.is_report


def test_a_number_of_galaxies_is_borne_with_where_a_picture_of_them_cannot_be_used(monkeypatch, tmp_path, capsys):
    """It was refused with "ask for fewer", and so was every smaller number that has this galaxy among them."""
    monkeypatch.chdir(tmp_path)
    images = write_challenge(tmp_path / "raw", range(1, 41)) / TRAINING_IMAGES
    (images / "3.jpg").write_bytes(b"\xff\xd8 cut off")
    assert len(runs.start("01_preprocessing", "report", "kaggle", data_dir="raw", galaxies=20).open_store()) == 19
    assert capsys.readouterr().out == "left out: 1 images that cannot be used\n"
    with pytest.raises(ValueError, match="the data have"):
        runs.start("01_preprocessing", "report", "kaggle", data_dir="raw", galaxies=41, run="more").open_store()


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


def test_galaxy_zoo_2_is_whole_in_the_large_profiles_and_remembers_whose_labels(monkeypatch, tmp_path):
    """Its labels are two; a run mixes them no more than it mixes galaxies."""
    monkeypatch.chdir(tmp_path)
    assert runs.start("01", "quick", "gz2").galaxies == profiles.get("quick").galaxies
    assert runs.start("01", "report", "gz2").galaxies is None
    assert runs.start("01", "full", "gz2", galaxies=100, run="few").galaxies == 100
    assert not runs.start("01", "report", "gz2").is_report
    with pytest.raises(ValueError, match="made with debiased 'willett', now it is 'hart'"):
        runs.start("01", "quick", "gz2", debiased="hart")
    with pytest.raises(ValueError, match='DEBIASED is for Galaxy Zoo 2: it goes with DATA = "gz2"'):
        runs.start("01", "smoke", debiased="hart")
    with pytest.raises(ValueError, match='DATA_DIR holds real galaxies: it goes with DATA = "gz2" or "kaggle"'):
        runs.start("01", "smoke", data_dir="raw")
