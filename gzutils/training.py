"""Training by the report's protocol (section 6), which can be interrupted at any moment and goes on where it was.

Adam with Keras's defaults; after each epoch the validation loss decides whether these are the best weights so far;
training stops after `patience` epochs without better ones, and the best are restored. All that an epoch needs
at random follows from (seed, epoch), and all that it leaves behind is one checkpoint file; so a training that was cut
off ends with the same weights and history as one that was not (on a CPU; on a GPU with deterministic kernels, see
`backend.configure`).
"""

import json
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from gzutils import backend, files
from gzutils.dataset import Batches, Split, Store
from gzutils.models import saved
from gzutils.profiles import Training
from gzutils.progress import Line

PACKAGE = Path(__file__).parent
# What a training's result depends on besides its settings; other code must not pass for the same training.
SOURCES = [
    PACKAGE / name
    for name in (
        "decision_tree.py",
        "backend.py",
        "dataset.py",
        "augmentation.py",
        "losses.py",
        "models",
        "training.py",
    )
]


@dataclass(frozen=True)
class Trained:
    """What a training left: one row of `history` an epoch (epoch, loss, rmse, val_loss, val_rmse, seconds).

    `best_epoch` counts from 1; the model carries that epoch's weights.
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
    store: Store,
    split: Split,
    settings: Training,
    loss: keras.losses.Loss,
    folder: Path | str,
    augmentation: keras.layers.Layer | None = None,
    seed: int = 0,
    title: str = "",
) -> Trained:
    """Trains a model in place, leaving it with the best epoch's weights, and writes them and the history.

    Args:
        model: uint8 images (N, 64, 64, 3) -> probabilities (N, 37), with its first weights.
        store, split: the galaxies.
        settings: epochs, patience and batch size.
        loss: what is minimised.
        folder: for `model.keras`, `history.csv`, `training.json`, and `checkpoint.npz` until all is done. A
            finished training of the same settings is loaded, an interrupted one goes on.
        augmentation: a layer that changes the training images; not part of the saved model.
        seed: of the order of the galaxies, the augmentation and the dropout.
        title: begins the line that shows the progress, where there are several trainings.

    Raises:
        ValueError: the folder holds a training with other settings (it names them) or a damaged file, a part of the
            split is empty, or the loss became infinite.
        files.Busy: another process trains in the folder. files.NotWritten: the disk is full, or may not be written.
    """
    _check(split)
    folder = Path(folder)
    trainer = keras.Sequential([augmentation, model] if augmentation else [model], name="training")
    trainer.compile(
        optimizer=keras.optimizers.Adam(), loss=loss, metrics=[keras.metrics.RootMeanSquaredError(name="rmse")]
    )
    trainer.build((None, *model.input_shape[1:]))
    _build_what_fit_would_build(trainer)
    remembered = _settings(model, store, split, settings, loss, augmentation, seed)
    remember_settings(folder / "training.json", remembered)
    if (folder / "history.csv").is_file() and (folder / "model.keras").is_file():
        backend.check_agreement(f"{files.fingerprint(remembered)}, finished")
        (folder / "checkpoint.npz").unlink(missing_ok=True)  # of a training that was killed just then
        return _load(model, folder)
    with files.locked(folder, backend.member()):
        state = _Checkpoint(folder / "checkpoint.npz", model, trainer.optimizer)
        state.restore_or_save()
        backend.check_agreement(f"{files.fingerprint(remembered)}, {len(state.history)} epochs done")
        _train(trainer, state, store, split, settings, seed, title)
        model.set_weights(state.best_weights)
        with files.whole_file(folder / "model.keras") as beside:
            model.save(beside)
        with files.whole_file(folder / "history.csv") as beside:
            pd.DataFrame(state.history).to_csv(beside, index=False)
        state.path.unlink(missing_ok=True)  # processes that train together may share the folder
    return _trained(pd.read_csv(folder / "history.csv"))


def _train(
    trainer: keras.Model,
    state: "_Checkpoint",
    store: Store,
    split: Split,
    settings: Training,
    seed: int,
    title: str,
) -> None:
    """The epochs that are left, each followed by a checkpoint."""
    validation = Batches(store, split.validation, settings.batch_size, shared=True)
    line = Line()
    try:
        while not state.finished(settings):
            epoch = len(state.history)
            set_draws(trainer, seed, epoch)
            views = np.atleast_2d(split.train)
            rows = views[epoch % len(views)]
            batches = Batches(store, rows, settings.batch_size, order_seed=(seed, epoch), shared=True)
            start = time.perf_counter()
            logs = trainer.fit(
                batches,
                validation_data=validation,
                shuffle=False,  # the batches have their own, seeded order
                verbose=0,
                callbacks=[_ShowProgress(line, title, state.history, settings.epochs, len(batches))],
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
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path} or the model.keras beside it is damaged ({reason}); delete both and run again to train anew"
        ) from None


def _trained(history: pd.DataFrame) -> Trained:
    # The first epoch also compiles, so the median says better what an epoch costs.
    return Trained(history, int(history["val_loss"].argmin()) + 1, float(history["seconds"].median()))


def _check(split: Split) -> None:
    for name in ("train", "validation"):
        if not len(getattr(split, name)):
            raise ValueError(f"the {name} part of the split is empty; take more galaxies")


def _settings(model, store, split, settings, loss, augmentation, seed) -> dict:
    return {
        "model": files.fingerprint(json.loads(model.to_json())),
        "epochs, patience, batch size": [settings.epochs, settings.patience, settings.batch_size],
        "loss": loss.get_config(),
        "augmentation": augmentation.get_config() if augmentation else None,
        "seed": seed,
        "devices": backend.replicas(),
        "galaxies": store.fingerprint,
        "split": files.fingerprint([split.train, split.validation]),
        "code of gzutils": files.sources_fingerprint(*SOURCES),
    }


def remember_settings(path: Path, settings: dict) -> None:
    """Writes to a file what its folder is made with.

    Raises:
        ValueError: it was made with other settings; the message names them.
    """
    settings = json.loads(json.dumps(settings))  # as a file gives them back, so that tuples and lists compare equal
    if not path.is_file():
        files.write_json(path, settings)
    known = files.read_record(path)
    differing = [key for key, value in settings.items() if known.get(key) != value]
    if differing:
        raise ValueError(
            f"{path.parent} was made with other settings (different: {'; '.join(differing)}); give this run a name "
            f"of its own (RUN, or --run NAME), or delete that folder (--fresh deletes the whole run)"
        )


def _build_what_fit_would_build(trainer: keras.Model) -> None:
    """Builds optimizer, loss and metrics, which Keras would do in the first `fit`.

    Moments of an optimizer that is not built could not be restored. And to build loss and metrics, `fit` takes the
    first batch out of the data; on JAX it then comes last (Keras 3.15), so a resumed training would see another order.
    """
    trainer.optimizer.build(trainer.trainable_variables)
    labels = np.zeros((1, *trainer.output_shape[1:]), np.float32)
    trainer.compute_loss(y=labels, y_pred=labels)
    trainer.compute_metrics(x=None, y=labels, y_pred=labels)


def set_draws(model: keras.layers.Layer, *numbers: int) -> None:
    """Lets all that a model or layer draws next (dropout, augmentation) follow from these numbers and its place."""
    generators = [v for v in model.variables if "seed_generator" in v.path]
    for place, variable in enumerate(generators):
        state = np.random.SeedSequence([*numbers, place]).generate_state(2) >> 1  # fits signed integers too
        variable.assign(state.astype(variable.dtype))


class _Checkpoint:
    """Weights, optimizer, best weights and history, in one file that is replaced as a whole after each epoch."""

    def __init__(self, path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer):
        self.path, self._model, self._optimizer = path, model, optimizer
        self.history: list[dict] = []
        self.best_weights = model.get_weights()

    def restore_or_save(self) -> None:
        """Takes up an earlier checkpoint; where there is none, writes the first, so that a new start is the same."""
        if not self.path.is_file():
            self._save()
            return
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

    def finished(self, settings: Training) -> bool:
        """Whether all epochs are done, or `patience` of them went by without a better validation loss."""
        losses = [row["val_loss"] for row in self.history]
        waited = len(losses) - 1 - int(np.argmin(losses)) if losses else 0
        return len(losses) >= settings.epochs or waited >= settings.patience

    def add_epoch(self, row: dict) -> None:
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


class _ShowProgress(keras.callbacks.Callback):
    """One line: the epoch, how far it is, what was reached, and how long it still takes at most."""

    def __init__(self, line: Line, title: str, history: list[dict], epochs: int, batches: int):
        super().__init__()
        self._line, self._epochs, self._batches = line, epochs, batches
        self._title = f"{title}, epoch" if title else "Epoch"
        self._epoch = len(history) + 1
        self._reached, self._left = "", ""
        if history:
            best = min(history, key=lambda row: row["val_loss"])
            self._reached = f", best so far epoch {best['epoch']}: validation RMSE {best['val_rmse']:.4f}"
            seconds = float(np.median([row["seconds"] for row in history])) * (epochs - len(history))
            self._left = f", at most {seconds / 60:.0f} min left" if seconds > 90 else f", at most {seconds:.0f} s left"

    def on_train_batch_end(self, batch, logs=None):
        share = 100 * (batch + 1) / self._batches
        self._line.show(f"{self._title} {self._epoch} of {self._epochs}: {share:.0f} %{self._reached}{self._left}")
