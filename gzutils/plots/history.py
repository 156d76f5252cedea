"""How a training went and what it reached (report, Figures 8 to 11)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gzutils.decision_tree import QUESTIONS
from gzutils.plots import style

SEVERAL = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE, style.YELLOW)


def training_history(
    history: pd.DataFrame, best_epoch: int, mean_guess: float, report: dict | None = None, augmented: bool = True
) -> Figure:
    """RMSE and loss after each epoch, with the best epoch, the guess to beat and the report's best epoch.

    Args:
        history: columns epoch, rmse, val_rmse, loss, val_loss.
        best_epoch: the epoch whose weights were kept.
        mean_guess: validation RMSE of predicting the training galaxies' mean answers.
        report: the report's `validation_rmse` and `best_epoch`, or None.
        augmented: whether the training galaxies were.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 4.6), layout="constrained")
    training = "training (augmented, dropout on)" if augmented else "training (dropout on)"
    for axes, quantity, label in ((left, "rmse", "RMSE"), (right, "loss", "loss")):
        axes.plot(history["epoch"], history[quantity], color=style.TRAINING, label=training)
        axes.plot(history["epoch"], history[f"val_{quantity}"], color=style.VALIDATION, label="validation")
        axes.axvline(best_epoch, color=style.GREY, linestyle=":", linewidth=1.2, label=f"best epoch: {best_epoch}")
        axes.set(xlabel="epoch", ylabel=label, xlim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.axhline(mean_guess, color=style.SKY, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    best = history.loc[history["epoch"] == best_epoch, "val_rmse"].iloc[0]
    left.plot(best_epoch, best, "o", color=style.VALIDATION, label=f"best validation: {best:.4f}")
    if report:
        epoch, value = report["best_epoch"], report["validation_rmse"]
        if epoch <= 1.2 * len(history):
            left.plot(epoch, value, "*", color=style.PURPLE, markersize=12, label=f"report's best: {value:.4f}")
            left.set_xlim(0, 1.05 * max(epoch, len(history)))
        else:
            left.axhline(value, color=style.PURPLE, linestyle="-.", label=f"report's best: {value:.4f} (epoch {epoch})")
    right.set_yscale("log")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    return figure


def several_trainings(trainings: dict[str, tuple[pd.DataFrame, int]], mean_guess: float, floor: float | None) -> Figure:
    """The RMSE after each epoch of several trainings on the same galaxies: all on one scale, then each on its own.

    Args:
        trainings: title -> history (columns epoch, rmse, val_rmse) and best epoch.
        mean_guess: RMSE of guessing the training galaxies' mean answers. floor: of the best possible network, or None.
    """
    rows = -(-len(trainings) // 2)
    figure = plt.figure(figsize=(style.WIDTH, 3.4 + 2.5 * rows), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[3.4, 2.5 * rows])
    together = above.subplots()
    for colour, (title, (history, _)) in zip(SEVERAL, trainings.items(), strict=False):
        together.plot(history["epoch"], history["val_rmse"], color=colour, label=title)
    together.axhline(mean_guess, color=style.SKY, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    if floor is not None:
        together.axhline(floor, color=style.GREY, linestyle="-.", label=f"noise floor: {floor:.4f}")
    together.set(xlabel="epoch", ylabel="validation RMSE", xlim=(0, None))
    together.legend(fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.94))
    panels = below.subplots(rows, 2, squeeze=False)
    for axes in panels.ravel()[len(trainings) :]:
        axes.set_visible(False)
    for axes, (title, (history, best_epoch)) in zip(panels.flat, trainings.items(), strict=False):
        axes.plot(history["epoch"], history["rmse"], color=style.TRAINING, label="training (dropout on)")
        axes.plot(history["epoch"], history["val_rmse"], color=style.VALIDATION, label="validation")
        axes.axvline(best_epoch, color=style.GREY, linestyle=":", linewidth=1.2, label=f"best epoch: {best_epoch}")
        later = history.loc[history["epoch"] > len(history) // 10, ["rmse", "val_rmse"]]  # the first fall fills a panel
        margin = 0.1 * (later.max().max() - later.min().min()) or 0.001
        axes.set(ylim=(later.min().min() - margin, later.max().max() + margin), xlim=(0, None))
        axes.set(xlabel="epoch", ylabel="RMSE")
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=8)
    return figure


def rmse_by_question(values: dict[str, dict[int, float]]) -> Figure:
    """RMSE of each question, one bar a predictor (name -> `metrics.rmse_by_question`)."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 5), layout="constrained")
    height = 0.8 / len(values)
    colours = (style.GUESS, style.PREDICTED, style.GREEN, style.PURPLE, style.ORANGE)
    numbers = np.array([q.number for q in QUESTIONS])
    for place, ((name, errors), colour) in enumerate(zip(values.items(), colours, strict=False)):
        places = numbers + (place - (len(values) - 1) / 2) * height
        axes.barh(places, [errors[number] for number in numbers], height, color=colour, label=name)
    axes.set_yticks(numbers, [f"{q.number}. {q.text}" for q in QUESTIONS], fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="RMSE over the question's answers (share of volunteers)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    return figure
