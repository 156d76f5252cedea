"""What every commit keeps to: ruff on code and notebooks, and nothing of one machine in what is tracked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {
    "README.md", "requirements.txt", "constraints.txt", "pyproject.toml", "LICENSE", "run_all.sh",
    "notebooks", "gzutils", "data", "tests",
}  # fmt: skip


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_is_content(command):
    result = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "gzutils", "notebooks", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


@pytest.fixture(scope="module")
def tracked():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_top_level_holds_what_the_layout_says(tracked):
    names = {path.relative_to(ROOT).parts[0] for path in tracked}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_no_path_of_a_machine_is_tracked(tracked):
    for path in tracked:
        if path.suffix in {".py", ".md", ".sh", ".toml", ".txt", ".ipynb"} and path.parent.name != "tests":
            assert not re.search(r"(?<![\w.])/(work|root|home/\w+)/", path.read_text()), path


def test_the_commands_in_the_readme_exist(tracked):
    text = (ROOT / "README.md").read_text()
    from gzutils.command_line import parse

    for line in re.findall(r"^\./run_all\.sh(.*)$", text, re.MULTILINE):
        words = line.split("#")[0].split()
        if words[:1] != ["test"]:
            parse(
                [word for word in words if word != "--help"]
                if "DIR" not in words
                else words[: words.index("--data-dir")]
            )
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
