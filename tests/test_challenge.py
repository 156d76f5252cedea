"""The challenge's files: found in every layout, read safely, refused in words that help."""

import contextlib
import os
import shutil
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from conftest import IDS, check_found, image, image_members, make_zip, solutions_csv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gzutils.data.archives import COMPETITION, ChallengeError
from gzutils.data.challenge import SOLUTIONS, TEST_IMAGES, TRAINING_IMAGES, Images, find
from gzutils.tools.files import NotWritten


def damage(path, name):
    """Flips bits of one member's data."""
    with zipfile.ZipFile(path) as archive:
        position = archive.getinfo(name).header_offset + 30 + len(name) + 5
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


def bundle_of(zips, path):
    return make_zip(path, [(file.name, file.read_bytes()) for file in zips.iterdir()])


# ---- find


def test_find_zips(zips, tmp_path):
    check_found(find(str(zips), tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("folder", [COMPETITION, f"competitions/{COMPETITION}"])
def test_find_one_level_down(zips, tmp_path, folder):
    target = tmp_path / "data" / folder
    target.parent.mkdir(parents=True)
    zips.rename(target)
    check_found(find(tmp_path / "data", tmp_path / "cache"))


@pytest.mark.parametrize("image_folder", ["{0}", "{0}/{0}"])
@pytest.mark.parametrize("table", [f"{SOLUTIONS}.csv", f"{SOLUTIONS}/{SOLUTIONS}.csv"])
def test_find_unpacked(tmp_path, image_folder, table):
    for name, ids in ((TRAINING_IMAGES, IDS), (TEST_IMAGES, [200001])):
        folder = tmp_path / "data" / image_folder.format(name)
        folder.mkdir(parents=True)
        for i in ids:
            (folder / f"{i}.jpg").write_bytes(image(i))
        (folder / ".DS_Store").write_bytes(b"x")
        (folder / "notes.jpg").write_bytes(b"x")
    (tmp_path / "data" / table).parent.mkdir(exist_ok=True)
    solutions_csv(tmp_path / "data" / table)
    check_found(find(tmp_path / "data", tmp_path / "cache"))


@pytest.mark.parametrize("give", ["the zip", "its folder"])
def test_find_nested_zip(zips, tmp_path, give):
    (tmp_path / "data").mkdir()
    bundle = bundle_of(zips, tmp_path / "data" / f"{COMPETITION}.zip")
    found = find(bundle if give == "the zip" else tmp_path / "data", tmp_path / "cache")
    check_found(found)
    copy = found.training_images.path
    assert tmp_path / "cache" in copy.parents
    assert copy.name == f"{TRAINING_IMAGES}.zip"
    before = copy.stat().st_mtime_ns
    again = find(bundle, tmp_path / "cache")
    assert again.training_images.path == copy
    assert copy.stat().st_mtime_ns == before, "an inner zip is copied once"
    copy.write_bytes(b"half")
    check_found(find(bundle, tmp_path / "cache"))


def test_find_competition_zip_with_the_images_directly_in_it(tmp_path):
    table = solutions_csv(tmp_path / "table.csv").read_bytes()
    members = image_members(TRAINING_IMAGES) + image_members(TEST_IMAGES, (200001,))
    bundle = make_zip(tmp_path / "renamed.zip", [*members, (f"{SOLUTIONS}.csv", table)])
    found = find(bundle, tmp_path / "cache")
    check_found(found)
    assert found.test_images.galaxy_ids().tolist() == [200001]
    assert [path.name for path in (tmp_path / "cache").rglob("*.*")] == [f"{SOLUTIONS}.csv"]


def test_find_without_test_images(zips, tmp_path):
    (zips / f"{TEST_IMAGES}.zip").unlink()
    found = find(zips, tmp_path / "cache")
    assert found.test_images is None


def test_find_says_what_is_missing_and_what_is_there(zips, tmp_path):
    (zips / f"{SOLUTIONS}.zip").rename(zips / "my labels.zip")
    with pytest.raises(ChallengeError) as error:
        find(zips, tmp_path / "cache")
    message = str(error.value)
    assert message.startswith(f"{zips}: {SOLUTIONS} of the Galaxy Zoo challenge not found")
    assert f"Looked for {TRAINING_IMAGES}.zip" in message
    assert "my labels.zip" in message
    assert f"https://www.kaggle.com/competitions/{COMPETITION}/data" in message


@pytest.mark.parametrize("make", [True, False])
def test_find_in_an_empty_or_absent_folder(tmp_path, make):
    if make:
        (tmp_path / "data").mkdir()
    with pytest.raises(ChallengeError, match=f"{TRAINING_IMAGES} and {SOLUTIONS} .* not found.* found nothing"):
        find(tmp_path / "data", tmp_path / "cache")


def test_a_competition_zip_that_lacks_a_file_shows_what_it_holds(tmp_path):
    bundle = make_zip(tmp_path / f"{COMPETITION}.zip", [("all_zeros_benchmark.zip", b"x")])
    with pytest.raises(ChallengeError, match=r"found all_zeros_benchmark\.zip"):
        find(bundle, tmp_path / "cache")


@pytest.mark.parametrize("name", [TRAINING_IMAGES, TEST_IMAGES, SOLUTIONS])
def test_find_looks_into_each_of_the_zips(zips, tmp_path, name):
    file = zips / f"{name}.zip"
    file.write_bytes(b"GIF89a")
    with pytest.raises(ChallengeError, match="no zip") as error:
        find(zips, tmp_path / "cache")
    assert str(file) in str(error.value)
    assert "download it again" in str(error.value)
    assert "logged in" in str(error.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_find_refuses_a_damaged_inner_zip_and_keeps_nothing_of_it(zips, tmp_path, compression):
    bundle = make_zip(tmp_path / "b.zip", [(file.name, file.read_bytes()) for file in zips.iterdir()], compression)
    damage(bundle, f"{TRAINING_IMAGES}.zip")
    with pytest.raises(ChallengeError, match=rf"b\.zip: {TRAINING_IMAGES}\.zip cannot be copied out of it \("):
        find(bundle, tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_find_looks_at_the_disk_before_it_copies(zips, tmp_path, monkeypatch):
    bundle = bundle_of(zips, tmp_path / f"{COMPETITION}.zip")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(NotWritten, match=r"the copy of images_\w+\.zip out of .* MB are free; make room") as error:
        find(bundle, tmp_path / "cache")
    assert str(tmp_path / "cache") in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_identity_follows_the_data_and_not_the_place(zips, tmp_path):
    first = find(zips, tmp_path / "cache").identity()
    assert str(tmp_path) not in str(first)
    moved = zips.rename(tmp_path / "elsewhere")
    assert find(moved, tmp_path / "cache").identity() == first
    make_zip(moved / f"{TRAINING_IMAGES}.zip", image_members(TRAINING_IMAGES, IDS[:2]))
    second = find(moved, tmp_path / "cache").identity()
    assert second["training_images"] != first["training_images"]
    assert second["solutions"] == first["solutions"]


@pytest.mark.parametrize(
    "change",
    [
        lambda zips: (zips / f"{TEST_IMAGES}.zip").unlink(),
        lambda zips: make_zip(zips / f"{TEST_IMAGES}.zip", image_members(TEST_IMAGES, (200001, 200002))),
        lambda zips: [os.utime(path, (1, 1)) for path in zips.iterdir()],  # copied, or downloaded once more
        lambda zips: make_zip(zips / f"{TRAINING_IMAGES}.zip", image_members(TRAINING_IMAGES), zipfile.ZIP_STORED),
        lambda zips: (zips / "notes.txt").write_text("x"),
    ],
    ids=["no test images", "others", "times", "compression", "a note"],
)
def test_identity_is_that_of_the_training_pictures_and_their_labels_alone(zips, tmp_path, change):
    first = find(zips, tmp_path / "cache").identity()
    change(zips)
    assert find(zips, tmp_path / "cache").identity() == first


def test_other_pictures_of_the_same_size_and_time_are_others(zips, tmp_path):
    path = zips / f"{TRAINING_IMAGES}.zip"
    make_zip(path, image_members(TRAINING_IMAGES), zipfile.ZIP_STORED)
    os.utime(path, (1, 1))
    first, size = find(zips, tmp_path / "cache").identity(), path.stat().st_size
    members = [(name, data[::-1]) for name, data in image_members(TRAINING_IMAGES)]
    make_zip(path, members, zipfile.ZIP_STORED)
    os.utime(path, (1, 1))
    assert path.stat().st_size == size
    assert find(zips, tmp_path / "cache").identity() != first


def test_identity_of_a_folder(tmp_path):
    folder = tmp_path / TRAINING_IMAGES
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"12345")
    first = Images(folder).identity()
    assert (first["images"], first["size"]) == (1, 5)
    (folder / "2.jpg").write_bytes(b"123")
    assert (Images(folder).identity()["images"], Images(folder).identity()["size"]) == (2, 8)


# ---- images


def test_ids_are_ascending_whole_numbers_and_other_names_are_ignored(tmp_path):
    names = ["9.jpg", "x/10.jpg", "__MACOSX/._11.jpg", ".DS_Store", "12.jpeg", "13.jpg.txt", "a14.jpg", "x/15.jpg/"]
    images = Images(make_zip(tmp_path / "i.zip", [(name, b"") for name in names]))
    assert images.galaxy_ids().dtype == np.int64
    assert images.galaxy_ids().tolist() == [9, 10]


def test_of_several_sets_in_one_zip_only_the_named_folders_own_images_count(tmp_path):
    """The faults: those of a folder below it, or of one beside it, are taken for its own."""
    names = ["images/1.jpg", "images/small/2.jpg", "others/3.jpg", "4.jpg", "all/images/5.jpg"]
    path = make_zip(tmp_path / "i.zip", [(name, b"") for name in names])
    assert Images(path, inside="images").galaxy_ids().tolist() == [1, 5]


def test_an_image_that_is_not_there(tmp_path):
    path = make_zip(tmp_path / "i.zip", image_members("images"))
    with pytest.raises(ChallengeError, match=r"i\.zip: there is no image of galaxy 5 in it; delete the file and"):
        Images(path).read(5)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_image_is_named_and_the_others_are_read(tmp_path, compression):
    path = make_zip(tmp_path / "i.zip", image_members("images"), compression)
    damage(path, "images/100008.jpg")
    images = Images(path)
    with pytest.raises(ChallengeError, match=r"i\.zip: the image of galaxy 100008 is damaged .*download it again"):
        images.read(100008)
    assert images.read(100023) == image(100023)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255), packed=st.booleans())
def test_whatever_byte_is_damaged_the_image_is_right_or_refused(tmp_path, position, bits, packed):
    compression = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    path = make_zip(tmp_path / "i.zip", [("images/1.jpg", image(1)), ("images/2.jpg", image(2))], compression)
    data = bytearray(path.read_bytes())
    data[int(position * len(data))] ^= bits
    path.write_bytes(data)
    with contextlib.suppress(ChallengeError):
        assert Images(path).read(2) == image(2)


def test_a_zip_without_images(tmp_path):
    with pytest.raises(ChallengeError, match=r"i\.zip: there is no image named <GalaxyID>\.jpg"):
        Images(make_zip(tmp_path / "i.zip", [("readme.txt", b"x")])).galaxy_ids()


@pytest.mark.parametrize("second", ["b/100008.jpg", "a/0100008.jpg"])
def test_a_galaxy_that_is_there_twice(tmp_path, second):
    path = make_zip(tmp_path / "i.zip", [("a/100008.jpg", b"x"), (second, b"y")])
    with pytest.raises(ChallengeError, match=r"i\.zip: galaxy 100008 is in it twice"):
        Images(path).galaxy_ids()


def test_encrypted_images_are_refused(tmp_path):
    path = make_zip(tmp_path / "i.zip", [("1.jpg", b"x")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ChallengeError, match=r"i\.zip: '1\.jpg' in it is encrypted"):
        Images(path).galaxy_ids()


def test_a_size_that_is_a_lie_is_found_while_reading(tmp_path):
    path = make_zip(tmp_path / "i.zip", [("1.jpg", bytes(60_000_000))])
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 1000)
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(ChallengeError, match=r"i\.zip: the image of galaxy 1 is damaged"):
        Images(path).read(1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000, "a bomb is not unpacked in memory"


def test_an_absurdly_large_file_in_a_folder_is_refused(tmp_path):
    with open(tmp_path / "1.jpg", "wb") as file:
        file.truncate(10_000_001)
    with pytest.raises(ChallengeError, match="the image of galaxy 1 is larger than 10,000,000 bytes"):
        Images(tmp_path).read(1)


@pytest.mark.parametrize(("count", "said"), [(5, "4; download"), (7, "4 and 2 more; download")])
def test_of_many_files_five_are_named_and_how_many_more_there_are(tmp_path, count, said):
    """The change of the code that fails here: `items[:6]` in `shortlist`, which then counts the sixth twice."""
    for number in range(count):
        (tmp_path / f"{number}").touch()
    with pytest.raises(ChallengeError, match=f"found 0, 1, 2, 3, {said}"):
        find(tmp_path, tmp_path / "cache")
