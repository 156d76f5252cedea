"""Weights in few bytes that any Keras reads: float32 rounded to fewer bits, their files packed without loss."""

import io
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

FLOAT16 = 10  # bits of a float16's mantissa; a float32 has 23
FULL = 23
LARGEST = 5_000_000  # bytes of a file that comes with the kit


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Float32 values (...) rounded to so many bits of mantissa, 1 to 23; float16 has 10, but not this range."""
    spare = FULL - bits
    if not spare or values.dtype != np.float32:
        return values
    # Half of what is cut off is added, which rounds; a carry out of the mantissa raises the exponent, as it should.
    whole = np.ascontiguousarray(values, np.float32).view(np.uint32) + np.uint32(1 << spare >> 1)
    return (whole & np.uint32(0xFFFFFFFF << spare & 0xFFFFFFFF)).view(np.float32)


def packed(weights: Path | BinaryIO) -> bytes:
    """A weights file of Keras (HDF5) with its arrays' bytes sorted by place and deflated, which rounding helps."""
    content = io.BytesIO()
    with h5py.File(weights) as there, h5py.File(content, "w") as here:
        _copy(there, here)
    return content.getvalue()


def _copy(there: h5py.Group, here: h5py.Group) -> None:
    here.attrs.update(there.attrs)
    for name, part in there.items():
        if isinstance(part, h5py.Group):
            _copy(part, here.create_group(name))
        else:
            filters = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if part.size > 64 else {}
            here.create_dataset(name, data=part[()], **filters).attrs.update(part.attrs)
