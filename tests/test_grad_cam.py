"""Heat maps: against finite differences and by hand, for every network; and the tests of whether to believe them."""

import keras
import numpy as np
import pytest
from keras import layers

from gzutils.data.jpegs import preprocess
from gzutils.data.simulation import survey
from gzutils.decision_tree import QUESTIONS
from gzutils.learning import grad_cam
from gzutils.models import saved
from gzutils.models.parallel_cnn import parallel_cnn
from gzutils.models.pretrained import resnet50, vgg16
from gzutils.models.vision_transformer import attention_scores, vision_transformer


def galaxies(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def tiny():
    """Two convolutions down to maps of 5 x 6, then tanh and sigmoid: smooth, so that differences are derivatives."""
    keras.utils.set_random_seed(1)
    images = keras.Input((64, 64, 3), dtype="uint8")
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(4, (14, 12), strides=(12, 10), activation="relu", name="first")(x)
    x = layers.Conv2D(3, 1, activation="relu", name="last")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(7, activation="tanh", name="hidden")(x)
    return keras.Model(images, layers.Dense(37, activation="sigmoid", dtype="float32", name="answers")(x), name="tiny")


def in_numpy(model, maps):
    """The tiny network's head in float64, written anew: maps (N, h, w, C) -> (N, 37)."""
    kernel, bias, last_kernel, last_bias = (
        w.astype(np.float64) for name in ("hidden", "answers") for w in model.get_layer(name).get_weights()
    )
    hidden = np.tanh(maps.reshape(len(maps), -1) @ kernel + bias)
    return 1 / (1 + np.exp(-hidden @ last_kernel - last_bias))


def test_a_heat_map_is_what_finite_differences_give(tiny):
    images = galaxies(3)
    found = grad_cam.heat_maps(tiny, images)
    maps = np.asarray(keras.Model(tiny.input, tiny.get_layer("last").output)(images), np.float64)
    probabilities = in_numpy(tiny, maps)
    np.testing.assert_allclose(tiny.predict(images, verbose=0), probabilities, atol=1e-6)
    assert found.shape == (3, 11, *maps.shape[1:3])
    assert found.dtype == np.float32
    step = 1e-5
    slopes = np.empty((*maps.shape, 37))
    for place in np.ndindex(*maps.shape[1:]):
        change = np.zeros_like(maps)
        change[(slice(None), *place)] = step
        slopes[(slice(None), *place)] = (in_numpy(tiny, maps + change) - in_numpy(tiny, maps - change)) / (2 * step)
    for galaxy in range(3):
        for number, question in enumerate(QUESTIONS):
            answer = question.slice.start + probabilities[galaxy, question.slice].argmax()
            weights = slopes[galaxy, ..., answer].mean(axis=(0, 1))
            expected = np.maximum((weights * maps[galaxy]).sum(axis=-1), 0)
            expected /= expected.max() or 1
            np.testing.assert_allclose(found[galaxy, number], expected, atol=1e-4)
    assert (found.max(axis=(2, 3)) == 1).mean() > 0.5


def small_models():
    keras.utils.set_random_seed(0)
    yield parallel_cnn(width=0.125), "joint_conv_3", 7
    yield vgg16(enlarge_to=32, units=16, initial_weights="random"), "block5_conv3", 2
    yield resnet50(enlarge_to=64, units=16, initial_weights="random"), "conv5_block3_out", 2  # 1 would be 0 or 1


def test_every_convolutional_network_is_explained_and_a_batch_is_as_one_by_one():
    """The changes of the code that fail here: all maps but the first are empty; a map is 1 wherever it has heat."""
    images = galaxies(5)
    for model, layer, side in small_models():
        assert grad_cam.last_feature_map(model) == layer
        weights = model.get_weights()
        together = grad_cam.heat_maps(model, images, batch_size=2)
        assert together.shape == (5, 11, side, side)
        assert set(np.unique(together.max(axis=(2, 3)))) <= {0, 1}
        assert together.any(axis=(2, 3)).mean() > 0.5
        assert ((together > 0) & (together < 1)).any(axis=(2, 3)).mean() > 0.5
        one_by_one = np.concatenate([grad_cam.heat_maps(model, images[i : i + 1]) for i in range(5)])
        np.testing.assert_allclose(together, one_by_one, atol=1e-3)
        for before, after in zip(weights, model.get_weights(), strict=True):
            np.testing.assert_array_equal(before, after)


def test_the_score_before_the_sigmoid_gives_the_same_maps(tiny):
    images = galaxies(2)
    without = keras.models.clone_model(tiny)
    without.set_weights(tiny.get_weights())
    without.get_layer("answers").activation = keras.activations.linear
    np.testing.assert_allclose(
        grad_cam.heat_maps(without, images, [0, 20]), grad_cam.heat_maps(tiny, images, [0, 20]), atol=1e-5
    )


def test_answers_can_be_named_for_all_galaxies_or_for_each(tiny):
    images = galaxies(2)
    chosen = grad_cam.most_probable_answers(tiny.predict(images, verbose=0))
    np.testing.assert_array_equal(grad_cam.heat_maps(tiny, images, chosen), grad_cam.heat_maps(tiny, images))
    both = grad_cam.heat_maps(tiny, images, [3, 36])
    np.testing.assert_allclose(both[:, 1:], grad_cam.heat_maps(tiny, images, [36]), atol=1e-6)
    np.testing.assert_allclose(both[:1], grad_cam.heat_maps(tiny, images[:1], [3, 36]), atol=1e-6)
    assert grad_cam.heat_maps(tiny, images[:0]).shape[:2] == (0, 11)


def test_the_most_probable_answer_is_one_of_its_question():
    probabilities = np.zeros((2, 37))
    probabilities[0, [1, 4, 36]] = 0.9, 0.1, 0.01
    answers = grad_cam.most_probable_answers(probabilities)
    assert answers.shape == (2, 11)
    assert answers[0].tolist() == [1, 4, 5, 7, 9, 13, 15, 18, 25, 28, 36]


def test_another_layer_can_be_explained(tiny):
    assert grad_cam.heat_maps(tiny, galaxies(1), layer="first").shape == (1, 11, 5, 6)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_map_that_is_zero_everywhere_stays_zero():
    keras.utils.set_random_seed(0)
    model = parallel_cnn(width=0.125)
    kernel, bias = model.get_layer("joint_conv_3").get_weights()
    model.get_layer("joint_conv_3").set_weights([kernel * 0, bias * 0 - 1])
    assert not grad_cam.heat_maps(model, galaxies(2)).any()
    maps = np.stack([np.zeros((2, 2)), np.full((2, 2), 1e-30)])
    assert grad_cam.normalised(maps).tolist() == [[[0, 0], [0, 0]], [[1, 1], [1, 1]]]


def test_what_cannot_be_explained_is_said(tiny):
    images = galaxies(1)
    with pytest.raises(
        ValueError, match="no convolution for Grad-CAM; for a Vision Transformer take attention_rollout"
    ):
        grad_cam.heat_maps(vision_transformer(depth=1), images)
    with pytest.raises(ValueError, match="no attention"):
        grad_cam.attention_rollout(tiny, images)
    with pytest.raises(ValueError, match="'tiny' has no layer 'middle'"):
        grad_cam.heat_maps(tiny, images, layer="middle")
    with pytest.raises(ValueError, match="not feature maps"):
        grad_cam.heat_maps(tiny, images, layer="hidden")
    with pytest.raises(ValueError, match="past 'broad_conv_1'; choose a later layer"):
        grad_cam.heat_maps(parallel_cnn(width=0.125), images, layer="broad_conv_1")
    for wrong in (-1, 37):
        with pytest.raises(ValueError, match="columns 0 to 36"):
            grad_cam.heat_maps(tiny, images, [wrong])


def test_the_rollout_of_one_block_is_half_its_attention():
    keras.utils.set_random_seed(0)
    images = galaxies(2)
    model = vision_transformer(depth=1, patch_size=16)
    attention = attention_scores(model, images)[0].mean(axis=1)[:, 0, 1:]
    rollout = grad_cam.attention_rollout(model, images)
    np.testing.assert_allclose(rollout.reshape(2, -1), attention / attention.max(axis=1, keepdims=True), rtol=1e-5)
    deep = vision_transformer(depth=3, patch_size=16)
    matrices = attention_scores(deep, images).mean(axis=2) / 2 + np.eye(17) / 2
    by_hand = np.stack([(c @ b @ a)[0, 1:] for a, b, c in matrices.transpose(1, 0, 2, 3)])
    np.testing.assert_allclose(
        grad_cam.attention_rollout(deep, images).reshape(2, -1),
        by_hand / by_hand.max(axis=1, keepdims=True),
        rtol=1e-5,
    )


def test_enlarging_keeps_place_and_height():
    maps = np.zeros((2, 3, 4, 4), np.float32)
    maps[1, 2, 0, 3] = 1
    large = grad_cam.enlarge(maps)
    assert large.shape == (2, 3, 64, 64)
    row, column = np.unravel_index(large[1, 2].argmax(), (64, 64))
    assert row < 16
    assert column >= 48
    assert not large[0].any()


def test_a_true_region_lies_on_the_galaxys_part():
    """The brightest pixels of an undisturbed disk seen from the side lie along its position angle."""
    for number in range(300):
        galaxy, _, _ = survey.simulate(0, number)
        if galaxy.kind == "disk" and galaxy.inclination > 80 and galaxy.companion == galaxy.disturbance == 0:
            break
    region = survey.true_region(0, survey.FIRST_ID + number, "disk")
    y, x = np.argwhere(region).T - 31.5
    pixels = 64 / 210  # of the small picture in one of the large
    assert abs(x.mean() - galaxy.offset_x * pixels) < 1.5
    assert abs(y.mean() - galaxy.offset_y * pixels) < 1.5
    direction = np.linalg.eigh(np.cov(x, y))[1][:, 1]
    along = abs(direction @ [np.cos(galaxy.position_angle), np.sin(galaxy.position_angle)])
    assert along > 0.95
    assert 0.005 < region.mean() < 0.2
    # ... and in the picture itself it is brighter than elsewhere.
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(survey.image_of(galaxy, 0, number)).save(file, "JPEG")
    picture = preprocess(file.getvalue()).mean(axis=-1)
    assert picture[region].mean() > 2 * picture[~region].mean()
    assert not survey.true_region(0, survey.FIRST_ID + number, "ring").any() or galaxy.ring_strength > 0


def test_heat_on_the_own_region_is_told_from_chance():
    rng = np.random.default_rng(0)
    regions = np.zeros((40, 64, 64), bool)
    for region in regions:
        row, column = rng.integers(0, 56, 2)
        region[row : row + 8, column : column + 8] = True
    seeing = grad_cam.heat_in_regions(regions + 0.1, regions)
    np.testing.assert_allclose(np.diag(seeing), 64 * 1.1 / (64 + 409.6))
    found = grad_cam.against_chance(regions + 0.1, regions)
    assert found["maps"] == 40
    assert found["own"] == pytest.approx(np.diag(seeing).mean())
    assert found["area"] == 64 / 4096
    assert found["own / area"] == pytest.approx((found["own"] * 64,) * 3)  # alike for all, so the interval is narrow
    assert found["own / others"][1] > 2
    ratio, low, high = grad_cam.against_chance(rng.random((40, 64, 64)), regions)["own / others"]
    assert low < 1 < high
    assert ratio == pytest.approx(1, abs=0.05)


def test_an_ideal_map_is_as_coarse_as_the_feature_map_and_lies_on_the_region():
    regions = np.zeros((2, 64, 64), bool)
    regions[0, :32, 32:] = regions[1, 20:24, 20:24] = True
    ideal = grad_cam.ideal_maps(regions, (4, 4))
    expected = np.zeros((4, 4), np.float32)
    expected[:2, 2:] = 1
    np.testing.assert_allclose(ideal[0], grad_cam.enlarge(expected[None])[0], atol=1e-6)
    row, column = np.unravel_index(ideal[1].argmax(), (64, 64))
    assert 16 <= row < 32
    assert 16 <= column < 32
    assert grad_cam.ideal_maps(regions[:0], (4, 4)).shape == (0, 64, 64)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_maps_without_heat_are_left_out_and_counted():
    regions = np.zeros((3, 64, 64), bool)
    regions[0, :32] = regions[1, 32:] = regions[2, :, :32] = True
    maps = regions.astype(float)
    maps[2] = 0
    result = grad_cam.against_chance(maps, regions)
    assert result["maps"] == 2
    assert result["own"] == 1
    assert result["others"] == pytest.approx(0.25)  # none in each other's half, half in the third's
    nothing = grad_cam.against_chance(maps * 0, regions)
    assert nothing["maps"] == 0
    assert np.isnan(nothing["own / others"]).all()
    assert grad_cam.against_chance(maps[:0], regions[:0])["maps"] == 0


def test_layers_are_randomised_from_the_answers_down_and_the_model_is_left_alone(tiny):
    before = [w.copy() for w in tiny.get_weights()]
    images = galaxies(2)
    original = grad_cam.heat_maps(tiny, images)
    names, changed = [], []
    for name, copy in grad_cam.randomised(tiny, seed=3):
        names.append(name)
        changed.append(
            [
                layer.name
                for layer in tiny.layers
                if layer.get_weights()
                and not np.array_equal(layer.get_weights()[0], copy.get_layer(layer.name).get_weights()[0])
            ]
        )
    assert names == ["answers", "hidden", "last", "first"]
    assert [len(layers) for layers in changed] == [1, 2, 3, 4]
    for one, other in zip(before, tiny.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(grad_cam.heat_maps(tiny, images), original)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_rank_correlation_is_spearmans():
    first = np.array([[[1, 2], [3, 4]], [[1, 2], [3, 4]], [[0, 0], [5, 9]], [[0, 0], [0, 0]]], float)
    second = np.array([[[1, 4], [9, 16]], [[4, 3], [2, 1]], [[1, 2], [3, 4]], [[1, 2], [3, 4]]], float)
    found = grad_cam.rank_correlation(first, second)
    # Ranks 1.5, 1.5, 3, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
    np.testing.assert_allclose(found, [1, -1, 4.5 / np.sqrt(4.5 * 5), 0])


def own_model(kind):
    """A reader's model of a kind that is not the kit's: 64x64 pixels in, 37 shares out."""
    images = keras.Input((64, 64, 3), dtype="uint8")
    x = pixels = layers.Rescaling(1 / 255)(images)
    if kind == "MobileNetV2 as a layer":
        x = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(64, 64, 3), alpha=0.35)(x)
    elif kind == "separable":
        x = layers.SeparableConv2D(4, 3, strides=4)(x)
    elif kind == "depthwise":
        x = layers.DepthwiseConv2D(3, strides=4)(x)
    elif kind == "past the map":
        x = layers.Concatenate()([layers.Flatten()(layers.Conv2D(4, 8, strides=8)(x)), layers.Flatten()(pixels)])
    elif kind == "rows":
        x = layers.Conv1D(4, 3)(layers.Reshape((64, 192))(x))
    elif kind == "other attention":
        rows = layers.Reshape((64, 192))(x)
        x = layers.MultiHeadAttention(2, 8)(rows, rows)
    return keras.Model(images, layers.Dense(37, activation="sigmoid")(layers.Flatten()(x)))


OWN = {"MobileNetV2 as a layer": True, "separable": True, "depthwise": True}
OWN |= {"past the map": False, "rows": False, "other attention": False, "dense": False}


@pytest.mark.parametrize("kind", OWN)
def test_a_readers_own_model_has_heat_maps_or_a_sentence_says_why_not(kind):
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    model = own_model(kind)
    assert saved.fits(model, (64, 64, 3), 37)
    if OWN[kind]:
        assert grad_cam.where_it_looks(model, images).shape[:2] == (2, 11)
    else:
        with pytest.raises(ValueError, match=rf"^no heat map can be made of the model '{model.name}' \(.+\)$"):
            grad_cam.where_it_looks(model, images)


@pytest.mark.parametrize(
    ("input_shape", "answers", "right"),
    [
        ((64, 64, 3), 37, True),
        ((None, None, 3), 37, True),
        ((32, 32, 3), 37, False),
        ((64, 64, 1), 37, False),
        ((64, 64, 3), 36, False),
    ],
)
def test_a_model_fits_by_what_it_takes_and_gives(input_shape, answers, right):
    images = keras.Input(input_shape)
    model = keras.Model(images, layers.Dense(answers)(layers.GlobalAveragePooling2D()(images)))
    assert saved.fits(model, (64, 64, 3), 37) is right
    assert not saved.fits(keras.Model([images, keras.Input((1,))], model.output), (64, 64, 3), 37)


def test_every_network_says_where_it_looks_with_what_it_has():
    images = galaxies(2)
    transformer = vision_transformer(depth=1)
    assert np.array_equal(
        grad_cam.where_it_looks(transformer, images)[:, 0], grad_cam.attention_rollout(transformer, images)
    )
    convolutional = parallel_cnn(width=0.0625)
    assert np.array_equal(grad_cam.where_it_looks(convolutional, images), grad_cam.heat_maps(convolutional, images))


def a_base(size=64):
    """Convolutions and a residual block, as the networks of `keras.applications` are: the block's end has the maps."""
    images = keras.Input((size, size, 3))
    x = layers.Conv2D(4, 8, strides=8, activation="relu", name="one")(images)
    y = layers.Conv2D(4, 3, padding="same", name="two")(x)
    y = layers.Activation("relu", name="end")(layers.Add(name="sum")([x, y]))
    return keras.Model(images, layers.MaxPooling2D(2, name="smaller")(y), name="base")


def after(base, flat=False):
    """A network on a base: it stands in it as a layer, or (flat) its own tensors are taken on."""
    images = base.input if flat else keras.Input((64, 64, 3))
    x = layers.Flatten(name="values")(base.output if flat else base(images))
    return keras.Model(images, layers.Dense(37, activation="sigmoid", name="answers")(x))


def in_sequence(base):
    head = keras.Sequential([keras.Input((4, 4, 4)), layers.Flatten(), layers.Dense(37, activation="sigmoid")])
    model = keras.Sequential([keras.Input((64, 64, 3), dtype="uint8"), layers.Rescaling(1.0)])
    model.add(base)
    model.add(head)
    return model


@pytest.mark.parametrize(
    ("nest", "size"),
    [
        (after, 64),
        (in_sequence, None),
        (lambda base: keras.Sequential([keras.Input((64, 64, 3)), layers.Rescaling(1.0), after(base)]), 64),
        (lambda base: after(keras.Sequential([keras.Input((64, 64, 3)), base])), None),
        (lambda base: after(keras.Model(base.input, base(base.input))), None),
    ],
    ids=["as a layer", "in a sequence", "whole", "base in a sequence", "called before"],
)
def test_a_network_in_a_network_is_explained_as_if_it_were_flat(nest, size):
    keras.utils.set_random_seed(2)
    images = galaxies(3)
    model, flat = nest(a_base(size)), after(a_base(), flat=True)
    weights = [w / 255 if w.shape == (8, 8, 3, 4) else w for w in flat.get_weights()]
    for one in (model, flat):
        one.set_weights(weights)
    assert grad_cam.last_feature_map(model) == grad_cam.last_feature_map(flat) == "end"
    maps = grad_cam.where_it_looks(flat, images)
    assert maps.shape == (3, 11, 8, 8)
    assert maps.any(axis=(2, 3)).mean() > 0.5
    np.testing.assert_allclose(grad_cam.heat_maps(model, images), maps, atol=1e-5)
    np.testing.assert_allclose(grad_cam.where_it_looks(model, images), maps, atol=1e-5)
    expected = grad_cam.heat_maps(flat, images, [5], layer="smaller")
    np.testing.assert_allclose(grad_cam.heat_maps(model, images, [5], layer="smaller"), expected, atol=1e-5)
    with pytest.raises(ValueError, match="past 'two'; choose a later layer"):
        grad_cam.heat_maps(model, images, layer="two")
    assert [name for name, _ in grad_cam.randomised(model)][1:] == ["two", "one"]


def test_what_maps_of_different_galaxies_have_in_common_is_the_mean_where_both_have_heat():
    """Of three galaxies' maps of one question all alike, of another's one turned round and one without heat."""
    one = np.random.default_rng(0).random((5, 5)) + 0.1
    maps = np.zeros((3, 2, 5, 5))
    maps[:, 0] = one
    maps[:2, 1] = one, 2 - one
    assert grad_cam.unrelated_correlation(maps) == pytest.approx((1 + 1 + 1 - 1) / 4)
    assert np.isnan(grad_cam.unrelated_correlation(0 * maps))
