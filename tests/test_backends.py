"""The same tests on the other backend: what Keras does here must not depend on TensorFlow being there."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent
SAME = ("losses", "augmentation", "models", "dataset", "training", "evaluation")


def test_models_loss_augmentation_training_and_evaluation_pass_on_jax_without_tensorflow(tmp_path):
    blocked = tmp_path / "blocked"
    (blocked / "tensorflow").mkdir(parents=True)
    (blocked / "tensorflow" / "__init__.py").write_text("raise ImportError('as if it were not installed')")
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join([str(blocked), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]),
        # The same small networks are compiled again and again.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    files = [str(TESTS / f"test_{name}.py") for name in SAME]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *files]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=TESTS.parent)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
