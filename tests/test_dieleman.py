"""The winner's network: its parts against Pillow, its size by hand, its outputs, and that its training can go on."""

import warnings

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gzutils import profiles
from gzutils.course import ideas
from gzutils.data.store import Examples, Split
from gzutils.data.view import WINNERS_VIEW
from gzutils.decision_tree import COLUMNS, QUESTIONS, constraint_residuals
from gzutils.learning import training
from gzutils.learning.augmentation import RandomView
from gzutils.learning.recipe import Recipe
from gzutils.models import dieleman as winner
from gzutils.models import saved
from gzutils.models.tree_head import RectifiedTree, shares_of_their_question
from gzutils.plots import winner as winner_plots

SMALL = profiles.get("smoke").plans["dieleman"].model
MEANS = np.concatenate([np.full(len(q.answers), 1 / len(q.answers)) for q in QUESTIONS])


def noise(count=3, side=99, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def smooth(count=2, side=99):
    y, x = np.mgrid[:side, :side]
    rng = np.random.default_rng(3)
    images = np.empty((count, side, side, 3))
    for image in images:
        for channel in range(3):
            centre_x, centre_y = rng.uniform(side / 3, 2 * side / 3, 2)
            image[..., channel] = 230 * np.exp(-((x - centre_x) ** 2 + 2 * (y - centre_y) ** 2) / 250)
    return images.astype(np.uint8)


def parts_of(pictures, window=69, part=45, parts=16):
    found = keras.ops.convert_to_numpy(winner.Parts(window, part, parts)(pictures.astype("float32")))
    return found.reshape(len(pictures), parts, *found.shape[1:])


def by_pillow(picture, degrees, mirrored, window=69, part=45):
    """Mirrored and turned about the middle, the central square cut from that, and its upper left corner from this."""
    # Pillow turns anticlockwise; what a view shows of a turned grid is the picture turned the other way.
    turned = Image.fromarray(picture).rotate(degrees, Image.Resampling.BILINEAR)
    if mirrored:
        turned = turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    margin = (len(picture) - window) // 2
    return np.asarray(turned.crop((margin, margin, margin + part, margin + part)))


@pytest.mark.parametrize(("side", "window", "part"), [(99, 69, 45), (49, 35, 23)])
def test_the_straight_parts_are_pillows_to_the_last_bit(side, window, part):
    """The fault: a square that begins on half a pixel, or a quarter turn whose cosine is not quite 0."""
    pictures = noise(side=side)
    for picture, parts in zip(pictures, parts_of(pictures, window, part), strict=True):
        for number in range(8):
            expected = by_pillow(picture, 90 * (number % 4), number >= 4, window, part)
            np.testing.assert_array_equal(parts[number], expected)


def test_the_turned_parts_are_pillows_to_one_level():
    """The fault: turned the wrong way, or about another point."""
    pictures = smooth()
    for picture, parts in zip(pictures, parts_of(pictures), strict=True):
        for number in range(8, 16):
            expected = by_pillow(picture, 45 + 90 * (number % 4), number >= 12).astype(float)
            assert np.abs(parts[number] - expected).max() <= 1.01  # Pillow cuts fractions off
            assert np.abs(parts[number] - by_pillow(picture, 45 + 90 * (number % 4), number < 12)).max() > 10


def test_all_parts_show_the_centre_in_the_same_corner():
    """The fault: a corner that is cut, but not turned."""
    picture = np.zeros((1, 99, 99, 3), np.uint8)
    picture[0, 49, 49] = 255
    for part in parts_of(picture)[0]:
        assert np.unravel_index(part[..., 0].argmax(), part.shape[:2]) == (34, 34)
        assert part[34, 34, 0] == pytest.approx(255, abs=0.1)


def test_the_sixteen_parts_are_all_different_and_hold_all_four_corners():
    parts = parts_of(noise(1))[0]
    assert len({part.tobytes() for part in parts}) == 16
    square = noise(1)[0, 15:84, 15:84]
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert any((part[0, 0] == square[row, column]).all() for part in parts[:4])


def test_the_whole_network_has_the_winners_parameters():
    """Counted by hand: kernels, a bias a place, two dense layers of pairs, 37 answers."""
    convolutions = 6 * 6 * 3 * 32 + 5 * 5 * 32 * 64 + 3 * 3 * 64 * 128 + 3 * 3 * 128 * 128
    biases = 40 * 40 * 32 + 16 * 16 * 64 + 6 * 6 * 128 + 4 * 4 * 128  # 45 - 5 = 40, 20 - 4, 8 - 2, 6 - 2
    dense = (16 * 2 * 2 * 128 + 1) * 4096 + (2048 + 1) * 4096 + (2048 + 1) * 37
    assert winner.dieleman().count_params() == convolutions + biases + dense == 42_377_125


def test_it_is_built_as_the_winners_code_says():
    model = winner.dieleman(units=64)  # fewer units, so that it is built in a moment
    shapes = [tuple(model.get_layer(f"conv_{number}").output.shape[1:]) for number in (1, 2, 3, 4)]
    assert shapes == [(40, 40, 32), (16, 16, 64), (6, 6, 128), (4, 4, 128)]
    assert model.get_layer("together").output.shape == (None, 16 * 2 * 2 * 128)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.5] * 3
    names = [layer.name for layer in model.layers]
    assert [names[names.index(f"dropout_{n}") + 1] for n in (1, 2, 3)] == ["dense_1", "dense_2", "numbers"]
    assert model.input_shape == (None, WINNERS_VIEW.side, WINNERS_VIEW.side, 3)
    assert model.get_layer("scale_to_0_1").scale == pytest.approx(1 / 255)


def test_all_parts_meet_the_same_stack_and_keep_their_places():
    """The fault: one picture's parts mixed with the next one's."""
    model = winner.dieleman(**SMALL)
    together = keras.Model(model.input, [model.get_layer("relu_3").output, model.get_layer("together").output])
    pictures = noise(3, 49)
    alone, rows = (keras.ops.convert_to_numpy(found) for found in together(pictures))
    np.testing.assert_array_equal(rows, alone.reshape(3, -1))
    one = keras.ops.convert_to_numpy(together(pictures[1:2])[1])
    np.testing.assert_allclose(one[0], rows[1], atol=1e-5)


def test_a_bias_of_its_own_for_every_place():
    layer = winner.UntiedBias(0.1)
    x = np.zeros((2, 4, 5, 3), np.float32)
    np.testing.assert_allclose(layer(x), np.full(x.shape, 0.1, np.float32))
    assert layer.bias.shape == (4, 5, 3)


@pytest.mark.parametrize("output", winner.OUTPUTS)
@pytest.mark.parametrize("parts", [1, 16])
def test_a_saved_network_predicts_by_itself_and_exactly_the_same(output, parts, tmp_path):
    model = winner.dieleman(**SMALL | {"output": output, "parts": parts})
    saved.write(tmp_path / "model.keras", model, "simulated")
    predicted = model.predict(noise(3, 49), verbose=0)
    assert (predicted.shape, predicted.dtype) == ((3, 37), np.float32)
    np.testing.assert_array_equal(saved.load(tmp_path / "model.keras").predict(noise(3, 49), verbose=0), predicted)


@pytest.mark.parametrize(("initial_weights", "biases"), [("small", (0.1, 0.01)), ("he", (0.0, 0.0))])
def test_it_starts_with_the_weights_and_biases_that_are_named(initial_weights, biases):
    """The faults: one recipe's deviations or biases with the other's name, or one layer's in another layer."""
    model = winner.dieleman(units=64, initial_weights=initial_weights)
    winners = {"conv_1": 0.01, "conv_2": 0.01, "conv_3": 0.01, "conv_4": 0.1, "dense_1": 0.001, "dense_2": 0.001}
    for name, deviation in winners.items():
        kernel = np.asarray(model.get_layer(name).kernel)
        expected = deviation if initial_weights == "small" else np.sqrt(2 / np.prod(kernel.shape[:-1]))
        assert kernel.std() == pytest.approx(expected, rel=0.05)
    assert np.asarray(model.get_layer("numbers").kernel).std() == pytest.approx(0.01, rel=0.05)
    for name, bias in [*((f"bias_{n}", biases[0]) for n in (1, 2, 3, 4)), *((f"dense_{n}", biases[1]) for n in (1, 2))]:
        np.testing.assert_allclose(np.asarray(model.get_layer(name).bias), bias, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(model.get_layer("numbers").bias), 0.1, rtol=1e-6)


@pytest.mark.parametrize("output", winner.OUTPUTS)
def test_it_starts_at_the_mean_answers(output):
    """The fault: cumulative shares taken for those of a question, or logits for shares."""
    means = np.asarray(RectifiedTree()(np.random.default_rng(1).random((1, 37)).astype("float32")))[0]
    model = winner.dieleman(**SMALL | {"output": output, "mean_answers": means.tolist()})
    last = keras.Model(model.get_layer("numbers").output, model.output)
    said = keras.ops.convert_to_numpy(last(keras.ops.convert_to_tensor(model.get_layer("numbers").bias)[None]))
    np.testing.assert_allclose(said[0], np.maximum(means, 0.0), atol=2e-3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"width": 0}, "width"),
        ({"width": -1}, "width"),
        ({"parts": 0}, "parts is 0"),
        ({"parts": 17}, "parts is 17"),
        ({"output": "tree"}, "rectified, softmax, sigmoid"),
        ({"initial_weights": "zero"}, "small, he"),
        ({"side": 98}, "side 98, window 69"),
        ({"part": 70}, "part 70"),
        ({"mean_answers": [0.5] * 36}, "37 shares"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        winner.dieleman(**wrong)


# ---- the rectified output


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([0.01, 1.0, 30.0]))
def test_the_rectified_output_keeps_all_identities_where_each_question_has_a_number_above_0(seed, scale):
    numbers = scale * np.random.default_rng(seed).normal(size=(6, 37))
    for question in QUESTIONS:
        numbers[:, question.slice.start] = np.abs(numbers[:, question.slice.start]) + 0.01 * scale
    said = np.asarray(RectifiedTree()(numbers.astype("float32")))
    assert np.abs(constraint_residuals(said)).max() <= 1e-6
    assert ((said >= 0) & (said <= 1 + 1e-6)).all()


def test_where_a_question_has_no_number_above_0_its_own_identity_fails_and_no_other():
    numbers = np.ones((1, 37), np.float32)
    numbers[:, QUESTIONS[6].slice] = -1
    said = np.asarray(RectifiedTree()(numbers))
    residuals = dict(zip((1, 6, 2, 7, 8, 9, 3, 4, 10, 5, 11), constraint_residuals(said)[0], strict=True))
    assert residuals.pop(7) == pytest.approx(-said[0, 0])
    assert np.abs(list(residuals.values())).max() <= 1e-6
    assert not np.asarray(RectifiedTree()(-numbers * 0 - 1)).any()


def test_the_shares_of_their_question_go_down_the_tree_to_what_they_were():
    means = np.asarray(RectifiedTree()(np.random.default_rng(2).random((1, 37)).astype("float32")))[0]
    own = shares_of_their_question(means)
    np.testing.assert_allclose(np.asarray(RectifiedTree()(own[None].astype("float32")))[0], means, atol=1e-6)
    assert not shares_of_their_question(np.zeros(len(COLUMNS))).any()


# ---- training


def few(count=12, side=49):
    labels = np.asarray(RectifiedTree()(np.random.default_rng(0).random((count, 37)).astype("float32")))
    rows = np.arange(count)
    return Examples(noise(count, side), labels, "few"), Split(rows[:8], rows[8:10], rows[10:])


def test_a_training_that_was_cut_off_ends_with_the_same_weights(tmp_path):
    """The winner's own optimizer and schedule, whose rate falls in between."""
    rates = profiles.WINNERS_RATES | {"config": {"boundaries": [3, 5], "values": [0.04, 0.004, 0.0004]}}
    recipe = Recipe(3, 3, batch_size=4, optimizer=profiles.nesterov(rates), augmentation=RandomView(seed=1))
    examples, split = few()

    def new():
        keras.utils.set_random_seed(0)
        return winner.dieleman(**SMALL | {"output": "rectified"})

    whole, cut = new(), new()
    training.train(whole, examples, split, recipe, tmp_path / "whole")

    def stop(history):
        if len(history) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(cut, examples, split, recipe, tmp_path / "cut", after_epoch=stop)
    again = new()
    training.train(again, examples, split, recipe, tmp_path / "cut")
    for one, other in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_report_profile_is_the_winners_schedule():
    """By examples seen: 18 and 23 of 25 million."""
    recipe = profiles.get("report").plans["dieleman"].recipe
    optimizer = recipe.made()["optimizer"]
    rate = keras.optimizers.schedules.deserialize(optimizer.get_config()["learning_rate"])
    at = {million: float(rate(round(million * 1e6 / recipe.batch_size))) for million in (1, 17.9, 18.1, 22.9, 23.1)}
    assert list(at.values()) == pytest.approx([0.04, 0.04, 0.004, 0.004, 0.0004])
    assert (optimizer.momentum, optimizer.nesterov, recipe.batch_size) == (0.9, True, 16)
    assert recipe.epochs * 39_409 == pytest.approx(25e6, rel=1e-3)


@pytest.mark.parametrize("name", ["smoke", "quick", "report", "full"])
def test_every_profile_builds_it_for_pictures_of_the_winners_crop(name):
    plan = profiles.get(name).plans["dieleman"]
    arguments = plan.model | {"units": 8, "width": 0.125}
    model = winner.dieleman(**arguments)
    window = model.get_layer("parts").window
    assert window * WINNERS_VIEW.crop / model.input_shape[1] == pytest.approx(207, abs=5)


def test_the_gains_are_those_of_the_ideas():
    rng = np.random.default_rng(0)
    labels = rng.random((50, 37))
    errors = {ideas.WHOLE: 0.1, ideas.SIGMOID: 0.2, ideas.ONE_VIEW: 0.3}
    predicted = {name: labels + error * rng.choice([-1, 1], labels.shape) for name, error in errors.items()}
    table = ideas.gains(predicted, labels + 0.05, labels)
    assert table["gain"].iloc[:3].tolist() == pytest.approx([0.2, 0.1, 0.05])
    assert table["low"].iloc[0] > 0
    together = np.mean(list(predicted.values()), axis=0)
    assert table["gain"].iloc[3] == pytest.approx(0.1 - np.sqrt(np.mean((together - labels) ** 2)))


# ---- what is drawn


def test_the_sixteen_parts_are_drawn_beside_the_picture_each_in_its_place():
    picture = smooth(1)[0]
    parts = parts_of(picture[None])[0].round().astype(np.uint8)
    left, *places = winner_plots.sixteen_parts(picture, parts, 69).axes
    np.testing.assert_array_equal(left.images[0].get_array(), picture)
    for axes, part in zip(places, parts, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), part)
    straight, turned = (np.array(line.get_data()) for line in left.lines)
    assert (straight.min(), straight.max()) == (14.5, 83.5)  # from the edge of pixel 15 to that of pixel 83
    assert turned.max() == pytest.approx(49 + 69 / np.sqrt(2))


def test_the_schedule_is_drawn_by_examples_seen():
    examples = np.array([0, 5_000_000, 25_000_000])
    figure = winner_plots.schedules({"a": (examples, [0.04, 0.004, 0.0004]), "b": (examples, [0, 1, 0])})
    first, second = figure.axes
    np.testing.assert_array_equal(first.lines[0].get_xdata(), examples / 1e6)
    assert first.get_xlabel() == "examples seen (millions)"
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    with warnings.catch_warnings(action="error"):  # the fault: a training of one step had no width
        winner_plots.schedules({"of one step": (np.array([0, 0]), [0.1, 0.1])})


def test_a_filters_row_has_one_scale_and_the_legend_says_how_far_answers_lie_apart():
    responses = np.random.default_rng(0).random((4, 5, 5, 2)).astype(np.float32)
    figure = winner_plots.what_the_stack_sees(noise(4, 23), responses, list("abcd"))
    limits = [axes.images[0].get_clim()[1] for axes in figure.axes[4:8]]
    assert limits == pytest.approx([responses[..., 0].max()] * 4)
    degrees = np.arange(3)
    figure = winner_plots.answers_of_turns(degrees, {"one": np.array([0.1, 0.4, 0.2])}, 0.3, "disk")
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert words == ["one: 0.300 apart", "the volunteers"]
