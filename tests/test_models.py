"""The networks: the report's parameter counts to the last one, shapes, and that a saved model predicts by itself."""

import importlib
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import gzutils
from gzutils.learning.likelihoods import VotesLoss
from gzutils.models import answers, saved
from gzutils.models.networks import NETWORKS
from gzutils.models.parallel_cnn import parallel_cnn


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_parallel_cnn_has_the_reports_parameters():
    model = parallel_cnn()
    assert model.count_params() == 1_160_165
    assert count(model.trainable_variables) == 1_159_653


def test_parallel_cnn_is_built_as_the_report_says():
    model = parallel_cnn()
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["broad_conv_3"] == shapes["fine_conv_3"] == (64, 64, 128)
    assert shapes["both_paths"] == (31, 31, 256)
    assert shapes["flatten"] == (576,)
    assert model.get_layer("broad_conv_1").kernel_size == (6, 6)
    assert model.get_layer("fine_conv_1").kernel_size == (3, 3)
    dropouts = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert dropouts == [0.1] * 5 + [0.2]
    assert float(model.get_layer("dense_2").kernel_regularizer.l2) == pytest.approx(0.01)


def test_width_scales_every_convolution_and_leaves_the_dense_layers():
    quarter, full = parallel_cnn(width=0.25), parallel_cnn()
    for layer in full.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert quarter.get_layer(layer.name).filters == layer.filters / 4
        if isinstance(layer, keras.layers.Dense):
            assert quarter.get_layer(layer.name).units == layer.units
    assert quarter.output_shape == (None, 37)


@pytest.mark.parametrize("width", [0, -1, float("nan")])
def test_a_width_of_nothing_is_refused(width):
    with pytest.raises(ValueError, match="width"):
        parallel_cnn(width=width)


def test_bytes_go_in_and_probabilities_come_out():
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    predicted = parallel_cnn(width=0.125).predict(images, verbose=0)
    assert predicted.shape == (3, 37)
    assert predicted.dtype == np.float32
    assert ((predicted > 0) & (predicted < 1)).all()


def test_a_saved_model_predicts_exactly_the_same(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    model = parallel_cnn(width=0.125)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert np.array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


def test_the_same_seed_gives_the_same_first_weights():
    def weights(seed):
        keras.utils.set_random_seed(seed)
        return parallel_cnn(width=0.125).get_weights()

    assert all(np.array_equal(one, two) for one, two in zip(weights(1), weights(1), strict=True))
    assert not np.array_equal(weights(1)[0], weights(2)[0])


def test_a_model_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"there is no model file .*model\.keras; run the notebook"):
        saved.load(tmp_path / "model.keras")


@pytest.mark.parametrize(("version", "refused"), [("3.8.0", True), ("3.10.0", True), ("3.11.0", False)])
def test_a_keras_that_could_be_made_to_run_a_files_code_opens_none(version, refused, tmp_path, monkeypatch):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "a.keras")
    monkeypatch.setattr(keras, "__version__", version)
    if not refused:
        assert saved.load(tmp_path / "a.keras").count_params() == 3
        return
    with pytest.raises(ValueError, match=rf"a.keras is not opened: Keras {version} might .*; install keras>=3.12"):
        saved.load(tmp_path / "a.keras")


def test_what_is_installed_at_least_may_open_models():
    wanted = re.search(r"^keras>=([\d.]+)$", (Path(__file__).parents[1] / "requirements.txt").read_text(), re.MULTILINE)
    assert tuple(map(int, wanted[1].split("."))) >= saved.SAFE_KERAS


@pytest.mark.parametrize("name", ["parallel_cnn", "vision_transformer", "vgg16", "resnet50", "simple_cnn"])
def test_a_network_that_starts_at_the_mean_answers_says_them_of_no_features(name, tmp_path):
    """Its last layer does, whatever the network: and it still does after the file was opened again."""
    shares = np.linspace(0, 1, 37)
    small = {"enlarge_to": 32, "initial_weights": "random", "width": 0.25} if name in ("vgg16", "resnet50") else {}
    model = NETWORKS[name].build(mean_answers=shares.tolist(), **small)
    model.save(tmp_path / "model.keras")
    for network in (model, saved.load(tmp_path / "model.keras")):
        last = network.layers[-1]
        said = keras.ops.convert_to_numpy(last(np.zeros((1, last.kernel.shape[0]), np.float32)))
        np.testing.assert_allclose(said[0], np.clip(shares, 0.001, 0.999), atol=2e-5)
    assert not np.asarray(NETWORKS[name].build(**small).layers[-1].bias).any(), "the report's start at one half"


@pytest.mark.parametrize("wrong", [[0.5] * 36, [0.5] * 36 + [1.5], [0.5] * 36 + [float("nan")]])
def test_mean_answers_that_are_no_37_shares_are_refused(wrong):
    with pytest.raises(ValueError, match="37 shares from 0 to 1"):
        answers.logits(wrong)


def kerass_own_kinds():
    """Every layer, loss and the like that the kit defines and a file can name."""
    for room in ("models", "learning"):
        folder = Path(gzutils.__file__).parent / room
        for path in sorted(folder.glob("[!_]*.py")):
            module = importlib.import_module(f"gzutils.{room}.{path.stem}")
            for kind in vars(module).values():
                own = isinstance(kind, type) and kind.__module__ == module.__name__
                if own and issubclass(kind, (keras.Layer, keras.losses.Loss, keras.metrics.Metric)):
                    yield kind


def test_whatever_a_file_can_name_is_known_by_the_kits_name():
    """The fault: a class that a file names by its module, and cannot find once that is called otherwise."""
    kinds = {kind.__name__: kind for kind in kerass_own_kinds() if kind is not VotesLoss}
    assert {"RectifiedTree", "Parts", "Multinomial", "RandomAffine"} <= kinds.keys()
    names = {name: keras.saving.get_registered_name(kind) for name, kind in kinds.items()}
    assert names == {name: f"gzutils>{name}" for name in kinds}
