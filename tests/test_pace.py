"""How long the first command will take here: said before it begins, from steps that are measured."""

import subprocess
import sys

import pytest
from test_pipeline import executed, project  # noqa: F401  fixtures

from gzutils.course import COURSE, pace, pipeline


def test_the_measured_run_is_foretold():
    """Two cores with AVX-512: an epoch of 240 steps and 60 for the validation took 18.8 s, all notebooks 26 min.

    The fault: steps of another batch size, or notebooks that are not counted.
    """
    step = 18.8 / 260
    assert pace._steps() == pytest.approx(20 * 260)
    assert "this takes about 26 min. Shorter: --only 02, about 7 min; or --profile smoke" in pace.in_words(step, COURSE)
    assert "this takes about 51 min." in pace.in_words(2 * step, COURSE)
    assert "about a minute (without 99_new)" in pace.in_words(step, ["01_preprocessing", "99_new"])


def test_a_step_is_measured():
    assert 0.001 < pace.measure(seconds=0.1) < 5


@pytest.fixture
def looks(monkeypatch):
    """The names of the notebooks whose time is asked for, call by call."""
    asked = []
    monkeypatch.setattr(pace, "say", asked.append)
    return asked


def test_it_is_said_of_the_notebooks_that_will_run_and_of_no_others(project, looks, monkeypatch):  # noqa: F811
    """The fault: a second call, which runs nothing, or one of several machines, waits for a measurement."""
    for arguments in (["--only", "01"], [], [], ["--profile", "smoke"]):
        assert pipeline.main(arguments) == 0
    (project / "runs/quick-simulated/01_first/metrics.json").unlink()
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    assert pipeline.main([]) == 0
    assert looks == [["01_first"], ["02_second", "03_third"]]


def test_a_measurement_that_fails_or_hangs_says_nothing_and_stops_nothing(monkeypatch, capsys):
    run = subprocess.run
    for code, patience in (("1 / 0", 20), ("print('no number')", 20), ("import time; time.sleep(60)", 0.5)):
        monkeypatch.setattr(pace, "PATIENCE", patience)
        monkeypatch.setattr(subprocess, "run", lambda _, code=code, **k: run([sys.executable, "-c", code], **k))
        pace.say(["01_preprocessing"])
    monkeypatch.setattr(subprocess, "run", lambda _, **k: run([sys.executable, "-c", "print(0.1)"], **k))
    pace.say(["01_preprocessing"])
    assert capsys.readouterr().out.startswith(
        "Measured: a training step takes 0.1 s here, so this takes about a minute"
    )
