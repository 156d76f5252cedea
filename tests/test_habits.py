"""What helps those who carry on: workflows, hooks before a commit, and how to contribute, all of it still true."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import LONGEST, pytest_collection_modifyitems, pytest_configure

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
HOOKS = {
    hook["id"]: hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repo["hooks"]
}


def steps(workflow):
    (job,) = yaml.safe_load((WORKFLOWS / workflow).read_text())["jobs"].values()
    return job, [step["run"] for step in job["steps"] if "run" in step]


def test_both_commands_run_on_every_python_that_run_all_looks_for_first():
    """The fault: a new Python in run_all.sh, or another command in README, without the workflow."""
    job, commands = steps("tests.yml")
    first, end = re.search(r'"3, (\d+)" "3, (\d+)"; then echo', (ROOT / "run_all.sh").read_text()).groups()
    assert job["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(int(first), int(end))]
    block = re.search(r"## Two commands.*?```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert sorted(commands) == sorted(line.split("  #")[0].strip() for line in block.strip().splitlines())


def test_the_nightly_takes_the_newest_versions_with_the_kits_own_extras():
    """The fault: constraints hold the versions back, or an extra of another name installs nothing."""
    _, (install, _, test) = steps("newest.yml")
    assert "constraint" not in install
    assert {"--upgrade", "tensorflow", "keras", "numpy"} <= set(shlex.split(install))
    extras = re.search(r"\.\[([\w,]+)\]", install)[1].split(",")
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) <= there.keys()
    assert test.startswith("python -m pytest ")


def hook(name, *files, cwd=ROOT):
    """What a hook says of files; the tools are this process's."""
    command = shlex.split(HOOKS[name]["entry"])
    command[:1] = [sys.executable, "-m", "ruff"] if command[0] == ".venv/bin/ruff" else [sys.executable]
    return subprocess.run([*command, *map(str, files)], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(("name", "fault"), [("ruff-check", "import os\n"), ("ruff-format", "a = (1,2)\n")])
def test_the_hooks_find_what_ruff_finds(tmp_path, name, fault):
    (tmp_path / "a.py").write_text("a = 1\n")
    assert hook(name, tmp_path / "a.py").returncode == 0
    (tmp_path / "a.py").write_text(fault)
    before = hook(name, tmp_path / "a.py")
    changed = (tmp_path / "a.py").read_text() != fault  # which makes pre-commit refuse the commit, too
    assert before.returncode != 0 or changed


def test_the_gate_for_stored_outputs_takes_the_tests_of_these():
    """The fault: a test is renamed, and the hook selects nothing."""
    listed = hook("stored-outputs", "--collect-only").stdout
    for name in ("stored_outputs_are_clean", "stored_outputs_are_of_one_run_in_order", "stay_small"):
        assert name in listed
    assert "test_every_cell_runs" not in listed
    assert re.match(HOOKS["stored-outputs"]["files"], "notebooks/01_preprocessing.ipynb")


def test_each_way_to_contribute_has_five_lines_and_its_names_are_still_there():
    page = (ROOT / "notebooks" / "README.md").read_text()
    ways = re.findall(r"^### (.+?)\n(.*?)(?=^#|\Z)", page, re.DOTALL | re.MULTILINE)
    assert [title for title, _ in ways] == ["A network", "A figure", "A notebook"]
    for _, text in ways:
        assert [line[:2] for line in text.strip().splitlines()] == ["1.", "2.", "3.", "4.", "5."]
    for folder in re.findall(r"`([\w./]+/)`", "".join(text for _, text in ways)):
        assert (ROOT / folder).is_dir(), folder
    code = "".join(path.read_text() for path in (ROOT / "gzutils").rglob("*.py"))
    for name in ("def network(self", "def show_figure(self", "\nFURTHER = ", "\nFIGURES = "):
        assert name in code, name


def test_the_longest_tests_begin_first():
    """The fault: one of them is renamed, or xdist takes its own order, and one of two workers ends alone with it."""
    assert set(LONGEST) <= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    names = ["test_files", LONGEST[1], "test_locks", LONGEST[0]]
    items = [SimpleNamespace(path=Path(f"{name}.py")) for name in names]
    pytest_collection_modifyitems(items)
    assert [item.path.stem for item in items] == [*LONGEST[:2], "test_files", "test_locks"]
    chosen = SimpleNamespace(option=SimpleNamespace(loadscopereorder=True))
    pytest_configure(chosen)
    assert not chosen.option.loadscopereorder
