"""Heat maps of all questions of many galaxies at once against one map at a time."""

import keras
import numpy as np

from gzutils.learning import grad_cam
from gzutils.models.parallel_cnn import parallel_cnn
from gzutils.tools import backend

GALAXIES, ALONE = 64, 8


def test_heat_maps(store, against):
    keras.utils.set_random_seed(0)
    model = parallel_cnn()
    images = np.array(store.images[:GALAXIES])
    answers = grad_cam.most_probable_answers(model.predict(images, verbose=0))
    to_maps, head = grad_cam.maps_and_head(model)
    made = {}

    def together():
        made["together"] = grad_cam.heat_maps(model, images)

    def one_at_a_time():
        made["alone"] = [[one_map(i, a) for a in row] for i, row in zip(images[:ALONE], answers[:ALONE], strict=True)]

    def one_map(image, answer):
        maps = to_maps(image[None], training=False)
        slopes = backend.gradient(lambda values: head(values, training=False)[0, answer], maps)
        maps, weights = np.array(maps)[0], np.array(slopes)[0].mean(axis=(0, 1))
        return grad_cam.normalised(np.maximum((maps * weights).sum(axis=-1), 0))

    questions = answers.shape[1]
    against(
        f"Grad-CAM of {questions} questions of {GALAXIES} galaxies",
        together,
        one_at_a_time,
        "one map at a time",
        (GALAXIES * questions, ALONE * questions),
        "maps",
        at_least=5,
        rounds=2,
    )
    np.testing.assert_allclose(made["together"][:ALONE], made["alone"], atol=1e-3)
