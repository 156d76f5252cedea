"""The random affine layer: what it does to pixels, held against Pillow, and that its draws keep to their ranges."""

import keras
import numpy as np
import pytest
from PIL import Image

from gzutils.learning.augmentation import RandomAffine, look_up


def smooth_images(count=4, size=64):
    """Broad, differently coloured blobs: interpolation differs little between implementations on such pictures."""
    y, x = np.mgrid[:size, :size]
    rng = np.random.default_rng(3)
    images = np.empty((count, size, size, 3))
    for image in images:
        for channel in range(3):
            centre_x, centre_y = rng.uniform(20, 44, 2)
            image[..., channel] = 230 * np.exp(-((x - centre_x) ** 2 + 2 * (y - centre_y) ** 2) / 250)
    return images.astype(np.uint8)


def test_nothing_changes_outside_training():
    images = smooth_images()
    assert np.array_equal(RandomAffine(seed=1)(images), images)


def test_the_identity_leaves_every_pixel_as_it_is():
    images = smooth_images()
    layer = RandomAffine(rotation=0, zoom=0, shift=0, seed=1)
    assert np.array_equal(layer(images, training=True), images)


def test_shape_and_dtype_stay():
    layer = RandomAffine(seed=1)
    for dtype in ("uint8", "float32"):
        moved = layer(smooth_images().astype(dtype), training=True)
        assert moved.shape == (4, 64, 64, 3)
        assert keras.backend.standardize_dtype(moved.dtype) == dtype


def test_it_moves_pixels_as_pillow_does():
    """Pillow's affine transform is an independent implementation; it counts pixel centres at half a pixel."""
    images = smooth_images()
    layer = RandomAffine(seed=5)
    matrices = keras.ops.convert_to_numpy(layer.draw_matrices(4, 64, 64))
    layer.seed_generator.state.assign(RandomAffine(seed=5).seed_generator.state)
    moved = np.asarray(layer(images, training=True)).astype(int)
    for image, result, (a0, a1, a2, b0, b1, b2) in zip(images, moved, matrices, strict=True):
        to_centres = (a0, a1, a2 + 0.5 - 0.5 * (a0 + a1), b0, b1, b2 + 0.5 - 0.5 * (b0 + b1))
        expected = Image.fromarray(image).transform(
            (64, 64), Image.Transform.AFFINE, to_centres, Image.Resampling.BILINEAR
        )
        difference = np.abs(np.asarray(expected).astype(int) - result)[10:-10, 10:-10]
        assert difference.max() <= 2
        assert np.abs(image.astype(int) - result).max() > 10  # it did move


@pytest.mark.parametrize("size", [(64, 64), (21, 48)])
def test_the_views_are_those_of_keras(size):
    """`keras.ops.image.affine_transform` takes eight numbers an image, the last two for perspective."""
    images = np.random.default_rng(1).integers(0, 256, (8, *size, 3), np.uint8)
    matrices = keras.ops.convert_to_numpy(RandomAffine(**STUDY, shear=20, flip=True, seed=3).draw_matrices(8, *size))
    expected = keras.ops.image.affine_transform(
        images.astype(np.float32), np.pad(matrices, ((0, 0), (0, 2))), interpolation="bilinear", fill_mode="nearest"
    )
    views = keras.ops.convert_to_numpy(look_up(images.astype(np.float32), matrices))
    np.testing.assert_allclose(views, expected, atol=0.02)
    whole = keras.ops.convert_to_numpy(look_up(images, matrices))
    np.testing.assert_allclose(whole, expected, atol=0.52)


STUDY = {"rotation": 360, "zoom": 0.2, "shift": 0.2}


def matrices_of(count=2000, **ranges):
    """(count, 2, 3) float64: (a0, a1, a2), (b0, b1, b2) of each transform."""
    drawn = RandomAffine(seed=4, **ranges).draw_matrices(count, 64, 64)
    return np.asarray(drawn, np.float64).reshape(count, 2, 3)


def test_shear_and_flip_leave_all_other_draws_as_they_are():
    """Taking the mirror and the slant off again gives the transform without them, from the same seed."""
    plain, both = matrices_of(**STUDY), matrices_of(**STUDY, shear=30, flip=True)
    mirrored = np.linalg.det(both[:, :, :2]) < 0
    both[mirrored, :, 0] *= -1
    between = both[:, :, :2] @ np.linalg.inv(plain[:, :, :2])  # zoom, shear, and back from the zoom
    zoom = np.linalg.norm(plain[:, :, :2], axis=2)
    slant = np.arctan2(-between[:, 0, 1] * zoom[:, 1] / zoom[:, 0], between[:, 1, 1])
    np.testing.assert_allclose(between[:, 0, 0], 1, atol=1e-5)
    np.testing.assert_allclose(between[:, 1, 0], 0, atol=1e-5)
    np.testing.assert_allclose(between[:, 1, 1], np.cos(slant), atol=1e-5)
    assert 0.98 * 30 < np.degrees(np.abs(slant)).max() <= 30 * (1 + 1e-4)
    centre = np.array([31.5, 31.5])
    moved = matrices_of(**STUDY, shear=30, flip=True)
    np.testing.assert_allclose(
        moved[:, :, :2] @ centre + moved[:, :, 2], plain[:, :, :2] @ centre + plain[:, :, 2], atol=1e-3
    )
    assert 0.45 < mirrored.mean() < 0.55


def test_the_shear_is_in_degrees_and_slants_along_x():
    """As `shear_range` of Keras's ImageDataGenerator: x - sin(slant) y and cos(slant) y are looked at."""
    for slant in (0.2, 25):
        drawn = matrices_of(rotation=0, zoom=0, shift=0, shear=slant)
        angles = np.degrees(np.arctan2(-drawn[:, 0, 1], drawn[:, 1, 1]))
        assert 0.99 * slant < np.abs(angles).max() <= slant * (1 + 1e-3)
        np.testing.assert_allclose(drawn[:, 0, 1], -np.sin(np.radians(angles)), atol=1e-6)
        np.testing.assert_allclose(drawn[:, 0, 0], 1, atol=1e-6)
        np.testing.assert_allclose(drawn[:, 1, 0], 0, atol=1e-6)


def test_a_mirrored_image_is_the_image_left_to_right():
    images = np.repeat(smooth_images(1), 40, axis=0)
    views = np.asarray(RandomAffine(rotation=0, zoom=0, shift=0, flip=True, seed=1)(images, training=True))
    mirrored = (views != images).any(axis=(1, 2, 3))
    assert 10 <= mirrored.sum() <= 30
    assert np.array_equal(views[mirrored], images[mirrored][:, :, ::-1])


def test_pixels_from_outside_take_the_nearest_value():
    images = np.zeros((1, 64, 64, 3), np.uint8)
    images[:, :, :16] = 200  # broader than the largest shift, 12.8 pixels
    layer = RandomAffine(rotation=0, zoom=0, shift=0.2, seed=2)
    for _ in range(20):
        moved = np.asarray(layer(images, training=True))
        assert (moved[:, :, 0] == 200).all()
        assert (moved[:, :, -1] == 0).all()


def test_draws_fill_their_ranges_and_the_zoom_of_each_axis_is_its_own():
    matrices = np.asarray(RandomAffine(seed=0).draw_matrices(20_000, 64, 64), np.float64)
    a0, a1, a2, b0, b1, b2 = matrices.T
    zoom_x, zoom_y = np.hypot(a0, a1), np.hypot(b0, b1)
    angle = np.degrees(np.arctan2(b0, b1))
    assert abs(np.corrcoef(zoom_x, zoom_y)[0, 1]) < 0.03
    centre = 31.5
    shift_x, shift_y = a0 * centre + a1 * centre + a2 - centre, b0 * centre + b1 * centre + b2 - centre
    for values, limit, middle in (
        (zoom_x, 0.1, 1),
        (zoom_y, 0.1, 1),
        (angle, 25, 0),
        (shift_x, 3.2, 0),
        (shift_y, 3.2, 0),
    ):
        assert np.abs(values - middle).max() <= limit * (1 + 1e-4)
        assert np.abs(values - middle).max() > 0.99 * limit
        assert abs(values.mean() - middle) < 0.02 * limit


def test_the_same_seed_gives_the_same_views_and_each_call_new_ones():
    images = smooth_images()
    first, again = RandomAffine(seed=7), RandomAffine(seed=7)
    one, two = np.asarray(first(images, training=True)), np.asarray(first(images, training=True))
    assert np.array_equal(one, np.asarray(again(images, training=True)))
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, np.asarray(RandomAffine(seed=8)(images, training=True)))


def test_it_can_be_rebuilt_from_its_config():
    layer = RandomAffine(rotation=10, zoom=0.2, shift=0.1, shear=5, flip=True, seed=4, name="views")
    assert RandomAffine.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    "wrong", [{"rotation": -1}, {"zoom": 1.0}, {"zoom": -0.1}, {"shift": -0.1}, {"shear": -1}, {"shear": 90}]
)
def test_ranges_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RandomAffine(**wrong)


def keras_cv_layer(name, *factors):
    """A layer of keras-cv that always moves by so much."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("keras-cv runs on TensorFlow alone")
    import keras_cv

    exactly = [(factor, factor) for factor in factors]
    return getattr(keras_cv.layers, name)(*exactly, fill_mode="nearest", interpolation="bilinear")


@pytest.mark.parametrize(
    ("moves", "theirs"),
    [
        ({"rotation": 25}, lambda m: keras_cv_layer("RandomRotation", np.arctan2(-m[1], m[0]) / (2 * np.pi))),
        ({"shift": 0.1}, lambda m: keras_cv_layer("RandomTranslation", -m[5] / 32, -m[2] / 32)),
        ({"zoom": 0.2}, lambda m: keras_cv_layer("RandomZoom", m[4] - 1, m[0] - 1)),
    ],
    ids=["rotation", "shift", "zoom"],
)
def test_each_move_is_that_of_keras_cv(moves, theirs):
    """Rotation, shift and zoom of keras-cv share no line with ours; each is told our draw."""
    images = np.random.default_rng(0).random((4, 32, 32, 3)).astype("float32")
    matrices = np.array(
        RandomAffine(**{"rotation": 0, "zoom": 0, "shift": 0, "seed": 1} | moves).draw_matrices(4, 32, 32)
    )
    views = np.array(look_up(images, matrices))
    for image, view, matrix in zip(images, views, matrices, strict=True):
        np.testing.assert_allclose(np.array(theirs(matrix)(image[None], training=True))[0], view, atol=1e-5)
        assert np.abs(image - view).max() > 0.1  # it did move
