"""One process at a time works in a folder, and the others hear which it is."""

import errno
import fcntl
import os
import platform
import subprocess
import sys
import threading

import pytest

from gzutils.tools import files

HOLDING = """
import sys, time
from gzutils.tools import files
with files.locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def refusal(folder):
    with pytest.raises(files.Busy) as error:
        files.locked(folder).__enter__()
    return str(error.value)


def test_everyone_who_asks_hears_who_holds_the_lock_and_nothing_stays(tmp_path):
    folder = tmp_path / "run"
    with files.locked(folder):
        for _ in range(3):
            assert refusal(folder).startswith(f"{folder} is in use by process {os.getpid()} on {platform.node()}; wait")
        assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]
    assert not list(tmp_path.iterdir())


def test_a_killed_process_leaves_its_file_but_no_lock(tmp_path):
    command = [sys.executable, "-c", HOLDING, tmp_path / "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "held\n"
            assert f"process {other.pid} on" in refusal(tmp_path / "run")
        finally:
            other.kill()
    assert (tmp_path / ".run.lock").exists()
    with files.locked(tmp_path / "run"):
        assert f"process {os.getpid()} on" in refusal(tmp_path / "run")


def test_who_waits_says_so_once_and_goes_on_when_the_other_is_done(tmp_path, capsys):
    entered = threading.Event()

    def wait():
        with files.locked(tmp_path / "run", wait=True):
            entered.set()

    with files.locked(tmp_path / "run"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.7)
    waiting.join(10)
    assert entered.is_set()
    holder = f"process {os.getpid()} on {platform.node()}"
    assert capsys.readouterr().out == f"{tmp_path / 'run'} is in use by {holder}; waiting until that is done\n"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_on_a_file_system_without_locks_the_work_goes_on_and_a_sentence_says_so(code, tmp_path, monkeypatch, capsys):
    def refuse(file, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with files.locked(tmp_path / "run"), files.locked(tmp_path / "run"):
        pass
    assert not list(tmp_path.iterdir())
    sentence = f"{tmp_path / 'run'}: this file system has no locks; start nothing else on it until this is done\n"
    assert capsys.readouterr().out == 2 * sentence


def half_written(path, process, host, monkeypatch):
    """What a process of a host that was killed leaves of a file."""
    with monkeypatch.context() as patch:
        patch.setattr(platform, "node", lambda: host)
        patch.setattr(os, "getpid", lambda: process)
        with pytest.raises(KeyboardInterrupt), files.whole_file(path) as beside:
            raise KeyboardInterrupt
    beside.write_text("half")
    return beside


@pytest.mark.parametrize("host", ["here", "here.example.org"])
def test_what_a_killed_process_left_goes_and_what_another_host_is_writing_stays(host, tmp_path, monkeypatch):
    """Over a shared disk, its process has a number that nobody has here."""
    with subprocess.Popen(["true"]) as gone:
        pass
    path = tmp_path / "run" / "history.csv"
    ours = half_written(path, gone.pid, host, monkeypatch)
    going_on = half_written(path, os.getpid(), host, monkeypatch)
    elsewhere = half_written(path, gone.pid, "elsewhere", monkeypatch)
    monkeypatch.setattr(platform, "node", lambda: host)
    with files.locked(path.parent):
        assert not ours.exists()
        assert going_on.exists()
        assert elsewhere.exists()
