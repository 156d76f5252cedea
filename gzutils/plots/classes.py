"""One class a galaxy, in pictures: the rules on the shares, what they keep, and what networks make of the classes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gzutils.decision_tree import question
from gzutils.hard_classes import Rule, judge, share
from gzutils.plots import style
from gzutils.plots.comparisons import COLOURS, MARKERS

HIDDEN = 0.02  # smaller shares would hide all others


def rule_on_shares(shares: np.ndarray, rule: Rule) -> Figure:
    """A rule's conditions, a panel each: how galaxies (N, 37) spread over the share, and where the threshold lies."""
    conditions = {one: hard.name for hard in rule.classes for way in hard.ways for one in way}
    classes, clearness = judge(shares, rule)
    columns = 4
    rows = -(-len(conditions) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, 2.15 * rows + 0.6), squeeze=False)
    looks = {"in a class that asks for it": style.BLUE, "in another class": "#C9C9C9", "in no class": style.VERMILION}
    for place, (one, condition) in enumerate(zip(axes.ravel(), conditions, strict=False)):
        users = [number for number, hard in enumerate(rule.classes) if condition in sum(hard.ways, ())]
        values, uses = share(shares, condition), np.isin(classes, users)
        parts = [(clearness >= 0) & uses, (clearness >= 0) & ~uses, clearness < 0]
        shown = [values[part & (values >= HIDDEN)] for part in parts]
        one.hist(shown, np.linspace(0, 1, 26), stacked=True, color=list(looks.values()), label=list(looks))
        one.axvline(condition.at_least, color="black", linestyle="--", linewidth=1)
        asked = question(condition.question)
        answers = " or ".join(asked.answers[answer - 1] for answer in condition.answers)
        one.set_title(f"{asked.short}: {answers}\nat least {condition.at_least:.1%}", fontsize=8.5)
        one.set(xlim=(0, 1), xticks=[0, 0.5, 1])
        one.tick_params(labelsize=7.5)
        if place % columns == 0:
            one.set_ylabel("galaxies", fontsize=8.5)
    for one in axes.ravel()[len(conditions) :]:
        one.axis("off")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.supxlabel("share of the volunteers", fontsize=9.5)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
    figure.legend(handles, labels, loc="upper center", ncols=3, fontsize=9)
    return figure


def class_shares(ours: dict[str, pd.Series], papers: dict[str, pd.Series]) -> Figure:
    """The classes' shares of the galaxies that have one, a panel a study: bars for ours, diamonds for the paper's.

    Args:
        ours, papers: by the study's name; a series has a count for each class. `papers` may lack studies.
    """
    heights = [len(counts) for counts in ours.values()]
    figure, axes = plt.subplots(1, len(ours), figsize=(style.WIDTH, 0.32 * max(heights) + 1.4), squeeze=False)
    for one, (study, counts) in zip(axes[0], ours.items(), strict=True):
        places = np.arange(len(counts))
        one.barh(places, 100 * counts / max(counts.sum(), 1), color=style.SKY, label="here")
        if study in papers:
            there = papers[study]
            one.plot(100 * there / there.sum(), places, "D", color=style.VERMILION, label="in the paper")
        one.set_yticks(places, counts.index, fontsize=8.5)
        one.set(ylim=(max(heights) - 0.4, -0.6), xlabel="% of those with a class")
        one.set_title(study, fontsize=10)
        one.tick_params(axis="y", length=0)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / figure.get_figheight()))
    figure.legend(handles, labels, loc="upper right", ncols=2, fontsize=9)
    return figure


def confusions(tables: dict[str, np.ndarray], names: dict[str, tuple[str, ...]]) -> Figure:
    """Confusion matrices side by side: each row is a class, its colour the share of its galaxies, the number how many.

    Args:
        tables: by title, (classes, classes) each. names: of the classes, by the same titles.
    """
    columns = min(2, len(tables))
    rows = -(-len(tables) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, 4.4 * rows), squeeze=False)
    for one in axes.ravel()[len(tables) :]:
        one.axis("off")
    for one, (title, table) in zip(axes.ravel(), tables.items(), strict=False):
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        one.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(table):
            if count:
                colour = "white" if shares[row, column] > 0.6 else "black"
                one.text(column, row, count, ha="center", va="center", fontsize=8.5, color=colour)
        places = np.arange(len(table))
        one.set_xticks(places, names[title], rotation=45, ha="right", rotation_mode="anchor", fontsize=8.5)
        one.set_yticks(places, names[title], fontsize=8.5)
        one.tick_params(length=0)
        one.set_xlabel("the network says", fontsize=9)
        one.set_ylabel("the volunteers' class", fontsize=9)
        one.set_title(title, fontsize=10.5)
    figure.tight_layout()
    return figure


def accuracy_by_clearness(tables: dict[str, np.ndarray]) -> Figure:
    """Accuracy with its interval over how clear galaxies are, a curve a network (name -> `accuracy_in_bins`)."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 4.2))
    low = min((table["value"].min() for table in tables.values() if len(table)), default=-0.1)
    axes.axvspan(min(low - 0.05, -0.05), 0, color="#F2F2F2", zorder=0)
    axes.text(-0.005, 0.02, "thrown away ", ha="right", fontsize=9, color=style.GREY)
    axes.text(0.005, 0.02, " kept", ha="left", fontsize=9, color=style.GREY)
    _curves(axes, tables, shift=0.004)
    axes.set(xlabel="margin to the rule's thresholds, of the volunteers' shares (0: just kept)", ylim=(0, 1.02))
    axes.set(ylabel="accuracy, 95 % interval", xlim=(min(low - 0.05, -0.05), None))
    axes.legend(loc="lower right", fontsize=9)
    figure.tight_layout()
    return figure


def reliability_curves(tables: dict[str, np.ndarray]) -> Figure:
    """Accuracy over a network's highest probability, a curve a network (name -> `classification.reliability`)."""
    figure, axes = plt.subplots(figsize=(style.WIDTH * 0.62, 4.6))
    axes.plot([0, 1], [0, 1], color=style.GREY, linestyle="--", label="as often right as it says")
    _curves(axes, tables, shift=0.003)
    axes.set(xlabel="the network's highest probability", ylabel="accuracy, 95 % interval", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower right", fontsize=8.5)
    figure.tight_layout()
    return figure


def _curves(axes: plt.Axes, tables: dict[str, np.ndarray], shift: float) -> None:
    """A curve a table, each a little further right, so that intervals at the same place do not hide each other."""
    for place, (name, table) in enumerate(tables.items()):
        errors = np.abs(np.stack([table["low"], table["high"]]) - table["accuracy"])
        axes.errorbar(
            table["value"] + shift * place,
            table["accuracy"],
            errors,
            marker=MARKERS[place % len(MARKERS)],
            color=COLOURS[place % len(COLOURS)],
            linewidth=1.6,
            elinewidth=1,
            markersize=6,
            label=name,
        )


def accuracy_and_rmse(table: pd.DataFrame, marks: dict[str, float]) -> Figure:
    """Which accuracy goes with which RMSE, where one and the same error is scaled.

    Args:
        table: indexed by the RMSE; a column a group of galaxies, the accuracy of their classes.
        marks: RMSEs to be marked by a line, by name.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 4.2))
    for place, name in enumerate(table):
        axes.plot(table.index, table[name], marker=MARKERS[place], color=COLOURS[place], label=name)
    for place, (name, value) in enumerate(marks.items()):
        axes.axvline(value, color=style.GREY, linestyle=":", linewidth=1.4)
        words, box = f"{name} {value:.4f}", {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(value + 0.0008, 0.03 + 0.09 * place, words, fontsize=8.5, color=style.GREY, bbox=box)
    axes.set(xlabel="RMSE of the 37 shares", ylabel="accuracy of the classes made of them", ylim=(0, 1.02))
    axes.set_xlim(0, None)
    axes.legend(loc="center left", fontsize=9)
    figure.tight_layout()
    return figure
