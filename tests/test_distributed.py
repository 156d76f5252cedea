"""Several devices and several processes give the training that one device gives."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_store import make_tiny_store

TESTS = Path(__file__).parent
COUNT = 85  # 54 galaxies to train on and 14 to validate: even numbers, but not whole batches of 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    make_tiny_store(folder / "store", COUNT)
    return folder


def start(folder, results, devices=1, script=(str(TESTS / "train_together.py"),), **environment):
    environment = (
        os.environ
        | {
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")]),
        }
        | environment
    )
    command = [sys.executable, *script, str(folder / "store"), str(folder / results), str(devices)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def finish(*children):
    for child in children:
        output, _ = child.communicate(timeout=300)
        assert child.returncode == 0, output[-3000:]


def results_of(folder, name):
    history = pd.read_csv(folder / name / "history.csv").drop(columns="seconds")
    return history, np.load(folder / name / "predicted.npy")


def a_free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def alone(folder):
    finish(start(folder, "alone", KERAS_BACKEND="jax"))
    return results_of(folder, "alone")


def assert_same(one, other):
    """To float precision: sums over a batch are added up in another order, which Adam's steps then enlarge a little."""
    (history, predicted), (other_history, other_predicted) = one, other
    assert len(history) == 2
    pd.testing.assert_frame_equal(history[:1], other_history[:1], rtol=1e-5, atol=0)
    pd.testing.assert_frame_equal(history, other_history, rtol=1e-4, atol=0)
    np.testing.assert_allclose(predicted, other_predicted, atol=1e-3)


def test_two_processes_train_as_one(folder, alone):
    together = {
        "KERAS_BACKEND": "jax",
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": a_free_address(),
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    }
    finish(*(start(folder, f"process_{i}", **together, KERAS_DISTRIBUTION_PROCESS_ID=str(i)) for i in range(2)))
    assert_same(results_of(folder, "process_0"), alone)
    for mine, others in zip(results_of(folder, "process_0"), results_of(folder, "process_1"), strict=True):
        assert np.array_equal(mine, others)


def test_two_devices_of_one_process_train_as_one(folder, alone):
    finish(start(folder, "devices", 2, KERAS_BACKEND="jax", XLA_FLAGS="--xla_force_host_platform_device_count=2"))
    assert_same(results_of(folder, "devices"), alone)


MIRRORED = """
import sys
import keras, numpy as np, tensorflow as tf
devices = int(sys.argv[3])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from gzutils.data.store import open_store, split_galaxies
from gzutils.learning import training
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.predict import predict
from gzutils.learning.recipe import Recipe
from gzutils.tools import backend
backend.configure(devices=devices)
assert backend.replicas() == devices
keras.utils.set_random_seed(0)
layers = keras.layers
model = keras.Sequential([keras.Input((64, 64, 3), dtype="uint8"), layers.Rescaling(1 / 255), layers.MaxPooling2D(8),
                          layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(37, "sigmoid")])
store = open_store(sys.argv[1])
split = split_galaxies(len(store))
recipe = Recipe(2, 2, 8, loss=ConstrainedMeanSquaredError())
training.train(model, store.examples(), split, recipe, sys.argv[2])
np.save(sys.argv[2] + "/predicted.npy", predict(model, store.images, split.test))
"""


def test_tensorflow_mirrors_a_model_on_two_devices(folder):
    """Batch normalisation and dropout would be each device's own; without them two devices train as one."""
    for devices in (1, 2):
        finish(start(folder, f"mirrored_{devices}", devices, ["-c", MIRRORED], KERAS_BACKEND="tensorflow"))
    assert_same(results_of(folder, "mirrored_2"), results_of(folder, "mirrored_1"))


def test_several_processes_without_jax_are_refused():
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    command = [sys.executable, "-c", "from gzutils.tools import backend; backend.load()"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=TESTS.parent)
    assert "needs JAX: set KERAS_BACKEND=jax" in result.stderr
