"""ResNet-26 on real galaxies with one class each, beside Dai & Tong's 95.21 %; run by hand, on a GPU for thousands:

    python tests/benchmarks/hard_classes.py --images FOLDER --classes FILE.csv
    python tests/benchmarks/hard_classes.py --images FOLDER --classes FILE.csv --model runs/.../model.keras

FOLDER holds a JPEG for each galaxy, `GalaxyID.jpg`; of one with 424x424 pixels the middle that the network looks at is
kept (210; of the winner's network 296), any other is kept whole. FILE.csv has the columns GalaxyID and class5: 0 round,
1 in-between, 2 cigar, 3 edge-on, 4 spiral. Without `--model` the network learns from 80 % of them (a fifth of these
chooses the epoch) and is tested on the rest. With it, a network trained elsewhere is tested on all: one that says five
classes, or one that says the 37 shares, which become classes by Dai & Tong's rule (`gzutils/hard_classes.py`).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from gzutils.data.view import REPORT_VIEW, View
from gzutils.models.networks import NETWORKS, says_shares
from gzutils.tools import backend

RULE_NAME = "dai_tong"
FEWEST = 5  # so that training, validation and test have one each at least
SHOWN = 3  # of what is wrong, in a message


def read_classes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """GalaxyID and class5 of a table, int64 (N,) each, in the order of the ids.

    Raises:
        ValueError: the file is none, or no such table; it says which row is wrong.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        lines = pd.read_csv(path, dtype=str, skipinitialspace=True, index_col=False, skip_blank_lines=False)
        table = lines.dropna(how="all")
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
        raise ValueError(f"{path} is no CSV table ({str(error).splitlines()[0]})") from None
    lacking = [name for name in ("GalaxyID", "class5") if name not in table]
    if lacking:
        raise ValueError(f"{path} has no column {lacking[0]!r}; it has {', '.join(map(repr, table.columns[:8]))}")
    if table.empty:
        raise ValueError(f"{path} has no rows")
    wholes = {"GalaxyID": r"\d{1,18}", "class5": r"[0-4]"}
    for name, pattern in wholes.items():
        wrong = ~table[name].fillna("").str.fullmatch(pattern)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            wanted = "a whole number" if name == "GalaxyID" else "0, 1, 2, 3 or 4"
            raise ValueError(
                f"{path}, line {table.index[row] + 2}: {name} is {table[name].iloc[row]!r}, it has to be {wanted}"
            )
    ids, classes = (table[name].astype(np.int64).to_numpy() for name in wholes)
    found, first, times = np.unique(ids, return_index=True, return_counts=True)
    if (times > 1).any():
        raise ValueError(f"{path}: galaxy {found[times > 1][0]} has {times[times > 1][0]} rows; keep one")
    return found, classes[first]


def read_images(folder: Path, ids: np.ndarray, view: View) -> np.ndarray:
    """The galaxies' pictures in a view, uint8 (N, side, side, 3).

    Raises:
        ValueError: there is no such folder, or a galaxy's picture is missing or damaged. None is left out silently: an
            accuracy is one of certain galaxies.
    """
    from gzutils.data import own_images
    from gzutils.tools.progress import progress

    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    paths = {path.stem: path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg")}
    names = [str(galaxy) for galaxy in ids]
    missing = [name for name in names if name not in paths]
    if missing:
        first = ", ".join(f"{name}.jpg" for name in missing[:SHOWN])
        raise ValueError(
            f"{len(missing):,} of {len(ids):,} galaxies of the table have no picture in {folder}, such as {first}; "
            f"name the folder that they are in, or take them out of the table"
        )
    seen, damaged = np.empty((len(ids), view.side, view.side, 3), np.uint8), []
    for row, name in enumerate(progress(names, "Reading", len(names), "pictures")):
        try:
            seen[row] = own_images.read(paths[name], view=view).seen
        except ValueError as error:
            damaged.append(f"{paths[name].name} ({error})")
    if damaged:
        first = "; ".join(damaged[:SHOWN])
        raise ValueError(
            f"{len(damaged):,} of {len(ids):,} pictures in {folder} cannot be used: {first}; get them anew, or take "
            f"them out of the table"
        )
    return seen


def open_model(path: Path) -> tuple:
    """A trained network, and how many numbers it says of a galaxy: 5 or 37.

    Raises:
        ValueError: there is no such file, it is damaged, or its network takes or says something else.
    """
    from gzutils.models import saved

    model = saved.load(path)
    side = model.input_shape[1] if isinstance(model.input_shape, tuple) and len(model.input_shape) == 4 else None
    for answers in (5, 37) if says_shares(model.name) else (5,):
        if isinstance(side, int) and saved.fits(model, (side, side, 3), answers):
            return model, answers
    raise ValueError(
        f"{path}: the network {model.name!r} takes {model.input_shape} and says {model.output_shape}; needed is one "
        f"that takes square pictures in colour and says 5 classes or the 37 shares of volunteers"
    )


def train(images: np.ndarray, classes: np.ndarray, options: argparse.Namespace) -> tuple:
    """Trains ResNet-26 on 80 % of the galaxies; returns it and the rows of the rest.

    Raises:
        ValueError: there are too few galaxies, or the folder for the results holds another training.
    """
    import keras

    from gzutils.data.store import Examples, split_galaxies
    from gzutils.learning import training
    from gzutils.learning.augmentation import RandomAffine
    from gzutils.learning.losses import WeightedCrossEntropy
    from gzutils.learning.recipe import Recipe
    from gzutils.models.resnet26 import resnet26
    from gzutils.tools import records

    if len(classes) < FEWEST:
        raise ValueError(f"{len(classes)} galaxies are too few to train on; take {FEWEST} at least")
    split = split_galaxies(len(classes), options.seed)
    keras.utils.set_random_seed(options.seed)
    # Few steps need running averages that follow fast.
    momentum = 0.99 if len(split.train) * options.epochs > 1000 * options.batch_size else 0.9
    model = resnet26(width=options.width, batch_norm_momentum=momentum)
    recipe = Recipe(
        epochs=options.epochs,
        patience=options.epochs,
        batch_size=options.batch_size,
        loss=WeightedCrossEntropy(),
        metrics=("sparse_categorical_accuracy",),
        augmentation=RandomAffine(rotation=180, zoom=0.15, shift=0.05, flip=True),
        cosine=True,
    )
    examples = Examples(images, classes, records.arrays_sha256(images, classes))
    print(f"ResNet-26 of width {options.width:g}, {model.count_params():,} parameters; galaxies: {split}", flush=True)
    training.train(model, examples, split, recipe, options.out, options.seed, "ResNet-26")
    print(f"trained; the network: {options.out / 'model.keras'}")
    return model, split.test


def say(predicted: np.ndarray, classes: np.ndarray) -> str:
    """The accuracy with its interval, by class, and beside Dai & Tong's, in sentences; (N,) int each."""
    from gzutils.hard_classes import RULES
    from gzutils.learning import classification

    rule = RULES[RULE_NAME]
    table = classification.confusion(predicted, classes, len(rule.classes))
    lines = []
    for name, row in zip(rule.names, classification.by_class(table), strict=True):
        interval = f" (95 % interval {row['low']:.2%} to {row['high']:.2%})" if row["count"] else ""
        lines.append(
            f"{name:11}{row['right']} of {row['count']}" + (f": {row['accuracy']:.2%}{interval}" * bool(interval))
        )
    accuracy, low, high = classification.accuracy(predicted, classes)
    frequent = table.sum(axis=1).argmax()
    where = "above" if low > rule.accuracy else "below" if high < rule.accuracy else "not to be told from"
    return "\n".join(
        [
            *lines,
            f"always saying {rule.names[frequent]!r}: {table.sum(axis=1)[frequent] / len(classes):.2%}",
            f"balanced accuracy {classification.balanced_accuracy(table):.2%}",
            f"accuracy {accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}) of {len(classes):,} galaxies: {where} "
            f"the {rule.accuracy:.2%} of Dai & Tong, on 2,879 others",
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Reads the options, trains or opens a network, tests it, and prints what was found."""
    parser = argparse.ArgumentParser(
        prog="hard_classes.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="with a JPEG for each galaxy")
    parser.add_argument("--classes", type=Path, required=True, metavar="FILE", help="CSV: GalaxyID, class5 (0 to 4)")
    parser.add_argument("--model", type=Path, metavar="FILE", help="test this network on all galaxies; train none")
    parser.add_argument("--epochs", type=int, default=50, metavar="N", help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default: %(default)s")
    parser.add_argument("--width", type=float, default=1.0, help="of the filters; 1: the paper's (default)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the split and all else; default: 0")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/hard-classes"), metavar="FOLDER", help="of the training: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        ids, classes = read_classes(options.classes)
        backend.load()
        if options.model:
            model, answers = open_model(options.model)
            print("tested on all of these galaxies: those that the network has learned from make it look better")
            known = NETWORKS.get(model.name)
            view = View(known.view.crop if known else REPORT_VIEW.crop, model.input_shape[1])
            tested = np.arange(len(ids))
        else:
            view, answers = REPORT_VIEW, 5
        images = read_images(options.images, ids, view)
        if not options.model:
            model, tested = train(images, classes, options)
        from gzutils.hard_classes import RULES, judge
        from gzutils.learning.predict import predict

        predicted = predict(model, images, tested)
        if answers == 37:
            print("the network's 37 shares become classes by Dai & Tong's rule")
        found = judge(predicted, RULES[RULE_NAME])[0] if answers == 37 else predicted.argmax(axis=1)
        print(say(found, classes[tested]))
    except (ValueError, OSError) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
