"""Views by one look-up: the winner's random ones in training, and any list of them averaged over."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gzutils.learning import views
from gzutils.learning.augmentation import COLOUR, RandomView
from gzutils.learning.predict import predict, predict_turned
from gzutils.learning.views import SIXTY, Seen, SeenFrom, averaged, predict_views
from gzutils.models.look_up import look_up, similarity


def noise(count=3, side=49, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def smooth(side=49):
    y, x = np.mgrid[:side, :side]
    image = 230 * np.exp(-((x - 20) ** 2 + 2 * (y - 28) ** 2) / 120)
    return np.stack([image, image[::-1], image.T], axis=-1).astype(np.uint8)


def model_of(side=49):
    """A network whose answers hang on where in the picture something lies."""
    keras.utils.set_random_seed(0)
    images = keras.Input((side, side, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(images)
    x = keras.layers.AveragePooling2D(7)(x)
    return keras.Model(images, keras.layers.Dense(37, activation="sigmoid")(keras.layers.Flatten()(x)))


def test_several_views_of_an_image_of_another_side_are_those_one_by_one():
    """The fault: views of one image taken from the next."""
    images, rng = noise(2), np.random.default_rng(0)
    matrices = rng.normal(size=(2, 3, 6)).astype("float32") * [1, 1, 20, 1, 1, 20]
    matrices = matrices.astype("float32")
    together = np.asarray(look_up(images, matrices, 21))
    assert together.shape == (2, 3, 21, 21, 3)
    for number in range(3):
        np.testing.assert_array_equal(together[:, number], np.asarray(look_up(images, matrices[:, number], 21)))


@given(
    st.floats(-7, 7), st.floats(0.3, 3), st.sampled_from([1, -1]), st.lists(st.floats(-99, 99), min_size=4, max_size=4)
)
def test_a_similarity_puts_one_point_onto_the_other_and_keeps_right_angles(angle, scale, mirrored, points):
    """Its x and its y. The fault: one taken for the other, which nobody sees where both are the picture's middle."""
    start, end = points[:2], points[2:]
    columns = similarity(scale * np.cos(angle), scale * np.sin(angle), mirrored, start, end)
    matrix = np.reshape(columns, (2, 3))
    np.testing.assert_allclose(matrix[:, :2] @ start + matrix[:, 2], end, atol=1e-9)
    np.testing.assert_allclose(matrix[:, :2] @ matrix[:, :2].T, scale**2 * np.eye(2), atol=1e-9)
    assert np.sign(np.linalg.det(matrix[:, :2])) == mirrored


# ---- random views


def matrices_of(count=4000, side=99, **settings):
    drawn = RandomView(seed=4, **settings).draw_matrices(count, side)
    return np.asarray(drawn, np.float64).reshape(count, 2, 3)


def test_the_draws_are_the_winners():
    """Any turn, half mirrored, one zoom for both axes, log-uniform; 4 of the 424 pixels of shift in the kit's view."""
    matrices = matrices_of()
    scale = np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2])))
    np.testing.assert_allclose(
        matrices[:, :, :2] @ matrices[:, :, :2].transpose(0, 2, 1),
        scale[:, None, None] ** 2 * np.eye(2),
        atol=1e-5,
    )
    logs = np.log(scale) / np.log(1.3)
    assert np.abs(logs).max() <= 1 + 1e-5
    assert np.histogram(logs, 4)[0] == pytest.approx(np.full(4, 1000), rel=0.12)
    assert 0.47 < (np.linalg.det(matrices[:, :, :2]) < 0).mean() < 0.53
    angle = np.degrees(np.arctan2(-matrices[:, 0, 1], matrices[:, 1, 1]))
    assert np.histogram(angle, 8, (-180, 180))[0] == pytest.approx(np.full(8, 500), rel=0.2)
    shift = matrices[:, :, :2] @ [49, 49] + matrices[:, :, 2] - 49
    assert 0.98 < np.abs(shift).max() / (4 * 99 / 296) <= 1 + 1e-4


def test_without_any_draw_but_the_turn_the_centre_stays():
    matrices = matrices_of(50, zoom=1.0, shift=0.0)
    np.testing.assert_allclose(matrices[:, :, :2] @ [49, 49] + matrices[:, :, 2], 49, atol=1e-4)


def test_the_colours_change_together_by_one_factor_an_image():
    grey = np.full((400, 9, 9, 3), 128, np.uint8)
    changed = np.asarray(RandomView(colour=20.0, seed=1)(grey, training=True)).astype(int) - 128
    assert (changed == changed[:, :1, :1]).all(), "one change for all pixels of an image"
    of_images = changed[:, 0, 0]
    within = np.abs(of_images).max(axis=1) < 120  # the others were clipped
    factor = of_images[within] / (255 * np.array(COLOUR))
    np.testing.assert_allclose(factor, factor[:, :1].repeat(3, axis=1), atol=0.4)
    plain = np.asarray(RandomView(colour=0.5, seed=1)(grey, training=True)).astype(int) - 128
    assert plain.std(axis=0)[0, 0] == pytest.approx(255 * 0.5 * np.abs(COLOUR), rel=0.2)


def test_a_random_view_is_the_image_outside_training_and_comes_back_from_its_configuration():
    layer = RandomView(zoom=1.2, shift=0.1, colour=0.1, seed=4)
    np.testing.assert_array_equal(layer(noise()), noise())
    assert RandomView.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer(noise(), training=True).shape == (3, 49, 49, 3)
    np.testing.assert_array_equal(
        RandomView(seed=2)(noise(), training=True), RandomView(seed=2)(noise(), training=True)
    )


@pytest.mark.parametrize("wrong", [{"zoom": 0.9}, {"shift": -1}, {"colour": -0.1}])
def test_ranges_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RandomView(**wrong)


# ---- evaluation over views


def test_there_are_the_winners_60_views():
    assert len(set(SIXTY)) == len(SIXTY) == 60
    assert {view.zoom for view in SIXTY} == {1 / 1.2, 1.0, 1.2}
    assert sorted({view.degrees for view in SIXTY}) == list(range(0, 360, 36))


@pytest.mark.parametrize("view", [Seen(30), Seen(200, 1.2), Seen(77, 1 / 1.2), Seen(0, 1.2, True), Seen(120, 1, True)])
def test_a_view_is_what_pillow_makes_of_the_picture(view):
    """The fault: turned the wrong way, shrunk in place of enlarged, mirrored along the other axis."""
    picture = smooth()
    turned = Image.fromarray(picture).rotate(view.degrees, Image.Resampling.BILINEAR)
    side, middle = 49, 24.5
    half = middle / view.zoom
    corners = (middle - half, middle - half, middle + half, middle + half)
    seen = turned.transform((side, side), Image.Transform.EXTENT, corners, Image.Resampling.BILINEAR)
    if view.mirrored:
        seen = seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    found = np.asarray(SeenFrom([view])(picture[None]))[0].astype(int)
    inside = slice(14, -14)  # Pillow fills the corners with black
    assert np.abs(found - np.asarray(seen).astype(int))[inside, inside].max() <= 5
    assert np.abs(found - picture.astype(int))[inside, inside].max() > 10


def test_quarter_turns_and_mirrors_are_exact_and_give_what_the_eight_views_give():
    eight = [Seen(float(90 * quarter), 1.0, mirrored) for mirrored in (False, True) for quarter in range(4)]
    images, rows, model = noise(5), np.array([3, 0, 4]), model_of()
    seen = np.asarray(SeenFrom(eight)(images[:1]))
    assert {view.tobytes() for view in seen} == {
        np.ascontiguousarray(np.rot90(one, quarter)).tobytes()
        for one in (images[0], images[0][:, ::-1])
        for quarter in range(4)
    }
    np.testing.assert_allclose(
        predict_views(model, images, rows, eight), predict_turned(model, images, rows), atol=1e-6
    )


def test_the_mean_over_views_is_the_mean_of_the_answers_to_each_in_the_order_of_the_rows():
    images, rows, model = noise(6), np.array([5, 1, 2, 0]), model_of()
    several = [Seen(), Seen(40.0), Seen(10.0, 1.2, True)]
    by_hand = [predict(model, np.asarray(SeenFrom([view])(images)), rows) for view in several]
    for batch_size in (1, 6, 128):
        mean = predict_views(model, images, rows, several, batch_size)
        np.testing.assert_allclose(mean, np.mean(by_hand, axis=0), atol=1e-6)
    np.testing.assert_allclose(
        averaged(model, [Seen()]).predict(images, verbose=0), predict(model, images, np.arange(6))
    )


def test_no_more_pictures_meet_the_model_at_once_than_a_batch_holds_their_views_counted(monkeypatch):
    """The fault: 128 galaxies at once, each in 60 views, which no small device has the memory for."""
    batches, sizes = views.Batches, []
    monkeypatch.setattr(views, "Batches", lambda *given: (sizes.append(given[2]), batches(*given))[1])
    model = model_of()
    for batch_size in (128, 6, 1):
        predict_views(model, noise(), np.arange(3), [Seen(), Seen(40.0), Seen(90.0)], batch_size)
    assert sizes == [42, 2, 1]


def test_no_views_and_a_zoom_of_nothing_are_refused():
    for wrong in ([], [Seen(0.0, 0.0)]):
        with pytest.raises(ValueError, match="the views are"):
            views.view_matrices(wrong, 49)


def test_a_model_that_averages_can_be_saved(tmp_path):
    model = averaged(model_of(), [Seen(), Seen(50.0)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(noise(), verbose=0), model.predict(noise(), verbose=0))
