"""A base's features, computed once: resumed as if undisturbed, and head on features = whole network on images."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from tiny_store import make_tiny_store

from gzutils import dataset, evaluation, features, files
from gzutils.augmentation import RandomAffine
from gzutils.losses import ConstrainedMeanSquaredError
from gzutils.models.pretrained import vgg16
from gzutils.profiles import Training

SETTINGS = Training(epochs=3, patience=3, batch_size=16, feature_copies=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """100 galaxies: four batches of them, and two of each copy of the 64 to train on."""
    return make_tiny_store(tmp_path_factory.mktemp("data") / "store", 100)


def model(**arguments):
    return vgg16(**({"side": 32, "units": 16, "initial_weights": "random"} | arguments))


def compute(store, folder, copies=2, seed=0, base=None):
    base = base or features.cut(model())[0]
    split = dataset.split_galaxies(len(store), 0)
    return features.compute(base, store, split, copies, folder, RandomAffine(seed=seed, name="views"), seed)


@pytest.fixture(scope="module")
def undisturbed(store, tmp_path_factory):
    return compute(store, tmp_path_factory.mktemp("undisturbed"))


def test_the_first_rows_are_the_galaxies_as_they_are_and_the_rest_their_augmented_copies(store, undisturbed):
    cached, split = undisturbed
    plain = dataset.split_galaxies(len(store), 0)
    assert cached.images.shape == (100 + 2 * 64, 512)
    assert cached.images.dtype == np.float16
    np.testing.assert_array_equal(split.test, plain.test)
    np.testing.assert_array_equal(split.validation, plain.validation)
    assert split.train.shape == (2, 64)
    for copy in split.train:
        np.testing.assert_array_equal(cached.labels[copy], store.labels[plain.train])
        np.testing.assert_array_equal(cached.galaxy_ids[copy], store.galaxy_ids[plain.train])
    base, _ = features.cut(model())
    expected = np.array(base(store.images[:]))
    np.testing.assert_allclose(cached.images[:100], expected, rtol=2e-3, atol=1e-4)
    first, second = cached.images[split.train].astype("float32")
    changes = [np.abs(one - other).max() for one, other in ((first, second), (first, expected[plain.train]))]
    assert min(changes) > 0.01


def test_without_copies_training_sees_the_galaxies_as_they_are(store, undisturbed, tmp_path):
    cached, split = compute(store, tmp_path, copies=0)
    np.testing.assert_array_equal(split.train, dataset.split_galaxies(len(store), 0).train)
    np.testing.assert_array_equal(cached.images, undisturbed[0].images[:100])


class Stop(Exception):
    pass


@pytest.mark.parametrize("batches_before", [0, 3, 5])
def test_interrupted_it_goes_on_to_the_same_features(store, undisturbed, tmp_path, monkeypatch, batches_before):
    """Four batches of galaxies as they are, then two of each copy."""
    write = files.write_json

    def stop_before_the_record(path, value):
        if value.get("batches") == batches_before + 1:
            raise Stop
        write(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_json", stop_before_the_record)
        with pytest.raises(Stop):
            compute(store, tmp_path)
    assert not (tmp_path / "features.npy").exists()
    cached, _ = compute(store, tmp_path)
    np.testing.assert_array_equal(cached.images, undisturbed[0].images)
    assert cached.fingerprint == undisturbed[0].fingerprint
    assert not list(tmp_path.glob("*partial*"))


def test_finished_features_are_opened_and_not_computed_again(store, undisturbed, monkeypatch):
    monkeypatch.setattr(keras.Model, "predict_on_batch", lambda *_: pytest.fail("it computed again"))
    again, _ = compute(store, undisturbed[0].folder)
    assert again.fingerprint == undisturbed[0].fingerprint


OTHERS = {
    "base and its weights": [{"initial_weights": "random", "seed": 1}, {"input_scaling": "imagenet"}, {"side": 64}],
    "copies": [{"copies": 1}],
    "seed": [{"seed": 1}],
}


def test_other_features_in_the_same_folder_are_refused_by_name(store, undisturbed, tmp_path):
    folder = undisturbed[0].folder
    for changed in OTHERS["base and its weights"]:
        with pytest.raises(ValueError, match=r"different: base and its weights.*RUN"):
            compute(store, folder, base=features.cut(model(**changed))[0])
    for name in ("copies", "seed"):
        with pytest.raises(ValueError, match=f"different: .*{name}"):
            compute(store, folder, **OTHERS[name][0])
    elsewhere, _ = compute(store, tmp_path, copies=1)
    assert elsewhere.fingerprint != undisturbed[0].fingerprint


def test_the_same_base_built_again_is_the_same(undisturbed):
    """Whatever was built before it in the session: resuming must not depend on counters in names."""
    one = features.cut(model())
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    two = features.cut(model())
    for a, b in zip(one, two, strict=True):
        assert a.to_json() == b.to_json()


def test_the_head_on_features_is_the_whole_network_on_images(store, tmp_path):
    keras.utils.set_random_seed(0)
    whole = model()
    split = dataset.split_galaxies(len(store), 0)
    first = whole.get_weights()
    augmentation, loss = RandomAffine(seed=0, name="views"), ConstrainedMeanSquaredError()
    trained = features.train_head(whole, store, split, SETTINGS, loss, tmp_path, augmentation)
    assert len(trained.trained.history) == 3
    assert trained.feature_seconds > 0
    assert {"model.keras", "history.csv"} < {path.name for path in tmp_path.iterdir()}
    from_features = evaluation.predict(trained.predictor, trained.store, split.test)
    np.testing.assert_allclose(evaluation.predict(whole, store, split.test), from_features, atol=2e-3)
    saved = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(evaluation.predict(saved, store, split.test), from_features, atol=2e-3)
    moved = [not np.array_equal(one, two) for one, two in zip(first, whole.get_weights(), strict=True)]
    names = [variable.path.split("/")[-2] for variable in whole.weights]
    assert {name for name, changed in zip(names, moved, strict=True) if changed} == {"dense", "probabilities"}


def test_without_copies_in_the_settings_the_whole_network_is_trained(store, tmp_path):
    keras.utils.set_random_seed(0)
    whole, split = model(), dataset.split_galaxies(len(store), 0)
    settings = replace(SETTINGS, epochs=1, feature_copies=None)
    arguments = (store, split, settings, ConstrainedMeanSquaredError(), tmp_path, RandomAffine(seed=0, name="views"))
    trained = features.train_head(whole, *arguments)
    assert trained.predictor is whole
    assert trained.store is store
    assert not (tmp_path / "features").exists()
    with pytest.raises(ValueError, match="different: base and its weights"):
        features.train_head(model(seed=1), *arguments)
    cached = (*arguments[:2], replace(settings, feature_copies=0), *arguments[3:])
    with pytest.raises(ValueError, match="different: feature copies"):
        features.train_head(model(), *cached)


def test_features_too_large_for_float16_are_refused(store, tmp_path):
    base, _ = features.cut(model())
    kernel = base.get_layer("block5_conv3").kernel
    kernel.assign(kernel * 1e6)
    with pytest.raises(ValueError, match=r"too large for float16, which ends at 65,504"):
        compute(store, tmp_path, base=base)
    assert not (tmp_path / "features.npy").exists()


def test_copies_need_an_augmentation(store, tmp_path):
    base, _ = features.cut(model())
    with pytest.raises(ValueError, match="without augmentation"):
        features.compute(base, store, dataset.split_galaxies(len(store), 0), 1, tmp_path)
