"""Ten epochs of a head on a frozen base: with the base's features kept, and with the whole network in every epoch.

The networks are those of `quick`. Both ways begin with nothing: the features are computed within the time.
"""

import itertools
import shutil
from dataclasses import replace

import keras
import pytest

from gzutils import features, profiles
from gzutils.augmentation import RandomAffine
from gzutils.dataset import split_galaxies
from gzutils.losses import ConstrainedMeanSquaredError
from gzutils.models import pretrained


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
def test_ten_epochs(store, against, tmp_path, network):
    split = split_galaxies(len(store))
    quick = getattr(profiles.get("quick"), network)
    numbers = itertools.count()

    def train(copies):
        def run():
            keras.utils.set_random_seed(0)
            model = getattr(pretrained, network)(initial_weights="random", **quick.model)
            settings = replace(quick, epochs=10, patience=10, feature_copies=copies)
            folder = tmp_path / f"run{next(numbers)}"
            augmentation = RandomAffine(seed=0)
            features.train_head(model, store, split, settings, ConstrainedMeanSquaredError(), folder, augmentation)
            shutil.rmtree(folder)

        return run

    against(
        f"{network}, ten epochs",
        train(0),
        train(None),
        "through the network",
        (10, 10),
        "epochs",
        at_least=5,
        rounds=1,
    )
