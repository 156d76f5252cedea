"""How volunteers answer the eleven questions about a simulated galaxy.

Each answer has a probability that changes smoothly with what the picture shows of the galaxy, see `appearance`: what
nobody can see counts for nothing. Forty to fifty volunteers walk down the decision tree, question by question (Willett
et al. 2013, https://arxiv.org/abs/1308.3496, section 2). Each has a temper: some are quick to see features, and then
also bars, arms and odd things, and others are slow. They are drawn anew for each galaxy, independent of one another, so
the votes for an answer are a binomial number around the crowd's mean, whatever the tempers.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from gzutils.data.simulation.appearance import Appearance
from gzutils.decision_tree import COLUMNS, NORMALISED, QUESTIONS, WALK, Question

VOLUNTEERS = range(40, 51)  # how many look at a galaxy, each number as likely
# What a volunteer's temper adds to the log odds of seeing something: five kinds, as many of each, with a spread of 0.6.
# An assumption: shares alone do not tell it.
TEMPERS = (-0.84, -0.32, 0.0, 0.32, 0.84)
Answering = Callable[[Question, np.ndarray], np.ndarray]

# How what is seen weighs in the log odds of the answers, and where thresholds lie. Fitted: the 37 columns' means and
# spreads are those of 602 real galaxies, and their correlations with the measures of a picture those of 60.
WEIGHTS = {
    "features": -1.0,
    "features arms": 12.0,
    "features bar": 17.4,
    "features ring": 4.3,
    "features edge": 3.25,
    "features lopsided": 5.34,
    "features dust": 3.0,
    "features flat": 9.1,
    "features red": -2.17,
    "features odd": 0.761,
    "artifact": 0.0546,
    "edge": 0.394,
    "edge width": 0.0502,
    "bar": -2.18,
    "bar bar": 110.0,
    "spiral": -2.5,
    "spiral arms": 55.4,
    "spiral red": -3.13,
    "bulge bulge": -0.285,
    "bulge core": 2.84,
    "bulge 1": 0.41,
    "bulge 2": 0.635,
    "bulge 3": 0.858,
    "bulge width": 0.0587,
    "odd": -2.27,
    "odd ring": 5.45,
    "odd arc": 14.0,
    "odd disturbed": 8.76,
    "odd irregular": 18.6,
    "odd other": 2.94,
    "odd merger": 1.02,
    "odd tails": 17.1,
    "odd dust": 4.05,
    "cigar": 0.48,
    "round": 0.76,
    "round width": 0.0553,
    "edge bulge": 0.488,
    "edge bulge width": 0.0534,
    "boxy": 0.106,
    "tight": 16.8,
    "loose": 24.5,
    "winding width": 3.14,
    "number clear": 25.0,
    "number two": 0.625,
    "number flocculent": 6.19,
    "chance ring": 0.107,
    "chance arc": 0.0879,
    "chance disturbed": 0.137,
    "chance irregular": 0.188,
    "chance other": 0.322,
    "chance merger": 0.145,
    "chance dust": 0.001,
}


def answer_probabilities(seen: Appearance, temper: float = 0.0) -> dict[int, np.ndarray]:
    """For each question (by number) the probability of each answer, given that the question is asked.

    Args:
        seen: what the picture shows.
        temper: of the volunteer; above 0 for one who is quick to see something.
    """
    return _of_all(seen) | _of_one(seen, temper)


def _of_all(seen: Appearance) -> dict[int, np.ndarray]:
    """The answers in which volunteers do not differ."""
    w = WEIGHTS
    edge_on, core = _edge_on(seen), _core(seen)
    bulge_sizes = (w["bulge 1"], w["bulge 2"], w["bulge 3"])
    return {
        2: np.array([edge_on, 1 - edge_on]),
        5: _ordered(core, bulge_sizes, w["bulge width"]),
        7: _ordered(seen.axis_ratio, (w["cigar"], w["round"]), w["round width"])[::-1],
        8: _odd_feature(_odd_weights(seen)),
        9: _edge_on_bulge(seen, core),
        10: _ordered(seen.arm_pitch, (w["tight"], w["loose"]), w["winding width"]),
        11: _arm_number(seen),
    }


def _of_one(seen: Appearance, temper: float) -> dict[int, np.ndarray]:
    """The answers of a volunteer of this temper where it counts."""
    w = WEIGHTS
    return {
        1: _smooth_or_features(seen, _edge_on(seen), temper),
        3: _yes_no(w["bar"] + w["bar bar"] * seen.bar + temper),
        4: _yes_no(w["spiral"] + w["spiral arms"] * seen.arms + w["spiral red"] * (seen.redness - 0.3) + temper),
        6: _yes_no(w["odd"] + 1.5 * sum(_odd_weights(seen)) + temper),
    }


def _of_the_crowd(seen: Appearance) -> list[dict[int, np.ndarray]]:
    """The answers of a volunteer of each temper, in the order of `TEMPERS`."""
    shared = _of_all(seen)
    return [shared | _of_one(seen, temper) for temper in TEMPERS]


def true_probabilities(seen: Appearance) -> np.ndarray:
    """The 37 labels (float64) that infinitely many volunteers would give: the crowd's mean.

    As `shares_of_counts` has them: of all volunteers, but for question 6 and what follows it of those who reach it.
    """
    answers = _of_the_crowd(seen)
    crowd = np.full(len(TEMPERS), 1 / len(TEMPERS))
    labels = np.zeros(len(COLUMNS))
    counted_over = dict.fromkeys(range(1, len(QUESTIONS) + 1), crowd.sum())
    for question, reached, given in _walk(crowd, lambda q, reached: reached[:, None] * [a[q.number] for a in answers]):
        if question.number in NORMALISED:
            counted_over[question.number] = reached.sum()
        labels[question.slice] = given.sum(axis=0) / counted_over[question.number]
        counted_over |= dict.fromkeys(question.leads_to, counted_over[question.number])
    return labels


def vote(seen: Appearance, rng: np.random.Generator) -> np.ndarray:
    """How many of 40 to 50 volunteers give each of the 37 answers, int64 (37,)."""
    answers = _of_the_crowd(seen)
    crowd = rng.multinomial(int(rng.choice(VOLUNTEERS)), np.full(len(TEMPERS), 1 / len(TEMPERS)))
    votes = np.zeros(len(COLUMNS), np.int64)
    for question, _, given in _walk(crowd, lambda q, reached: rng.multinomial(reached, [a[q.number] for a in answers])):
        votes[question.slice] = given.sum(axis=0)
    return votes


def vote_variance(truth: np.ndarray) -> np.ndarray:
    """The mean squared distance of votes from true probabilities, (N, 37) each: what no prediction can get below.

    Each of n volunteers gives an answer with its true probability p, the crowd's mean, wherever in the tree it stands;
    they do not know of one another, so its count is binomial and its share has the variance p (1 - p) / n. Question 6
    and what follows it are counted over the m volunteers who reached it, themselves a binomial number: p (1 - p) / m.
    Where m is 0, the label is 0, or 1 for "no".
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


def _walk(crowd: np.ndarray, split: Answering) -> Iterator[tuple[Question, np.ndarray, np.ndarray]]:
    """Sends volunteers down the tree; `split` shares those who reach a question out among its answers.

    Args:
        crowd: (tempers,), how many volunteers of each temper.
        split: of a question and of how many of each temper reach it, (tempers,): how many give each answer,
            (tempers, answers).

    Yields:
        A question, how many of each temper reach it, (tempers,), and how many give each answer, (tempers, answers).
    """
    reached = {question.number: np.zeros_like(crowd) for question in QUESTIONS} | {1: crowd}
    for question in WALK:
        given = split(question, reached[question.number])
        yield question, reached[question.number], given
        for count, target in zip(given.T, question.leads_to, strict=True):
            if target:
                reached[target] = reached[target] + count


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


def _edge_on(seen: Appearance) -> float:
    """Some err: in 1 of 66 cases also about a round galaxy."""
    w = WEIGHTS
    return 0.015 + 0.97 * _logistic((w["edge"] - seen.axis_ratio) / w["edge width"] + 4 * seen.dust)


def _core(seen: Appearance) -> float:
    """How far the middle stands out from the disk, about 0 to 1."""
    return WEIGHTS["bulge core"] * (0.62 - seen.flatness) + WEIGHTS["bulge bulge"] * min(seen.bulge, 0.6)


def _smooth_or_features(seen: Appearance, edge_on: float, temper: float) -> np.ndarray:
    w = WEIGHTS
    features = _logistic(
        w["features"]
        + w["features arms"] * seen.arms
        + w["features bar"] * seen.bar
        + w["features ring"] * seen.ring
        + w["features edge"] * edge_on
        + w["features lopsided"] * seen.lopsidedness
        + w["features dust"] * seen.dust
        + w["features flat"] * (seen.flatness - 0.36)
        + w["features red"] * (seen.redness - 0.45)
        + w["features odd"] * (seen.tails + seen.irregularity)
        + temper
    )
    # Who sees nothing but a round glow may take it for a star.
    artifact = w["artifact"] * (1 - features) + 0.9 * seen.artifact ** (1.0 if seen.is_star else 2.5)
    artifact = min(artifact, 0.95)
    return np.array([(1 - features) * (1 - artifact), features * (1 - artifact), artifact])


def _odd_weights(seen: Appearance) -> list[float]:
    """The evidence for each kind of odd feature, in the order of question 8."""
    w = WEIGHTS
    uneven = max(seen.lopsidedness - 0.08, 0.0)
    beside = min(seen.companion, 0.6)
    return [
        w["odd ring"] * seen.ring,
        w["odd arc"] * seen.arc,
        w["odd disturbed"] * uneven,
        w["odd irregular"] * uneven * (0.2 + seen.irregularity),
        w["odd other"] * beside * (1 - min(3 * seen.tails, 1)) + 1.5 * seen.artifact**2,
        w["odd merger"] * beside**1.5 + w["odd tails"] * seen.tails,
        w["odd dust"] * seen.dust,
    ]


def _odd_feature(evidence: list[float]) -> np.ndarray:
    names = ("ring", "arc", "disturbed", "irregular", "other", "merger", "dust")
    return _shares([WEIGHTS[f"chance {n}"] + 2 * e**1.5 for n, e in zip(names, evidence, strict=True)])


def _edge_on_bulge(seen: Appearance, core: float) -> np.ndarray:
    bulge = _logistic((core - WEIGHTS["edge bulge"]) / WEIGHTS["edge bulge width"])
    boxy = WEIGHTS["boxy"] + 0.4 * _logistic((seen.boxiness - 0.6) / 0.08)
    return np.array([bulge * (1 - boxy), bulge * boxy, 1 - bulge])


def _arm_number(seen: Appearance) -> np.ndarray:
    w = WEIGHTS
    weights = [0.10, w["number two"], 0.08, 0.05, 0.04, 1.0 + w["number flocculent"] * seen.flocculence]
    if seen.arm_number > 0:
        clear = (w["number clear"] * seen.arms) ** 2 * (1 - seen.flocculence)
        number = min(seen.arm_number, 5)
        weights[number - 1] += clear
        for near in (number - 2, number):
            if 0 <= near < 5:
                weights[near] += 0.08 * clear
    return _shares(weights)
