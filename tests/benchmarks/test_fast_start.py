"""What has to be quick before anything is computed: opening a store, importing the package, the command line."""

import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from gzutils.data.preprocessing import STORE_VERSION
from gzutils.data.store import open_store, split_galaxies
from gzutils.data.view import REPORT_VIEW
from gzutils.learning.batches import Batches
from gzutils.tools import records

ROOT = Path(__file__).parents[2]


def empty_store(folder, count):
    """A store of black images, whose file has holes in their place."""
    folder.mkdir()
    images = np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, 64, 64, 3))
    del images
    np.save(folder / "labels.npy", np.zeros((count, 37), np.float32))
    np.save(folder / "galaxy_ids.npy", np.arange(count))
    sums = {name: records.sha256(folder / name) for name in ("labels.npy", "galaxy_ids.npy")}
    sums["images.npy"] = "not asked for"
    manifest = {"version": STORE_VERSION, "galaxies": count, "view": asdict(REPORT_VIEW), "sha256": sums}
    records.write_json(folder / "manifest.json", manifest)
    return folder


def test_first_batch(record, tmp_path):
    seconds = {}
    stores = {count: empty_store(tmp_path / str(count), count) for count in (1000, 61_578)}
    for _ in range(15):
        for count, folder in stores.items():
            start = time.perf_counter()
            store = open_store(folder)
            rows = split_galaxies(count).train
            images, _ = Batches(store.examples(), rows, 128, order_seed=(0, 0))[0]
            seconds.setdefault(count, []).append(time.perf_counter() - start)
            assert images.shape == (128, 64, 64, 3)
    few, many = (1000 * statistics.median(values) for values in seconds.values())
    record(
        "store opened, first batch: 61,578 galaxies", f"{many:.1f} ms", f"{few:.1f} ms: 1,000", many, "ms", at_most=50
    )


@pytest.mark.parametrize(
    ("what", "command", "target"),
    [
        ("import gzutils", [sys.executable, "-c", "import gzutils"], 0.3),
        ("./run_all.sh --help", [str(ROOT / "run_all.sh"), "--help"], 0.5),
    ],
)
def test_start(record, what, command, target):
    seconds = {"ours": [], "python": []}
    for _ in range(9):
        for name, one in (("ours", command), ("python", [sys.executable, "-c", ""])):
            start = time.perf_counter()
            subprocess.run(one, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    ours, python = (statistics.median(values) for values in seconds.values())
    record(what, f"{ours:.3f} s", f"{python:.3f} s: Python alone", ours, "s", at_most=target)
