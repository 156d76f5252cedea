"""The large run: Table 1's networks at the report's size, on a large simulated survey that no notebook's run sees.

    python -m gzutils.course.large_run FOLDER [options]

It needs a GPU to end the same day. A call that was cut off goes on; calls for other networks may run at the same time.
`--ship` then writes what the kit brings along: see `shipping`.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gzutils.tools import backend

if __name__ == "__main__":
    backend.load()  # before what comes now imports Keras

import keras
import pandas as pd

from gzutils import parameters, profiles, report
from gzutils.course import measure, runs, shipping
from gzutils.course.runs import Run
from gzutils.data.store import Split, Store
from gzutils.learning import features, training
from gzutils.learning.predict import predict
from gzutils.models import shipped
from gzutils.models.networks import NETWORKS

SEED = 2014  # of the survey and all else that is random; runs of the course have small ones


def open_run(
    folder: Path | str,
    galaxies: int = report.GALAXIES,
    seed: int = SEED,
    epochs: int | None = None,
    precision: str = "float32",
    initial_weights: str = "galaxies",
) -> Run:
    """The large run in a folder; `replace(run, notebook=...)` gives each network's part of it.

    Args:
        epochs: of the parallel CNN and the ViT; None: as `profiles.LARGE` says.
        initial_weights: of VGG16 and ResNet50, see `pretrained.find_weights`.
    """
    parameters.whole_number("GALAXIES", galaxies, parameters.FEWEST_GALAXIES)
    parameters.seed("SEED", seed)
    profile = profiles.LARGE
    if epochs is not None:
        parameters.whole_number("EPOCHS", epochs, least=1)
        plans = {
            name: plan
            if NETWORKS[name].pretrained
            else replace(plan, recipe=replace(plan.recipe, epochs=epochs, patience=epochs))
            for name, plan in profile.plans.items()
        }
        profile = replace(profile, plans=plans)
    folder = Path(folder).absolute()
    asked = {"PRECISION": precision, "INITIAL_WEIGHTS": initial_weights}
    return Run(
        home=runs.home(),
        name=folder.name,
        notebook="large_run",
        profile=profile,
        data="simulated",
        data_dir=None,
        galaxies=galaxies,
        galaxies_asked=True,
        seed=seed,
        asked=asked,
        place=folder,
    )


def train(run: Run, name: str, store: Store, split: Split) -> dict:
    """Trains a network of the large run as its notebook does, and returns its `metrics.json`, which is written last."""
    network = NETWORKS[name]
    run = replace(run, notebook=network.notebook)
    plan, recipe, weights = run.plan(name), run.recipe(name), "random"
    arguments = run.arguments(name, store, split)
    if network.pretrained:
        base, weights = run.initial_weights(name)
        arguments |= base | {"seed": run.seed}
    keras.utils.set_random_seed(run.seed)
    model = network.build(**arguments)
    examples, say = store.examples(), _saying(network.title, recipe.epochs)
    if network.pretrained:
        print(f"{network.title} starts from: {weights}", flush=True)
        fitted = features.train_head(model, examples, split, recipe, run.folder, run.seed, plan.feature_copies, say)
        trained, predictor, inputs = fitted.trained, fitted.predictor, fitted.inputs
    else:
        trained = training.train(model, examples, split, recipe, run.folder, run.seed, after_epoch=say)
        predictor, inputs = model, store.images
    measured = run.read_metrics(network.notebook)
    if measured is None:
        predicted = {part: predict(predictor, inputs, rows) for part, rows in vars(split).items()}
        measured = measure.measure(model, trained, recipe, run, store, split, weights, predicted)
        run.write_metrics(measured)
    return measured


def _saying(title: str, epochs: int) -> Callable[[pd.DataFrame], None]:
    """A line an epoch, in whatever file the output goes to."""

    def say(history: pd.DataFrame) -> None:
        row = history.iloc[-1]
        print(
            f"{title}, epoch {int(row['epoch'])} of {epochs}: RMSE {row['rmse']:.4f}, validation {row['val_rmse']:.4f} "
            f"(best {history['val_rmse'].min():.4f}), {row['seconds']:.1f} s",
            flush=True,
        )

    return say


def main(arguments: list[str] | None = None) -> None:
    """The command; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m gzutils.course.large_run",
        description="Trains Table 1's networks at the report's size on a large simulated survey. A call that was cut "
        "off goes on; calls for other networks may run at the same time in the same folder.",
    )
    parser.add_argument("folder", type=Path, help="of the run, such as runs/large; the galaxies go to data/")
    parser.add_argument("--galaxies", type=int, default=report.GALAXIES, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=SEED, metavar="N", help="default: %(default)s")
    parser.add_argument("--networks", nargs="+", choices=list(report.RESULTS), default=list(report.RESULTS))
    parser.add_argument("--epochs", type=int, metavar="N", help="of the parallel CNN and the Vision Transformer")
    parser.add_argument("--precision", choices=parameters.PRECISIONS, default="float32")
    parser.add_argument(
        "--initial-weights",
        default="galaxies",
        metavar="FILE",
        help='of VGG16 and ResNet50: "galaxies" (default), "imagenet", "random" or a file',
    )
    parser.add_argument(
        "--ship",
        nargs="?",
        type=Path,
        const=shipped.TRAINED,
        metavar="FOLDER",
        help="afterwards write what the kit brings along, into gzutils/trained or another folder",
    )
    options = parser.parse_args(arguments)
    try:
        run = open_run(
            options.folder,
            options.galaxies,
            options.seed,
            options.epochs,
            options.precision,
            options.initial_weights,
        )
        run.set_up_training()
        print(f"{options.galaxies:,} simulated galaxies of seed {options.seed}", flush=True)
        store = run.open_store()
        split = run.split(store)
        print(f"split: {split}", flush=True)
        for name in options.networks:
            measured = train(run, name, store, split)
            print(f"{NETWORKS[name].title}:\n{measure.in_words(measured)}", flush=True)
        if options.ship:
            for path in shipping.ship(run, store, split, options.networks, options.ship):
                print(f"written: {path}", flush=True)
    except ValueError as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
