"""Ten epochs of a head on a frozen base: with the base's features kept, and with the whole network in every epoch.

Networks and number of galaxies are those of `quick`. Both ways begin with nothing: the features are computed within the
time.
"""

from dataclasses import replace

import keras
import pytest

from gzutils import profiles
from gzutils.data.store import split_galaxies
from gzutils.learning import features
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.models import pretrained


@pytest.fixture(scope="module")
def as_many_as_quick(made_store):
    return made_store(profiles.get("quick").galaxies)


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
def test_ten_epochs(as_many_as_quick, against, tmp_path, network):
    store = as_many_as_quick
    split = split_galaxies(len(store))
    quick = profiles.get("quick").plans[network]

    def train(copies):
        keras.utils.set_random_seed(0)
        model = getattr(pretrained, network)(initial_weights="random", **quick.model)
        loss, augmentation, folder = ConstrainedMeanSquaredError(), RandomAffine(seed=0), tmp_path / str(copies)
        recipe = replace(quick.recipe, epochs=10, patience=10, loss=loss, augmentation=augmentation)
        return lambda: features.train_head(model, store.examples(), split, recipe, folder, copies=copies)

    # One round without a first one: each compiles its network anew, as each training does.
    against(
        f"{network}, ten epochs of {len(store):,} galaxies",
        train(0),
        train(None),
        "through the network",
        (10, 10),
        "epochs",
        at_least=5,
        rounds=1,
        warm_up=False,
    )
