"""Galaxy Zoo 2's pictures: which are taken, that no more is fetched than is wanted, and nothing twice."""

import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_zip import MadeZip
from open_data_server import picture, pictures_zip, wait_for

import gzutils
from gzutils.data.open_data import remote_zip, transfer
from gzutils.data.open_data.addresses import SETTING
from gzutils.data.open_data.gz2_pictures import ARCHIVE, BLOCKS, fetch, pictures, spread
from gzutils.data.open_data.polite import TransferError
from gzutils.tools.files import NotWritten

# Not in the order of their numbers, as the zip's are not; every tenth in it has no row in the tables.
IN_ZIP = np.random.default_rng(1).permutation(np.arange(1, 1201))
USABLE = np.sort(IN_ZIP[np.arange(1200) % 10 > 0])
ZIP = pictures_zip(IN_ZIP)
MEMBER_BYTES = len(ZIP) // len(IN_ZIP)
FETCH = f"""
import sys
import numpy as np
from gzutils.data.open_data import gz2_pictures, remote_zip
remote_zip.GAP = 3000
gz2_pictures.fetch(sys.argv[1], np.array({USABLE.tolist()}), 400, 3)
"""


@pytest.fixture
def server(open_data, tmp_path, monkeypatch):
    """A server with a zip of 1,200 pictures, in which blocks lie too close together for the large zip's gap."""
    monkeypatch.setattr(remote_zip, "GAP", 3000)
    open_data.files[ARCHIVE] = ZIP
    monkeypatch.setenv(SETTING, str(open_data.write_addresses(tmp_path / "addresses.json")))
    return open_data


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "gz2"


def check_pictures(folder, chosen):
    read = pictures(folder)
    assert set(chosen) <= set(read.galaxy_ids())
    assert all(read.read(asset_id) == picture(asset_id) for asset_id in chosen)


# ---- the choice


@given(count=st.integers(1, 5000), galaxies=st.integers(0, 5001), seed=st.integers(0, 2**40))
def test_so_many_are_taken_and_each_once_and_more_hold_the_fewer(count, galaxies, seed):
    """Blocks drawn anew for each number would throw away what was fetched for another."""
    taken = spread(count, galaxies, seed)
    assert len(taken) == min(galaxies, count)
    assert (np.diff(taken) > 0).all()
    assert not len(taken) or (taken[0] >= 0 and taken[-1] < count)
    assert np.isin(taken, spread(count, galaxies + 1, seed)).all()


@given(count=st.integers(1000, 300_000), share=st.floats(0.01, 0.5), seed=st.integers(0, 2**40))
def test_blocks_lie_together_and_are_spread_evenly(count, share, seed):
    galaxies = max(BLOCKS, int(count * share))
    taken = spread(count, galaxies, seed)
    assert (np.diff(taken) > 1).sum() + 1 <= BLOCKS
    of_each_tenth = np.histogram(taken, 10, (0, count))[0]
    # A tenth holds four of the forty parts, and at its borders a block may lie on the other side, or come to it.
    smallest, largest = galaxies // BLOCKS, -(-galaxies // BLOCKS)
    assert 2 * smallest <= of_each_tenth.min() <= of_each_tenth.max() <= 6 * largest


def test_the_choice_is_the_same_on_every_machine_and_another_for_another_seed():
    assert spread(243_434, 2500, 0)[[0, 1, 1000, -1]].tolist() == [4147, 4148, 103002, 239824]
    assert len(np.intersect1d(spread(243_434, 2500, 0), spread(243_434, 2500, 1))) < 500


def test_ranges_and_a_whole_zip_give_the_very_same_galaxies(server, folder, tmp_path, waits):
    by_ranges = fetch(folder, USABLE, 300, seed=3)
    assert by_ranges.dtype == np.int64
    assert len(by_ranges) == 300
    assert (np.diff(by_ranges) > 0).all()
    assert np.isin(by_ranges, USABLE).all()
    check_pictures(folder, by_ranges)
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / ARCHIVE).write_bytes(ZIP)
    asked = len(server.asked)
    np.testing.assert_array_equal(fetch(tmp_path / "whole", USABLE[::-1], 300, seed=3), by_ranges)
    check_pictures(tmp_path / "whole", by_ranges)
    assert len(server.asked) == asked, "a zip that is there needs no network"


# ---- what is fetched


def test_no_more_is_fetched_than_is_wanted(server, folder, waits):
    """The law of the large zip: the directory, and the blocks with what lies between their pictures."""
    fetch(folder, USABLE, 120)
    assert len(server.asked) <= BLOCKS + 3
    directory = len(ZIP) - ZIP.index(b"PK\1\2")
    assert server.sent() <= 1 + min(2**16 + 200, len(ZIP)) + directory + 1.25 * MEMBER_BYTES * 120


def test_what_is_there_needs_no_network(server, folder, waits):
    chosen = fetch(folder, USABLE, 120)
    asked = len(server.asked)
    np.testing.assert_array_equal(fetch(folder, USABLE, 120), chosen)
    assert np.isin(fetch(folder, USABLE, 60), chosen).all()
    assert len(server.asked) == asked


def test_more_galaxies_fetch_the_new_ones_alone(server, folder, waits):
    fewer = fetch(folder, USABLE, 120)
    before = server.sent()
    more = fetch(folder, USABLE, 160)
    assert np.isin(fewer, more).all()
    assert server.sent() - before <= 1.5 * MEMBER_BYTES * 40
    check_pictures(folder, more)


def test_a_picture_that_was_deleted_or_cut_is_fetched_again_alone(server, folder, waits):
    chosen = fetch(folder, USABLE, 120)
    (folder / "images" / f"{chosen[7]}.jpg").unlink()
    (folder / "images" / f"{chosen[50]}.jpg").write_bytes(b"\xff\xd8")
    before = server.sent()
    fetch(folder, USABLE, 120)
    check_pictures(folder, chosen)
    assert server.sent() - before < 3 * MEMBER_BYTES


def test_the_whole_zip_comes_in_one_download(server, folder, waits):
    server.spoil(ARCHIVE, skip=1, cut_after=len(ZIP) // 2)
    chosen = fetch(folder, USABLE)
    np.testing.assert_array_equal(chosen, USABLE)
    assert [path.name for path in folder.iterdir()] == [ARCHIVE]
    check_pictures(folder, chosen[::100])
    assert len(server.asked) == 3
    assert server.sent() <= len(ZIP) + transfer.PIECE + 1


def test_more_than_there_are_are_all(server, folder, waits):
    np.testing.assert_array_equal(fetch(folder, USABLE[:30], 5000), USABLE[:30])


# ---- interrupted


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("directory", {"skip": 2, "hold_after": 2**17 + 1000}),
        ("block", {"skip": 9, "hold_after": 4 * MEMBER_BYTES}),
    ],
)
def test_an_ended_process_costs_less_than_one_block(server, folder, waits, stop, where, fault):
    """400 pictures in 40 blocks of 10; the process ends while the server sends the middle of one."""
    server.spoil(ARCHIVE, **fault)
    with subprocess.Popen(
        [sys.executable, "-c", FETCH, folder], cwd=Path(gzutils.__file__).parents[1], stderr=subprocess.DEVNULL
    ) as child:
        assert server.holding.wait(20)
        if where == "directory":
            wait_for(lambda: any(path.stat().st_size == 2**17 for path in folder.rglob("*.part")))
        child.send_signal(stop)
    assert child.returncode
    if where == "block":
        assert len(list((folder / "images").iterdir())) >= 50
    chosen = fetch(folder, USABLE, 400, 3)
    check_pictures(folder, chosen)
    assert not [path for path in folder.rglob(".*") if not path.name.endswith(".lock")], "no half-written file stays"
    interrupted = server.sent()
    server.asked.clear()
    fetch(folder.with_name("anew"), USABLE, 400, 3)
    again = interrupted - server.sent()
    assert again < (11 * MEMBER_BYTES if where == "block" else 100_000)
    np.testing.assert_array_equal(np.sort([int(path.stem) for path in (folder / "images").iterdir()]), chosen)


@pytest.mark.parametrize("status", [429, 500])
def test_a_server_that_fails_for_long_costs_nothing_that_came(server, folder, waits, status):
    server.spoil(ARCHIVE, skip=20, status=status, times=5)
    with pytest.raises(TransferError, match=rf"{ARCHIVE}: the server .*{status}.*; run again later"):
        fetch(folder, USABLE, 400)
    assert len(list((folder / "images").iterdir())) >= 170
    asked = len(server.asked)
    check_pictures(folder, fetch(folder, USABLE, 400))
    assert len(server.asked) - asked <= BLOCKS - 17


# ---- refused in words


def test_a_zip_that_changed_between_two_calls_keeps_the_pictures(server, folder, waits):
    """The directory that is kept is of another zip: it is said, and the next call takes the new one."""
    chosen = fetch(folder, USABLE, 120)
    server.files[ARCHIVE] = pictures_zip(IN_ZIP[::-1])
    with pytest.raises(TransferError, match="has changed on the server since it was begun; run again to begin anew"):
        fetch(folder, USABLE, 200)
    check_pictures(folder, chosen)
    check_pictures(folder, fetch(folder, USABLE, 200))


def test_a_zip_that_became_shorter_between_two_calls_is_looked_at_anew(server, folder, waits):
    """The server refuses the part that is asked for (416): the directory that is kept would be asked for ever."""
    fetch(folder, USABLE, 120)
    server.files[ARCHIVE] = pictures_zip(IN_ZIP[:3])
    with pytest.raises(TransferError, match="has changed on the server since it was begun; run again to begin anew"):
        fetch(folder, USABLE, 200)
    assert len(fetch(folder, USABLE, 200)) <= 3


def test_no_network(tmp_path, monkeypatch, waits):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        (tmp_path / "a.json").write_text(f'{{"{ARCHIVE}": {{"url": "http://127.0.0.1:{closed.getsockname()[1]}/z"}}}}')
        monkeypatch.setenv(SETTING, str(tmp_path / "a.json"))
        for galaxies in (100, None):
            with pytest.raises(TransferError, match=r"no connection .*; check the network, then run again"):
                fetch(tmp_path / "gz2", USABLE, galaxies)


def test_a_full_disk_is_met_before_a_picture_is_fetched(server, folder, waits, monkeypatch):
    fetch(folder, USABLE, 40)
    asked = len(server.asked)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 0, 10**5))
    with pytest.raises(NotWritten, match=r"the download of 80 pictures needs 0\.5 MB in .*, where 0\.1 MB are free"):
        fetch(folder, USABLE, 120)
    with pytest.raises(NotWritten, match=rf"{ARCHIVE} from .* needs .* MB in .*, where 0\.1 MB are free"):
        fetch(folder, USABLE)
    assert len(server.asked) <= asked + 1


def test_tables_and_pictures_that_have_nothing_in_common(server, folder, waits):
    with pytest.raises(TransferError, match="none of its pictures is in the tables; check that they belong together"):
        fetch(folder, USABLE + 10_000, 40)


def test_a_zip_that_is_there_and_damaged(folder):
    folder.mkdir()
    (folder / ARCHIVE).write_bytes(ZIP[:-100])
    with pytest.raises(TransferError, match=rf"{ARCHIVE}: its directory is damaged \(.*\); get .* anew"):
        fetch(folder, USABLE, 40)


def test_200_of_very_many_cost_their_own_bytes_and_few_requests(open_data, tmp_path, monkeypatch, waits):
    """The law of the large zip, on one of 20,000 pictures and as many things that a Mac leaves, which is no file."""
    made = MadeZip(20_000, mean=1400)
    monkeypatch.setattr(remote_zip, "GAP", 3000)
    open_data.files[ARCHIVE] = made
    monkeypatch.setenv(SETTING, str(open_data.write_addresses(tmp_path / "addresses.json")))
    chosen = fetch(tmp_path / "gz2", made.asset_ids, 200)
    assert len(open_data.asked) <= BLOCKS + 3
    assert not waits, "so few need no pause"
    share = (made.size - made.directory_bytes) / 20_000
    assert open_data.sent() <= 1 + 2**16 + 200 + made.directory_bytes + 1.3 * share * 200
    place = {asset_id: number for number, asset_id in enumerate(made.asset_ids)}
    read = pictures(tmp_path / "gz2")
    assert all(read.read(asset_id) == made.picture(place[asset_id]) for asset_id in chosen)
