"""`run_all.sh` before it installs anything: help and wrong options, from any folder, with any Python in reach."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gzutils.course import COURSE
from gzutils.course.command_line import parse

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable


def run_all(*arguments, script=ROOT / "run_all.sh", cwd="/", **environment):
    return subprocess.run(
        [str(script), *arguments], capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}
    )


def test_defaults():
    options = parse([])
    assert (options.profile, options.data, options.data_dir, options.galaxies) == ("quick", "simulated", None, None)
    assert (options.run, options.seed, options.fresh) == ("quick-simulated", 0, False)


def test_another_seed_is_another_run():
    assert parse(["--seed", "1"]).run == "quick-simulated-seed-1"
    assert parse(["--seed", "0"]).run == "quick-simulated"
    assert parse(["--seed", "2", "--run", "mine"]).run == "mine"


def test_help_explains_every_option_and_profile():
    result = run_all("--help")
    assert result.returncode == 0
    options = (
        "--profile",
        "--data",
        "--data-dir",
        "--debiased",
        "--galaxies",
        "--seed",
        "--run",
        "--only",
        "--from",
        "--fresh",
    )
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
        (["--data-dir", "/"], "--data-dir goes with --data gz2 or --data kaggle"),
        (["--debiased", "hart", "--data", "kaggle"], "--debiased goes with --data gz2"),
        (["--seed", "-1"], "SEED is -1; it has to be a whole number, 0 or more"),
        (["--seed", "4294967296"], "SEED is 4294967296; it has to be a whole number, 0 to 2,147,483,647"),
        (["--seed", "1", "--store-outputs"], "on simulated galaxies, with seed 0"),
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


def test_a_notebook_that_is_not_there_is_named_before_the_installation(tmp_path):
    """The fault: the pipeline chose the notebooks, after the installation."""
    script = copy_of_the_script(tmp_path)
    for option, name, count in (("--only", "99", 0), ("--from", "99", 0), ("--only", "0", len(COURSE))):
        result = run_all(option, name, script=script)
        assert result.returncode == 2
        assert f'"{name}" names {count} notebooks; there are 01_preprocessing, 02_parallel_cnn, ' in result.stderr
    assert not (tmp_path / ".venv").exists()


def stand_in(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("#!/bin/sh\n" + text)
    (folder / name).chmod(0o755)


def test_too_old_a_python_is_said_in_one_sentence(tmp_path):
    script = copy_of_the_script(tmp_path)
    tools = tmp_path / "tools"
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        stand_in(tools, name, "exit 1")
    result = run_all(script=script, PATH=f"{tools}:/usr/bin:/bin", PYTHON="")
    assert result.returncode == 1
    assert result.stderr.startswith("run_all.sh: Python 3.11 to 3.14 is needed")
    assert len(result.stderr.strip().splitlines()) == 1


def python_of(version):
    """A stand-in for a Python of a version: it says whether it is of those asked for, and makes no environment."""
    answer = (
        f'case "$2" in *version_info*) exec {PYTHON} -c "$(echo "$2" | sed "s/sys.version_info/{version}/")";; esac'
    )
    return f'{answer}\n[ "$2" = venv ] && {{ echo "made by {version}" >&2; exit 1; }}\nexec {PYTHON} "$@"'


@pytest.mark.parametrize(
    ("there", "uv", "made_by", "says_jax"),
    [
        ({"python3": (3, 14)}, None, (3, 14), True),
        ({"python3": (3, 14)}, 1, (3, 14), True),  # uv has no network
        ({"python3": (3, 14)}, 0, (3, 13), False),
        ({"python3": (3, 10), "python3.14": (3, 14)}, None, (3, 14), True),
        ({"python3": (3, 14), "python3.12": (3, 12)}, 0, (3, 12), False),
        ({"python3": (3, 10)}, 0, (3, 13), False),
    ],
)
def test_a_system_with_python_3_14_needs_no_search(tmp_path, there, uv, made_by, says_jax):
    script, tools = copy_of_the_script(tmp_path), tmp_path / "tools"
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        stand_in(tools, name, python_of(there[name]) if name in there else "exit 1")
    stand_in(tools, "df", "echo head; echo /dev/full 9 9 9000000 9% /")
    if uv is not None:
        stand_in(tmp_path / "fetched", "python", python_of((3, 13)))
        find = f'[ "$2" = find ] && echo {tmp_path}/fetched/python'
        stand_in(tools, "uv", f'[ "$2" = install ] && exit {uv}\n{find}')
    result = run_all(script=script, PATH=f"{tools}:/usr/bin:/bin", PYTHON="")
    assert f"made by {made_by}" in result.stderr
    assert ("everything runs on JAX" in result.stderr) is says_jax


@pytest.mark.parametrize(
    "words", ["No module named venv", "Permission denied: .venv", "[Errno 30] Read-only file system"]
)
def test_a_virtual_environment_that_cannot_be_made_is_explained_in_venvs_own_words(tmp_path, words):
    script = copy_of_the_script(tmp_path)
    stand_in(tmp_path / "tools", "python3", f'[ "$2" = venv ] && {{ echo "{words}" >&2; exit 1; }}\n{PYTHON} "$@"')
    result = run_all(script=script, PATH=f"{tmp_path / 'tools'}:/usr/bin:/bin", PYTHON="")
    assert result.returncode == 1
    assert words in result.stderr
    assert "install that (Debian, Ubuntu: apt install python3-venv)" in result.stderr


@pytest.mark.parametrize("name", ["kit:2026", "C:kit", "kit:"])
@pytest.mark.parametrize("arguments", [[], ["test"], ["--help"]])
def test_a_folder_with_a_colon_is_refused_before_anything_is_made_in_it(tmp_path, name, arguments):
    (tmp_path / name).mkdir()
    result = run_all(*arguments, script=copy_of_the_script(tmp_path / name))
    assert result.returncode == 1
    assert result.stderr == (
        f"run_all.sh: {tmp_path / name} has a colon in its name, which separates folders in Python's and the shell's "
        "lists; rename it\n"
    )
    assert not (tmp_path / name / ".venv").exists()


HELP = "usage: run_all.sh"


@pytest.mark.parametrize("name", ["kit", "-kit", "my kit", "kit*"])
@pytest.mark.parametrize("shell", [[], ["bash"], ["sh"], ["bash", "--posix"]], ids=" ".join)
def test_the_script_finds_what_belongs_to_it_however_it_is_called(tmp_path, name, shell):
    """A CDPATH, another kit where that leads, a strange name, a shell that is not bash."""
    (tmp_path / "elsewhere" / name).mkdir(parents=True)
    (tmp_path / name).mkdir()
    copy_of_the_script(tmp_path / name)
    command = [*shell, f"{'./' if name[0] == '-' else ''}{name}/run_all.sh", "--help"]
    for folder in (".", "elsewhere"):
        environment = os.environ | {"CDPATH": str(tmp_path / folder)}
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.stdout.startswith(HELP), result.stderr


def test_the_script_finds_what_belongs_to_it_through_links_and_path(tmp_path):
    (tmp_path / "kit").mkdir()
    script = copy_of_the_script(tmp_path / "kit")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "galaxies").symlink_to(script)
    (tmp_path / "folder").symlink_to(tmp_path / "kit")
    assert run_all("--help", script=tmp_path / "bin" / "galaxies").stdout.startswith(HELP)
    assert run_all("--help", script=tmp_path / "folder" / "run_all.sh").stdout.startswith(HELP)
    by_path = run_all("--help", script="galaxies", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert by_path.stdout.startswith(HELP), by_path.stderr


@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"])
@pytest.mark.parametrize("arguments", [[], ["test"]])
def test_the_users_variables_of_python_and_pip_do_not_reach_what_is_installed(tmp_path, variable, arguments):
    script = copy_of_the_script(tmp_path)
    stand_in(tmp_path / ".venv/bin", "python", f'echo "$* {variable}=${variable}" >>{tmp_path}/calls')
    stand_in(tmp_path / "tools", "df", "echo head; echo /dev/full 9 9 9000000 9% /")
    tools = {"PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}", "PYTHON": PYTHON}
    result = run_all(*arguments, script=script, **tools, **{variable: ""})
    assert result.returncode == 0, result.stderr
    (tmp_path / "calls").unlink()
    (tmp_path / ".venv/installed").unlink()
    theirs = "/usr" if variable == "PYTHONHOME" else str(tmp_path / "theirs")
    result = run_all(*arguments, script=script, **tools, **{variable: theirs})
    assert result.returncode == 0, result.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split(f" {variable}=")[1] for call in calls] == [""] * 3, "pip is asked for, installs, and is followed"


def test_another_kit_on_pythonpath_is_not_taken(tmp_path):
    script = copy_of_the_script(tmp_path)
    own = f'exec {PYTHON} "$1" -c \'import argparse, gzutils; print("its own")\''
    stand_in(tmp_path / ".venv/bin", "python", f'[ "$3" = gzutils.course.pipeline ] && {own}\n[ "$2" = pip ]')
    stand_in(tmp_path / "tools", "df", "echo head; echo /dev/full 9 9 9000000 9% /")
    for package in ("gzutils", "argparse", "pip"):
        (tmp_path / "theirs" / package).mkdir(parents=True)
        (tmp_path / "theirs" / package / "__init__.py").write_text(f"raise RuntimeError('their {package}')")
    environment = {"PYTHONPATH": tmp_path / "theirs", "PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}"}
    for cwd in ("/", tmp_path / "theirs"):
        result = run_all(script=script, cwd=cwd, PYTHON=PYTHON, **environment)
        assert result.stdout.endswith("its own\n"), result.stderr


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


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.eol=crlf", "core.autocrlf=input"])
def test_a_checkout_of_any_machine_has_the_same_bytes_and_starts(tmp_path, setting):
    git = ["git", "-c", "user.name=x", "-c", "user.email=x", "-c", "init.defaultBranch=main"]
    (tmp_path / "kit").mkdir()
    copy_of_the_script(tmp_path / "kit")
    for place in (".gitattributes", ".ci/run", "README.md", "notebooks", "data/README.md"):
        (tmp_path / "kit" / place).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / place).is_dir() else shutil.copy
        copy(ROOT / place, tmp_path / "kit" / place)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], cwd=tmp_path / "kit", check=True)
    subprocess.run([*git, "clone", "-q", "-c", setting, "kit", "checkout"], cwd=tmp_path, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=tmp_path / "kit", capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        assert (tmp_path / "checkout" / name).read_bytes() == (ROOT / name).read_bytes(), name
    assert run_all("--help", script=tmp_path / "checkout/run_all.sh").stdout.startswith(HELP)
