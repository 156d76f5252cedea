"""Hard to break: killed anywhere, started twice, or left by its kernel, the next run ends as the undisturbed one would.

Each row of the tables is a test; the work in miniature that is disturbed is in work.py.
"""

import multiprocessing
import platform
import re
import signal
import threading
import time
from contextlib import contextmanager

import papermill
import pytest
import scenes
import work
from scenes import MADE
from test_pipeline import write_notebook

from gzutils.data import jpegs
from gzutils.data.simulation import survey
from gzutils.tools import files, workers

NAME = "RUN, or --run NAME"

# ---- killed: wherever it happens, the next call ends as if nothing had been

KILLED = {
    # what is running, and after which call of which function (SIGKILL)
    "while galaxies are drawn": (work.survey, "gzutils.data.simulation.survey.picture_of", 25),
    "while galaxies are preprocessed": (work.store, "gzutils.data.challenge.Images.read", 8),
    "while a checkpoint is written": (work.train, "numpy.savez", 3),
    "while the trained model is written": (work.train, "keras.Model.save", 1),
    "while the history is written": (work.train, "pandas.DataFrame.to_csv", 1),
    "while features are computed": (work.compute_features, "gzutils.tools.records.write_json", 3),
    "between two notebooks": (work.notebooks, "gzutils.course.pipeline._run_notebook", 1),
}


@pytest.mark.parametrize("when", KILLED)
def test_killed_the_next_call_goes_on_to_the_same_end(when, tmp_path):
    task, function, count = KILLED[when]
    work.copy_inputs(getattr(MADE, task.__name__), tmp_path)
    child = work.start(task.__name__, tmp_path, "die", function, str(count))
    assert child.wait(120) == -signal.SIGKILL, child.stderr.read()[-2000:]
    outputs = tmp_path / work.OUTPUTS[task.__name__]
    done = {path: path.stat().st_mtime_ns for path in outputs.parent.rglob("*.jpg")}
    task(tmp_path)
    scenes.assert_same(tmp_path, getattr(MADE, task.__name__))
    assert {path: path.stat().st_mtime_ns for path in done} == done, "what was done is done again"


HALF_WRITTEN = {
    # what is written, by which function, and the finished file at half of whose bytes the process is killed
    # (a store under way ends in .partial)
    "the history": (work.train, "pandas.DataFrame.to_csv", "trained/history.csv"),
    "the trained model": (work.train, "keras.Model.save", "trained/model.keras"),
    "a checkpoint": (work.train, "numpy.savez", "trained/model.keras"),
    "a base's features": (work.compute_features, "gzutils.learning.features._in_float16", "features/features.npy"),
    "the store's pictures": (work.store, "gzutils.tools.files.zeros_file", "data/store-*[!l]/images.npy"),
    "the store's labels": (work.store, "gzutils.tools.files.write_array", "data/store-*[!l]/labels.npy"),
    "a picture of the survey": (
        work.survey,
        "gzutils.data.simulation.survey.picture_of",
        "survey/images_training_rev1/100001.jpg",
    ),
}


@pytest.mark.parametrize("what", HALF_WRITTEN)
def test_killed_within_the_writing_of_a_file_the_next_call_goes_on_to_the_same_end(what, tmp_path):
    """The changes of the code that fail here: without `whole_file`, the history, the model, a checkpoint or a picture
    is written to its own name, features to `features.npy`, the store into its own folder.
    """
    task, function, file = HALF_WRITTEN[what]
    undisturbed = getattr(MADE, task.__name__)
    work.copy_inputs(undisturbed, tmp_path)
    half = next(undisturbed.glob(file)).stat().st_size // 2
    child = work.start(task.__name__, tmp_path, "half", function, str(half))
    assert child.wait(120) == -signal.SIGXFSZ, child.stderr.read()[-2000:]
    assert not list(tmp_path.glob(file)), "half a file has the whole one's name"
    task(tmp_path)
    scenes.assert_same(tmp_path, undisturbed)


WORKER_KILLED = r"was killed, most often for want of memory; .*run again: what is done stays"


@contextmanager
def worker_killed(when):
    """Meanwhile a worker process is killed as soon as `when` is true."""

    def kill_one():
        while not (when() and multiprocessing.active_children()):
            time.sleep(0.01)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(RuntimeError, match=WORKER_KILLED):
        yield
    killer.join()


def test_a_worker_that_is_killed_while_it_draws_is_told_and_nothing_drawn_is_lost(tmp_path):
    with worker_killed(lambda: list(tmp_path.glob("survey/*/*.jpg"))):
        survey.make_survey(tmp_path / "survey", 400, processes=2)
    drawn = {path: path.read_bytes() for path in tmp_path.glob("survey/*/[0-9]*.jpg")}
    survey.make_survey(tmp_path / "survey", 400, processes=1)
    assert drawn
    assert {path: path.read_bytes() for path in drawn} == drawn


def test_a_worker_that_is_killed_while_it_preprocesses_is_told_and_the_next_call_goes_on(tmp_path, monkeypatch):
    work.copy_inputs(MADE.store, tmp_path)
    with monkeypatch.context() as patch, worker_killed(lambda: True):
        patch.setattr(jpegs, "WORTH_PROCESSES", 1)
        patch.setattr(workers, "cores", lambda: 2)  # one core has no worker that could be killed
        work.store(tmp_path)
    work.store(tmp_path)
    scenes.assert_same(tmp_path, MADE.store)


# ---- two at once

AT_ONCE = {
    # what is running, and in which function the first one is when the second comes
    "two pipelines on one run": (
        work.notebooks,
        "gzutils.course.pipeline._run_notebook",
        "runs/smoke-simulated is in use by",
    ),
    "two trainings in one folder": (
        work.train,
        "gzutils.learning.checkpoint.Checkpoint.add_epoch",
        "trained is in use by",
    ),
    "features twice": (work.compute_features, "gzutils.learning.features._in_float16", "features is in use by"),
}


@pytest.mark.parametrize("which", AT_ONCE)
def test_the_second_says_who_is_at_work_and_stops_and_the_lock_dies_with_the_first(which, tmp_path):
    task, function, words = AT_ONCE[which]
    work.copy_inputs(getattr(MADE, task.__name__), tmp_path)
    with work.start(task.__name__, tmp_path, "hold", function, "1") as child:
        try:
            assert "held\n" in child.stdout, "it never came so far"
            with scenes.unchanged(tmp_path):
                _, message = scenes.refused(task, tmp_path)
        finally:
            child.kill()
    assert f"{words} process {child.pid} on {platform.node()}; wait until that is done" in message
    assert NAME in message
    task(tmp_path)
    scenes.assert_same(tmp_path, getattr(MADE, task.__name__))


def test_who_needs_data_that_another_is_making_waits_for_them(tmp_path):
    """Two runs of different names share the data."""
    with work.start("survey", tmp_path, "hold", "gzutils.data.simulation.survey.picture_of", "20") as first:
        assert "held\n" in first.stdout
        with work.start("survey", tmp_path) as second:
            said = second.stdout.readline()
            first.kill()
            assert second.wait(60) == 0, second.stderr.read()
    assert f"survey is in use by process {first.pid} on {platform.node()}; waiting until that is done" in said
    files.remove_leftovers(tmp_path)  # of the first, which may not have been quite dead when the second went on
    scenes.assert_same(tmp_path, MADE.survey)


def test_processes_that_train_together_and_other_folders_do_not_block_one_another(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    with files.locked(one, member=0), files.locked(one, member=1), files.locked(other), pytest.raises(files.Busy):
        files.locked(one).__enter__()
    assert not list(tmp_path.iterdir())


# ---- a notebook's kernel

KERNELS = {
    # what is wrong with it, and what the pipeline says of that notebook
    "killed": (None, "its kernel was killed, most often for want of memory; close other programs or take fewer"),
    "slow": (RuntimeError("Kernel didn't respond in 60 seconds"), r"its kernel did not start \(Kernel didn't respond"),
    "dead": (RuntimeError("Kernel died before replying"), r"its kernel did not start \(Kernel died .*run again"),
}


@pytest.mark.parametrize("which", KERNELS)
def test_without_its_kernel_a_notebook_has_failed_and_the_others_go_on(which, tmp_path, capsys, monkeypatch):
    error, words = KERNELS[which]
    work.copy_inputs(MADE.notebooks, tmp_path)
    execute, second = papermill.execute_notebook, tmp_path / "notebooks" / "02_second.ipynb"
    whole = second.read_text()

    def failing(notebook, *arguments, **options):
        if error and notebook.stem == "02_second":
            raise error
        return execute(notebook, *arguments, **options)

    if error is None:
        write_notebook(second, "import os; os.kill(os.getpid(), 9)")
    with monkeypatch.context() as patch:
        patch.setattr(papermill, "execute_notebook", failing)
        assert work.notebooks(tmp_path) == 1
    said = capsys.readouterr().out
    assert re.search(f"02_second: failed after .*, {words}", said), said
    assert "03_third: not run, it needs 02_second" in said
    second.write_text(whole)
    assert work.notebooks(tmp_path) == 0
    assert "01_first: unchanged, skipped" in capsys.readouterr().out
    scenes.assert_same(tmp_path, MADE.notebooks)
