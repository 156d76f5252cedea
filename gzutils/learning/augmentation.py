"""Random views of a galaxy that leave its morphology as it is (report, section 4.4), as one Keras layer."""

import math

import keras
from keras import ops

from gzutils.models.look_up import look_up, similarity
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


# How the challenge's winner changed red, green and blue together, for a factor of 1 (his public code; of pixels / 255).
COLOUR = (-0.0148366, -0.01253134, -0.01040762)


@keras.saving.register_keras_serializable("gzutils")
class RandomView(keras.layers.Layer):
    """Any turn, half of the images mirrored, one zoom for both axes, a shift and a change of brightness, in training.

    As the challenge's winner drew his views (Dieleman 2014, https://github.com/benanne/kaggle-galaxies): one affine
    look-up an image, bilinear. Where a view reaches beyond the image, its nearest pixel counts (the winner's pictures
    were the whole 424 pixels, which he mirrored at their edge).

    Args:
        zoom: largest zoom; log-uniform from 1 / zoom to zoom.
        shift: largest shift as a share of the image's side, for each axis. The default is 4 pixels of a crop of 296.
        colour: standard deviation of the factor of `COLOUR`.
        seed: of the draws.
    """

    def __init__(
        self, zoom: float = 1.3, shift: float = 4 / 296, colour: float = 0.5, seed: int | None = None, **kwargs
    ):
        super().__init__(**kwargs)
        if zoom < 1 or shift < 0 or colour < 0:
            raise ValueError(f"zoom={zoom}, shift={shift}, colour={colour}: zoom has to be 1 or more, the others 0")
        self.zoom, self.shift, self.colour, self.seed = zoom, shift, colour, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_jit = backend.compiles_whole_steps()

    def call(self, images, training: bool = False):
        """(N, side, side, 3) uint8 -> the same shape and dtype."""
        if not training:
            return images
        count = ops.shape(images)[0]
        views = ops.cast(look_up(images, self.draw_matrices(count, images.shape[1])), "float32")
        factor = keras.random.normal((count, 1, 1, 1), stddev=self.colour, seed=self.seed_generator)
        change = 255 * factor * ops.convert_to_tensor(COLOUR, "float32")
        return ops.cast(ops.clip(ops.round(views + change), 0, 255), images.dtype)

    def draw_matrices(self, count: int, side: int):
        """`count` random transforms about the centre, (count, 6) float32, for `look_up`."""

        def uniform(limit: float):
            return keras.random.uniform((count,), -limit, limit, seed=self.seed_generator)

        angle, scale = uniform(math.pi), ops.exp(uniform(math.log(self.zoom)))
        mirrored = ops.where(uniform(1.0) < 0, -1.0, 1.0)
        centre = (side - 1) / 2
        shift_x, shift_y = uniform(self.shift * side), uniform(self.shift * side)
        seen = (centre + shift_x, centre + shift_y)
        columns = similarity(scale * ops.cos(angle), scale * ops.sin(angle), mirrored, (centre, centre), seen)
        return ops.stack(columns, axis=-1)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "zoom": self.zoom,
            "shift": self.shift,
            "colour": self.colour,
            "seed": self.seed,
        }
