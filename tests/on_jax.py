"""Runs all notebooks in `smoke` on JAX, in processes in which TensorFlow is as good as not installed.

    .venv/bin/python tests/on_jax.py

It takes minutes, most of them JAX's compiling, so it is no part of the tests; those run the models, the training and
the explanations on JAX (test_backends.py).
"""

import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUN = f"smoke-on-jax-{version('jax')}"  # another JAX begins anew


def without_tensorflow(folder: Path) -> dict[str, str]:
    """The environment of a process that runs Keras on JAX and in which `import tensorflow` fails."""
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text("raise ImportError('as if it were not installed')")
    return os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]),
        # The same small networks are compiled again and again.
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # they take longer than what they save such small networks
    }


def main() -> int:
    """Runs those that are not finished; returns 1 where one failed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gzutils.course.pipeline", "--profile", "smoke", "--all", "--run", RUN]
        return subprocess.run(command, cwd=ROOT, env=without_tensorflow(Path(folder))).returncode


if __name__ == "__main__":
    sys.exit(main())
