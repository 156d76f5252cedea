"""Fetching over HTTP: each fault of a server or a network ends in a sentence, and nothing that came is fetched twice.

All against a real server on the loopback address; the waiting alone is done by a clock that the tests hold.
"""

import email.utils
import gzip
import hashlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from open_data_server import wait_for

import gzutils
from gzutils.data.open_data import transfer
from gzutils.data.open_data.addresses import ADDRESSES, SETTING, Address, address
from gzutils.data.open_data.polite import TransferError
from gzutils.tools.files import NotWritten

NAME = "gz2_filename_mapping.csv"
DATA = np.random.default_rng(0).bytes(1_000_000)
MD5 = hashlib.md5(DATA).hexdigest()
FETCH = """
import sys
from gzutils.data.open_data import transfer
transfer.fetch_file(sys.argv[1], sys.argv[2])
"""


@pytest.fixture
def table(open_data, tmp_path, monkeypatch):
    """A server with one table of a million bytes, whose MD5 sum is known."""
    open_data.files[NAME] = DATA
    monkeypatch.setenv(SETTING, str(open_data.write_addresses(tmp_path / "addresses.json", {NAME: MD5})))
    return open_data


def refused(call, *arguments):
    with pytest.raises(TransferError) as error:
        call(*arguments)
    message = str(error.value)
    assert "\n" not in message
    assert message.count("; ") >= 1, "it says what to do now"
    return message


# ---- addresses


def test_the_defaults_are_the_public_addresses(monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    assert address("images_gz2.zip").url == "https://zenodo.org/records/3565489/files/images_gz2.zip?download=1"
    assert address("images_gz2.zip").md5 == "bc647032d31e50c798770cf4430525c7"
    assert all(entry.url.startswith("https://") for entry in ADDRESSES.values())


def test_a_mirror_takes_a_default_s_place_and_keeps_its_checksum(tmp_path, monkeypatch):
    mirror = {"images_gz2.zip": {"url": "https://mirror.example/z.zip"}, NAME: {"url": "http://a.example", "md5": None}}
    (tmp_path / "mirror.json").write_text(json.dumps(mirror))
    monkeypatch.setenv(SETTING, str(tmp_path / "mirror.json"))
    assert address("images_gz2.zip") == Address("https://mirror.example/z.zip", ADDRESSES["images_gz2.zip"].md5)
    assert address(NAME) == Address("http://a.example", None)
    assert address("gz2_hart16.csv.gz") == ADDRESSES["gz2_hart16.csv.gz"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is not there; correct"),
        ("{", "it is no JSON file"),
        ("[]", "it holds no addresses by name"),
        ('{"images.zip": {"url": "https://a.example"}}', "nobody asks for 'images.zip'; there are images_gz2.zip, "),
        ('{"images_gz2.zip": "https://a.example"}', "'images_gz2.zip' has no \"url\""),
        ('{"images_gz2.zip": {"url": "file:///etc/passwd"}}', "begins with https:// or http://"),
        ('{"images_gz2.zip": {"url": "https://a.example", "md5": "abc"}}', "is not 32 of the digits"),
        ('{"images_gz2.zip": {"url": "https://a.example", "md5": "%s"}}' % ("g" * 32), "is not 32 of the digits"),
    ],
)
def test_settings_with_a_slip_are_refused_in_words(tmp_path, monkeypatch, text, words):
    path = tmp_path / "addresses.json"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv(SETTING, str(path))
    with pytest.raises(ValueError, match="unset") as error:
        address(NAME)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)


# ---- the way a guest asks


def test_the_kit_names_itself_and_asks_for_the_file_as_it_is(table, tmp_path, waits):
    transfer.fetch_file(NAME, tmp_path)
    for asked in table.asked:
        assert asked.headers["User-Agent"].startswith(f"gzutils/{gzutils.__version__} ")
        assert asked.headers["Accept-Encoding"] == "identity"


def test_no_password_of_the_users_goes_along(table, tmp_path, waits, monkeypatch):
    """As it would where ~/.netrc has one for this host or for any; S3 refuses such a request, too."""
    (tmp_path / "netrc").write_text("default login me@example.org password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    table.files["moved"] = DATA
    table.spoil(NAME, times=1, status=302, headers={"Location": table.url("moved")})
    transfer.fetch_file(NAME, tmp_path)
    assert {asked.name for asked in table.asked} == {NAME, "moved"}
    assert not any("Authorization" in asked.headers for asked in table.asked)


def test_a_host_is_asked_less_than_60_times_in_any_minute(open_data, waits):
    """With the limit gone, or counted by the clock's minutes, the last of these come too early."""
    open_data.answers["search"] = lambda query: query["name"].encode()
    times = []
    for number in range(120):
        assert transfer.get(open_data.url("search"), {"name": f"NGC {number}"}) == f"NGC {number}".encode()
        times.append(waits.now)
        waits.now += 0.1
    for start in times:
        assert sum(start <= time < start + 60 for time in times) < 60
    assert sum(waits) < 130, "no longer than needed"


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_the_server_asks(table, tmp_path, waits, status):
    in_a_minute = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    table.spoil(NAME, status=status, headers={"Retry-After": "17"})
    table.spoil(NAME, status=status, headers={"Retry-After": in_a_minute})
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA
    assert waits[0] == 17
    assert 55 < waits[1] <= 60
    assert len(waits) == 2


def test_it_backs_off_from_a_server_that_fails_and_gives_up_in_the_end(table, tmp_path, waits):
    table.spoil(NAME, status=500, times=2)
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA
    assert waits == [1, 2]
    table.spoil(NAME, status=502, times=100)
    message = refused(transfer.get, NAME)
    assert message == f"{table.url(NAME)}: the server fails (status 502); run again later: what is there stays"
    assert waits == [1, 2, 1, 2, 4, 8]


def test_a_wait_of_an_hour_is_left_to_the_person(table, waits):
    table.spoil(NAME, status=429, headers={"Retry-After": "3600"})
    assert "asked too often (status 429); it asks to wait 60 minutes; run again later" in refused(transfer.get, NAME)
    assert waits == []


def test_429_without_a_word_means_a_minute(table, waits):
    table.spoil(NAME, status=429)
    transfer.get(NAME)
    assert waits == [60]


def test_what_is_not_there_is_not_asked_for_twice(table, waits):
    del table.files[NAME]
    with pytest.raises(TransferError, match=rf"status 404\); see in a browser .* {SETTING} names") as error:
        transfer.get(NAME)
    assert error.value.status == 404
    assert len(table.asked) == 1


def test_no_network_is_said_at_once_and_in_one_sentence(tmp_path, waits):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/table"
        message = refused(transfer.get, url)
    assert message == f"{url}: no connection (ConnectionError); check the network, then run again: what is there stays"
    assert sum(waits) <= 1


def test_a_network_that_was_there_is_waited_for(table, tmp_path, waits):
    """A connection that is refused after an answer, as while a wireless network comes back."""
    remote = transfer.look(table.url(NAME))
    table.close()
    with pytest.raises(TransferError, match="no connection"):
        next(transfer.read(remote))
    assert waits == [1, 2, 4, 8]


# ---- small answers


def test_a_small_answer_that_is_cut_off_is_asked_for_again(table, waits):
    table.spoil(NAME, cut_after=1000)
    assert transfer.get(NAME) == DATA
    table.spoil(NAME, cut_after=1000, times=100)
    assert "the connection broke 5 times in a row; run again later" in refused(transfer.get, NAME)
    assert waits == [1, 1, 2, 4, 8], "no wait after the last of five"


# ---- whole files


def test_a_file_is_fetched_once(table, tmp_path, waits):
    path = transfer.fetch_file(NAME, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / NAME
    assert path.read_bytes() == DATA
    asked = len(table.asked)
    transfer.fetch_file(NAME, path.parent)
    assert len(table.asked) == asked
    assert [file.name for file in path.parent.iterdir()] == [NAME]


def test_a_file_is_gone_on_with_after_each_cut(table, tmp_path, waits):
    table.spoil(NAME, skip=1, cut_after=300_000, times=3)
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA
    assert table.sent() <= len(DATA) + 3 * transfer.PIECE + 1


def test_a_file_that_never_gets_further_is_left_and_gone_on_with_later(table, tmp_path, waits):
    table.spoil(NAME, skip=1, cut_after=300_000)
    table.spoil(NAME, cut_after=0, times=5)
    message = refused(transfer.fetch_file, NAME, tmp_path)
    assert "the connection broke 5 times in a row; run again later: what is there stays" in message
    assert not (tmp_path / NAME).exists()
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA
    assert table.sent() <= len(DATA) + transfer.PIECE + 10


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_file_is_gone_on_with_after_its_process_ended(table, tmp_path, waits, stop):
    table.spoil(NAME, skip=1, hold_after=600_000)
    with subprocess.Popen(
        [sys.executable, "-c", FETCH, NAME, tmp_path], cwd=Path(gzutils.__file__).parents[1], stderr=subprocess.DEVNULL
    ) as child:
        assert table.holding.wait(20)
        wait_for(lambda: (tmp_path / f"{NAME}.part").stat().st_size > 500_000)
        child.send_signal(stop)
    assert child.returncode
    assert not (tmp_path / NAME).exists()
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA
    assert table.sent() <= len(DATA) + 2 * transfer.PIECE


def test_a_server_that_ignores_ranges_still_gives_a_whole_file(table, tmp_path, waits):
    """After a cut it sends all once more: what is there must not stand in the file twice."""
    table.spoil(NAME, ignore_range=True, cut_after=400_000, times=2)
    table.spoil(NAME, ignore_range=True, times=100)
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA


def test_a_part_is_not_read_from_a_server_that_ignores_ranges(table, waits):
    remote = transfer.look(table.url(NAME))
    assert b"".join(transfer.read(remote, 1000, 70_999)) == DATA[1000:71_000]
    table.spoil(NAME, ignore_range=True, times=100)
    with pytest.raises(TransferError, match="the server ignores which part of the file is asked for"):
        list(transfer.read(remote, 1000, 70_999))


def test_a_wrong_checksum_is_said_and_the_file_not_kept(table, tmp_path, waits):
    table.spoil(NAME, skip=1, flip=123_456)
    message = refused(transfer.fetch_file, NAME, tmp_path)
    assert f"its MD5 sum is not {MD5}" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["addresses.json", f"{NAME}.part.json"]
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_web_page_in_place_of_a_file_is_recognised(table, tmp_path, waits, kind):
    table.spoil(NAME, page=True, headers={"Content-Type": kind}, times=2)
    assert "a web page came in place of the file" in refused(transfer.fetch_file, NAME, tmp_path)
    table.faults.clear()
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("other", [DATA[::-1], DATA + b"one more row"], ids=["ETag", "length"])
def test_a_file_that_changed_is_begun_anew(table, tmp_path, waits, monkeypatch, capsys, other):
    """Two halves of different files, joined, would pass where no checksum is known."""
    monkeypatch.setenv(SETTING, str(table.write_addresses(tmp_path / "addresses.json")))
    table.spoil(NAME, skip=1, cut_after=500_000)
    table.spoil(NAME, cut_after=0, times=5)
    refused(transfer.fetch_file, NAME, tmp_path)
    table.files[NAME] = other
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == other
    assert "beginning anew" in capsys.readouterr().out


def test_a_file_that_changes_while_it_comes_is_said(table, waits):
    pieces = transfer.read(transfer.look(table.url(NAME)))
    table.files[NAME] = DATA[::-1]
    with pytest.raises(transfer.Changed, match="has changed on the server since it was begun; run again"):
        next(pieces)


def test_a_full_disk_is_met_before_anything_is_fetched(table, tmp_path, waits, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 0, 10**5))
    with pytest.raises(NotWritten, match=rf"{NAME} from 127.* needs 1\.0 MB in .*, where 0\.1 MB are free"):
        transfer.fetch_file(NAME, tmp_path)
    assert table.sent() <= 1


def test_a_packed_table_stays_packed(table, tmp_path, waits, monkeypatch):
    """Some stores send a .gz with a Content-Encoding, which a client unpacks on the way, so that no checksum fits."""
    table.files[NAME] = packed = gzip.compress(DATA)
    monkeypatch.setenv(
        SETTING, str(table.write_addresses(tmp_path / "a.json", {NAME: hashlib.md5(packed).hexdigest()}))
    )
    table.spoil(NAME, times=100, headers={"Content-Encoding": "gzip"})
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == packed


def test_a_disk_that_fills_up_on_the_way_loses_nothing(table, tmp_path, waits):
    """Room that was there when it was looked for may be gone; here a limit on the size of a file stands for it."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000)){FETCH}"
    result = subprocess.run(
        [sys.executable, "-c", limited, NAME, tmp_path],
        cwd=Path(gzutils.__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert f"NotWritten: {tmp_path / NAME}.part cannot be written (File too large); " in result.stderr
    assert "then run again: what is done stays" in result.stderr
    before = table.sent()
    assert transfer.fetch_file(NAME, tmp_path).read_bytes() == DATA
    assert table.sent() - before <= 500_001
