"""Small stand-ins for the challenge's files, which several tests share."""

import functools
import importlib.util
import io
import os
import signal
import zipfile

import numpy as np
import pytest
from hypothesis import settings
from open_data_server import serving
from PIL import Image

from gzutils.data.challenge import SOLUTIONS, TEST_IMAGES, TRAINING_IMAGES
from gzutils.data.open_data import polite
from gzutils.data.solutions import read_solutions, write_solutions
from gzutils.decision_tree import QUESTIONS, down_the_tree

if importlib.util.find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "jax")  # as `backend.load` does
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `backend.load` sets it: the tests run on the users' kernels
# A shell starts what it runs in the background with Ctrl-C ignored, and so would be the processes of these tests.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples each time, so that what fails was changed; the nightly run draws others. None fails on a time.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("drawn", deadline=None)
settings.load_profile("same")
# What takes a minute or more, the longest first: begun last, one of two workers would end alone with it.
LONGEST = (
    "test_notebooks",
    "test_notebooks_alone",
    "test_backends",
    "test_colab",
    "test_gz2",
    "test_distributed",
    "test_pipeline",
    "test_interrupted",
    "test_faults",
)
IDS = (100023, 100008, 100078)


def pytest_configure(config):
    config.option.loadscopereorder = False  # xdist's own order begins with the files that have the most tests


def pytest_collection_modifyitems(items):
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


def image(galaxy_id):
    return b"\xff\xd8" + str(galaxy_id).encode() * 50


def make_labels(count, seed=0):
    """Random votes sent down the tree, in float64."""
    draw = np.random.default_rng(seed)
    drawn = (1, 6, 2, 7, 9, 3, 4, 10, 11, 5, 8)  # another order would give other labels
    shares = {number: draw.dirichlet(np.ones(len(QUESTIONS[number - 1].answers)), count) for number in drawn}
    return np.concatenate(down_the_tree(shares), axis=1)


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def image_members(folder, ids=IDS):
    return [(f"{folder}/", b""), *((f"{folder}/{i}.jpg", image(i)) for i in ids)]


def solutions_csv(path):
    write_solutions(path, np.array(IDS), make_labels(len(IDS)))
    return path


@pytest.fixture
def zips(tmp_path):
    """The three zips as Kaggle serves them one by one."""
    folder = tmp_path / "zips"
    folder.mkdir()
    make_zip(folder / f"{TRAINING_IMAGES}.zip", image_members(TRAINING_IMAGES))
    make_zip(folder / f"{TEST_IMAGES}.zip", image_members(TEST_IMAGES, (200001,)))
    table = solutions_csv(tmp_path / "table.csv").read_bytes()
    make_zip(folder / f"{SOLUTIONS}.zip", [(f"{SOLUTIONS}.csv", table), (f"__MACOSX/._{SOLUTIONS}.csv", b"x")])
    return folder


@pytest.fixture
def open_data():
    """A server of the open data on the loopback address, with no files yet."""
    with serving() as server:
        yield server


def check_found(found):
    assert found.training_images.galaxy_ids().tolist() == sorted(IDS)
    assert found.training_images.read(100008) == image(100008)
    assert found.test_images.galaxy_ids().tolist() == [200001]
    assert found.test_images.read(200001) == image(200001)
    ids, labels = read_solutions(found.solutions)
    assert ids.tolist() == sorted(IDS)
    assert labels.shape == (3, 37)


@functools.cache
def noise_jpeg(seed, quality=50, size=(424, 424), mode="RGB", form="JPEG"):
    """A picture of coarse noise, another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (53, 53, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR).convert(mode).save(file, form, quality=quality)
    return file.getvalue()


def write_challenge(folder, galaxy_ids, seed=0):
    """A whole small challenge, unpacked: noise of 424x424 pixels, and labels in the order of `galaxy_ids`."""
    images = folder / TRAINING_IMAGES
    images.mkdir(parents=True)
    for galaxy_id in galaxy_ids:
        (images / f"{galaxy_id}.jpg").write_bytes(noise_jpeg(int(galaxy_id) + seed))
    write_solutions(folder / f"{SOLUTIONS}.csv", np.array(galaxy_ids), make_labels(len(galaxy_ids), seed))
    return folder


class Waits(list):
    """A clock that stands but for the waiting: the seconds of each wait, in a list."""

    def __init__(self):
        self.now = 1000.0

    def sleep(self, seconds):
        self.append(seconds)
        self.now += seconds


@pytest.fixture
def waits(monkeypatch):
    """What fetching waited for, in seconds; no time passes."""
    waits = Waits()
    monkeypatch.setattr(polite, "PACE", polite.Pace(lambda: waits.now, waits.sleep))
    return waits
