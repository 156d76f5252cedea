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

FEWEST_TO_JUDGE = 30  # validation galaxies: below, the bootstrap's intervals are too narrow


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
    `overfitting` is by how much the validation RMSE is higher than the training RMSE, with its interval.
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
        "overfitting": metrics.overfitting(
            predicted["train"], store.labels[split.train], predicted["validation"], store.labels[split.validation]
        ),
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
    verdict = "better" if error <= guess else "worse"
    lines = [
        f"test RMSE {error:.4f} (95 % interval {low:.4f} to {high:.4f})",
        f"guessing the mean {guess:.4f}: the network is {abs(1 - error / guess):.0%} {verdict}",
    ]
    if measured["noise_floor_test_rmse"] is not None:
        lines.append(f"the noise floor {measured['noise_floor_test_rmse']:.4f}: the best that any model could reach")
    return "\n".join(lines)


def compared_in_words(name: str, other: str, predicted: np.ndarray, others: np.ndarray, labels: np.ndarray) -> str:
    """A sentence that says whether one prediction's test RMSE is lower than another's, by the paired interval.

    Args:
        name, other: what they are, in words that can stand in the middle of a sentence.
        predicted, others: their probabilities for the same galaxies, (N, 37) each. labels: the votes', (N, 37).
    """
    gain, low, high = metrics.gain_interval(others, predicted, labels)
    errors = f"test RMSE {metrics.rmse(predicted, labels):.4f} against {metrics.rmse(others, labels):.4f}"
    if len(labels) < 2:
        return f"one galaxy can't tell {name} from {other} ({errors})"
    if low > 0:
        return f"{name} beats {other}, by {gain:.4f} ({errors}); the 95 % interval {low:.4f} to {high:.4f} holds no 0"
    if high < 0:
        loss = f"{-high:.4f} to {-low:.4f}"
        return f"{name} is behind {other}, by {-gain:.4f} ({errors}); the 95 % interval {loss} holds no 0"
    interval = f"the 95 % interval of the difference, {low:+.4f} to {high:+.4f}, holds 0"
    return f"{name} can't be told from {other} ({errors}): {interval}"


def training_in_words(measured: dict[str, Any], trained: Trained, recipe: Recipe) -> str:
    """How a training ended, and whether the network overfits: a sentence a line, computed from what was measured.

    Args:
        measured: see `measure`.
    """
    epochs, best, history = len(trained.history), trained.best_epoch, trained.history
    if epochs < recipe.epochs:
        lines = [f"early stopping ended it after epoch {epochs}: there was no better one after epoch {best}"]
    elif best < epochs:
        lines = [f"all {epochs} epochs were run, and epoch {best} was the best"]
    else:
        lines = [f"all {epochs} epochs were run, and the last was the best"]
    learned, unseen = (history[column].iloc[-1] - history[column][best - 1] for column in ("rmse", "val_rmse"))
    if learned < 0 < unseen:
        lines[0] += (
            f"; since then the training RMSE fell by {-learned:.4f} and the validation RMSE rose by {unseen:.4f}"
        )
    if measured["galaxies"]["validation"] < FEWEST_TO_JUDGE:
        return "\n".join(
            [*lines, f"{measured['galaxies']['validation']} validation galaxies can't tell whether it overfits"]
        )
    gap, low, high = measured["overfitting"]
    errors = {part: f"{measured['rmse'][part]:.4f}" for part in ("train", "validation")}
    verdict = f"by {gap:.4f} (95 % interval {low:.4f} to {high:.4f})"
    if low <= 0:
        verdict = f"a difference of {gap:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
    meaning = "it overfits " if low > 0 else "no overfitting can be seen, "
    words = f"without augmentation and dropout its RMSE is {errors['train']} for the training galaxies and "
    return "\n".join([*lines, f"{words}{errors['validation']} for the validation galaxies: {meaning}{verdict}"])


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
