"""The one place that knows which engine runs Keras: how it is loaded, its version, its device."""

import importlib
import os
import platform

import numpy as np

from gzutils.files import stderr_to


def load() -> None:
    """Imports Keras and its backend without the start-up messages that TensorFlow writes whatever its log level."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with stderr_to(os.devnull):
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
