"""Work shared among processes: as `map` does it, and the processes end with the one that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gzutils.tools import workers


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order_and_an_error_in_the_place_of_its_result(processes):
    with workers.mapping(processes) as mapped:
        assert list(mapped(abs, range(-50, 0))) == list(range(50, 0, -1))
        results = mapped(int, ["1", "2", "three", "4"])
        assert [next(results), next(results)] == [1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes are not tied to cores here")
def test_only_cores_that_this_process_may_use_are_counted():
    usable = sorted(os.sched_getaffinity(0))
    for allowed in (usable[:1], usable[-1:], usable):
        tied = (
            f"import os; os.sched_setaffinity(0, {allowed})\nfrom gzutils.tools import workers; print(workers.cores())"
        )
        done = subprocess.run([sys.executable, "-c", tied], capture_output=True, text=True, check=True)
        assert 1 <= int(done.stdout) <= len(allowed)


@pytest.mark.parametrize(("quota", "cores"), [("50000 100000", 1), ("150000 100000", 2), ("max 100000", 24)])
def test_a_containers_quota_is_counted(quota, cores, monkeypatch, tmp_path):
    """The kernel's own file cannot be written here: another is read in its place."""
    real = open

    def reading(path, *arguments, **options):
        if path == "/sys/fs/cgroup/cpu.max":
            (tmp_path / "cpu.max").write_text(quota)
            path = tmp_path / "cpu.max"
        return real(path, *arguments, **options)

    there = os.path.exists
    monkeypatch.setattr("builtins.open", reading)
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/sys/fs/cgroup/cpu.max" or there(path))
    monkeypatch.setattr(os, "cpu_count", lambda: 24)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(24)), raising=False)
    assert workers.cores() == cores


def test_a_script_without_a_guard_is_not_run_again_by_its_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from gzutils.tools import workers\n"
        "print('once')\n"
        "with workers.mapping(2) as mapped:\n"
        "    print(sum(mapped(abs, range(-9, 1))), __name__)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("once\n45 __main__\n", 0), done.stderr


WAITING = """
import multiprocessing, time
from gzutils.tools import workers
with workers.mapping(2) as mapped:
    list(mapped(abs, range(9)))
    pids = [process.pid for process in multiprocessing.active_children()]
    print(*pids, flush=True)
    for _ in mapped(time.sleep, [0.1, 60, 60]):
        print("first", flush=True)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_the_one_that_started_them(how):
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True) as parent:
        pids = parent.stdout.readline().split()
        assert len(pids) == 2
        assert parent.stdout.readline() == "first\n"
        os.kill(parent.pid, how)
    deadline = time.monotonic() + 20
    while any(Path("/proc", pid).exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if Path("/proc", pid).exists()]


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a group of processes")
def test_ctrl_c_ends_the_work_without_a_word_from_the_processes():
    # Started in the background, as CI may be, Python would otherwise inherit that Ctrl-C is not heard.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = [sys.executable, "-c", heard + WAITING.replace("[0.1, 60, 60]", "[0.1] * 200")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True) as parent:
        parent.stdout.readline()
        parent.stdout.readline()
        os.killpg(parent.pid, signal.SIGINT)
        _, said = parent.communicate(timeout=15)
    assert said.count("Traceback") == 1
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_one_that_is_killed_while_the_next_starts_is_told_in_the_same_words(monkeypatch):
    """The pool has closed its queue by then, and Python's own word for it is an OSError (seen with 3.11)."""

    def closed(*_):
        raise OSError("handle is closed")

    monkeypatch.setattr(workers.ProcessPoolExecutor, "map", closed)
    with pytest.raises(RuntimeError, match="was killed"), workers.mapping(2) as mapped:
        mapped(str, [1])
