"""What a whole run found, in pictures: models held against guesses, votes, the leaderboard and each other."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gzutils.plots import style

# By place: the models come first in every figure, in the same order.
COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY, style.GREY)
MARKERS = "oDs^v|x"


def rmse_of_questions(table: pd.DataFrame) -> Figure:
    """The RMSE of each question (rows, by their texts) and predictor (columns), a marker each."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 0.42 * len(table) + 1.5))
    places = np.arange(len(table))
    axes.hlines(places, table.min(axis=1), table.max(axis=1), color="#DDDDDD", linewidth=1.5, zorder=0)
    looks = _looks(table.columns)
    for name in table:
        axes.plot(table[name], places, linestyle="", markersize=6.5, label=name, **looks[name])
    axes.set_yticks(places, table.index, fontsize=8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="RMSE over the question's answers (share of volunteers)", xlim=(0, None))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=8)
    figure.tight_layout()
    return figure


def _looks(names: list[str]) -> dict[str, dict]:
    """Marker and colour of each predictor, the same in every figure that gets the same names."""
    return {
        name: {"marker": MARKERS[i % len(MARKERS)], "color": COLOURS[i % len(COLOURS)], "markeredgewidth": 1.6}
        for i, name in enumerate(names)
    }


def calibration_curves(tables: dict[str, np.ndarray]) -> Figure:
    """Mean voted against mean predicted share, one curve a predictor (name -> `metrics.calibration`).

    Below, how many predicted shares each point stands for.
    """
    figure, (curves, counts) = plt.subplots(
        2, 1, figsize=(style.WIDTH, 6.4), height_ratios=[3, 1.2], sharex=True, layout="constrained"
    )
    curves.plot([0, 1], [0, 1], color=style.GREY, linestyle="--", label="calibrated: voted = predicted")
    looks = _looks(tables)
    for name, table in tables.items():
        curves.plot(table["predicted"], table["voted"], markersize=6, label=name, **looks[name])
        counts.plot(table["predicted"], table["count"], markersize=5, **looks[name])
    curves.set(ylabel="voted share, mean", ylim=(0, 1), xlim=(0, 1))
    curves.legend(loc="upper left", fontsize=9)
    counts.set(xlabel="predicted share, mean of the bin", ylabel="how many", yscale="log")
    return figure


def leaderboard(errors: dict[str, float], landmarks: dict[str, float], note: str) -> Figure:
    """RMSEs (name -> value) as dots beside landmarks of the challenge's leaderboard as lines.

    Args:
        note: why the two are not the same kind of number; stands in the figure.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 0.36 * len(errors) + 2.0))
    places = np.arange(len(errors))
    axes.plot(list(errors.values()), places, "o", color=style.VERMILION, markersize=7)
    beside = {"xytext": (7, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
    beside["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # a landmark's line may pass behind
    for place, value in zip(places, errors.values(), strict=True):
        axes.annotate(f"{value:.4f}", (value, place), **beside)
    for name, value in landmarks.items():
        axes.axvline(value, color=style.BLUE, linestyle=":", linewidth=1.4, zorder=0)
        axes.text(value, -0.75, f" {name}\n {value:.4f}", color=style.BLUE, fontsize=8, va="bottom", ha="left")
    axes.set_yticks(places, list(errors))
    axes.set(ylim=(len(errors) - 0.4, -0.7), xlabel=f"test RMSE ({note})")
    axes.tick_params(axis="y", length=0)
    high = max([*errors.values(), *landmarks.values()])
    axes.set_xlim(0.07, high + 0.014)
    figure.tight_layout()
    figure.subplots_adjust(top=1 - 0.62 / figure.get_figheight())
    return figure


def gains(table: pd.DataFrame) -> Figure:
    """By how much the RMSE fell (index: what was done; columns gain, low, high), with the 95 % intervals.

    A gain whose interval holds 0 is drawn in grey: other galaxies might have shown none.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 0.5 * len(table) + 1.3))
    for place, (_, row) in enumerate(table.iterrows()):
        colour = style.GREY if row["low"] <= 0 <= row["high"] else style.BLUE
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(row["gain"], place, "o", color=colour, markersize=7)
        label = f"{row['gain']:+.4f}"
        axes.annotate(label, (row["gain"], place), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(np.arange(len(table)), table.index)
    axes.set(ylim=(len(table) - 0.5, -0.7), xlabel="test RMSE saved (right of 0: better), 95 % interval")
    axes.tick_params(axis="y", length=0)
    figure.tight_layout()
    return figure
