"""The options of `run_all.sh`. Plain Python, so that they can be checked before anything is installed."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gzutils import parameters
from gzutils.course import COURSE, FURTHER
from gzutils.profiles import PROFILES


def parse(
    arguments: list[str] | None = None, course: tuple[str, ...] = COURSE, further: tuple[str, ...] = FURTHER
) -> argparse.Namespace:
    """The options as a namespace: profile, data, data_dir, debiased, galaxies, seed, run, precision, devices, only,
    start, all, fresh, store_outputs; and `chosen`, the names of the notebooks that are to run: of the course, or of
    those beyond it, which run where they are asked for.

    Wrong options end the program with one sentence that says why.
    """
    parser = argparse.ArgumentParser(
        prog="run_all.sh",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Makes .venv where it is missing, installs, and runs the notebooks in order.\n"
        "A second call does only what is not done yet.\n\n  run_all.sh [options]        runs the notebooks\n"
        "  run_all.sh test [options]   passes the tests; the options are pytest's\n"
        "  run_all.sh benchmark        measures what is fast beside the alternative, about 17 minutes",
        epilog="profiles:\n" + "\n".join(f"  {p.name:8} {p.summary}" for p in PROFILES.values()),
    )
    parser.add_argument("--profile", choices=PROFILES, default="quick", help="how large and how long (default: quick)")
    parser.add_argument(
        "--data", choices=parameters.DATA_SOURCES, default="simulated", help="which galaxies (default: simulated)"
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=_existing_path,
        help="with --data gz2 or kaggle: folder or zip with the real galaxies' files; without it they are downloaded, "
        "for kaggle with your credentials",
    )
    parser.add_argument(
        "--debiased",
        choices=parameters.DEBIASED,
        default=parameters.DEBIASED[0],
        help="with --data gz2: whose debiased fractions (default: willett, as the challenge's labels were made)",
    )
    parser.add_argument(
        "--galaxies",
        type=_whole_number("GALAXIES"),
        metavar="N",
        help="how many galaxies (default: as the profile says)",
    )
    parser.add_argument(
        "--seed",
        type=_whole_number("SEED"),
        metavar="N",
        default=0,
        help="of all that is random; another one also names another run (default: 0)",
    )
    parser.add_argument(
        "--run",
        type=_checked(parameters.run_name),
        metavar="NAME",
        help="folder of the results under runs/ (default: PROFILE-DATA, with another seed than 0 PROFILE-DATA-seed-N)",
    )
    parser.add_argument(
        "--precision",
        choices=parameters.PRECISIONS,
        default="float32",
        help="of the models' arithmetic; 16 bits are faster on a GPU (default: float32, as in the report)",
    )
    parser.add_argument(
        "--devices",
        type=_whole_number("DEVICES"),
        metavar="N",
        default=1,
        help="how many GPUs share each batch (default: 1)",
    )
    parser.add_argument("--only", metavar="NOTEBOOK", help="only this notebook, by number or name: 02")
    parser.add_argument("--from", dest="start", metavar="NOTEBOOK", help="this notebook and those after it")
    parser.add_argument("--all", action="store_true", help="also the notebooks beyond the report, from 10 on")
    parser.add_argument("--fresh", action="store_true", help="delete the run's earlier results first")
    parser.add_argument(
        "--store-outputs",
        action="store_true",
        help="for contributors: afterwards copy the outputs into notebooks/ (quick, simulated)",
    )
    options = parser.parse_args(arguments)
    if options.data_dir and options.data not in parameters.WITH_FILES:
        parser.error("--data-dir goes with --data gz2 or --data kaggle")
    if options.debiased != parameters.DEBIASED[0] and options.data != "gz2":
        parser.error("--debiased goes with --data gz2")
    if options.profile == "report" and options.precision != "float32":
        parser.error("the profile report is always float32; --precision goes with full")
    stored = (options.profile, options.data, options.galaxies, options.seed) == ("quick", "simulated", None, 0)
    if options.store_outputs and not stored:
        parser.error("--store-outputs goes with the profile quick on simulated galaxies, with seed 0")
    if options.only is not None and (options.start is not None or options.all):
        parser.error("--only and --from or --all exclude each other")
    try:
        options.chosen = _chosen(course, further, options.only, options.start, options.all)
    except ValueError as error:
        parser.error(str(error))
    seed = f"-seed-{options.seed}" if options.seed else ""
    options.run = options.run or f"{options.profile}-{options.data}{seed}"
    return options


def _chosen(
    course: tuple[str, ...], further: tuple[str, ...], only: str | None, start: str | None, everything: bool
) -> tuple[str, ...]:
    wanted, notebooks = start if only is None else only, course + further
    if wanted is None:
        return notebooks if everything else course
    named = [name for name in notebooks if name.startswith(Path(wanted).stem)]
    if len(named) != 1:
        raise ValueError(f'"{wanted}" names {len(named)} notebooks; there are {", ".join(notebooks)}')
    if start is None:
        return (named[0],)
    end = len(course) if named[0] in course and not everything else len(notebooks)
    return notebooks[notebooks.index(named[0]) : end]


def _existing_path(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {path}")
    return path


def _whole_number(name: str) -> Callable[[str], int]:
    def check(text: str) -> int:
        digits = text.removeprefix("-").isdecimal()
        return parameters.PARAMETERS[name].check(name, int(text) if digits else text)

    return _checked(check)


def _checked(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """A check as argparse wants it: of a ValueError it would not show the words."""

    def type_of_option(text: str) -> Any:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return type_of_option


if __name__ == "__main__":
    parse(sys.argv[1:])
