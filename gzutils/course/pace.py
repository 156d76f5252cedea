"""How long `quick` will take on this machine: some training steps are measured, and the rest follows from them.

What is measured is a step of the parallel CNN; a notebook's time is taken for a multiple of that network's training, as
it was in one undisturbed run.
"""

import subprocess
import sys
import time
from dataclasses import replace

from gzutils import profiles
from gzutils.data.store import Examples, split_galaxies
from gzutils.decision_tree import COLUMNS
from gzutils.tools.progress import show_in_terminal

PROFILE = profiles.get("quick")
# Each notebook's time in trainings of the parallel CNN; that took 376 s of the run's 26 min (two cores with AVX-512).
SHARES = {
    "01_preprocessing": 0.14,
    "02_parallel_cnn": 1.10,
    "03_vision_transformer": 0.63,
    "04_vgg16": 0.51,
    "05_resnet50": 0.59,
    "06_constraint_test": 0.68,
    "07_grad_cam": 0.23,
    "08_results": 0.13,
    "09_your_own_galaxies": 0.07,
    "10_dieleman": 0.57,
    "11_bayesian": 0.97,
    "12_hard_classes": 0.80,
}
VALIDATION_STEP = 1 / 3  # of a training step: forward, where that goes forward and back
PATIENCE = 120  # seconds for the look itself


def say(names: list[str]) -> None:
    """Measures, in a process of its own, and prints about how long notebooks take here in `quick`, and the shorter way.

    Says nothing where it cannot be measured: the notebooks themselves will say what is wrong.
    """
    show_in_terminal("measuring how fast this machine is", sys.stdout)
    command = [sys.executable, "-P", "-m", __name__]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        words = in_words(float(done.stdout), names) + "\n"
    except (subprocess.SubprocessError, ValueError):
        words = ""
    show_in_terminal("", sys.stdout)
    print(words, end="", flush=True)


def in_words(seconds_per_step: float, names: list[str]) -> str:
    """What a measured step means for the notebooks of these names, in sentences."""
    training = seconds_per_step * _steps()
    minutes = {name: training * SHARES[name] / 60 for name in names if name in SHARES}
    unknown = [name for name in names if name not in SHARES]
    without = f" (without {', '.join(unknown)})" if unknown else ""
    return (
        f"Measured: a training step takes {seconds_per_step:.2g} s here, so this takes {_about(sum(minutes.values()))}"
        f"{without}. Shorter: --only 02, {_about(training * SHARES['02_parallel_cnn'] / 60)}; or --profile smoke, "
        f"seconds a notebook, whose numbers mean nothing."
    )


def _about(minutes: float) -> str:
    return f"about {minutes:.0f} min" if minutes >= 1.5 else "about a minute"


def _steps() -> float:
    """Of the parallel CNN's training in `quick`, those on the validation galaxies counted as parts of a step."""
    recipe, split = PROFILE.plans["parallel_cnn"].recipe, split_galaxies(PROFILE.galaxies)
    training, validation = (-(-len(rows) // recipe.batch_size) for rows in (split.train, split.validation))
    return recipe.epochs * (training + VALIDATION_STEP * validation)


def measure(seconds: float = 5.0) -> float:
    """Seconds a training step of `quick`'s parallel CNN on noise, measured for so many seconds at least."""
    from gzutils.tools import backend

    backend.load()
    import keras
    import numpy as np

    from gzutils.learning.augmentation import RandomAffine
    from gzutils.learning.batches import Batches
    from gzutils.learning.losses import ConstrainedMeanSquaredError
    from gzutils.models.networks import NETWORKS

    plan = PROFILE.plans["parallel_cnn"]
    network = NETWORKS["parallel_cnn"].build(**plan.model)
    loss = ConstrainedMeanSquaredError(PROFILE.constraint_weight, PROFILE.constraints)
    made = replace(plan.recipe, loss=loss, augmentation=RandomAffine(**PROFILE.augmentation)).made(steps=1)
    trainer = keras.Sequential([made.pop("augmentation"), network])
    trainer.compile(**made)
    # So many steps a pass that what a pass costs beside its steps hardly counts.
    draw, count = np.random.default_rng(0), 64 * plan.recipe.batch_size
    images = draw.integers(0, 256, (count, *network.input_shape[1:]), np.uint8)
    examples = Examples(images, draw.random((count, len(COLUMNS)), np.float32), "")
    batches = Batches(examples, np.arange(count), plan.recipe.batch_size)
    trainer.fit(batches, verbose=0)  # compiles
    start, passes = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        trainer.fit(batches, verbose=0)
        passes += 1
    return (time.perf_counter() - start) / (passes * len(batches))


if __name__ == "__main__":
    print(measure())
