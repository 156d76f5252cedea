"""Galaxies as pictures: the raw ones, what preprocessing and augmentation make of them, and their votes beside them."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gzutils import decision_tree
from gzutils.decision_tree import ANSWERS, QUESTIONS, Question
from gzutils.plots import style


def favourite_path(shares: np.ndarray) -> list[str]:
    """The answers a galaxy's volunteers favoured, walking the tree along each question's largest share (37,)."""
    return [_standing_alone(question, answer) for question, answer in decision_tree.most_probable_path(shares)]


def _standing_alone(question: Question, answer: int) -> str:
    """An answer in words that stand alone, without their question."""
    words = {
        2: ("edge-on", "not edge-on"),
        5: ("no bulge", "bulge just noticeable", "obvious bulge", "dominant bulge"),
        6: ("something odd", "nothing odd"),
        9: ("rounded bulge", "boxy bulge", "no bulge"),
        10: ("tight arms", "arms of medium winding", "loose arms"),
        11: ("1 arm", "2 arms", "3 arms", "4 arms", "more than 4 arms", "arms that can't be counted"),
    }
    return words.get(question.number, question.answers)[answer]


def galaxy_grid(images: np.ndarray, titles: list[str], columns: int = 4) -> Figure:
    """Images (N, height, width, 3) uint8 in a grid, each under its title."""
    rows = -(-len(images) // columns)
    title_height = 0.16 * (1 + max(title.count("\n") for title in titles)) + 0.1
    side = style.WIDTH / columns
    height = rows * (side + title_height)
    figure, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, height), squeeze=False)
    figure.subplots_adjust(0, 0, 1, 1 - title_height / height, wspace=0.03, hspace=title_height / side)
    axes = axes.ravel()
    style.hide_axes(*axes)
    for one, image, title in zip(axes, images, titles, strict=False):
        one.imshow(image)
        one.set_title(title, fontsize=8.5, loc="center")
    return figure


def before_and_after(raw: np.ndarray, processed: np.ndarray, crop: int) -> Figure:
    """Raw images (N, 424, 424, 3) above the preprocessed (N, side, side, 3), the crop outlined (report, Figure 2)."""
    count = len(raw)
    height = 2 * style.WIDTH / count + 0.7
    figure, axes = plt.subplots(2, count, figsize=(style.WIDTH, height), squeeze=False)
    figure.subplots_adjust(0, 0, 1, 1 - 0.35 / height, wspace=0.03, hspace=0.35 * count / style.WIDTH)
    style.hide_axes(*axes.ravel())
    side = raw.shape[1]
    margin = (side - crop) / 2 - 0.5
    for column in range(count):
        axes[0, column].imshow(raw[column])
        axes[0, column].add_patch(
            Rectangle((margin, margin), crop, crop, fill=False, edgecolor=style.YELLOW, linewidth=1.2)
        )
        axes[1, column].imshow(processed[column])
    axes[0, 0].set_title(f"Before: {side}x{side} pixels (box: the {crop} kept)", fontsize=10)
    axes[1, 0].set_title(f"After: {processed.shape[1]}x{processed.shape[2]} pixels", fontsize=10)
    return figure


def cut_and_seen(pictures: list[np.ndarray], boxes: list[tuple], seen: np.ndarray, names: list[str]) -> Figure:
    """Pictures of any size, the part that is kept outlined, above what the model sees of them.

    Args:
        pictures: (height, width, 3) uint8 each. boxes: left, upper, right, lower pixel each.
        seen: (N, side, side, 3). names: of the pictures.
    """
    count = len(pictures)
    side = min(style.WIDTH / count, 2.4)
    height = 2 * side + 0.65
    figure, axes = plt.subplots(2, count, figsize=(count * side, height), squeeze=False)
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.3 / height, wspace=0.04, hspace=0.3 / side)
    style.hide_axes(*axes.ravel())
    for (above, below), picture, box, small, name in zip(axes.T, pictures, boxes, seen, names, strict=True):
        above.imshow(picture)
        left, upper, right, lower = box
        frame = ((left - 0.5, upper - 0.5), right - left, lower - upper)
        above.add_patch(Rectangle(*frame, fill=False, edgecolor=style.YELLOW, linewidth=2))
        above.set_title(style.shortened(name, int(13 * side)), fontsize=8.5, loc="center", parse_math=False)
        below.imshow(small)
        below.set_title("as the model sees it", fontsize=8.5, loc="center")
    return figure


def answer_means(means: dict[str, np.ndarray]) -> Figure:
    """The 37 answers' mean vote fractions, one marker a data set (name -> (37,)), grouped by question."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 7.2))
    places = _answer_places()
    for (name, values), colour, marker in zip(
        means.items(), (style.BLUE, style.VERMILION, style.GREEN), "oD^", strict=False
    ):
        axes.plot(values, places, marker, color=colour, label=name, markersize=5)
    for question in QUESTIONS:
        rows = places[question.slice]
        axes.axhspan(rows.min() - 0.6, rows.max() + 0.6, color="#F2F2F2" if question.number % 2 else "white", zorder=0)
    axes.set_yticks(places, ANSWERS, fontsize=7.5)
    axes.set(xlabel="mean share of all volunteers", ylim=(places.max() + 0.8, -0.8), xlim=(0, None))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower right")
    figure.tight_layout()
    return figure


def measures(values: np.ndarray, names: list[str], real: np.ndarray, counted: str) -> Figure:
    """What was measured in pictures, a histogram each, and where real galaxies lie.

    Args:
        values: (N, measures), NaN where there was no source. names: of the measures, with units.
        real: (measures, 3), the 10, 50 and 90 % quantile of real galaxies. counted: what the histograms count.
    """
    columns = 4
    rows = -(-(len(names) + 1) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(style.WIDTH, 2.3 * rows))
    for one, column, name, (low, middle, high) in zip(axes.ravel(), values.T, names, real, strict=False):
        column = column[~np.isnan(column)]
        edges = np.linspace(*np.quantile(np.concatenate([column, [low, high]]), [0.01, 0.99]), 25)
        one.hist(column.clip(edges[0], edges[-1]), edges, color=style.SKY, label=counted)
        one.axvspan(low, high, color=style.VERMILION, alpha=0.15, label="8 of 10 real galaxies")
        one.axvline(middle, color=style.VERMILION, label="half of the real ones: below this")
        one.set_xlabel(name, fontsize=9)
        one.tick_params(labelsize=8)
        one.set_yticks([])
        one.spines["left"].set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    for one in axes.ravel()[len(names) :]:
        one.axis("off")
    axes.ravel()[-1].legend(handles, labels, loc="center", fontsize=8.5)
    figure.tight_layout()
    return figure


def _answer_places() -> np.ndarray:
    """The answers' places on an axis (37,), with a small gap after each question."""
    return np.arange(37) + 0.4 * np.repeat(np.arange(11), [len(q.answers) for q in QUESTIONS])


def predicted_and_voted(images: np.ndarray, predicted: np.ndarray, voted: np.ndarray, answers: int = 9) -> Figure:
    """Galaxies beside the answers that matter most for them: the volunteers' share and the model's.

    Args:
        images: (N, side, side, 3) uint8. predicted, voted: (N, 37). answers: how many are shown, those with most votes.
    """
    rows = -(-len(images) // 2)
    height = 1.85 * rows + 0.5
    # Two galaxies a row, each a picture, room for the answers' names, and the bars.
    figure, axes = plt.subplots(rows, 6, figsize=(style.WIDTH, height), width_ratios=[1.5, 1.5, 1.3] * 2, squeeze=False)
    figure.subplots_adjust(0, 0.42 / height, 0.985, 1 - 0.35 / height, wspace=0.04, hspace=0.16)
    groups = axes.reshape(-1, 3)
    for one in groups[:, 1]:
        one.axis("off")
    style.hide_axes(*groups[:, 0])
    for (picture, _, bars), image, model, votes in zip(groups, images, predicted, voted, strict=False):
        picture.imshow(image)
        _share_bars(bars, model, votes, answers)
    for bars in groups[: len(images), 2][-2:]:
        bars.set_xlabel("share of all volunteers", fontsize=7.5)
    for picture, _, bars in groups[len(images) :]:
        picture.axis("off")
        bars.axis("off")
    handles, labels = groups[0, 2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=2, fontsize=9)
    return figure


def _share_bars(axes: Axes, predicted: np.ndarray, voted: np.ndarray, answers: int) -> None:
    shown = np.sort(np.argsort(-np.maximum(voted, predicted), kind="stable")[:answers])
    places = np.arange(len(shown))
    axes.barh(places, voted[shown], height=0.72, color="#C9C9C9", label="volunteers")
    axes.plot(predicted[shown], places, "D", color=style.PREDICTED, markersize=4.5, label="model", clip_on=False)
    axes.set_yticks(places, [ANSWERS[i] for i in shown], fontsize=7)
    axes.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6), xticks=[0, 0.5, 1])
    axes.tick_params(axis="x", labelsize=7)
    axes.tick_params(axis="y", length=0)


def views_of_paths(images: np.ndarray, views: dict[str, int]) -> Figure:
    """Images (N, side, side, 3), each with a frame of what one output of each path sees (path name -> pixels)."""
    figure, axes = plt.subplots(1, len(images), figsize=(style.WIDTH, style.WIDTH / len(images) + 0.35), squeeze=False)
    style.hide_axes(*axes[0])
    for one, image in zip(axes[0], images, strict=True):
        one.imshow(image)
        for (name, size), colour in zip(views.items(), (style.YELLOW, style.SKY), strict=True):
            corner = image.shape[0] / 2 - size / 2 - 0.5
            one.add_patch(
                Rectangle((corner, corner), size, size, fill=False, edgecolor=colour, linewidth=1.8, label=name)
            )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="upper center", ncols=2, fontsize=9, facecolor="#555555", frameon=True)
    for text in legend.get_texts():
        text.set_color("white")
    figure.tight_layout(rect=(0, 0, 1, 0.9), pad=0.5)
    return figure
