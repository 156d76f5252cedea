"""Opening a model file of any of the kit's networks, whichever backend wrote it."""

from pathlib import Path

import keras

# Keras finds the layers that are this kit's own by name, once the modules that define them are imported.
from gzutils.models import pretrained, tree_head, vision_transformer  # noqa: F401


def load(path: Path | str) -> keras.Model:
    """The model in a `.keras` file, which predicts by itself: uint8 (N, 64, 64, 3) -> float32 (N, 37).

    Raises:
        ValueError: there is no such file, it is damaged, or it holds code (a Lambda layer), which is never run.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no model file {path}; run the notebook that trains it")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    # A damaged zip, JSON, HDF5 and an unknown or unsafe layer each fail in ways of their own.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path} is no model of this kit, or damaged ({reason}); delete it and run the notebook that trains it"
        ) from None
