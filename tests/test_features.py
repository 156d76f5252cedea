"""A base's features, computed once: resumed as if undisturbed, and head on features = whole network on images."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from tiny_store import make_tiny_store

from gzutils.data.store import split_galaxies
from gzutils.learning import features
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.predict import predict
from gzutils.learning.recipe import Recipe
from gzutils.models.pretrained import vgg16
from gzutils.tools import records

RECIPE = Recipe(epochs=3, patience=3, batch_size=16, loss=ConstrainedMeanSquaredError())


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """100 galaxies: four batches of them, and two of each copy of the 64 to train on."""
    return make_tiny_store(tmp_path_factory.mktemp("data") / "store", 100)


def model(**arguments):
    return vgg16(**({"enlarge_to": 32, "units": 16, "initial_weights": "random"} | arguments))


def compute(store, folder, copies=2, seed=0, base=None):
    base = base or features.base_and_head(model())[0]
    split = split_galaxies(len(store), 0)
    return features.compute(base, store.examples(), split, copies, folder, RandomAffine(seed=seed, name="views"), seed)


@pytest.fixture(scope="module")
def undisturbed(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return compute(store, folder), folder


def test_the_first_rows_are_the_galaxies_as_they_are_and_the_rest_their_augmented_copies(store, undisturbed):
    kept, split = undisturbed[0].examples, undisturbed[0].split
    plain = split_galaxies(len(store), 0)
    assert kept.inputs.shape == (100 + 2 * 64, 512)
    assert kept.inputs.dtype == np.float16
    np.testing.assert_array_equal(split.test, plain.test)
    np.testing.assert_array_equal(split.validation, plain.validation)
    assert split.train.shape == (2, 64)
    for copy in split.train:
        np.testing.assert_array_equal(kept.targets[copy], store.labels[plain.train])
    np.testing.assert_array_equal(kept.targets[:100], store.labels)
    base, _ = features.base_and_head(model())
    expected = np.array(base(store.images[:]))
    np.testing.assert_allclose(kept.inputs[:100], expected, rtol=2e-3, atol=1e-4)
    first, second = kept.inputs[split.train].astype("float32")
    changes = [np.abs(one - other).max() for one, other in ((first, second), (first, expected[plain.train]))]
    assert min(changes) > 0.01


def test_without_copies_training_sees_the_galaxies_as_they_are(store, undisturbed, tmp_path):
    found = compute(store, tmp_path, copies=0)
    np.testing.assert_array_equal(found.split.train, split_galaxies(len(store), 0).train)
    np.testing.assert_array_equal(found.examples.inputs, undisturbed[0].examples.inputs[:100])


class Stop(Exception):
    pass


@pytest.mark.parametrize("batches_before", [0, 3, 5])
def test_interrupted_it_goes_on_to_the_same_features(store, undisturbed, tmp_path, monkeypatch, batches_before):
    """Four batches of galaxies as they are, then two of each copy."""
    write = records.write_json

    def stop_before_the_record(path, value):
        if value.get("batches") == batches_before + 1:
            raise Stop
        write(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_json", stop_before_the_record)
        with pytest.raises(Stop):
            compute(store, tmp_path)
    assert not (tmp_path / "features.npy").exists()
    resumed = compute(store, tmp_path).examples
    np.testing.assert_array_equal(resumed.inputs, undisturbed[0].examples.inputs)
    assert resumed.fingerprint == undisturbed[0].examples.fingerprint
    assert not list(tmp_path.glob("*partial*"))


def test_finished_features_are_opened_and_not_computed_again(store, undisturbed, monkeypatch):
    monkeypatch.setattr(keras.Model, "predict_on_batch", lambda *_: pytest.fail("it computed again"))
    again = compute(store, undisturbed[1])
    assert again.examples.fingerprint == undisturbed[0].examples.fingerprint


def test_features_of_which_a_value_has_changed_are_refused(store, tmp_path):
    """The fault: only their shape was looked at."""
    compute(store, tmp_path, copies=0)
    path = tmp_path / "features.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"features.npy is damaged \(it has changed since it was written: checksum\)"):
        compute(store, tmp_path, copies=0)


OTHERS = {
    "base and its weights": [
        {"initial_weights": "random", "seed": 1},
        {"input_scaling": "imagenet"},
        {"enlarge_to": 64},
    ],
    "copies": [{"copies": 1}],
    "seed": [{"seed": 1}],
}


def test_other_features_in_the_same_folder_are_refused_by_name(store, undisturbed, tmp_path):
    """Of copies the augmentation, too. The fault: a training on copies that an earlier augmentation made."""
    folder = undisturbed[1]
    for changed in OTHERS["base and its weights"]:
        with pytest.raises(ValueError, match=r"different: base and its weights.*RUN"):
            compute(store, folder, base=features.base_and_head(model(**changed))[0])
    for name in ("copies", "seed"):
        with pytest.raises(ValueError, match=f"different: .*{name}"):
            compute(store, folder, **OTHERS[name][0])
    base, split = features.base_and_head(model())[0], split_galaxies(len(store), 0)
    wider = RandomAffine(rotation=0.5, seed=0, name="views")
    with pytest.raises(ValueError, match=r"different: .*augmentation"):
        features.compute(base, store.examples(), split, 2, folder, wider, 0)
    elsewhere = compute(store, tmp_path, copies=1)
    assert elsewhere.examples.fingerprint != undisturbed[0].examples.fingerprint


def test_the_same_base_built_again_is_the_same(undisturbed):
    """Whatever was built before it in the session: resuming must not depend on counters in names."""
    one = features.base_and_head(model())
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    two = features.base_and_head(model())
    for a, b in zip(one, two, strict=True):
        assert a.to_json() == b.to_json()


def test_the_head_on_features_is_the_whole_network_on_images(store, tmp_path):
    """And its files say the same. A change of the code that fails here: `index=True` where `history.csv` is written."""
    keras.utils.set_random_seed(0)
    whole = model()
    split = split_galaxies(len(store), 0)
    first = whole.get_weights()
    recipe = replace(RECIPE, augmentation=RandomAffine(seed=0, name="views"))
    trained = features.train_head(whole, store.examples(), split, recipe, tmp_path, copies=2)
    assert len(trained.trained.history) == 3
    assert trained.feature_seconds > 0
    assert {"model.keras", "history.csv"} < {path.name for path in tmp_path.iterdir()}
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "history.csv"), trained.trained.history)
    from_features = predict(trained.predictor, trained.inputs, split.test)
    np.testing.assert_allclose(predict(whole, store.images, split.test), from_features, atol=2e-3)
    saved = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(predict(saved, store.images, split.test), from_features, atol=2e-3)
    moved = [not np.array_equal(one, two) for one, two in zip(first, whole.get_weights(), strict=True)]
    names = [variable.path.split("/")[-2] for variable in whole.weights]
    assert {name for name, changed in zip(names, moved, strict=True) if changed} == {"dense", "probabilities"}


def test_without_copies_in_the_settings_the_whole_network_is_trained(store, tmp_path):
    keras.utils.set_random_seed(0)
    whole, split = model(), split_galaxies(len(store), 0)
    recipe = replace(RECIPE, epochs=1, augmentation=RandomAffine(seed=0, name="views"))
    arguments = (store.examples(), split, recipe, tmp_path)
    trained = features.train_head(whole, *arguments)
    assert trained.predictor is whole
    assert trained.inputs is store.images
    assert not (tmp_path / "features").exists()
    with pytest.raises(ValueError, match="different: base and its weights"):
        features.train_head(model(seed=1), *arguments)
    with pytest.raises(ValueError, match="different: feature copies"):
        features.train_head(model(), *arguments, copies=0)


def test_features_too_large_for_float16_are_refused(store, tmp_path):
    base, _ = features.base_and_head(model())
    kernel = base.get_layer("block5_conv3").kernel
    kernel.assign(kernel * 1e6)
    with pytest.raises(ValueError, match=r"too large for float16, which ends at 65,504"):
        compute(store, tmp_path, base=base)
    assert not (tmp_path / "features.npy").exists()


def test_copies_need_an_augmentation(store, tmp_path):
    base, _ = features.base_and_head(model())
    with pytest.raises(ValueError, match="without augmentation"):
        features.compute(base, store.examples(), split_galaxies(len(store), 0), 1, tmp_path)
