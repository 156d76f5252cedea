"""What a trained network is measured by: `metrics.json`, and the same in words beside the report's numbers."""

from typing import Any

import keras
import numpy as np
import pandas as pd

from gzutils import report
from gzutils.course.runs import Run
from gzutils.data.store import Examples, Split, Store
from gzutils.learning import metrics
from gzutils.learning.predict import evaluate, mean_prediction, predict
from gzutils.learning.recipe import Recipe
from gzutils.learning.training import Trained
from gzutils.models.networks import NETWORKS
from gzutils.tools import backend, processor


def of_any(model: keras.Model, trained: Trained, examples: Examples, split: Split, recipe: Recipe) -> dict[str, Any]:
    """What any network is measured by, whatever it says of its examples.

    Beside size, epochs and machine: `train`, `validation` and `test`, the recipe's loss and metrics with the best
    weights on unchanged inputs.
    """
    parts = {part: evaluate(model, examples, rows, recipe) for part, rows in vars(split).items()}
    return _of_training(model, trained) | parts


def measure(
    model: keras.Model,
    trained: Trained,
    recipe: Recipe,
    run: Run,
    store: Store,
    split: Split,
    initial_weights: str,
    predicted: dict[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """All that the results table needs of a network that says vote fractions, as written to `metrics.json`.

    `rmse` is measured with the best weights on unchanged images; `rmse_during_training` is what the history says of
    the best epoch (training galaxies augmented, dropout on), the way the report gives its training and validation RMSE.
    `predicted`, by part of the split, is made with the model where it is not given.
    `noise_floor_test_rmse` is what the best possible model would reach; None (null) for real galaxies.
    """
    parts = vars(split)
    predicted = predicted or {part: predict(model, store.images, rows) for part, rows in parts.items()}
    test_labels = store.labels[split.test]
    truth = run.true_probabilities(store.galaxy_ids[split.test])
    return {
        "model": model.name,
        "profile": run.profile.name,
        "data": run.data,
        "galaxies": {"all": len(store)} | {part: len(rows) for part, rows in parts.items()},
        "seed": run.seed,
        "initial_weights": initial_weights,
        "constraints": getattr(recipe.loss, "constraints", None),  # None: another loss than the report's
        "constraint_weight": getattr(recipe.loss, "weight", None),
        **_of_training(model, trained),
        "rmse": {part: metrics.rmse(predicted[part], store.labels[rows]) for part, rows in parts.items()},
        "rmse_during_training": {"train": trained.best.get("rmse"), "validation": trained.best.get("val_rmse")},
        "test_rmse_interval": metrics.rmse_interval(predicted["test"], test_labels),
        "test_rmse_by_question": metrics.rmse_by_question(predicted["test"], test_labels),
        "test_constraint_violation": metrics.constraint_violation(predicted["test"]),
        "mean_guess_test_rmse": guess_errors(store, split)["test"],
        "noise_floor_test_rmse": None if truth is None else metrics.noise_floor(truth, test_labels),
    }


def guess_errors(store: Store, split: Split) -> dict[str, float]:
    """The RMSE of guessing the mean of the training galaxies, by part of the split: the number to beat."""
    guess = mean_prediction(store, split)
    return {part: metrics.rmse(guess[None], store.labels[rows]) for part, rows in vars(split).items()}


def in_words(measured: dict[str, Any]) -> str:
    """A network's test RMSE, and what it has to be held against: the mean's and, where it is known, the noise floor."""
    error, guess = measured["rmse"]["test"], measured["mean_guess_test_rmse"]
    low, high = measured["test_rmse_interval"]
    lines = [
        f"test RMSE {error:.4f} (95 % interval {low:.4f} to {high:.4f})",
        f"guessing the mean {guess:.4f}: the network is {1 - error / guess:.0%} better",
    ]
    if measured["noise_floor_test_rmse"] is not None:
        lines.append(f"the noise floor {measured['noise_floor_test_rmse']:.4f}: the best that any model could reach")
    return "\n".join(lines)


def gain_in_words(better: str, worse: str, after: np.ndarray, before: np.ndarray, labels: np.ndarray) -> str:
    """A sentence on whether one predictor beats another on the same galaxies, by how much, and whether by chance.

    Args:
        better, worse: what they are called, if it comes as expected; the sentence says what came.
        after, before: their predictions. labels: of the galaxies. All (N, 37).
    """
    gain, low, high = metrics.gain_interval(before, after, labels)
    if low <= 0 <= high:
        return (
            f"{better} and {worse} differ by {abs(gain):.4f} of RMSE in favour of {better if gain > 0 else worse}; the "
            f"95 % interval of the gain, {low:.4f} to {high:.4f}, holds 0: other galaxies might show the contrary."
        )
    if gain < 0:
        better, worse, gain, low, high = worse, better, -gain, -high, -low
    return f"{better} beats {worse} by {gain:.4f} of RMSE (95 % interval {low:.4f} to {high:.4f}, which holds no 0)."


def beside_the_report(
    run: Run, measured: dict[str, Any], special: dict[str, tuple] | None = None, others: tuple[str, ...] = ()
) -> pd.DataFrame:
    """What the report found and what this run found, a row each.

    Args:
        measured: see `measure`.
        special: further rows of the two values, put first.
        others: networks of Table 1 whose test RMSE is added where they have run.
    """
    said, during = report.RESULTS[measured["model"]], measured["rmse_during_training"]
    rows = dict(special or {})
    rows |= {
        "galaxies": (f"{report.GALAXIES:,} (Kaggle)", f"{measured['galaxies']['all']:,} ({run.data})"),
        "parameters": (f"{said['parameters']:,}", f"{measured['parameters']:,}"),
        "epochs run": (said["epochs"], measured["epochs"]),
        "best epoch": (said["best_epoch"], measured["best_epoch"]),
        "train RMSE": (said["train_rmse"], f"{during['train']:.4f}"),
        "validation RMSE": (said["validation_rmse"], f"{during['validation']:.4f}"),
        "test RMSE": (said["test_rmse"], f"{measured['rmse']['test']:.4f}"),
    }
    for name in others:
        if earlier := run.read_metrics(NETWORKS[name].notebook):
            title = NETWORKS[name].title
            if NETWORKS[name].pretrained:
                title += f" ({earlier['initial_weights']})"
            rows[f"test RMSE of {title}"] = (report.RESULTS[name]["test_rmse"], f"{earlier['rmse']['test']:.4f}")
    return pd.DataFrame.from_dict(rows, orient="index", columns=["the report", "this run"])


def machine() -> dict[str, Any]:
    """What decides the last digits of a result, beside its seed: versions, device, CPU threads and instruction set."""
    return {
        "versions": backend.versions(),
        "device": backend.device(),
        "threads": backend.threads(),
        "instruction_set": processor.instruction_set(),
    }


def _of_training(model: keras.Model, trained: Trained) -> dict[str, Any]:
    return {
        "parameters": int(model.count_params()),
        "trainable_parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "seconds_per_epoch": round(trained.seconds_per_epoch, 2),
        "precision": model.dtype_policy.name,
        **machine(),
    }
