"""The bases that come with the kit: slim VGG16 and ResNet50 that learned the properties of simulated galaxies.

    python -m gzutils.course.pretraining FOLDER --galaxies 40000 --epochs 25 --seed 2013

They see another part of the simulated survey than the course (another seed), and learn another task: not how the
volunteers vote but what the galaxies are, as `simulated_truth.csv` has it. FOLDER gets NETWORK_quarter.weights.h5 and
a card beside it, NETWORK_quarter.json; copied into `gzutils/trained/`, they are what `initial_weights="galaxies"`
loads. Called again it goes on where it was.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from gzutils.tools import backend

if __name__ == "__main__":
    backend.load()  # before what comes now imports Keras

import keras
import numpy as np
import pandas as pd
from keras import layers

from gzutils.data import preprocessing
from gzutils.data.simulation import survey
from gzutils.data.store import Examples, Split, Store, open_store, split_galaxies
from gzutils.learning import training
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.predict import predict
from gzutils.learning.recipe import Recipe
from gzutils.models import bases, compact, pretrained
from gzutils.models.compact import LARGEST
from gzutils.models.networks import NETWORKS
from gzutils.tools import files, records

# What a turn or a mirror image leaves as it is, and what shows wherever it is not zero.
PROPERTIES = (
    "spheroid",  # the three kinds, each 0 or 1
    "disk",
    "irregular kind",
    "radius",
    "extent",
    "surface_brightness",
    "redness",
    "axis_ratio",
    "sersic_index",
    "bulge_fraction",
    "inclination",
    "thickness",
    "bar_strength",
    "arm_strength",
    "arm_number",
    "arm_pitch",
    "clumpiness",
    "ring_strength",
    "dust_lane",
    "lopsidedness",
    "disturbance",
    "irregularity",
    "companion",
    "interaction",
    "arc_strength",
    "artifact",
)
INPUTS = {"input_scaling": "imagenet", "enlarge_to": 64}  # how the course's quick profile shows its galaxies
UNSEEN = 1e-3  # of its spread: so much may rounding change a feature
SAMPLE = 512  # test galaxies on which that is seen


def properties(store: Store, raw: Path) -> np.ndarray:
    """The galaxies' `PROPERTIES` as the survey in the folder `raw` drew them: (N, 26) float32, in the store's order."""
    table = pd.read_csv(raw / survey.TRUTH, index_col="GalaxyID", keep_default_na=False).loc[store.galaxy_ids]
    for kind, column in (("spheroid", "spheroid"), ("disk", "disk"), ("irregular", "irregular kind")):
        table[column] = table["kind"] == kind
    return table[list(PROPERTIES)].to_numpy(np.float32)


def standardised(values: np.ndarray, split: Split) -> np.ndarray:
    """Values (N, n) less their mean over the training galaxies, in units of their spread there."""
    known = values[split.train].astype(np.float64)
    spread = known.std(axis=0)
    return ((values - known.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)


def network_for_properties(network: str, seed: int = 0) -> keras.Model:
    """A slim network, all of it trainable: uint8 (N, 64, 64, 3) -> the standardised properties (N, 26) float32.

    On top of the convolutions it has what the network had for ImageNet: VGG16 all places side by side and a dense
    layer, ResNet50 each channel's mean over the image.
    """
    start = NETWORKS[network].build(initial_weights="random", width=pretrained.SHIPPED_WIDTH, seed=seed, **INPUTS)
    for layer in start.layers:
        layer.trainable = True  # the normalisations too: only frozen they keep to the statistics that they have
    x = start.get_layer("features").input
    if network == "vgg16":
        x = layers.Flatten(name="places")(x)
        x = layers.Dense(256, activation="relu", name="dense")(x)
    else:
        x = layers.GlobalAveragePooling2D(name="means")(x)
    x = layers.Dropout(0.1, name="dropout")(x)
    answers = layers.Dense(len(PROPERTIES), dtype="float32", name="properties")(x)
    return keras.Model(start.input, answers, name=f"{network}_for_properties")


def recipe(epochs: int, batch_size: int = 128) -> Recipe:
    """Adam with a cosine, any turn and mirror image; no zoom, since a galaxy's extent is one of its properties."""
    return Recipe(
        epochs=epochs,
        patience=epochs,
        batch_size=batch_size,
        cosine=True,
        augmentation=RandomAffine(rotation=180, zoom=0, flip=True),
    )


def pretrain(
    network: str, folder: Path, data: Path, galaxies: int, epochs: int, seed: int, batch_size: int = 128
) -> Path:
    """Trains a slim base and writes it with its card; see the module.

    Args:
        network: "vgg16" or "resnet50".
        folder: for the two files, and for `training-NETWORK/`, from which an interrupted training goes on.
        data: where simulated galaxies are, or are drawn.
        galaxies, seed: of the survey; the seed is the training's, too.
        epochs, batch_size: of the training.

    Returns:
        The weights file.

    Raises:
        ValueError: the folder holds another training.
    """
    raw = preprocessing.find_or_make_raw("simulated", data, None, galaxies, seed).solutions.parent
    store = open_store(preprocessing.find_or_make_store("simulated", data, None, galaxies, seed))
    split = split_galaxies(len(store), seed)
    examples = store.examples(standardised(properties(store, raw), split))
    keras.utils.set_random_seed(seed)
    model = network_for_properties(network, seed)
    trained = training.train(
        model, examples, split, recipe(epochs, batch_size), folder / f"training-{network}", seed, network
    )
    base = base_of(model, network)
    path = folder / pretrained.shipped_file(network).name
    written = write_compact(base, path, seen_by(model)(store.images[split.test[:SAMPLE]]))
    card = {
        "network": network,
        "width": pretrained.SHIPPED_WIDTH,
        "parameters": base.count_params(),
        "data": f"simulated survey, seed {seed}, version {survey.VERSION}: {len(store):,} galaxies ({split}), whose "
        "central 210 of 424 pixels became 64",
        "task": "the galaxies' hidden properties, standardised; mean squared error. No vote was seen",
        "inputs": INPUTS,
        "recipe": recipe(epochs, batch_size).configuration(),
        "epochs": len(trained.history),
        "best epoch": trained.best_epoch,
        "seconds per epoch": trained.seconds_per_epoch,
        "seed": seed,
        "versions": backend.versions(),
        "device": backend.device(),
        "test error by property, as a share of its spread (1: the mean guess)": errors(model, examples, split),
        **written,
        "sha256": records.sha256(path),
    }
    records.write_json(path.with_name(path.name.replace(".weights.h5", ".json")), card)
    return path


def base_of(model: keras.Model, network: str) -> keras.Model:
    """The convolutions of a trained network alone, with its weights: scaled pixels (N, 64, 64, 3) -> feature map."""
    side = INPUTS["enlarge_to"]
    pixels = keras.Input((side, side, 3))
    base = keras.Model(pixels, bases.convolutions(network, pixels, pretrained.SHIPPED_WIDTH))
    for layer in base.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return base


def seen_by(model: keras.Model) -> keras.Model:
    """What a network's first convolution sees: bytes -> scaled pixels."""
    return keras.Model(model.input, model.get_layer("enlarge").output)


def errors(model: keras.Model, examples: Examples, split: Split) -> dict[str, float]:
    """By property, the RMSE over the test galaxies as a share of the spread there."""
    predicted, known = predict(model, examples.inputs, split.test), examples.targets[split.test]
    rmse, spread = np.sqrt(np.mean((predicted - known) ** 2, axis=0)), known.std(axis=0)
    return {name: round(float(e / s), 3) for name, e, s in zip(PROPERTIES, rmse, spread, strict=True) if s > 1e-6}


def write_compact(base: keras.Model, path: Path, sample: np.ndarray) -> dict[str, str | int]:
    """Writes a base's weights as a Keras weights file, rounded as far as no feature changes, and packed.

    They have as few bits as do, from float16's on, or as many as `LARGEST` bytes hold. A feature's change (the root of
    its mean square over the galaxies) counts beside the feature's own spread, or a typical one's where its own is
    smaller.

    Args:
        base: with its weights, which are rounded, too.
        path: to write.
        sample: inputs (N, …) on which the features are compared.

    Returns:
        For the card: how it was rounded, and the bytes.
    """
    exact, before = base.get_weights(), base.predict(sample, verbose=0)
    spread = before.std(axis=0)
    spread = np.maximum(spread, np.sqrt(np.mean(spread**2)))
    content = b""
    for bits in range(compact.FLOAT16, compact.FULL + 1):
        base.set_weights([compact.rounded(values, bits) for values in exact])
        longer = _content(base)
        if content and len(longer) > LARGEST:
            break
        content = longer
        change = np.sqrt(np.mean((base.predict(sample, verbose=0) - before) ** 2, axis=0))
        share = float((change / spread).max())
        said = f"float32 rounded to {bits} bits of mantissa, which changes no feature of {len(before)} test galaxies"
        if share <= UNSEEN:
            break
    with files.whole_file(path) as beside:
        beside.write_bytes(content)
    return {"weights": f"{said} by more than {share:.1e} of its spread", "bytes": len(content)}


def _content(base: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "base.weights.h5"
        base.save_weights(plain)
        return compact.packed(plain)


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m gzutils.course.pretraining", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the weights, their cards and the trainings go")
    parser.add_argument("--galaxies", type=int, default=40_000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--seed", type=int, default=2013, help="of the survey and the training; the course's is 0")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--data", type=Path, help="where simulated galaxies are, or are drawn; else FOLDER/data")
    parser.add_argument("--networks", nargs="+", choices=tuple(bases.TITLES), default=list(bases.TITLES))
    asked = parser.parse_args(words)
    for network in asked.networks:
        data = asked.data or asked.folder / "data"
        try:
            path = pretrain(network, asked.folder, data, asked.galaxies, asked.epochs, asked.seed, asked.batch_size)
        except ValueError as error:
            sys.exit(f"{parser.prog}: {error}")
        card = records.read_json(path.with_name(path.name.replace(".weights.h5", ".json")))
        print(f"{path}: {card['bytes']:,} bytes, {card['weights']}", flush=True)


if __name__ == "__main__":
    main()
