"""`run_all.sh` before it installs anything: help and wrong options, from any folder, with any Python in reach."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gzutils.course.command_line import parse

ROOT = Path(__file__).resolve().parents[1]


def run_all(*arguments, script=ROOT / "run_all.sh", cwd="/", **environment):
    return subprocess.run(
        [str(script), *arguments], capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}
    )


def test_defaults():
    options = parse([])
    assert (options.profile, options.data, options.data_dir, options.galaxies) == ("quick", "simulated", None, None)
    assert (options.run, options.fresh) == ("quick-simulated", False)


def test_help_explains_every_option_and_profile():
    result = run_all("--help")
    assert result.returncode == 0
    options = ("--profile", "--data", "--data-dir", "--galaxies", "--run", "--only", "--from", "--fresh")
    for word in (*options, "--precision", "--devices", "test"):
        assert word in result.stdout
    assert "quick    minutes on two cores" in result.stdout


def test_another_copy_in_the_current_directory_is_not_taken(tmp_path):
    (tmp_path / "gzutils").mkdir()
    (tmp_path / "gzutils" / "__init__.py").write_text("raise RuntimeError('another copy')")
    assert run_all("--help", cwd=tmp_path).returncode == 0
    assert '"99" names 0 notebooks' in run_all("--only", "99", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--profile", "fast"], "'fast'"),
        (["--galaxies", "many"], "GALAXIES is 'many'; it has to be a whole number, 5 or more"),
        (["--galaxies", "4"], "GALAXIES is 4; it has to be a whole number, 5 or more"),
        (["--data", "kaggle", "--data-dir", "/no/such/folder"], "there is no /no/such/folder"),
        (["--data-dir", "/"], "--data-dir goes with --data kaggle"),
        (["--devices", "0"], "DEVICES is 0; it has to be a whole number, 1 or more"),
        (["--precision", "float16"], "'float16'"),
        (["--profile", "report", "--precision", "mixed_float16"], "the profile report is always float32"),
        (["--run", "a/b"], "RUN is 'a/b'; it has to be a plain folder name"),
        (["--only", "01", "--from", "02"], "exclude each other"),
        (["--profile", "smoke", "--store-outputs"], "--store-outputs goes with the profile quick"),
        (["--colour"], "--colour"),
    ],
)
def test_a_wrong_option_is_named_at_once(arguments, words):
    result = run_all(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def copy_of_the_script(tmp_path):
    """The script with what it reads, but without a .venv."""
    for name in ("run_all.sh", "requirements.txt", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "gzutils", tmp_path / "gzutils", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "run_all.sh"


def stand_in(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + text)
    (folder / name).chmod(0o755)


def test_too_old_a_python_is_said_in_one_sentence(tmp_path):
    script = copy_of_the_script(tmp_path)
    tools = tmp_path / "tools"
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        stand_in(tools, name, "exit 1")
    result = run_all(script=script, PATH=f"{tools}:/usr/bin:/bin", PYTHON="")
    assert result.returncode == 1
    assert result.stderr.startswith("run_all.sh: Python 3.11, 3.12 or 3.13 is needed")
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_python_without_venv_is_said_in_one_sentence(tmp_path):
    script = copy_of_the_script(tmp_path)
    python = shutil.which("python3")
    stand_in(tmp_path / "tools", "python3", f'[ "$2" = venv ] && exit 1\nexec {python} "$@"')
    result = run_all(script=script, PATH=f"{tmp_path / 'tools'}:/usr/bin:/bin", PYTHON="")
    assert result.returncode == 1
    assert "install its venv module" in result.stderr


def test_a_full_disk_is_said_in_one_sentence(tmp_path):
    script = copy_of_the_script(tmp_path)
    stand_in(tmp_path / "tools", "df", "echo head; echo /dev/full 9 9 1000 9% /")
    result = run_all(script=script, PATH=f"{tmp_path / 'tools'}:{os.environ['PATH']}")
    assert result.returncode == 1
    assert "less than 6 GB are free" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_failed_installation_names_its_log(tmp_path):
    script = copy_of_the_script(tmp_path)
    result = run_all(script=script, PIP_INDEX_URL="http://127.0.0.1:9/", PIP_EXTRA_INDEX_URL="", PIP_RETRIES="0")
    assert result.returncode == 1
    assert "the installation failed" in result.stderr
    assert "is there a network?" in result.stderr
    assert str(tmp_path / ".venv" / "install.log") in result.stderr
