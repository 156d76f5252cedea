"""What the notebooks' parameters and the options of `run_all.sh` may be.

Plain Python: options are checked before anything is installed. Every function returns what it was given, or raises a
ValueError that names the parameter and says what it has to be.
"""

import math
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import Any

DATA_SOURCES = ("simulated", "kaggle")
SCALINGS = ("report", "imagenet")  # of what a pretrained base sees
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
FEWEST_GALAXIES = 5  # so that training, validation and test have one each at least


def whole_number(name: str, value: Any, least: int) -> int:
    """A whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} is {value!r}; it has to be a whole number, {least} or more")
    return value


def weight(name: str, value: Any) -> float:
    """A number from 0 on, such as the lambda of the loss."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value!r}; it has to be a number, 0 or more")
    return value


def choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of some words."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; choose one of {', '.join(choices)}")
    return value


def run_name(value: str) -> str:
    """The name of a run, which is that of its folder below `runs/`; hidden ones are the kit's own."""
    if not isinstance(value, str) or not value or Path(value).name != value or value.startswith("."):
        raise ValueError(f"RUN is {value!r}; it has to be a plain folder name")
    return value


@dataclass(frozen=True)
class Parameter:
    """A parameter of the notebooks: what it is where nobody sets it, and what it means."""

    default: Any
    meaning: str


PARAMETERS = {
    "PROFILE": Parameter(
        "quick", '"smoke": seconds, "quick": minutes, "report": the report\'s protocol, "full": mended'
    ),
    "DATA": Parameter("simulated", '"simulated", or "kaggle" for the real challenge'),
    "DATA_DIR": Parameter(
        None, "folder or zip with the challenge's files; None: data/kaggle, downloaded where missing"
    ),
    "GALAXIES": Parameter(None, "how many galaxies; None: as the profile says"),
    "RUN": Parameter(None, 'name of the folder under runs/ for the results; None: "<profile>-<data>"'),
    "SEED": Parameter(0, "the same seed gives the same result"),
    "EPOCHS": Parameter(None, "passes over the training galaxies, at most; None: as the profile says"),
    "CONSTRAINT_WEIGHT": Parameter(None, "lambda of the loss; None: as the profile says (0.001)"),
    "DEPTH": Parameter(
        None, "encoder blocks of the Vision Transformer; None: as the profile says (12 is the report's)"
    ),
    "CLASS_TOKEN": Parameter(None, '"learnable" or "zero"; None: as the profile says'),
    "PATCH_SIZE": Parameter(None, "pixels a side of a patch: 4, 8, 16 or 32; None: 8, the report's"),
    "INITIAL_WEIGHTS": Parameter(
        None, '"imagenet", "random" or a weights file; None: ImageNet, in smoke and quick random without it'
    ),
    "INPUT_SCALING": Parameter(
        None, '"report": 0 to 1, "imagenet": as the base was trained; None: as the profile says'
    ),
    "FEATURE_COPIES": Parameter(
        None, "the frozen base runs once, over so many augmented copies (0: none); None: as the profile says"
    ),
    "SEEDS": Parameter(
        None, "trainings of each setting of the study, each with another seed; None: as the profile says"
    ),
    "PRECISION": Parameter("float32", '"mixed_float16" and "mixed_bfloat16" are faster on a GPU'),
    "DETERMINISTIC": Parameter(False, "True: the same bits each time on a GPU too, slower"),
    "DEVICES": Parameter(1, "how many GPUs share each batch"),
    "GALAXY_ID": Parameter(None, "the galaxy that is explained; None: one that the notebook chooses"),
    "TURN_LARGE_MODELS": Parameter(
        None, 'True: VGG16 and ResNet50 see turned galaxies too; None: in "report" and "full" (needs a GPU)'
    ),
    "IMAGES": Parameter(None, "your picture, or a folder of them; None: some test galaxies of this run"),
    "UPLOAD": Parameter(False, "on Colab, True: choose pictures on your own computer"),
    "CUT": Parameter(None, '"challenge": keep the middle half, "whole": keep all; None: by the picture\'s size'),
    "MODEL": Parameter("02_parallel_cnn", "the notebook whose network is asked, or a .keras file"),
    "SUBMISSION": Parameter(
        None, 'True or False: write the challenge\'s submission file; None: in every profile but "smoke"'
    ),
}
OF_RUNS = ("PROFILE", "DATA", "DATA_DIR", "GALAXIES", "RUN", "SEED")  # what decides which run a notebook is part of
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
    for name in ("EPOCHS", "SEEDS", "DEPTH", "PATCH_SIZE", "DEVICES"):
        if asked.get(name) is not None:
            whole_number(name, asked[name], least=1)
    if asked.get("FEATURE_COPIES") is not None:
        whole_number("FEATURE_COPIES", asked["FEATURE_COPIES"], least=0)
    if asked.get("CONSTRAINT_WEIGHT") is not None:
        weight("CONSTRAINT_WEIGHT", asked["CONSTRAINT_WEIGHT"])
    if asked.get("INPUT_SCALING") is not None:
        choice("INPUT_SCALING", asked["INPUT_SCALING"], SCALINGS)
    return asked
