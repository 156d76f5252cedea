"""The table of `tests/benchmarks/seeds.py`, on numbers that can be checked by hand."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd

PATH = Path(__file__).parent / "benchmarks" / "seeds.py"


def test_the_table_has_mean_range_and_share_of_every_predictor():
    spec = importlib.util.spec_from_file_location("seeds", PATH)
    seeds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeds)
    errors = {0: [0.10, 0.12, 0.20], 1: [0.12, np.nan, 0.20], 2: [0.17, 0.10, 0.25]}
    errors = pd.DataFrame(errors, index=["Parallel CNN", "VGG16", "guessing the mean"])
    assert seeds.table(errors, [0.1, 0.2, 0.06]).splitlines() == [
        "| | mean over seeds 0, 1, 2 | lowest to highest | of guessing the mean |",
        "|---|---|---|---|",
        "| Parallel CNN | 0.1300 | 0.1000 to 0.1700 | 0.593 |",
        "| VGG16 (2 of 3 seeds) | 0.1100 | 0.1000 to 0.1200 | 0.500 |",
        "| guessing the mean | 0.2167 | 0.2000 to 0.2500 | 1.000 |",
        "| Grad-CAM maps without heat | 12% | 6% to 20% | |",
    ]
