"""The one place that knows which engine runs Keras: how it is loaded, its version, its devices, its precision."""

import contextlib
import importlib
import importlib.util
import os
import platform
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from gzutils import parameters
from gzutils.tools import processor
from gzutils.tools.files import stderr_to

if TYPE_CHECKING:
    import keras


def load() -> None:
    """Imports Keras and its backend without the start-up messages that TensorFlow writes whatever its log level.

    Where Keras's own variables say so (KERAS_DISTRIBUTION_JOB_ADDRESSES, KERAS_DISTRIBUTION_NUM_PROCESSES,
    KERAS_DISTRIBUTION_PROCESS_ID), this process joins the others of a training on several machines.

    Raises:
        ValueError: a backend that this kit does not know, or several processes without JAX.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow leaves oneDNN's kernels out where a processor has no AVX-512 VNNI; they are twice as fast there, too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if importlib.util.find_spec("tensorflow") is None:  # as on a Python that TensorFlow has no release for
        os.environ.setdefault("KERAS_BACKEND", "jax")
    with stderr_to(os.devnull):
        import keras

        with contextlib.suppress(ImportError):
            import tensorflow  # Keras looks for it on JAX, too

            # That a function was compiled again concerns nobody who trains several networks in one notebook.
            tensorflow.get_logger().setLevel("ERROR")
            if keras.backend.backend() == "tensorflow":
                keras.distribution.list_devices()
    if keras.backend.backend() not in ("tensorflow", "jax"):
        raise ValueError(
            f"Keras runs on {keras.backend.backend()} here; this kit needs TensorFlow or JAX (KERAS_BACKEND)"
        )
    _set_what_the_kit_needs()
    if "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ:
        if keras.backend.backend() != "jax":
            raise ValueError("training on several machines needs JAX: set KERAS_BACKEND=jax before Python starts")
        keras.distribution.initialize()


def _set_what_the_kit_needs() -> None:
    """Undoes what a user's `~/.keras/keras.json` or variables of Keras say for the user's other work."""
    import keras

    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_dtype_policy("float32")
    if hasattr(keras.config, "set_max_epochs"):  # younger than the oldest Keras that serves
        keras.config.set_max_epochs(None)
        keras.config.set_max_steps_per_epoch(None)


def configure(precision: str = "float32", deterministic: bool = False, devices: int = 1) -> None:
    """Sets how this process computes; has to come before the first model is built.

    Args:
        precision: "float32"; or "mixed_float16" (NVIDIA GPUs since Volta) or "mixed_bfloat16" (since Ampere, TPUs): the
            arithmetic in 16 bits, the weights in 32, as https://keras.io/api/mixed_precision says.
        deterministic: only GPU kernels that give the same bits each time; slower. A CPU needs no telling; another
            kind of it, other versions or another number of threads round differently, whatever is told.
        devices: how many GPUs (CPUs where there is none) share each batch. Several processes use all that they have.

    Raises:
        ValueError: an unknown precision, or more devices than there are.
    """
    import keras

    parameters.choice("PRECISION", precision, parameters.PRECISIONS)
    parameters.whole_number("DEVICES", devices, least=1)
    keras.config.set_dtype_policy(precision)
    if deterministic:
        _make_deterministic(keras.backend.backend())
    found = keras.distribution.list_devices()
    if devices > len(found):
        raise ValueError(f"DEVICES is {devices}, but Keras finds {len(found)} here ({', '.join(found)})")
    if keras.backend.backend() == "jax":
        if devices > 1 or processes() > 1:
            shared = found if processes() > 1 else found[:devices]
            keras.distribution.set_distribution(
                keras.distribution.DataParallel(devices=shared, auto_shard_dataset=False)
            )
        else:
            keras.distribution.set_distribution(None)
    elif devices != replicas():
        import tensorflow

        tensorflow.distribute.experimental_set_strategy(tensorflow.distribute.MirroredStrategy(found[:devices]))


def compute_in_full_float32() -> None:
    """Sets float32 for the models that come, and keeps a GPU from shortening their products to 19 bits (TF32)."""
    import keras

    keras.config.set_dtype_policy("float32")
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    else:
        import tensorflow

        tensorflow.config.experimental.enable_tensor_float_32_execution(False)


def _make_deterministic(engine: str) -> None:
    if engine == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
    elif "--xla_gpu_deterministic_ops=true" not in os.environ.get("XLA_FLAGS", ""):
        # Read once, when JAX first meets its devices.
        os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true").strip()


def replicas() -> int:
    """On how many devices, of all processes, each batch is computed."""
    import keras

    if keras.backend.backend() == "jax":
        distribution = keras.distribution.distribution()
        return distribution.device_mesh.devices.size if distribution else 1
    import tensorflow

    return tensorflow.distribute.get_strategy().num_replicas_in_sync


def processes() -> int:
    """How many processes train together; 1 unless `load` joined this one to others."""
    import keras

    if keras.backend.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


def process() -> int:
    """This process's number among them, from 0."""
    if processes() == 1:
        return 0
    import jax

    return jax.process_index()


def member() -> int | None:
    """This process's number among several that train together; None where it trains alone."""
    return process() if processes() > 1 else None


def check_agreement(text: str) -> None:
    """Does nothing where there is one process; else all have to come here with the same text.

    Raises:
        ValueError: they did not.
    """
    if processes() == 1:
        return
    from jax.experimental import multihost_utils

    texts = multihost_utils.process_allgather(np.frombuffer(text.encode().ljust(256)[:256], np.uint8))
    others = {bytes(row).decode(errors="replace").strip() for row in texts}
    if len(others) > 1:
        raise ValueError(
            f"the processes of this training differ: {'; '.join(sorted(others))}; all need the same galaxies, settings "
            "and code, and the same checkpoint.npz (copy one to the others, or delete it everywhere)"
        )


@contextlib.contextmanager
def on_one_device(model: "keras.Model") -> Iterator["keras.Model"]:
    """Yields the model, or, where JAX spreads it over several devices, a copy on one that predicts any batch."""
    import keras

    if keras.backend.backend() != "jax" or replicas() == 1:
        yield model
        return
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        yield copy
    finally:
        keras.distribution.set_distribution(distribution)


def gradient(function: Callable, tensor):
    """The derivative of a function of one tensor, whose value is a single number, at that tensor: in its shape."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function)(tensor)
    import tensorflow

    with tensorflow.GradientTape() as tape:
        tape.watch(tensor)
        value = function(tensor)
    return tape.gradient(value, tensor)


def log_gamma(tensor):
    """The logarithm of the gamma function, element by element, which `keras.ops` lacks until Keras 3.15."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.scipy.special.gammaln(tensor)
    import tensorflow

    return tensorflow.math.lgamma(tensor)


def compiles_whole_steps() -> bool:
    """Whether a step of training that augments is left to XLA as a whole; on TensorFlow only `compiled` parts are."""
    import keras

    return keras.backend.backend() != "tensorflow"


def compiled(function: Callable) -> Callable:
    """The function of tensors as one program of XLA, which it stays where what calls it is not compiled."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow

    return tensorflow.function(function, jit_compile=True)


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


def threads() -> int:
    """How many threads share one operation on the CPU: what TensorFlow was told, else as many as there are cores.

    JAX cannot be asked, nor TensorFlow where nobody told it; both then take every core that this process may use.
    """
    import keras

    told = 0
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        told = tensorflow.config.threading.get_intra_op_parallelism_threads()
        said = os.environ.get("TF_NUM_INTRAOP_THREADS", "")  # asked last by TensorFlow
        told = told or (int(said) if said.isdecimal() else 0)
    return told or processor.cores()


def device() -> str:
    """What Keras computes on, such as "cpu:0" or "gpu:0 (NVIDIA H100 80GB HBM3), gpu:1 (NVIDIA H100 80GB HBM3)"."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        kinds = [device.device_kind for device in jax.devices()]
    else:
        import tensorflow

        physical = tensorflow.config.list_physical_devices("GPU")
        kinds = [tensorflow.config.experimental.get_device_details(gpu).get("device_name", "gpu") for gpu in physical]
    names = keras.distribution.list_devices()
    if names[0].startswith("cpu"):
        return ", ".join(names)
    return ", ".join(f"{name} ({kind})" for name, kind in zip(names, kinds, strict=True))
