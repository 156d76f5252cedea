"""The three networks that give one class: sizes counted by hand, linear attention, learning, saving."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers
from tiny_store import make_tiny_store

from gzutils import profiles
from gzutils.data.store import split_galaxies
from gzutils.hard_classes import RULES
from gzutils.learning import training
from gzutils.learning.losses import WeightedCrossEntropy
from gzutils.models import saved
from gzutils.models.alexnet import alexnet
from gzutils.models.linformer import linear_attention, linformer
from gzutils.models.networks import NETWORKS
from gzutils.models.resnet26 import resnet26

SMALL = {
    "resnet26": {"width": 0.03125},
    "linformer": {"depth": 1, "width": 16, "patch_size": 8, "enlarge_to": 64},
    "alexnet": {"width": 0.03125, "enlarge_to": 96},
}
RULE_OF = {"resnet26": "dai_tong", "linformer": "lin", "alexnet": "schneider"}


def test_alexnet_has_the_parameters_of_five_convolutions_and_three_dense_layers():
    """By hand, a filter's window times its channels and a bias each; on one processor, so nothing is split."""
    model = alexnet()
    convolutions = [
        96 * (11 * 11 * 3 + 1),
        256 * (5 * 5 * 96 + 1),
        384 * (3 * 3 * 256 + 1),
        384 * (3 * 3 * 384 + 1),
        256 * (3 * 3 * 384 + 1),
    ]
    dense = [4096 * (6 * 6 * 256 + 1), 4096 * (4096 + 1), 4 * (4096 + 1)]
    assert model.count_params() == sum(convolutions + dense) == 58_297_732
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert [shapes[f"conv_{i}"] for i in range(1, 6)] == [
        (55, 55, 96), (27, 27, 256), (13, 13, 384), (13, 13, 384), (13, 13, 256)
    ]  # fmt: skip
    assert shapes["flatten"] == (9216,)
    assert [layer.strides for layer in model.layers if isinstance(layer, layers.Conv2D)] == [(4, 4)] + [(1, 1)] * 4


def test_resnet26_has_26_layers_and_the_parameters_counted_by_hand():
    """A stem, 24 convolutions in bottlenecks and a dense layer; shortcuts that change the size are not counted."""
    model = resnet26()
    parameters, channels = 64 * (6 * 6 * 3 + 1), 64
    for filters in (64, 128, 256, 512):
        inner, outer = 2 * filters, 4 * filters
        for block in (1, 2):
            normalisations = 4 * (channels + inner + inner)
            kernels = channels * inner + 9 * inner * inner + inner * outer
            parameters += normalisations + kernels + (channels * outer if block == 1 else 0)
            channels = outer
    parameters += 4 * channels + 5 * (channels + 1)
    assert model.count_params() == parameters == 37_655_621
    convolutions = [one for one in model.layers if isinstance(one, layers.Conv2D) and "shortcut" not in one.name]
    assert len(convolutions) + 1 == 26
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["stem"] == (64, 64, 64)
    assert [shapes[f"stage_{i}_block_2_add"] for i in range(1, 5)] == [
        (32, 32, 256), (16, 16, 512), (8, 8, 1024), (4, 4, 2048)
    ]  # fmt: skip


@pytest.mark.parametrize("width", [0.01, 0.03125, 0.0625])
def test_no_strided_convolution_is_narrower_than_the_library_bears(width):
    """The fault: with fewer than 16 filters coming in, training on one picture ended the process (oneDNN #6035)."""
    strided = [one for one in resnet26(width=width).layers if isinstance(one, layers.Conv2D) and one.strides == (2, 2)]
    shortcuts = [one for one in strided if one.kernel_size == (1, 1)]
    assert len(shortcuts) == 3
    assert min(one.input.shape[-1] for one in shortcuts) >= 16


def test_resnet26s_bottlenecks_normalise_before_they_convolve_and_drop_between():
    order = [layer.name for layer in resnet26(width=0.03125).layers if layer.name.startswith("stage_2_block_2")]
    kinds = [name.removeprefix("stage_2_block_2_") for name in order]
    assert [name for name in kinds if name != "add"] == [
        "norm_1", "relu_1", "conv_1",
        "norm_2", "relu_2", "dropout_1", "conv_2",
        "norm_3", "relu_3", "dropout_2", "conv_3",
    ]  # fmt: skip


def test_linformer_has_the_parameters_counted_by_hand():
    values, tokens, width = 28 * 28 * 3, 8 * 8 + 1, 128
    embedding = values * width + width + width + tokens * width
    block = 4 * width + 4 * (width * width + width) + 2 * tokens * 64 + width * 512 + 512 + 512 * width + width
    head = 2 * width + 8 * (width + 1)
    assert linformer().count_params() == embedding + 12 * block + head == 2_790_024


def attention_model(tokens, width, mixtures, heads):
    given = keras.Input((tokens, width))
    return keras.Model(given, linear_attention(given, mixtures, heads, "attention"))


def test_linear_attention_with_the_identity_is_full_attention():
    """The faults: keys and values exchanged, or tokens mixed across the wrong axis."""
    keras.utils.set_random_seed(0)
    model = attention_model(9, 16, 9, 4)
    for part in ("values", "keys"):
        model.get_layer(f"attention_mixed_{part}").kernel.assign(np.eye(9))
    x = np.random.default_rng(0).normal(size=(3, 9, 16)).astype(np.float32)
    full = layers.MultiHeadAttention(4, 4)
    full(x, x)
    full.set_weights(model.get_layer("attention").get_weights())
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(full(x, x)), atol=1e-5)


def test_linear_attention_is_the_formula_of_its_paper():
    """softmax(Q (E K)' / sqrt(d)) (F V), here for one head in NumPy; with E and F exchanged it is another number."""
    keras.utils.set_random_seed(1)
    model = attention_model(6, 5, 3, 1)
    x = np.random.default_rng(1).normal(size=(1, 6, 5)).astype(np.float32)
    query, _, key, _, value, _, out, _ = model.get_layer("attention").get_weights()  # biases start at 0
    keys_of, values_of = (model.get_layer(f"attention_mixed_{p}").get_weights()[0].T for p in ("keys", "values"))
    q, k, v = (x[0] @ kernel[:, 0] for kernel in (query, key, value))
    scores = q @ (keys_of @ k).T / np.sqrt(5)
    powers = np.exp(scores)
    expected = powers / powers.sum(axis=1, keepdims=True) @ (values_of @ v) @ out[0]
    np.testing.assert_allclose(np.asarray(model(x))[0], expected, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_classes_and_its_file_predicts_the_same(name, tmp_path):
    """Blobs of two widths are told apart. The faults: unscaled pixels, a softmax that is missing, a layer not saved."""
    store = make_tiny_store(tmp_path / "store", 96)
    classes = (store.labels[:, 0] > np.median(store.labels[:, 0])).astype(np.int64)
    split = split_galaxies(len(store))
    keras.utils.set_random_seed(0)
    momentum = {"batch_norm_momentum": 0.8} if name == "resnet26" else {}
    model = NETWORKS[name].build(classes=2, **SMALL[name], **momentum)
    recipe = replace(
        profiles.get("smoke").plans[name].recipe,
        epochs=8,
        patience=8,
        optimizer={"class_name": "Adam", "config": {"learning_rate": 0.003}},
        loss=WeightedCrossEntropy([1.0, 1.0]),
        metrics=("sparse_categorical_accuracy",),
    )
    trained = training.train(model, store.examples(classes), split, recipe, tmp_path / "run")
    assert trained.best["val_loss"] < 0.9 * np.log(2)
    images = store.images[:5]
    predicted = np.asarray(model.predict(images, verbose=0))
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)
    again = saved.load(tmp_path / "run" / "model.keras")
    np.testing.assert_allclose(again.predict(images, verbose=0), predicted, atol=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_each_profile_plans_it_for_the_classes_of_its_study(name):
    classes = len(RULES[RULE_OF[name]].classes)
    for profile in ("smoke", "quick"):
        model = NETWORKS[name].build(**profiles.get(profile).plans[name].model)
        assert model.output_shape == (None, classes)
        assert saved.fits(model, (64, 64, 3), classes)
    for profile in ("report", "full"):
        assert profiles.get(profile).plans[name].model == {}, "the study's size"


@pytest.mark.parametrize(
    ("build", "arguments"),
    [(resnet26, {"width": 0}), (alexnet, {"classes": 1}), (linformer, {"heads": 7}), (linformer, {"depth": 0})],
)
def test_arguments_that_make_no_sense_are_refused(build, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        build(**arguments)
