"""The one place that knows which engine runs Keras: how it is loaded, its version, its device."""

import contextlib
import importlib
import os
import platform
import sys
from collections.abc import Iterator

import numpy as np


def load() -> None:
    """Imports Keras and its backend without the start-up messages that TensorFlow writes whatever its log level."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_stderr():
        import keras

        keras.distribution.list_devices()


def versions() -> dict[str, str]:
    """The versions that decide a result: Python, Keras, its backend, NumPy."""
    import keras

    engine = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        engine: importlib.import_module(engine).__version__,
        "numpy": np.__version__,
    }


def device() -> str:
    """What Keras computes on, such as "cpu:0" or "gpu:0, gpu:1"."""
    import keras

    return ", ".join(keras.distribution.list_devices())


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    # The messages come from C++, below sys.stderr, so the file descriptor itself has to look away.
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
