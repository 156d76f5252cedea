"""The large run that the kit brings along, without its networks: what was trained, how it went and what it reached."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from gzutils import report
from gzutils.course.results import OTHER_START
from gzutils.models import shipped
from gzutils.models.networks import NETWORKS
from gzutils.tools import records

USED = (  # of a network's `metrics.json`
    "rmse", "rmse_during_training", "test_rmse_interval", "mean_guess_test_rmse", "noise_floor_test_rmse", "galaxies",
    "data", "seed", "epochs", "best_epoch", "seconds_per_epoch", "parameters", "precision", "device", "versions",
    "initial_weights",
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A network of the large run: its title, its `metrics.json`, and its history, a row an epoch."""

    title: str
    metrics: dict[str, Any]
    history: pd.DataFrame


def read(place: Path | str | None = None) -> dict[str, Trained]:
    """The networks of the large run that there is evidence of, by name in Table 1's order; none in a kit without it.

    Args:
        place: the folder; None: `large_run` among what comes with the kit.

    Raises:
        ValueError: a file is damaged; it says which.
    """
    place, found = Path(place or shipped.TRAINED / "large_run"), {}
    for name in report.RESULTS:
        folder = place / name
        if not folder.is_dir():
            continue
        measured = records.read_record(folder / "metrics.json", *USED)
        try:
            history = pd.read_csv(folder / "history.csv")
            history[["epoch", "rmse", "val_rmse"]].astype(float)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{folder / 'history.csv'} is missing or damaged ({error}); {shipped.REMEDY}") from None
        title = NETWORKS[name].title
        if NETWORKS[name].pretrained:
            title += OTHER_START.get(measured["initial_weights"], "")
        found[name] = Trained(title, measured, history)
    return found


def what_it_was(run: dict[str, Trained]) -> list[str]:
    """In sentences, from the records: galaxies, and for each network epochs, precision, device and versions."""
    first = next(iter(run.values())).metrics
    counts = first["galaxies"]
    lines = [
        f"{counts['all']:,} {first['data']} galaxies of seed {first['seed']}: {counts['train']:,} to train on, "
        f"{counts['validation']:,} for validation, {counts['test']:,} for the test."
    ]
    for one in run.values():
        measured = one.metrics
        versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
        lines.append(
            f"{one.title}: {measured['parameters']:,} parameters, {measured['epochs']} epochs of "
            f"{measured['seconds_per_epoch']:.3g} s in {measured['precision']} on {measured['device']} ({versions})."
        )
    return lines


def table_1(run: dict[str, Trained]) -> pd.DataFrame:
    """Table 1 of the large run, as text; the report's numbers are of other galaxies, so they are only set beside."""
    rows = {}
    for name, one in run.items():
        measured, during = one.metrics, one.metrics["rmse_during_training"]
        low, high = measured["test_rmse_interval"]
        rows[one.title] = {
            "epochs": f"{measured['epochs']}",
            "best epoch": f"{measured['best_epoch']}",
            "train RMSE": f"{during['train']:.4f}",
            "validation RMSE": f"{during['validation']:.4f}",
            "test RMSE": f"{measured['rmse']['test']:.4f}",
            "95 % interval": f"{low:.4f} to {high:.4f}",
            "better than the mean": f"{1 - measured['rmse']['test'] / measured['mean_guess_test_rmse']:.1%}",
            "test RMSE, report": f"{report.RESULTS[name]['test_rmse']:.4f}",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def what_it_shows(run: dict[str, Trained]) -> list[str]:
    """In sentences, computed from the records: the order of the networks, and how each training ended."""
    ordered = sorted(run.values(), key=lambda one: one.metrics["rmse"]["test"])
    reported = sorted(run, key=lambda name: report.RESULTS[name]["test_rmse"])
    same = [run[name].title for name in reported] == [one.title for one in ordered]
    lines = [
        f"From the lowest test RMSE to the highest: {'; '.join(one.title for one in ordered)}. "
        f"The report's order is {'the same' if same else 'another'}."
    ]
    return lines + [_ending(one) for one in run.values()]


def _ending(one: Trained) -> str:
    """What came after a training's best epoch."""
    history, best = one.history, one.metrics["best_epoch"]
    best_row, last = history.iloc[best - 1], history.iloc[-1]
    if best == len(history):
        return f"{one.title}: its last epoch, {best}, was its best."
    train, validation = last["rmse"] - best_row["rmse"], last["val_rmse"] - best_row["val_rmse"]
    overfits = round(train, 4) < 0 <= round(validation, 4)
    words = "it overfits" if overfits else "it does not overfit, it stands still or scatters"
    return (
        f"{one.title}: the best of {len(history)} epochs was {best}. From there to the end the training RMSE changed "
        f"by {train:+.4f} and the validation RMSE by {validation:+.4f}: {words}."
    )
