"""Pictures seen through affine transforms: one bilinear look-up turns, mirrors, zooms, moves and cuts them."""

import functools
import math
from collections.abc import Callable

import keras
from keras import ops

from gzutils.tools import backend


def look_up(images, matrices, side: int | None = None):
    """Each image as its transforms show it, bilinear; outside of the image its nearest pixel counts.

    The same as `keras.ops.image.affine_transform`, in operations that XLA compiles well, and so several times faster.

    Args:
        images: (N, height, width, channels) of any dtype.
        matrices: (N, 6) float32, one transform an image, or (N, K, 6), K of them. A view's pixel (x, y) is looked up at
            the image's (a0 x + a1 y + a2, b0 x + b1 y + b2).
        side: of the views, in pixels; None: as the images.

    Returns:
        (N, side, side, channels), or (N, K, side, side, channels), of the images' dtype.
    """
    return _look_up(side)(images, matrices)


@functools.cache
def _look_up(side: int | None) -> Callable:
    def views_of(images, matrices):
        height, width, channels = images.shape[1:]
        rows, columns = (height, width) if side is None else (side, side)
        y, x = ops.meshgrid(ops.arange(rows, dtype="float32"), ops.arange(columns, dtype="float32"), indexing="ij")
        a0, a1, a2, b0, b1, b2 = (matrices[..., i, None, None] for i in range(6))
        from_x = ops.clip(a0 * x + a1 * y + a2, 0, width - 1)
        from_y = ops.clip(b0 * x + b1 * y + b2, 0, height - 1)
        left, top = ops.floor(from_x), ops.floor(from_y)
        to_right, down = (from_x - left)[..., None], (from_y - top)[..., None]
        left, top = ops.cast(left, "int32"), ops.cast(top, "int32")
        right, bottom = ops.minimum(left + 1, width - 1), ops.minimum(top + 1, height - 1)
        pixels = ops.reshape(images, (-1, height * width, channels))
        views_of_one = tuple(matrices.shape[1:-1])
        looked_at = math.prod(views_of_one) * rows * columns

        def at(row, column):
            places = ops.reshape(row * width + column, (-1, looked_at, 1))
            found = ops.take_along_axis(pixels, places, axis=1)
            return ops.cast(ops.reshape(found, (-1, *views_of_one, rows, columns, channels)), "float32")

        upper = (1 - to_right) * at(top, left) + to_right * at(top, right)
        lower = (1 - to_right) * at(bottom, left) + to_right * at(bottom, right)
        views = (1 - down) * upper + down * lower
        if keras.backend.is_float_dtype(images.dtype):
            return ops.cast(views, images.dtype)
        return ops.cast(ops.clip(ops.round(views), 0, 255), images.dtype)

    return backend.compiled(views_of)


def similarity(cosine, sine, mirrored, start: tuple, end: tuple) -> list:
    """Transforms that turn, mirror and rescale, and put one point onto another: the six columns that `look_up` takes.

    Args:
        cosine, sine: of the angle, times how many pixels of the image a pixel of the view is wide: with more than 1,
            the view shows more of it. mirrored: -1 for a view that is mirrored left to right, else 1. (N,) each, NumPy
            arrays or tensors: they are only multiplied and added.
        start: (x, y) of a point of the view, such as its centre. end: (x, y) of the image's point that is seen there.
    """
    a0, a1, b0, b1 = mirrored * cosine, -sine, mirrored * sine, cosine
    return [
        *(a0, a1, end[0] - a0 * start[0] - a1 * start[1]),
        *(b0, b1, end[1] - b0 * start[0] - b1 * start[1]),
    ]
