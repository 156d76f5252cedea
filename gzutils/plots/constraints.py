"""The tree's constraints in pictures: what they say, who keeps them, and what their weight does (report, Figure 7)."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from gzutils.decision_tree import ANSWERS, CONSTRAINT_QUESTIONS, QUESTIONS, constraint_matrix, question
from gzutils.plots import style

COLOURS = {"none": style.GREY, "tree": style.BLUE, "report": style.VERMILION, "by construction": style.GREEN}
NAMES = {
    "none": "no constraint",
    "tree": "the tree's constraints",
    "report": "the constraints of the report's code",
    "by construction": "the tree by construction",
}
LABELS = [f"({place})  {question(number).text}" for place, number in enumerate(CONSTRAINT_QUESTIONS, start=1)]


def matrix_of_constraints(constraints: str = "tree") -> Figure:
    """The 11 identities over the 37 answers: what is added, and what it has to add up to."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 5.6))
    matrix, offset = constraint_matrix(constraints)
    for (row, column), sign in np.ndenumerate(matrix):
        if sign:
            colour = style.BLUE if sign > 0 else style.VERMILION
            axes.text(column, row, "+" if sign > 0 else "−", color="white", ha="center", va="center", fontsize=8)
            axes.add_patch(plt.Rectangle((column - 0.46, row - 0.42), 0.92, 0.84, color=colour, zorder=-1))
    for row, total in enumerate(offset):
        axes.text(37, row, f"= {total:g}", va="center", fontsize=9)
    for asked in QUESTIONS[1:]:
        axes.axvline(asked.slice.start - 0.5, color=style.GREY, linewidth=0.5)
    axes.set(xlim=(-0.5, 36.5), ylim=(10.6, -0.6))
    axes.set_yticks(range(11), LABELS, fontsize=8)
    axes.set_ylabel("constraint, and its question")
    axes.set_xticks(range(37), ANSWERS, rotation=90, fontsize=7)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.tight_layout()
    return figure


def residuals(sets: dict[str, np.ndarray], shown: int = 400) -> Figure:
    """How far galaxies are from each constraint: one panel a set (title -> (N, 11)), one dot a galaxy.

    Where there are more than `shown` galaxies, every so many-th of them is drawn.
    """
    figure, panels = plt.subplots(1, len(sets), figsize=(style.WIDTH, 4.2), sharey=True)
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, shown)
    limit = 1.05 * max(1, *(np.abs(values).max() for values in sets.values()))
    for axes, (title, values) in zip(np.atleast_1d(panels), sets.items(), strict=True):
        some = values[:: -(-len(values) // shown)]
        for place in range(11):
            holds = np.abs(values[:, place]).max() < 1e-4
            colour = style.BLUE if holds else style.VERMILION
            axes.plot(some[:, place], place + jitter[: len(some)], ".", color=colour, markersize=3, alpha=0.5)
        axes.axvline(0, color=style.GREY, linewidth=0.6, zorder=0)
        axes.set_title(title, fontsize=10)
        axes.set(xlabel="left side minus right side", xlim=(-limit, limit))
        axes.tick_params(axis="y", length=0)
    figure.axes[0].set_yticks(range(11), LABELS, fontsize=8)
    figure.axes[0].set_ylabel("constraint, and its question")
    figure.axes[0].set_ylim(10.6, -0.6)
    figure.tight_layout()
    return figure


def histories(
    by_weight: dict[float, list[pd.DataFrame]], unconstrained: list[pd.DataFrame], mean_guess: float
) -> Figure:
    """Training and validation RMSE after each epoch, one panel a weight, one pair of lines a seed (report, Figure 7).

    Args:
        by_weight: lambda -> the histories (columns epoch, rmse, val_rmse) of its trainings.
        unconstrained: those of lambda = 0, whose validation stands in every panel for comparison.
        mean_guess: validation RMSE of predicting the training galaxies' mean answers.
    """
    rows = -(-len(by_weight) // 2)
    figure, grid = plt.subplots(
        rows, 2, figsize=(style.WIDTH, 2.4 * rows + 0.6), sharex=True, sharey="row", squeeze=False
    )
    style.hide_axes(*grid.ravel()[len(by_weight) :])
    for axes, (weight, tables) in zip(grid.ravel(), by_weight.items(), strict=False):
        for number, table in enumerate(unconstrained):
            label = None if number else "validation, λ = 0"
            axes.plot(table["epoch"], table["val_rmse"], ":", color=style.GREY, label=label)
        for number, table in enumerate(tables):
            labels = (None, None) if number else ("training (augmented)", "validation")
            axes.plot(table["epoch"], table["rmse"], color=style.TRAINING, linewidth=1.2, label=labels[0])
            axes.plot(table["epoch"], table["val_rmse"], color=style.VALIDATION, linewidth=1.2, label=labels[1])
        axes.axhline(mean_guess, color=style.SKY, linestyle="--", linewidth=1.2, label="guessing the mean")
        axes.set_title(f"λ = {weight:g}", fontsize=10)
    for axes in grid[:, 0]:
        axes.set_ylabel("RMSE")
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper center", ncols=4, fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
    return figure


def weight_study(study: pd.DataFrame, mean_guess: float) -> Figure:
    """Test RMSE and violation of the tree against lambda: a dot a training, a line through the means.

    Args:
        study: one row a training: constraints ("none", "tree", "report", "by construction"), weight, test_rmse,
            test_constraint_violation.
        mean_guess: test RMSE of predicting the training galaxies' mean answers.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 4.2))
    weights = sorted(study["weight"].unique())
    free = study[study["constraints"] == "none"]
    for axes, quantity, label, form in (
        (left, "test_rmse", "test RMSE", ".4f"),
        (right, "test_constraint_violation", "constraint violation", ".0e"),
    ):
        for shift, name in ((-0.06, "tree"), (0.06, "report")):
            rows = pd.concat([free, study[study["constraints"] == name]])
            means = rows.groupby("weight")[quantity].mean()
            axes.plot(
                [weights.index(w) for w in means.index], means, color=COLOURS[name], linewidth=1.2, label=NAMES[name]
            )
            places = [weights.index(w) + (shift if w else 0) for w in rows["weight"]]
            colours = [COLOURS[constraints] for constraints in rows["constraints"]]
            axes.scatter(places, rows[quantity], s=22, color=colours, zorder=3)
        built = study.loc[study["constraints"] == "by construction", quantity]
        axes.axhline(
            built.mean(), color=COLOURS["by construction"], label=f"{NAMES['by construction']}: {built.mean():{form}}"
        )
        if len(built) > 1:
            axes.axhspan(built.min(), built.max(), color=COLOURS["by construction"], alpha=0.2, linewidth=0)
        axes.set_xticks(range(len(weights)), [f"{w:g}" for w in weights])
        axes.set(xlabel="λ, the weight of the constraints in the loss", ylabel=label)
    left.axhline(mean_guess, color=style.SKY, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    left.set_yscale("log")
    left.yaxis.set_major_locator(FixedLocator([0.05, 0.1, 0.12, 0.14, 0.17, 0.2, 0.25, 0.3, 0.4, 0.5]))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_locator(NullLocator())
    right.set_yscale("symlog", linthresh=1e-3)
    right.set_ylim(-1e-4, 2 * study["test_constraint_violation"].max())
    right.legend(fontsize=8, loc="center left")
    left.legend(fontsize=8)
    figure.tight_layout()
    return figure


def ways_compared(ways: dict[str, pd.DataFrame], mean_guess: float) -> Figure:
    """Several ways to deal with the tree, beside each other: a bar for the mean, a dot a training.

    Args:
        ways: name -> its trainings, with test_rmse and test_constraint_violation.
        mean_guess: test RMSE of predicting the training galaxies' mean answers.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 0.5 * len(ways) + 1.5), sharey=True)
    for place, rows in enumerate(ways.values()):
        colour = COLOURS[rows["constraints"].iloc[0]]
        for axes, quantity, form in ((left, "test_rmse", "{:.4f}"), (right, "test_constraint_violation", "{:.2g}")):
            mean = rows[quantity].mean()
            axes.barh(place, mean, height=0.62, color=colour, alpha=0.45)
            axes.plot(rows[quantity], np.full(len(rows), place), "o", color=colour, markersize=4)
            axes.annotate(
                form.format(mean),
                (max(rows[quantity]), place),
                (8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
    left.axvline(mean_guess, color=style.SKY, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    left.set_yticks(range(len(ways)), ways)
    left.invert_yaxis()
    left.tick_params(axis="y", length=0)
    right.tick_params(axis="y", length=0)
    left.set(xlabel="test RMSE")
    right.set(xlabel="constraint violation")
    for axes in (left, right):
        axes.set_xlim(0, 1.18 * axes.get_xlim()[1])
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=9)
    figure.tight_layout()
    return figure
