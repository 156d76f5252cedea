"""The scatter over seeds: what chance does to every model's test RMSE; run by hand, minutes to hours a seed:

    python tests/benchmarks/seeds.py --seeds 0 1 2

Each seed draws its own galaxies, split, first weights and order. Where a seed's run is there (`./run_all.sh --seed N`)
and nothing has changed, it is only read; else the notebooks that train and compare are run. Prints a table: for
every predictor of notebook 08 the mean and the range of its test RMSE, and what that is of guessing the mean; and which
share of the parallel CNN's Grad-CAM maps is without heat.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

import pandas as pd

from gzutils.tools import backend

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ("02_parallel_cnn", "03_vision_transformer", "04_vgg16", "05_resnet50", "08_results")
GUESS = "guessing the mean"


def table(errors: pd.DataFrame, blank: list[float]) -> str:
    """The Markdown table.

    Args:
        errors: test RMSE, a row each predictor, a column each seed; NaN where one is missing.
        blank: the share of Grad-CAM maps without heat, for each seed.
    """
    seeds = ", ".join(str(seed) for seed in errors.columns)
    lines = [f"| | mean over seeds {seeds} | lowest to highest | of guessing the mean |", "|---|---|---|---|"]
    for name, row in errors.iterrows():
        there = row.dropna()
        lacking = "" if len(there) == len(row) else f" ({len(there)} of {len(row)} seeds)"
        share = (there / errors.loc[GUESS, there.index]).mean()
        lines.append(f"| {name}{lacking} | {there.mean():.4f} | {there.min():.4f} to {there.max():.4f} | {share:.3f} |")
    share = sum(blank) / len(blank)
    lines.append(f"| Grad-CAM maps without heat | {share:.0%} | {min(blank):.0%} to {max(blank):.0%} | |")
    return "\n".join(lines)


def measured(profile: str, galaxies: int | None, seed: int) -> tuple[pd.Series, float, dict]:
    """One seed's test RMSE by predictor, its share of maps without heat, and the parallel CNN's `metrics.json`.

    Raises:
        SystemExit: a notebook failed; its own message stands above.
    """
    from gzutils.course import command_line, pipeline, runs
    from gzutils.learning import grad_cam

    options = ["--profile", profile, "--seed", str(seed)]
    if galaxies is not None:
        options += ["--galaxies", str(galaxies), "--run", f"{profile}-simulated-{galaxies}-galaxies-seed-{seed}"]
    name = command_line.parse(options).run
    for notebook in NOTEBOOKS:
        with contextlib.redirect_stdout(sys.stderr):
            failed = pipeline.main([*options, "--only", notebook])
        if failed:
            sys.exit(f"seeds.py: {notebook} failed with seed {seed}")
    run = runs.start("08_results", profile, galaxies=galaxies, run=name, seed=seed)
    errors = pd.read_csv(run.folder / "results.csv", index_col="predictor")["test_rmse"]
    store = run.open_store()
    maps = grad_cam.heat_maps(run.model("02_parallel_cnn"), store.images[run.split(store).test[:256]])
    return errors, float(1 - maps.any(axis=(2, 3)).mean()), run.read_metrics("02_parallel_cnn")


def main() -> None:
    """Reads the options, runs what is missing, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--galaxies", type=int, help="how many; default: as the profile says")
    options = parser.parse_args()
    os.chdir(ROOT)
    backend.load()
    errors, blank, machines = {}, [], {}
    for seed in options.seeds:
        errors[seed], share, metrics = measured(options.profile, options.galaxies, seed)
        blank.append(share)
        versions = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
        said = f"{metrics['device']}, {metrics['threads']} threads, {metrics['instruction_set']}; {versions}"
        machines[said] = f"{metrics['galaxies']['all']:,} galaxies a seed; {said}"
    print(table(pd.DataFrame(errors).reindex(next(iter(errors.values())).index), blank))
    print("\n" + "\n".join(machines.values()))


if __name__ == "__main__":
    main()
