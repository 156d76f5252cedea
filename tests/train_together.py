"""A whole training in a few lines, to be started once, or once on each of several machines:

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=first-machine:1234 KERAS_DISTRIBUTION_NUM_PROCESSES=2 \
        KERAS_DISTRIBUTION_PROCESS_ID=0 python train_together.py STORE RESULTS        # and ..._ID=1 on the second

Every process trains on its part of every batch and ends with the same weights; each writes them to its own RESULTS.
"""

import sys
from pathlib import Path

import numpy as np

from gzutils.data.store import open_store, split_galaxies
from gzutils.learning.predict import predict
from gzutils.tools import backend


def main(store_folder: str, results: str, devices: int) -> None:
    """Trains a small parallel CNN for two epochs and writes its predictions of the test galaxies beside it."""
    backend.load()
    backend.configure(devices=devices)
    import keras

    from gzutils.learning import training
    from gzutils.learning.augmentation import RandomAffine
    from gzutils.learning.losses import ConstrainedMeanSquaredError
    from gzutils.learning.recipe import Recipe
    from gzutils.models.parallel_cnn import parallel_cnn

    keras.utils.set_random_seed(0)
    store = open_store(store_folder)
    split = split_galaxies(len(store))
    model = parallel_cnn(width=1 / 16, batch_norm_momentum=0.9)
    loss, augmentation = ConstrainedMeanSquaredError(), RandomAffine(seed=0)
    recipe = Recipe(epochs=2, patience=2, batch_size=8, loss=loss, augmentation=augmentation)
    training.train(model, store.examples(), split, recipe, results)
    np.save(Path(results) / "predicted.npy", predict(model, store.images, split.test))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
