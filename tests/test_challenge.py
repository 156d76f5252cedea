"""The challenge's files: found in every layout, read safely, refused in words that help, written exactly."""

import contextlib
import csv
import io
import pickle
import shutil
import stat
import struct
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kagglehub
import numpy as np
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kagglehub.exceptions import DataCorruptionError, KaggleApiHTTPError, UnauthenticatedError

from gzutils import challenge
from gzutils.challenge import (
    COMPETITION,
    PAGE,
    SOLUTIONS,
    TEST_IMAGES,
    TRAINING_IMAGES,
    ChallengeError,
    Images,
    download,
    find,
    read_solutions,
    write_solutions,
    write_submission,
)
from gzutils.decision_tree import COLUMNS, QUESTIONS, source_columns

IDS = (100023, 100008, 100078)


def image(galaxy_id):
    return b"\xff\xd8" + str(galaxy_id).encode() * 50


def make_labels(count, seed=0):
    """Random votes sent down the tree, in float64."""
    draw = np.random.default_rng(seed)
    labels = np.zeros((count, 37))
    for number in (1, 6, 2, 7, 9, 3, 4, 10, 11, 5, 8):
        question = QUESTIONS[number - 1]
        sources = [COLUMNS.index(column) for column in source_columns(number)]
        total = labels[:, sources].sum(axis=1) if sources else np.ones(count)
        labels[:, question.slice] = draw.dirichlet(np.ones(len(question.answers)), count) * total[:, None]
    return labels


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def damage(path, name):
    """Flips bits of one member's data."""
    with zipfile.ZipFile(path) as archive:
        position = archive.getinfo(name).header_offset + 30 + len(name) + 5
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)


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


def bundle_of(zips, path):
    return make_zip(path, [(file.name, file.read_bytes()) for file in zips.iterdir()])


def check_found(found):
    assert found.training_images.galaxy_ids().tolist() == sorted(IDS)
    assert found.training_images.read(100008) == image(100008)
    assert found.test_images.galaxy_ids().tolist() == [200001]
    assert found.test_images.read(200001) == image(200001)
    ids, labels = read_solutions(found.solutions)
    assert ids.tolist() == sorted(IDS)
    assert labels.shape == (3, 37)


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
    assert pickle.loads(pickle.dumps(found.test_images)).galaxy_ids().tolist() == [200001]
    assert [path.name for path in (tmp_path / "cache").rglob("*.*")] == [f"{SOLUTIONS}.csv"]


def test_find_without_test_images(zips, tmp_path):
    (zips / f"{TEST_IMAGES}.zip").unlink()
    found = find(zips, tmp_path / "cache")
    assert found.test_images is None
    assert found.identity()["test_images"] is None


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
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\n<!DOCTYPE html><html>Log in</html>", "looks like a web page"),
        (b"", "the file is empty"),
        (b"GIF89a", "no zip"),
        (None, "cut off or damaged"),
    ],
)
def test_find_refuses_what_is_no_zip(zips, tmp_path, name, content, problem):
    file = zips / f"{name}.zip"
    file.write_bytes(file.read_bytes()[:-30] if content is None else content)
    with pytest.raises(ChallengeError, match=problem) as error:
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
    with pytest.raises(ChallengeError, match=r"copy of images_\w+\.zip out of .* GB are free; make room") as error:
        find(bundle, tmp_path / "cache")
    assert str(tmp_path / "cache") in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_identity_follows_the_data_and_not_the_place(zips, tmp_path):
    first = find(zips, tmp_path / "cache").identity()
    assert first["solutions"]["name"] == f"{SOLUTIONS}.zip"
    assert str(tmp_path) not in str(first)
    moved = zips.rename(tmp_path / "elsewhere")
    assert find(moved, tmp_path / "cache").identity() == first
    make_zip(moved / f"{TRAINING_IMAGES}.zip", image_members(TRAINING_IMAGES, IDS[:2]))
    second = find(moved, tmp_path / "cache").identity()
    assert second["training_images"] != first["training_images"]
    assert second["solutions"] == first["solutions"]


def test_identity_of_a_folder(tmp_path):
    folder = tmp_path / TRAINING_IMAGES
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"12345")
    first = Images(folder).identity()
    assert (first["name"], first["images"], first["size"]) == (TRAINING_IMAGES, 1, 5)
    (folder / "2.jpg").write_bytes(b"123")
    assert (Images(folder).identity()["images"], Images(folder).identity()["size"]) == (2, 8)


# ---- images


def test_ids_are_ascending_whole_numbers_and_other_names_are_ignored(tmp_path):
    names = ["9.jpg", "x/10.jpg", "__MACOSX/._11.jpg", ".DS_Store", "12.jpeg", "13.jpg.txt", "a14.jpg", "x/15.jpg/"]
    images = Images(make_zip(tmp_path / "i.zip", [(name, b"") for name in names]))
    assert images.galaxy_ids().dtype == np.int64
    assert images.galaxy_ids().tolist() == [9, 10]


@pytest.mark.parametrize("packed", [True, False])
def test_reading_from_many_threads_and_from_a_pickled_copy(tmp_path, packed):
    ids = np.arange(1000, 1300)
    path = make_zip(tmp_path / "i.zip", image_members("images", ids))
    if not packed:
        path = tmp_path / "images"
        zipfile.ZipFile(tmp_path / "i.zip").extractall(tmp_path)
    images = Images(path)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.read, ids)) == [image(i) for i in ids]
    copy = pickle.loads(pickle.dumps(images))
    assert copy.read(1005) == image(1005)
    assert len(pickle.dumps(images)) < 500, "neither the table of contents nor the open file goes along"


def test_after_a_fork_the_zip_is_opened_anew(tmp_path, monkeypatch):
    images = Images(make_zip(tmp_path / "i.zip", image_members("images")))
    images.read(100008)
    parents = images._archive
    monkeypatch.setattr(challenge.os, "getpid", lambda: -1)
    assert images.read(100008) == image(100008)
    assert images._archive is not parents


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


@pytest.mark.parametrize("name", ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", "..\\1.jpg", "C:/1.jpg", "../other.txt"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    path = make_zip(tmp_path / "i.zip", [("2.jpg", b"x"), (name, b"x")])
    with pytest.raises(ChallengeError, match=r"i\.zip: the name .* leads out of its folder") as error:
        Images(path).read(2)
    assert repr(name) in str(error.value)


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("images/1.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = make_zip(tmp_path / "i.zip", [(link, b"/etc/passwd")])
    with pytest.raises(ChallengeError, match=r"i\.zip: 'images/1\.jpg' in it is a link"):
        Images(path).galaxy_ids()


def test_encrypted_images_are_refused(tmp_path):
    path = make_zip(tmp_path / "i.zip", [("1.jpg", b"x")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ChallengeError, match=r"i\.zip: '1\.jpg' in it is encrypted"):
        Images(path).galaxy_ids()


def test_foreign_compression_is_refused(tmp_path):
    path = make_zip(tmp_path / "i.zip", [("1.jpg", b"x")], zipfile.ZIP_LZMA)
    with pytest.raises(ChallengeError, match=r"'1\.jpg' in it is compressed by a method"):
        Images(path).galaxy_ids()


def test_an_absurdly_large_image_is_refused_before_it_is_read(tmp_path):
    path = make_zip(tmp_path / "i.zip", [("1.jpg", bytes(10_000_001))])
    assert path.stat().st_size < 20_000
    with pytest.raises(ChallengeError, match=r"i\.zip: '1\.jpg' in it has 10,000,001 bytes, more than 10,000,000"):
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


# ---- the table of labels


def table_rows(path):
    return list(csv.reader(io.StringIO(path.read_text())))


def write_rows(path, rows, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(0, 10**18 - 1), min_size=1, max_size=6, unique=True),
    seed=st.integers(0, 2**32 - 1),
    order=st.permutations(range(38)),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    packed=st.booleans(),
)
def test_what_is_written_is_read_back_in_whatever_order(tmp_path, ids, seed, order, encoding, packed):
    labels = make_labels(len(ids), seed).astype(np.float32)
    path = tmp_path / f"{SOLUTIONS}.csv"
    write_solutions(path, ids, labels)
    write_rows(path, [[row[i] for i in order] for row in table_rows(path)], encoding=encoding)
    if packed:
        path = make_zip(tmp_path / f"{SOLUTIONS}.zip", [(path.name, path.read_bytes())])
    read_ids, read_labels = read_solutions(path)
    assert (read_ids.dtype, read_labels.dtype) == (np.int64, np.float32)
    assert read_ids.tolist() == sorted(ids)
    np.testing.assert_array_equal(read_labels, labels[np.argsort(ids)])


def test_the_written_format_is_the_challenge_s(tmp_path):
    labels = np.zeros((1, 37))
    labels[0, [0, 14, 15]] = 1.0, 0.611499, 0.388501
    labels[0, [13, 14]] = 0.611499, 0.388501
    labels[0, 15:18] = 0.25, 0.749999, 0.000001
    labels[0, 18] = 0.611499
    path = tmp_path / "made" / "table.csv"
    write_solutions(path, [100008], labels)
    first, second, rest = path.read_bytes().split(b"\n")
    assert first == ",".join(["GalaxyID", *COLUMNS]).encode()
    assert second == b"100008,1" + b",0" * 12 + b",0.611499,0.388501,0.25,0.749999,0.000001,0.611499" + b",0" * 18
    assert rest == b""


BAD_CELLS = [
    ("Class1.1", "n/a", r"row 2 \(galaxy 100008\): Class1\.1 is 'n/a', not a number"),
    ("Class11.6", "", r"row 2 \(galaxy 100008\): Class11\.6 is '', not a number"),
    ("Class1.2", "nan", r"row 2 \(galaxy 100008\): Class1\.2 is 'nan', not a number"),
    ("Class1.2", "inf", r"row 2 \(galaxy 100008\): Class1\.2 is inf, not a share"),
    ("Class6.1", "1.2", r"row 2 \(galaxy 100008\): Class6\.1 is 1\.2, not a share between 0 and 1"),
    ("Class6.1", "-0.2", r"row 2 \(galaxy 100008\): Class6\.1 is -0\.2, not a share between 0 and 1"),
    ("Class6.1", "0.99999", r"row 2 \(galaxy 100008\): the answers of question 6 .* miss Class6\.1 \+ Class6\.2 = 1"),
    ("GalaxyID", "100008.5", r"row 2: GalaxyID is '100008\.5', not a whole number"),
    ("GalaxyID", "", r"row 2: GalaxyID is '', not a whole number"),
    ("GalaxyID", "100023", r"more than one row of galaxy 100023"),
]


@pytest.mark.parametrize(("column", "value", "problem"), BAD_CELLS)
def test_a_bad_value_is_named_with_its_row(tmp_path, column, value, problem):
    rows = table_rows(solutions_csv(tmp_path / "table.csv"))
    rows[2][rows[0].index(column)] = value
    write_rows(tmp_path / "table.csv", rows)
    with pytest.raises(ChallengeError, match=r"table\.csv: .*" + problem + ".*download it again"):
        read_solutions(tmp_path / "table.csv")


def test_columns_that_are_missing_misspelt_or_too_many_are_named(tmp_path):
    rows = table_rows(solutions_csv(tmp_path / "table.csv"))
    rows[0][5] = "Class2,2"
    rows[0][37] = "Class11.5"
    write_rows(tmp_path / "table.csv", [[*row, "x"] for row in rows])
    with pytest.raises(ChallengeError, match="wrong columns") as error:
        read_solutions(tmp_path / "table.csv")
    assert str(error.value).startswith(f"{tmp_path / 'table.csv'}: wrong columns in the first line")
    assert "missing Class2.2, Class11.6, unknown Class2,2, Class11.5.1, x" in str(error.value)


def test_rows_of_another_length_than_the_header(tmp_path):
    rows = table_rows(solutions_csv(tmp_path / "table.csv"))
    write_rows(tmp_path / "short.csv", [rows[0], rows[1], rows[2][:-1]])
    with pytest.raises(ChallengeError, match=r"short\.csv: row 2 \(galaxy 100008\): Class11\.6 is '', not a number"):
        read_solutions(tmp_path / "short.csv")
    write_rows(tmp_path / "long.csv", [rows[0], rows[1], [*rows[2], "0"]])
    with pytest.raises(ChallengeError, match=r"long\.csv: not a table .*line 3, saw 39"):
        read_solutions(tmp_path / "long.csv")
    write_rows(tmp_path / "all.csv", [rows[0], *([*row, "0"] for row in rows[1:])])
    with pytest.raises(ChallengeError, match=r"all\.csv: the rows have more values than the 38 names"):
        read_solutions(tmp_path / "all.csv")


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(tmp_path, delimiter, word):
    rows = table_rows(solutions_csv(tmp_path / "table.csv"))
    write_rows(tmp_path / "table.csv", rows, delimiter)
    with pytest.raises(ChallengeError, match=rf"table\.csv: separated by {word}; save it with commas"):
        read_solutions(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        ((",".join(["GalaxyID", *COLUMNS]) + "\n").encode(), "the table has no galaxies"),
        (b"\xef\xbb\xbf<html>log in</html>", "looks like a web page"),
        (b"GalaxyID,\xff\xfe\n1,2\n", "not a table of comma-separated values"),
    ],
)
def test_files_that_are_no_table(tmp_path, content, problem):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(ChallengeError, match=rf"table\.csv: .*{problem}.*download it again"):
        read_solutions(tmp_path / "table.csv")


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(ChallengeError, match=r"table\.csv: cannot be read"):
        read_solutions(tmp_path / "table.csv")


def test_a_zip_without_one_table(tmp_path):
    path = make_zip(tmp_path / "t.zip", [("a.csv", b"x"), ("b.csv", b"x")])
    with pytest.raises(ChallengeError, match=r"t\.zip: it holds 2 files named \*\.csv, not one"):
        read_solutions(path)


def test_labels_off_the_tree_are_not_written(tmp_path):
    labels = make_labels(2)
    labels[1, 0] += 0.01
    with pytest.raises(ChallengeError, match=r"table\.csv: not written: row 2 \(galaxy 6\): .*question 1 "):
        write_solutions(tmp_path / "table.csv", [5, 6], labels)
    assert not list(tmp_path.iterdir())


# ---- the submission


def test_submission_format(tmp_path):
    probabilities = np.random.default_rng(0).random((50, 37), np.float32)  # predictions need not obey the tree
    probabilities[0, :3] = 0, 1, 1e-7
    ids = np.arange(200_050, 200_000, -1)
    write_submission(tmp_path / "submission.csv", ids, probabilities)
    rows = table_rows(tmp_path / "submission.csv")
    assert rows[0] == ["GalaxyID", *COLUMNS]
    assert len(rows) == 51
    assert {len(row) for row in rows} == {38}
    assert rows[1][:4] == ["200050", "0", "1", "0.0000001"]
    assert [int(row[0]) for row in rows[1:]] == ids.tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in rows[1:]], np.float32), probabilities)


@pytest.mark.parametrize(
    ("ids", "value", "columns", "problem"),
    [
        ([1, 2], np.nan, 37, r"Class1\.3 of galaxy 2 is nan, not in \[0, 1\]"),
        ([1, 2], np.inf, 37, r"Class1\.3 of galaxy 2 is inf, not in \[0, 1\]"),
        ([1, 2], 1.00001, 37, r"Class1\.3 of galaxy 2 is 1\.00001, not in \[0, 1\]"),
        ([1, 2], -1e-9, 37, r"Class1\.3 of galaxy 2 is -1e-09, not in \[0, 1\]"),
        ([7, 7], 0.5, 37, "more than one row of galaxy 7"),
        ([1, 2, 3], 0.5, 37, r"shape \(3, 37\), not \(2, 37\)"),
        ([1, 2], 0.5, 36, r"shape \(2, 37\), not \(2, 36\)"),
        ([1.5, 2], 0.5, 37, "not all whole numbers"),
        ([-1, 2], 0.5, 37, "not all whole numbers"),
    ],
)
def test_a_bad_submission_is_not_written(tmp_path, ids, value, columns, problem):
    probabilities = np.full((2, columns), 0.5)
    probabilities[1, 2] = value
    with pytest.raises(ChallengeError, match=r"submission\.csv: not written: .*" + problem):
        write_submission(tmp_path / "submission.csv", np.array(ids), probabilities)
    assert not list(tmp_path.iterdir())


# ---- the download; the stand-ins behave as kagglehub 1.0.2 does


@pytest.fixture
def hub(zips, tmp_path, monkeypatch):
    """A stand-in for Kaggle: the list of the files that were asked for."""
    asked = []

    def competition_download(handle, path=None, *, force_download=False, output_dir=None):
        assert handle == COMPETITION
        asked.append(path)
        target = tmp_path / "hub" / "competitions" / handle / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(zips / path, target)
        return str(target)

    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(kagglehub, "competition_download", competition_download)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**13, 0, 10**13))
    return asked


def test_download_gets_what_is_needed_once(hub, tmp_path):
    folder = tmp_path / "data" / "kaggle"
    assert download(str(folder)) == folder
    assert hub == [f"{TRAINING_IMAGES}.zip", f"{SOLUTIONS}.zip"]
    found = find(folder, tmp_path / "cache")
    assert found.training_images.read(100008) == image(100008)
    assert found.test_images is None

    download(folder)
    assert len(hub) == 2, "files that are there are not asked for again"
    download(folder, test_images=True)
    assert hub[2:] == [f"{TEST_IMAGES}.zip"]
    check_found(find(folder, tmp_path / "cache"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.zip" for name in (TRAINING_IMAGES, TEST_IMAGES, SOLUTIONS)
    )


def test_download_to_a_disk_without_links(hub, tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(challenge.os, "link", refuse)
    download(tmp_path / "data", test_images=True)
    check_found(find(tmp_path / "data", tmp_path / "cache"))


def test_a_web_page_instead_of_a_download_is_not_kept(hub, zips, tmp_path):
    (zips / f"{TRAINING_IMAGES}.zip").write_bytes(b"<html>")
    with pytest.raises(ChallengeError, match="looks like a web page"):
        download(tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("place", "name"), [("data", "data"), ("hub", "hub")])
def test_download_looks_at_both_disks_first(hub, tmp_path, monkeypatch, place, name):
    for folder in ("data", "hub"):
        (tmp_path / folder).mkdir()
    full = tmp_path / place
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 10**8 if Path(path) == full else 10**13)
    )
    with pytest.raises(ChallengeError, match=r"takes 1\.96 GB, and 0\.10 GB are free; make room") as error:
        download(tmp_path / "data", test_images=True)
    assert str(error.value).startswith(str(tmp_path / name))
    assert hub == []


def http_error(status):
    response = requests.Response()
    response.status_code = status
    return KaggleApiHTTPError(f"{status} Client Error.", response=response)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (http_error(403), ["403", f"accept the rules at {PAGE}/rules and run again"]),
        (http_error(401), ["credentials", "make a new token at https://www.kaggle.com/settings/api"]),
        (http_error(404), ["no such file", f"see what {PAGE}/data lists"]),
        (http_error(503), ["status 503; try again later"]),
        (requests.exceptions.ConnectionError("Name or service not known"), ["no connection", "check the network"]),
        (requests.exceptions.ReadTimeout("timed out"), ["no connection", "ReadTimeout"]),
        (requests.exceptions.ChunkedEncodingError("cut"), ["it broke", "run again"]),
        (DataCorruptionError("MD5"), ["arrived damaged", "run again"]),
        (OSError(28, "No space left on device"), ["No space left on device", "KAGGLEHUB_CACHE"]),
        (ValueError("Invalid Kaggle credentials file at x"), ["Invalid Kaggle credentials file at x", "correct or"]),
        (UnauthenticatedError(), ["no Kaggle credentials", "KAGGLE_API_TOKEN", "access_token", "Colab", "kaggle.json"]),
    ],
)
def test_a_failed_download_says_what_to_do(hub, tmp_path, monkeypatch, failure, words):
    def fail(handle, path=None, *, force_download=False, output_dir=None):
        raise failure

    monkeypatch.setattr(kagglehub, "competition_download", fail)
    with pytest.raises(ChallengeError) as error:
        download(tmp_path / "data")
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'data' / TRAINING_IMAGES}.zip: not downloaded: ")
    assert message.endswith(f"or download it in a browser from {PAGE}/data and put it there")
    for word in words:
        assert word in message
    assert error.value.__cause__ is failure


def test_kagglehub_itself_refuses_without_credentials(tmp_path, monkeypatch):
    """Not a stand-in: without credentials kagglehub says so before it touches the network."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "KAGGLE_CONFIG_DIR", "KAGGLEHUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**13, 0, 10**13))
    monkeypatch.setattr(requests.Session, "send", lambda *args, **kwargs: pytest.fail("asked the network"))
    with pytest.raises(ChallengeError, match="there are no Kaggle credentials"):
        download(tmp_path / "data")
