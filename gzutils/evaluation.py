"""How good a model is: RMSE (Equation 1), per question, how far it breaks the tree, and what a guess would reach.

And what several predictions give together: of several models, or of one model for a galaxy turned and mirrored.
"""

from collections.abc import Iterable
from dataclasses import replace

import keras
import numpy as np
import pandas as pd

from gzutils import backend
from gzutils.dataset import Batches, Split, Store
from gzutils.decision_tree import QUESTIONS, constraint_residuals
from gzutils.losses import ConstrainedMeanSquaredError
from gzutils.progress import progress
from gzutils.runs import Run
from gzutils.training import Trained

# What the report's text and logs say of each model (Table 1, section 6); RMSE of train and validation as logged
# during training, with augmentation and dropout on for the training galaxies; parameters as its code makes them.
REPORT_RESULTS = {
    "parallel_cnn": {
        "parameters": 1_160_165,
        "epochs": 182,
        "best_epoch": 132,
        "train_rmse": 0.0969,
        "validation_rmse": 0.0976,
        "test_rmse": 0.0985,
        "seconds_per_epoch": 47,
    },
    "vision_transformer": {
        "parameters": 1_821_477,
        "epochs": 300,
        "best_epoch": 268,
        "train_rmse": 0.1045,
        "validation_rmse": 0.0983,
        "test_rmse": 0.0995,
        "seconds_per_epoch": 48,
    },
    "vgg16": {
        "parameters": 27_579_237,
        "epochs": 50,
        "best_epoch": 34,
        "train_rmse": 0.1171,
        "validation_rmse": 0.1134,
        "test_rmse": 0.1152,
        "seconds_per_epoch": 194,
    },
    "resnet50": {
        "parameters": 27_859_877,
        "epochs": 50,
        "best_epoch": 46,
        "train_rmse": 0.1473,
        "validation_rmse": 0.1403,
        "test_rmse": 0.1433,
        "seconds_per_epoch": 178,
    },
}


def rmse(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Root of the mean squared difference over all galaxies and answers, (N, 37) each (report, Equation 1)."""
    difference = np.asarray(predicted, np.float64) - labels
    return float(np.sqrt(np.mean(difference**2)))


def rmse_by_question(predicted: np.ndarray, labels: np.ndarray) -> pd.Series:
    """The RMSE over each question's answers, indexed by question number 1 to 11."""
    values = {q.number: rmse(predicted[:, q.slice], labels[:, q.slice]) for q in QUESTIONS}
    return pd.Series(values, name="RMSE").rename_axis("question")


def rmse_interval(predicted: np.ndarray, labels: np.ndarray, seed: int = 0, draws: int = 1000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the RMSE: what other galaxies of the same kind might have given."""
    squared = np.mean((np.asarray(predicted, np.float64) - labels) ** 2, axis=1)
    rows = np.random.default_rng(seed).integers(len(squared), size=(draws, len(squared)))
    low, high = np.quantile(np.sqrt(squared[rows].mean(axis=1)), [0.025, 0.975])
    return float(low), float(high)


def gain_interval(
    before: np.ndarray, after: np.ndarray, labels: np.ndarray, seed: int = 0, draws: int = 1000
) -> tuple[float, float, float]:
    """By how much a second prediction's RMSE is lower than the first one's, and the 95 % interval of that difference.

    The bootstrap draws the same galaxies for both (paired): what is hard for both cancels, so that the interval is
    narrower than those of the two RMSEs. One that holds 0 says that other galaxies might have shown no gain.

    Args:
        before, after, labels: (N, 37) each.

    Returns:
        gain, low, high.
    """
    squared = np.stack([np.mean((np.asarray(p, np.float64) - labels) ** 2, axis=1) for p in (before, after)])
    rows = np.random.default_rng(seed).integers(len(labels), size=(draws, len(labels)))
    first, second = np.sqrt(squared[:, rows].mean(axis=2))
    low, high = np.quantile(first - second, [0.025, 0.975])
    return rmse(before, labels) - rmse(after, labels), float(low), float(high)


def calibration(predicted: np.ndarray, labels: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Whether predicted shares mean what they say, over all galaxies and answers, (N, 37) each.

    Returns:
        One row for each bin of the predicted share (0 to 1, equally wide, empty bins left out): `predicted` and
        `voted`, the means of the predicted and the voted shares in it, and `count`, how many there are.
        A calibrated model's two means are equal.
    """
    predicted, labels = np.asarray(predicted, np.float64).ravel(), np.asarray(labels, np.float64).ravel()
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    table = pd.DataFrame({"bin": place, "predicted": predicted, "voted": labels, "count": 1})
    return table.groupby("bin").agg({"predicted": "mean", "voted": "mean", "count": "sum"}).reset_index(drop=True)


def calibration_error(table: pd.DataFrame) -> float:
    """How far predicted and voted shares lie apart in a calibration table, weighted by its counts."""
    return float(np.average((table["predicted"] - table["voted"]).abs(), weights=table["count"]))


def constraint_violation(predicted: np.ndarray) -> float:
    """How far predictions (N, 37) break the tree: the 11 absolute residuals summed, averaged over the galaxies."""
    return float(np.abs(constraint_residuals(predicted)).sum(axis=1).mean())


def mean_prediction(store: Store, split: Split) -> np.ndarray:
    """The answers' mean over the training galaxies (37,): the best guess that does not look at the image."""
    return store.labels[split.train].mean(axis=0, dtype=np.float64)


def central_colour_guess(store: Store, split: Split, rows: np.ndarray) -> np.ndarray:
    """The challenge's "central pixel benchmark": the answers of training galaxies with a like-coloured centre.

    As the benchmark's published code (J. Noah-Vanhoucke, 2013): the centre's mean red, green and blue are each divided
    by the mean of the three and rounded down; galaxies with the same three numbers are one group, which gets the
    mean answers of its training galaxies. Two things differ: the centre is 4 x 4 pixels of the 64 (13 x 13 of the raw
    ones, there 10 x 10; on 120 of the challenge's galaxies both gave the same groups), and a group without training
    galaxies gets the mean of all (there zeros).

    Returns:
        (n, 37) float64, in the order of `rows`.
    """

    def group(of: np.ndarray) -> np.ndarray:
        middle = store.images.shape[1] // 2
        colour = np.asarray(store.images[of, middle - 2 : middle + 2, middle - 2 : middle + 2], np.int64).sum((1, 2))
        ratio = 3 * colour // np.maximum(colour.sum(axis=1, keepdims=True), 1)
        return ratio @ [100, 10, 1]

    of_training, labels = group(split.train), store.labels[split.train]
    means = {number: labels[of_training == number].mean(axis=0, dtype=np.float64) for number in np.unique(of_training)}
    everyone = mean_prediction(store, split)
    return np.stack([means.get(number, everyone) for number in group(rows)])


def predict(model: keras.Model, store: Store, rows: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """The model's probabilities for some galaxies of the store, (n, 37) float32, in the order of `rows`."""
    with backend.on_one_device(model) as predictor:
        return predictor.predict(Batches(store, rows, batch_size), verbose=0)


def ensemble(predictions: Iterable[np.ndarray]) -> np.ndarray:
    """The mean of several models' probabilities for the same galaxies, (N, 37) each."""
    return np.mean(np.stack(list(predictions)), axis=0)


def turned(images: np.ndarray, view: int) -> np.ndarray:
    """Images (N, side, side, 3) as seen from view 0 to 7: four quarter turns, and the same of the mirror image.

    Pixels only change places, none is interpolated. View 0 is the images as they are.
    """
    mirrored = images[:, :, ::-1] if view >= 4 else images
    return np.ascontiguousarray(np.rot90(mirrored, view % 4, axes=(1, 2)))


def predict_turned(model: keras.Model, store: Store, rows: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """Test-time averaging: the mean of the model's probabilities over the 8 views of each galaxy, (n, 37) float32.

    A galaxy has no up or down, so that all views have the same answers; what the model says differently of them is
    its own error, and part of it averages out.
    """
    images, everyone = store.images[rows], np.arange(len(rows))
    own = replace(store, labels=store.labels[rows], galaxy_ids=store.galaxy_ids[rows])
    views = (replace(own, images=turned(images, view)) for view in range(8))
    answers = progress((predict(model, view, everyone, batch_size) for view in views), model.name, 8, "views")
    return ensemble(answers)


def noise_floor(truth: np.ndarray, labels: np.ndarray) -> float:
    """The RMSE of the true probabilities against the votes, (N, 37) each.

    Forty-odd volunteers scatter around the truth, and no model can foresee how: this is the best that one can reach.
    Only simulated galaxies have a truth, see `Run.true_probabilities`.
    """
    return rmse(truth, labels)


def measure(
    model: keras.Model,
    trained: Trained,
    loss: ConstrainedMeanSquaredError,
    run: Run,
    store: Store,
    split: Split,
    initial_weights: str,
    predicted: dict[str, np.ndarray] | None = None,
) -> dict:
    """All that the results table needs of a trained model, as written to `metrics.json`.

    `rmse` is measured with the best weights on unchanged images; `rmse_during_training` is what the history says of
    the best epoch (training galaxies augmented, dropout on), the way the report gives its training and validation RMSE.
    `predicted`, by part of the split, is made with the model where it is not given.
    `noise_floor_test_rmse` is what the best possible model would reach; None (null) for real galaxies.
    """
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    predicted = predicted or {name: predict(model, store, rows) for name, rows in parts.items()}
    test_labels = store.labels[split.test]
    guess = np.broadcast_to(mean_prediction(store, split), test_labels.shape)
    truth = run.true_probabilities(store.galaxy_ids[split.test])
    return {
        "model": model.name,
        "profile": run.profile.name,
        "data": run.data,
        "galaxies": {"all": len(store)} | {name: len(rows) for name, rows in parts.items()},
        "seed": run.seed,
        "initial_weights": initial_weights,
        "constraints": loss.constraints,
        "constraint_weight": loss.weight,
        "parameters": int(model.count_params()),
        "trainable_parameters": int(sum(np.prod(v.shape) for v in model.trainable_variables)),
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "seconds_per_epoch": round(trained.seconds_per_epoch, 2),
        "rmse": {name: rmse(predicted[name], store.labels[rows]) for name, rows in parts.items()},
        "rmse_during_training": {"train": trained.best["rmse"], "validation": trained.best["val_rmse"]},
        "test_rmse_interval": rmse_interval(predicted["test"], test_labels),
        "test_rmse_by_question": rmse_by_question(predicted["test"], test_labels).to_dict(),
        "test_constraint_violation": constraint_violation(predicted["test"]),
        "mean_guess_test_rmse": rmse(guess, test_labels),
        "noise_floor_test_rmse": None if truth is None else noise_floor(truth, test_labels),
        "precision": model.dtype_policy.name,
        "versions": backend.versions(),
        "device": backend.device(),
    }
