"""What an epoch of each model costs on the machine at hand, at full size, on simulated galaxies; run by hand:

    KERAS_BACKEND=jax python tests/benchmarks/models.py --galaxies 61578 --models parallel_cnn vgg16

Prints one JSON line a model and precision: seconds an epoch (training and validation, 64 % and 16 % of the galaxies,
the median of the epochs after the first, which compiles), and images a second of training and of prediction; for a
frozen base also what its features cost once, and an epoch of the head on them. With `--epochs` and `--patience` of a
whole training its test RMSE, that of the best epoch's weights, stands beside the mean guess and the noise floor.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from gzutils import parameters
from gzutils.data.store import open_store, split_galaxies
from gzutils.learning import metrics
from gzutils.learning.predict import mean_prediction, predict
from gzutils.tools import backend

MODELS = ("parallel_cnn", "vision_transformer", "vgg16", "resnet50")


def build(name: str):
    """The model at the report's size, with random weights."""
    if name == "parallel_cnn":
        from gzutils.models.parallel_cnn import parallel_cnn

        return parallel_cnn()
    if name == "vision_transformer":
        from gzutils.models.vision_transformer import vision_transformer

        return vision_transformer()
    from gzutils.models import pretrained

    return getattr(pretrained, name)(initial_weights="random")


def measure(name: str, precision: str, store, split, epochs: int, patience: int, batch_size: int) -> dict:
    """Trains for some epochs as the notebooks do and says what they took."""
    import keras

    from gzutils.data.simulation import survey
    from gzutils.learning import features, training
    from gzutils.learning.augmentation import RandomAffine
    from gzutils.learning.losses import ConstrainedMeanSquaredError
    from gzutils.learning.recipe import Recipe

    backend.configure(precision)
    keras.utils.set_random_seed(0)
    model = build(name)
    loss, augmentation = ConstrainedMeanSquaredError(), RandomAffine(seed=0)
    recipe = Recipe(epochs, patience, batch_size, loss=loss, augmentation=augmentation)
    with tempfile.TemporaryDirectory() as folder:
        trained = training.train(model, store.examples(), split, recipe, folder)
    # Compiles for whole batches and for the rest: JAX does so once for each shape.
    predict(model, store.images, split.test[: batch_size + len(split.test) % batch_size], batch_size)
    start = time.perf_counter()
    predicted = predict(model, store.images, split.test, batch_size)
    predicting = time.perf_counter() - start
    voted = store.labels[split.test]
    truth = survey.true_labels(0, store.galaxy_ids[split.test])
    seconds = list(trained.history["seconds"])
    per_epoch = statistics.median(seconds[1:] or seconds)
    result = {
        "model": name,
        "precision": precision,
        "backend": keras.backend.backend(),
        "device": backend.device(),
        "galaxies": len(store),
        "batch_size": batch_size,
        "seconds_first_epoch": seconds[0],
        "seconds_per_epoch": per_epoch,
        # An epoch also predicts the validation galaxies, at the speed of prediction.
        "training_images_per_second": round(
            len(split.train) / (per_epoch - predicting * len(split.validation) / len(split.test))
        ),
        "predicted_images_per_second": round(len(split.test) / predicting),
        "epochs": len(seconds),
        "best_epoch": int(trained.best_epoch),
        "test_rmse": metrics.rmse(predicted, voted),
        "test_rmse_interval": metrics.rmse_interval(predicted, voted),
        "mean_guess_test_rmse": metrics.rmse(mean_prediction(store, split), voted),
        "noise_floor_test_rmse": metrics.noise_floor(truth, voted),
    }
    if name in ("vgg16", "resnet50"):
        with tempfile.TemporaryDirectory() as folder:
            head = features.train_head(build(name), store.examples(), split, recipe, folder, copies=0)
        from_features = statistics.median(list(head.trained.history["seconds"])[1:])
        result |= {
            "seconds_features_once": head.feature_seconds,
            "seconds_per_epoch_from_features": from_features,
            "times_faster": round(per_epoch / from_features, 1),
            "times_faster_over_10_epochs": round(10 * per_epoch / (head.feature_seconds + 10 * from_features), 1),
        }
    return result


def main() -> None:
    """Reads the options, makes the galaxies where they are not there yet, measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=2_500)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--precisions", nargs="+", choices=parameters.PRECISIONS, default=["float32"])
    parser.add_argument("--epochs", type=int, default=3, help="at least 2")
    parser.add_argument("--patience", type=int, help="epochs without a better one (default: as many as --epochs)")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder for the simulated galaxies")
    options = parser.parse_args()
    backend.load()

    from gzutils.data import preprocessing

    start = time.perf_counter()
    store = open_store(preprocessing.find_or_make_store("simulated", options.data, None, options.galaxies, 0))
    print(json.dumps({"galaxies": len(store), "seconds_to_make": round(time.perf_counter() - start, 1)}), flush=True)
    split = split_galaxies(len(store), 0)
    for name in options.models:
        for precision in options.precisions:
            result = measure(
                name, precision, store, split, options.epochs, options.patience or options.epochs, options.batch_size
            )
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
