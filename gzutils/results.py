"""What a whole run found: the models that its notebooks left, Table 1 with the report's numbers, and `results.md`."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gzutils import evaluation, files
from gzutils.dataset import Split, Store
from gzutils.decision_tree import QUESTIONS
from gzutils.evaluation import REPORT_RESULTS
from gzutils.models import saved
from gzutils.progress import in_notebook, progress
from gzutils.runs import Run

# Table 1's models: their names in metrics.json, how they are called, and the notebook that trains them.
MODELS = {
    "parallel_cnn": ("Parallel CNN", "02_parallel_cnn"),
    "vision_transformer": ("Vision Transformer", "03_vision_transformer"),
    "vgg16": ("VGG16", "04_vgg16"),
    "resnet50": ("ResNet50", "05_resnet50"),
}
# The report's figures: what they show, and the notebook that makes the counterpart, `figures/figure_<number>….png`.
REPORT_FIGURES = {
    1: ("the decision tree", "01_preprocessing"),
    2: ("galaxies before and after preprocessing", "01_preprocessing"),
    3: ("the parallel CNN", "02_parallel_cnn"),
    4: ("the Vision Transformer", "03_vision_transformer"),
    5: ("Grad-CAM for question 1", "07_grad_cam"),
    6: ("Grad-CAM for question 2", "07_grad_cam"),
    7: ("training with different weights of the constraints", "06_constraint_test"),
    8: ("training of the parallel CNN", "02_parallel_cnn"),
    9: ("training of the Vision Transformer", "03_vision_transformer"),
    10: ("training of VGG16", "04_vgg16"),
    11: ("training of ResNet50", "05_resnet50"),
}
# The challenge's leaderboard: RMSE by place, among about so many teams, and the organisers' central-pixel benchmark.
LEADERBOARD = {1: 0.0749, 10: 0.0830, 60: 0.1049}
TEAMS = 330
CENTRAL_PIXEL_BENCHMARK = 0.1619
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
    title, notebook = MODELS[name]
    folder = run.folder.parent / notebook
    metrics = run.read_metrics(notebook)
    if metrics is None:
        raise ValueError(f"not trained in this run; run notebook {notebook}")
    sizes = {part: len(rows) for part, rows in vars(split).items()}
    own = {"model": name, "profile": run.profile.name, "data": run.data, "seed": run.seed}
    own["galaxies"] = {"all": len(store)} | sizes
    remedy = f"run notebook {notebook} again"
    try:
        other = [f"{key} {metrics[key]!r}, here {value!r}" for key, value in own.items() if metrics[key] != value]
        _training_row(name, metrics)
        said = float(metrics["rmse"]["test"])
        if metrics["initial_weights"].startswith("random") and name in ("vgg16", "resnet50"):
            title += ", random initial weights"
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{folder / 'metrics.json'} is damaged ({error}); {remedy}") from None
    if other:
        raise ValueError(f"{folder / 'metrics.json'} is of another run ({other[0]}); {remedy}")
    model = saved.load(folder / "model.keras")
    if model.input_shape != (None, 64, 64, 3) or model.output_shape != (None, 37):
        raise ValueError(f"{folder / 'model.keras'} takes or gives other shapes than this kit's models; {remedy}")
    predicted = evaluation.predict(model, store, split.test)
    measured = evaluation.rmse(predicted, store.labels[split.test])
    if not abs(measured - said) < SAME:
        raise ValueError(
            f"{folder / 'model.keras'} has a test RMSE of {measured:.4f}, the metrics.json beside it says {said:.4f}: "
            f"they are of different trainings; {remedy}"
        )
    return Finished(title, notebook, metrics, model, predicted)


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
    for name, (title, notebook) in MODELS.items():
        row = {"predictor": title, "notebook": notebook, "report_test_rmse": REPORT_RESULTS[name]["test_rmse"]}
        if name in found:
            metrics = found[name].metrics
            row |= {"predictor": found[name].title, **_measures(found[name].predicted, labels)}
            kept = ("parameters", "trainable_parameters", "epochs", "best_epoch", "seconds_per_epoch")
            row |= {key: metrics[key] for key in (*kept, "initial_weights", "precision", "device")}
            row |= {f"{part}_rmse": metrics["rmse"][part] for part in ("train", "validation")}
        else:
            row["missing"] = missing[name]
        rows.append(row)
    rows += [{"predictor": title, **_measures(predicted, labels)} for title, predicted in others.items()]
    table = pd.DataFrame(rows).set_index("predictor")
    whole = ["parameters", "trainable_parameters", "epochs", "best_epoch"]
    return table.astype({column: "Int64" for column in whole if column in table})


def _measures(predicted: np.ndarray, labels: np.ndarray) -> dict:
    low, high = evaluation.rmse_interval(predicted, labels)
    by_question = evaluation.rmse_by_question(predicted, labels)
    return {
        "test_rmse": evaluation.rmse(predicted, labels),
        "test_rmse_low": low,
        "test_rmse_high": high,
        "constraint_violation": evaluation.constraint_violation(predicted),
        "calibration_error": evaluation.calibration_error(evaluation.calibration(predicted, labels)),
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
    rows |= {title: ["missing"] * 6 for name, (title, _) in MODELS.items() if name not in found}
    columns = ["parameters", "epochs", "best epoch", "time of an epoch", "train RMSE", "validation RMSE"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"{column}: report / here" for column in columns])


def _training_row(name: str, metrics: dict) -> list[str]:
    report, during = REPORT_RESULTS[name], metrics["rmse_during_training"]
    return [
        f"{report['parameters']:,} / {metrics['parameters']:,}",
        f"{report['epochs']} / {metrics['epochs']:d}",
        f"{report['best_epoch']} / {metrics['best_epoch']:d}",
        f"{report['seconds_per_epoch']} / {metrics['seconds_per_epoch']:.3g} s",
        f"{report['train_rmse']:.4f} / {during['train']:.4f}",
        f"{report['validation_rmse']:.4f} / {during['validation']:.4f}",
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
    for place, value in LEADERBOARD.items():
        if error < value:
            if ahead is None:
                return f"below the winner's {value:.4f}"
            return f"between place {ahead} ({LEADERBOARD[ahead]:.4f}) and place {place} ({value:.4f})"
        ahead = place
    if error < CENTRAL_PIXEL_BENCHMARK:
        return f"behind place {ahead} ({LEADERBOARD[ahead]:.4f}), below the central-pixel benchmark's 0.1619"
    return f"above the central-pixel benchmark's {CENTRAL_PIXEL_BENCHMARK:.4f}"


def figures_of_the_report(run: Run) -> pd.DataFrame:
    """Each figure of the report with its counterpart in this run; a missing one with the notebook to run.

    Returns:
        Indexed by the figure's number: `shows`, `notebook`, `file` (below the run's folder; "" where missing).
    """
    rows = {}
    for number, (shows, notebook) in REPORT_FIGURES.items():
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
