"""A trained model as an ONNX file, which other programs open without Python's help.

    python -m gzutils.course.export runs/NAME/02_parallel_cnn/model.keras model.onnx

It takes uint8 images (N, side, side, 3) as the model does, and has the model's preprocessing inside. The conversion is
TensorFlow's (`tf2onnx`, in the extra `onnx`); a model that was trained on JAX is opened on TensorFlow for it.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from gzutils.tools import backend, files


def export(model: Path | str, target: Path | str) -> Path:
    """Writes a `.keras` file of this kit as ONNX: input `images`, uint8 (N, side, side, 3); output float32 (N, 37).

    Raises:
        ValueError: TensorFlow or tf2onnx is not installed, Keras runs on another backend in this process, or the model
            cannot be opened, or not be converted.
        files.NotWritten: no room, or no right to write there.
    """
    missing = [name for name in ("tensorflow", "tf2onnx") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f'ONNX needs {" and ".join(missing)}: pip install ".[onnx]" (TensorFlow ends at Python 3.13)')
    backend.load()
    import keras

    from gzutils.models import saved

    if keras.backend.backend() != "tensorflow":
        raise ValueError("this process runs Keras on JAX, and the conversion is TensorFlow's: use the command")
    network = saved.load(model)
    signature = [keras.InputSpec(dtype="uint8", shape=network.input_shape, name="images")]
    with files.whole_file(target) as beside, files.stderr_to(os.devnull):
        try:
            network.export(beside, format="onnx", input_signature=signature, verbose=False)
            _spell_out_erfc(beside)
        except OSError:
            raise
        except Exception as error:  # tf2onnx and TensorFlow fail in ways of their own
            raise ValueError(f"{model} cannot be written as ONNX ({files.first_line(error)})") from None
    return Path(target)


def _spell_out_erfc(path: Path) -> None:
    """Writes 1 - erf where TensorFlow's GELU has erfc, which ONNX does not know and tf2onnx hands on as it is."""
    import onnx

    model = onnx.load(path)
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Erfc":
            erf = f"{node.output[0]}_erf"
            nodes.append(onnx.helper.make_node("Erf", [node.input[0]], [erf]))
            nodes.append(onnx.helper.make_node("Sub", ["one_of_erfc", erf], [node.output[0]]))
        else:
            nodes.append(node)
    if len(nodes) > len(model.graph.node):
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.append(onnx.helper.make_tensor("one_of_erfc", onnx.TensorProto.FLOAT, [], [1.0]))
        onnx.save(model, path)


def main(arguments: list[str] | None = None) -> None:
    """The command; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m gzutils.course.export",
        description="Writes a trained model as an ONNX file: uint8 images (N, side, side, 3) -> float32 (N, 37).",
    )
    parser.add_argument("model", type=Path, help="such as runs/quick-simulated/02_parallel_cnn/model.keras")
    parser.add_argument("target", type=Path, help="such as model.onnx")
    options = parser.parse_args(arguments)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        print(f"written: {export(options.model, options.target)}")
    except (ValueError, files.NotWritten) as error:
        sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
    main()
