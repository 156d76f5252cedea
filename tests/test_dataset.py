"""The opened store, its split, and its batches: nothing damaged gets in, every galaxy is where it belongs."""

import shutil

import numpy as np
import pytest
from conftest import make_labels, write_challenge
from hypothesis import given, settings
from hypothesis import strategies as st

from gzutils.data import challenge
from gzutils.data.preprocessing import build_store
from gzutils.data.store import Examples, Split, Store, few_of, open_store, split_galaxies
from gzutils.learning.batches import Batches
from gzutils.tools import backend, records

IDS = [100053, 100008, 100078, 100023, 100090, 100091, 100122]
ARRAYS = ("images.npy", "labels.npy", "galaxy_ids.npy")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return build_store(challenge.find(write_challenge(folder / "raw", IDS), folder / "cache"), folder / "store")


@pytest.fixture
def voted(folder):
    """A store with counts of votes."""
    votes = np.arange(7 * 37, dtype=np.int32).reshape(7, 37)
    replace_array(folder, "votes.npy", votes)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A store that a test may spoil."""
    return shutil.copytree(made, tmp_path / "store")


# ---- opening


def test_an_opened_store_is_what_was_made(folder):
    for verify in (False, True):
        store = open_store(folder, verify_images=verify)
        assert (len(store), store.folder) == (7, folder)
        assert store.galaxy_ids.tolist() == sorted(IDS)
        assert (store.images.shape, store.images.dtype) == ((7, 64, 64, 3), np.uint8)
        assert (store.labels.shape, store.labels.dtype) == ((7, 37), np.float32)
        assert store.manifest["galaxies"] == 7


def test_an_opened_store_has_its_votes(voted):
    np.testing.assert_array_equal(open_store(voted).votes, np.arange(7 * 37).reshape(7, 37))
    assert open_store(voted).votes.dtype == np.int32


def test_damaged_votes_are_refused(voted):
    """Fails where the votes are opened without a look at their checksum, shape or presence."""
    good = (voted / "votes.npy").read_bytes()
    (voted / "votes.npy").write_bytes(good[:-1] + b"\x01")
    check_refused(voted, "votes.npy", "has changed since it was written")
    (voted / "votes.npy").unlink()
    check_refused(voted, "votes.npy", r"is no store: votes\.npy missing")
    replace_array(voted, "votes.npy", np.zeros((7, 37)))
    check_refused(voted, "votes.npy", r"has \(7, 37\) float64, expected \(7, 37\)")


def test_images_stay_on_disk_and_cannot_be_changed_there(folder):
    images = open_store(str(folder)).images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_the_fingerprint_names_the_contents(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert open_store(moved).fingerprint == open_store(folder).fingerprint
    manifest = records.read_json(moved / "manifest.json")
    labels = np.load(moved / "labels.npy")[::-1]
    replace_array(moved, "labels.npy", labels)
    assert open_store(moved).fingerprint != open_store(folder).fingerprint
    assert manifest["sha256"] == open_store(folder).manifest["sha256"]


def replace_array(folder, name, array, allow_pickle=False):
    """Another array with the right checksum."""
    np.save(folder / name, array, allow_pickle=allow_pickle)
    manifest = records.read_json(folder / "manifest.json")
    manifest["sha256"][name] = records.sha256(folder / name)
    records.write_json(folder / "manifest.json", manifest)


def check_refused(folder, name, problem, verify_images=False):
    with pytest.raises(ValueError, match=problem) as error:
        open_store(folder, verify_images)
    message = str(error.value)
    assert str(folder) in message
    assert name in message
    assert f"delete {folder} and run notebook 01 again" in message


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    check_refused(tmp_path / "nowhere", "nowhere", r"manifest\.json, images\.npy, labels\.npy, galaxy_ids\.npy missing")


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"version": 1}', '{"version": 1, "galaxies": 7}'])
def test_a_damaged_manifest_is_refused(folder, content):
    (folder / "manifest.json").write_text(content)
    check_refused(folder, "manifest.json", "damaged|no JSON|not a JSON")


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("left", [0, 5, 100, 200])
def test_an_array_that_is_cut_off_is_refused(folder, name, left):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:left] if left < 200 else data[:-1])
    check_refused(folder, name, "damaged|changed")


@pytest.mark.parametrize("name", ARRAYS)
def test_no_damage_to_the_header_of_an_array_gets_through(folder, name):
    good = (folder / name).read_bytes()
    for position in range(0, 118):
        for byte in b"\x00 '(9\xff":
            if good[position] == byte:
                continue
            (folder / name).write_bytes(good[:position] + bytes([byte]) + good[position + 1 :])
            try:
                store = open_store(folder)
            except ValueError as error:
                assert name in str(error)  # noqa: PT017
            else:
                assert store.images.shape == (7, 64, 64, 3)


@pytest.mark.parametrize(
    ("name", "array", "problem"),
    [
        ("images.npy", np.zeros((6, 64, 64, 3), np.uint8), r"has \(6, 64, 64, 3\) uint8, expected \(7, 64, 64, 3\)"),
        ("images.npy", np.zeros((7, 64, 64, 3), np.float32), r"has \(7, 64, 64, 3\) float32, expected"),
        ("labels.npy", np.zeros((7, 36), np.float32), r"has \(7, 36\) float32, expected \(7, 37\)"),
        ("labels.npy", np.zeros((7, 37)), r"has \(7, 37\) float64, expected"),
        ("galaxy_ids.npy", np.arange(8), r"has \(8,\) int64, expected \(7,\)"),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(folder, name, array, problem):
    replace_array(folder, name, array)
    check_refused(folder, name, problem)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (np.zeros((8, 3)), r"targets of shape \(8, 3\), but 7 galaxies"),
        (3.0, r"targets of shape \(\), but 7 galaxies"),
        (["a"] * 7, "have to be numbers"),
        ([0, 1, 2, 3, 4, 5, np.nan], "none of them NaN"),
    ],
)
def test_targets_that_do_not_belong_to_the_galaxies_are_refused(folder, targets, words):
    with pytest.raises(ValueError, match=words):
        open_store(folder).examples(targets)


def test_other_targets_make_other_examples(folder):
    store = open_store(folder)
    named = [store.examples(targets).fingerprint for targets in (None, [0] * 7, [0] * 7, [1] * 7)]
    assert named[1] == named[2]
    assert len(set(named)) == 3


# ---- the split


def test_the_challenge_is_split_as_in_the_report():
    split = split_galaxies(61_578)
    assert (len(split.train), len(split.validation), len(split.test)) == (39_409, 9_853, 12_316)


@given(count=st.integers(5, 3000), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_galaxy_is_in_exactly_one_part(count, seed):
    split = split_galaxies(count, seed)
    parts = (split.train, split.validation, split.test)
    assert np.sort(np.concatenate(parts)).tolist() == list(range(count))
    assert min(map(len, parts)) >= 1
    for part, share in zip(parts, (0.64, 0.16, 0.20), strict=True):
        assert abs(len(part) - share * count) < 2
    again = split_galaxies(count, seed)
    for part, same in zip(parts, (again.train, again.validation, again.test), strict=True):
        np.testing.assert_array_equal(part, same)


@given(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2, unique=True))
@settings(max_examples=20, deadline=None)
def test_another_seed_gives_another_split(seeds):
    first, second = (set(split_galaxies(500, seed).test.tolist()) for seed in seeds)
    assert first != second


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_galaxies_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} galaxies cannot be split into training, validation and test"):
        split_galaxies(count)


# ---- batches


def numbered_examples(count):
    """Those of a store whose images and labels tell which row they are."""
    rows = np.arange(count)
    images = np.zeros((count, 64, 64, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = rows // 256, rows % 256
    labels = np.tile(rows[:, None], (1, 37)).astype(np.float32)
    return Store(None, images, labels, rows, {"sha256": {}}).examples()


NUMBERED = numbered_examples(400)


def rows_of(batches):
    """The rows that are seen, in order; each image has to come with its own labels."""
    seen = []
    for i in range(len(batches)):
        images, labels = batches[i]
        assert images.dtype == np.uint8
        assert images.shape == (len(labels), 64, 64, 3)
        numbers = images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 0, 1]
        np.testing.assert_array_equal(labels, np.tile(numbers[:, None], (1, 37)))
        seen += numbers.tolist()
    return seen


def test_few_galaxies_are_the_first_of_each_part_with_their_own_targets():
    many = Examples(np.arange(20) * 10, np.arange(20) * 100, "many")
    split = Split(np.array([[3, 9, 5], [7, 8, 6]]), np.array([0, 2]), np.array([11, 19, 4, 1]))
    few, parts = few_of(many, split, train=2, others=3)
    for part, rows in (("train", [3, 9]), ("validation", [0, 2]), ("test", [11, 19, 4])):
        np.testing.assert_array_equal(few.inputs[getattr(parts, part)], np.array(rows) * 10)
        np.testing.assert_array_equal(few.targets[getattr(parts, part)], np.array(rows) * 100)
    assert len(few.inputs) == 7
    assert few.fingerprint != many.fingerprint
    assert few_of(many, split, train=1, others=3)[0].fingerprint != few.fingerprint
    assert few_of(many, split, train=2, others=3)[0].fingerprint == few.fingerprint


def test_the_constraint_studys_shares_leave_the_test_galaxies_as_they_are():
    usual, study = split_galaxies(1000, 3), split_galaxies(1000, 3, validation_one_in=10)
    assert [len(rows) for rows in vars(study).values()] == [720, 80, 200]
    assert np.array_equal(study.test, usual.test)
    assert sorted(np.concatenate(list(vars(study).values()))) == list(range(1000))


@given(
    count=st.integers(1, 300),
    batch_size=st.integers(1, 350),
    order_seed=st.none() | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 500)),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_batches_show_every_row_exactly_once(count, batch_size, order_seed, seed):
    rows = np.random.default_rng(seed).permutation(400)[:count]
    batches = Batches(NUMBERED, rows, batch_size, order_seed)
    sizes = [len(batches[i][1]) for i in range(len(batches))]
    assert all(size == batch_size for size in sizes[:-1])
    assert 1 <= sizes[-1] <= batch_size
    assert sorted(rows_of(batches)) == sorted(rows.tolist())
    if order_seed is None:
        assert rows_of(batches) == rows.tolist()


def test_the_order_follows_from_the_order_seed_alone():
    rows = np.arange(0, 400, 2)
    first = rows_of(Batches(NUMBERED, rows, 32, (7, 3)))
    np.random.seed(1)  # noqa: NPY002
    assert rows_of(Batches(NUMBERED, rows, 50, (7, 3))) == first
    assert first != sorted(first)
    for other in ((7, 4), (8, 3), (3, 7)):
        assert rows_of(Batches(NUMBERED, rows, 32, other)) != first
    assert rows.tolist() == list(range(0, 400, 2)), "the split itself is left alone"


def test_batches_come_from_the_files(folder):
    store = open_store(folder)
    images, labels = Batches(store.examples(), np.array([5, 2]), 8)[0]
    np.testing.assert_array_equal(images, np.load(folder / "images.npy")[[5, 2]])
    np.testing.assert_array_equal(labels, np.load(folder / "labels.npy")[[5, 2]])
    np.testing.assert_array_equal(labels[0], make_labels(7).astype(np.float32)[IDS.index(sorted(IDS)[5])])


@pytest.mark.parametrize("batch_size", [0, -1])
def test_empty_batches_are_refused(batch_size):
    with pytest.raises(ValueError, match=f"the batch size is {batch_size}; it has to be at least 1"):
        Batches(NUMBERED, np.arange(5), batch_size)


@pytest.mark.parametrize(("replicas", "batch_size", "count"), [(2, 8, 53), (4, 8, 54), (3, 6, 5)])
def test_shared_batches_divide_evenly_and_leave_out_fewer_galaxies_than_there_are_devices(
    monkeypatch, replicas, batch_size, count
):
    monkeypatch.setattr(backend, "replicas", lambda: replicas)
    batches = Batches(NUMBERED, np.arange(count), batch_size, (0, 0), shared=True)
    sizes = [len(batches[i][0]) for i in range(len(batches))]
    assert all(size % replicas == 0 for size in sizes)
    assert count - replicas < sum(sizes) <= count
    with pytest.raises(ValueError, match="cannot share it evenly"):
        Batches(NUMBERED, np.arange(count), batch_size + 1, shared=True)


def test_the_parts_of_two_processes_make_the_whole_batch(monkeypatch):
    monkeypatch.setattr(backend, "replicas", lambda: 2)

    def shared_batches(processes, process):
        monkeypatch.setattr(backend, "processes", lambda: processes)
        monkeypatch.setattr(backend, "process", lambda: process)
        batches = Batches(NUMBERED, np.arange(22), 8, (0, 0), shared=True)
        return [batches[i][0] for i in range(len(batches))]

    whole, first, second = shared_batches(1, 0), shared_batches(2, 0), shared_batches(2, 1)
    assert [len(batch) for batch in first] == [4, 4, 3]
    for batch, part, other_part in zip(whole, first, second, strict=True):
        assert np.array_equal(batch, np.concatenate([part, other_part]))


def test_targets_may_be_a_row_of_numbers_a_galaxy(folder):
    """The change of the code that fails here: `targets.shape[:2]` for `[:1]` in `Store.examples`."""
    examples = open_store(folder).examples(np.eye(7, 3))
    np.testing.assert_array_equal(examples.targets, np.eye(7, 3))


@pytest.mark.parametrize("name", ["labels.npy", "galaxy_ids.npy"])
def test_a_changed_byte_of_labels_or_ids_is_found_at_each_opening(folder, name):
    """Of the images it is looked for when asked. The change of the code that fails here: `name < "images.npy"`."""
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 1
    (folder / name).write_bytes(data)
    check_refused(folder, name, r"has changed since it was written \(checksum\)")
