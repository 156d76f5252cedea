"""The decision tree as a drawing (report, Figure 1), empty or with one galaxy's vote fractions on its answers."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from gzutils.plots import style, tree_layout
from gzutils.plots.tree_layout import Card

SHARES = LinearSegmentedColormap.from_list("shares", ["#FFFFFF", "#F6D9B8", style.ORANGE])


def draw_decision_tree(shares: np.ndarray | None = None) -> Figure:
    """The 11 questions, their answers, and where each answer leads.

    Args:
        shares: one galaxy's 37 cumulative vote fractions; they colour the answers and stand in them as per cent.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 10.8))
    figure.subplots_adjust(0, 0, 1, 1)
    axes.set(xlim=(0, tree_layout.WIDTH), ylim=(tree_layout.HEIGHT, 0))
    axes.axis("off")
    for number, answer, points in tree_layout.branches():
        # With shares, as thick as the share of volunteers who take it.
        width = 1.0 if shares is None else 0.6 + 5 * tree_layout.passing(shares, number, answer)
        looks = {"linewidth": width, "color": style.GREY, "shrinkA": 0, "shrinkB": 0, "joinstyle": "miter"}
        route, head = tree_layout.curve(points), 7 + 2 * width
        axes.add_patch(FancyArrowPatch(path=route, arrowstyle="-|>", mutation_scale=head, **looks))
    for card in tree_layout.CARDS.values():
        tree_layout.draw_card(axes, card, {"facecolor": "#E3EEF6", "edgecolor": style.BLUE}, fontsize=9)
        _draw_answers(axes, card, None if shares is None else shares[card.question.slice])
    tree_layout.draw_ends(axes, fontsize=9, color=style.GREY)
    return figure


def _draw_answers(axes: Axes, card: Card, shares: np.ndarray | None) -> None:
    for place, answer in enumerate(card.question.answers):
        left, top, width = card.cell(place)
        colour = "white" if shares is None else SHARES(np.sqrt(float(shares[place])))
        looks = {"facecolor": colour, "edgecolor": "#B5B5B5", "linewidth": 0.8, "zorder": 3}
        axes.add_patch(Rectangle((left, top), width, card.cell_height, **looks))
        between = ": " if card.across == 1 else "\n"
        label = answer if shares is None else f"{answer}{between}{100 * shares[place]:.0f} %"
        centre = left + width / 2, top + card.cell_height / 2
        axes.text(*centre, label, ha="center", va="center", fontsize=8, zorder=4)
