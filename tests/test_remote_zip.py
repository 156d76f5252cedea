"""Pictures out of a zip on a server: its directory once, the wanted parts alone, and each checked."""

import io
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from open_data_server import picture, pictures_zip

from gzutils.data.open_data import remote_zip
from gzutils.data.open_data.polite import TransferError
from gzutils.data.open_data.transfer import Changed

IDS = [58, 3, 100000, 17, 295305, 4, 1, 88]
NAME = "images_gz2.zip"


def directory_of(server, folder):
    folder.mkdir(exist_ok=True)
    return remote_zip.directory(server.url(NAME), folder)


def fetch(server, folder):
    remote, members = directory_of(server, folder / "kept")
    return list(remote_zip.fetch_members(remote, members, folder / "images"))


def check_images(folder, ids):
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {f"{i}.jpg": picture(i) for i in ids}


def refused(server, folder):
    with pytest.raises(TransferError) as error:
        fetch(server, folder)
    message = str(error.value)
    assert message.startswith(server.url(NAME))
    assert "\n" not in message
    assert "; " in message
    return message


@pytest.fixture
def zip64(monkeypatch):
    """Zips are written as if a thousand bytes were more than the old fields hold."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)


# ---- a zip that is right


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_each_picture_arrives_under_its_number(open_data, tmp_path, waits, method):
    """A local header's extra field is longer here than the directory's: who trusts the latter reads 20 bytes early."""
    open_data.files[NAME] = pictures_zip(IDS, method)
    assert fetch(open_data, tmp_path) == IDS
    assert set(directory_of(open_data, tmp_path / "kept")[1]["method"]) == {method}
    check_images(tmp_path / "images", IDS)


def test_a_zip64_is_read_by_its_own_records(open_data, tmp_path, waits, zip64):
    data = bytearray(pictures_zip(IDS))
    end = data.rindex(b"PK\5\6")
    data[end + 8 : end + 20] = b"\xff" * 12  # as where the numbers do not fit; zipfile leaves them there when they do
    open_data.files[NAME] = bytes(data)
    assert fetch(open_data, tmp_path) == IDS
    check_images(tmp_path / "images", IDS)


def test_a_number_of_members_that_ran_over_is_borne_with(open_data, tmp_path, waits):
    """A Mac counts modulo 65,536 where there are more members, without zip64."""
    data = bytearray(pictures_zip(IDS))
    end = data.rindex(b"PK\5\6")
    data[end + 8 : end + 12] = struct.pack("<2H", 3, 3)
    open_data.files[NAME] = bytes(data)
    assert fetch(open_data, tmp_path) == IDS


def test_a_zip_with_a_comment(open_data, tmp_path, waits):
    file = io.BytesIO(pictures_zip(IDS))
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"c" * 65_535
    open_data.files[NAME] = file.getvalue()
    assert fetch(open_data, tmp_path) == IDS


def test_a_zip_on_this_machine_has_the_same_directory(open_data, tmp_path, waits):
    open_data.files[NAME] = data = pictures_zip(IDS)
    (tmp_path / NAME).write_bytes(data)
    _, members = directory_of(open_data, tmp_path / "kept")
    np.testing.assert_array_equal(remote_zip.members_of(tmp_path / NAME), members)
    assert members["asset_id"].tolist() == IDS, "in the order in which they lie, not sorted"


def test_the_directory_is_fetched_once_and_kept(open_data, tmp_path, waits):
    open_data.files[NAME] = pictures_zip(IDS)
    first = directory_of(open_data, tmp_path / "kept")
    asked = len(open_data.asked)
    assert asked == 3, "what the server says of it, the end records, the directory"
    again = directory_of(open_data, tmp_path / "kept")
    assert len(open_data.asked) == asked
    assert again[0] == first[0]
    np.testing.assert_array_equal(again[1], first[1])
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["directory.json", "directory.npy"]


def test_a_mirror_of_the_same_zip_serves_with_the_directory_that_is_kept(open_data, tmp_path, waits):
    open_data.files[NAME] = data = pictures_zip(IDS)
    directory_of(open_data, tmp_path / "kept")
    open_data.files["mirror.zip"] = data
    remote, members = remote_zip.directory(open_data.url("mirror.zip"), tmp_path / "kept")
    assert list(remote_zip.fetch_members(remote, members, tmp_path / "images")) == IDS
    assert open_data.asked[-1].name == "mirror.zip"


def test_what_lies_together_comes_with_one_request(open_data, tmp_path, waits, monkeypatch):
    """Members 0 to 3 and 5 lie closer than the gap that is bridged here; 40 lies far behind."""
    monkeypatch.setattr(remote_zip, "GAP", 5000)
    open_data.files[NAME] = pictures_zip(range(100))
    remote, members = directory_of(open_data, tmp_path / "kept")
    wanted = members[[0, 1, 2, 3, 5, 40]]
    assert [run["asset_id"].tolist() for run in remote_zip.runs(wanted)] == [[0, 1, 2, 3, 5], [40]]
    before = len(open_data.asked)
    assert list(remote_zip.fetch_members(remote, wanted, tmp_path / "images")) == [0, 1, 2, 3, 5, 40]
    check_images(tmp_path / "images", [0, 1, 2, 3, 5, 40])
    assert len(open_data.asked) == before + 2
    assert list(remote_zip.fetch_members(remote, members[:0], tmp_path / "images")) == []


# ---- faults of the picture and of the way


def test_a_cut_in_the_middle_of_a_picture_is_gone_on_with(open_data, tmp_path, waits):
    open_data.files[NAME] = pictures_zip(IDS)
    open_data.spoil(NAME, skip=3, cut_after=5000)
    assert fetch(open_data, tmp_path) == IDS
    check_images(tmp_path / "images", IDS)
    assert waits


def test_a_damaged_picture_is_named_and_all_others_are_kept(open_data, tmp_path, waits):
    """By its CRC: a byte of a JPEG that arrives wrong would be seen by nobody else."""
    open_data.files[NAME] = data = pictures_zip(IDS)
    open_data.spoil(NAME, skip=3, flip=data.index(picture(17)) + 999)
    assert "damaged by their CRC, as they arrived: 1 of the pictures (17); all others are there; run again" in refused(
        open_data, tmp_path
    )
    check_images(tmp_path / "images", [i for i in IDS if i != 17])
    assert fetch(open_data, tmp_path) == IDS


def test_packed_data_that_cannot_be_unpacked_count_as_damaged(open_data, tmp_path, waits):
    open_data.files[NAME] = pictures_zip(IDS, zipfile.ZIP_DEFLATED, picture=lambda asset_id: b"x" * 5000)
    _, members = directory_of(open_data, tmp_path / "kept")
    extra = 20  # bytes, of zip64
    open_data.spoil(NAME, flip=int(members["first"][2]) + 30 + len("images/100000.jpg") + extra)
    assert "1 of the pictures (100000)" in refused(open_data, tmp_path)


def test_a_picture_larger_than_it_says_is_not_unpacked_whole(open_data, tmp_path, waits):
    """A bomb: 50 MB of zeros behind a directory that promises 2,000 bytes."""
    data = bytearray(pictures_zip([5], zipfile.ZIP_DEFLATED, picture=lambda asset_id: bytes(50_000_000)))
    entry = data.rindex(b"images/5.jpg", 0, data.rindex(b"__MACOSX")) - 46
    assert data[entry : entry + 4] == b"PK\1\2"
    data[entry + 24 : entry + 28] = struct.pack("<L", 2000)
    open_data.files[NAME] = bytes(data)
    tracemalloc.start()
    try:
        assert "1 of the pictures (5)" in refused(open_data, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_zip_that_changed_is_said_before_its_pictures_are_mistaken(open_data, tmp_path, waits):
    open_data.files[NAME] = pictures_zip(IDS)
    directory_of(open_data, tmp_path / "kept")
    open_data.files[NAME] = pictures_zip(IDS[::-1])
    with pytest.raises(Changed, match="has changed on the server since it was begun; run again"):
        fetch(open_data, tmp_path)
    assert not (tmp_path / "images").exists()


def test_another_zip_of_the_same_length_is_known_by_its_local_headers(open_data, tmp_path, waits):
    """Where a mirror's tag says nothing: the pictures of other galaxies would come under these numbers."""
    open_data.files[NAME] = data = pictures_zip([11, 12, 18])
    directory_of(open_data, tmp_path / "kept")
    open_data.files["mirror.zip"] = pictures_zip([12, 11, 18])
    assert len(open_data.files["mirror.zip"]) == len(data)
    remote, members = remote_zip.directory(open_data.url("mirror.zip"), tmp_path / "kept")
    with pytest.raises(Changed, match="picture 11 is not where the zip's directory says"):
        list(remote_zip.fetch_members(remote, members, tmp_path / "images"))


# ---- faults of the zip


def test_a_zip_that_is_cut_off(open_data, tmp_path, waits):
    open_data.files[NAME] = pictures_zip(IDS)[:-30]
    assert "it is no zip, or one that is cut off" in refused(open_data, tmp_path)
    open_data.files[NAME] = pictures_zip(IDS)[:-10]
    assert "it is no zip, or one that is cut off" in refused(open_data, tmp_path)


def test_a_web_page_in_place_of_the_zip(open_data, tmp_path, waits):
    open_data.files[NAME] = pictures_zip(IDS)
    open_data.spoil(NAME, page=True)
    assert "a web page came in place of the file" in refused(open_data, tmp_path)


def test_a_server_that_ignores_ranges_is_not_asked_for_all_of_it(open_data, tmp_path, waits):
    open_data.files[NAME] = data = pictures_zip(range(100))
    open_data.spoil(NAME, ignore_range=True, times=100)
    refused(open_data, tmp_path)
    assert len(open_data.asked) <= 2, f"{len(data)} bytes are sent each time"


def test_a_damaged_directory_is_said_and_fetched_anew(open_data, tmp_path, waits):
    open_data.files[NAME] = data = pictures_zip(IDS)
    open_data.spoil(NAME, skip=2, flip=data.index(b"PK\1\2"))
    assert "its directory is damaged (Bad magic number" in refused(open_data, tmp_path)
    assert fetch(open_data, tmp_path) == IDS


def test_a_name_in_the_directory_that_is_no_text(open_data, tmp_path, waits):
    """It was kept as it came, and failed in each call again."""
    data = bytearray(pictures_zip(IDS))
    entry = data.index(b"PK\1\2")
    data[entry + 9] |= 8  # the name is UTF-8
    data[entry + 46] = 0xFF
    open_data.files[NAME] = bytes(data)
    assert "its directory is damaged ('utf-8' codec can't decode" in refused(open_data, tmp_path)
    open_data.files[NAME] = pictures_zip(IDS)
    assert fetch(open_data, tmp_path) == IDS


def test_a_kept_directory_that_is_damaged_is_named(open_data, tmp_path, waits):
    open_data.files[NAME] = pictures_zip(IDS)
    directory_of(open_data, tmp_path / "kept")
    table = tmp_path / "kept/directory.npy"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(TransferError, match=r"directory.npy: its directory is damaged .*; delete .*kept and run again"):
        directory_of(open_data, tmp_path / "kept")


@pytest.mark.parametrize("size", [0, 2**31])
def test_an_end_record_with_an_impossible_directory(open_data, tmp_path, waits, size):
    data = bytearray(pictures_zip(IDS))
    end = data.rindex(b"PK\5\6")
    data[end + 12 : end + 16] = struct.pack("<L", size)
    open_data.files[NAME] = bytes(data)
    assert f"its directory is damaged (its end record gives it {size:,} bytes)" in refused(open_data, tmp_path)


def test_a_zip64_record_that_is_not_where_it_should_be(open_data, tmp_path, waits, zip64):
    data = bytearray(pictures_zip(IDS))
    locator = data.rindex(b"PK\6\7")
    data[locator + 8 : locator + 16] = struct.pack("<Q", 2**60)
    open_data.files[NAME] = bytes(data)
    assert "its zip64 end record is not where it should be" in refused(open_data, tmp_path)


def test_members_that_overlap(open_data, tmp_path, waits):
    data = bytearray(pictures_zip(IDS))
    entry = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    data[entry + 20 : entry + 28] = struct.pack("<2L", 3000, 3000)
    open_data.files[NAME] = bytes(data)
    assert "its directory is damaged (members overlap)" in refused(open_data, tmp_path)


def with_member(name, mode=0, method=zipfile.ZIP_STORED):
    file = io.BytesIO(pictures_zip(IDS))
    with zipfile.ZipFile(file, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        info = zipfile.ZipInfo(name)
        info.external_attr, info.compress_type = mode << 16, method
        archive.writestr(info, b"\xff\xd8 a picture")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (with_member("../../5.jpg"), "leads out of its folder"),
        (with_member("/etc/5.jpg"), "leads out of its folder"),
        (with_member("C:\\5.jpg"), "leads out of its folder"),
        (with_member("images/5.jpg", mode=0o120777), "'images/5.jpg' in it is a link"),
        (with_member("images/6.jpg", method=zipfile.ZIP_LZMA), "by a method other than deflate"),
        (with_member("images/58.jpg"), "picture 58 is in it twice"),
        (with_member("again/058.jpg"), "picture 58 is in it twice"),
        (pictures_zip([]), "there is no picture named <number>.jpg in it"),
    ],
)
def test_members_that_are_refused(open_data, tmp_path, waits, data, words):
    """As the challenge's zips are: nothing of such a zip is written."""
    open_data.files[NAME] = data
    assert words in refused(open_data, tmp_path)
    assert not (tmp_path / "images").exists()
    (tmp_path / NAME).write_bytes(data)
    with pytest.raises(TransferError, match="; ") as error:
        remote_zip.members_of(tmp_path / NAME)
    assert words in str(error.value)


def test_an_encrypted_picture(open_data, tmp_path, waits):
    data = bytearray(pictures_zip(IDS))
    entry = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    data[entry + 8] |= 1
    open_data.files[NAME] = bytes(data)
    assert "in it is encrypted" in refused(open_data, tmp_path)


def test_names_that_are_no_pictures_are_left_out(open_data, tmp_path, waits):
    file = io.BytesIO(pictures_zip(IDS))
    with zipfile.ZipFile(file, "a") as archive:
        for name in ("images/.DS_Store", "images/read me.jpg", "images/7.jpeg", "images/-7.jpg", "images/7.jpg/x"):
            archive.writestr(name, b"x")
    open_data.files[NAME] = file.getvalue()
    assert fetch(open_data, tmp_path) == IDS


def test_a_local_file_that_is_no_zip(tmp_path):
    (tmp_path / NAME).write_bytes(b"<html>")
    with pytest.raises(
        TransferError, match=r"images_gz2\.zip: its directory is damaged \(File is not a zip file\); get images"
    ):
        remote_zip.members_of(Path(tmp_path / NAME))
