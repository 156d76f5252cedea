"""How much of an epoch is not the network's own arithmetic: reading, augmentation, progress, the checkpoint."""

import statistics
import time
from dataclasses import replace

import keras
import numpy as np
import pytest

from gzutils import profiles
from gzutils.data.store import Split
from gzutils.learning import training
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.batches import set_draws
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.recipe import Recipe
from gzutils.models.parallel_cnn import parallel_cnn


def bare_epoch(width, store, batch_size, steps, validation_steps):
    """The same steps on one batch that lies in memory, without augmentation: what the network alone costs."""
    model = parallel_cnn(width)
    rmse = keras.metrics.RootMeanSquaredError(name="rmse")
    model.compile(optimizer=keras.optimizers.Adam(), loss=ConstrainedMeanSquaredError(), metrics=[rmse])
    images = keras.ops.convert_to_tensor(store.images[:batch_size])
    labels = keras.ops.convert_to_tensor(store.labels[:batch_size])

    def run():
        for _ in range(steps):
            model.train_on_batch(images, labels)
        for _ in range(validation_steps):
            model.test_on_batch(images, labels)

    return run


@pytest.mark.parametrize(
    ("width", "batch_size", "steps", "validation_steps", "epochs"),
    [(0.25, 128, 12, 1, 5), (1.0, 32, 8, 1, 4)],
    ids=["quarter", "full"],
)
def test_share_of_an_epoch(store, record, tmp_path, monkeypatch, width, batch_size, steps, validation_steps, epochs):
    keras.utils.set_random_seed(0)
    rows = np.resize(np.arange(len(store)), (steps + validation_steps) * batch_size)
    split = Split(rows[: steps * batch_size], rows[steps * batch_size :], rows[:0])
    bare = bare_epoch(width, store, batch_size, steps, validation_steps)
    bare()
    begun, ended, alone = [], [], []

    def at_the_start_of_an_epoch(*arguments):
        ended.append(time.perf_counter())
        bare()
        begun.append(time.perf_counter())
        alone.append(begun[-1] - ended[-1])
        set_draws(*arguments)

    monkeypatch.setattr(training, "set_draws", at_the_start_of_an_epoch)
    loss, augmentation = ConstrainedMeanSquaredError(), RandomAffine(seed=0)
    recipe = Recipe(epochs, epochs, batch_size, loss=loss, augmentation=augmentation)
    training.train(parallel_cnn(width), store.examples(), split, recipe, tmp_path)
    # From one epoch's start to the next one's; the first also compiles.
    whole = np.subtract(ended[1:], begun[:-1])[1:]
    alone = alone[1:-1]
    share = 100 * statistics.median(1 - one / other for one, other in zip(alone, whole, strict=True))
    record(
        f"an epoch's time beside the network's own, width {width:g}, {steps} steps of {batch_size}",
        f"{statistics.median(whole):.2f} s an epoch",
        f"{statistics.median(alone):.2f} s: the steps alone",
        share,
        "%",
        at_most=5,
    )


def test_share_of_system_time(store, record, tmp_path):
    """Needless copies and memory that is given back and taken anew show in it, and in the page faults."""
    resource = pytest.importorskip("resource", reason="the system does not tell its own time from the program's")
    plan, steps, marks = profiles.get("quick").plans["parallel_cnn"], 48, []
    recipe = replace(
        plan.recipe, epochs=5, patience=5, loss=ConstrainedMeanSquaredError(), augmentation=RandomAffine(seed=0)
    )
    rows = np.resize(np.arange(len(store)), (steps + 8) * recipe.batch_size)
    split = Split(rows[: steps * recipe.batch_size], rows[steps * recipe.batch_size :], rows[:0])

    def after_epoch(history):
        used = resource.getrusage(resource.RUSAGE_SELF)
        marks.append((used.ru_utime, used.ru_stime, used.ru_minflt))

    keras.utils.set_random_seed(0)
    training.train(parallel_cnn(**plan.model), store.examples(), split, recipe, tmp_path, after_epoch=after_epoch)
    # From the end of the first epoch on, which also compiles.
    user, system, faults = np.median(np.diff(marks, axis=0), axis=0)
    record(
        f"system time in an epoch of quick's parallel CNN, {steps} steps of {recipe.batch_size}",
        f"{system:.2f} s, {faults / steps:.0f} page faults a step",
        f"{user:.2f} s: the rest of the CPU's time",
        100 * system / (user + system),
        "%",
        at_most=5,
    )
