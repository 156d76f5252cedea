"""What each idea of the challenge's winner brings: small networks with and without it, trained about equally long."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from gzutils.data.store import Split, Store
from gzutils.learning import metrics, training
from gzutils.learning.augmentation import RandomView
from gzutils.learning.predict import ensemble, mean_prediction
from gzutils.models.networks import NETWORKS
from gzutils.profiles import Plan


@dataclass(frozen=True)
class Variant:
    """A changed network. change: of its builder's arguments. times: epochs for one of the whole network's.

    `times` is what takes about as long on a CPU, as it was measured.
    """

    change: dict
    times: int = 1


WHOLE, SIGMOID, ONE_VIEW = "16 parts, tree", "16 parts, sigmoid", "one view, tree"
VARIANTS = {
    WHOLE: Variant({}),
    SIGMOID: Variant({"output": "sigmoid"}),
    ONE_VIEW: Variant({"parts": 1}, times=2),
}


def train_variant(
    name: str, plan: Plan, store: Store, split: Split, folder: Path | str, seed: int
) -> tuple[keras.Model, training.Trained]:
    """Trains one of `VARIANTS` by a plan for the whole network, into a folder of its own.

    Returns:
        The model, and what the training left.
    """
    variant = VARIANTS[name]
    keras.utils.set_random_seed(seed)
    start = {"mean_answers": mean_prediction(store, split).round(4).tolist()} if plan.start_at_mean else {}
    model = NETWORKS["dieleman"].build(**plan.model | start | variant.change)
    epochs = plan.recipe.epochs * variant.times
    recipe = replace(plan.recipe, epochs=epochs, patience=epochs, augmentation=RandomView())
    return model, training.train(model, store.examples(), split, recipe, folder, seed, title=name)


def gains(predicted: dict[str, np.ndarray], of_60_views: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """By how much each idea lowers the RMSE, with the paired 95 % interval: columns gain, low and high.

    Args:
        predicted: by the name of each of `VARIANTS`, (N, 37). of_60_views: the whole network's mean over 60 views.
        labels: (N, 37).
    """
    whole = predicted[WHOLE]
    pairs = {
        "16 parts, beside one view": (predicted[ONE_VIEW], whole),
        "output by the tree, beside a sigmoid": (predicted[SIGMOID], whole),
        "60 views, beside one": (whole, of_60_views),
        "three networks, beside one": (whole, ensemble(predicted.values())),
    }
    rows = {idea: metrics.gain_interval(before, after, labels) for idea, (before, after) in pairs.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "low", "high"])
