"""What a whole run found: the models that its notebooks left, Table 1 with the report's numbers, and `results.md`."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gzutils import report
from gzutils.course.runs import Run
from gzutils.data.store import Split, Store
from gzutils.decision_tree import COLUMNS, QUESTIONS
from gzutils.learning import metrics
from gzutils.learning.predict import predict
from gzutils.models import saved
from gzutils.models.networks import GALAXIES_START, NETWORKS, RANDOM_START
from gzutils.tools import files
from gzutils.tools.progress import in_notebook, progress

# Table 1's models, in its order.
MODELS = {name: NETWORKS[name] for name in report.RESULTS}
# What titles add of a base that did not start from ImageNet.
OTHER_START = {RANDOM_START: ", random initial weights", GALAXIES_START: ", a quarter of the filters"}
SAME = 5e-4  # RMSEs of one model, measured twice on different devices, differ by less


@dataclass(frozen=True)
class Finished:
    """A trained model of the run: its title, its `metrics.json`, and its probabilities for the test galaxies."""

    title: str
    notebook: str
    metrics: dict
    model: keras.Model
    predicted: np.ndarray


def gather(run: Run, store: Store, split: Split) -> tuple[dict[str, Finished], dict[str, str]]:
    """Opens the models that the run's notebooks have trained, and lets them predict the test galaxies.

    Returns:
        Those that are there, and of the others what is wrong and what to do, in a sentence each; both by the model's
        name in the order of `MODELS`. A damaged or foreign file costs its own model only.
    """
    found: dict[str, Finished] = {}
    missing: dict[str, str] = {}
    for name in progress(MODELS, "models", len(MODELS), "models"):
        try:
            found[name] = _open(name, run, store, split)
        except ValueError as problem:
            missing[name] = str(problem).replace(f"{run.home}/", "")
    return found, missing


def _open(name: str, run: Run, store: Store, split: Split) -> Finished:
    title, notebook = MODELS[name].title, MODELS[name].notebook
    folder = run.folder.parent / notebook
    measured = run.read_metrics(notebook)
    if measured is None:
        raise ValueError(f"not trained in this run; run notebook {notebook}")
    sizes = {part: len(rows) for part, rows in vars(split).items()}
    own = {"model": name, "profile": run.profile.name, "data": run.data, "seed": run.seed}
    own["galaxies"] = {"all": len(store)} | sizes
    remedy = f"run notebook {notebook} again"
    try:
        other = [f"{key} {measured[key]!r}, here {value!r}" for key, value in own.items() if measured[key] != value]
        _training_row(name, measured)
        said = float(measured["rmse"]["test"])
        if MODELS[name].pretrained:
            title += OTHER_START.get(measured["initial_weights"], "")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{folder / 'metrics.json'} is damaged ({error}); {remedy}") from None
    if other:
        raise ValueError(f"{folder / 'metrics.json'} is of another run ({other[0]}); {remedy}")
    model = saved.load(folder / "model.keras")
    if model.input_shape != (None, *store.images.shape[1:]) or model.output_shape != (None, len(COLUMNS)):
        raise ValueError(f"{folder / 'model.keras'} takes or gives other shapes than this kit's models; {remedy}")
    predicted = predict(model, store.images, split.test)
    error = metrics.rmse(predicted, store.labels[split.test])
    if not abs(error - said) < SAME:
        raise ValueError(
            f"{folder / 'model.keras'} has a test RMSE of {error:.4f}, the metrics.json beside it says {said:.4f}: "
            f"they are of different trainings; {remedy}"
        )
    return Finished(title, notebook, measured, model, predicted)


def summary(
    found: dict[str, Finished], missing: dict[str, str], others: dict[str, np.ndarray], labels: np.ndarray
) -> pd.DataFrame:
    """All that was measured on the test galaxies, one row a predictor, in full precision: what `results.csv` holds.

    Args:
        found, missing: see `gather`.
        others: further predictions for the test galaxies (title -> (N, 37)): guesses, ensembles.
        labels: (N, 37).
    """
    rows = []
    for name, network in MODELS.items():
        row = {"predictor": network.title, "notebook": network.notebook}
        row["report_test_rmse"] = report.RESULTS[name]["test_rmse"]
        if name in found:
            measured = found[name].metrics
            row |= {"predictor": found[name].title, **_measures(found[name].predicted, labels)}
            kept = ("parameters", "trainable_parameters", "epochs", "best_epoch", "seconds_per_epoch")
            row |= {key: measured[key] for key in (*kept, "initial_weights", "precision", "device")}
            row |= {f"{part}_rmse": measured["rmse"][part] for part in ("train", "validation")}
        else:
            row["missing"] = missing[name]
        rows.append(row)
    rows += [{"predictor": title, **_measures(predicted, labels)} for title, predicted in others.items()]
    table = pd.DataFrame(rows).set_index("predictor")
    whole = ["parameters", "trainable_parameters", "epochs", "best_epoch"]
    return table.astype({column: "Int64" for column in whole if column in table})


def _measures(predicted: np.ndarray, labels: np.ndarray) -> dict:
    low, high = metrics.rmse_interval(predicted, labels)
    by_question = metrics.rmse_by_question(predicted, labels)
    return {
        "test_rmse": metrics.rmse(predicted, labels),
        "test_rmse_low": low,
        "test_rmse_high": high,
        "constraint_violation": metrics.constraint_violation(predicted),
        "calibration_error": metrics.calibration_error(metrics.calibration(predicted, labels)),
    } | {f"rmse_question_{number}": value for number, value in by_question.items()}


def table_1(measured: pd.DataFrame, mean_guess: str) -> pd.DataFrame:
    """The report's Table 1 beside this run's numbers, as text.

    Args:
        measured: see `summary`. mean_guess: the row that the gains are counted from.
    """
    guess = measured.loc[mean_guess, "test_rmse"]
    rows = {}
    for title, row in measured.iterrows():
        said = row.get("report_test_rmse", np.nan)
        if pd.isna(row.get("test_rmse")):
            here = ["missing", "–", "–", "–", "–"]
        else:
            here = [
                f"{row['test_rmse']:.4f}",
                f"{row['test_rmse_low']:.4f} to {row['test_rmse_high']:.4f}",
                f"{1 - row['test_rmse'] / guess:.1%}",
                f"{row['constraint_violation']:.4f}",
                f"{row['calibration_error']:.4f}",
            ]
        rows[title] = ["–" if pd.isna(said) else f"{said:.4f}", *here]
    columns = ["test RMSE, report", "test RMSE, this run", "95 % interval"]
    columns += ["better than the mean", "breaks the tree by", "calibration error"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def training_table(found: dict[str, Finished]) -> pd.DataFrame:
    """How the models were trained, the report's numbers before this run's, as text."""
    rows = {finished.title: _training_row(name, finished.metrics) for name, finished in found.items()}
    rows |= {network.title: ["missing"] * 6 for name, network in MODELS.items() if name not in found}
    columns = ["parameters", "epochs", "best epoch", "time of an epoch", "train RMSE", "validation RMSE"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"{column}: report / here" for column in columns])


def _training_row(name: str, measured: dict) -> list[str]:
    said, during = report.RESULTS[name], measured["rmse_during_training"]
    return [
        f"{said['parameters']:,} / {measured['parameters']:,}",
        f"{said['epochs']} / {measured['epochs']:d}",
        f"{said['best_epoch']} / {measured['best_epoch']:d}",
        f"{said['seconds_per_epoch']} / {measured['seconds_per_epoch']:.3g} s",
        f"{said['train_rmse']:.4f} / {during['train']:.4f}",
        f"{said['validation_rmse']:.4f} / {during['validation']:.4f}",
    ]


def question_table(measured: pd.DataFrame) -> pd.DataFrame:
    """The test RMSE of each question (rows) and predictor (columns), numbers; without the missing models."""
    columns = [f"rmse_question_{q.number}" for q in QUESTIONS]
    table = measured.dropna(subset="test_rmse")[columns].T
    table.index = pd.Index([f"{q.number}. {q.text}" for q in QUESTIONS], name="question")
    return table


def leaderboard_place(error: float) -> str:
    """Between which known places of the challenge's leaderboard an RMSE lies; no more is known here."""
    ahead = None
    for place, value in report.LEADERBOARD.items():
        if error < value:
            if ahead is None:
                return f"below the winner's {value:.4f}"
            return f"between place {ahead} ({report.LEADERBOARD[ahead]:.4f}) and place {place} ({value:.4f})"
        ahead = place
    if error < report.CENTRAL_PIXEL_BENCHMARK:
        return f"behind place {ahead} ({report.LEADERBOARD[ahead]:.4f}), below the central-pixel benchmark's 0.1619"
    return f"above the central-pixel benchmark's {report.CENTRAL_PIXEL_BENCHMARK:.4f}"


def figures_of_the_report(run: Run) -> pd.DataFrame:
    """Each figure of the report with its counterpart in this run; a missing one with the notebook to run.

    Returns:
        Indexed by the figure's number: `shows`, `notebook`, `file` (below the run's folder; "" where missing).
    """
    rows = {}
    for number, (shows, notebook) in report.FIGURES.items():
        there = sorted((run.folder.parent / notebook / "figures").glob(f"figure_{number:02}_*.png"))
        rows[number] = (shows, notebook, f"{notebook}/figures/{there[0].name}" if there else "")
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["shows", "notebook", "file"])
    return table.rename_axis("figure")


def markdown_table(frame: pd.DataFrame) -> str:
    """A table in Markdown, the index as its first column; floats with four decimals."""

    def text(value: object) -> str:
        value = f"{value:.4f}" if isinstance(value, float) else str(value)
        return value.replace("|", "\\|").replace("\n", " ")

    head = [str(frame.index.name or ""), *frame.columns]
    lines = [head, ["---"] * len(head), *([index, *row] for index, row in zip(frame.index, frame.values, strict=True))]
    return "\n".join("| " + " | ".join(map(text, line)) + " |" for line in lines)


class Page:
    """The run's `results.md`, put together as the notebook goes; what goes in is shown in the notebook too."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._parts = [f"# Results of the run {run.name}"]

    def text(self, markdown: str, shown: bool = True) -> None:
        """Adds Markdown; `shown=False`: not to the notebook."""
        self._parts.append(markdown)
        if shown and in_notebook():
            from IPython.display import Markdown, display

            display(Markdown(markdown))

    def heading(self, words: str) -> None:
        """Begins a section of the file; the notebook has its own headings."""
        self.text(f"## {words}", shown=False)

    def table(self, frame: pd.DataFrame) -> None:
        """Adds a table."""
        self.text(markdown_table(frame))

    def figure(self, figure: Figure, name: str, caption: str) -> None:
        """Adds a figure; see `Run.show_figure`."""
        self._run.show_figure(figure, name, caption)
        self.text(f"![{caption}](figures/{name}.png)\n\n*{caption}*", shown=False)

    def figures_of_the_report(self) -> None:
        """Adds the table of the report's figures and their counterparts; the file gets the pictures too."""
        table = figures_of_the_report(self._run)
        where = [
            f"`{file}`" if file else f"missing: run notebook {notebook}"
            for file, notebook in zip(table["file"], table["notebook"], strict=True)
        ]
        self.table(pd.DataFrame({"shows": table["shows"], "here": where}, index=table.index))
        for number, row in table[table["file"] != ""].iterrows():
            self.text(f"![Figure {number}: {row['shows']}](../{row['file']})", shown=False)

    def write(self, measured: pd.DataFrame) -> None:
        """Writes `results.md`, and `results.csv` with all numbers in full precision (see `summary`)."""
        files.write_text(self._run.folder / "results.md", "\n\n".join(self._parts) + "\n")
        files.write_text(self._run.folder / "results.csv", measured.to_csv())
