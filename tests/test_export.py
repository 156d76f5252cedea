"""A trained model as ONNX: what it predicts without Keras is what the model predicts."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from gzutils.course import export
from gzutils.models.networks import NETWORKS

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
NETWORK_ARGUMENTS = {"parallel_cnn": {"width": 0.125}, "vision_transformer": {"depth": 2}}


@pytest.mark.parametrize("name", NETWORK_ARGUMENTS)
def test_the_file_takes_bytes_and_predicts_what_the_model_does(name, tmp_path):
    """From a process of its own, whichever backend this one runs on.

    The faults: the scaling is left to the caller, or the file takes one image alone.
    """
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(0)
    model = NETWORKS[name].build(**NETWORK_ARGUMENTS[name])
    draw = np.random.default_rng(1)
    model.set_weights([w + draw.normal(0, 0.02, w.shape) if w.dtype == np.float32 else w for w in model.get_weights()])
    model.save(tmp_path / "model.keras")
    command = [sys.executable, "-m", "gzutils.course.export", tmp_path / "model.keras", tmp_path / "model.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"KERAS_BACKEND": "jax"})
    assert (done.returncode, done.stdout) == (0, f"written: {tmp_path / 'model.onnx'}\n"), done.stderr
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (images,) = session.get_inputs()
    assert (images.name, images.type, images.shape[1:]) == ("images", "tensor(uint8)", [64, 64, 3])
    for some in (IMAGES, IMAGES[:1]):
        (predicted,) = session.run(None, {"images": some})
        expected = np.asarray(model(some))
        assert predicted.shape == (len(some), 37)
        np.testing.assert_allclose(predicted, expected, atol=1e-5)
    assert np.ptp(expected) > 0.01


def test_what_is_missing_is_said_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # which the command sets otherwise, and which is restored
    with pytest.raises(SystemExit, match=r'ONNX needs tensorflow and tf2onnx: pip install "\.\[onnx\]"'):
        export.main([str(tmp_path / "model.keras"), str(tmp_path / "model.onnx")])


def test_no_model_file_no_onnx_file(tmp_path):
    """The fault: half a file stays, or a traceback comes."""
    pytest.importorskip("tf2onnx")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the conversion is TensorFlow's")
    with pytest.raises(ValueError, match="there is no model file"):
        export.export(tmp_path / "none.keras", tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
