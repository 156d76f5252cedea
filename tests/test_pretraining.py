"""The bases that come with the kit: what they learn, that all of them learns, and the files that are left."""

import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest

from gzutils.course import pretraining
from gzutils.data import preprocessing
from gzutils.data.simulation import survey
from gzutils.data.simulation.galaxies import Galaxy
from gzutils.data.store import Split, open_store
from gzutils.models import pretrained
from gzutils.models.pretrained import find_weights, resnet50, vgg16
from gzutils.tools import records

SEED = 2013


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    preprocessing.find_or_make_store("simulated", folder, None, 60, SEED)
    return folder


def test_the_properties_are_those_of_the_galaxies_in_the_stores_order(data):
    raw = preprocessing.find_or_make_raw("simulated", data, None, 60, SEED).solutions.parent
    store = open_store(preprocessing.find_or_make_store("simulated", data, None, 60, SEED))
    found = pd.DataFrame(pretraining.properties(store, raw), columns=pretraining.PROPERTIES)
    for row, galaxy_id in enumerate(store.galaxy_ids[:20]):
        galaxy = survey.simulate(SEED, int(galaxy_id) - survey.FIRST_ID)[0]
        assert found["disk"][row] == (galaxy.kind == "disk")
        assert found["inclination"][row] == np.float32(galaxy.inclination)
        assert found["arm_number"][row] == galaxy.arm_number
    assert (found[["spheroid", "disk", "irregular kind"]].sum(axis=1) == 1).all()


def test_nothing_that_a_turn_or_a_mirror_changes_is_asked_for():
    turning = {"offset_x", "offset_y", "position_angle", "orientation", "handedness", "lopsided_angle"}
    turning |= {"companion_angle"}
    names = {field.name for field in dataclasses.fields(Galaxy)}
    assert turning < names
    assert not turning & set(pretraining.PROPERTIES)
    assert set(pretraining.PROPERTIES) - {"spheroid", "disk", "irregular kind"} < names


def test_targets_are_standardised_by_the_training_galaxies_alone():
    values = np.array([[1, 5], [3, 5], [100, 7]], np.float32)
    split = Split(np.array([0, 1]), np.array([2]), np.array([2]))
    np.testing.assert_allclose(pretraining.standardised(values, split), [[-1, 0], [1, 0], [98, 2]])


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
def test_all_of_the_network_learns_its_normalisations_statistics_too(network):
    model = pretraining.network_for_properties(network)
    assert all(layer.trainable for layer in model.layers)
    images = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), dtype=np.uint8)
    before = model.get_weights()
    model.compile("adam", "mean_squared_error", run_eagerly=True)
    model.train_on_batch(images, np.ones((4, len(pretraining.PROPERTIES))))
    moved = [not np.array_equal(one, two) for one, two in zip(before, model.get_weights(), strict=True)]
    names = [weight.path for weight in model.weights]
    # A bias before a normalisation changes nothing, so nothing need move it.
    assert all(m for m, name in zip(moved, names, strict=True) if not name.endswith("conv/bias") and "seed" not in name)


def test_the_command_leaves_a_base_that_the_builder_takes_and_its_card(data, tmp_path, monkeypatch, capsys):
    words = [tmp_path, "--galaxies", 60, "--epochs", 1, "--data", data, "--networks", "vgg16", "--batch-size", 16]
    pretraining.main([str(word) for word in words])
    path = tmp_path / "vgg16_quarter.weights.h5"
    assert f"{path}: {path.stat().st_size:,} bytes" in capsys.readouterr().out
    assert path.stat().st_size < pretraining.LARGEST
    card = json.loads(path.with_name("vgg16_quarter.json").read_text())
    assert card["sha256"] == records.sha256(path)
    assert card["data"].startswith(f"simulated survey, seed {SEED}, version {survey.VERSION}: 60 galaxies (train 38")
    assert 0 < card["test error by property, as a share of its spread (1: the mean guess)"]["inclination"] < 100
    monkeypatch.setattr(pretrained, "TRAINED", tmp_path)
    model = vgg16(enlarge_to=64, units=8, input_scaling="imagenet", **find_weights("vgg16", "galaxies", False)[0])
    trained = keras.saving.load_model(tmp_path / "training-vgg16" / "model.keras")
    store = open_store(preprocessing.find_or_make_store("simulated", data, None, 60, SEED))
    seen, known = (
        keras.Model(one.input, one.get_layer("block5_pool").output)(store.images[:8]) for one in (model, trained)
    )
    spread = np.std(known)
    assert spread > 0
    np.testing.assert_allclose(seen, known, atol=0.02 * spread)


def test_rounding_goes_as_far_as_no_feature_changes_and_is_the_shipped_networks_own(tmp_path, monkeypatch):
    pixels = keras.Input((32, 32, 3))
    keras.utils.set_random_seed(0)
    base = keras.Model(pixels, keras.layers.Conv2D(8, 3, name="only")(pixels))
    exact, sample = base.get_weights(), np.random.default_rng(0).normal(size=(16, 32, 32, 3)).astype(np.float32)
    before = base.predict(sample, verbose=0)
    said = pretraining.write_compact(base, tmp_path / "base.weights.h5", sample)
    assert said["weights"].startswith("float32 rounded to 1")
    assert said["bytes"] == (tmp_path / "base.weights.h5").stat().st_size
    base.set_weights(exact)
    base.load_weights(tmp_path / "base.weights.h5")
    change = np.sqrt(np.mean((base.predict(sample, verbose=0) - before) ** 2))
    assert 0 < change < 1e-3 * before.std()
    monkeypatch.setattr(pretraining, "UNSEEN", 0)
    monkeypatch.setattr(pretraining, "LARGEST", said["bytes"] + 1)  # as many bits as fit
    base.set_weights(exact)
    assert pretraining.write_compact(base, tmp_path / "base.weights.h5", sample)["bytes"] <= said["bytes"] + 1


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
def test_what_came_with_the_kit_is_what_its_card_says_and_loads(network):
    path = pretrained.shipped_file(network)
    if not path.is_file():
        pytest.skip("this copy of the kit has no slim bases")
    card = records.read_json(path.with_name(path.name.replace(".weights.h5", ".json")))
    assert card["sha256"] == records.sha256(path)
    assert path.stat().st_size <= pretraining.LARGEST
    build = {"vgg16": vgg16, "resnet50": resnet50}[network]
    model = build(enlarge_to=64, units=8, input_scaling="imagenet", initial_weights="galaxies", width=0.25)
    assert all(np.isfinite(values).all() for values in model.get_weights())
