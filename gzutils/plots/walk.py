"""One galaxy's walk down the decision tree: 37 shares as branches and bars, and where the network looks on its way.

The tree is that of the report's Figure 1 (see `plots.tree`); here the branches carry the galaxy's volunteers.
"""

import textwrap
from dataclasses import dataclass
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path as Route

from gzutils import decision_tree
from gzutils.decision_tree import QUESTIONS, Question
from gzutils.plots import heat_maps, style

HEIGHT = 11.35  # inches, as all lengths here; x from the left, y from the top
PAD, LINE, CELL, ROW, GAP, BAR = 0.07, 0.15, 0.38, 0.245, 0.06, 0.065
BETWEEN = 0.12  # answers that stand side by side
BRANCH = 0.5  # how wide a branch is that all volunteers take
PICTURES = 7.55  # where the column of pictures begins
HEADING, TEXT = 8.5, 8  # points
INK, FAINT = "#222222", "#5F5F5F"
ON, OFF, OFF_BAR, TRACK, EDGE = style.PREDICTED, "#CFD8E0", "#8FA3B5", "#ECEFF2", "#BEC6CE"


@dataclass(frozen=True)
class Card:
    """Where a question stands: its centre, top and width, and how many answers stand in a row."""

    x: float
    y: float
    width: float
    across: int
    lines: int = 1

    @property
    def cell_height(self) -> float:
        return ROW if self.across == 1 else CELL


CARDS = {
    1: Card(3.65, 0.08, 5.9, 3),
    2: Card(3.9, 1.29, 3.0, 2),
    7: Card(1.25, 1.29, 2.2, 1),
    9: Card(3.45, 2.56, 2.5, 1, lines=2),
    3: Card(6.1, 2.56, 2.6, 2, lines=2),
    4: Card(6.1, 3.8, 2.6, 2, lines=2),
    10: Card(3.45, 5.08, 2.65, 3, lines=2),
    11: Card(3.45, 6.28, 2.95, 3),
    5: Card(5.9, 7.87, 3.0, 2, lines=2),
    6: Card(4.4, 9.43, 4.4, 2),
    8: Card(2.62, 10.38, 5.14, 7),
}


def draw_walk(
    image: np.ndarray, name: str, shares: np.ndarray, heat: np.ndarray, votes: np.ndarray | None = None
) -> Figure:
    """One galaxy's shares on the decision tree, the most probable path in colour, and the heat maps along that path.

    Args:
        image: (64, 64, 3) uint8, the galaxy as the model sees it.
        name: what it is called.
        shares: (37,), predicted. They are drawn as they are, also where they break the tree.
        heat: (11, h, w), one map a question for its most probable answer, or (1, h, w), one map for all of them.
        votes: (37,), the volunteers' own shares, where there are any; a dark line in each bar and a number beside it.
    """
    figure = plt.figure(figsize=(style.WIDTH, HEIGHT))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, style.WIDTH), ylim=(HEIGHT, 0))
    axes.axis("off")
    path = decision_tree.most_probable_path(shares)
    chosen = {question.number: answer for question, answer in path}
    for number, answer, points in _branches():
        _draw_branch(
            axes, points, _passing(shares, number, answer), number in chosen and answer in (None, chosen[number])
        )
    for question in QUESTIONS:
        _draw_question(axes, question, shares, votes, chosen.get(question.number))
    for x, y in (_leaving(1, 2), _leaving(6, 1)):
        axes.text(x, y + 0.5, "end", ha="center", va="center", fontsize=TEXT, color=FAINT)
    _draw_pictures(figure, axes, image, name, heat, path)
    _draw_legend(axes, votes is not None)
    return figure


# ---- where things stand


def _cell(number: int, answer: int) -> tuple[float, float, float]:
    """Left edge, upper edge and width of an answer's bar."""
    card = CARDS[number]
    inner = card.width - 2 * PAD
    width = (inner - (card.across - 1) * BETWEEN) / card.across
    row, column = divmod(answer, card.across)
    left = card.x - inner / 2 + column * (width + BETWEEN)
    top = card.y + PAD + card.lines * LINE + GAP + row * (card.cell_height + GAP)
    return left, top, width


def _bottom(number: int) -> float:
    last = len(decision_tree.question(number).answers) - 1
    return _cell(number, last)[1] + CARDS[number].cell_height + PAD


def _leaving(number: int, answer: int | None) -> tuple[float, float]:
    """Where a branch leaves a question: below an answer, or (None) below the whole question."""
    if answer is None:
        return CARDS[number].x, _bottom(number)
    left, _, width = _cell(number, answer)
    return left + width / 2, _bottom(number)


def _branches() -> list[tuple[int, int | None, list[tuple[float, float]]]]:
    """Question, answer (None: all of them) and the points that its branch passes, from top to bottom."""

    def down(number: int, answer: int | None, *points: tuple[float, float]) -> tuple:
        return number, answer, [_leaving(number, answer), *points]

    def top(number: int, shift: float = 0.0) -> tuple[float, float]:
        return CARDS[number].x + shift, CARDS[number].y

    end_of_1, end_of_6 = _leaving(1, 2), _leaving(6, 1)
    lane, above_10, above_6 = 1.75, CARDS[10].y - 0.25, CARDS[6].y - 0.85
    return [
        down(1, 0, top(7)),
        down(1, 1, top(2)),
        down(1, 2, (end_of_1[0], end_of_1[1] + 0.4)),
        down(2, 0, top(9)),
        down(2, 1, top(3)),
        down(3, None, top(4)),
        down(4, 0, top(10)),
        down(4, 1, (_leaving(4, 1)[0], CARDS[5].y - 0.5), top(5, 0.8)),
        down(10, None, top(11)),
        (11, None, [(CARDS[11].x + 0.5, _bottom(11)), top(5, -0.9)]),
        down(7, None, (1.0, above_10), (1.0, above_6), top(6, -1.5)),
        down(9, None, (lane, above_10), (lane, above_6), top(6, -0.6)),
        down(5, None, top(6, 1.3)),
        down(6, 0, top(8)),
        down(6, 1, (end_of_6[0], end_of_6[1] + 0.4)),
    ]


# ---- what is drawn


def _passing(shares: np.ndarray, number: int, answer: int | None) -> float:
    votes = shares[decision_tree.question(number).slice]
    return float(votes.sum() if answer is None else votes[answer])


def _draw_branch(axes: Axes, points: list[tuple[float, float]], share: float, on_path: bool) -> None:
    corners, codes = [points[0]], [Route.MOVETO]
    for (x, y), (x_next, y_next) in pairwise(points):
        half = (y + y_next) / 2
        corners += [(x, half), (x_next, half), (x_next, y_next)]
        codes += [Route.CURVE4] * 3
    axes.add_patch(
        PathPatch(
            Route(corners, codes),
            facecolor="none",
            edgecolor=ON if on_path else OFF,
            linewidth=max(72 * BRANCH * share, 0.6),
            capstyle="butt",
            zorder=1.5 if on_path else 1,
        )
    )


def _draw_question(
    axes: Axes, question: Question, shares: np.ndarray, votes: np.ndarray | None, chosen: int | None
) -> None:
    card = CARDS[question.number]
    left, height = card.x - card.width / 2, _bottom(question.number) - card.y
    edge, width = (ON, 1.6) if chosen is not None else (EDGE, 0.9)
    shape = "round,pad=0,rounding_size=0.07"
    axes.add_patch(
        FancyBboxPatch(
            (left, card.y), card.width, height, shape, facecolor="white", edgecolor=edge, linewidth=width, zorder=2
        )
    )
    lines = _heading(question)
    colour, weight = (INK, "bold") if chosen is not None else (FAINT, "normal")
    for number, line in enumerate(lines):
        y = card.y + PAD + (number + 0.55 + (card.lines - len(lines)) / 2) * LINE
        axes.text(card.x, y, line, ha="center", va="center", fontsize=HEADING, color=colour, weight=weight, zorder=4)
    for answer, words in enumerate(question.answers):
        column = question.slice.start + answer
        voted = None if votes is None else float(votes[column])
        _draw_answer(axes, question.number, answer, words, float(shares[column]), voted, answer == chosen)


def _heading(question: Question) -> list[str]:
    card = CARDS[question.number]
    return textwrap.wrap(f"{question.number}. {question.text}", int((card.width - 2 * PAD) / 0.069))


def _draw_answer(
    axes: Axes, number: int, answer: int, words: str, share: float, voted: float | None, chosen: bool
) -> None:
    left, top, width = _cell(number, answer)
    height = CARDS[number].cell_height
    bar = top + height - BAR
    axes.add_patch(Rectangle((left, bar), width, BAR, facecolor=TRACK, edgecolor="none", zorder=3))
    colour = ON if chosen else OFF_BAR
    axes.add_patch(Rectangle((left, bar), width * share, BAR, facecolor=colour, edgecolor="none", zorder=3.1))
    said = percent(share)
    if voted is not None and voted >= 0.005:
        axes.plot([left + width * voted] * 2, [bar - 0.025, bar + BAR + 0.025], color=INK, linewidth=2, zorder=3.2)
    if voted is not None:
        said += f" ({percent(voted)})"
    colour, weight = (INK if share >= 0.005 else FAINT), ("bold" if chosen else "normal")
    looks = {"fontsize": TEXT, "color": colour, "zorder": 4, "weight": weight, "va": "center"}
    if CARDS[number].across == 1:
        axes.text(left, top + 0.085, words, ha="left", **looks)
        axes.text(left + width, top + 0.085, said, ha="right", **looks)
    else:
        axes.text(left + width / 2, top + 0.07, words, ha="center", **looks)
        axes.text(left + width / 2, top + 0.215, said, ha="center", **looks)


def percent(share: float) -> str:
    """A share in whole per cent; one that is not nothing says so."""
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _draw_pictures(
    figure: Figure, axes: Axes, image: np.ndarray, name: str, heat: np.ndarray, path: list[tuple[Question, int]]
) -> None:
    """The galaxy, and below it the heat maps of the questions on the path, large if they are few."""
    side = style.WIDTH - PICTURES - 0.08
    picture = _picture(figure, PICTURES, 0.3, side)
    style.hide_axes(picture)
    picture.imshow(image)
    title = style.shortened(name, 20)
    axes.text(PICTURES, 0.17, title, fontsize=10, weight="bold", va="center", color=INK, parse_math=False)
    top = 0.3 + side + 0.12
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
