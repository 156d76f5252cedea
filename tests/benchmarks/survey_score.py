"""The simulated survey's score: what a model that saw simulated galaxies alone is worth on real ones; run by hand:

    python tests/benchmarks/survey_score.py --sample FOLDER --galaxies 60000 --epochs 60

FOLDER holds some of the challenge's labelled galaxies in its own layout (images_training_rev1 and
training_solutions_rev1, zipped or not). A parallel CNN of a quarter of the width is trained on simulated galaxies as
`quick` trains (little L2, a start at the mean answers, a cosine, any turn and mirror image), and asked about eight
views of each galaxy. Prints JSON: its RMSE on the real galaxies over that of predicting their own column means (the
score, the lower the better) with the 95 % bootstrap interval, the same for simulated test galaxies with their noise
floor, and for each question the ratio and by how much the predicted shares are too high on average.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from gzutils.data.store import open_store, split_galaxies
from gzutils.learning import metrics
from gzutils.learning.predict import mean_prediction, predict, predict_turned
from gzutils.tools import backend


def ratio(predicted: np.ndarray, labels: np.ndarray, seed: int = 0, draws: int = 2000) -> dict:
    """RMSE over that of the labels' own means, and what other galaxies of the kind might have given."""
    errors = ((predicted - labels) ** 2).mean(axis=1)
    guess_errors = ((labels - labels.mean(axis=0)) ** 2).mean(axis=1)

    def of_errors(model: np.ndarray, guess: np.ndarray) -> np.ndarray:
        return np.sqrt(model.mean(axis=-1) / guess.mean(axis=-1))

    return {
        "ratio": float(of_errors(errors, guess_errors)),
        "interval": list(metrics.bootstrap(of_errors, errors, guess_errors, seed=seed, draws=draws)),
        "rmse": float(np.sqrt(errors.mean())),
        "mean_guess_rmse": float(np.sqrt(guess_errors.mean())),
        "galaxies": len(labels),
    }


def main() -> None:
    """Reads the options, makes the galaxies, trains, and prints the score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=Path, required=True, help="folder with real galaxies")
    parser.add_argument("--galaxies", type=int, default=10_000, help="how many to simulate")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder for the simulated galaxies")
    parser.add_argument("--keep", type=Path, help="folder for the trained model; none is kept without it")
    options = parser.parse_args()
    backend.load()

    import keras

    from gzutils.data import preprocessing
    from gzutils.data.simulation.survey import true_labels
    from gzutils.decision_tree import QUESTIONS
    from gzutils.learning import training
    from gzutils.learning.augmentation import RandomAffine
    from gzutils.learning.losses import ConstrainedMeanSquaredError
    from gzutils.learning.recipe import Recipe
    from gzutils.models.parallel_cnn import parallel_cnn

    simulated = preprocessing.find_or_make_store("simulated", options.data, None, options.galaxies, options.seed)
    store = open_store(simulated)
    split = split_galaxies(len(store), options.seed)
    settings = {"epochs": options.epochs, "patience": options.epochs, "batch_size": options.batch_size}
    keras.utils.set_random_seed(options.seed)
    model = parallel_cnn(0.25, 0.9, l2=0.00001, mean_answers=mean_prediction(store, split))
    with tempfile.TemporaryDirectory() as folder:
        augmentation = RandomAffine(rotation=180, flip=True, seed=options.seed)
        recipe = Recipe(**settings, loss=ConstrainedMeanSquaredError(), augmentation=augmentation, cosine=True)
        kept = options.keep or Path(folder) / "model"
        trained = training.train(model, store.examples(), split, recipe, kept, options.seed)
        real = open_store(preprocessing.find_or_make_store("kaggle", folder, options.sample.resolve()))
        real_labels = np.asarray(real.labels, np.float64)
        everyone = np.arange(len(real))
        predicted = predict_turned(model, real.images, everyone)
    simulated_labels = store.labels[split.test]
    result = {
        "real": ratio(predicted, real_labels),
        "real, one view": ratio(predict(model, real.images, everyone), real_labels),
        "real, every other galaxy": [ratio(predicted[half::2], real_labels[half::2]) for half in (0, 1)],
        "simulated": ratio(predict_turned(model, store.images, split.test), simulated_labels),
        "noise_floor_rmse": metrics.noise_floor(
            true_labels(options.seed, store.galaxy_ids[split.test]), simulated_labels
        ),
        "training": settings | {"galaxies": len(store), "best_epoch": trained.best_epoch, "device": backend.device()},
        "questions": {
            f"{q.number} {q.short}": {
                "ratio": round(ratio(predicted[:, q.slice], real_labels[:, q.slice])["ratio"], 3),
                "too_high_by": dict(
                    zip(q.columns, (predicted - real_labels)[:, q.slice].mean(axis=0).round(3).tolist(), strict=True)
                ),
            }
            for q in QUESTIONS
        },
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
