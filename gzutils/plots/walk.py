"""One galaxy's walk down the decision tree: 37 shares as branches and bars, and where the network looks on its way.

The tree is that of the report's Figure 1 (see `plots.tree`); here the branches carry the galaxy's volunteers.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle

from gzutils import decision_tree
from gzutils.decision_tree import Question
from gzutils.plots import heat_maps, style, tree_layout
from gzutils.plots.tree_layout import Card

HEIGHT = tree_layout.HEIGHT + 0.22  # inches, as all lengths here; x from the left, y from the top
BAR = 0.065
BRANCH = 0.5  # how wide a branch is that all volunteers take
PICTURES = 7.55  # where the column of pictures begins
HEADING, TEXT = 8.5, 8  # points
INK, FAINT = "#222222", "#5F5F5F"
ON, OFF, OFF_BAR, TRACK, EDGE = style.PREDICTED, "#CFD8E0", "#8FA3B5", "#ECEFF2", "#BEC6CE"


def draw_walk(
    image: np.ndarray, name: str, shares: np.ndarray, heat: np.ndarray | None, votes: np.ndarray | None = None
) -> Figure:
    """One galaxy's shares on the decision tree, the most probable path in colour, and the heat maps along that path.

    Args:
        image: (side, side, 3) uint8, the galaxy as the model sees it.
        name: what it is called.
        shares: (37,), predicted. They are drawn as they are, also where they break the tree.
        heat: (11, h, w), one map a question for its most probable answer, or (1, h, w), one map for all of them.
            None: there are no maps of this network.
        votes: (37,), the volunteers' own shares, where there are any; a dark line in each bar and a number beside it.
    """
    figure = plt.figure(figsize=(style.WIDTH, HEIGHT))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, style.WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    path = decision_tree.most_probable_path(shares)
    chosen = {question.number: answer for question, answer in path}
    for number, answer, points in tree_layout.branches():
        on_path = number in chosen and answer in (None, chosen[number])
        width = max(72 * BRANCH * tree_layout.passing(shares, number, answer), 0.6)
        looks = {"edgecolor": ON, "zorder": 1.5} if on_path else {"edgecolor": OFF, "zorder": 1}
        route = tree_layout.curve(points)
        axes.add_patch(PathPatch(route, facecolor="none", linewidth=width, capstyle="butt", **looks))
    for card in tree_layout.CARDS.values():
        _draw_question(axes, card, shares, votes, chosen.get(card.number))
    tree_layout.draw_ends(axes, fontsize=TEXT, color=FAINT)
    _draw_pictures(figure, axes, image, name, heat, path)
    _draw_legend(axes, votes is not None)
    return figure


def _draw_question(axes: Axes, card: Card, shares: np.ndarray, votes: np.ndarray | None, chosen: int | None) -> None:
    edge, width, colour, weight = (EDGE, 0.9, FAINT, "normal") if chosen is None else (ON, 1.6, INK, "bold")
    box = {"facecolor": "white", "edgecolor": edge, "linewidth": width}
    tree_layout.draw_card(axes, card, box, fontsize=HEADING, color=colour, weight=weight)
    for answer in range(len(card.question.answers)):
        column = card.question.slice.start + answer
        voted = None if votes is None else float(votes[column])
        _draw_answer(axes, card, answer, float(shares[column]), voted, answer == chosen)


def _draw_answer(axes: Axes, card: Card, answer: int, share: float, voted: float | None, chosen: bool) -> None:
    left, top, width = card.cell(answer)
    bar = top + card.cell_height - BAR
    axes.add_patch(Rectangle((left, bar), width, BAR, facecolor=TRACK, edgecolor="none", zorder=3))
    colour = ON if chosen else OFF_BAR
    axes.add_patch(Rectangle((left, bar), width * share, BAR, facecolor=colour, edgecolor="none", zorder=3.1))
    words, said = card.question.answers[answer], percent(share)
    if voted is not None and voted >= 0.005:
        axes.plot([left + width * voted] * 2, [bar - 0.025, bar + BAR + 0.025], color=INK, linewidth=2, zorder=3.2)
    if voted is not None:
        said += f" ({percent(voted)})"
    colour, weight = (INK if share >= 0.005 else FAINT), ("bold" if chosen else "normal")
    looks = {"fontsize": TEXT, "color": colour, "zorder": 4, "weight": weight, "va": "center"}
    if card.across == 1:
        axes.text(left, top + 0.085, words, ha="left", **looks)
        axes.text(left + width, top + 0.085, said, ha="right", **looks)
    else:
        axes.text(left + width / 2, top + 0.07, words, ha="center", **looks)
        axes.text(left + width / 2, top + 0.215, said, ha="center", **looks)


def percent(share: float) -> str:
    """A share in whole per cent; one that is not nothing says so."""
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _draw_pictures(
    figure: Figure, axes: Axes, image: np.ndarray, name: str, heat: np.ndarray | None, path: list[tuple[Question, int]]
) -> None:
    """The galaxy, and below it the heat maps of the questions on the path, large if they are few."""
    side = style.WIDTH - PICTURES - 0.08
    picture = _picture(figure, PICTURES, 0.3, side)
    style.hide_axes(picture)
    picture.imshow(image)
    title = style.shortened(name, 20)
    axes.text(PICTURES, 0.17, title, fontsize=10, weight="bold", va="center", color=INK, parse_math=False)
    top = 0.3 + side + 0.12
    if heat is None:
        axes.text(PICTURES, top + 0.08, "No heat map can be\nmade of this network.", fontsize=9, va="top", color=INK)
        return
    if len(heat) == 1:
        _draw_map(figure, axes, image, heat[0], "Where the network looks\n(for all questions)", top, side, False)
        return
    axes.text(PICTURES, top + 0.08, "Where the network looks", fontsize=9, weight="bold", va="center", color=INK)
    top += 0.22
    room = (HEIGHT - 0.42 - top) / max(1, len(path))
    beside = room < 1.5  # many maps: small ones, the words beside them
    side = min(side, room - 0.07) if beside else min(side, room - 0.42)
    for place, (question, answer) in enumerate(path):
        words = f"{question.number}. {question.short}:\n{question.answers[answer]}"
        _draw_map(figure, axes, image, heat[question.number - 1], words, top + place * room, side, beside)


def _draw_map(
    figure: Figure, axes: Axes, image: np.ndarray, heat: np.ndarray, words: str, y: float, side: float, beside: bool
) -> None:
    picture = _picture(figure, PICTURES, y, side)
    if heat.any():
        heat_maps.overlay(picture, image, heat)
    else:
        style.hide_axes(picture)
        picture.imshow(image)
        words += " (no heat)"
    if beside:
        words = "\n".join(textwrap.fill(line, 14) for line in words.splitlines())
        axes.text(PICTURES + side + 0.07, y + side / 2, words, fontsize=TEXT, va="center", color=INK, linespacing=1.3)
    else:
        axes.text(PICTURES, y + side + 0.05, words, fontsize=TEXT, va="top", color=INK, linespacing=1.3)


def _picture(figure: Figure, x: float, y: float, side: float) -> Axes:
    return figure.add_axes((x / style.WIDTH, 1 - (y + side) / HEIGHT, side / style.WIDTH, side / HEIGHT))


def _draw_legend(axes: Axes, voted: bool) -> None:
    words = "Branches and bars: share of all volunteers, as the network predicts it; orange: the most probable path"
    if voted:
        words += "; dark line and brackets: as they voted"
    axes.text(0.1, HEIGHT - 0.13, words + ".", fontsize=TEXT, color=FAINT, va="center")
