"""The notebooks in order, headless, with papermill: what `run_all.sh` calls.

A notebook that finished is skipped on the next call while its own cells, the modules of this package that it imports
(directly or by way of others), its parameters, the raw data and what it reads of other notebooks are unchanged, and all
that it wrote is still there. Its metadata name those:
`needs`, without which it is pointless, and `reads`, which it can do without.
"""

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from gzutils.course import COURSE, FURTHER
from gzutils.course.command_line import parse
from gzutils.course.stored_outputs import small_png, store_outputs
from gzutils.models.networks import TRAINED
from gzutils.parameters import OF_RUNS
from gzutils.tools import files, records, sources
from gzutils.tools.progress import PROGRESS_FILE, show_in_terminal

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
RESULTS = "08_results"
README_PICTURE = "02_parallel_cnn/figures/predicted_and_voted.png"


def main(arguments: list[str] | None = None) -> int:
    """Runs the notebooks that the command line names. Returns 0, or 1 where one failed."""
    options = parse(arguments, COURSE, FURTHER)
    from gzutils.course import pace, pages

    course, further = ([NOTEBOOKS / f"{name}.ipynb" for name in names] for names in (COURSE, FURTHER))
    if missing := [notebook.name for notebook in course + further if not notebook.is_file()]:
        sys.exit(f"run_all.sh: {NOTEBOOKS} lacks {', '.join(missing)}; get the kit whole again")
    chosen = [NOTEBOOKS / f"{name}.ipynb" for name in options.chosen]
    parameters = {
        "PROFILE": options.profile,
        "DATA": options.data,
        "DATA_DIR": str(options.data_dir) if options.data_dir else None,
        "DEBIASED": options.debiased,
        "GALAXIES": options.galaxies,
        "SEED": options.seed,
        "RUN": options.run,
        "PRECISION": options.precision,
        "DEVICES": options.devices,
    }
    run = ROOT / "runs" / parameters["RUN"]
    try:
        with files.locked(run, _member()), files.explained(run):
            if options.fresh and run.exists():
                _empty(run)
            print(f'Profile "{options.profile}" on {options.data} galaxies; results go to {run}', flush=True)
            interrupted, failed = False, set()
            try:
                waiting = [one.stem for one in chosen if not _is_up_to_date(one, parameters, run)]
                if waiting and options.profile == "quick" and options.galaxies is None and _member() is None:
                    pace.say(waiting)
                failed = _run_all(chosen, parameters, run)
            except KeyboardInterrupt:
                interrupted = True
                print("\nInterrupted. What is done stays; the same command goes on from there.", flush=True)
            if not all(_is_up_to_date(notebook, parameters, run) for notebook in course if notebook.stem == RESULTS):
                pages.write_results_so_far(run, course)
            asked = [one for one in further if one in chosen or (run / "notebooks" / one.name).is_file()]
            index = pages.write_pages(run, course + asked)
    except (files.Busy, files.NotWritten) as problem:
        sys.exit(f"run_all.sh: {problem}")
    except KeyboardInterrupt:  # while the pages were written
        return 130
    if interrupted:
        print(f"What there is so far: open {index} in a browser.")
        return 130
    if failed:
        print(f"Not finished: {', '.join(sorted(failed))}. What is done stays; the same command goes on from there.")
        print(f"What there is so far: open {index} in a browser.")
        return 1
    print(f"Done. Open {index} in a browser: results, figures and notebooks. The files lie in the folders beside it.")
    if options.store_outputs:
        for notebook in chosen:
            store_outputs(notebook, run / "notebooks" / notebook.name, ROOT)
        picture = run / README_PICTURE
        if picture.is_file():
            with files.whole_file(NOTEBOOKS / picture.name) as beside:
                beside.write_bytes(small_png(picture.read_bytes()))
        print(f"Their outputs now stand in {NOTEBOOKS}.")
    return 0


def _empty(folder: Path) -> None:
    """Deletes all that lies in a folder, which itself may be a link to another disk."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _member() -> int | None:
    """This process's number among those of several machines that train together (see README); None: it is alone."""
    together = "KERAS_DISTRIBUTION_NUM_PROCESSES" in os.environ
    return int(os.environ.get("KERAS_DISTRIBUTION_PROCESS_ID", "0")) if together else None


def _run_all(notebooks: list[Path], parameters: dict, run: Path) -> set[str]:
    """Runs the notebooks that are not finished; returns the names of those that failed or lacked a failed one."""
    failed: set[str] = set()
    for notebook in notebooks:
        source = nbformat.read(notebook, as_version=4)
        missing = failed & set(_needs(source))
        if missing:
            print(f"{notebook.stem}: not run, it needs {', '.join(sorted(missing))}", flush=True)
            failed.add(notebook.stem)
        elif not _run_notebook(notebook, source, _understood(source, parameters), run):
            failed.add(notebook.stem)
    return failed


def _needs(source: nbformat.NotebookNode) -> list[str]:
    """The notebooks whose failure makes this one pointless, as its metadata say."""
    return source.metadata.get("gzutils", {}).get("needs", [])


def _understood(source: nbformat.NotebookNode, parameters: dict) -> dict:
    """The parameters that mean something to a notebook: those that its own cell has or that its code asks for."""
    cells = [cell.source for cell in source.cells if "parameters" in cell.metadata.get("tags", [])]
    names = {line.split(" = ")[0] for cell in cells for line in cell.splitlines()}
    code = "\n".join(cell.source for cell in source.cells if cell.cell_type == "code")
    if "runs.begin(" in code:
        names |= set(OF_RUNS)
    if "set_up_training(" in code:
        names |= {"PRECISION", "DEVICES"}
    return {name: value for name, value in parameters.items() if name in names}


def _is_up_to_date(notebook: Path, parameters: dict, run: Path) -> bool:
    """Whether a notebook ran to its end as it and all that it reads are now."""
    source = nbformat.read(notebook, as_version=4)
    state = _state(source, _understood(source, parameters), run)
    return _is_finished(run / "notebooks" / f"{notebook.stem}.json", state, run)


def _run_notebook(notebook: Path, source: nbformat.NotebookNode, parameters: dict, run: Path) -> bool:
    record = run / "notebooks" / f"{notebook.stem}.json"
    state = _state(source, parameters, run)
    if _is_finished(record, state, run):
        print(f"{notebook.stem}: unchanged, skipped", flush=True)
        return True
    record.unlink(missing_ok=True)
    executed = run / "notebooks" / notebook.name
    start = time.monotonic()
    error = _execute(notebook, executed, parameters)
    took = _duration(time.monotonic() - start)
    if error:
        print(f"{notebook.stem}: failed after {took}, {error}\n  see {executed}", flush=True)
        return False
    written = [str(path.relative_to(run)) for path in sorted((run / notebook.stem).rglob("*")) if path.is_file()]
    records.write_json(record, {"state": state, "written": [*written, f"notebooks/{notebook.name}"]})
    print(f"{notebook.stem}: done in {took}", flush=True)
    return True


def _state(source: nbformat.NotebookNode, parameters: dict, run: Path) -> dict:
    """All that a notebook's outcome depends on, as fingerprints by name."""
    others = _needs(source) + source.metadata.get("gzutils", {}).get("reads", [])
    read = [run / other / name for other in others for name in ("model.keras", "metrics.json")]
    figures = [path for other in others for path in sorted((run / other / "figures").glob("*.png"))]
    data_dir = parameters["DATA_DIR"]
    return {
        "cells": records.fingerprint([(cell.cell_type, cell.source) for cell in source.cells]),
        "gzutils": sources.modules_fingerprint(sources.reached(_imported(source))),
        "parameters": parameters,
        "raw data": records.fingerprint(_listing(Path(data_dir))) if data_dir else None,
        "read": [records.sha256(path) for path in read if path.is_file()],
        "shipped": [records.sha256(path) for path in sorted(TRAINED.rglob("*")) if path.is_file()],
        "figures there": [str(path.relative_to(run)) for path in figures],
    }


def _imported(source: nbformat.NotebookNode) -> set[str]:
    """The modules of this package that a notebook's cells name in their imports."""
    plain = TransformerManager().transform_cell  # IPython's own lines, such as %pip, as Python
    names: set[str] = set()
    for cell in source.cells:
        if cell.cell_type == "code":
            with contextlib.suppress(SyntaxError):  # the notebook itself will say so
                names |= sources.imported(plain(cell.source))
    return names


def _listing(path: Path) -> list:
    """Names, sizes and times of a file, or of what lies in a folder and one level below: cheap, changes with them."""
    entries = [path] if path.is_file() else [*path.iterdir(), *path.glob("*/*.zip"), *path.glob("*/*.csv")]
    states = [(entry.name, files.state_of(entry)) for entry in sorted(entries)]
    return [(name, state.st_size, state.st_mtime_ns) for name, state in states]


def _is_finished(record: Path, state: dict, run: Path) -> bool:
    if not record.is_file():
        return False
    try:
        known = records.read_record(record, "state", "written")
    except ValueError:  # damaged: the notebook runs once more
        return False
    return known["state"] == state and all((run / name).is_file() for name in known["written"])


def _execute(notebook: Path, executed: Path, parameters: dict) -> str | None:
    """Executes one notebook; returns what went wrong, in words, or None."""
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    # The kernel of this environment, not one that the user once installed elsewhere under the same name.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.pop("MPLBACKEND", None)  # figures go into the notebook, whatever window the user's other work wants
    executed.parent.mkdir(parents=True, exist_ok=True)
    if executed.is_symlink():  # papermill would write to where it leads
        executed.unlink()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[PROGRESS_FILE] = str(Path(folder) / "progress.txt")
        os.environ["IPYTHONDIR"] = folder  # the user's own start-up files are for the user's own notebooks
        finished = threading.Event()
        watch = threading.Thread(target=_show_progress, args=(notebook.stem, finished), daemon=True)
        watch.start()
        try:
            # What the kernel's process says of itself is for whoever looks for a fault, not for the terminal.
            with files.stderr_to(executed.with_suffix(".log")):
                papermill.execute_notebook(
                    notebook, executed, parameters, kernel_name="python3", cwd=NOTEBOOKS, progress_bar=False
                )
        except papermill.PapermillExecutionError as error:
            return f"cell {error.exec_count}: {error.ename}: {error.evalue}"
        except DeadKernelError:
            return "its kernel was killed, most often for want of memory; close other programs or take fewer --galaxies"
        except (RuntimeError, TimeoutError, NoSuchKernel) as error:  # what Jupyter says of a kernel that does not start
            return f"its kernel did not start ({str(error) or type(error).__name__}); run again, its .log may say more"
        finally:
            finished.set()
            watch.join()
    return None


def _show_progress(name: str, finished: threading.Event) -> None:
    """Shows on a terminal how long the notebook has been running, and the line that its own long work shows."""
    start = time.monotonic()
    path = Path(os.environ[PROGRESS_FILE])
    # On stdout: stderr is the notebook's log meanwhile.
    while not finished.wait(0.5):
        done = path.read_text() if path.is_file() else ""
        show_in_terminal(f"{name}: {_duration(time.monotonic() - start)}  {done}", sys.stdout)
    show_in_terminal("", sys.stdout)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


if __name__ == "__main__":
    sys.exit(main())
