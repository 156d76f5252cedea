"""Where a network looks: heat maps over galaxies, and how far they can be believed (report, Figures 5 and 6).

The report colours its maps with matplotlib's "jet". Here it is "viridis", whose steps look equal and which the
colour-blind can read; laid over the galaxy half transparent, as in the report.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gzutils.decision_tree import QUESTIONS
from gzutils.plots import style

COLOURS = "viridis"
OPACITY = 0.5


def overlay(axes: Axes, image: np.ndarray, heat: np.ndarray) -> None:
    """A galaxy (side, side, 3) under its heat map (h, w), 0 to 1; a map that is zero everywhere is not laid over it."""
    style.hide_axes(axes)
    axes.imshow(image)
    if not heat.any():
        axes.text(0.5, 0.03, "no heat anywhere", transform=axes.transAxes, ha="center", color="white", fontsize=8)
        return
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    axes.imshow(heat, COLOURS, vmin=0, vmax=1, alpha=OPACITY, extent=extent, interpolation="bilinear")


def steps(image: np.ndarray, maps: np.ndarray, slopes: np.ndarray, weights: np.ndarray, answer: str) -> Figure:
    """Grad-CAM of one answer, step by step, with the feature maps that weigh most.

    Args:
        image: (side, side, 3) uint8. maps, slopes: (h, w, C), the feature maps and the answer's gradient at each.
        weights: (C,), the slopes' means; shown relative to the largest. answer: in words.
    """
    shown = np.sort(np.argsort(-np.abs(weights), kind="stable")[:5])
    figure = plt.figure(figsize=(style.WIDTH, 6.6))
    above, below = figure.subfigures(2, 1, height_ratios=[4.1, 2.5])
    rows = above.subplots(2, len(shown))
    above.subplots_adjust(0.10, 0.02, 0.995, 0.90, wspace=0.06, hspace=0.22)
    style.hide_axes(*rows.ravel())
    limit = np.abs(slopes[..., shown]).max() or 1
    largest = np.abs(weights).max() or 1
    for (top, bottom), channel in zip(rows.T, shown, strict=True):
        top.imshow(maps[..., channel], "gray", vmin=0, vmax=maps[..., shown].max() or 1)
        top.set_title(f"feature map {channel + 1}", fontsize=9, loc="center")
        bottom.imshow(slopes[..., channel], "PuOr_r", vmin=-limit, vmax=limit)
        bottom.set_title(f"weight {weights[channel] / largest:+.2f}", fontsize=9, loc="center")
    for axes, words in zip(rows[:, 0], ("1. activations", "2. gradient\n(purple: less,\norange: more)"), strict=True):
        axes.set_ylabel(words, fontsize=9)
    total = (weights * maps).sum(axis=-1)
    positive = np.maximum(total, 0)
    panels = below.subplots(1, 4)
    below.subplots_adjust(0.10, 0.02, 0.995, 0.86, wspace=0.06)
    style.hide_axes(*panels)
    limit = np.abs(total).max() or 1
    panels[0].imshow(image)
    panels[0].set_title("the galaxy", fontsize=9, loc="center")
    panels[1].imshow(total, "PuOr_r", vmin=-limit, vmax=limit)
    panels[1].set_title("3. weighted sum", fontsize=9, loc="center")
    panels[2].imshow(positive, COLOURS)
    panels[2].set_title("4. its positive part (ReLU)", fontsize=9, loc="center")
    overlay(panels[3], image, positive / (positive.max() or 1))
    panels[3].set_title(f"5. overlay: {answer}", fontsize=9, loc="center")
    return figure


def one_question(image: np.ndarray, heat: np.ndarray, number: int, answer: int, probability: float) -> Figure:
    """A galaxy beside its heat map for a question's answer (column 0 to 36), as in the report's Figures 5 and 6."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.3))
    figure.subplots_adjust(0.01, 0.01, 0.86, 0.85, wspace=0.04)
    style.hide_axes(left)
    left.imshow(image)
    overlay(right, image, heat)
    figure.suptitle(f"{number}. {QUESTIONS[number - 1].text}", fontsize=10, x=0.01, y=0.985, ha="left")
    right.set_title(_answer_words(number, answer, probability), fontsize=9, loc="center")
    _heat_scale(figure, 0.88, 0.05, 0.72)
    return figure


def all_questions(image: np.ndarray, heat: np.ndarray, answers: np.ndarray, probabilities: np.ndarray) -> Figure:
    """A galaxy and its heat maps for all questions, each with its answer and what the model gives it.

    Args:
        image: (side, side, 3) uint8. heat: (11, h, w). answers: (11,) columns 0 to 36. probabilities: (37,).
    """
    figure, axes = plt.subplots(3, 4, figsize=(style.WIDTH, 9.7))
    figure.subplots_adjust(0.004, 0.045, 0.996, 0.925, wspace=0.04, hspace=0.33)
    first, *others = axes.ravel()
    style.hide_axes(first)
    first.imshow(image)
    first.set_title("The galaxy", fontsize=8.5, loc="left")
    for one, question, values, answer in zip(others, QUESTIONS, heat, answers, strict=True):
        overlay(one, image, values)
        words = textwrap.fill(f"{question.number}. {question.text}", 38, break_on_hyphens=False)
        title = f"{words}\n{_answer_words(question.number, answer, probabilities[answer])}"
        one.set_title(title, fontsize=7.5, loc="left")
    scale = figure.add_axes((0.3, 0.022, 0.4, 0.012))
    _label_scale(figure, scale, "horizontal")
    return figure


def galaxies_and_questions(images: np.ndarray, heat: np.ndarray, numbers: list[int], titles: list[list[str]]) -> Figure:
    """Several galaxies, a column each, above their heat maps for some questions, a row each.

    Args:
        images: (N, side, side, 3) uint8. heat: (N, questions, h, w). numbers: of the questions.
        titles: of the maps, by galaxy.
    """
    rows, columns = len(numbers) + 1, len(images)
    margin = 1.25
    side = (style.WIDTH - margin) / columns
    height = rows * (side + 0.2) + 0.05
    figure, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, height), squeeze=False)
    figure.subplots_adjust(margin / style.WIDTH, 0.005, 0.998, 1 - 0.04 / height, wspace=0.03, hspace=0.2 / side)
    style.hide_axes(*axes.ravel())
    for column, image, maps, words in zip(axes.T, images, heat, titles, strict=True):
        column[0].imshow(image)
        for one, values, title in zip(column[1:], maps, words, strict=True):
            overlay(one, image, values)
            one.set_title(title, fontsize=7.5, loc="center")
    for one, number in zip(axes[1:, 0], numbers, strict=True):
        text = textwrap.fill(f"{number}. {QUESTIONS[number - 1].text}", 19, break_on_hyphens=False)
        one.set_ylabel(text, fontsize=7.5, rotation=0, ha="right", va="center")
    return figure


def networks(image: np.ndarray, heat: dict[str, np.ndarray], titles: dict[str, str]) -> Figure:
    """One galaxy beside the heat maps (h, w) that several networks give it, by the network's name."""
    side = min(2.4, style.WIDTH / (1 + len(heat)))
    figure, axes = plt.subplots(1, 1 + len(heat), figsize=((1 + len(heat)) * side, side + 0.45))
    figure.subplots_adjust(0.002, 0.005, 0.998, side / (side + 0.45), wspace=0.03)
    style.hide_axes(axes[0])
    axes[0].imshow(image)
    for one, (name, values) in zip(axes[1:], heat.items(), strict=True):
        overlay(one, image, values)
        one.set_title(titles[name], fontsize=8.5, loc="center")
    return figure


def regions(images: np.ndarray, heat: np.ndarray, inside: np.ndarray, titles: list[str]) -> Figure:
    """Galaxies under their heat maps, and the outline of where the part that was asked for truly is.

    Args:
        images: (N, side, side, 3) uint8. heat: (N, h, w). inside: (N, side, side) bool. titles: one a galaxy.
    """
    count = len(images)
    side = style.WIDTH / count
    figure, axes = plt.subplots(2, count, figsize=(style.WIDTH, 2 * side + 0.5), squeeze=False)
    figure.subplots_adjust(0.002, 0.005, 0.998, 1 - 0.42 / (2 * side + 0.5), wspace=0.03, hspace=0.03)
    for (above, below), image, values, region, title in zip(axes.T, images, heat, inside, titles, strict=True):
        style.hide_axes(above)
        above.imshow(image)
        above.set_title(title, fontsize=8.5, loc="center")
        overlay(below, image, values)
        for one in (above, below):
            if region.any():
                one.contour(region, [0.5], colors=[style.VERMILION], linewidths=1.2)
    return figure


def shares_in_regions(network: dict[str, dict], ideal: dict[str, dict]) -> Figure:
    """The share of heat on each part of galaxies, and how it compares with chance.

    Args:
        network: part, in words -> what `grad_cam.against_chance` says of the network's maps.
        ideal: the same of `grad_cam.ideal_maps`, which lie on the part as well as their coarseness allows.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 0.62 * len(network) + 1.7), sharey=True)
    places = np.arange(len(network))
    for values, key, words, marker, colour in (
        (network, "own", "the network's heat", "o", style.VERMILION),
        (network, "area", "heat spread evenly (chance)", "s", style.SKY),
        (ideal, "own", "the best that maps so coarse can do", "D", style.GREY),
    ):
        left.plot([100 * one[key] for one in values.values()], places, marker, color=colour, markersize=7, label=words)
    left.set_yticks(places, [f"{name}\n({one['maps']} maps)" for name, one in network.items()])
    left.invert_yaxis()
    left.set(xlabel="share of a map's heat that lies on the part (%)", ylim=(len(network) - 0.4, -0.6), xlim=(0, None))
    for values, marker, colour in ((ideal, "D", style.GREY), (network, "o", style.VERMILION)):
        ratios = np.array([one["own / others"] for one in values.values()])
        reach = np.abs(ratios[:, 1:] - ratios[:, :1]).T
        right.errorbar(ratios[:, 0], places, xerr=reach, fmt=marker, color=colour, capsize=3)
    right.axvline(1, color=style.SKY, linestyle="--", label="chance: no more than on other galaxies' part")
    right.set(xlabel="heat on the own part / on other galaxies' part")
    for axes in (left, right):
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=8.5)
    figure.tight_layout()
    return figure


def randomised_maps(image: np.ndarray, heat: dict[str, np.ndarray]) -> Figure:
    """One galaxy's heat map (h, w) as more and more layers are randomised, by what was randomised."""
    columns = 6
    rows = -(-(1 + len(heat)) // columns)
    side = style.WIDTH / columns
    figure, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, rows * (side + 0.28)), squeeze=False)
    figure.subplots_adjust(0.002, 0.005, 0.998, 1 - 0.25 / (rows * (side + 0.28)), wspace=0.03, hspace=0.28 / side)
    style.hide_axes(*axes.ravel())
    first, *others = axes.ravel()
    first.imshow(image)
    first.set_title("the galaxy", fontsize=8, loc="center")
    for one, (name, values) in zip(others, heat.items(), strict=False):
        overlay(one, image, values)
        one.set_title(name, fontsize=8, loc="center")
    return figure


def randomised_correlation(correlation: dict[str, np.ndarray], unrelated: float) -> Figure:
    """How much the maps still agree with the original ones as more and more layers are randomised.

    Args:
        correlation: what was randomised last -> rank correlation with the original maps (maps,); without any map, the
            figure says so.
        unrelated: the mean rank correlation of two galaxies' original maps.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 4.2))
    places = np.arange(len(correlation))
    if not all(values.size for values in correlation.values()):
        words = "no map of the trained network has heat anywhere: there is nothing to compare"
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center")
        style.hide_axes(axes)
        return figure
    middle, low, high = np.array([np.quantile(values, [0.5, 0.25, 0.75]) for values in correlation.values()]).T
    axes.fill_between(places, low, high, color=style.BLUE, alpha=0.2, linewidth=0, label="middle half of the maps")
    axes.plot(places, middle, "o-", color=style.BLUE, label="median")
    axes.axhline(unrelated, color=style.SKY, linestyle="--", label=f"maps of two different galaxies: {unrelated:.2f}")
    axes.axhline(0, color=style.GREY, linewidth=0.8)
    axes.set_xticks(places, correlation, rotation=40, ha="right", fontsize=8.5)
    axes.set(ylabel="rank correlation with the original map", xlabel="layers randomised, from the answers down to …")
    axes.legend(fontsize=8.5, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    figure.tight_layout()
    return figure


def _answer_words(number: int, answer: int, probability: float) -> str:
    question = QUESTIONS[number - 1]
    return f"{question.answers[answer - question.slice.start]}: {probability:.2f}"


def _heat_scale(figure: Figure, left: float, bottom: float, height: float) -> None:
    _label_scale(figure, figure.add_axes((left, bottom, 0.025, height)), "vertical")


def _label_scale(figure: Figure, axes: Axes, orientation: str) -> None:
    scale = figure.colorbar(plt.cm.ScalarMappable(cmap=COLOURS), cax=axes, orientation=orientation, alpha=OPACITY)
    scale.set_ticks([0, 1], labels=["none", "most"])
    scale.ax.tick_params(labelsize=8, length=0)
    scale.set_label("heat", fontsize=8.5, labelpad=-8)
