"""From the challenge's zip to the store, against the plain loop, and in how much memory."""

import io
import itertools
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from gzutils.data import preprocessing

ALL = 61_578  # as many as the challenge has


def plain_loop(path, target):
    """What one would write first: each picture opened, cropped, resized and kept, on one core."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        images = np.empty((len(names), 64, 64, 3), np.uint8)
        for row, name in enumerate(names):
            with Image.open(io.BytesIO(archive.read(name))) as image:
                images[row] = image.crop((107, 107, 317, 317)).resize((64, 64), Image.Resampling.BICUBIC)
    np.save(target, images)


def test_store_from_jpegs(many, against, tmp_path):
    source = many(tmp_path / "raw", ALL)
    numbers = itertools.count()
    stores = []

    def ours():
        if stores:
            shutil.rmtree(stores.pop())
        stores.append(preprocessing.build_store(source, tmp_path / f"store{next(numbers)}"))

    against(
        f"preprocessing {ALL:,} JPEGs of a zip",
        ours,
        lambda: plain_loop(source.training_images.path, tmp_path / "plain.npy"),
        "a plain Pillow loop on one core",
        (ALL, ALL),
        "files",
        at_least=2.2,
        rounds=1,
        warm_up=False,
    )
    np.testing.assert_array_equal(np.load(stores[0] / "images.npy"), np.load(tmp_path / "plain.npy"))


MEMORY = """
import re, resource, sys
from pathlib import Path
from gzutils.data import challenge, preprocessing
raw, store = map(Path, sys.argv[1:])
preprocessing.build_store(challenge.find(raw, raw), store)
own = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from Linux's /proc")
def test_no_process_needs_more_memory_for_more_galaxies(many, record, tmp_path):
    peaks = []
    for count in (1000, ALL):
        many(tmp_path / "raw", count, zipfile.ZIP_STORED)
        command = [sys.executable, "-c", MEMORY, str(tmp_path / "raw"), str(tmp_path / "store")]
        peaks.append(int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024)
        for folder in ("raw", "store"):
            shutil.rmtree(tmp_path / folder)
    record(
        f"memory for {ALL:,} JPEGs", f"{peaks[1]:.0f} MB", f"{peaks[0]:.0f} MB for 1,000", peaks[1], "MB", at_most=400
    )
