"""Random views of a galaxy that leave its morphology as it is (report, section 4.4), as one Keras layer."""

import math

import keras
from keras import ops

from gzutils.tools import backend


@keras.saving.register_keras_serializable("gzutils")
class RandomAffine(keras.layers.Layer):
    """Mirrors, rotates, shears, zooms and shifts each image of a batch by one combined affine transform, in training.

    One bilinear look-up an image instead of three in a row: nothing is blurred twice. Pixels from outside take the
    nearest value inside. The draws are uniform and independent for each image.

    Args:
        rotation: largest angle in degrees, in both directions.
        zoom: largest relative change of scale; each axis has its own draw.
        shift: largest shift as a share of the image's side, for each axis.
        shear: largest angle of shear in degrees, in both directions, as `shear_range` of Keras's ImageDataGenerator.
        flip: whether every other image, by chance, is mirrored left to right.
        seed: of the draws.
    """

    def __init__(
        self,
        rotation: float = 25.0,
        zoom: float = 0.1,
        shift: float = 0.05,
        shear: float = 0.0,
        flip: bool = False,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if rotation < 0 or not 0 <= zoom < 1 or shift < 0 or not 0 <= shear < 90:
            raise ValueError(
                f"rotation={rotation}, zoom={zoom}, shift={shift}, shear={shear}: "
                "each has to be 0 or more, zoom below 1, shear below 90"
            )
        self.rotation, self.zoom, self.shift, self.shear, self.flip = rotation, zoom, shift, shear, flip
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_jit = backend.compiles_whole_steps()

    def call(self, images, training: bool = False):
        """(N, height, width, 3) of any dtype -> the same shape and dtype."""
        if not training:
            return images
        height, width = images.shape[1:3]
        return look_up(images, self.draw_matrices(ops.shape(images)[0], height, width))

    def draw_matrices(self, count: int, height: int, width: int):
        """`count` random transforms, (count, 6) float32: where in the image each pixel of a view comes from.

        View (x, y) looks at image (a0 x + a1 y + a2, b0 x + b1 y + b2). All about the image's centre: mirrored, then
        turned, sheared, zoomed and shifted.
        """

        def uniform(limit: float):
            return keras.random.uniform((count,), -limit, limit, seed=self.seed_generator)

        angle = uniform(math.radians(self.rotation))
        zoom_x, zoom_y = 1 + uniform(self.zoom), 1 + uniform(self.zoom)
        shift_x, shift_y = uniform(self.shift) * width, uniform(self.shift) * height
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        cosine, sine = ops.cos(angle), ops.sin(angle)
        a0, a1, b0, b1 = cosine, -sine, sine, cosine
        # Drawn last and only where asked for, so that the draws above are the same with and without.
        if self.shear:
            slant = uniform(math.radians(self.shear))
            sine, cosine = ops.sin(slant), ops.cos(slant)
            a0, a1, b0, b1 = a0 - sine * b0, a1 - sine * b1, cosine * b0, cosine * b1
        if self.flip:
            side = ops.where(uniform(1.0) < 0, -1.0, 1.0)
            a0, b0 = side * a0, side * b0
        a0, a1, b0, b1 = zoom_x * a0, zoom_x * a1, zoom_y * b0, zoom_y * b1
        a2 = centre_x + shift_x - a0 * centre_x - a1 * centre_y
        b2 = centre_y + shift_y - b0 * centre_x - b1 * centre_y
        return ops.stack([a0, a1, a2, b0, b1, b2], axis=1)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "rotation": self.rotation,
            "zoom": self.zoom,
            "shift": self.shift,
            "shear": self.shear,
            "flip": self.flip,
            "seed": self.seed,
        }


@backend.compiled
def look_up(images, matrices):
    """Each image as its transform shows it, bilinear; outside of the image its nearest pixel counts.

    The same as `keras.ops.image.affine_transform`, in operations that XLA compiles well, and so several times faster.

    Args:
        images: (N, height, width, channels) of any dtype.
        matrices: (N, 6) float32, as `RandomAffine.draw_matrices` makes them.

    Returns:
        The images' shape and dtype.
    """
    height, width, channels = images.shape[1:]
    y, x = ops.meshgrid(ops.arange(height, dtype="float32"), ops.arange(width, dtype="float32"), indexing="ij")
    a0, a1, a2, b0, b1, b2 = (matrices[:, i, None, None] for i in range(6))
    from_x = ops.clip(a0 * x + a1 * y + a2, 0, width - 1)
    from_y = ops.clip(b0 * x + b1 * y + b2, 0, height - 1)
    left, top = ops.floor(from_x), ops.floor(from_y)
    to_right, down = (from_x - left)[..., None], (from_y - top)[..., None]
    left, top = ops.cast(left, "int32"), ops.cast(top, "int32")
    right, bottom = ops.minimum(left + 1, width - 1), ops.minimum(top + 1, height - 1)
    pixels = ops.reshape(images, (-1, height * width, channels))

    def at(row, column):
        places = ops.reshape(row * width + column, (-1, height * width, 1))
        found = ops.take_along_axis(pixels, places, axis=1)
        return ops.cast(ops.reshape(found, (-1, height, width, channels)), "float32")

    upper = (1 - to_right) * at(top, left) + to_right * at(top, right)
    lower = (1 - to_right) * at(bottom, left) + to_right * at(bottom, right)
    views = (1 - down) * upper + down * lower
    if keras.backend.is_float_dtype(images.dtype):
        return ops.cast(views, images.dtype)
    return ops.cast(ops.clip(ops.round(views), 0, 255), images.dtype)
