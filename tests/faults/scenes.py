"""How each fault of the table in test_faults.py is brought about, and what is checked whatever the fault.

A scene is a function of `made` (finished work, shared by all tests, not to be changed) and an empty folder. It returns
what the kit did and what it said, and has then checked that everything computed before is still there, byte for byte.
"""

import contextlib
import csv
import io
import json
import os
import re
import resource
import shutil
import tempfile
import tracemalloc
import zipfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import work
from conftest import make_zip, noise_jpeg

from gzutils.course import runs
from gzutils.data import challenge, jpegs
from gzutils.data.challenge import SOLUTIONS, TRAINING_IMAGES
from gzutils.data.solutions import read_solutions
from gzutils.data.store import open_store, split_galaxies
from gzutils.learning.checkpoint import Checkpoint
from gzutils.tools import files, records

REFUSED, LEFT_OUT, TAKEN, MADE_ANEW = "refused", "galaxy left out", "read as it is meant", "made anew"


class Made:
    """Finished work, each kind made when a test first asks for it."""

    def __init__(self) -> None:
        self._place = tempfile.TemporaryDirectory()
        self.folder = Path(self._place.name)

    def _do(self, task) -> Path:
        task(self.folder / task.__name__)
        return self.folder / task.__name__

    @cached_property
    def survey(self) -> Path:
        return self._do(work.survey)

    @cached_property
    def store(self) -> Path:
        return self._do(work.store)

    @cached_property
    def train(self) -> Path:
        return self._do(work.train)

    @cached_property
    def compute_features(self) -> Path:
        return self._do(work.compute_features)

    @cached_property
    def notebooks(self) -> Path:
        return self._do(work.notebooks)


MADE = Made()


def refused(function, *arguments, **options) -> tuple[str, str]:
    """What is said by a call that is refused, in words of the kit's own, not of some library."""
    with pytest.raises((ValueError, OSError, SystemExit)) as error:
        function(*arguments, **options)
    last = error.traceback[-1]
    assert Path(last.path).is_relative_to(Path(runs.__file__).parents[1]), error.getrepr()
    assert str(last.statement).lstrip().startswith(("raise ", "sys.exit(")), error.getrepr()
    return REFUSED, str(error.value)


@contextlib.contextmanager
def unchanged(folder: Path):
    before = work.contents(folder)
    yield
    assert work.contents(folder) == before


# ---- raw files


def picture(spoil):
    """One of ten pictures of the challenge is spoilt: `spoil` of its bytes."""

    def scene(made, folder):
        whole = open_store(next((made.store / "data").glob("store-*")))
        work.copy(made.store / "raw", folder / "raw")
        path = folder / "raw" / TRAINING_IMAGES / "100053.jpg"
        path.write_bytes(spoil(path.read_bytes()))
        tracemalloc.start()
        with pytest.raises(ValueError, match=r"JPEG|expected 424x424"):
            jpegs.preprocess(path.read_bytes())
        assert tracemalloc.get_traced_memory()[1] < 20_000_000, "it was decoded"
        tracemalloc.stop()
        store = open_store(work.store(folder), verify_images=True)
        kept = whole.galaxy_ids != 100053
        for name in ("galaxy_ids", "labels", "images"):
            np.testing.assert_array_equal(getattr(store, name), getattr(whole, name)[kept])
        return LEFT_OUT, store.manifest["rejected"]["100053"]

    return scene


def saved_as(mode="RGB", form="JPEG", size=(424, 424)):
    return lambda jpeg: noise_jpeg(1, mode=mode, form=form, size=size)


def claiming(side):
    """The same JPEG, but its header claims another size."""

    def spoil(jpeg):
        start = jpeg.index(b"\xff\xc0")
        return jpeg[: start + 5] + side.to_bytes(2, "big") * 2 + jpeg[start + 9 :]

    return spoil


def unmatched(made, folder):
    """An image without labels, labels without an image."""
    work.copy(made.store / "raw", folder / "raw")
    images = folder / "raw" / TRAINING_IMAGES
    (images / "100008.jpg").rename(images / "100009.jpg")
    store = open_store(work.store(folder))
    assert store.galaxy_ids.tolist() == sorted({*work.IDS} - {100008})
    counted = {name: count for name, count in store.manifest.items() if "without" in name}
    return LEFT_OUT, str(counted)


def archive(make):
    """The zip of the training images is another file: `make` of its path."""

    def scene(made, folder):
        make(folder / f"{TRAINING_IMAGES}.zip")
        make_zip(folder / f"{SOLUTIONS}.zip", [(f"{SOLUTIONS}.csv", b"GalaxyID")])
        with unchanged(folder):
            said = refused(challenge.find, folder, folder / "cache")
        assert f"{folder / TRAINING_IMAGES}.zip" in said[1]
        return said

    return scene


def holding(name, data=b"x", **attributes):
    """A zip with one good image and one odd member."""
    member = zipfile.ZipInfo(name)
    member.compress_type = zipfile.ZIP_DEFLATED
    for key, value in attributes.items():
        setattr(member, key, value)
    return lambda path: make_zip(path, [("1.jpg", b"x"), (member, data)])


def table(change):
    """The table of labels is changed: `change` of its rows, as lists of words, the first with the names."""

    def scene(made, folder):
        path = folder / f"{SOLUTIONS}.csv"
        source = made.store / "raw" / f"{SOLUTIONS}.csv"
        rows = list(csv.reader(io.StringIO(source.read_text())))
        path.write_bytes(change(rows) if isinstance(change(rows), bytes) else lines(change(rows)).encode())
        with unchanged(folder):
            if path.read_bytes().startswith(b"\xef\xbb\xbf"):
                for read, whole in zip(
                    read_solutions(path), read_solutions(made.store / "raw" / path.name), strict=True
                ):
                    np.testing.assert_array_equal(read, whole)
                return TAKEN, ""
            said = refused(read_solutions, path)
        assert said[1].startswith(str(path))
        return said

    return scene


def lines(rows, separator=","):
    return "".join(separator.join(row) + "\n" for row in rows)


def cell(column, value):
    """The value of the second galaxy is another one."""

    def change(rows):
        rows[2][rows[0].index(column)] = value
        return rows

    return table(change)


# ---- what the kit has written


def spoilt_store(spoil):
    def scene(made, folder):
        store = next((made.store / "data").glob("store-*"))
        copied = work.copy(store, folder / "store")
        spoil(copied)
        with unchanged(folder):
            said = refused(open_store, copied, verify_images=True)
        assert f"delete {copied} and run notebook 01 again" in said[1]
        return said

    return scene


def spoilt(task, spoil):
    """Finished work is spoilt: `spoil` of its folder; then the same is asked for again."""

    def scene(made, folder):
        work.copy(getattr(made, task.__name__), folder)
        spoil(folder)
        with unchanged(folder):
            return refused(task, folder)

    return scene


def repaired(task, spoil):
    """Finished work lacks something; the same call makes it again, and nothing else."""

    def scene(made, folder):
        whole = getattr(made, task.__name__)
        work.copy(whole, folder)
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.jpg")}
        spoil(folder)
        task(folder)
        assert_same(folder, whole)
        after = {path: path.stat().st_mtime_ns for path in before}
        assert sum(before[path] != after[path] for path in before) <= 1
        return MADE_ANEW, ""

    return scene


def of_version(version):
    def spoil(folder):
        manifest = records.read_json(folder / "manifest.json")
        records.write_json(folder / "manifest.json", manifest | {"version": version})

    return spoil


def flip(name):
    def spoil(folder):
        data = bytearray((folder / name).read_bytes())
        data[-3] ^= 1
        (folder / name).write_bytes(data)

    return spoil


def cut_off(name):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-40])


def replaced(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def without(name):
    return lambda folder: (folder / name).unlink()


class Trap:
    """Unpickled, it leaves a file where everybody sees it."""

    def __reduce__(self):
        return Path("sprung").touch, ()


def pickled(name):
    """A pickle that runs code, in an array file with a right checksum."""

    def spoil(folder):
        array = np.array([Trap()], object)
        if name.endswith(".npz"):
            unfinish(folder)
            np.savez(folder / name, history=array)
            return
        np.save(folder / name, array, allow_pickle=True)
        if (folder / "manifest.json").exists():
            manifest = records.read_json(folder / "manifest.json")
            manifest["sha256"][name] = records.sha256(folder / name)
            records.write_json(folder / "manifest.json", manifest)

    return spoil


def unfinish(folder, checkpoint=b""):
    """A finished training becomes one that was cut off."""
    for name in ("trained/model.keras", "trained/history.csv"):
        (folder / name).unlink()
    (folder / "trained/checkpoint.npz").write_bytes(checkpoint)


def with_code(folder):
    """A model file with a Lambda layer, which holds Python's byte code."""
    import keras

    layer = keras.layers.Lambda(lambda x: x * 2, output_shape=(37,))
    keras.Sequential([keras.Input((37,)), layer]).save(folder / "trained/model.keras")


def of_another_keras(version, cut=False):
    """A model file whose setting this Keras does not know, from the version that knows it."""

    def spoil(folder):
        path = folder / "trained/model.keras"
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        metadata, config = json.loads(parts["metadata.json"]), json.loads(parts["config.json"])
        config["config"]["layers"][2]["config"]["setting_of_another_version"] = 1
        parts["metadata.json"] = json.dumps(metadata | {"keras_version": version}).encode()
        parts["config.json"] = json.dumps(config).encode()
        make_zip(path, parts.items())
        if cut:
            path.write_bytes(path.read_bytes()[:-40])

    return spoil


def begun_under(version, **differing):
    """A record of settings, written under another version of Keras, which described some of them in other words."""

    def spoil(folder):
        (path,) = (path for path in folder.glob("*/*.json") if path.name in ("training.json", "features.json"))
        record = records.read_json(path)
        record["versions"]["keras"] = version
        records.write_json(path, record | differing)

    return spoil


# ---- the disk


@contextlib.contextmanager
def no_file_above(size):
    """Writing beyond `size` bytes fails as on a full disk; the signal that comes with it is ignored by Python."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def inputs(task):
    return lambda made, folder: work.copy_inputs(getattr(made, task.__name__), folder)


def full_disk(task, size, before=None):
    """The disk is full after `size` bytes of a file. With room again, the same call ends as if nothing had been."""

    def scene(made, folder):
        (before or inputs(task))(made, folder)
        kept = work.contents(folder)
        with no_file_above(size):
            said = refused(task, folder)
        now = work.contents(folder)
        assert {name: now.get(name) for name in kept} == kept
        assert not [name for name in now if re.search(r"/\.[^/]*\.\d+-", name)], "half a file stays"
        task(folder)
        assert_same(folder, getattr(made, task.__name__))
        return said

    return scene


def always_full(made, folder):
    """Linux has a file on a disk that is always full."""

    def write():
        with files.whole_file(folder / "numbers.csv") as beside:
            beside.symlink_to("/dev/full")
            beside.write_text("1, 2, 3")

    (folder / "numbers.csv").write_text("earlier")
    with unchanged(folder):
        return refused(write)


def too_full(task):
    """The disk has a thousand bytes left, as is seen before any work."""

    def scene(made, folder):
        before = work.copy_inputs(getattr(made, task.__name__), folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
            said = refused(task, before)
        assert sum(map(len, work.contents(folder / work.OUTPUTS[task.__name__]).values())) < 5000
        return said

    return scene


def no_right(task):
    """The folder may not be written: by its mode for most, by another user's id for root, whom no mode keeps out."""

    def scene(made, folder):
        with tempfile.TemporaryDirectory() as place:  # pytest's own are closed to other users
            here = work.copy_inputs(getattr(made, task.__name__), Path(place) / "work")
            for path in (here, *here.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
            os.chmod(place, 0o755)
            with unchanged(here):
                if os.geteuid() == 0:
                    os.seteuid(65534)
                try:
                    return refused(task, here)
                finally:
                    os.seteuid(os.getuid())
                    for path in (here, *here.rglob("*")):
                        path.chmod(0o755)

    return scene


def after_one_epoch(made, folder):
    """A training that was stopped after its first epoch."""
    work.copy_inputs(made.train, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "finished", lambda state, recipe: len(state.history) == 1 and _stop())
        with pytest.raises(InterruptedError):
            work.train(folder)


def _stop():
    raise InterruptedError


# ---- ends like the undisturbed


def assert_same(folder: Path, undisturbed: Path) -> None:
    """Two folders hold the same but for times: of files, of epochs, of batches."""
    one, other = essence(folder), essence(undisturbed)
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []


def essence(folder: Path) -> dict:
    kept = {}
    for name, data in work.contents(folder).items():
        if name.endswith(".keras"):
            import keras

            weights = keras.saving.load_model(folder / name, compile=False).get_weights()
            data = [values.tobytes() for values in weights]
        elif name.endswith("history.csv"):
            data = [line.rsplit(",", 1)[0] for line in data.decode().splitlines()]
            assert "seconds" not in data[0]
        elif name.endswith("progress.json"):
            data = records.read_json(folder / name)["batches"]
        elif "/notebooks/" in name or name.endswith(".html"):  # papermill's own times and the machine's paths
            data = None
        elif name.startswith("notebooks/") or name.endswith(".lock"):
            continue
        kept[name] = data
    return kept


# ---- parameters


def set_up(profile="smoke", **others):
    """What the notebooks do with their parameters before they open the store; `others` by names in small letters.

    Patience and batch size are no parameters: those of the profile's recipe are changed.
    """
    changed = {name: others.pop(name) for name in ("patience", "batch_size") if name in others}
    run = runs.begin("02_parallel_cnn", {"PROFILE": profile} | {name.upper(): others[name] for name in others})
    run.set_up_training()
    assert run.constraint_weight >= 0
    plan = run.plan("vgg16")
    replace(plan, recipe=replace(plan.recipe, **changed))
    return run


def asked(**parameters):
    """A parameter makes no sense."""

    def scene(made, folder):
        said = refused(set_up, **parameters)
        assert {path.name for path in folder.rglob("*") if path.is_file()} <= {"run.json"}
        return said

    return scene


def empty_split(made, folder):
    whole = split_galaxies(60)
    work.copy_inputs(made.train, folder)
    with pytest.MonkeyPatch.context() as patch:
        empty = replace(whole, validation=whole.validation[:0])
        patch.setattr("gzutils.data.store.split_galaxies", lambda count: empty)
        with unchanged(folder):
            return refused(work.train, folder)


def damaged_run(made, folder):
    run = set_up()
    (run.folder.parent / "run.json").write_text("[")
    with unchanged(folder):
        return refused(set_up)
