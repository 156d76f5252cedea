"""A whole training in a few lines, to be started once, or once on each of several machines:

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=first-machine:1234 KERAS_DISTRIBUTION_NUM_PROCESSES=2 \
        KERAS_DISTRIBUTION_PROCESS_ID=0 python train_together.py STORE RESULTS        # and ..._ID=1 on the second

Every process trains on its part of every batch and ends with the same weights; each writes them to its own RESULTS.
"""

import sys
from pathlib import Path

import numpy as np

from gzutils import backend


def main(store_folder: str, results: str, devices: int) -> None:
    """Trains a small parallel CNN for two epochs and writes its predictions of the test galaxies beside it."""
    backend.load()
    backend.configure(devices=devices)
    import keras

    from gzutils import dataset, evaluation, training
    from gzutils.augmentation import RandomAffine
    from gzutils.losses import ConstrainedMeanSquaredError
    from gzutils.models.parallel_cnn import parallel_cnn
    from gzutils.profiles import Training

    keras.utils.set_random_seed(0)
    store = dataset.open_store(store_folder)
    split = dataset.split_galaxies(len(store))
    model = parallel_cnn(width=1 / 16, batch_norm_momentum=0.9)
    settings = Training(epochs=2, patience=2, batch_size=8)
    training.train(model, store, split, settings, ConstrainedMeanSquaredError(), results, RandomAffine(seed=0))
    np.save(Path(results) / "predicted.npy", evaluation.predict(model, store, split.test))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
