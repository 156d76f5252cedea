"""The benchmark for real galaxies, on simulated JPEGs: it trains, tests a network, and refuses in a sentence."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gzutils.data.simulation import survey
from gzutils.data.solutions import read_solutions
from gzutils.data.view import WINNERS_VIEW, View
from gzutils.hard_classes import RULES, judge
from gzutils.models.bayesian_cnn import bayesian_cnn
from gzutils.models.dieleman import dieleman
from gzutils.models.resnet26 import resnet26
from gzutils.models.simple_cnn import simple_cnn

SCRIPT = Path(__file__).parent / "benchmarks" / "hard_classes.py"


@pytest.fixture(scope="module")
def benchmark_script():
    spec = importlib.util.spec_from_file_location("hard_classes_benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    """A folder of 40 simulated JPEGs, one of them 300 pixels wide, and their nearest classes as a table."""
    raw = survey.make_survey(tmp_path_factory.mktemp("survey"), 40)
    (images,) = (path.parent for path in list(raw.rglob("*.jpg"))[:1])
    solutions = next(raw.glob("training_solutions*"))
    ids, labels = read_solutions(solutions)
    with Image.open(images / f"{ids[0]}.jpg") as picture:
        smaller = picture.resize((300, 280))
    smaller.save(images / f"{ids[0]}.jpg")
    table = pd.DataFrame({"GalaxyID": ids, "class5": judge(labels, RULES["dai_tong"])[0]})
    table.to_csv(images.parent / "classes.csv", index=False)
    return images, images.parent / "classes.csv"


def run(script, galaxies, *options):
    images, table = galaxies
    script.main(["--images", str(images), "--classes", str(table), *map(str, options)])


def in_its_own_process(galaxies, *options):
    """As a person starts it; what it says."""
    images, table = galaxies
    command = [sys.executable, SCRIPT, "--images", images, "--classes", table, *options]
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=SCRIPT.parents[2])
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def refused(script, galaxies, *options):
    with pytest.raises(SystemExit) as stopped:
        run(script, galaxies, *options)
    assert isinstance(stopped.value.code, str), "a sentence, not a traceback"
    return stopped.value.code


def test_it_trains_on_four_fifths_and_says_the_accuracy_on_the_rest(benchmark_script, galaxies, tmp_path, capsys):
    small = ("--width", 0.03125, "--epochs", 2, "--batch-size", 8, "--out", tmp_path / "out")
    said = in_its_own_process(galaxies, *small)
    assert "train 25, validation 7, test 8" in said
    assert "of 8 galaxies" in said
    assert "the 95.21% of Dai & Tong" in said
    assert (tmp_path / "out" / "model.keras").is_file()
    run(benchmark_script, galaxies, "--model", tmp_path / "out" / "model.keras")
    assert "of 40 galaxies" in capsys.readouterr().out


def test_a_network_that_says_shares_is_turned_into_classes_by_the_rule(benchmark_script, galaxies, tmp_path, capsys):
    """The fault: the largest of 37 numbers is taken for a class."""
    model = simple_cnn(0.125)
    shares = np.full(37, 0.01)
    shares[[0, 13]] = 0.9  # smooth, nothing odd
    shares[15] = 0.9  # completely round
    last = model.layers[-1]
    last.set_weights([np.zeros_like(last.get_weights()[0]), np.log(shares / (1 - shares))])
    model.save(tmp_path / "soft.keras")
    run(benchmark_script, galaxies, "--model", tmp_path / "soft.keras")
    said = capsys.readouterr().out
    rounds = (pd.read_csv(galaxies[1])["class5"] == 0).sum()
    assert f"round      {rounds} of {rounds}: 100.00%" in said
    assert f"accuracy {rounds / 40:.2%}" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no CSV table"),
        ("GalaxyID,type\n1,0\n", "has no column 'class5'; it has 'GalaxyID', 'type'"),
        ("GalaxyID,class5\n", "has no rows"),
        ("GalaxyID,class5\n1,0\n2,5\n", "line 3: class5 is '5', it has to be 0, 1, 2, 3 or 4"),
        ("GalaxyID,class5\n1,0\nx,1\n", "line 3: GalaxyID is 'x', it has to be a whole number"),
        ("GalaxyID,class5\n7,0\n7,1\n", "galaxy 7 has 2 rows; keep one"),
        ("GalaxyID,class5\n1,\n", "line 2: class5 is nan"),
        ("GalaxyID,class5\n\n1,0\n\n2,7\n", "line 5: class5 is '7'"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_its_line(benchmark_script, galaxies, text, words, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    said = refused(benchmark_script, (galaxies[0], tmp_path / "bad.csv"))
    assert "bad.csv" in said
    assert words in said


@pytest.mark.filterwarnings("ignore::pandas.errors.ParserWarning")
def test_rows_that_end_in_a_comma_say_what_they_say_without(benchmark_script, tmp_path):
    """The fault: pandas takes the first column for the rows' names, and every class for an id."""
    (tmp_path / "commas.csv").write_text("GalaxyID,class5\n30,0,\n20,1,\n")
    ids, classes = benchmark_script.read_classes(tmp_path / "commas.csv")
    assert (ids.tolist(), classes.tolist()) == ([20, 30], [1, 0])


def test_the_winners_network_gets_its_own_crop_and_is_told_from_the_bayesian_one(
    benchmark_script, galaxies, tmp_path, monkeypatch
):
    """The faults: galaxies 1.4 times too large, and concentrations taken for shares; both in silence."""
    dieleman(0.125, side=49, window=35, part=23, convolutions=((4, 4, True),), units=4).save(tmp_path / "winner.keras")
    views = []
    monkeypatch.setattr(benchmark_script, "read_images", lambda folder, ids, view: views.append(view) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(benchmark_script, galaxies, "--model", tmp_path / "winner.keras")
    assert views == [View(WINNERS_VIEW.crop, 49)]
    bayesian_cnn(0.125).save(tmp_path / "bayesian.keras")
    said = refused(benchmark_script, galaxies, "--model", tmp_path / "bayesian.keras")
    assert "the network 'bayesian_cnn'" in said
    assert "5 classes or the 37 shares of volunteers" in said


def test_galaxies_without_a_picture_are_counted_and_named(benchmark_script, galaxies, tmp_path):
    table = pd.concat([pd.read_csv(galaxies[1]), pd.DataFrame({"GalaxyID": [5, 6], "class5": [0, 1]})])
    table.to_csv(tmp_path / "more.csv", index=False)
    said = refused(benchmark_script, (galaxies[0], tmp_path / "more.csv"))
    assert "2 of 42 galaxies of the table have no picture in" in said
    assert "such as 5.jpg, 6.jpg; name the folder" in said
    assert "there is no folder" in refused(benchmark_script, (tmp_path / "none", galaxies[1]))
    assert "there is no file" in refused(benchmark_script, (galaxies[0], tmp_path / "none.csv"))


def test_damaged_pictures_are_counted_and_named(benchmark_script, galaxies, tmp_path):
    ids = pd.read_csv(galaxies[1])["GalaxyID"][:2]
    for galaxy in ids:
        (tmp_path / f"{galaxy}.jpg").write_bytes((galaxies[0] / f"{galaxy}.jpg").read_bytes()[:900])
    pd.read_csv(galaxies[1])[:2].to_csv(tmp_path / "two.csv", index=False)
    said = refused(benchmark_script, (tmp_path, tmp_path / "two.csv"))
    assert f"2 of 2 pictures in {tmp_path} cannot be used: {ids[0]}.jpg (" in said


def test_a_network_of_other_answers_is_refused(benchmark_script, galaxies, tmp_path):
    resnet26(classes=8, width=0.03125).save(tmp_path / "eight.keras")
    said = refused(benchmark_script, galaxies, "--model", tmp_path / "eight.keras")
    assert "says (None, 8); needed is one that takes square pictures" in said
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)]).save(tmp_path / "flat.keras")
    assert "takes (None, 3)" in refused(benchmark_script, galaxies, "--model", tmp_path / "flat.keras")
    assert "there is no model file" in refused(benchmark_script, galaxies, "--model", tmp_path / "none.keras")


def test_too_few_galaxies_and_options_that_make_no_sense_are_refused(benchmark_script, galaxies, tmp_path):
    pd.read_csv(galaxies[1])[:4].to_csv(tmp_path / "four.csv", index=False)
    said = refused(benchmark_script, (galaxies[0], tmp_path / "four.csv"))
    assert "4 galaxies are too few to train on" in said
    assert "EPOCHS is 0" in refused(benchmark_script, galaxies, "--epochs", 0)
