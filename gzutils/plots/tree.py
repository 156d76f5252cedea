"""The decision tree as a drawing (report, Figure 1), empty or with one galaxy's vote fractions on its answers."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Route

from gzutils import decision_tree
from gzutils.decision_tree import QUESTIONS, Question
from gzutils.plots import style

# Column (left to right) and row (top to bottom) of each question.
PLACES = {
    1: (1, 0),
    2: (1, 1),
    3: (2, 2),
    4: (2, 3),
    5: (2, 4),
    6: (1, 5),
    7: (0, 1),
    8: (0, 5),
    9: (0, 2),
    10: (1, 3),
    11: (1, 4),
}
COLUMN, ROW = 3.4, 1.75  # inches between the questions' centres
BOX_WIDTH, TEXT_HEIGHT, ANSWER_HEIGHT, GAP = 2.9, 0.42, 0.36, 0.05
SHARES = LinearSegmentedColormap.from_list("shares", ["#FFFFFF", "#F6D9B8", style.ORANGE])


def draw_decision_tree(shares: np.ndarray | None = None) -> Figure:
    """The 11 questions, their answers, and where each answer leads.

    Args:
        shares: one galaxy's 37 cumulative vote fractions; they colour the answers and stand in them as per cent.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 10.0))
    figure.subplots_adjust(0, 0, 1, 1)
    for question in QUESTIONS:
        _draw_question(axes, question, None if shares is None else shares[question.slice])
    for number, route in _routes().items():
        _draw_arrow(axes, route, shares, number)
    for x, y in (_below(1, 2, 0.45), _below(6, 1, 0.45)):
        axes.text(x, y, "end", ha="center", va="top", color=style.GREY, fontsize=9)
    axes.set(xlim=(-1.75, 2 * COLUMN + 1.5), ylim=(-5 * ROW - 1.3, 0.5), aspect="equal")
    style.hide_axes(axes)
    return figure


def _grid(question: Question) -> tuple[int, int]:
    """Answers in a row, and rows of answers, in a question's box."""
    across = {2: 2, 3: 3, 4: 2, 6: 3, 7: 3}[len(question.answers)]
    return across, -(-len(question.answers) // across)


def _top(number: int) -> tuple[float, float]:
    column, row = PLACES[number]
    return column * COLUMN, -row * ROW + TEXT_HEIGHT


def _bottom(number: int) -> tuple[float, float]:
    column, row = PLACES[number]
    _, rows = _grid(decision_tree.question(number))
    return column * COLUMN, -row * ROW - rows * (ANSWER_HEIGHT + GAP)


def _side(number: int, side: int) -> tuple[float, float]:
    """The middle of a question's text box, at its left (-1) or right (1) edge."""
    column, row = PLACES[number]
    return column * COLUMN + side * (BOX_WIDTH / 2 + 0.05), -row * ROW + TEXT_HEIGHT / 2


def _answer(question: Question, index: int) -> tuple[float, float, float]:
    """Left edge, lower edge and width of an answer's box."""
    across, _ = _grid(question)
    column, row = PLACES[question.number]
    width = (BOX_WIDTH - (across - 1) * GAP) / across
    left = column * COLUMN - BOX_WIDTH / 2 + (index % across) * (width + GAP)
    lower = -row * ROW - (index // across + 1) * (ANSWER_HEIGHT + GAP)
    return left, lower, width


def _below(number: int, index: int, distance: float = 0.0) -> tuple[float, float]:
    left, lower, width = _answer(decision_tree.question(number), index)
    return left + width / 2, lower - distance


def _draw_question(axes: Axes, question: Question, shares: np.ndarray | None) -> None:
    column, row = PLACES[question.number]
    x, y = column * COLUMN, -row * ROW
    corner = (x - BOX_WIDTH / 2, y)
    axes.add_patch(_box(corner, BOX_WIDTH, TEXT_HEIGHT, facecolor="#E3EEF6", edgecolor=style.BLUE))
    text = "\n".join(textwrap.wrap(f"{question.number}. {question.text}", 42))
    axes.text(x, y + TEXT_HEIGHT / 2, text, ha="center", va="center", fontsize=7.4)
    for index, answer in enumerate(question.answers):
        left, lower, width = _answer(question, index)
        share = None if shares is None else float(shares[index])
        colour = "white" if share is None else SHARES(np.sqrt(share))
        axes.add_patch(_box((left, lower), width, ANSWER_HEIGHT, facecolor=colour, edgecolor="#B5B5B5"))
        label = answer if share is None else f"{answer}\n{100 * share:.0f} %"
        axes.text(left + width / 2, lower + ANSWER_HEIGHT / 2, label, ha="center", va="center", fontsize=6.7)


def _box(corner: tuple[float, float], width: float, height: float, **looks) -> FancyBboxPatch:
    return FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=0.05", linewidth=0.8, **looks)


def _routes() -> dict[tuple[int, int | None], list[tuple[float, float]]]:
    """The corners of each arrow, by question and answer (None: all answers of the question)."""
    middle = {row: -row * ROW + TEXT_HEIGHT / 2 for row in range(6)}
    left_lane = -BOX_WIDTH / 2 - 0.2
    join = -3.1 * ROW  # where question 7's arrow runs into question 9's
    above_6 = (_bottom(11)[1] + _top(6)[1]) / 2

    def down_to(number: int, answer: int, target: int) -> list[tuple[float, float]]:
        start, end = _below(number, answer), _top(target)
        bend = min(end[1] + 0.35, start[1] - 0.15)
        return [start, (start[0], bend), (end[0], bend), end]

    def back_to(number: int, answer: int, target: int) -> list[tuple[float, float]]:
        start, end = _below(number, answer), _side(target, 1)
        lane = end[0] + (COLUMN - BOX_WIDTH) / 2
        return [start, (start[0], start[1] - 0.2), (lane, start[1] - 0.2), (lane, end[1]), end]

    return {
        (1, 0): down_to(1, 0, 7),
        (1, 1): down_to(1, 1, 2),
        (1, 2): [_below(1, 2), _below(1, 2, 0.42)],
        (2, 0): down_to(2, 0, 9),
        (2, 1): down_to(2, 1, 3),
        (3, None): [_bottom(3), _top(4)],
        (4, 0): back_to(4, 0, 10),
        (4, 1): down_to(4, 1, 5),
        (10, None): [_bottom(10), _top(11)],
        (11, None): [_side(11, 1), _side(5, -1)],
        (5, None): [_bottom(5), (2 * COLUMN, middle[5]), _side(6, 1)],
        (7, None): [_side(7, -1), (left_lane, middle[1]), (left_lane, join), (0, join)],
        (9, None): [_bottom(9), (0, above_6), (COLUMN, above_6), _top(6)],
        (6, 0): back_to(6, 0, 8),
        (6, 1): [_below(6, 1), _below(6, 1, 0.42)],
    }


def _draw_arrow(axes: Axes, points: list, shares: np.ndarray | None, start: tuple[int, int | None]) -> None:
    """One arrow; with shares, as thick as the share of volunteers who take it."""
    width = 1.0
    if shares is not None:
        number, answer = start
        votes = shares[decision_tree.question(number).slice]
        width = 0.4 + 5 * float(votes.sum() if answer is None else votes[answer])
    joins = start == (7, None)  # runs into the arrow of question 9
    axes.add_patch(
        FancyArrowPatch(
            path=Route(points),
            arrowstyle="-" if joins else "-|>",
            mutation_scale=9,
            linewidth=width,
            color=style.GREY,
            joinstyle="round",
            shrinkA=0,
            shrinkB=0,
            zorder=0.5,
        )
    )
