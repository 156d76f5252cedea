"""The Galaxy Zoo 2 decision tree: 11 questions, 37 answers, and what the tree says about their votes.

The questions are those of Willett et al. (2013), Table 2, https://arxiv.org/abs/1308.3496; the column
names are the Kaggle challenge's. A galaxy's 37 numbers are cumulative vote fractions (report, section 2):
the share of its volunteers who reached the question and gave the answer. Therefore the answers of a question
add up to the answers that lead to it, which gives one identity a question (report, section 6.2 and A.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Question:
    """One question: number (1 to 11), text, short name, answers, and the question after each answer (0: the end)."""

    number: int
    text: str
    short: str
    answers: tuple[str, ...]
    leads_to: tuple[int, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The challenge's column names, `Class<question>.<answer>`."""
        return tuple(f"Class{self.number}.{i}" for i in range(1, len(self.answers) + 1))

    @property
    def slice(self) -> slice:
        """Where the question's answers stand in the vector of 37."""
        start = sum(len(q.answers) for q in QUESTIONS[: self.number - 1])
        return slice(start, start + len(self.answers))


QUESTIONS = (
    Question(
        1,
        "Is the galaxy simply smooth and rounded, with no sign of a disk?",
        "Smooth or disk",
        ("smooth", "features or disk", "star or artifact"),
        (7, 2, 0),
    ),
    Question(2, "Could this be a disk viewed edge-on?", "Edge-on", ("yes", "no"), (9, 3)),
    Question(
        3,
        "Is there a sign of a bar feature through the centre of the galaxy?",
        "Bar",
        ("bar", "no bar"),
        (4, 4),
    ),
    Question(4, "Is there any sign of a spiral arm pattern?", "Spiral", ("spiral", "no spiral"), (10, 5)),
    Question(
        5,
        "How prominent is the central bulge, compared with the rest of the galaxy?",
        "Bulge size",
        ("no bulge", "just noticeable", "obvious", "dominant"),
        (6, 6, 6, 6),
    ),
    Question(6, "Is there anything odd?", "Odd", ("yes", "no"), (8, 0)),
    Question(
        7,
        "How rounded is it?",
        "Roundness",
        ("completely round", "in between", "cigar-shaped"),
        (6, 6, 6),
    ),
    Question(
        8,
        "Is the odd feature a ring, or is the galaxy disturbed or irregular?",
        "Odd feature",
        ("ring", "lens or arc", "disturbed", "irregular", "other", "merger", "dust lane"),
        (0, 0, 0, 0, 0, 0, 0),
    ),
    Question(
        9,
        "Does the galaxy have a bulge at its centre? If so, what shape?",
        "Edge-on bulge",
        ("rounded", "boxy", "no bulge"),
        (6, 6, 6),
    ),
    Question(
        10,
        "How tightly wound do the spiral arms appear?",
        "Arm winding",
        ("tight", "medium", "loose"),
        (11, 11, 11),
    ),
    Question(
        11,
        "How many spiral arms are there?",
        "Arm number",
        ("1", "2", "3", "4", "more than four", "can't tell"),
        (5, 5, 5, 5, 5, 5),
    ),
)

COLUMNS = tuple(column for question in QUESTIONS for column in question.columns)
ANSWERS = tuple(f"{q.short}: {answer}" for q in QUESTIONS for answer in q.answers)
NORMALISED = (1, 6)  # answered for every galaxy; the organisers normalised question 6 to a sum of 1
TOLERANCE = 1e-4  # the challenge's own file keeps the identities within 1e-5


def _order_of_questions() -> tuple[Question, ...]:
    """The questions in an order in which each comes after all that lead to it."""
    order: list[Question] = []
    waiting = list(QUESTIONS)
    while waiting:
        ahead = {target for question in waiting for target in question.leads_to}
        ready = [question for question in waiting if question.number not in ahead]
        order += ready
        waiting = [question for question in waiting if question not in ready]
    return tuple(order)


WALK = _order_of_questions()


def question(number: int) -> Question:
    """The question with this number, 1 to 11."""
    if number not in range(1, 12):
        raise ValueError(f"there is no question {number}: the tree has questions 1 to 11")
    return QUESTIONS[number - 1]


def most_probable_path(shares: np.ndarray) -> list[tuple[Question, int]]:
    """Down the tree from question 1 along each question's largest share: the questions met, and the answer's place.

    Args:
        shares: one galaxy's 37 cumulative vote fractions. The path ends where nobody is left.
    """
    path: list[tuple[Question, int]] = []
    number = 1
    while number:
        here = question(number)
        votes = shares[here.slice]
        if votes.sum() <= 0:
            break
        answer = int(votes.argmax())
        path.append((here, answer))
        number = here.leads_to[answer]
    return path


def source_columns(number: int) -> tuple[str, ...]:
    """The answers whose votes add up to those of a question; empty where they add up to 1.

    Walks the tree backwards. Where every answer of an earlier question leads here, that question only passes its
    votes on, and its own sources take its place: question 11 stands for the answer "spiral" of question 4.
    """
    if number in NORMALISED:
        return ()
    columns: list[str] = []
    for earlier in QUESTIONS:
        leading = [c for c, target in zip(earlier.columns, earlier.leads_to, strict=True) if target == number]
        everyone = len(leading) == len(earlier.answers)
        columns += source_columns(earlier.number) if everyone else leading
    return tuple(columns)


def down_the_tree(shares: Mapping[int, Any]) -> list:
    """Sends votes down the tree: each question's own shares times the share of volunteers who get to the question.

    That is the sum of the answers that lead there, or 1 for questions 1 and 6, which all labels have normalised.

    Args:
        shares: for each question, by number, the share of each answer among its own volunteers, (..., answers), which
            add up to 1. NumPy arrays, or tensors of any engine: they are only sliced, added and multiplied.

    Returns:
        The 37 columns (..., 1), of the same kind, in the order of `COLUMNS`; concatenated they are the labels.
    """
    columns: dict[str, Any] = {}
    for asked in WALK:
        votes = shares[asked.number]
        sources = source_columns(asked.number)
        if sources:
            votes = votes * sum(columns[column] for column in sources)
        columns |= {column: votes[..., place : place + 1] for place, column in enumerate(asked.columns)}
    return [columns[column] for column in COLUMNS]


def answered(votes: np.ndarray) -> np.ndarray:
    """How many volunteers answered each question, (N, 11), where each answer was given so many times, (N, 37)."""
    return np.stack([votes[:, asked.slice].sum(axis=1) for asked in QUESTIONS], axis=1)


def shares_of_counts(votes: np.ndarray) -> np.ndarray:
    """The cumulative vote fractions, float64 (N, 37), of galaxies whose answers were given so many times, (N, 37).

    The answers of a question are counted over those who answered it, and sent down the tree. Where nobody answered
    question 6 (all chose "star or artifact"), nothing odd was seen: "no" takes its sum of 1. Any other question that
    nobody answered has shares of 0. Weights in place of counts, such as fractions, serve as well.

    Raises:
        ValueError: a number is negative or none, or nobody answered question 1 about a galaxy; the message says which.
    """
    votes = _table(votes).astype(np.float64)
    for row, column in np.argwhere(~((votes >= 0) & (votes < np.inf)))[:1]:
        raise ValueError(f"row {row + 1}: {COLUMNS[column]} is {votes[row, column]}, not a number of votes")
    totals = answered(votes)
    for row in np.flatnonzero(totals[:, 0] == 0)[:1]:
        raise ValueError(f"row {row + 1}: nobody answered question 1, so there are no shares")
    shares = {}
    for asked, total in zip(QUESTIONS, totals.T[..., None], strict=True):
        shares[asked.number] = votes[:, asked.slice] / np.where(total > 0, total, 1)
    nobody_asked = totals[:, 5] == 0
    shares[6][nobody_asked, -1] = 1
    return np.concatenate(down_the_tree(shares), axis=1)


# The report's appendix A.2 numbers its constraints in this order of the questions they speak of.
CONSTRAINT_QUESTIONS = (1, 6, 2, 7, 8, 9, 3, 4, 10, 5, 11)


def constraint_matrix(constraints: str = "tree") -> tuple[np.ndarray, np.ndarray]:
    """The 11 identities as a linear map: residual = probabilities @ matrix.T - offset.

    Args:
        constraints: "tree", derived from the decision tree; or "report", the set that the report's code ran, in
            which constraint 4 sets question 7 equal to Class5.2 (p11 of A.2) and not to Class1.1.

    Returns:
        matrix (11, 37) and offset (11,), float32, in the order of the report's A.2.
    """
    if constraints not in ("tree", "report"):
        raise ValueError(f'constraints is "tree" or "report", not {constraints!r}')
    matrix = np.zeros((11, 37), np.float32)
    offset = np.zeros(11, np.float32)
    for row, number in enumerate(CONSTRAINT_QUESTIONS):
        sources = source_columns(number)
        if constraints == "report" and number == 7:
            sources = ("Class5.2",)
        matrix[row, question(number).slice] = 1
        matrix[row, [COLUMNS.index(column) for column in sources]] = -1
        offset[row] = 0 if sources else 1
    return matrix, offset


def constraint_residuals(probabilities: np.ndarray, constraints: str = "tree") -> np.ndarray:
    """How far each galaxy's 37 numbers are from each of the 11 identities (report, A.2).

    Args:
        probabilities: (N, 37) vote fractions, labels or predictions.
        constraints: "tree" or "report", see `constraint_matrix`.

    Returns:
        (N, 11), signed, in the dtype of `probabilities` (at least float32).
    """
    probabilities = _table(probabilities)
    matrix, offset = constraint_matrix(constraints)
    return probabilities @ matrix.T.astype(probabilities.dtype) - offset.astype(probabilities.dtype)


def constraint_equations(constraints: str = "tree") -> list[str]:
    """The 11 identities in words, for tables: `Class7.1 + Class7.2 + Class7.3 = Class1.1`."""
    equations = []
    for row, offset in zip(*constraint_matrix(constraints), strict=True):
        left = " + ".join(COLUMNS[i] for i in np.flatnonzero(row > 0))
        right = " + ".join(COLUMNS[i] for i in np.flatnonzero(row < 0))
        equations.append(f"{left} = {right or int(offset)}")
    return equations


def check_labels(labels: np.ndarray, galaxy_ids: np.ndarray, tolerance: float = TOLERANCE) -> None:
    """Checks that a label table (N, 37) holds vote fractions that obey the tree.

    Raises:
        ValueError: naming the first galaxy (row and GalaxyID), the column or question, and the deviation.
    """
    labels = _table(labels)
    if len(labels) != len(galaxy_ids):
        raise ValueError(f"{len(labels)} rows of labels, but {len(galaxy_ids)} galaxy ids")
    bad = ~np.isfinite(labels) | (labels < -tolerance) | (labels > 1 + tolerance)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"row {row + 1} (galaxy {galaxy_ids[row]}): {COLUMNS[column]} is {labels[row, column]}, "
            f"not a share between 0 and 1; {bad.any(axis=1).sum()} of {len(labels)} rows have such values"
        )
    residuals = constraint_residuals(labels.astype(np.float64))
    broken = np.abs(residuals) > tolerance
    if broken.any():
        row, constraint = np.argwhere(broken)[0]
        number = CONSTRAINT_QUESTIONS[constraint]
        raise ValueError(
            f"row {row + 1} (galaxy {galaxy_ids[row]}): the answers of question {number} ({question(number).text}) "
            f"miss {constraint_equations()[constraint]} by {residuals[row, constraint]:+.5f}; "
            f"{broken.any(axis=1).sum()} of {len(labels)} rows break the decision tree"
        )


def _table(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(COLUMNS):
        raise ValueError(f"expected a table of shape (N, 37), one column an answer, not {values.shape}")
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
