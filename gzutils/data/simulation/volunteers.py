"""How volunteers answer the eleven questions about a simulated galaxy.

Each answer has a probability that changes smoothly with the galaxy's properties and with how well they can be
seen. Forty to fifty volunteers walk down the decision tree, question by question (Willett et al. 2013,
https://arxiv.org/abs/1308.3496, section 2). They all share these probabilities: no volunteer has biases of their
own, so the votes are multinomial draws, and the scatter of the votes around the truth is the least there can be.
"""

import math
from collections.abc import Callable

import numpy as np

from gzutils.data.simulation.galaxies import Galaxy
from gzutils.decision_tree import NORMALISED, QUESTIONS, WALK, Question

VOLUNTEERS = range(40, 51)  # how many look at a galaxy, each number as likely
Answering = Callable[[Question, float], np.ndarray]


def visibility(galaxy: Galaxy) -> float:
    """How well detail is seen, 0 to 1: many resolution elements across the galaxy, and light well above the noise."""
    resolution = galaxy.radius * galaxy.extent / galaxy.seeing
    sharp = 1 / (1 + (2.6 / resolution) ** 2.5)
    bright = 1 / (1 + (5 / galaxy.surface_brightness) ** 1.5)
    return sharp * bright


def arm_contrast(galaxy: Galaxy) -> float:
    """How strong the arms look, 0 to 1: blurring a wave of some length by a Gaussian leaves this much of it."""
    if galaxy.arm_number == 0:
        return 0.0
    spacing = galaxy.extent * 2 * math.pi * 0.6 * math.sin(math.radians(galaxy.arm_pitch)) / galaxy.arm_number
    blur = math.hypot(galaxy.seeing / 2.355 / galaxy.radius, 0.03)  # in radii, as the spacing; 0.03: the eye's limit
    return galaxy.arm_strength * galaxy.face_on * math.exp(-2 * (math.pi * blur / spacing) ** 2)


def answer_probabilities(galaxy: Galaxy) -> dict[int, np.ndarray]:
    """For each question (by number) the probability of each answer, given that the question is asked."""
    seen = visibility(galaxy)
    detail = seen * galaxy.face_on
    arms = math.sqrt(arm_contrast(galaxy) * seen)  # the eye finds faint arms too
    edge_on = _edge_on(galaxy)
    return {
        1: _smooth_or_features(galaxy, seen, arms, edge_on),
        2: np.array([edge_on, 1 - edge_on]),
        3: _yes_no(-2.6 + 10.5 * galaxy.bar_strength * (1 - 0.6 * galaxy.bulge_fraction) * detail),
        4: _yes_no(-2.7 + 13.5 * arms + 1.5 * galaxy.ring_strength * detail),
        5: _bulge_size(galaxy),
        6: _odd(galaxy, seen),
        7: _ordered(galaxy.roundness, thresholds=(0.46, 0.79), width=0.06)[::-1],
        8: _odd_feature(galaxy, seen),
        9: _edge_on_bulge(galaxy),
        10: _ordered(galaxy.arm_pitch, thresholds=(17.5, 28.5), width=4.0),
        11: _arm_number(galaxy, arms),
    }


def true_probabilities(galaxy: Galaxy) -> np.ndarray:
    """The 37 labels (float64) that infinitely many volunteers would give."""
    probabilities = answer_probabilities(galaxy)
    return _walk(1.0, lambda question, reached: reached * probabilities[question.number])


def vote(galaxy: Galaxy, rng: np.random.Generator) -> np.ndarray:
    """The 37 labels (float64) that 40 to 50 volunteers give."""
    probabilities = answer_probabilities(galaxy)
    volunteers = int(rng.choice(VOLUNTEERS))
    return _walk(volunteers, lambda question, reached: rng.multinomial(reached, probabilities[question.number]))


def vote_variance(truth: np.ndarray) -> np.ndarray:
    """The mean squared distance of votes from true probabilities, (N, 37) each: what no prediction can get below.

    Each of n volunteers gives an answer with its true probability p, wherever in the tree it stands, so its count is
    binomial and its share has the variance p (1 - p) / n. Question 6 and what follows it are counted over the m
    volunteers who reached it, themselves a binomial number: p (1 - p) / m. Where m is 0, the label is 0, or 1 for "no".
    """
    truth = np.asarray(truth, np.float64)
    inverse = sum(1 / n for n in VOLUNTEERS) / len(VOLUNTEERS)
    variance = truth * (1 - truth) * inverse
    first, odd = QUESTIONS[0].slice, QUESTIONS[5].slice
    artifact = truth[:, first.stop - 1]
    nobody, inverse_reached = np.zeros(len(truth)), np.zeros(len(truth))
    for n in VOLUNTEERS:
        nobody += artifact**n / len(VOLUNTEERS)
        for m in range(1, n + 1):
            chance = math.comb(n, m) * (1 - artifact) ** m * artifact ** (n - m)
            inverse_reached += chance / m / len(VOLUNTEERS)
    for part in (odd, QUESTIONS[7].slice):
        p = truth[:, part]
        unasked = p**2
        if part == odd:
            unasked[:, -1] = (1 - p[:, -1]) ** 2
        variance[:, part] = p * (1 - p) * inverse_reached[:, None] + unasked * nobody[:, None]
    return variance


def _walk(volunteers: float, split: Answering) -> np.ndarray:
    """Sends volunteers down the tree; `split` shares those who reach a question out among its answers.

    The cumulative fraction of an answer is its volunteers over all volunteers. The challenge normalised question 6
    to a sum of 1, so it and what follows it count over those who reached it. Where nobody did (all chose "star or
    artifact") nothing odd was seen: the last answer, "no", takes the sum of 1.
    """
    reached = {question.number: 0 for question in QUESTIONS}
    counted_over = dict.fromkeys(reached, volunteers)
    reached[1] = volunteers
    labels = np.zeros(sum(len(question.answers) for question in QUESTIONS))
    for question in WALK:
        counts = split(question, reached[question.number])
        if question.number in NORMALISED:
            counted_over[question.number] = reached[question.number]
        total = counted_over[question.number]
        if total > 0:
            labels[question.slice] = counts / total
        elif question.number in NORMALISED:
            labels[question.slice.stop - 1] = 1
        for count, target in zip(counts, question.leads_to, strict=True):
            if target:
                reached[target] += count
                counted_over[target] = total
    return labels


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _yes_no(log_odds: float) -> np.ndarray:
    yes = _logistic(log_odds)
    return np.array([yes, 1 - yes])


def _ordered(value: float, thresholds: tuple[float, ...], width: float) -> np.ndarray:
    """Probabilities of ordered answers: each threshold is passed with a logistic chance in the value."""
    above = [1.0, *(_logistic((value - threshold) / width) for threshold in thresholds), 0.0]
    return -np.diff(above)


def _shares(weights: list[float]) -> np.ndarray:
    return np.array(weights) / sum(weights)


def _edge_on(galaxy: Galaxy) -> float:
    if galaxy.kind == "spheroid":  # a cigar may pass for a disk from the side
        return _logistic((0.38 - galaxy.axis_ratio) / 0.07) * 0.75
    return 0.95 * _logistic((galaxy.inclination - 75.8 - 10 * galaxy.irregularity) / 3.0)


def _smooth_or_features(galaxy: Galaxy, seen: float, arms: float, edge_on: float) -> np.ndarray:
    # Disturbed and interacting galaxies stand out even where their inside is not resolved.
    peculiar = 2.4 * galaxy.disturbance + 1.5 * galaxy.interaction + 2.0 * galaxy.irregularity
    inside = (
        2.2 * galaxy.bar_strength
        + 3.5 * galaxy.ring_strength
        + 1.5 * galaxy.arc_strength
        + 0.8 * galaxy.clumpiness * (galaxy.kind != "spheroid")
    )
    outline = 3.0 * edge_on + 1.4 * galaxy.dust_lane * (1 - galaxy.face_on) * seen
    disk = 1.0 * (1 - galaxy.bulge_fraction) if galaxy.kind != "spheroid" else 0.0
    features = _logistic(
        -1.68
        + 1.0 * (1 - galaxy.roundness)
        + 0.8 * disk
        + 0.8 * inside * galaxy.face_on * seen
        + 3.5 * arms
        + 0.85 * outline
        + 0.8 * peculiar * seen
        + 0.5 * (1 - seen)
    )
    artifact = 0.012 + 0.022 * (1 - seen) + 0.9 * galaxy.artifact ** (1.0 if galaxy.artifact_kind == "star" else 2.5)
    artifact = min(artifact, 0.95)
    return np.array([(1 - features) * (1 - artifact), features * (1 - artifact), artifact])


def _bulge_size(galaxy: Galaxy) -> np.ndarray:
    return _ordered(math.sqrt(galaxy.bulge_fraction), thresholds=(0.02, 0.5, 1.1), width=0.12)


def _odd_weights(galaxy: Galaxy) -> list[float]:
    """The evidence for each kind of odd feature, in the order of question 8."""
    return [
        5.5 * galaxy.ring_strength * galaxy.face_on,
        2.2 * galaxy.arc_strength,
        2.2 * galaxy.disturbance,
        2.6 * galaxy.irregularity,
        (0.6 + galaxy.companion) * (galaxy.companion > 0) * (1 - galaxy.interaction) + 1.5 * galaxy.artifact,
        3.6 * galaxy.interaction,
        1.8 * galaxy.dust_lane * (1 - galaxy.face_on),
    ]


def _odd(galaxy: Galaxy, seen: float) -> np.ndarray:
    return _yes_no(-2.4 + 1.5 * sum(_odd_weights(galaxy)) * (0.3 + 0.7 * seen))


def _odd_feature(galaxy: Galaxy, seen: float) -> np.ndarray:
    chance = [0.10, 0.05, 0.10, 0.09, 0.40, 0.09, 0.01]  # what is said where nothing is
    return _shares([c + w**1.5 * (0.3 + seen) for c, w in zip(chance, _odd_weights(galaxy), strict=True)])


def _edge_on_bulge(galaxy: Galaxy) -> np.ndarray:
    bulge = _logistic((math.sqrt(galaxy.bulge_fraction) - 0.33) / 0.1)
    boxy = 0.04 + 0.7 * _logistic((galaxy.boxiness - 0.6) / 0.08)
    return np.array([bulge * (1 - boxy), bulge * boxy, 1 - bulge])


def _arm_number(galaxy: Galaxy, arms: float) -> np.ndarray:
    if galaxy.arm_number == 0:
        return _shares([0.10, 0.30, 0.04, 0.02, 0.02, 0.52])
    clear = 13 * arms * (1 - 0.5 * galaxy.clumpiness)
    number = min(galaxy.arm_number, 5)
    weights = [0.08, 0.35, 0.05, 0.03, 0.03, 1.0 + 9 * galaxy.clumpiness**2]
    weights[number - 1] += clear
    for near in (number - 2, number):
        if 0 <= near < 5:
            weights[near] += 0.12 * clear
    return _shares(weights)
