"""The pipeline, on small notebooks of the test's own: order, skipping, failures, and what depends on them."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gzutils.course import NAMES, pace, pipeline
from gzutils.tools import files

PARAMETERS = 'PROFILE = "quick"\nDATA = "simulated"\nDATA_DIR = None\nGALAXIES = None\nRUN = None'


def write_notebook(path, *sources, needs=(), reads=()):
    cells = [new_markdown_cell("# Title"), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "gzutils": {"needs": needs, "reads": reads}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


WRITE = """
from pathlib import Path
folder = Path({root!r}) / "runs" / RUN / {name!r}
folder.mkdir(parents=True, exist_ok=True)
(folder / "metrics.json").write_text(PROFILE)
with open({root!r} + "/log", "a") as log:
    log.write({name!r} + chr(10))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three notebooks, each of which logs its name; the third needs the second."""
    (tmp_path / "notebooks").mkdir()
    for name, needs in (("01_first", ()), ("02_second", ()), ("03_third", ("02_second",))):
        source = WRITE.format(root=str(tmp_path), name=name)
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", source, needs=needs)
    monkeypatch.setattr(pipeline, "ROOT", tmp_path)
    monkeypatch.setattr(pipeline, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(pipeline, "COURSE", ("01_first", "02_second", "03_third"))
    monkeypatch.setattr(pipeline, "FURTHER", ())
    monkeypatch.setattr(pace, "say", lambda names: None)  # see test_pace.py
    return tmp_path


def executed(project):
    log = project / "log"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return names


def test_a_seed_reaches_the_notebooks_and_gives_the_run_its_name(project):
    """A run takes what `runs.begin` understands, whether the notebook's own cell has it or not."""
    seed = "runs = __import__('types').SimpleNamespace(begin=print)\nruns.begin(SEED)"
    write_notebook(project / "notebooks" / "01_first.ipynb", seed)
    assert pipeline.main(["--profile", "smoke", "--seed", "7", "--only", "01"]) == 0
    ran = nbformat.read(project / "runs/smoke-simulated-seed-7/notebooks/01_first.ipynb", 4)
    assert ran.cells[-1].outputs[0].text == "7\n"


def test_all_run_in_order_and_a_second_call_runs_nothing(project, capsys):
    assert pipeline.main(["--profile", "smoke"]) == 0
    assert executed(project) == ["01_first", "02_second", "03_third"]
    assert (project / "runs/smoke-simulated/01_first/metrics.json").read_text() == "smoke"
    assert (project / "runs/smoke-simulated/notebooks/01_first.ipynb").is_file()
    index = project / "runs/smoke-simulated/index.html"
    assert index.is_file()
    assert str(index) in capsys.readouterr().out.splitlines()[-1]
    assert pipeline.main(["--profile", "smoke"]) == 0
    assert executed(project) == []
    assert capsys.readouterr().out.count("unchanged, skipped") == 3


def test_only_what_changed_runs_again(project):
    pipeline.main(["--profile", "smoke"])
    executed(project)
    notebook = project / "notebooks/01_first.ipynb"
    write_notebook(notebook, WRITE.format(root=str(project), name="01_first") + "\nprint('changed')")
    (project / "runs/smoke-simulated/03_third/metrics.json").unlink()
    assert pipeline.main(["--profile", "smoke"]) == 0
    assert executed(project) == ["01_first", "03_third"]


@pytest.mark.parametrize("changed", ["metrics.json", "model.keras", "figures/figure_08.png"])
def test_what_a_notebook_reads_but_can_do_without_is_part_of_its_state(tmp_path, changed):
    write_notebook(tmp_path / "03_third.ipynb", "", reads=["02_second", "07_not_there"])
    source = nbformat.read(tmp_path / "03_third.ipynb", as_version=4)
    before = pipeline._state(source, {"DATA_DIR": None}, tmp_path)
    path = tmp_path / "02_second" / changed
    path.parent.mkdir(parents=True)
    path.write_text("changed")
    assert pipeline._state(source, {"DATA_DIR": None}, tmp_path) != before


def test_what_the_kit_brings_along_is_part_of_a_notebooks_state(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "TRAINED", tmp_path / "trained")
    (tmp_path / "trained" / "large_run").mkdir(parents=True)
    source = new_notebook(cells=[new_code_cell("a = 1")])
    before = pipeline._state(source, {"DATA_DIR": None}, tmp_path)
    (tmp_path / "trained" / "large_run" / "history.csv").write_text("epoch\n1\n")
    assert pipeline._state(source, {"DATA_DIR": None}, tmp_path) != before


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_names_all_others_whose_results_it_reads(name):
    """Else it would not run again when those change, and show what is no longer so."""
    source = nbformat.read(pipeline.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in source.cells if cell.cell_type == "code")
    others = {*NAMES} - {name}
    mentioned = others & set(re.findall(r'"(\d\d_\w+)"', code))
    assert mentioned <= {*source.metadata["gzutils"]["needs"], *source.metadata["gzutils"].get("reads", [])}


def test_what_lies_beyond_the_course_runs_where_it_is_asked_for_and_its_pages_stay(project, monkeypatch):
    """The fault: everyone's first command takes a quarter of an hour more."""
    monkeypatch.setattr(pipeline, "FURTHER", ("10_fourth", "11_fifth"))
    for name in pipeline.FURTHER:
        source = WRITE.format(root=str(project), name=name)
        write_notebook(project / "notebooks" / f"{name}.ipynb", source, needs=["02_second"])
    page = project / "runs/smoke-simulated/index.html"
    for arguments, ran, shown in (
        (["--from", "02"], ["02_second", "03_third"], False),
        ([], ["01_first"], False),
        (["--only", "10"], ["10_fourth"], True),
        (["--from", "10"], ["11_fifth"], True),
        (["--fresh"], ["01_first", "02_second", "03_third"], False),
        (["--all"], ["10_fourth", "11_fifth"], True),
        ([], [], True),
    ):
        assert pipeline.main(["--profile", "smoke", *arguments]) == 0
        assert executed(project) == ran
        assert ("10_fourth" in page.read_text()) == shown
    with pytest.raises(SystemExit):
        pipeline.main(["--all", "--only", "10"])


def test_stored_outputs_are_no_change(project):
    pipeline.main(["--profile", "smoke", "--only", "01"])
    executed(project)
    path = project / "notebooks/01_first.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="stored")]
    nbformat.write(notebook, path)
    pipeline.main(["--profile", "smoke", "--only", "01"])
    assert executed(project) == []


def test_a_notebook_gets_the_parameters_that_its_cell_has(project):
    path = project / "notebooks/01_first.ipynb"
    write_notebook(path, "print(DEVICES)")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += "\nDEVICES = 1"
    nbformat.write(notebook, path)
    assert pipeline.main(["--profile", "smoke", "--devices", "3"]) == 0
    folder = project / "runs/smoke-simulated/notebooks"
    assert nbformat.read(folder / "01_first.ipynb", as_version=4).cells[-1].outputs[0].text == "3\n"
    assert "DEVICES" not in (folder / "02_second.ipynb").read_text()


def test_other_parameters_make_another_run_and_fresh_starts_anew(project):
    pipeline.main(["--profile", "smoke", "--only", "01"])
    assert pipeline.main(["--profile", "smoke", "--only", "01", "--galaxies", "50"]) == 0
    pipeline.main(["--profile", "smoke", "--only", "01", "--galaxies", "50", "--fresh"])
    assert executed(project) == ["01_first"] * 3


def test_fresh_deletes_nothing_of_a_run_that_another_is_at_work_on(project):
    """The change of the code that fails here: `--fresh` deletes before it has the lock."""
    assert pipeline.main(["--profile", "smoke"]) == 0
    run = project / "runs" / "smoke-simulated"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with files.locked(run), pytest.raises(SystemExit, match="is in use by"):
        pipeline.main(["--profile", "smoke", "--fresh"])
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_failed_notebook_is_named_and_only_what_needs_it_is_left_out(project, capsys):
    write_notebook(project / "notebooks/02_second.ipynb", "1 + 1", "raise ValueError('no such galaxy')")
    assert pipeline.main(["--profile", "smoke"]) == 1
    said = capsys.readouterr().out
    assert executed(project) == ["01_first"]
    assert "02_second: failed" in said
    assert str(project / "runs/smoke-simulated/index.html") in said.splitlines()[-1]
    assert "failed: ValueError: no such galaxy" in (project / "runs/smoke-simulated/index.html").read_text()
    assert "ValueError: no such galaxy" in said
    assert "03_third: not run, it needs 02_second" in said
    kept = nbformat.read(project / "runs/smoke-simulated/notebooks/02_second.ipynb", as_version=4)
    assert any(output.output_type == "error" for cell in kept.cells for output in cell.get("outputs", []))
    write_notebook(project / "notebooks/02_second.ipynb", WRITE.format(root=str(project), name="02_second"))
    assert pipeline.main(["--profile", "smoke"]) == 0
    assert executed(project) == ["02_second", "03_third"]


def test_a_notebook_that_reads_a_model_runs_again_when_the_model_changed(project):
    model = project / "runs/smoke-simulated/02_second/model.keras"
    pipeline.main(["--profile", "smoke"])
    executed(project)
    model.write_bytes(b"weights")
    pipeline.main(["--profile", "smoke"])
    assert executed(project) == ["03_third"]


def test_from_starts_in_the_middle_and_unknown_notebooks_are_named(project, capsys):
    assert pipeline.main(["--profile", "smoke", "--from", "02"]) == 0
    assert executed(project) == ["02_second", "03_third"]
    with pytest.raises(SystemExit):
        pipeline.main(["--only", "07"])
    assert '"07" names 0 notebooks; there are 01_first, 02_second, 03_third' in capsys.readouterr().err


def test_without_notebooks_it_fails_and_says_where_it_looked(project):
    for path in (project / "notebooks").iterdir():
        path.unlink()
    with pytest.raises(SystemExit, match=f"{project / 'notebooks'} lacks 01_first.ipynb, 02_second.ipynb"):
        pipeline.main(["--profile", "smoke"])
    assert not (project / "runs").exists()


@pytest.mark.parametrize("name", ["02_second-Copy1", "02_second_mine", "04_my_own"])
def test_what_else_lies_beside_the_courses_notebooks_is_the_readers_own(project, name, capsys):
    """JupyterLab's copies, a reader's changed ones and new ones: not run, not in the way of the course's own."""
    write_notebook(project / "notebooks" / f"{name}.ipynb", "raise ValueError('not of the course')")
    assert pipeline.main(["--profile", "smoke", "--only", "02_second"]) == 0
    assert pipeline.main(["--profile", "smoke"]) == 0
    assert executed(project) == ["02_second", "01_first", "03_third"]
    assert name not in (project / "runs/smoke-simulated/index.html").read_text()
    with pytest.raises(SystemExit):
        pipeline.main(["--only", name])
    assert f'"{name}" names 0 notebooks' in capsys.readouterr().err


def test_outputs_are_stored_in_the_sources_without_progress_lines_and_parameters(project):
    path = project / "notebooks/01_first.ipynb"
    line = "from IPython.display import HTML, display; display(HTML(''), display_id=True); print('a galaxy')"
    write_notebook(path, line)
    before = nbformat.read(path, as_version=4)
    assert pipeline.main(["--only", "01", "--store-outputs"]) == 0
    after = nbformat.read(path, as_version=4)
    assert [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
    assert [cell.execution_count for cell in after.cells[1:]] == [1, 2]
    assert [output.text for output in after.cells[2].outputs] == ["a galaxy\n"]


def test_what_the_kernel_says_on_stderr_goes_to_a_log(project, capfd):
    write_notebook(project / "notebooks/01_first.ipynb", "import os, subprocess", "os.write(2, b'low-level noise')")
    assert pipeline.main(["--profile", "smoke", "--only", "01"]) == 0
    assert capfd.readouterr().err == ""
    assert (project / "runs/smoke-simulated/notebooks/01_first.log").is_file()


CTRL_C = "import os, signal, time\nos.kill(os.getppid(), signal.SIGINT)\ntime.sleep(60)"


@pytest.mark.parametrize(
    ("source", "code", "became"),
    [(CTRL_C, 130, "cut off"), ("1 / 0", 1, "failed: ZeroDivisionError: division by zero")],
)
def test_what_there_is_so_far_can_be_looked_at_and_what_is_missing(project, monkeypatch, capsys, source, code, became):
    """The faults: after Ctrl-C no page was written; results.md was notebook 08's of an earlier state, or none."""
    monkeypatch.setattr(pipeline, "COURSE", ("01_first", "02_second", "08_results"))
    write_notebook(project / "notebooks/08_results.ipynb", "", needs=["02_second"], reads=["01_first"])
    run = project / "runs/smoke-simulated"
    (run / "08_results").mkdir(parents=True)
    (run / "08_results/results.md").write_text("# Results of an earlier state")
    measured = '{"model": "parallel_cnn", "rmse": {"test": 0.1234}}'
    write_notebook(
        project / "notebooks/01_first.ipynb",
        WRITE.format(root=str(project), name="01_first").replace("write_text(PROFILE)", f"write_text({measured!r})"),
    )
    write_notebook(project / "notebooks/02_second.ipynb", source)
    assert pipeline.main(["--profile", "smoke"]) == code
    assert str(run / "index.html") in capsys.readouterr().out.splitlines()[-1]
    results = (run / "08_results/results.md").read_text()
    assert "| Parallel CNN | 0.0985 | 0.1234 |" in results
    assert "| Vision Transformer | 0.0995 | missing |" in results
    assert "earlier state" not in results
    page = BeautifulSoup((run / "index.html").read_text(), "html.parser").get_text()
    for text in (results, page):
        assert became in text
        assert "(not run yet)" in text or ": not run yet" in text
    assert "0.1234" in page


# ---- links


def dangling(path):
    path.unlink(missing_ok=True)
    path.symlink_to("user@host.4711:1700000000")  # as an editor locks a file


def looped(path):
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


LINKS = pytest.mark.parametrize("link", [dangling, looped])


@LINKS
def test_links_that_lead_nowhere_in_the_data_folder_stop_no_notebook(project, link):
    data = project / "challenge"
    (data / "folder").mkdir(parents=True)
    for name in (".#notes", "notes.csv", "folder/x.zip", "linked"):
        link(data / name)
    arguments = ["--profile", "smoke", "--data", "kaggle", "--data-dir", str(data), "--only", "01"]
    for _ in range(2):
        assert pipeline.main(arguments) == 0
    assert executed(project) == ["01_first"]


@LINKS
def test_links_that_lead_nowhere_in_a_run_stop_no_notebook_and_no_page(project, link):
    run = project / "runs/smoke-simulated"
    assert pipeline.main(["--profile", "smoke"]) == 0
    for name in ("01_first/figures/x.png", "01_first/x", "x/metrics.json", "08_results/results.md", "index.html", "y"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        link(run / name)
    for ending in ("ipynb", "json", "html"):
        link(run / f"notebooks/02_second.{ending}")
    assert pipeline.main(["--profile", "smoke"]) == 0
    assert executed(project) == ["01_first", "02_second", "03_third", "02_second"]
    assert (run / "notebooks/02_second.ipynb").is_file()
    assert 'href="notebooks/02_second.html"' in (run / "index.html").read_text()


@pytest.mark.parametrize("place", ["runs", "runs/smoke-simulated"])
def test_a_run_on_another_disk_is_followed_and_begun_afresh_there(project, place, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    (project / place).parent.mkdir(exist_ok=True)
    (project / place).symlink_to(disk)
    (disk / "smoke-simulated").mkdir()
    for arguments in ([], ["--fresh"]):
        assert pipeline.main(["--profile", "smoke", *arguments]) == 0
    assert executed(project) == ["01_first", "02_second", "03_third"] * 2
    assert (project / place).is_symlink()
    assert (project / "runs/smoke-simulated/01_first/metrics.json").is_file()


@pytest.mark.parametrize("place", ["runs", "runs/smoke-simulated"])
def test_a_run_on_a_disk_that_is_not_there_is_refused_in_words(project, place):
    (project / place).parent.mkdir(exist_ok=True)
    (project / place).symlink_to(project / "not mounted")
    with pytest.raises(SystemExit, match=r"run_all.sh: .* cannot be written \(.*work in another folder"):
        pipeline.main(["--profile", "smoke"])
