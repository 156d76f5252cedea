"""From JPEGs and a CSV to the store: the right pixels, the right rows, and nothing half made after a kill."""

import dataclasses
import functools
import io
import multiprocessing
import os
import re
import shutil
import threading

import numpy as np
import pytest
from conftest import make_labels, make_zip, noise_jpeg, write_challenge
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from gzutils.data import challenge, jpegs, preprocessing
from gzutils.data.archives import ChallengeError
from gzutils.data.challenge import SOLUTIONS, TEST_IMAGES, TRAINING_IMAGES, Images
from gzutils.data.jpegs import preprocess
from gzutils.data.preprocessing import build_store, find_or_make_raw, find_or_make_store
from gzutils.data.simulation import survey
from gzutils.data.solutions import read_solutions, write_solutions
from gzutils.data.store import open_store
from gzutils.data.view import REPORT_VIEW
from gzutils.decision_tree import COLUMNS, shares_of_counts
from gzutils.tools import records, workers

UPPER = 320  # rows that the report's view needs, in whole blocks
IDS = [100091, 100008, 100078, 100023, 100143, 100053, 100122, 100090, 100134, 100128]


# ---- one image


@pytest.mark.parametrize("quality", [20, 75, 95])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_result_is_that_of_the_plain_pillow_call(seed, quality):
    jpeg = noise_jpeg(seed, quality)
    expected = Image.open(io.BytesIO(jpeg)).crop((107, 107, 317, 317)).resize((64, 64), Image.Resampling.BICUBIC)
    result = preprocess(jpeg)
    assert (result.shape, result.dtype) == ((64, 64, 3), np.uint8)
    np.testing.assert_array_equal(result, np.asarray(expected))


def encoded(**how):
    """Noise as one of the kinds of JPEG that there are."""
    pixels = np.random.default_rng(0).integers(0, 256, (424, 424, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **how)
    return file.getvalue()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("how", [{}, {"restart_marker_rows": 1}, {"progressive": True}, {"comment": b"\xff\xd9" * 99}])
def test_that_the_lowest_rows_are_not_decoded_changes_no_pixel(subsampling, how):
    jpeg = encoded(subsampling=subsampling, **how)
    decoded = np.asarray(Image.open(io.BytesIO(jpeg)))
    upper = jpegs._upper_rows(jpeg, UPPER)
    assert (upper is None) == ("progressive" in how)
    unusual = "progressive" in how or "restart_marker_rows" in how
    centre = jpegs._centre_of_usual(jpeg, REPORT_VIEW)
    assert (centre is None) == unusual, "the usual ones, and no others, are decoded the fast way"
    if upper:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(upper)))[:317], decoded[:317])
    expected = Image.fromarray(decoded).crop((107, 107, 317, 317)).resize((64, 64), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(preprocess(jpeg), np.asarray(expected))


def with_factors(jpeg, luma, red=0x11):
    """The same JPEG, but its header says other sampling factors."""
    start = jpeg.index(b"\xff\xc0")
    changed = bytearray(jpeg)
    changed[start + 11], changed[start + 17] = luma, red
    return bytes(changed)


@pytest.mark.parametrize("red", [0x11, 0x12, 0x21, 0x22, 0x14])
@pytest.mark.parametrize("luma", [*(16 * h + v for h in range(5) for v in range(5)), 0xF1, 0xFF])
def test_whatever_a_jpeg_says_of_its_sampling_pillow_has_the_last_word(luma, red):
    """4:4:1 (0x14), which the fast decoder has no name for, 4:1:1 (0x41), others, and factors that are not allowed."""
    jpeg = with_factors(noise_jpeg(1), luma, red)
    try:
        expected = Image.open(io.BytesIO(jpeg)).crop((107, 107, 317, 317)).resize((64, 64), Image.Resampling.BICUBIC)
    except Exception:
        expected = None
    try:
        result = preprocess(jpeg)
    except ValueError:
        assert expected is None
    else:
        assert expected is not None
        np.testing.assert_array_equal(result, np.asarray(expected))


def test_a_store_has_the_galaxies_that_the_fast_decoder_cannot_place(source, tmp_path):
    whole = load(build_store(source, tmp_path / "whole"))
    for galaxy_id, luma in ((100008, 0x14), (100023, 0x41), (100053, 0x00)):
        path = source.training_images.path / f"{galaxy_id}.jpg"
        path.write_bytes(with_factors(path.read_bytes(), luma))
    *_, manifest = load(build_store(source, tmp_path / "store"))
    assert whole[3]["galaxies"] == 10
    assert set(manifest["rejected"]) == {"100053"}
    assert "damaged JPEG" in manifest["rejected"]["100053"]


def test_a_jpeg_that_lacks_only_rows_below_the_crop_is_refused():
    jpeg = encoded()
    assert len(jpeg) > 20_000
    for missing in (100, 1000, len(jpeg) // 10):
        with pytest.raises(ValueError, match="damaged JPEG: image file is truncated"):
            preprocess(jpeg[:-missing])


def test_only_the_central_210_pixels_count():
    def framed(border):
        pixels = np.full((424, 424, 3), border, np.uint8)
        pixels[96:328, 96:328] = np.random.default_rng(0).integers(0, 256, (232, 232, 3))  # whole JPEG blocks
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", subsampling=0)
        return file.getvalue()

    np.testing.assert_array_equal(preprocess(framed(0)), preprocess(framed(255)))


@settings(max_examples=80, deadline=None)
@given(position=st.integers(0, 2**20), byte=st.integers(0, 255), cut=st.none() | st.integers(0, 2**20))
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_whatever_is_damaged_there_is_the_image_that_pillow_reads_or_a_reason(position, byte, cut):
    """The change of the code that fails here: `preprocess` gives black pixels for what Pillow refuses."""
    jpeg = bytearray(noise_jpeg(1, 20))
    # Half of the draws hit the header, where a wrong byte does most.
    jpeg[position % (len(jpeg) if position % 2 else 650)] = byte
    if cut is not None:
        del jpeg[cut % len(jpeg) :]
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            expected = image.crop((107, 107, 317, 317)).resize((64, 64), Image.Resampling.BICUBIC)
        usable = (image.size, image.mode) == ((424, 424), "RGB")
    except Exception:
        expected, usable = None, False
    try:
        result = preprocess(bytes(jpeg))
    except ValueError as error:
        result = error
    if isinstance(result, ValueError):
        assert not usable
        assert re.search("JPEG|expected 424x424 RGB", str(result))
    else:
        assert result.shape == (64, 64, 3)
        if expected is None:  # damaged below the crop, which is not decoded
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
                with Image.open(io.BytesIO(jpeg)) as image:
                    expected = image.crop((107, 107, 317, 317)).resize((64, 64), Image.Resampling.BICUBIC)
        assert np.array_equal(result, expected)


# ---- the store


@pytest.fixture
def source(tmp_path):
    """A challenge of ten galaxies."""
    return challenge.find(write_challenge(tmp_path / "raw", IDS), tmp_path / "cache")


@pytest.fixture
def reads(monkeypatch):
    """The ids of all images that are read, in any order."""
    seen, lock, read = [], threading.Lock(), Images.read

    def spy(self, galaxy_id):
        with lock:
            seen.append(galaxy_id)
        return read(self, galaxy_id)

    monkeypatch.setattr(Images, "read", spy)
    return seen


def spoil(source, galaxy_ids):
    for galaxy_id in galaxy_ids:
        (source.training_images.path / f"{galaxy_id}.jpg").write_bytes(noise_jpeg(1, mode="L"))


def load(store):
    names = ("galaxy_ids", "labels", "images")
    return (*(np.load(store / f"{name}.npy") for name in names), records.read_json(store / "manifest.json"))


def contents(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


def check_rows(store, source, expected_ids):
    """Every row holds one galaxy's own image and labels, looked up by id in the raw files."""
    galaxy_ids, labels, images, _ = load(store)
    assert galaxy_ids.dtype == np.int64
    assert galaxy_ids.tolist() == expected_ids
    assert (labels.shape, labels.dtype) == ((len(expected_ids), 37), np.float32)
    assert (images.shape, images.dtype) == ((len(expected_ids), 64, 64, 3), np.uint8)
    own = dict(zip(*read_solutions(source.solutions), strict=True))
    for galaxy_id, label, picture in zip(galaxy_ids, labels, images, strict=True):
        np.testing.assert_array_equal(label, own[galaxy_id])
        np.testing.assert_array_equal(picture, preprocess(source.training_images.read(galaxy_id)))


def test_rows_are_sorted_by_id_and_image_and_labels_belong_together(source, tmp_path):
    store = build_store(source, tmp_path / "made" / "store")
    assert store == tmp_path / "made" / "store"
    check_rows(store, source, sorted(IDS))
    given_labels = make_labels(len(IDS)).astype(np.float32)  # in the order of the CSV, which is not that of the ids
    np.testing.assert_array_equal(load(store)[1][0], given_labels[IDS.index(min(IDS))])
    assert sorted(path.name for path in store.parent.iterdir()) == ["store"], "nothing half made stays beside it"
    assert sorted(contents(store)) == ["galaxy_ids.npy", "images.npy", "labels.npy", "manifest.json"]


def test_the_manifest_tells_where_the_store_comes_from(source, tmp_path):
    store = build_store(source, tmp_path / "store", description={"data": "noise"})
    manifest = load(store)[3]
    assert (manifest["source"], manifest["galaxies"], manifest["rejected"]) == ({"data": "noise"}, 10, {})
    assert manifest["raw_bytes_as_array"] == 10 * 424 * 424 * 3
    assert manifest["settings"]["crop"] == 210
    for name in ("images.npy", "labels.npy", "galaxy_ids.npy"):
        assert manifest["sha256"][name] == records.sha256(store / name)
    assert load(build_store(source, tmp_path / "other"))[3]["source"] == source.identity()


def with_votes(source, folder, ids=IDS):
    """The source with counts of votes beside it: of a galaxy each answer as many as its id's last two digits say."""
    table = folder / "votes.csv"
    rows = (f"{i}," + ",".join(str(i % 100 + place) for place in range(37)) for i in ids)
    table.write_text("\n".join([",".join(["GalaxyID", *COLUMNS]), *rows]) + "\n")
    return dataclasses.replace(source, votes=table)


def test_votes_stand_in_the_row_of_their_galaxy(source, tmp_path):
    """Also beside rejected galaxies; fails where the votes keep the table's order or its rejected rows."""
    spoil(source, [100053])
    folder = build_store(with_votes(source, tmp_path), tmp_path / "store")
    store = open_store(folder)
    kept = sorted(set(IDS) - {100053})
    assert (store.votes.shape, store.votes.dtype) == ((9, 37), np.int32)
    np.testing.assert_array_equal(store.votes, [[i % 100 + place for place in range(37)] for i in kept])
    assert load(folder)[3]["sha256"]["votes.npy"] == records.sha256(folder / "votes.npy")
    check_rows(folder, source, kept)


def test_the_challenge_has_no_votes(source, tmp_path):
    assert open_store(build_store(source, tmp_path / "store")).votes is None


def test_votes_change_nothing_for_what_was_trained_without_them(source, tmp_path):
    """Fails where the fingerprint, by which a run knows its galaxies, counts the votes in."""
    without, with_them = (
        open_store(build_store(one, tmp_path / name))
        for one, name in ((source, "without"), (with_votes(source, tmp_path), "with"))
    )
    assert with_them.fingerprint == without.fingerprint
    assert records.fingerprint(without.manifest["sha256"]) == without.fingerprint, "as it was named before votes"


def test_votes_of_other_galaxies_are_refused(source, tmp_path):
    with pytest.raises(ChallengeError, match=r"votes\.csv: its galaxies are not those of .*; delete both"):
        build_store(with_votes(source, tmp_path, IDS[1:]), tmp_path / "store")


def test_what_a_source_left_out_stands_in_the_manifest(source, tmp_path):
    class Survey(challenge.Challenge):
        @property
        def left_out(self):
            return {"without a picture": 3}

    assert load(build_store(source, tmp_path / "none"))[3]["left_out"] == {}
    store = build_store(Survey(source.training_images, source.solutions, None), tmp_path / "store")
    assert load(store)[3]["left_out"] == {"without a picture": 3}


def test_rejected_images_are_listed_with_their_reason_and_the_other_rows_still_match(source, tmp_path):
    (source.training_images.path / "100053.jpg").write_bytes(noise_jpeg(5)[:-1500])
    (source.training_images.path / "100023.jpg").write_bytes(b"")
    store = build_store(source, tmp_path / "store")
    kept = sorted(set(IDS) - {100053, 100023})
    check_rows(store, source, kept)
    manifest = load(store)[3]
    assert list(manifest["rejected"]) == ["100023", "100053"]
    assert manifest["rejected"]["100023"] == "100023.jpg: not a JPEG file"
    assert manifest["rejected"]["100053"].startswith("100053.jpg: damaged JPEG: image file is truncated")
    assert manifest["galaxies"] == 8


def test_a_damaged_member_of_a_zip_is_rejected_too(source, tmp_path):
    members = [(f"{i}.jpg", noise_jpeg(i)) for i in IDS]
    path = make_zip(tmp_path / f"{TRAINING_IMAGES}.zip", members)
    data = bytearray(path.read_bytes())
    data[data.index(b"100078.jpg") + 3000] ^= 0xFF
    path.write_bytes(data)
    packed = challenge.Challenge(Images(path), source.solutions, None)
    store = build_store(packed, tmp_path / "store")
    check_rows(store, packed, sorted(set(IDS) - {100078}))
    assert "the image of galaxy 100078 is damaged" in load(store)[3]["rejected"]["100078"]


def test_only_as_many_images_are_read_as_galaxies_are_asked_for(source, tmp_path, reads):
    store = build_store(source, tmp_path / "store", galaxies=4)
    assert sorted(reads) == sorted(IDS)[:4]
    check_rows(store, source, sorted(IDS)[:4])


def test_more_galaxies_than_there_are_give_all(source, tmp_path):
    check_rows(build_store(source, tmp_path / "store", galaxies=99), source, sorted(IDS))


def test_images_and_labels_of_other_galaxies_are_refused(source, tmp_path):
    write_solutions(source.solutions, [1, 2], make_labels(2))
    with pytest.raises(ChallengeError, match="no galaxy in common; check that they belong together") as error:
        build_store(source, tmp_path / "store")
    assert f"{source.training_images.path} (10 images) and {source.solutions} (2 rows)" in str(error.value)


def test_the_bytes_do_not_depend_on_the_number_of_processes(source, tmp_path, monkeypatch):
    spoil(source, [100090])
    (source.training_images.path / "100023.jpg").unlink()
    (source.training_images.path / "100023.jpg").mkdir()  # cannot be read, however often it is tried
    monkeypatch.setattr(preprocessing, "CHUNK", 4)
    monkeypatch.setattr(jpegs, "HANDED_OVER", 3)
    made = [contents(build_store(source, tmp_path / "one"))]
    monkeypatch.setattr(jpegs, "WORTH_PROCESSES", 1)
    for processes in (2, 3):
        monkeypatch.setattr(workers, "cores", lambda count=processes: count)
        made.append(contents(build_store(source, tmp_path / f"store{processes}")))
    assert made[0] == made[1] == made[2]


def test_the_processes_start_while_the_table_is_read(source, tmp_path, monkeypatch):
    """The fault: they start with the first galaxies, and this process waits for them with nothing to do."""
    monkeypatch.setattr(jpegs, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    read, started = challenge.Challenge.labels, []

    def labels(self):
        started.append(len(multiprocessing.active_children()))
        return read(self)

    monkeypatch.setattr(challenge.Challenge, "labels", labels)
    build_store(source, tmp_path / "store")
    assert started == [2]


def test_a_link_to_a_picture_is_followed_and_one_that_leads_nowhere_is_left_out(source, tmp_path):
    pictures = source.training_images.path
    (pictures / "100008.jpg").rename(tmp_path / "elsewhere.jpg")
    (pictures / "100008.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    for galaxy_id, place in ((100023, "nowhere"), (100053, "100053.jpg")):
        (pictures / f"{galaxy_id}.jpg").unlink()
        (pictures / f"{galaxy_id}.jpg").symlink_to(place)
    store = find_or_make_store("kaggle", tmp_path / "data", tmp_path / "raw")
    check_rows(store, source, sorted({*IDS} - {100023, 100053}))
    assert set(load(store)[3]["rejected"]) == {"100023", "100053"}
    assert find_or_make_store("kaggle", tmp_path / "data", tmp_path / "raw") == store


# ---- too many rejected


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return write_challenge(tmp_path_factory.mktemp("many"), range(1, 41))


@pytest.fixture
def forty(many, tmp_path):
    return challenge.find(shutil.copytree(many, tmp_path / "raw"), tmp_path / "cache")


def test_ten_rejected_images_are_borne(forty, tmp_path):
    spoil(forty, range(1, 11))
    check_rows(build_store(forty, tmp_path / "store"), forty, list(range(11, 41)))


def test_more_stop_the_call_every_time_until_the_files_are_mended(forty, tmp_path):
    spoil(forty, range(3, 14))
    for _ in range(2):
        with pytest.raises(ChallengeError, match="11 of the first 40 images cannot be used") as error:
            build_store(forty, tmp_path / "store")
        message = str(error.value)
        assert message.startswith(f"{forty.training_images.path}: ")
        assert "the first is 3.jpg: 424x424 pixels, mode L; expected 424x424 RGB" in message
        assert "get them anew" in message
        assert not (tmp_path / "store").exists()
    for i in range(3, 14):
        (forty.training_images.path / f"{i}.jpg").write_bytes(noise_jpeg(i))
    check_rows(build_store(forty, tmp_path / "store"), forty, list(range(1, 41)))


def test_the_limit_is_a_share_of_the_images(forty, tmp_path):
    spoil(forty, range(1, 20))
    check_rows(build_store(forty, tmp_path / "store", max_rejected=0.5), forty, list(range(20, 41)))


def test_the_call_stops_when_the_limit_is_passed_and_not_at_the_end(forty, tmp_path, monkeypatch, reads):
    monkeypatch.setattr(preprocessing, "CHUNK", 4)
    spoil(forty, range(1, 41))
    with pytest.raises(ChallengeError, match="12 of the first 12 images cannot be used"):
        build_store(forty, tmp_path / "store")
    assert len(reads) == 12


def test_a_store_without_any_galaxy_is_not_made(source, tmp_path):
    spoil(source, IDS)
    with pytest.raises(ChallengeError, match="10 of the first 10 images cannot be used"):
        build_store(source, tmp_path / "store")
    assert not (tmp_path / "store").exists()


# ---- interrupted and called again


class Interrupted(Exception):
    pass


@pytest.fixture
def chunks_of_three(monkeypatch):
    monkeypatch.setattr(preprocessing, "CHUNK", 3)


def assert_the_next_call_goes_on(source, tmp_path, reads, undisturbed):
    """After a call that broke off at the eighth image, in the third chunk of three."""
    assert not (tmp_path / "store").exists()
    reads.clear()
    store = build_store(source, tmp_path / "store")
    assert sorted(reads) == sorted(IDS)[6:], "the first two chunks are not read again"
    assert contents(store) == undisturbed
    assert not (tmp_path / "store.partial").exists()


@pytest.mark.parametrize("spoilt", [[], [100008, 100122]])
def test_an_interrupted_call_goes_on_and_the_store_is_the_same(source, tmp_path, reads, chunks_of_three, spoilt):
    spoil(source, spoilt)
    undisturbed = contents(build_store(source, tmp_path / "undisturbed"))
    read = Images.read

    def fail_at_the_eighth(self, galaxy_id):
        if galaxy_id == sorted(IDS)[7]:
            raise Interrupted
        return read(self, galaxy_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Images, "read", fail_at_the_eighth)
        with pytest.raises(Interrupted):
            build_store(source, tmp_path / "store")
    assert_the_next_call_goes_on(source, tmp_path, reads, undisturbed)


@pytest.mark.parametrize("spoilt", [[], [100008, 100122]])
def test_whenever_the_call_breaks_off_the_next_one_makes_the_same_store(source, tmp_path, monkeypatch, spoilt):
    """Breaks off before each single step that changes files, from the first to the last, as a kill does."""
    monkeypatch.setattr(preprocessing, "CHUNK", 5)
    spoil(source, spoilt)
    monkeypatch.setattr(jpegs, "preprocess", functools.cache(preprocess))
    undisturbed = contents(build_store(source, tmp_path / "undisturbed"))
    steps, fatal, process = 0, 0, os.getpid()

    def breaking(function):
        def step(*args, **kwargs):
            nonlocal steps
            steps += 1
            if fatal and steps >= fatal:  # from here on it does nothing more, not even tidy up
                raise Interrupted
            return function(*args, **kwargs)

        return step

    for module, name in ((os, "replace"), (os, "rename"), (os, "unlink"), (os, "mkdir"), (np, "save")):
        monkeypatch.setattr(module, name, breaking(getattr(module, name)))
    build_store(source, tmp_path / "counted")
    count = steps
    assert count > 15
    for last in range(1, count + 1):
        store = tmp_path / f"store{last}"
        steps, fatal = 0, last
        with pytest.raises(Interrupted):
            build_store(source, store)
        fatal = 0
        monkeypatch.setattr(os, "getpid", lambda last=last: process + last)  # another process goes on
        assert contents(build_store(source, store)) == undisturbed, f"broken off before step {last}"


def test_what_another_set_of_galaxies_left_is_not_taken_up(source, tmp_path, chunks_of_three):
    whole = contents(build_store(source, tmp_path / "undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preprocessing, "_finish", lambda *args: None)
        build_store(source, tmp_path / "store", galaxies=7)
    assert (tmp_path / "store.partial").is_dir()
    assert contents(build_store(source, tmp_path / "store")) == whole


# ---- find or make


def test_a_simulated_store_is_made_once_and_serves_without_its_raw_files(tmp_path, monkeypatch):
    store = find_or_make_store("simulated", tmp_path, galaxies=6, seed=1)
    manifest = load(store)[3]
    assert (manifest["galaxies"], manifest["source"]["data"], manifest["source"]["seed"]) == (6, "simulated", 1)
    check_rows(store, find_or_make_raw("simulated", tmp_path, galaxies=6, seed=1), list(range(100001, 100007)))
    np.testing.assert_allclose(shares_of_counts(open_store(store).votes), load(store)[1], rtol=0, atol=1e-7)

    before = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    (raw,) = tmp_path.glob("simulated-*")
    shutil.rmtree(raw)
    monkeypatch.setattr(survey, "make_survey", lambda *args, **kwargs: pytest.fail("drawn again"))
    assert find_or_make_store("simulated", tmp_path, galaxies=6, seed=1) == store
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == before


def test_other_simulated_data_make_another_store(tmp_path, monkeypatch):
    first = find_or_make_store("simulated", tmp_path, galaxies=3, seed=1)
    fewer = find_or_make_store("simulated", tmp_path, galaxies=2, seed=1)
    other = find_or_make_store("simulated", tmp_path, galaxies=3, seed=2)
    monkeypatch.setattr(survey, "identity", lambda seed: {"seed": seed, "version": -1})
    redrawn = find_or_make_store("simulated", tmp_path, galaxies=3, seed=1)
    assert len({first, fewer, other, redrawn}) == 4
    np.testing.assert_array_equal(load(fewer)[2], load(first)[2][:2])
    assert (load(other)[2] != load(first)[2]).any()


@pytest.mark.parametrize("packed", [False, True])
def test_a_store_of_the_challenge_is_made_once(tmp_path, reads, packed):
    raw = write_challenge(tmp_path / "raw", IDS)
    if packed:
        unpacked, raw = raw, tmp_path / "zips"
        raw.mkdir()
        make_zip(raw / f"{TRAINING_IMAGES}.zip", [(f"{TRAINING_IMAGES}/{i}.jpg", noise_jpeg(i)) for i in IDS])
        make_zip(raw / f"{SOLUTIONS}.zip", [(f"{SOLUTIONS}.csv", (unpacked / f"{SOLUTIONS}.csv").read_bytes())])
    store = find_or_make_store("kaggle", tmp_path / "data", raw)
    assert store.parent == tmp_path / "data"
    check_rows(store, find_or_make_raw("kaggle", tmp_path / "data", raw), sorted(IDS))
    reads.clear()
    assert find_or_make_store("kaggle", tmp_path / "data", raw) == store
    assert reads == []


def test_other_files_of_the_challenge_make_another_store(tmp_path):
    raw = write_challenge(tmp_path / "raw", IDS)
    first = find_or_make_store("kaggle", tmp_path / "data", str(raw))
    fewer = find_or_make_store("kaggle", tmp_path / "data", raw, galaxies=3)
    assert load(fewer)[0].tolist() == sorted(IDS)[:3]
    (raw / TRAINING_IMAGES / "100008.jpg").write_bytes(noise_jpeg(999))
    second = find_or_make_store("kaggle", tmp_path / "data", raw)
    moved = find_or_make_store("kaggle", tmp_path / "data", raw.rename(tmp_path / "elsewhere"))
    assert len({first, fewer, second}) == 3
    assert moved == second, "the place of the files is no part of what they are"
    np.testing.assert_array_equal(load(second)[2][0], preprocess(noise_jpeg(999)))


def test_pictures_for_the_submission_that_come_later_make_no_second_store(tmp_path, reads):
    raw = write_challenge(tmp_path / "raw", IDS)
    store = find_or_make_store("kaggle", tmp_path / "data", raw)
    reads.clear()
    make_zip(raw / f"{TEST_IMAGES}.zip", [(f"{TEST_IMAGES}/200001.jpg", noise_jpeg(1))])
    assert find_or_make_store("kaggle", tmp_path / "data", raw) == store
    assert reads == []
    assert len(list((tmp_path / "data").glob("store-*"))) == 1


def test_without_a_folder_the_challenge_is_downloaded_beside_the_store(tmp_path, monkeypatch):
    monkeypatch.setattr(preprocessing, "download", lambda folder: write_challenge(folder, IDS))
    store = find_or_make_store("kaggle", tmp_path)
    assert store.parent == tmp_path
    assert (tmp_path / "kaggle" / TRAINING_IMAGES).is_dir()
    assert load(store)[0].tolist() == sorted(IDS)


@pytest.mark.parametrize("make", [find_or_make_store, find_or_make_raw])
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"data": "mars"}, "data is one of simulated, gz2, kaggle, not 'mars'"),
        ({"data": "simulated", "galaxies": None}, "simulated survey needs a number of galaxies, at least 1, not None"),
        ({"data": "simulated", "galaxies": 0}, "0|at least 1"),
        ({"data": "simulated", "galaxies": -3}, "-3"),
        (
            {"data": "simulated", "galaxies": 5, "data_dir": "raw"},
            'goes with "gz2" or "kaggle" data, not with "simulated"',
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused_and_nothing_is_made(tmp_path, make, arguments, problem):
    with pytest.raises(ValueError, match=problem):
        make(folder=tmp_path / "data", **arguments)
    assert not (tmp_path / "data").exists()


def test_a_data_folder_for_simulated_galaxies_is_refused_also_where_their_store_exists(tmp_path):
    find_or_make_store("simulated", tmp_path, galaxies=2)
    with pytest.raises(ValueError, match='goes with "gz2" or "kaggle" data'):
        find_or_make_store("simulated", tmp_path, data_dir="raw", galaxies=2)


@pytest.mark.parametrize("galaxies", [0, -1])
def test_no_galaxies_of_the_challenge_cannot_be_asked_for(tmp_path, galaxies):
    with pytest.raises(ValueError, match=f"{galaxies} galaxies were asked for; ask for at least 1"):
        find_or_make_store("kaggle", tmp_path / "data", tmp_path, galaxies)


def test_the_limit_on_missing_images_is_a_share_of_the_galaxies_too(many, tmp_path):
    """The change of the code that fails here: `max_rejected / wanted` for `max_rejected * wanted`."""
    raw = shutil.copytree(many, tmp_path / "raw")
    for galaxy_id in range(1, 20):
        (raw / TRAINING_IMAGES / f"{galaxy_id}.jpg").unlink()
    source = challenge.find(raw, tmp_path / "cache")
    check_rows(build_store(source, tmp_path / "store", max_rejected=0.5), source, list(range(20, 41)))
