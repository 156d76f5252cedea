"""What a training leaves behind after each epoch, so that it can be cut off at any moment: one file, written whole."""

import json
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from gzutils.learning.recipe import Recipe
from gzutils.tools import files


class Checkpoint:
    """Weights, optimizer, best weights and history, in one file that is replaced as a whole after each epoch.

    history: a row an epoch. best_weights: those of the epoch with the lowest validation loss so far.
    """

    def __init__(self, path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer):
        self.path, self._model, self._optimizer = path, model, optimizer
        self.history: list[dict] = []
        self.best_weights = model.get_weights()

    def restore_or_save(self, there: bool) -> None:
        """Takes up an earlier checkpoint; where there is none, writes the first, so that a new start is the same.

        Raises:
            ValueError: the file is damaged.
        """
        if not there:
            return self._save()
        try:
            with np.load(self.path, allow_pickle=False) as file:  # which never unpickles anything
                arrays = {key: file[key] for key in file.files}
            self.history = json.loads(str(arrays["history"]))
            self._model.set_weights(_numbered(arrays, "weights"))
            self.best_weights = _numbered(arrays, "best")
            for variable, value in zip(self._optimizer.variables, _numbered(arrays, "optimizer"), strict=True):
                variable.assign(value)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{self.path} is damaged ({error}); delete it and run again to train anew") from None

    def finished(self, recipe: Recipe) -> bool:
        """Whether all epochs are done, or `patience` of them went by without a better validation loss."""
        losses = [row["val_loss"] for row in self.history]
        waited = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        return len(losses) >= recipe.epochs or waited >= recipe.patience

    def add_epoch(self, row: dict) -> None:
        """Adds an epoch to the history, keeps the weights if they are the best so far, and writes the file."""
        if row["val_loss"] < min((r["val_loss"] for r in self.history), default=np.inf):
            self.best_weights = self._model.get_weights()
        self.history.append(row)
        self._save()

    def _save(self) -> None:
        arrays = {"history": np.array(json.dumps(self.history, default=float))}
        optimizer = [keras.ops.convert_to_numpy(variable) for variable in self._optimizer.variables]
        for name, values in (
            ("weights", self._model.get_weights()),
            ("best", self.best_weights),
            ("optimizer", optimizer),
        ):
            arrays |= {f"{name}_{i}": value for i, value in enumerate(values)}
        with files.whole_file(self.path) as beside:
            np.savez(beside, **arrays)


def _numbered(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [arrays[f"{name}_{i}"] for i in range(sum(key.startswith(name + "_") for key in arrays))]
