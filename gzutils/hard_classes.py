"""One class a galaxy: the rules of three studies (report, section 3.2), as questions, answers and thresholds.

A rule reads a table of 37 vote fractions. A threshold holds for the share of all volunteers, which is what the table
says, or for the share of those who were asked the question. A galaxy's *margin* for a class is how far its weakest
condition lies above the threshold: -0.1 says that one volunteer in ten would have to answer otherwise. Where no class
has a margin of 0 or more, the rule throws the galaxy away.

Dai and Tong 2019, https://arxiv.org/abs/1807.10406: five classes of the challenge's galaxies. Their thresholds stand in
public code by others, which holds them against the challenge's columns as they are, that is, shares of all volunteers.

Lin et al. 2022, https://arxiv.org/abs/2110.01024: eight classes of Galaxy Zoo 2. Their thresholds could not be
verified, and the rule here, half of those who were asked at every question, is ours.

Schneider et al. 2023, https://doi.org/10.3389/fspas.2023.1197358: four classes. Their number of galaxies is that of
Nair and Abraham's, to whom an expert gave the classes. Galaxy Zoo never asks for "lenticular", so this rule too is
ours: a stand-in, on other galaxies.
"""

from dataclasses import dataclass

import numpy as np

from gzutils.decision_tree import question

ROUNDING = 1e-6  # a share of exactly a threshold reaches it, whatever the division rounds


@dataclass(frozen=True)
class Condition:
    """That at least a share `at_least` of the volunteers gave one of a question's answers, counted from 1.

    of_asked: of those who were asked the question; else of all volunteers.
    """

    question: int
    answers: tuple[int, ...]
    at_least: float
    of_asked: bool

    def __str__(self) -> str:
        asked = question(self.question)
        answers = " or ".join(asked.answers[place - 1] for place in self.answers)
        return f"{asked.short}: {answers} ≥ {self.at_least:g} of {'those asked' if self.of_asked else 'all'}"


@dataclass(frozen=True)
class HardClass:
    """A class and the ways into it: a galaxy has to fulfil all conditions of one of them."""

    name: str
    ways: tuple[tuple[Condition, ...], ...]

    def __str__(self) -> str:
        return "; or ".join(", ".join(map(str, way)) for way in self.ways)


@dataclass(frozen=True)
class Rule:
    """A study's classes, in the order in which they are tried: a galaxy that fits several gets the first.

    name: its key. study: for people. whose: where the thresholds are from, in a sentence. counts: the study's galaxies
    by class, empty where it does not say; counted: what it counts there. accuracy: of its network on test galaxies.
    """

    name: str
    study: str
    whose: str
    classes: tuple[HardClass, ...]
    counts: tuple[int, ...] = ()
    counted: str = ""
    accuracy: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names, in the order of their numbers."""
        return tuple(one.name for one in self.classes)


def dai_tong_classes(of_asked: bool) -> tuple[HardClass, ...]:
    """The five classes with the thresholds of Dai and Tong, of those who were asked, or of all volunteers."""

    def share(number: int, answer: int, at_least: float) -> Condition:
        return Condition(number, (answer,), at_least, of_asked)

    smooth, features = share(1, 1, 0.469), share(1, 2, 0.43)
    return (
        HardClass("round", ((smooth, share(7, 1, 0.5)),)),
        HardClass("in-between", ((smooth, share(7, 2, 0.5)),)),
        HardClass("cigar", ((smooth, share(7, 3, 0.5)),)),
        HardClass("edge-on", ((features, share(2, 1, 0.602)),)),
        HardClass("spiral", ((features, share(2, 2, 0.715), share(4, 1, 0.619)),)),
    )


def _most(number: int, *answers: int) -> Condition:
    return Condition(number, answers, 0.5, of_asked=True)


def _rule_for_lin() -> tuple[HardClass, ...]:
    smooth, odd, spiral = _most(1, 1), _most(6, 1), (_most(1, 2), _most(2, 2), _most(4, 1))
    return (
        HardClass("merger", ((odd, _most(8, 6)),)),  # first: volunteers meet the odd last, whatever they said before
        HardClass("irregular", ((odd, _most(8, 4)),)),
        HardClass("round", ((smooth, _most(7, 1)),)),
        HardClass("in-between", ((smooth, _most(7, 2)),)),
        HardClass("cigar", ((smooth, _most(7, 3)),)),
        HardClass("edge-on", ((_most(1, 2), _most(2, 1)),)),
        HardClass("barred spiral", ((*spiral, _most(3, 1)),)),
        HardClass("unbarred spiral", ((*spiral, _most(3, 2)),)),
    )


def _rule_for_schneider() -> tuple[HardClass, ...]:
    smooth, face_on = _most(1, 1), (_most(1, 2), _most(2, 2))
    featureless_disk = (*face_on, _most(4, 2), _most(5, 3, 4))
    return (
        HardClass("irregular", ((_most(6, 1), _most(8, 4)),)),
        HardClass("elliptical", ((smooth, _most(7, 1, 2)),)),
        # No elliptical galaxy is as thin as a cigar: it is a smooth disk, seen from its edge.
        HardClass("lenticular", ((smooth, _most(7, 3)), featureless_disk)),
        HardClass("spiral", ((*face_on, _most(4, 1)),)),
    )


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            "dai_tong",
            "Dai & Tong",
            "the study's thresholds, as public code by others has them",
            dai_tong_classes(of_asked=False),
            (8434, 8069, 578, 3903, 7806),
            "galaxies of the challenge",
            0.952083,
        ),
        Rule(
            "lin",
            "Lin et al.",
            "ours, since the study's could not be verified",
            _rule_for_lin(),
            (1361, 3769, 21683, 25111, 4766, 10436, 13029, 19653),
            "training galaxies, of Galaxy Zoo 2",
            0.8055,
        ),
        Rule(
            "schneider",
            "Schneider et al.",
            "ours, a stand-in: the study's classes are an expert's, of other galaxies",
            _rule_for_schneider(),
        ),
    )
}


def share(shares: np.ndarray, condition: Condition) -> np.ndarray:
    """The share that a condition speaks of: (N, 37) vote fractions -> (N,) float64; 0 where nobody was asked."""
    answers = np.asarray(shares, np.float64)[:, question(condition.question).slice]
    chosen = answers[:, [place - 1 for place in condition.answers]].sum(axis=1)
    if not condition.of_asked:
        return chosen
    asked = answers.sum(axis=1)
    return np.divide(chosen, asked, out=np.zeros(len(answers)), where=asked > 0)


def margins(shares: np.ndarray, rule: Rule) -> np.ndarray:
    """How far each galaxy is inside each class, or outside (negative): (N, 37) vote fractions -> (N, classes) float64.

    The least of a way's conditions counts, and the best of a class's ways.
    """

    def of_way(way: tuple[Condition, ...]) -> np.ndarray:
        return np.min([share(shares, one) - one.at_least for one in way], axis=0)

    return np.stack([np.max([of_way(way) for way in one.ways], axis=0) for one in rule.classes], axis=1)


def judge(shares: np.ndarray, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """Each galaxy's class by a rule, and how clear that is.

    Args:
        shares: (N, 37) vote fractions, of volunteers or of a network.

    Returns:
        classes: (N,) int64, the first that the galaxy fits, or, if it fits none, the one with the highest margin.
        clearness: (N,) float64, the margin of that class. Below 0 the rule throws the galaxy away.
    """
    inside = margins(shares, rule)
    fits = inside >= -ROUNDING
    classes = np.where(fits.any(axis=1), fits.argmax(axis=1), inside.argmax(axis=1))
    clearness = np.take_along_axis(inside, classes[:, None], axis=1)[:, 0]
    return classes, np.where(fits.any(axis=1), np.maximum(clearness, 0), clearness)


def counts(classes: np.ndarray, clearness: np.ndarray, rule: Rule) -> dict[str, int]:
    """How many galaxies a rule puts into each class, by name, and last how many into none."""
    clear = clearness >= 0
    found = np.bincount(classes[clear], minlength=len(rule.classes))
    return dict(zip(rule.names, found.tolist(), strict=True)) | {"none": int((~clear).sum())}


def class_weights(classes: np.ndarray, count: int) -> np.ndarray:
    """Weights that make every class count alike, whose mean over these galaxies is 1: (N,) int -> (count,) float64.

    A class without a galaxy has weight 0.
    """
    found = np.bincount(classes, minlength=count)
    there = found > 0
    return np.divide(len(classes) / there.sum(), found, out=np.zeros(count), where=there)
