"""Heat maps of 64 galaxies and 11 questions at once against one at a time; run by hand:

    python tests/benchmarks/grad_cam.py --galaxies 64 --width 1.0

One at a time does the same without what saves time: for each map the whole parallel CNN runs for one galaxy and one
answer (cut only once). Prints the seconds of both and how many times faster the first is; both maps are the same.
"""

import argparse
import json
import time

import numpy as np

from gzutils import backend


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=64)
    parser.add_argument("--width", type=float, default=1.0, help="of the parallel CNN")
    options = parser.parse_args()
    backend.load()
    import keras

    from gzutils import grad_cam
    from gzutils.models.parallel_cnn import parallel_cnn

    keras.utils.set_random_seed(0)
    model = parallel_cnn(options.width)
    images = np.random.default_rng(0).integers(0, 256, (options.galaxies, 64, 64, 3), np.uint8)
    answers = grad_cam.most_probable_answers(model.predict(images, verbose=0))
    to_maps, head = grad_cam.cut(model)

    def one_map(image: np.ndarray, answer: int) -> np.ndarray:
        maps = to_maps(image[None], training=False)
        slopes = backend.gradient(lambda values: head(values, training=False)[0, answer], maps)
        maps, weights = np.array(maps)[0], np.array(slopes)[0].mean(axis=(0, 1))
        return grad_cam.normalised(np.maximum((maps * weights).sum(axis=-1), 0))

    grad_cam.heat_maps(model, images[:2])  # compiles
    one_map(images[0], answers[0, 0])
    start = time.perf_counter()
    together = grad_cam.heat_maps(model, images)
    middle = time.perf_counter()
    alone = [[one_map(image, answer) for answer in row] for image, row in zip(images, answers, strict=True)]
    end = time.perf_counter()
    np.testing.assert_allclose(together, alone, atol=1e-3)
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "device": backend.device(),
                "maps": together.shape[0] * together.shape[1],
                "seconds_at_once": round(middle - start, 2),
                "seconds_one_at_a_time": round(end - middle, 2),
                "times_faster": round((end - middle) / (middle - start), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
