"""Training by a recipe (the report's is section 6), which can be interrupted at any moment and goes on where it was.

After each epoch the validation loss decides whether these are the best weights so far; training stops after `patience`
epochs without better ones, and the best are restored. All that an epoch needs at random follows from (seed, epoch), and
all that it leaves behind is one checkpoint file; so a training that was cut off ends with the same weights and history
as one that was not: on the CPU of one machine, or on a GPU with deterministic kernels, see `backend.configure`. Another
instruction set, number of threads or library version rounds differently, and that grows from epoch to epoch.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from gzutils.data.store import Examples, Split
from gzutils.learning.batches import Batches, set_draws
from gzutils.learning.checkpoint import Checkpoint
from gzutils.learning.recipe import Recipe, code_of
from gzutils.models import saved
from gzutils.tools import backend, files, records, sources
from gzutils.tools.progress import Line

# Whose code decides what a training of any network gives, beside the network's, the loss's and the augmentation's own.
PROTOCOL = tuple(
    f"gzutils.{name}"
    for name in ("learning.training", "learning.checkpoint", "learning.batches", "learning.recipe", "tools.backend")
)


@dataclass(frozen=True)
class Trained:
    """What a training left: one row of `history` an epoch.

    Its columns are epoch, loss, the metrics' names, the same with val_ before them, and seconds. `best_epoch` counts
    from 1; the model carries that epoch's weights.
    """

    history: pd.DataFrame
    best_epoch: int
    seconds_per_epoch: float

    @property
    def best(self) -> pd.Series:
        """The history's row of the best epoch."""
        return self.history.iloc[self.best_epoch - 1]


def train(
    model: keras.Model,
    examples: Examples,
    split: Split,
    recipe: Recipe,
    folder: Path | str,
    seed: int = 0,
    title: str = "",
    after_epoch: Callable[[pd.DataFrame], Any] | None = None,
) -> Trained:
    """Trains a model in place, leaving it with the best epoch's weights, and writes them and the history.

    Args:
        model: with its first weights; maps batches of the examples' inputs to what the loss compares with the targets.
        examples, split: what it learns from, and which of them.
        recipe: optimizer, loss, metrics, augmentation, epochs, patience, batch size.
        folder: for `model.keras`, `history.csv`, `training.json`, and `checkpoint.npz` until all is done. A
            finished training of the same kind is loaded, an interrupted one goes on.
        seed: of the order of the examples, the augmentation and the dropout.
        title: begins the line that shows the progress, where there are several trainings.
        after_epoch: called with the history so far after each epoch, and once more where a training is taken up again.
            If it returns True itself, the training ends there, and counts as finished.

    Raises:
        ValueError: the folder holds another training (it names the difference) or a damaged file, a part of the
            split is empty, or the loss became infinite.
        files.Busy: another process trains in the folder. files.NotWritten: the disk is full, or may not be written.
    """
    _check(split)
    folder = Path(folder)
    rows = np.atleast_2d(split.train)[0]
    made = recipe.made(steps=len(Batches(examples, rows, recipe.batch_size, shared=True)))
    augmentation = made.pop("augmentation")
    trainer = keras.Sequential([augmentation, model] if augmentation else [model], name="training")
    trainer.compile(**made)
    trainer.build((None, *model.input_shape[1:]))
    _build_what_fit_would_build(trainer, examples.targets)
    parts = [augmentation, made["optimizer"], made["loss"], *made["metrics"]]
    identity = _identity(model, examples, split, recipe, parts, seed)
    records.insist(folder / "training.json", identity, backend.versions())
    if (folder / "history.csv").is_file() and (folder / "model.keras").is_file():
        backend.check_agreement(f"{records.fingerprint(identity)}, finished")
        (folder / "checkpoint.npz").unlink(missing_ok=True)  # of a training that was killed just then
        return _load(model, folder)
    with files.locked(folder, backend.member()):
        state = Checkpoint(folder / "checkpoint.npz", model, trainer.optimizer)
        there = state.path.is_file()
        backend.check_agreement(f"a checkpoint is there: {there}")  # all look before the first of them writes one
        state.restore_or_save(there)
        backend.check_agreement(f"{records.fingerprint(identity)}, {len(state.history)} epochs done")
        watched = made["metrics"][0].name if made["metrics"] else "loss"
        _train(trainer, state, examples, split, recipe, seed, title, watched, after_epoch)
        model.set_weights(state.best_weights)
        saved.write(folder / "model.keras", model, examples.source)
        with files.whole_file(folder / "history.csv") as beside:
            pd.DataFrame(state.history).to_csv(beside, index=False)
        state.path.unlink(missing_ok=True)  # processes that train together may share the folder
    return _trained(pd.read_csv(folder / "history.csv"))


def _train(
    trainer: keras.Model,
    state: Checkpoint,
    examples: Examples,
    split: Split,
    recipe: Recipe,
    seed: int,
    title: str,
    watched: str,
    after_epoch: Callable[[pd.DataFrame], Any] | None,
) -> None:
    """The epochs that are left, each followed by a checkpoint."""
    validation = Batches(examples, split.validation, recipe.batch_size, shared=True)
    line = Line()
    try:
        while True:
            answer = after_epoch(pd.DataFrame(state.history)) if after_epoch and state.history else None
            ended = isinstance(answer, bool | np.bool_) and answer  # a plot, say, is no answer
            if ended or state.finished(recipe):
                return
            epoch = len(state.history)
            set_draws(trainer, seed, epoch)
            views = np.atleast_2d(split.train)
            rows = views[epoch % len(views)]
            batches = Batches(examples, rows, recipe.batch_size, order_seed=(seed, epoch), shared=True)
            start = time.perf_counter()
            logs = trainer.fit(
                batches,
                validation_data=validation,
                shuffle=False,  # the batches have their own, seeded order
                verbose=0,
                callbacks=[_ShowProgress(line, title, state.history, recipe.epochs, len(batches), watched)],
            ).history
            row = {"epoch": epoch + 1} | {name: values[0] for name, values in logs.items()}
            row["seconds"] = round(time.perf_counter() - start, 3)
            if not np.isfinite([row["loss"], row["val_loss"]]).all():
                raise ValueError(f"the loss became {row['loss']} in epoch {epoch + 1}; check the model and its scaling")
            state.add_epoch(row)
    finally:
        line.clear()


def _load(model: keras.Model, folder: Path) -> Trained:
    """A finished training: its weights go into the model."""
    weights = saved.load(folder / "model.keras").get_weights()
    path = folder / "history.csv"
    try:
        model.set_weights(weights)
        return _trained(pd.read_csv(path))
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path} or the model.keras beside it is damaged ({files.first_line(error)}); delete both and run again to "
            f"train anew"
        ) from None


def _trained(history: pd.DataFrame) -> Trained:
    # The first epoch also compiles, so the median says better what an epoch costs.
    return Trained(history, int(history["val_loss"].argmin()) + 1, float(history["seconds"].median()))


def _check(split: Split) -> None:
    for name in ("train", "validation"):
        if not len(getattr(split, name)):
            raise ValueError(f"the {name} part of the split is empty; take more galaxies")


def _identity(model: keras.Model, examples: Examples, split: Split, recipe: Recipe, made: list, seed: int) -> dict:
    """All that a training's result depends on, by name; `made`: the recipe's objects of Keras."""
    return {
        "model": records.fingerprint(
            [_architecture(model), [code_of(type(layer)) for layer in saved.all_layers(model)]]
        ),
        **records.without_nothing(recipe.configuration()),
        "seed": seed,
        "devices": backend.replicas(),
        "galaxies": examples.fingerprint,
        "split": records.fingerprint([split.train, split.validation]),
        "code of gzutils": sources.modules_fingerprint({*PROTOCOL, *own_modules(model, made)}),
    }


def _architecture(model: keras.Model) -> str:
    """A model's layers and how they are joined; names by their order, since Keras may number them by what was made
    before.
    """
    text = json.dumps(saved.description(model))
    names = {name: f"name {place}" for place, name in enumerate(dict.fromkeys(re.findall(r'"name": "([^"]*)"', text)))}
    return re.sub(r'"((?:[^"\\]|\\.)*)"', lambda found: f'"{names.get(found[1], found[1])}"', text)


def own_modules(model: keras.Model, parts: list) -> set[str]:
    """The modules of this kit that a model's layers and other objects of Keras (or None) come from.

    And those that these import; what only serves, in `tools`, does not count, nor what that imports.
    """
    homes = {type(part).__module__ for part in (*saved.all_layers(model), *parts)}
    return sources.reached((name for name in homes if name.startswith("gzutils.")), but="gzutils.tools")


def _build_what_fit_would_build(trainer: keras.Model, targets: np.ndarray) -> None:
    """Builds optimizer, loss and metrics, which Keras would do in the first `fit`.

    Moments of an optimizer that is not built could not be restored. And to build loss and metrics, `fit` takes the
    first batch out of the data; on JAX it then comes last (Keras 3.15), so a resumed training would see another order.
    """
    trainer.optimizer.build(trainer.trainable_variables)
    some = np.zeros_like(targets[:1])
    predicted = np.zeros((1, *trainer.output_shape[1:]), np.float32)
    trainer.compute_loss(y=some, y_pred=predicted)
    trainer.compute_metrics(x=None, y=some, y_pred=predicted)


class _ShowProgress(keras.callbacks.Callback):
    """One line: the epoch, how far it is, what was reached, and how long it still takes at most."""

    def __init__(self, line: Line, title: str, history: list[dict], epochs: int, batches: int, watched: str):
        super().__init__()
        self._line, self._epochs, self._batches = line, epochs, batches
        self._title = f"{title}, epoch" if title else "Epoch"
        self._epoch = len(history) + 1
        self._reached, self._left = "", ""
        if history:
            best = min(history, key=lambda row: row["val_loss"])
            words = {"rmse": "RMSE"}.get(watched, watched.replace("_", " "))
            self._reached = f", best so far epoch {best['epoch']}: validation {words} {best[f'val_{watched}']:.4f}"
            seconds = float(np.median([row["seconds"] for row in history])) * (epochs - len(history))
            self._left = f", at most {seconds / 60:.0f} min left" if seconds > 90 else f", at most {seconds:.0f} s left"

    def on_train_batch_end(self, batch, logs=None):
        share = 100 * (batch + 1) / self._batches
        self._line.show(f"{self._title} {self._epoch} of {self._epochs}: {share:.0f} %{self._reached}{self._left}")
