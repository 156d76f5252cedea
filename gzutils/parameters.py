"""What the notebooks' parameters and the options of `run_all.sh` may be.

Plain Python: options are checked before anything is installed. Every function returns what it was given, or raises a
ValueError that names the parameter and says what it has to be.
"""

import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any

DATA_SOURCES = ("simulated", "kaggle")
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
    if not value or Path(value).name != value or value.startswith("."):
        raise ValueError(f"RUN is {value!r}; it has to be a plain folder name")
    return value
