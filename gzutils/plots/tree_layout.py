"""Where the questions, answers and branches of the decision tree stand, for all drawings of it.

A unit is an inch of `plots.walk`; x is counted from the left, y from the top. Every branch runs downward.
"""

import textwrap
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch
from matplotlib.path import Path as Route

from gzutils import decision_tree
from gzutils.decision_tree import Question

WIDTH, HEIGHT = 7.45, 11.74
PAD, LINE, CELL, ROW, GAP = 0.07, 0.15, 0.38, 0.245, 0.06
BETWEEN = 0.12  # answers that stand side by side
END = 0.5  # how far below a question it says that the tree ends
Point = tuple[float, float]


@dataclass(frozen=True)
class Card:
    """Where a question stands: its centre, top and width, how many answers in a row, and lines of its text."""

    number: int
    x: float
    y: float
    width: float
    across: int
    lines: int = 1

    @property
    def question(self) -> Question:
        return decision_tree.question(self.number)

    @property
    def cell_height(self) -> float:
        return ROW if self.across == 1 else CELL

    @property
    def bottom(self) -> float:
        return self.cell(len(self.question.answers) - 1)[1] + self.cell_height + PAD

    def cell(self, answer: int) -> tuple[float, float, float]:
        """Left edge, upper edge and width of an answer's place."""
        inner = self.width - 2 * PAD
        width = (inner - (self.across - 1) * BETWEEN) / self.across
        row, column = divmod(answer, self.across)
        left = self.x - inner / 2 + column * (width + BETWEEN)
        return left, self.y + PAD + self.lines * LINE + GAP + row * (self.cell_height + GAP), width

    def leaving(self, answer: int | None) -> Point:
        """Where a branch leaves: below an answer, or (None) below the whole question."""
        left, _, width = self.cell(answer or 0)
        return (self.x if answer is None else left + width / 2), self.bottom

    def top(self, shift: float = 0.0) -> Point:
        """Where a branch arrives."""
        return self.x + shift, self.y


CARDS = {
    card.number: card
    for card in (
        Card(1, 3.65, 0.08, 5.9, 3),
        Card(2, 3.9, 1.29, 3.0, 2),
        Card(7, 1.25, 1.29, 2.2, 1),
        Card(9, 3.45, 2.56, 2.5, 1, lines=2),
        Card(3, 6.1, 2.56, 2.6, 2, lines=2),
        Card(4, 6.1, 3.8, 2.6, 2, lines=2),
        Card(10, 3.45, 5.2, 2.65, 3, lines=2),
        Card(11, 3.45, 6.4, 2.95, 3),
        Card(5, 5.9, 7.99, 3.0, 2, lines=2),
        Card(6, 4.4, 9.55, 4.4, 2),
        Card(8, 2.6, 10.54, 5.0, 4),
    )
}


def branches() -> list[tuple[int, int | None, list[Point]]]:
    """Question, answer (None: all of them) and the points that its branch passes, from top to bottom."""
    lane_7, lane_9, above_10, above_6 = 1.0, 1.75, CARDS[10].y - 0.25, CARDS[6].y - 0.85
    passed = {
        (1, 0): [CARDS[7].top()],
        (1, 1): [CARDS[2].top()],
        (1, 2): [],
        (2, 0): [CARDS[9].top()],
        (2, 1): [CARDS[3].top()],
        (3, None): [CARDS[4].top()],
        (4, 0): [CARDS[10].top()],
        (4, 1): [(CARDS[4].leaving(1)[0], CARDS[5].y - 0.5), CARDS[5].top(0.8)],
        (10, None): [CARDS[11].top()],
        (11, None): [CARDS[5].top(-1.1)],
        (7, None): [(lane_7, above_10), (lane_7, above_6), CARDS[6].top(-1.5)],
        (9, None): [(lane_9, above_10), (lane_9, above_6), CARDS[6].top(-0.6)],
        (5, None): [CARDS[6].top(1.5)],
        (6, 0): [CARDS[8].top(0.7)],
        (6, 1): [],
    }
    found = []
    for (number, answer), points in passed.items():
        x, y = CARDS[number].leaving(answer)
        found.append((number, answer, [(x, y), *(points or [(x, y + END - 0.1)])]))
    return found


def curve(points: list[Point]) -> Route:
    """A branch through these points, upright at each."""
    corners, codes = [points[0]], [Route.MOVETO]
    for (x, y), (x_next, y_next) in pairwise(points):
        half = (y + y_next) / 2
        corners += [(x, half), (x_next, half), (x_next, y_next)]
        codes += [Route.CURVE4] * 3
    return Route(corners, codes)


def passing(shares: np.ndarray, number: int, answer: int | None) -> float:
    """The share of volunteers (of the 37) who take a branch."""
    votes = shares[decision_tree.question(number).slice]
    return float(votes.sum() if answer is None else votes[answer])


def draw_card(axes: Axes, card: Card, box: dict, **text) -> None:
    """A question's box and its text, each with its looks in Matplotlib's words."""
    corner, height = (card.x - card.width / 2, card.y), card.bottom - card.y
    shape = "round,pad=0,rounding_size=0.07"
    axes.add_patch(FancyBboxPatch(corner, card.width, height, shape, zorder=2, **box))
    lines = textwrap.wrap(f"{card.number}. {card.question.text}", int((card.width - 2 * PAD) / 0.069))
    for number, line in enumerate(lines):
        y = card.y + PAD + (number + 0.55 + (card.lines - len(lines)) / 2) * LINE
        axes.text(card.x, y, line, ha="center", va="center", zorder=4, **text)


def draw_ends(axes: Axes, **text) -> None:
    """Says where the tree ends before everyone has been asked all."""
    for x, y in (CARDS[1].leaving(2), CARDS[6].leaving(1)):
        axes.text(x, y + END, "end", ha="center", va="center", **text)
