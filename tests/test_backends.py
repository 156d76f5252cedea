"""The same tests on the other backend: what Keras does here must not depend on TensorFlow being there."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from on_jax import without_tensorflow

from gzutils.learning import grad_cam
from gzutils.models import saved
from gzutils.models.parallel_cnn import parallel_cnn
from gzutils.models.pretrained import resnet50, vgg16
from gzutils.models.simple_cnn import simple_cnn
from gzutils.models.tree_head import with_tree_output
from gzutils.models.vision_transformer import vision_transformer

TESTS = Path(__file__).parent
# Those of the frozen bases, the tree's output and Grad-CAM pass there, too, but take JAX minutes of compiling:
# KERAS_BACKEND=jax python -m pytest tests/test_pretrained.py tests/test_features.py tests/test_tree_head.py \
#     tests/test_grad_cam.py
SAME = (
    "losses",
    "augmentation",
    "models",
    "vision_transformer",
    "simple_cnn",
    "dataset",
    "training",
    "evaluation",
    "recipe",
)
EXPLAINED = {
    "parallel_cnn": grad_cam.heat_maps,
    "simple_cnn": grad_cam.heat_maps,
    "vision_transformer": grad_cam.attention_rollout,
}
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")


@pytest.fixture(scope="module")
def jax_alone(tmp_path_factory):
    """The environment of a process that runs Keras on JAX and in which TensorFlow is as good as not installed."""
    return without_tensorflow(tmp_path_factory.mktemp("jax"))


def run(environment, *arguments):
    command = [sys.executable, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=TESTS.parent)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]


def test_models_loss_augmentation_training_and_evaluation_pass_on_jax_without_tensorflow(jax_alone):
    run(jax_alone, "-m", "pytest", "-p", "no:cacheprovider", *(str(TESTS / f"test_{name}.py") for name in SAME))


PREDICT = """
import sys
from pathlib import Path
import keras, numpy as np
from gzutils.learning import grad_cam
from gzutils.models import saved
folder = Path(sys.argv[1])
assert keras.backend.backend() == "jax"
for path in sorted(folder.glob("*.keras")):
    model, images = saved.load(path), np.load(folder / "images.npy")
    np.save(path.with_suffix(".npy"), model.predict(images, verbose=0))
    if path.stem == "vision_transformer":
        np.save(path.with_suffix(".maps.npy"), grad_cam.attention_rollout(model, images))
    elif path.stem.endswith("_cnn"):
        np.save(path.with_suffix(".maps.npy"), grad_cam.heat_maps(model, images))
    saved.load(path).save(folder / f"from_jax_{path.name}")
"""


def test_a_model_file_of_one_backend_predicts_and_is_explained_the_same_in_the_other(jax_alone, tmp_path):
    keras.utils.set_random_seed(0)
    small = {"initial_weights": "random", "enlarge_to": 32}
    built = {
        "parallel_cnn": parallel_cnn(width=0.125),
        "simple_cnn": with_tree_output(simple_cnn(width=0.125)),
        "vision_transformer": vision_transformer(depth=2),
        "vgg16": vgg16(input_scaling="imagenet", **small),
        "resnet50": resnet50(**small),
    }
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    for name, model in built.items():
        model.save(tmp_path / f"{name}.keras")
    run(jax_alone, "-c", PREDICT, str(tmp_path))
    for name, model in built.items():
        expected = model.predict(images, verbose=0)
        assert expected.std() > 1e-3
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, atol=1e-4)
        if name in EXPLAINED:
            maps = EXPLAINED[name](model, images)
            assert maps.std() > 1e-3
            np.testing.assert_allclose(np.load(tmp_path / f"{name}.maps.npy"), maps, atol=1e-3)
        back = saved.load(tmp_path / f"from_jax_{name}.keras")
        np.testing.assert_allclose(back.predict(images, verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_the_fast_kernels_are_asked_for_unless_somebody_said_otherwise(before, after):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"TF_ENABLE_ONEDNN_OPTS": before} if before else {}
    look = "import os; from gzutils.tools import backend; backend.load(); print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, env=environment, check=True)
    assert said.stdout.strip() == after


@pytest.mark.parametrize(("asked", "runs"), [(None, "jax"), ("jax", "jax")])
def test_where_tensorflow_is_not_installed_keras_runs_on_jax_unasked(asked, runs, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path)} | ({"KERAS_BACKEND": asked} if asked else {})
    look = "import sys; sys.modules['tensorflow'] = None; from gzutils.tools import backend; backend.load()"
    look += "; import keras; print(keras.backend.backend())"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, env=environment)
    assert said.stdout.strip() == runs, said.stderr[-1000:]
