"""The kit's long work in miniature, as functions for the tests, and as a program whose process may be killed:

python work.py TASK FOLDER                             does the work
python work.py TASK FOLDER die FUNCTION COUNT          … and is killed (SIGKILL) after that call of a function
python work.py TASK FOLDER half FUNCTION BYTES         … from that call on at this size of a file, within its writing
python work.py TASK FOLDER hold FUNCTION COUNT         … and stops there, alive; it prints a line first
"""

import importlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from conftest import write_challenge  # noqa: E402

IDS = [100091, 100008, 100078, 100023, 100143, 100053, 100122, 100090, 100134, 100128]


def survey(folder: Path) -> None:
    """Draws 40 galaxies."""
    from gzutils.data.simulation.survey import make_survey

    make_survey(folder / "survey", 40, seed=4, processes=1)


def store(folder: Path) -> Path:
    """Preprocesses ten pictures of noise in chunks of three."""
    from gzutils.data import preprocessing

    raw = folder / "raw"
    if not raw.exists():
        write_challenge(raw, IDS)
    usual, preprocessing.CHUNK = preprocessing.CHUNK, 3
    try:
        return preprocessing.find_or_make_store("kaggle", folder / "data", raw)
    finally:
        preprocessing.CHUNK = usual


def train(folder: Path, **settings):
    """Three epochs of a narrow parallel CNN: dropout, batch normalisation and augmentation all take part."""
    import keras
    from tiny_store import make_tiny_store

    from gzutils.data.store import open_store, split_galaxies
    from gzutils.learning import training
    from gzutils.learning.augmentation import RandomAffine
    from gzutils.learning.losses import ConstrainedMeanSquaredError
    from gzutils.learning.recipe import Recipe
    from gzutils.models.parallel_cnn import parallel_cnn

    galaxies = folder / "store"
    opened = open_store(galaxies) if galaxies.exists() else make_tiny_store(galaxies)
    keras.utils.set_random_seed(0)
    model = parallel_cnn(width=1 / 16, batch_norm_momentum=0.9)
    parts = {"loss": ConstrainedMeanSquaredError(), "augmentation": RandomAffine(seed=0, name="views")}
    recipe = Recipe(**({"epochs": 3, "patience": 3, "batch_size": 16} | parts | settings))
    return training.train(model, opened.examples(), split_galaxies(len(opened)), recipe, folder / "trained")


def compute_features(folder: Path, copies: int = 1):
    """Five batches of what a small random VGG16 says of 64 galaxies, and of one copy of those to train on."""
    from tiny_store import make_tiny_store

    from gzutils.data.store import open_store, split_galaxies
    from gzutils.learning import features
    from gzutils.learning.augmentation import RandomAffine
    from gzutils.models.pretrained import vgg16

    galaxies = folder / "store"
    opened = open_store(galaxies) if galaxies.exists() else make_tiny_store(galaxies, 100)
    base, _ = features.base_and_head(vgg16(enlarge_to=32, units=16, initial_weights="random"))
    split, views = split_galaxies(len(opened)), RandomAffine(seed=0, name="views")
    return features.compute(base, opened.examples(), split, copies, folder / "features", views)


NOTEBOOK = """
from pathlib import Path
folder = Path.cwd().parent / "runs" / RUN / "{name}"
folder.mkdir(parents=True, exist_ok=True)
(folder / "metrics.json").write_text(PROFILE)
"""


def notebooks(folder: Path) -> int:
    """Three notebooks, of which the third needs the second."""
    from test_pipeline import write_notebook

    from gzutils.course import pipeline

    place, needs = folder / "notebooks", {"01_first": (), "02_second": (), "03_third": ("02_second",)}
    if not place.exists():
        place.mkdir(parents=True)
        for name, needed in needs.items():
            write_notebook(place / f"{name}.ipynb", NOTEBOOK.format(name=name), needs=needed)
    # Undone afterwards: some tests call this in their own process, where others need the real course.
    with mock.patch.multiple(pipeline, ROOT=folder, NOTEBOOKS=place, COURSE=tuple(needs), FURTHER=()):
        return pipeline.main(["--profile", "smoke"])


OUTPUTS = {"survey": "survey", "store": "data", "train": "trained", "compute_features": "features", "notebooks": "runs"}
TASKS = {task.__name__: task for task in (survey, store, train, compute_features, notebooks)}


def start(task: str, folder: Path, *interruption: str) -> subprocess.Popen:
    """The task in a process of its own, see the top of this file."""
    command = [sys.executable, __file__, task, str(folder), *interruption]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _find(name: str) -> tuple:
    """Where a function (`package.module.Class.function`) is kept, its name there, and itself."""
    *path, last = name.split(".")
    owner = importlib.import_module(".".join(part for part in path if part.islower()))
    for part in path:
        owner = getattr(owner, part) if not part.islower() else owner
    return owner, last, getattr(owner, last)


def interrupt(how: str, name: str, count: int) -> None:
    """Lets the process die, or stop, after the call number `count` of a function (`package.module.function`)."""
    owner, last, function = _find(name)
    calls = []

    def interrupted(*args, **kwargs):
        result = function(*args, **kwargs)
        calls.append(None)
        if len(calls) == count:
            if how == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            print("held", flush=True)
            time.sleep(600)
        return result

    setattr(owner, last, interrupted)


def die_at(name: str, size: int) -> None:
    """From the first call of a function on, the process is killed as it writes beyond so many bytes of any file."""
    owner, last, function = _find(name)

    def limited(*args, **kwargs):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return function(*args, **kwargs)

    setattr(owner, last, limited)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def copy(folder: Path, to: Path) -> Path:
    """A copy with the files' times, which are part of what raw data are."""
    return shutil.copytree(folder, to, dirs_exist_ok=True)


def copy_inputs(folder: Path, to: Path) -> Path:
    """A copy of what a task starts from, without what it made."""
    outputs = shutil.ignore_patterns(*OUTPUTS.values())
    return shutil.copytree(folder, to, dirs_exist_ok=True, ignore=outputs)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        how, name, number = sys.argv[3], sys.argv[4], int(sys.argv[5])
        die_at(name, number) if how == "half" else interrupt(how, name, number)
    TASKS[sys.argv[1]](Path(sys.argv[2]))
