"""One table of all benchmarks: what was measured, beside what, against which target; as text and as JSON.

    ./run_all.sh benchmark                       or: .venv/bin/python -m pytest tests/benchmarks
    .venv/bin/python -m pytest tests/benchmarks --table FILE -k preprocessing

What is compared takes turns in one run, and medians of the rounds count. No benchmark fails on a time.
"""

import os
import platform
import statistics
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gzutils.data import challenge, preprocessing
from gzutils.data.simulation import survey
from gzutils.data.solutions import read_solutions, write_solutions
from gzutils.data.store import Store, open_store
from gzutils.tools import backend, records

ROOT = Path(__file__).parents[2]
ROWS = pytest.StashKey[list[dict]]()
LOAD = pytest.StashKey[float]()
COLUMNS = ("what", "here", "beside", "result", "target", "met")


def pytest_addoption(parser):
    parser.addoption("--table", type=Path, default=ROOT / "runs" / "benchmarks.json", help="where the table is written")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    config.option.benchmark_quiet = True  # the table below says it shorter
    config.stash[ROWS] = []
    config.stash[LOAD] = os.getloadavg()[0]
    backend.load()


@pytest.fixture
def record(request) -> Callable:
    """A function that adds one row to the table; a result has to be `at_least` or `at_most` the target."""

    def add(what: str, here: str, beside: str, result: float, unit: str, at_least=None, at_most=None) -> None:
        met = result >= at_least if at_least is not None else result <= at_most
        target = f"at least {at_least:g} {unit}" if at_least is not None else f"at most {at_most:g} {unit}"
        row = {"what": what, "here": here, "beside": beside, "result": f"{result:.3g} {unit}", "target": target}
        request.config.stash[ROWS].append(row | {"met": "yes" if met else "no", "value": float(result)})

    return add


@pytest.fixture
def against(benchmark, record) -> Callable:
    """A function that lets two ways of doing the same work take turns and records how many times faster the first is.

    `amounts` are how much each does in a call, in `unit`. `warm_up`: the first call of each is not counted.
    """

    def compare(
        what: str,
        ours: Callable,
        theirs: Callable,
        beside: str,
        amounts: tuple[int, int],
        unit: str,
        at_least: float,
        rounds: int = 5,
        warm_up: bool = True,
    ) -> None:
        their_seconds = []

        def let_them_go_first():
            start = time.perf_counter()
            theirs()
            their_seconds.append(time.perf_counter() - start)

        if warm_up:
            ours()
            theirs()
        benchmark.pedantic(ours, setup=let_them_go_first, rounds=rounds)
        our_seconds = benchmark.stats.stats.data
        faster = statistics.median(
            (amounts[0] / one) / (amounts[1] / other) for one, other in zip(our_seconds, their_seconds, strict=True)
        )
        speeds = [amounts[0] / statistics.median(our_seconds), amounts[1] / statistics.median(their_seconds)]
        here, other = (f"{speed:,.0f} {unit}/s" if speed > 20 else f"{speed:.2g} {unit}/s" for speed in speeds)
        benchmark.extra_info |= {"beside": beside, "times faster": faster}
        record(what, here, f"{other}: {beside}", faster, "times", at_least=at_least)

    return compare


@pytest.fixture(scope="session")
def raw(tmp_path_factory) -> challenge.Challenge:
    """256 simulated galaxies in the challenge's layout."""
    folder = survey.make_survey(tmp_path_factory.mktemp("survey"), 256)
    return challenge.find(folder, folder)


@pytest.fixture(scope="session")
def many(raw) -> Callable:
    """A function that writes a challenge of `count` galaxies into a folder: the simulated ones again and again."""

    def write(folder: Path, count: int, compression: int = zipfile.ZIP_DEFLATED) -> challenge.Challenge:
        folder.mkdir()
        jpegs = [raw.training_images.read(galaxy_id) for galaxy_id in raw.training_images.galaxy_ids()]
        _, labels = read_solutions(raw.solutions)
        ids = 100_001 + np.arange(count)
        name = challenge.TRAINING_IMAGES
        with zipfile.ZipFile(folder / f"{name}.zip", "w", compression) as archive:
            for number, galaxy_id in enumerate(ids):
                archive.writestr(f"{name}/{galaxy_id}.jpg", jpegs[number % len(jpegs)])
        write_solutions(folder / f"{challenge.SOLUTIONS}.csv", ids, labels[np.arange(count) % len(labels)])
        return challenge.find(folder, folder)

    return write


@pytest.fixture(scope="session")
def made_store(many, tmp_path_factory) -> Callable:
    """A function that makes a store of so many galaxies, see `many`."""

    def make(count: int) -> Store:
        folder = tmp_path_factory.mktemp("store")
        return open_store(preprocessing.build_store(many(folder / "raw", count), folder / "store"))

    return make


@pytest.fixture(scope="session")
def store(made_store) -> Store:
    """768 galaxies as a store."""
    return made_store(768)


def _machine(config) -> dict:
    found = config.hook.pytest_benchmark_generate_machine_info(config=config)
    return {
        "cpu": found["cpu"].get("brand_raw") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "device": backend.device(),
        "versions": backend.versions() | {"pillow": preprocessing.PIL.__version__},
        # How many processes wanted a core: about one before, where nothing else ran.
        "load before and after": [round(config.stash[LOAD], 2), round(os.getloadavg()[0], 2)],
    }


def pytest_terminal_summary(terminalreporter, config):
    rows = config.stash[ROWS]
    if not rows:
        return
    machine = _machine(config)
    records.write_json(config.getoption("table"), {"machine": machine, "rows": rows})
    terminalreporter.section("benchmarks")
    for line in (COLUMNS, ["---"] * len(COLUMNS), *([row[name] for name in COLUMNS] for row in rows)):
        terminalreporter.write_line(f"| {' | '.join(line)} |")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    terminalreporter.write_line(f"{machine['cpu']}, {machine['cores']} cores, {machine['device']}; {versions}")
    terminalreporter.write_line(f"load before and after: {machine['load before and after']}")
    terminalreporter.write_line(f"written to {config.getoption('table')}")
