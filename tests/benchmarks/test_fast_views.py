"""The mean over the winner's 60 views: made on the device with the network behind, against one picture at a time."""

import keras
import numpy as np
import pytest
from PIL import Image

from gzutils import profiles
from gzutils.learning.views import SIXTY, predict_views, view_matrices
from gzutils.models.dieleman import dieleman

GALAXIES, ALONE = 64, 2


@pytest.mark.parametrize("profile", ["smoke", "quick"])
def test_sixty_views(profile, against):
    keras.utils.set_random_seed(0)
    model = dieleman(**profiles.get(profile).plans["dieleman"].model)
    side = model.input_shape[1]
    y, x = np.mgrid[:side, :side]
    light = [200 * np.exp(-(((x - 20 - g % 9) / 9) ** 2) - ((y - 24) / (4 + g % 5)) ** 2) for g in range(GALAXIES)]
    pictures = np.stack(light)[..., None].repeat(3, axis=-1).astype(np.uint8)
    matrices = view_matrices(SIXTY, side)
    made = {}

    def together():
        made["together"] = predict_views(model, pictures, np.arange(GALAXIES))

    def one_at_a_time():
        made["alone"] = [np.mean([one_view(picture, matrix) for matrix in matrices], 0) for picture in pictures[:ALONE]]

    def one_view(picture, matrix):
        a0, a1, a2, b0, b1, b2 = matrix.astype(float)  # Pillow counts the centres of pixels at a half
        at_centres = (a0, a1, a2 + 0.5 - 0.5 * (a0 + a1), b0, b1, b2 + 0.5 - 0.5 * (b0 + b1))
        image = Image.fromarray(picture)
        seen = image.transform((side, side), Image.Transform.AFFINE, at_centres, Image.Resampling.BILINEAR)
        return keras.ops.convert_to_numpy(model(np.asarray(seen)[None], training=False))[0]

    against(
        f"60 views, the network of `{profile}`",
        together,
        one_at_a_time,
        "one picture at a time, turned by Pillow",
        (GALAXIES * 60, ALONE * 60),
        "views",
        at_least=5,
        rounds=2,
    )
    np.testing.assert_allclose(made["together"][:ALONE], made["alone"], atol=5e-3)
