"""The notebooks' parameters: what they may be, and that a name which is almost theirs is not passed over."""

import re
import types

import pytest

from gzutils.parameters import PARAMETERS, among

OWN = {
    "SHOWN": 4,
    "BATCH_SIZE": 64,
    "CHOSEN": "spiral",
    "ROWS": (1, 2),
    "LABELS": [0.5],
    "COLUMNS": ("Class1.1",),
    "QUESTIONS": (),
    "store": None,
    "seed": 3,
    "galaxies": 7,
    "_i1": "EPOCH = 3",
    "np": types,
}


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("GALAXIE", 50, "GALAXIES"),
        ("EPOCH", 3, "EPOCHS"),
        ("PROFIL", "smoke", "PROFILE"),
        ("DETERMINISTICK", True, "DETERMINISTIC"),
        ("CONSTRAINT_WEIGHTS", 0.5, "CONSTRAINT_WEIGHT"),
        ("DATADIR", None, "DATA_DIR"),
    ],
)
def test_a_name_that_is_almost_a_parameters_is_refused_with_the_name_that_is_meant(name, value, meant):
    with pytest.raises(ValueError, match=f"there is no parameter {name}; if you mean {meant}, call it so"):
        among({"PROFILE": "smoke", name: value})


def test_a_notebooks_own_names_pass_and_are_left_out():
    assert among(OWN | {"PROFILE": "smoke", "SEED": 3}) == {"PROFILE": "smoke", "SEED": 3}
    assert among(OWN) == {}


def test_what_the_parameters_are_where_nobody_sets_them_is_accepted():
    defaults = {name: parameter.default for name, parameter in PARAMETERS.items()}
    assert among(defaults) == defaults


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *((name, 0, "a whole number, 1 or more") for name in ("EPOCHS", "SEEDS", "DEPTH", "PATCH_SIZE", "DEVICES")),
        ("EPOCHS", True, "a whole number, 1 or more"),
        ("EPOCHS", 2.0, "a whole number, 1 or more"),
        ("SEEDS", "two", "a whole number, 1 or more"),
        ("FEATURE_COPIES", -1, "a whole number, 0 or more"),
        ("CONSTRAINT_WEIGHT", -0.1, "a number, 0 or more"),
        ("CONSTRAINT_WEIGHT", float("nan"), "a number, 0 or more"),
        ("CONSTRAINT_WEIGHT", "0.1", "a number, 0 or more"),
        ("INPUT_SCALING", "caffe", "choose one of report, imagenet"),
        ("SUBMISSION", "false", "True or False, without quotation marks"),
        ("UPLOAD", "no", "True or False, without quotation marks"),
        ("DETERMINISTIC", 1, "True or False, without quotation marks"),
        ("DETERMINISTIC", None, "True or False, without quotation marks"),
        ("TURN_LARGE_MODELS", 0.0, "True or False, without quotation marks"),
        ("RUN", 2024, r"a plain folder name in quotation marks \(papermill: -r RUN"),
        ("DATA_DIR", 2024, r"a name in quotation marks \(papermill: -r DATA_DIR"),
        ("IMAGES", 1.5, r"a name in quotation marks \(papermill: -r IMAGES"),
        ("MODEL", 2, r"a name in quotation marks \(papermill: -r MODEL"),
        ("INITIAL_WEIGHTS", "", r"a name in quotation marks \(papermill: -r INITIAL_WEIGHTS"),
        ("GALAXY", 1300, r'a name \("NGC 1300"\), \(ra, dec\) in degrees, or several'),
        ("SCALE", 0, "a number above 0"),
        ("SCALE", "0.4", "a number above 0"),
        ("CUT", "middle", "choose one of challenge, whole"),
        ("CLASS_TOKEN", 0, "choose one of learnable, zero"),
        ("PROFILE", 1, "a name in quotation marks"),
        ("GALAXY_ID", "100008", "a whole number, 0 or more"),
        ("GALAXIES", 2500.0, "a whole number, 5 or more"),
        ("SEED", None, "a whole number, 0 or more"),
        ("SEED", 2**32, "a whole number, 0 to 2,147,483,647"),
    ],
)
def test_a_number_or_word_that_makes_no_sense_is_refused_by_its_name(name, value, words):
    with pytest.raises(ValueError, match=f"{name} is {value!r}; .*{words}"):
        among({name: value})


KINDS = {
    **dict.fromkeys(("DETERMINISTIC", "TURN_LARGE_MODELS", "UPLOAD", "SUBMISSION"), (bool,)),
    **dict.fromkeys(("GALAXIES", "SEED", "EPOCHS", "DEPTH", "PATCH_SIZE", "SEEDS", "DEVICES"), (int,)),
    **dict.fromkeys(("FEATURE_COPIES", "GALAXY_ID"), (int,)),
    **dict.fromkeys(("CONSTRAINT_WEIGHT", "SCALE"), (int, float)),
}


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("value", [True, 2024, 1.5, "false", b"x", [], None])
def test_a_value_of_another_kind_is_refused_by_its_name(name, value):
    """papermill makes numbers of words and leaves "false" a word; None is only for what nobody need set."""
    allowed = KINDS.get(name, (str,))
    if type(value) in allowed or (value is None and PARAMETERS[name].default is None):
        return
    with pytest.raises(ValueError, match=f"^{name} is {re.escape(repr(value))}; "):
        among({name: value})


@pytest.mark.parametrize(
    "given",
    [
        *({"EPOCHS": 1}, {"FEATURE_COPIES": 0}, {"CONSTRAINT_WEIGHT": 0}, {"INPUT_SCALING": "imagenet"}),
        *({"SCALE": 0.02}, {"GALAXY": "NGC 1300"}, {"GALAXY": (49.9, -19.4)}, {"GALAXY": ["NGC 1300", [10.7, 41.3]]}),
    ],
)
def test_the_least_that_makes_sense_is_accepted(given):
    assert among(given) == given
