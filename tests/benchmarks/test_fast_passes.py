"""Monte Carlo dropout: so many passes at once, beside as many predictions of the same galaxies one after the other."""

import numpy as np

from gzutils.learning import monte_carlo
from gzutils.models.bayesian_cnn import bayesian_cnn

PASSES, GALAXIES = 20, 64


def test_passes_of_a_batch(against):
    """The paper's size of network. All passes have to cost at most 1.3 times as many single predictions."""
    model = bayesian_cnn()
    images = np.random.default_rng(0).integers(0, 256, (GALAXIES, 64, 64, 3), np.uint8)
    rows = np.arange(GALAXIES)

    def one_by_one():
        for _ in range(PASSES):
            model.predict(images, batch_size=GALAXIES, verbose=0)

    against(
        f"{PASSES} passes of {GALAXIES} galaxies",
        lambda: monte_carlo.passes(model, images, rows, PASSES),
        one_by_one,
        f"{PASSES} predictions",
        (PASSES, PASSES),
        "passes",
        at_least=5,
    )
