"""Hard to break: what goes wrong, what the kit does then, and what its message says. Each row of the tables is a test.

Whatever the row, all that was computed before stays, byte for byte; how each fault is brought about is in scenes.py.
A message is given here by its telling parts, as regular expressions that have to be found in it.
"""

import os
import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import scenes
import work
from conftest import make_zip
from scenes import (
    LEFT_OUT,
    MADE,
    MADE_ANEW,
    REFUSED,
    TAKEN,
    archive,
    asked,
    cell,
    claiming,
    cut_off,
    flip,
    full_disk,
    holding,
    no_right,
    pickled,
    picture,
    repaired,
    replaced,
    saved_as,
    spoilt,
    spoilt_store,
    table,
    too_full,
    without,
)

from gzutils.learning import grad_cam, metrics
from gzutils.plots import heat_maps
from gzutils.tools import backend

AGAIN = "download it again"
ANEW = "delete .* and run again"
NAME = "RUN, or --run NAME"
STORE = "delete .* and run notebook 01 again"
ROOM = "raise the limit on the size of a file .*then run again: what is done stays"
RIGHT = "get the right to write there, or work in another folder, then run again"
ARRAYS = ("images.npy", "labels.npy", "galaxy_ids.npy")
FEATURES, CHECKPOINT = "features/features.npy", "trained/checkpoint.npz"
RECORD, RESULT = "runs/smoke-simulated/notebooks/01_first.json", "runs/smoke-simulated/01_first/metrics.json"


def log_in_page(path):
    path.write_bytes(b"\n<!DOCTYPE html><html>Log in</html>")


def truncated_zip(path):
    make_zip(path, [("1.jpg", os.urandom(1000))])
    path.write_bytes(path.read_bytes()[:-30])


LINK = 0o120777 << 16
FAULTS = {
    # ---- a picture of the challenge                          what the kit does, and says
    "picture: truncated": (picture(lambda jpeg: jpeg[:-1500]), LEFT_OUT, "damaged JPEG: image file is truncated"),
    "picture: empty": (picture(lambda jpeg: b""), LEFT_OUT, "not a JPEG file"),
    "picture: a PNG": (picture(saved_as(form="PNG")), LEFT_OUT, "not a JPEG file"),
    "picture: a web page": (picture(lambda jpeg: b"<html>Not found</html>"), LEFT_OUT, "not a JPEG file"),
    "picture: grey": (picture(saved_as(mode="L")), LEFT_OUT, "424x424 pixels, mode L; expected 424x424 RGB"),
    "picture: CMYK": (picture(saved_as(mode="CMYK")), LEFT_OUT, "mode CMYK; expected 424x424 RGB"),
    "picture: too wide": (picture(saved_as(size=(425, 424))), LEFT_OUT, "425x424 pixels, .*expected 424x424"),
    "picture: too small": (picture(saved_as(size=(64, 64))), LEFT_OUT, "64x64 pixels, .*expected 424x424"),
    "picture: claims to be large": (picture(claiming(9000)), LEFT_OUT, "9000x9000 pixels"),
    "picture: decompression bomb": (picture(claiming(65535)), LEFT_OUT, "exceeds limit"),
    "picture: no labels, labels: no picture": (scenes.unmatched, LEFT_OUT, "labels_without_image': 1, 'images_without"),
    # ---- a zip
    "zip: truncated": (archive(truncated_zip), REFUSED, "a zip that is cut off or damaged", AGAIN),
    "zip: a log-in page": (archive(log_in_page), REFUSED, "looks like a web page", AGAIN, "while logged in"),
    "zip: empty": (archive(Path.touch), REFUSED, "the file is empty", AGAIN),
    "zip: member ../": (archive(holding("../2.jpg")), REFUSED, "'../2.jpg' in it leads out of its folder", AGAIN),
    "zip: member absolute": (archive(holding("/etc/2.jpg")), REFUSED, "'/etc/2.jpg' in it leads out", AGAIN),
    "zip: member ..\\": (archive(holding("..\\2.jpg")), REFUSED, "leads out of its folder", AGAIN),
    "zip: member a/../..": (archive(holding("a/../../x.txt")), REFUSED, "'a/../../x.txt' in it leads out", AGAIN),
    "zip: member C:": (archive(holding("C:/2.jpg")), REFUSED, "'C:/2.jpg' in it leads out of its folder", AGAIN),
    "zip: a link": (archive(holding("2.jpg", external_attr=LINK)), REFUSED, r"'2\.jpg' in it is a link", AGAIN),
    "zip: a bomb": (archive(holding("2.jpg", bytes(10_000_001))), REFUSED, "has 10,000,001 bytes, more than", AGAIN),
    "zip: foreign compression": (
        archive(lambda path: make_zip(path, [("1.jpg", b"x")], zipfile.ZIP_LZMA)),
        REFUSED,
        "compressed by a method other than deflate",
        AGAIN,
    ),
    # ---- the table of labels
    "labels: empty": (table(lambda rows: b""), REFUSED, "the file is empty", AGAIN),
    "labels: a log-in page": (table(lambda rows: b"<html>log in</html>"), REFUSED, "looks like a web page", AGAIN),
    "labels: no text": (table(lambda rows: b"GalaxyID,\xff\xfe\n1,2\n"), REFUSED, "not a table of comma-sep", AGAIN),
    "labels: only the header": (table(lambda rows: rows[:1]), REFUSED, "the table has no galaxies", AGAIN),
    "labels: column missing": (table(lambda rows: [row[:-1] for row in rows]), REFUSED, "missing Class11.6", AGAIN),
    "labels: column too many": (table(lambda rows: [[*row, "x"] for row in rows]), REFUSED, "unknown x", AGAIN),
    "labels: semicolons": (
        table(lambda rows: scenes.lines(rows, ";").encode()),
        REFUSED,
        "separated by semicolons; save it with commas",
    ),
    "labels: tabs": (table(lambda rows: scenes.lines(rows, "\t").encode()), REFUSED, "separated by tabs; save it"),
    "labels: BOM": (table(lambda rows: b"\xef\xbb\xbf" + scenes.lines(rows).encode()), TAKEN, ""),
    "labels: galaxy twice": (cell("GalaxyID", "100091"), REFUSED, "more than one row of galaxy 100091", AGAIN),
    "labels: id no number": (cell("GalaxyID", "1.5"), REFUSED, "row 2: GalaxyID is '1.5', not a whole number", AGAIN),
    **{
        f"labels: {value or 'no'} value": (
            cell("Class1.2", value),
            REFUSED,
            rf"row 2 \(galaxy 100008\): Class1\.2 is '?{value}'?, not a (number|share)",
            AGAIN,
        )
        for value in ("nan", "", "n/a", "inf")
    },
    "labels: over 1": (cell("Class6.1", "1.2"), REFUSED, r"\(galaxy 100008\): Class6.1 is 1.2, not a share", AGAIN),
    "labels: below 0": (cell("Class6.1", "-0.2"), REFUSED, r"\(galaxy 100008\): Class6.1 is -0.2, not a", AGAIN),
    "labels: off the tree": (cell("Class6.1", "0.99999"), REFUSED, r"row 2 .* miss Class6.1 \+ Class6.2 = 1", AGAIN),
}

FAULTS |= {
    # ---- the store
    **{
        f"store: flipped byte in {name}": (spoilt_store(flip(name)), REFUSED, f"{name} has changed", STORE)
        for name in ARRAYS
    },
    **{
        f"store: a pickle for {name}": (spoilt_store(pickled(name)), REFUSED, f"{name} is damaged", STORE)
        for name in ARRAYS
    },
    **{
        f"store: no {name}": (spoilt_store(without(name)), REFUSED, f"is no store: {name} missing", STORE)
        for name in (*ARRAYS, "manifest.json")
    },
    "store: other version": (spoilt_store(scenes.of_version(7)), REFUSED, "has version 7, this code reads 3", STORE),
    # ---- a training
    "training: checkpoint cut off": (spoilt(work.train, scenes.unfinish), REFUSED, "checkpoint.npz is damaged", ANEW),
    "training: a pickle": (
        spoilt(work.train, pickled(CHECKPOINT)),
        REFUSED,
        "checkpoint.npz is damaged",
        ANEW,
    ),
    "training: model cut off": (
        spoilt(work.train, cut_off("trained/model.keras")),
        REFUSED,
        "model.keras is no model of this kit, or damaged",
        "delete it and run the notebook that trains it",
    ),
    "training: model holds code": (
        spoilt(work.train, scenes.with_code),
        REFUSED,
        "model.keras is whole, but no model that this kit opens .*Lambda",
        "move it elsewhere and run the notebook that trains it",
    ),
    **{
        f"training: model of Keras {version}": (
            spoilt(work.train, scenes.of_another_keras(version)),
            REFUSED,
            rf"model.keras is whole, but Keras {version} wrote it and this is Keras [\d.]+, which cannot open it",
            rf"; {install}train anew in a run of another name \(RUN, or --run NAME\)$",
        )
        # No file is opened under a version as old as 3.1, so none is told to install it.
        for version, install in (
            ("3.99.0", r"install that version \(pip install keras==3.99.0\), or "),
            ("3.1.0", ""),
        )
    },
    "training: a version of Keras that is more than one": (
        spoilt(work.train, scenes.of_another_keras("3.13.2 another-package")),
        REFUSED,
        "model.keras is no model of this kit, or damaged",
        "delete it and run the notebook that trains it",
    ),
    "training: model of another Keras, cut off": (
        spoilt(work.train, scenes.of_another_keras("3.99.0", cut=True)),
        REFUSED,
        "model.keras is no model of this kit, or damaged",
        "delete it and run the notebook that trains it",
    ),
    "training: begun under another Keras": (
        spoilt(work.train, scenes.begun_under("3.13.2", model="another description")),
        REFUSED,
        r"trained was made with other versions \(keras 3.13.2, now [\d.]+\), and they tell a difference in: model",
        "What is there is whole: to go on with it, install those versions again; to train anew, give this run a name",
    ),
    "features: of another Keras": (
        spoilt(work.compute_features, scenes.begun_under("3.13.2", **{"base and its weights": "another"})),
        REFUSED,
        r"features was made with other versions \(keras 3.13.2, now .*a difference in: base and its weights",
        "What is there is whole",
    ),
    "training: history damaged": (
        spoilt(work.train, replaced("trained/history.csv", b"x")),
        REFUSED,
        "history.csv or the model.keras beside it is damaged",
        "delete both and run again",
    ),
    "training: record damaged": (
        spoilt(work.train, replaced("trained/training.json", b"[]")),
        REFUSED,
        "training.json is damaged",
        "delete it and run again",
    ),
    # ---- a base's features
    "features: cut off": (spoilt(work.compute_features, cut_off(FEATURES)), REFUSED, "features.npy is damaged", ANEW),
    "features: a pickle": (spoilt(work.compute_features, pickled(FEATURES)), REFUSED, "features.npy is dama", ANEW),
    "features: record damaged": (
        spoilt(work.compute_features, replaced("features/progress.json", b"{}")),
        REFUSED,
        "progress.json is damaged",
        ANEW,
    ),
    # ---- a survey, the pipeline's records
    "survey: picture missing": (repaired(work.survey, without("survey/images_training_rev1/100002.jpg")), MADE_ANEW),
    "survey: table missing": (repaired(work.survey, without("survey/training_solutions_rev1.csv")), MADE_ANEW),
    "notebooks: record damaged": (repaired(work.notebooks, replaced(RECORD, b"{}")), MADE_ANEW),
    "notebooks: result missing": (repaired(work.notebooks, without(RESULT)), MADE_ANEW),
    "survey: record damaged": (
        spoilt(work.survey, replaced("survey/survey.json", b"{")),
        REFUSED,
        "survey.json is damaged",
        "delete .*/survey and run again",
    ),
    # ---- the disk is full, or may not be written
    "disk full: any file": (scenes.always_full, REFUSED, r"numbers.csv cannot be written \(No space left", "make room"),
    "disk full: survey": (full_disk(work.survey, 12_000), REFUSED, r"\.jpg cannot be written", ROOM),
    "disk full: store": (full_disk(work.store, 100_000), REFUSED, "images.npy cannot be written", ROOM),
    "disk full: training": (
        full_disk(work.train, 100_000, scenes.after_one_epoch),
        REFUSED,
        "checkpoint.npz cannot be written",
        ROOM,
    ),
    "disk full: features": (full_disk(work.compute_features, 100_000), REFUSED, "features.npy cannot be wri", ROOM),
    "disk full: notebooks": (full_disk(work.notebooks, 1000), REFUSED, "run_all.sh: .* cannot be written", ROOM),
    "disk too full: survey": (too_full(work.survey), REFUSED, "a survey of 40 galaxies needs 0.8 MB in ", "make room"),
    "disk too full: store": (too_full(work.store), REFUSED, "a store of 10 galaxies needs 0.1 MB in ", "make room"),
    "disk too full: features": (too_full(work.compute_features), REFUSED, "features .* needs 0.2 MB in", "make room"),
    "no permission: survey": (no_right(work.survey), REFUSED, "cannot be written .Permission denied", RIGHT),
    "no permission: store": (no_right(work.store), REFUSED, "cannot be written .Permission denied", RIGHT),
    "no permission: training": (no_right(work.train), REFUSED, "training.json cannot be written .Perm", RIGHT),
    "no permission: features": (no_right(work.compute_features), REFUSED, "features.json cannot be wri", RIGHT),
    "no permission: notebooks": (no_right(work.notebooks), REFUSED, "cannot be written .Permission denied", RIGHT),
    # ---- parameters, before any work
    "PROFILE unknown": (asked(profile="fast"), REFUSED, "PROFILE is 'fast'; choose one of smoke, quick, report, full"),
    "DATA unknown": (asked(data="mars"), REFUSED, "DATA is 'mars'; choose one of simulated, gz2, kaggle"),
    "DATA_DIR without kaggle": (asked(data_dir="x"), REFUSED, 'DATA_DIR .* goes with DATA = "gz2" or "kaggle"'),
    "GALAXIES too few": (asked(galaxies=4), REFUSED, "GALAXIES is 4; it has to be a whole number, 5 or more"),
    "GALAXIES no number": (asked(galaxies="all"), REFUSED, "GALAXIES is 'all'; it has to be a whole number"),
    "SEED negative": (asked(seed=-1), REFUSED, "SEED is -1; it has to be a whole number, 0 or more"),
    "SEED no number": (asked(seed=0.5), REFUSED, "SEED is 0.5; it has to be a whole number, 0 or more"),
    "RUN elsewhere": (asked(run="../x"), REFUSED, "RUN is '../x'; it has to be a plain folder name"),
    "RUN hidden": (asked(run=".x"), REFUSED, "RUN is '.x'; it has to be a plain folder name"),
    "PRECISION unknown": (asked(precision="half"), REFUSED, "PRECISION is 'half'; choose one of float32, mixed_fl"),
    "PRECISION of report": (
        asked(profile="report", precision="mixed_float16"),
        REFUSED,
        'the profile "report" is always float32, "full" takes others',
    ),
    "DEVICES none": (asked(devices=0), REFUSED, "DEVICES is 0; it has to be a whole number, 1 or more"),
    "DEVICES too many": (asked(devices=99), REFUSED, r"DEVICES is 99, but Keras finds 1 here \(cpu:0\)"),
    "lambda negative": (asked(constraint_weight=-1), REFUSED, "CONSTRAINT_WEIGHT is -1; it has to be a number, 0 or"),
    "lambda infinite": (asked(constraint_weight=np.inf), REFUSED, "CONSTRAINT_WEIGHT is inf; it has to be a number"),
    "EPOCHS none": (asked(epochs=0), REFUSED, "EPOCHS is 0; it has to be a whole number, 1 or more"),
    "EPOCHS no number": (asked(epochs="many"), REFUSED, "EPOCHS is 'many'; it has to be a whole number, 1 or more"),
    "patience none": (asked(patience=0), REFUSED, "PATIENCE is 0; it has to be a whole number, 1 or more"),
    "batches empty": (asked(batch_size=0), REFUSED, "BATCH_SIZE is 0; it has to be a whole number, 1 or more"),
    "FEATURE_COPIES negative": (asked(feature_copies=-1), REFUSED, "FEATURE_COPIES is -1; it has to be a whole"),
    "SEEDS none": (asked(seeds=0), REFUSED, "SEEDS is 0; it has to be a whole number, 1 or more"),
    "RUN a number": (asked(run=2024), REFUSED, "RUN is 2024; it has to be a plain folder name in quotation marks"),
    "DETERMINISTIC a word": (asked(deterministic="false"), REFUSED, "DETERMINISTIC is 'false'; it has to be True or"),
    "SUBMISSION a word": (asked(submission="false"), REFUSED, "SUBMISSION is 'false'; it has to be True or False"),
    "MODEL a number": (asked(model=2), REFUSED, "MODEL is 2; it has to be a name in quotation marks .*-r MODEL"),
    "split empty": (scenes.empty_split, REFUSED, "the validation part of the split is empty; take more galaxies"),
    "run's record damaged": (scenes.damaged_run, REFUSED, "run.json is not a JSON file .*delete it and run again"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_met_in_words_and_costs_nothing_that_was_computed(fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scene, expected, *says = FAULTS[fault]
    did, message = scene(MADE, tmp_path)
    assert did == expected
    for words in says:
        assert re.search(words, message, re.DOTALL), message
    assert not Path("sprung").exists(), "a pickle was loaded"


def test_a_network_whose_heat_maps_are_all_empty_is_said_to_be_one():
    nothing = np.zeros((5, 11, 8, 8), np.float32)
    hot = nothing.any(axis=(2, 3))
    correlation = grad_cam.rank_correlation(nothing[hot], nothing[hot])
    assert correlation.shape == (0,)
    assert np.isnan(grad_cam.unrelated_correlation(nothing))
    figure = heat_maps.randomised_correlation({"dense": correlation}, float("nan"))
    assert "no map of the trained network has heat" in figure.axes[0].texts[0].get_text()


@pytest.mark.parametrize(
    "fails",
    [lambda: metrics.rmse(np.zeros(3), np.zeros(2)), lambda: pd.Timestamp("x")],
    ids=["called by the kit", "alone"],
)
def test_a_librarys_error_is_not_taken_for_the_kits_own_words(fails):
    """The change of the code that fails here: `scenes.refused` takes any ValueError."""
    with pytest.raises(AssertionError, match="ValueError"):
        scenes.refused(fails)


@pytest.mark.parametrize("task", [work.train, work.compute_features])
def test_a_new_setting_of_keras_that_nobody_uses_costs_nothing(task, tmp_path, monkeypatch):
    """Keras 3.15 says of each initializer that its axes are None, of which 3.13 did not know."""
    work.copy(getattr(MADE, task.__name__), tmp_path)
    before = work.contents(tmp_path)
    to_json, get_config = keras.Model.to_json, keras.optimizers.Adam.get_config
    new = ('"class_name":', '"new_setting": null, "class_name":')
    monkeypatch.setattr(keras.Model, "to_json", lambda self: to_json(self).replace(*new))
    monkeypatch.setattr(keras.optimizers.Adam, "get_config", lambda self: get_config(self) | {"new_setting": None})
    monkeypatch.setattr(backend, "versions", lambda: {"keras": "3.99.0"})
    task(tmp_path)
    assert work.contents(tmp_path) == before
