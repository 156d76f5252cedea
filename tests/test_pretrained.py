"""VGG16 and ResNet50: the report's parameter counts, flat layers, input scaling, and where their weights come from."""

import socket
import urllib.error
from dataclasses import replace

import keras
import numpy as np
import pytest

from gzutils.models import bases, pretrained
from gzutils.models.pretrained import find_weights, resnet50, vgg16
from gzutils.parameters import SCALINGS

BUILDERS = {"vgg16": vgg16, "resnet50": resnet50}
by_network = pytest.mark.parametrize("network", BUILDERS)


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.fixture
def images():
    """Dim blobs on a black sky, as galaxies are, in three colours."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] - 31.5
    blobs = np.exp(-(x**2 + y**2) / (2 * rng.uniform(3, 14, (16, 1, 1)) ** 2))
    return (rng.uniform(80, 250, (16, 1, 1, 3)) * blobs[..., None]).astype(np.uint8)


def small(network, **arguments):
    return BUILDERS[network](**({"enlarge_to": 32, "units": 16, "initial_weights": "random"} | arguments))


def applications_base(network, seed=0):
    """The network as Keras builds it, with random weights and, for the normalisations, random statistics."""
    keras.utils.set_random_seed(seed)
    build = {"vgg16": keras.applications.VGG16, "resnet50": keras.applications.ResNet50}[network]
    base = build(include_top=False, weights=None, input_shape=(32, 32, 3))
    rng = np.random.default_rng(seed)
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    return base


@pytest.mark.parametrize(
    ("network", "total", "trainable", "features"),
    [("vgg16", 27_579_237, 12_864_549, 25_088), ("resnet50", 27_859_877, 4_272_165, 2048)],
)
def test_the_reports_parameters(network, total, trainable, features):
    model = BUILDERS[network](initial_weights="random")
    assert model.count_params() == total
    assert count(model.trainable_variables) == trainable
    assert model.get_layer("features").output.shape == (None, features)
    assert model.get_layer("enlarge").output.shape == (None, 224, 224, 3)


@pytest.mark.parametrize(("network", "last"), [("vgg16", "block5_conv3"), ("resnet50", "conv5_block3_out")])
def test_the_base_lies_flat_in_the_network_and_is_frozen(network, last):
    model = small(network)
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    features = model.layers.index(model.get_layer("features"))
    assert model.layers.index(model.get_layer(last)) < features
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["dense", "probabilities"]
    kinds = [type(layer).__name__ for layer in model.layers[features:]]
    assert kinds == [{"vgg16": "Flatten", "resnet50": "GlobalMaxPooling2D"}[network], "Dense", "Dropout", "Dense"]
    assert model.get_layer("dropout").rate == 0.1


@by_network
def test_imagenet_scaling_is_the_networks_own_preprocessing(network, images):
    """Bytes are made floats before they are enlarged, so nothing is rounded."""
    model = small(network, input_scaling="imagenet", enlarge_to=48)
    seen = np.array(keras.Model(model.input, model.get_layer("enlarge").output)(images))
    enlarged = keras.ops.image.resize(images.astype("float32"), (48, 48), interpolation="bilinear")
    module = {"vgg16": keras.applications.vgg16, "resnet50": keras.applications.resnet50}[network]
    expected = module.preprocess_input(np.array(enlarged))
    np.testing.assert_allclose(seen, expected, atol=1e-4)
    assert abs(seen[..., 0] - seen[..., 2]).max() > 1  # the colours differ, so their order was tested


def test_the_reports_scaling_is_0_to_1(images):
    model = small("vgg16", enlarge_to=64)
    seen = np.array(keras.Model(model.input, model.get_layer("enlarge").output)(images))
    np.testing.assert_allclose(seen, images / 255, atol=1e-6)


@by_network
@pytest.mark.parametrize("input_scaling", SCALINGS)
def test_random_weights_keep_the_signal_alive_through_the_base(network, input_scaling, images):
    """Keras's own initialisation leaves VGG16's features a spread of 8e-5, and ResNet50's would grow 256-fold."""
    model = small(network, enlarge_to=64, input_scaling=input_scaling)
    depths = [layer for layer in model.layers if layer.name.endswith(("_conv1", "_out"))] + [
        model.get_layer("features")
    ]
    for values in keras.Model(model.input, [layer.output for layer in depths])(images):
        assert 0.1 < np.std(values) < 10
    assert np.std(values, axis=0).mean() > 0.01  # the galaxies can still be told apart


@by_network
def test_the_same_seed_gives_the_same_base(network):
    one, two, other = (small(network, seed=seed).get_weights()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


@by_network
def test_a_saved_model_predicts_exactly_the_same(network, images, tmp_path):
    model = small(network, input_scaling="imagenet")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    predicted = np.array(model(images))
    np.testing.assert_array_equal(loaded(images), predicted)
    assert predicted.shape == (16, 37)
    assert predicted.dtype == np.float32


def test_batch_normalisation_keeps_to_its_stored_statistics_while_the_head_trains(images, tmp_path):
    base = applications_base("resnet50")
    base.save_weights(tmp_path / "base.weights.h5")
    model = small("resnet50", initial_weights=str(tmp_path / "base.weights.h5"))
    normalisations = [layer for layer in model.layers if layer.name.endswith("_bn")]
    before = [layer.get_weights() for layer in normalisations]
    model.compile("adam", "mse", run_eagerly=True)
    model.train_on_batch(images, np.zeros((16, 37)))
    for layer, known in zip(normalisations, before, strict=True):
        for one, two in zip(layer.get_weights(), known, strict=True):
            np.testing.assert_array_equal(one, two)


@by_network
def test_weights_come_from_a_file(network, images, tmp_path):
    base = applications_base(network)
    path = tmp_path / "brought.weights.h5"
    base.save_weights(path)
    arguments, words = find_weights(network, "brought.weights.h5", required=True, home=tmp_path)
    assert words == "brought.weights.h5"
    model = small(network, **arguments)
    seen = keras.Model(model.input, [model.get_layer("enlarge").output, model.get_layer("features").input])
    enlarged, feature_map = seen(images)
    np.testing.assert_allclose(feature_map, base(enlarged), rtol=1e-4, atol=1e-5)


def test_a_file_that_is_missing_or_does_not_fit_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no weights file .*none\.weights\.h5"):
        find_weights("vgg16", "none.weights.h5", required=False, home=tmp_path)
    other = tmp_path / "resnet.weights.h5"
    applications_base("resnet50").save_weights(other)
    with pytest.raises(ValueError, match=r"resnet\.weights\.h5 does not fit.*VGG16 without its top"):
        small("vgg16", initial_weights=str(other))
    with pytest.raises(ValueError, match=r"\(block1_conv1 needs the shapes 3x3x3x64, 64; in the file: not there\)"):
        small("vgg16", initial_weights=str(other))
    part = applications_base("vgg16")
    keras.Model(part.input, part.get_layer("block3_pool").output).save_weights(tmp_path / "part.weights.h5")
    with pytest.raises(ValueError, match=r"part\.weights\.h5 does not fit"):
        small("vgg16", initial_weights=str(tmp_path / "part.weights.h5"))
    with pytest.raises(ValueError, match=r"\(block4_conv1 needs the shapes 3x3x256x512, 512; in the file: not there\)"):
        small("vgg16", initial_weights=str(tmp_path / "part.weights.h5"))
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=r"damaged\.h5 does not fit"):
        small("vgg16", initial_weights=str(damaged))


def slim_vgg16(path, renamed=None):
    """Writes the weights of a quarter of VGG16's filters, of which one layer may have another name."""
    images = keras.Input((32, 32, 3))
    text = keras.Model(images, bases.convolutions("vgg16", images, 0.25)).to_json()
    keras.models.model_from_json(text.replace(f'"{renamed}"', '"a_layer_of_theirs"')).save_weights(path)


def test_a_file_of_another_architecture_is_refused_by_name_and_shape(tmp_path, monkeypatch):
    """The faults: layers of other names were taken in their order; another shape was told in Keras's words alone."""
    other = tmp_path / "other.weights.h5"
    slim_vgg16(other, renamed="block4_conv3")
    with pytest.raises(
        ValueError, match=r"other.weights.h5 does not fit.*block4_conv3 needs .*; in the file: not there"
    ):
        small("vgg16", initial_weights=str(other), width=0.25)
    with monkeypatch.context() as patch:
        patch.setattr(bases, "VGG16_BLOCKS", ((2, 64), (2, 128), (3, 256), (3, 384), (3, 512)))
        slim_vgg16(other)
    words = r"block4_conv1 needs the shapes 3x3x64x128, 128; in the file: 3x3x64x96, 96"
    with pytest.raises(ValueError, match=words):
        small("vgg16", initial_weights=str(other), width=0.25)
    slim_vgg16(other)
    small("vgg16", initial_weights=str(other), width=0.25)


FAILURES = [
    urllib.error.URLError("Name or service not known"),
    urllib.error.HTTPError("https://storage", 403, "Forbidden", None, None),
    TimeoutError("timed out"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@by_network
def test_without_imagenet_weights_small_profiles_go_on_and_large_ones_say_what_to_bring(
    network, failure, monkeypatch, tmp_path, capsys
):
    """The failures are those that Keras meets at the network; its cache is empty."""

    def fail(*_):
        raise failure

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    monkeypatch.setattr(pretrained, "BASES", {network: absent_from_the_cache(network)})
    monkeypatch.setattr(pretrained, "TRAINED", tmp_path)  # nothing came with the kit
    assert find_weights(network, None, required=False)[1] == "random initial weights"
    for arguments in ({"wanted": None, "required": True}, {"wanted": "imagenet", "required": False}):
        with pytest.raises(ValueError, match=r"could not be downloaded \(.*notop\.absent.* put it into .*models"):
            find_weights(network, **arguments)
    assert capsys.readouterr().out == ""


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch):
    """The kernel takes the connection, and nobody ever reads what was asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        base = replace(absent_from_the_cache("vgg16"), url=f"http://127.0.0.1:{server.getsockname()[1]}/")
        monkeypatch.setattr(pretrained, "BASES", {"vgg16": base})
        monkeypatch.setattr(pretrained, "DOWNLOAD_TIMEOUT", 0.2)
        with pytest.raises(ValueError, match=r"could not be downloaded \(.*timed out"):
            pretrained.imagenet_file("vgg16")
    assert socket.getdefaulttimeout() is None


def absent_from_the_cache(network):
    base = pretrained.BASES[network]
    return replace(base, file=base.file.replace(".h5", ".absent"))


def test_imagenet_weights_come_through_kerass_own_download(monkeypatch, images, tmp_path):
    """Name, address and checksum are those that keras.applications asks for."""
    asked = {}

    def record(name):
        def get_file(fname, origin, cache_subdir, file_hash):
            asked[name] = (fname, origin, cache_subdir, file_hash)
            return str(tmp_path / "vgg16.weights.h5")

        return get_file

    applications_base("vgg16").save_weights(tmp_path / "vgg16.weights.h5")
    monkeypatch.setattr("keras.utils.get_file", record("here"))
    arguments, words = find_weights("vgg16", None, required=True)
    assert words == "ImageNet"
    model = small("vgg16", **arguments)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", record("there"))
    theirs = keras.applications.VGG16(include_top=False, weights="imagenet", input_shape=(32, 32, 3))
    assert asked["here"] == asked["there"]
    kernel = model.get_layer("block5_conv3").get_weights()[0]
    np.testing.assert_array_equal(kernel, theirs.get_layer("block5_conv3").get_weights()[0])


@pytest.mark.parametrize("wrong", [{"enlarge_to": 16}, {"input_scaling": "caffe"}])
def test_arguments_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        small("vgg16", **wrong)


@pytest.mark.parametrize("network", ["vgg16", "resnet50"])
def test_the_kits_base_is_not_asked_about_the_galaxies_that_it_has_learned_from(network):
    pretrained.refuse_its_own_galaxies(network, seed=0)
    with pytest.raises(ValueError, match=r"SEED = 2013 draws the galaxies that the kit's .* learned from"):
        pretrained.refuse_its_own_galaxies(network, seed=2013)


def test_a_damaged_header_of_a_weights_file_ends_in_words(tmp_path, monkeypatch):
    path = tmp_path / "a.weights.h5"
    path.write_bytes(pretrained.shipped_file("vgg16").read_bytes())

    def fails(*_):
        raise RuntimeError("Can't iterate over symbol table")  # as h5py does after one flipped bit

    monkeypatch.setattr("h5py.Group.visititems", fails)
    with pytest.raises(ValueError, match="does not fit"):
        small("vgg16", initial_weights=str(path), width=0.25)
