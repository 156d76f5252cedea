"""How sure a network is, in pictures: likelihoods, posteriors over votes, coverage, and what labels are worth."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gzutils.learning.posteriors import question_of
from gzutils.plots import style

COLOURS = (style.GREY, style.BLUE, style.VERMILION, style.GREEN, style.PURPLE)
MARKERS = "sod^v"


def coins(shares: np.ndarray, curves: dict[str, np.ndarray]) -> Figure:
    """How probable some votes are against the share rho that may stand behind them, each curve scaled to 1."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.2))
    for (name, curve), colour in zip(curves.items(), COLOURS[1:], strict=False):
        axes.plot(shares, curve / curve.max(), color=colour, label=name)
    axes.set(xlabel="ρ, the share of all people who would say yes", ylabel="likelihood, highest = 1", xlim=(0, 1))
    axes.legend(fontsize=9)
    figure.tight_layout()
    return figure


def posteriors(
    image: np.ndarray,
    title: str,
    columns: Sequence[str],
    by_pass: Sequence[np.ndarray],
    votes: Sequence[int | None],
    truth: Sequence[float | None],
) -> Figure:
    """A galaxy beside the posteriors over the votes of some answers, a panel each.

    Args:
        image: (side, side, 3) uint8.
        columns: of the answers.
        by_pass: of each answer, the passes' distributions of votes, (passes, K): thin lines; their mean: bars.
        votes: that there were; None: nobody was asked.
        truth: how many of so many volunteers would have said so on average; None: not known.
    """
    count = len(columns)
    figure, panels = plt.subplots(
        1, count + 1, figsize=(style.WIDTH, 3.0), width_ratios=[0.9, *[1] * count], layout="constrained"
    )
    panels[0].imshow(image)
    style.hide_axes(panels[0])
    panels[0].set_title(textwrap.fill(title, 24), fontsize=9)  # Galaxy Zoo 2's numbers have 18 digits
    for axes, column, passes, voted, true in zip(panels[1:], columns, by_pass, votes, truth, strict=True):
        numbers = np.arange(passes.shape[1])
        axes.bar(numbers, passes.mean(axis=0), width=1.0, color=style.SKY, alpha=0.8, label="posterior")
        for place, one in enumerate(passes):
            label_of_one = None if place else "single passes"
            axes.plot(numbers, one, color=style.BLUE, linewidth=0.5, alpha=0.6, label=label_of_one)
        if voted is not None:
            axes.axvline(voted, color=style.VERMILION, linewidth=1.8, label="votes there were")
        if true is not None:
            axes.axvline(true, color="black", linestyle=":", linewidth=1.5, label="expected votes (truth)")
        axes.set_title(_question_and_answer(column), fontsize=8)
        axes.set(xlabel=f"votes of {passes.shape[1] - 1}", yticks=[])
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.spines["left"].set_visible(False)
    panels[1].set_ylabel("probability")
    handles, names = panels[1].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def _question_and_answer(column: str) -> str:
    asked = question_of(column)
    answer = asked.answers[asked.columns.index(column)]
    return textwrap.fill(asked.text, 34, break_on_hyphens=False) + f"\n→ {answer}"


def coverage(of_votes: pd.DataFrame, of_truth: pd.DataFrame | None) -> Figure:
    """How often votes, and true shares, lie in the intervals that should hold them so often.

    Args:
        of_votes: a row each way, a column each nominal level (0 to 1). of_truth: the same; None: not known.
    """
    tables = {"the votes": of_votes} | ({} if of_truth is None else {"the true shares": of_truth})
    figure, panels = plt.subplots(
        1, len(tables), figsize=(style.WIDTH, 4.4), squeeze=False, sharey=True, layout="constrained"
    )
    for axes, (what, table) in zip(panels[0], tables.items(), strict=True):
        levels = table.columns.to_numpy(float)
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle="--", label="as often as they say")
        axes.fill_between([0, 1], [-0.03, 0.97], [0.03, 1.03], color="#EEEEEE", zorder=0, label="within 3 points")
        for place, (name, row) in enumerate(table.iterrows()):
            colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
            axes.plot(levels, row, color=colour, marker=marker, markersize=6, linewidth=1.2, label=name)
        axes.set(xlabel="level of the credible interval", xlim=(0.4, 1), ylim=(0, 1.02), title=f"Intervals for {what}")
        axes.set_xticks(levels, [f"{level:.0%}" for level in levels])
    panels[0, 0].set_ylabel("share of galaxies and answers inside")
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def worth_of_labels(table: pd.DataFrame) -> Figure:
    """Log-likelihood and RMSE against labelled galaxies: a line through the means of the seeds, a dot each training.

    Args:
        table: see `asking.table_of`.
    """
    figure, panels = plt.subplots(1, 2, figsize=(style.WIDTH, 3.8))
    ways = list(dict.fromkeys(table["way"]))
    step = np.ptp(table["labels"]) * 0.012
    for place, way in enumerate(sorted(ways, key=lambda name: "random" not in name)):
        rows = table[table["way"] == way]
        for axes, quantity in zip(panels, ("log_likelihood", "rmse"), strict=True):
            colour, marker = COLOURS[place], MARKERS[place]
            means = rows.groupby("labels")[quantity].mean()
            axes.plot(means.index, means, color=colour, marker=marker, markersize=5, label=f"chosen {way}")
            axes.plot(rows["labels"] + (place - 1) * step, rows[quantity], ".", color=colour, alpha=0.45, markersize=5)
    panels[0].set(xlabel="labelled galaxies", ylabel="test log-likelihood of a galaxy's votes (nats)")
    panels[1].set(xlabel="labelled galaxies", ylabel="test RMSE of the answer's share")
    panels[0].legend(fontsize=9, loc="lower right")
    figure.tight_layout()
    return figure
