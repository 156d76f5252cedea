"""A user's own configuration of Matplotlib, Keras and IPython is for other work: none of it leaks in here."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from test_pipeline import project, write_notebook  # noqa: F401  a fixture

from gzutils.course import pipeline


def said(code, **environment):
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


FIGURE = """
import io, sys
from gzutils.plots import constraints
file = io.BytesIO()
constraints.matrix_of_constraints().savefig(file, format="png", dpi=50)
sys.stdout.buffer.write(file.getvalue())
"""
FORMULA = "from gzutils.course import pages; print(pages._offline_text('$\\\\frac{1}{N}$'))"
SETTINGS = [
    "text.usetex: True",
    "font.size: 40\nfont.family: serif\nlines.linewidth: 9",
    "figure.facecolor: black\naxes.facecolor: black\ntext.color: white\nsavefig.bbox: tight",
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty") / "matplotlibrc"
    empty.write_text("")
    return {code: said(code, MATPLOTLIBRC=str(empty)) for code in (FIGURE, FORMULA)}


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda text: text.split(":")[0])
def test_figures_and_formulas_start_from_matplotlibs_defaults(settings, undisturbed, tmp_path):
    (tmp_path / "matplotlibrc").write_text(settings)
    for code, expected in undisturbed.items():
        assert said(code, MATPLOTLIBRC=str(tmp_path / "matplotlibrc")) == expected


KERAS = """
from gzutils.tools import backend
backend.load()
import keras
from gzutils.models.parallel_cnn import parallel_cnn
model = parallel_cnn(width=0.125)
c = keras.config
print(model.layers[2].output.shape, model.dtype_policy.name, c.epsilon(), c.floatx(), model.output.dtype)
print(getattr(c, "max_epochs", lambda: None)(), getattr(c, "max_steps_per_epoch", lambda: None)())
"""


@pytest.mark.parametrize(
    "settings",
    [{"image_data_format": "channels_first"}, {"floatx": "float16"}, {"epsilon": 1e-3}],
    ids=str,
)
def test_networks_are_built_as_the_kit_means_them_whatever_keras_json_says(settings, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "tensorflow"} | settings))
    expected = b"(None, 64, 64, 8) float32 1e-07 float32 float32\nNone None\n"
    assert said(KERAS, KERAS_HOME=str(tmp_path)) == expected


@pytest.mark.parametrize("variable", ["KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH"])
def test_a_limit_of_training_is_none_of_the_kits(variable):
    assert said(KERAS, **{variable: "1"}).endswith(b"None None\n")


def test_the_users_start_up_files_and_windows_do_not_reach_the_notebooks(project, monkeypatch, tmp_path):  # noqa: F811
    startup = tmp_path / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("PROFILE_OF_MINE = 1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "tkagg")
    code = "import matplotlib\nprint('PROFILE_OF_MINE' in globals(), 'inline' in matplotlib.get_backend())"
    write_notebook(project / "notebooks/01_first.ipynb", code)
    assert pipeline.main(["--profile", "smoke", "--only", "01"]) == 0
    executed = nbformat.read(project / "runs/smoke-simulated/notebooks/01_first.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "False True\n"
