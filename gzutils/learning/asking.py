"""Active learning: which galaxies to show to volunteers next, so that a network learns most from their answers.

Round by round a network is trained on the labelled galaxies, looks at up to 1,500 others of the pool, drawn at random,
and names those whose votes it wants. One question counts, as in Walmsley et al. (2020), arXiv:1905.07424: mutual
information (BALD) is their choice, chance and the plain entropy of the votes stand beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from gzutils.data.store import Examples, Split
from gzutils.decision_tree import COLUMNS
from gzutils.learning import features, monte_carlo, posteriors, training
from gzutils.learning.likelihoods import LOSSES
from gzutils.learning.recipe import Recipe
from gzutils.models.bayesian_cnn import likelihood_of
from gzutils.models.networks import NETWORKS
from gzutils.tools import files

WAYS = ("at random", "by entropy", "by mutual information")
PASSES = 15
LOOKED_AT = 1500  # galaxies of the pool, drawn at random, that a network looks at in a round
WATCHED = 256  # validation galaxies at most, which decide on the best epoch; all ways watch the same
QUANTITIES = {"log_likelihood": 1, "rmse": -1}  # of a round; 1: more is better, -1: less
# The 97.5 % quantile of Student's t with 1, 2, … degrees of freedom: two seeds, three, …
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145)


@dataclass(frozen=True)
class Round:
    """One training. way: how its galaxies were chosen. labels: how many. seed: of the study.

    asked: rows of the galaxies whose votes the network was given last. log_likelihood: of the question's votes, the
    mean over the test galaxies that were asked it. rmse: of the answer's share of those.
    """

    way: str
    seed: int
    labels: int
    asked: np.ndarray
    log_likelihood: float
    rmse: float


def seen_by_base(base: str, arguments: dict, examples: Examples, split: Split, folder: Path | str) -> Examples:
    """The examples with what a frozen base says of their pictures, computed once, in place of these.

    A base has learned to see before, so that a head on it learns from some hundreds of labels.

    Args:
        base: its network's name, such as "resnet50". arguments: of that network's builder.
        folder: of the features, see `features.compute`.
    """
    frozen, _ = features.base_and_head(NETWORKS[base].build(**arguments))
    return features.compute(frozen, examples, split, 0, folder).examples


def most_wanted(way: str, by_pass: np.ndarray, count: int) -> np.ndarray:
    """The places of the galaxies whose votes are wanted most: (count,), or all where there are fewer.

    Args:
        way: one of `WAYS` but the first. by_pass: each pass's distribution of votes, (passes, n, K).
    """
    wanted = posteriors.entropy(by_pass.mean(axis=0)) if way == WAYS[1] else posteriors.mutual_information(by_pass)
    return np.argsort(-wanted, kind="stable")[:count]


def first_labelled(split: Split, count: int, seed: int) -> np.ndarray:
    """The pool's galaxies that a seed's study begins with, drawn at random: rows (count,)."""
    return np.random.default_rng((seed, 0)).permutation(split.train)[:count]


def mean_answers(labels: np.ndarray, split: Split, count: int, seed: int) -> list[float]:
    """The mean answers of the galaxies that are labelled first: no others may be looked at."""
    return labels[first_labelled(split, count, seed)].mean(axis=0, dtype=np.float64).round(4).tolist()


def study(
    build: Callable[[], keras.Model],
    examples: Examples,
    split: Split,
    recipe: Recipe,
    steps: int,
    column: str,
    numbers: tuple[int, int, int],
    folder: Path | str,
    seed: int,
) -> Iterator[Round]:
    """All rounds of one seed, as they are finished: the first, common to all ways, then those of each way.

    Args:
        build: makes the network with its first weights.
        examples: pictures, or what a base says of them, and counts of votes.
        split: its training galaxies are the pool, whose counts are looked at only once they were asked for.
        recipe: without its loss, which counts the question alone. steps: of an epoch.
        column: of the answer that is asked about, such as "Class1.2".
        numbers: labelled galaxies of the first round, more in each further one, and rounds.
        folder: each training has a folder of its own in it; what is finished is not repeated.
    """
    start, step, rounds = numbers
    for way in WAYS:
        labelled = asked = first_labelled(split, start, seed)
        for number in range(rounds):
            place = (
                Path(folder) / f"seed_{seed}" / ("start" if number == 0 else f"{way}/round_{number}".replace(" ", "_"))
            )
            keras.utils.set_random_seed(seed)
            model = build()
            _train(model, examples, split, labelled, recipe, steps, column, place, seed)
            if number or way == WAYS[0]:
                measured = _measure(model, examples, split.test, column, seed)
                yield Round(way, seed, len(labelled), asked, *measured)
            left = np.setdiff1d(split.train, labelled)
            if number + 1 == rounds or not len(left):
                break
            # Kept: another machine may round otherwise, choose others, and could not go on with what is trained.
            kept = place / f"asked_{way}_{step}.npy".replace(" ", "_")
            if not kept.is_file():
                asked = left = np.random.default_rng((seed, number)).permutation(left)[:LOOKED_AT]
                if way != WAYS[0]:
                    said = monte_carlo.passes(model, examples.inputs, left, PASSES, seed)
                    usual = np.full(len(left), _usual_number(examples.targets[labelled], column))
                    asked = left[most_wanted(way, posteriors.votes_of_answer(said, column, usual), step)]
                files.write_array(kept, asked[:step])
            asked = np.load(kept)
            labelled = np.concatenate([labelled, asked])


def _train(model, examples, split, labelled, recipe, steps, column, place, seed) -> None:
    """An epoch is as many steps for few galaxies as for many: those that are there, again and again."""
    rows = np.resize(labelled, max(len(labelled), steps * recipe.batch_size))
    loss = LOSSES[likelihood_of(model)](questions=(posteriors.question_of(column).number,))
    once = Split(rows, split.validation[:WATCHED], split.test)
    title = f"seed {seed}, {place.parent.name} {place.name}, {len(labelled)} labels".replace("_", " ")
    own = Recipe(**{**vars(recipe), "loss": loss, "metrics": ()})
    training.train(model, examples, once, own, place, seed, title=title)


def _measure(model: keras.Model, examples: Examples, rows: np.ndarray, column: str, seed: int) -> tuple[float, float]:
    own = posteriors.question_of(column)
    votes = np.rint(examples.targets[rows]).astype(np.int64)
    reached = votes[:, own.slice].sum(axis=1)
    rows, votes, reached = rows[reached > 0], votes[reached > 0], reached[reached > 0]
    said = monte_carlo.passes(model, examples.inputs, rows, PASSES, seed)
    place = COLUMNS.index(column)
    error = posteriors.shares(said)[..., place].mean(axis=0) - votes[:, place] / reached
    found = posteriors.log_likelihoods(said, votes)[:, own.number - 1]
    return float(found.mean()), float(np.sqrt(np.mean(error**2)))


def _usual_number(votes: np.ndarray, column: str) -> int:
    """How many volunteers usually answer a question, as the labelled galaxies' votes (n, 37) have it."""
    reached = votes[:, posteriors.question_of(column).slice].sum(axis=1)
    return int(np.rint(np.median(reached[reached > 0]))) if reached.any() else 0


def table_of(rounds: list[Round]) -> pd.DataFrame:
    """A row each round: way, seed, labels, log_likelihood, rmse; the first round, common to all, once for each way."""
    columns = ("way", "seed", "labels", "log_likelihood", "rmse")
    rows = [{name: getattr(one, name) for name in columns} for one in rounds]
    first = [row for row in rows if row["labels"] == min(other["labels"] for other in rows)]
    shared = [row | {"way": way} for row in first for way in WAYS[1:]]
    return pd.DataFrame(rows + shared).sort_values(["way", "seed", "labels"], ignore_index=True)


def beside_chance(table: pd.DataFrame, way: str, quantity: str) -> tuple[float, float | None, float | None]:
    """What a way of choosing has more than chance at equal labels, the mean of the later rounds.

    With its 95 % interval over the seeds, by Student's t; one seed has none. quantity: one of `QUANTITIES`.
    """
    of_ways = table.pivot(index=["seed", "labels"], columns="way", values=quantity)
    later = of_ways[of_ways.index.get_level_values("labels") > table["labels"].min()]
    each = (later[way] - later[WAYS[0]]).groupby("seed").mean()
    mean, count = float(each.mean()), len(each)
    if count == 1:
        return mean, None, None
    half = _student(count) * float(each.std(ddof=1)) / np.sqrt(count)
    return mean, mean - half, mean + half


def labels_saved(
    table: pd.DataFrame, way: str, quantity: str = "log_likelihood"
) -> tuple[float | None, float | None, float | None]:
    """The share of labels that a way of choosing saves beside chance, at an equal quantity; below 0: it needs more.

    Read off the seeds' mean curves, at the best value that both reach, labels between two rounds counted in
    proportion. With its 95 % interval by the jackknife over the seeds and Student's t, of the logarithms of what is
    needed, since to need half or twice as many is equally far from needing as many. None: it can't be read off, since
    one of the two never gets beyond the first round, which both share; the interval, in one seed or without one.
    """
    needed = _needed(table, way, quantity)
    if needed is None:
        return None, None, None
    seeds = table["seed"].unique()
    without = [_needed(table[table["seed"] != seed], way, quantity) for seed in seeds] if len(seeds) > 1 else [None]
    if None in without:
        return 1 - needed, None, None
    spread = np.sqrt((len(seeds) - 1) * np.var(np.log(without)))
    factor = np.exp(_student(len(seeds)) * spread)
    return 1 - needed, 1 - needed * float(factor), 1 - needed / float(factor)


def _needed(table: pd.DataFrame, way: str, quantity: str) -> float | None:
    """How many times chance's labels a way needs, by the seeds' mean curves; see `labels_saved`."""
    reached = {}
    for name in (WAYS[0], way):
        means = QUANTITIES[quantity] * table[table["way"] == name].groupby("labels")[quantity].mean()
        reached[name] = (means.index.to_numpy(), np.maximum.accumulate(means.to_numpy()))
    target = min(best[-1] for _, best in reached.values())
    if target <= max(best[0] for _, best in reached.values()):
        return None
    return _when(target, *reached[way]) / _when(target, *reached[WAYS[0]])


def _student(seeds: int) -> float:
    return STUDENT[min(seeds - 2, len(STUDENT) - 1)]


def fewer_or_more(saved: float | None) -> str:
    """A share of labels saved in words, such as "30% fewer" of 0.3 and "25% more" of -0.25; None: not known."""
    return "can't be read off" if saved is None else f"{abs(saved):.0%} {'fewer' if saved >= 0 else 'more'}"


def in_words(table: pd.DataFrame, way: str) -> str:
    """What a way of choosing brings beside chance, with its intervals, in some lines."""
    lines = [f"chosen {way}, beside chance:"]
    for quantity, title, digits in (("log_likelihood", "log-likelihood", 2), ("rmse", "RMSE", 4)):
        more, least, most = (None if one is None else round(one, digits) for one in beside_chance(table, way, quantity))
        helps = QUANTITIES[quantity] * more > 0
        verdict = "may be chance" if least is None or least <= 0 <= most else "it helps" if helps else "it harms"
        over = "one seed has no interval" if least is None else f"95 % interval over seeds {least:+g} to {most:+g}"
        lines.append(f"   {title} {more:+g} at equal labels ({over}): {verdict}")
        saved, low, high = labels_saved(table, way, quantity)
        between = "" if low is None else f" ({fewer_or_more(low)} to {fewer_or_more(high)})"
        lines.append(f"   labels at equal {title}: {fewer_or_more(saved)}{between}")
    return "\n".join(lines)


def _when(target: float, labels: np.ndarray, best: np.ndarray) -> float:
    """At how many labels a rising curve first reaches a target."""
    place = int(np.argmax(best >= target - 1e-12))
    if place == 0:
        return float(labels[0])
    part = (target - best[place - 1]) / (best[place] - best[place - 1])
    return float(labels[place - 1] + part * (labels[place] - labels[place - 1]))
