"""Every command that a page shows is run, as it stands there, in a copy of the checkout with notebooks in miniature."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
from pathlib import Path

import nbformat
import pytest
from conftest import write_challenge
from test_quality import NOTEBOOKS, PAGES, ROOT, parameters_cell, prose

ELSEWHERE = {  # what starts a command that needs a browser, a GPU, or minutes
    ".venv/bin/python -m gzutils.course.export": "test_export.py",
    ".venv/bin/python -m gzutils.course.large_run": "test_shipped.py",
    ".venv/bin/python -m gzutils.course.pretraining": "test_pretraining.py",
    ".venv/bin/python tests/benchmarks/asking.py": "test_quality.py",
    ".venv/bin/python tests/benchmarks/dieleman_ideas.py": "test_quality.py",
    ".venv/bin/python tests/benchmarks/gz2_requests.py": "test_gz2_pictures.py",
    ".venv/bin/python tests/benchmarks/hard_classes.py": "test_hard_classes_benchmark.py",
    ".venv/bin/python tests/benchmarks/seeds.py": "test_seeds.py",
    ".venv/bin/python tests/in_jupyterlab.py": "test_jupyterlab.py",
    ".venv/bin/python tests/on_colab.py": "test_colab.py",
    ".venv/bin/python tests/on_jax.py": "test_backends.py",
}
LAB = re.compile(r"^\.venv/bin/jupyter lab (\S+)$")


def scripts():
    """All that the pages show: each shell block, and each command within a sentence."""
    shown: list[str] = []
    for page in (*PAGES, *NOTEBOOKS):
        text = prose(page)
        shown += re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
        sentences = re.findall(r"`((?:\w+=\w+ )?(?:\./run_all\.sh|\.venv/bin/)[^`\n]*)`", text)
        shown += [command for command in sentences if not any(command in script for script in shown)]
    return ["\n".join(line.strip() for line in script.strip().splitlines()) for script in shown]


def in_miniature(path):
    """A notebook of the course with its badge and parameters, and hardly any code."""
    notebook = nbformat.read(path, as_version=4)
    cell = parameters_cell(notebook)
    first = nbformat.v4.new_code_cell("# google.colab", id="set-up")
    last = nbformat.v4.new_code_cell(
        "(PROFILE, DATA)  # in place of runs.begin(…), so that it gets all parameters", id="last"
    )
    notebook.cells = [notebook.cells[0], first, cell, last]
    for cell in notebook.cells[1:]:
        cell.outputs = []
    return notebook


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy whose .venv has the kit as `run_all.sh` installs it, and all packages of this process's environment."""
    folder = tmp_path_factory.mktemp("kit")
    for name in ("run_all.sh", "requirements.txt", "constraints.txt", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "gzutils", folder / "gzutils", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("notebooks", "tests/benchmarks"):
        (folder / name).mkdir(parents=True)
    for path in NOTEBOOKS[:2]:
        nbformat.write(in_miniature(path), folder / "notebooks" / path.name)
    course = folder / "gzutils" / "course" / "__init__.py"
    for path in NOTEBOOKS[2:]:
        course.write_text(course.read_text().replace(f'    "{path.stem}",\n', ""))
    (folder / "gzutils/course/pace.py").write_text("def say(names):\n    print('as measured in test_pace.py')\n")
    for name in ("tests/test_one.py", "tests/benchmarks/test_two.py"):
        (folder / name).write_text("def test_it():\n    assert True\n")
    venv.create(folder / ".venv")
    (packages,) = folder.glob(".venv/lib/python*/site-packages")
    (packages / "a_kit.pth").write_text(f"{folder}\n")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / ".venv" / "share").symlink_to(Path(sys.prefix) / "share")
    for name in ("jupyter", "jupyter-lab", "papermill"):
        _, _, code = (Path(sysconfig.get_path("scripts")) / name).read_text().partition("\n")
        (folder / ".venv/bin" / name).write_text(f"#!{folder}/.venv/bin/python\n{code}")
        (folder / ".venv/bin" / name).chmod(0o755)
    lists = "requirements.txt constraints.txt pyproject.toml"
    script = f'echo "lab,test $(cat {lists} | cksum)" >.venv/installed'
    subprocess.run(["bash", "-c", script], cwd=folder, check=True)
    return folder


def environment(folder, **others):
    """Without a GPU, without a kit on PYTHONPATH, and with tools of the test's own before the others."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"PATH": f"{folder / 'tools'}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""} | others


def run(folder, script, **others):
    command = ["bash", "-euc", script]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment(folder, **others))


@pytest.mark.parametrize("script", scripts())
def test_what_a_page_shows_can_be_run(script, checkout):
    for command, test in ELSEWHERE.items():
        if script.startswith(command):
            assert (ROOT / "tests" / test).is_file()
            _, first, *module = command.split()
            assert (ROOT / (f"{module[0].replace('.', '/')}.py" if module else first)).is_file()
            return
    if lab := LAB.match(script):
        return opens_in_jupyterlab(checkout, lab[1])
    data = checkout / "DIR"
    if "DIR" in script and not data.exists():
        write_challenge(data, [100001])
    # Where nothing else tells the other machine's process, each would wait for it.
    if "KERAS_DISTRIBUTION" in script:
        script = script.replace("PROCESSES=2", "PROCESSES=1").replace("first-machine", "localhost")
    result = run(checkout, script)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    for asked in re.findall(r"^(?:KERAS_BACKEND=\w+ )?\./run_all\.sh(?!.*(?:test|benchmark|--help)).*$", script, re.M):
        assert f"Done. Open {checkout}/runs/" in result.stdout, asked


def opens_in_jupyterlab(checkout, notebook):
    """The server starts and hands out the page and the notebook; a browser opens it in test_jupyterlab.py."""
    with (checkout / "lab.log").open("w") as log:
        command = [".venv/bin/jupyter", "lab", notebook, "--no-browser", "--allow-root", "--port", "0"]
        server = subprocess.Popen(command, cwd=checkout, stderr=log, env=environment(checkout))
        try:
            end = time.monotonic() + 60
            while not (found := re.search(r"http://localhost:\S+", (checkout / "lab.log").read_text())):
                assert time.monotonic() < end, (checkout / "lab.log").read_text()
                time.sleep(0.2)
            name = Path(notebook).name  # the server's root is the notebook's folder
            for place in (f"lab/tree/{name}", f"api/contents/{name}"):
                with urllib.request.urlopen(found[0].replace("/lab?", f"/{place}?")) as page:
                    assert page.status == 200
        finally:
            server.terminate()
            server.wait(30)


def test_a_copy_of_the_kit_in_place_of_the_checkout_is_noticed(checkout):
    """As `pip install .` leaves it: the pipeline would look for notebooks beside that copy."""
    (packages,) = checkout.glob(".venv/lib/python*/site-packages")
    tools = checkout / "tools"
    tools.mkdir()
    (tools / "df").write_text("#!/bin/sh\necho head; echo /dev/full 9 9 1000 9% /\n")  # so far, and no installation
    (tools / "df").chmod(0o755)
    try:
        assert "Done." in run(checkout, "./run_all.sh").stdout
        shutil.copytree(checkout / "gzutils", packages / "gzutils")
        result = run(checkout, "./run_all.sh")
    finally:
        shutil.rmtree(packages / "gzutils", ignore_errors=True)
        shutil.rmtree(tools)
    assert result.returncode == 1
    assert "less than 6 GB are free" in result.stderr
    assert not (packages / "runs").exists()
