"""What the notebooks' parameters and the options of `run_all.sh` may be.

Plain Python: options are checked before anything is installed. Every function returns what it was given, or raises a
ValueError that names the parameter and says what it has to be.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import Any

DATA_SOURCES = ("simulated", "gz2", "kaggle")
DEBIASED = ("willett", "hart")  # whose debiased fractions, of Galaxy Zoo 2
WITH_FILES = ("gz2", "kaggle")  # data that may lie in a folder of yours
SCALINGS = ("report", "imagenet")  # of what a pretrained base sees
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
LARGEST_SEED = 2**31 - 1  # Keras takes none from 2**32 on, and some notebooks count on from it
FEWEST_GALAXIES = 5  # so that training, validation and test have one each at least


def whole_number(name: str, value: Any, least: int) -> int:
    """A whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} is {value!r}; it has to be a whole number, {least} or more")
    return value


def seed(name: str, value: Any) -> int:
    """A whole number from 0 to `LARGEST_SEED`."""
    if whole_number(name, value, 0) > LARGEST_SEED:
        raise ValueError(f"{name} is {value!r}; it has to be a whole number, 0 to {LARGEST_SEED:,}")
    return value


def weight(name: str, value: Any) -> float:
    """A number from 0 on, such as the lambda of the loss."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value!r}; it has to be a number, 0 or more")
    return value


def yes_or_no(name: str, value: Any) -> bool:
    """True or False, and no word for them: "false" would count as true."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; it has to be True or False, without quotation marks")
    return value


def words(name: str, value: Any) -> str | Path:
    """A name or a path; papermill's -p makes a number of one that looks like it, its -r does not."""
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError(f'{name} is {value!r}; it has to be a name in quotation marks (papermill: -r {name} "...")')
    return value


def choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of some words."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}")
    return value


def positive(name: str, value: Any) -> float:
    """A number above 0, such as a scale."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < math.inf:
        raise ValueError(f"{name} is {value!r}; it has to be a number above 0")
    return value


def galaxies(name: str, value: Any) -> str | list | tuple:
    """Names of galaxies or their coordinates, one or several; whether they make sense, the sky's services tell."""
    if not (isinstance(value, str) and value.strip()) and not (isinstance(value, list | tuple) and value):
        raise ValueError(f'{name} is {value!r}; it has to be a name ("NGC 1300"), (ra, dec) in degrees, or several')
    return value


def run_name(value: str) -> str:
    """The name of a run, which is that of its folder below `runs/`; hidden ones are the kit's own."""
    if not isinstance(value, str):
        raise ValueError(
            f'RUN is {value!r}; it has to be a plain folder name in quotation marks (papermill: -r RUN "...")'
        )
    if not value or Path(value).name != value or value.startswith("."):
        raise ValueError(f"RUN is {value!r}; it has to be a plain folder name")
    return value


@dataclass(frozen=True)
class Parameter:
    """A parameter of the notebooks: what it is where nobody sets it, what it means, and the check of another value.

    check: of its name and value. What only more than the parameters can tell, such as whether a file is there, is
    checked where that is known.
    """

    default: Any
    meaning: str
    check: Callable[[str, Any], Any]


def _whole(least: int) -> Callable[[str, Any], int]:
    return lambda name, value: whole_number(name, value, least)


def _one_of(*choices: str) -> Callable[[str, Any], str]:
    return lambda name, value: choice(name, value, choices)


PARAMETERS = {
    "PROFILE": Parameter(
        "quick", '"smoke": seconds, "quick": minutes, "report": the report\'s protocol, "full": mended', words
    ),
    "DATA": Parameter(
        "simulated",
        '"simulated"; real ones: "gz2" (Galaxy Zoo 2, open), "kaggle" (the challenge)',
        _one_of(*DATA_SOURCES),
    ),
    "DATA_DIR": Parameter(
        None,
        "folder or zip with the real galaxies' files; None: data/gz2 or data/kaggle, downloaded where missing",
        words,
    ),
    "GALAXIES": Parameter(None, "how many galaxies; None: as the profile says", _whole(FEWEST_GALAXIES)),
    "RUN": Parameter(
        None,
        'name of the folder under runs/ for the results; None: "<profile>-<data>"',
        lambda name, value: run_name(value),
    ),
    "SEED": Parameter(
        0, "of all that is random; the same seed gives the same result on one kind of machine (README)", seed
    ),
    "DEBIASED": Parameter(
        "willett",
        'of Galaxy Zoo 2: "willett", as the challenge\'s were made, or "hart", debiased anew in 2016',
        _one_of(*DEBIASED),
    ),
    "EPOCHS": Parameter(None, "passes over the training galaxies, at most; None: as the profile says", _whole(1)),
    "CONSTRAINT_WEIGHT": Parameter(None, "lambda of the loss; None: as the profile says (0.001)", weight),
    "DEPTH": Parameter(
        None, "encoder blocks of the Vision Transformer; None: as the profile says (12 is the report's)", _whole(1)
    ),
    "CLASS_TOKEN": Parameter(None, '"learnable" or "zero"; None: as the profile says', _one_of("learnable", "zero")),
    "PATCH_SIZE": Parameter(None, "pixels a side of a patch: 4, 8, 16 or 32; None: 8, the report's", _whole(1)),
    "INITIAL_WEIGHTS": Parameter(
        None, '"imagenet", "galaxies", "random" or a weights file; None: ImageNet, else in smoke, quick galaxies', words
    ),
    "INPUT_SCALING": Parameter(
        None, '"report": 0 to 1, "imagenet": as the base was trained; None: as the profile says', _one_of(*SCALINGS)
    ),
    "FEATURE_COPIES": Parameter(
        None, "the frozen base runs once, over so many augmented copies (0: none); None: as the profile says", _whole(0)
    ),
    "SEEDS": Parameter(
        None, "trainings of each setting of the study, each with another seed; None: as the profile says", _whole(1)
    ),
    "PRECISION": Parameter("float32", '"mixed_float16" and "mixed_bfloat16" are faster on a GPU', _one_of(*PRECISIONS)),
    "DETERMINISTIC": Parameter(False, "True: the same bits each time on a GPU too, slower", yes_or_no),
    "DEVICES": Parameter(1, "how many GPUs share each batch", _whole(1)),
    "GALAXY_ID": Parameter(None, "the galaxy that is explained; None: one that the notebook chooses", _whole(0)),
    "TURN_LARGE_MODELS": Parameter(
        None, 'True: VGG16 and ResNet50 see turned galaxies too; None: in "report" and "full" (needs a GPU)', yes_or_no
    ),
    "IMAGES": Parameter(None, "your picture, or a folder of them; None: some test galaxies of this run", words),
    "GALAXY": Parameter(
        None, 'a galaxy\'s name ("NGC 1300") or (ra, dec) in degrees, or a list of them: fetched from the sky', galaxies
    ),
    "SCALE": Parameter(
        None, "of GALAXY's picture, arcsec a pixel; None: 0.02 petroR90 as in the challenge, else 0.396", positive
    ),
    "UPLOAD": Parameter(False, "on Colab, True: choose pictures on your own computer", yes_or_no),
    "CUT": Parameter(
        None,
        '"challenge": keep the middle half, "whole": keep all; None: by the picture\'s size',
        _one_of("challenge", "whole"),
    ),
    "MODEL": Parameter(
        None, '"02_parallel_cnn": this run\'s, "trained/parallel_cnn": the kit\'s, or a file; None: the better', words
    ),
    "SUBMISSION": Parameter(
        None, 'True or False: write the submission file; None: not in "smoke", nor with 60 views in "quick"', yes_or_no
    ),
}
OF_RUNS = (
    "PROFILE",
    "DATA",
    "DATA_DIR",
    "DEBIASED",
    "GALAXIES",
    "RUN",
    "SEED",
)  # what decides which run a notebook is part of
OF_NETWORKS = ("DEPTH", "CLASS_TOKEN", "PATCH_SIZE", "INPUT_SCALING")  # arguments of their builders


def among(given: dict[str, Any]) -> dict[str, Any]:
    """The parameters among a notebook's names, checked as far as they can be without the galaxies.

    Raises:
        ValueError: one makes no sense, or a name is almost that of a parameter.
    """
    for name, value in given.items():
        plain = value is None or isinstance(value, bool | int | float | str)
        if plain and name.isupper() and name not in PARAMETERS:
            alike = [known for known in PARAMETERS if known[0] == name[0]]  # BATCH_SIZE is not PATCH_SIZE
            for meant in get_close_matches(name, alike, n=1, cutoff=0.85):
                raise ValueError(f"there is no parameter {name}; if you mean {meant}, call it so")
    asked = {name: given[name] for name in PARAMETERS if name in given}
    for name, value in asked.items():
        if value is not None or PARAMETERS[name].default is not None:
            PARAMETERS[name].check(name, value)
    return asked
