"""What a Bayesian CNN's passes say of votes and of the crowd's true shares, and whether they say it with right.

The posterior over votes is the mean of the passes' distributions, not the distribution of their mean: passes that
disagree make it wider (Walmsley et al. 2020, arXiv:1905.07424, section 3). NumPy only.
"""

import math
from dataclasses import dataclass

import numpy as np

from gzutils.decision_tree import COLUMNS, QUESTIONS, answered, question, shares_of_counts

TINY = 1e-7  # a share below it counts as it
LEVELS = (0.5, 0.8, 0.95)  # of credible intervals
_log_gamma = np.vectorize(math.lgamma, otypes=[np.float64])


@dataclass(frozen=True)
class Passes:
    """What a network said in its passes: outputs (passes, n, 37), shares or concentrations as its likelihood has them.

    likelihood: "multinomial" (shares, 1 in each question) or "dirichlet_multinomial" (concentrations).
    """

    outputs: np.ndarray
    likelihood: str

    @property
    def over_dispersed(self) -> bool:
        """Whether a pass leaves the shares open, by a Dirichlet distribution; else it says one number each."""
        return self.likelihood == "dirichlet_multinomial"

    def of(self, galaxies) -> "Passes":
        """The same of some of the galaxies only."""
        return Passes(self.outputs[:, galaxies], self.likelihood)

    def scaled(self, factors: np.ndarray) -> "Passes":
        """With each question's concentrations times a factor (11,): the same shares, held less or more firmly."""
        sizes = [len(asked.answers) for asked in QUESTIONS]
        return Passes(self.outputs * np.repeat(factors, sizes), self.likelihood)


def shares(passes: Passes) -> np.ndarray:
    """Each question's expected shares of its own volunteers, by pass: (passes, n, 37)."""
    outputs = passes.outputs.astype(np.float64)
    parts = [outputs[..., asked.slice] for asked in QUESTIONS]
    return np.concatenate([part / part.sum(axis=-1, keepdims=True) for part in parts], axis=-1)


def probabilities(passes: Passes) -> np.ndarray:
    """The kit's 37 probabilities, multiplied down the tree in each pass and averaged: (n, 37)."""
    return np.mean([shares_of_counts(one) for one in shares(passes)], axis=0)


def votes_of_answer(passes: Passes, column: str, asked: np.ndarray) -> np.ndarray:
    """Each pass's distribution of the votes for one answer: (passes, n, K) with K = the most that were asked + 1.

    Args:
        column: of the answer, such as "Class3.1". asked: how many were asked its question, (n,) whole numbers.
    """
    place = COLUMNS.index(column)
    outputs = passes.outputs.astype(np.float64)
    asked = np.asarray(asked)[:, None]
    votes = np.arange(asked.max(initial=0) + 1)
    log_choose = _log_gamma(asked + 1) - _log_gamma(votes + 1) - _log_gamma(np.maximum(asked - votes, 0) + 1)
    log_choose = np.where(votes <= asked, log_choose, -np.inf)
    if passes.over_dispersed:
        this = outputs[..., place, None]
        everything = outputs[..., question_of(column).slice].sum(axis=-1)[..., None]
        rest = everything - this
        rising = [_log_rising(one, len(votes)) for one in (this, rest, everything)]
        left = np.broadcast_to(np.maximum(asked - votes, 0), rising[1].shape)
        of_rest = np.take_along_axis(rising[1], left, axis=-1)
        of_all = np.take_along_axis(rising[2], np.broadcast_to(asked, (*rising[2].shape[:-1], 1)), axis=-1)
        return np.exp(log_choose + rising[0] + of_rest - of_all)
    share = np.clip(shares(passes)[..., place, None], TINY, 1 - TINY)
    return np.exp(log_choose + votes * np.log(share) + np.maximum(asked - votes, 0) * np.log1p(-share))


def posterior_of_votes(passes: Passes, column: str, asked: np.ndarray) -> np.ndarray:
    """The mean of the passes' distributions of the votes for one answer: (n, K), see `votes_of_answer`."""
    return votes_of_answer(passes, column, asked).mean(axis=0)


def of_one_galaxy(
    passes: Passes, place: int, votes: np.ndarray, columns: tuple[str, ...], truth: np.ndarray | None = None
) -> dict[str, list]:
    """What `plots.certainty.posteriors` draws of one galaxy: each pass's distributions, votes, expected votes.

    Args:
        place: the galaxy's among the passes'. votes: its own, whole numbers (37,). truth: its 37 true probabilities.
        columns: of the answers. Where nobody was asked a question, as many are imagined as answered question 1.
    """
    drawn: dict[str, list] = {"columns": list(columns), "by_pass": [], "votes": [], "truth": []}
    for column in columns:
        own = question_of(column)
        reached = int(votes[own.slice].sum())
        asked = reached or int(votes[QUESTIONS[0].slice].sum())
        drawn["by_pass"].append(votes_of_answer(passes.of([place]), column, np.array([asked]))[:, 0])
        drawn["votes"].append(int(votes[COLUMNS.index(column)]) if reached else None)
        share = None if truth is None else truth[COLUMNS.index(column)] / truth[own.slice].sum()
        drawn["truth"].append(None if share is None else float(share * asked))
    return drawn


def question_of(column: str):
    """The question that an answer's column belongs to."""
    return question(int(column.removeprefix("Class").split(".")[0]))


def log_likelihoods(passes: Passes, votes: np.ndarray) -> np.ndarray:
    """How well each question's votes were foretold: the log of the passes' mean P(votes), (n, 11); 0 where nobody was
    asked.

    Args:
        votes: how many gave each answer, (n, 37).
    """
    outputs, votes = passes.outputs.astype(np.float64), np.asarray(votes, np.float64)
    if not passes.over_dispersed:
        outputs = np.maximum(shares(passes), TINY)
    found = []
    for asked in QUESTIONS:
        k, values = votes[:, asked.slice], outputs[..., asked.slice]
        everyone = k.sum(axis=-1)
        fixed = _log_gamma(everyone + 1) - _log_gamma(k + 1).sum(axis=-1)
        if passes.over_dispersed:
            total = values.sum(axis=-1)
            by_answer = (_log_gamma(k + values) - _log_gamma(values)).sum(axis=-1)
            each = fixed + _log_gamma(total) - _log_gamma(everyone + total) + by_answer
        else:
            each = fixed + (k * np.log(values)).sum(axis=-1)
        found.append(_log_mean(each))
    return np.stack(found, axis=1)


def interval_of_votes(posterior: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The central credible interval of votes, its lowest and highest number, (n,) each; posterior: (n, K)."""
    below = np.cumsum(posterior, axis=1)
    low, high = ((below < limit - 1e-9).sum(axis=1) for limit in ((1 - level) / 2, (1 + level) / 2))
    return low, np.minimum(high, posterior.shape[1] - 1)


def coverage_of_votes(posterior: np.ndarray, votes: np.ndarray, levels: tuple[float, ...] = LEVELS) -> np.ndarray:
    """How much of each galaxy's vote lies in the central credible intervals: (n, levels), from 0 to 1.

    Votes are whole numbers, so an interval that holds exactly 80 % of the probability cuts some number in two; of that
    number the part counts that lies within (Czado, Gneiting and Held 2009, Biometrics 65, 1254: the probability
    integral transform of counts). If the posterior is right, the mean is the level, whatever the numbers.
    """
    rows, votes = np.arange(len(votes)), np.asarray(votes)
    high = np.minimum(np.cumsum(posterior, axis=1)[rows, votes], 1.0)
    width = np.maximum(posterior[rows, votes], 1e-12)
    low = np.maximum(high - width, 0.0)
    within = [np.minimum(high, (1 + one) / 2) - np.maximum(low, (1 - one) / 2) for one in levels]
    return np.clip(np.stack(within, axis=1) / width[:, None], 0, 1)


def draws_of_share(passes: Passes, column: str, count: int = 400, seed: int = 0) -> np.ndarray:
    """Draws from the posterior of the share that infinitely many volunteers would give an answer: (draws, n).

    Of a multinomial network a pass says one number, so its draws are the passes themselves.
    """
    place = COLUMNS.index(column)
    if not passes.over_dispersed:
        return shares(passes)[..., place]
    outputs = passes.outputs.astype(np.float64)
    rest = outputs[..., question_of(column).slice].sum(axis=-1) - outputs[..., place]
    a_pass = -(-count // len(outputs))
    drawn = np.random.default_rng(seed).beta(outputs[..., place], rest, (a_pass, *rest.shape))
    return drawn.reshape(-1, rest.shape[1])


def width_of_shares(passes: Passes, column: str, level: float = 0.8) -> np.ndarray:
    """How open the network leaves an answer's true share: the width of its central credible interval, (n,)."""
    low, high = np.quantile(draws_of_share(passes, column), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return high - low


def coverage_of_share(drawn: np.ndarray, truth: np.ndarray, levels: tuple[float, ...] = LEVELS) -> np.ndarray:
    """Whether the true share (n,) lies in the central credible intervals of the draws (draws, n): (n, levels), 0 or 1.

    One draw alone is an interval of no width, which holds nothing.
    """
    below = (drawn < truth).mean(axis=0)
    inside = [np.abs(below - 0.5) < level / 2 for level in levels]
    return np.stack(inside, axis=1).astype(np.float64)


def expected_error(posterior: np.ndarray, votes: np.ndarray, asked: np.ndarray) -> tuple[float, float]:
    """The mean distance of the votes from the posterior's mean, as a share of those asked: as the posterior foretells
    it, and as it is.
    """
    numbers = np.arange(posterior.shape[1])
    mean = posterior @ numbers
    foretold = (posterior * np.abs(numbers - mean[:, None])).sum(axis=1)
    return float(np.mean(foretold / asked)), float(np.mean(np.abs(votes - mean) / asked))


def sharpness(posterior: np.ndarray, asked: np.ndarray, level: float = 0.8) -> float:
    """The mean width of the credible intervals, as a share of those asked; the smaller, the more is said."""
    low, high = interval_of_votes(posterior, level)
    return float(np.mean((high - low + 1) / (np.asarray(asked) + 1)))


def judge(passes: Passes, votes: np.ndarray, truth: np.ndarray | None = None, least: int = 5) -> dict:
    """How good a network's posteriors are, over all answers of the questions that enough volunteers were asked.

    Args:
        votes: whole numbers (n, 37). truth: the kit's 37 true probabilities of the galaxies, (n, 37), where known.
        least: so many have to be asked a question of a galaxy for it to count.

    Returns:
        `coverage`, of the votes, and `coverage_of_truth`, of the true shares (or None), by level of `LEVELS`;
        `log_likelihood`, the sum over the questions, the mean of the galaxies, in nats; `foretold_error` and `error`,
        see `expected_error`; `sharpness`, the mean width of the 80 % intervals as a share of those asked.
    """
    reached = answered(votes)
    of_votes, of_truth, errors, widths = [], [], [], []
    for place, column in enumerate(COLUMNS):
        own = question_of(column)
        some = np.flatnonzero(reached[:, own.number - 1] >= least)
        if not len(some):
            continue
        these, asked, given = passes.of(some), reached[some, own.number - 1], votes[some, place]
        posterior = posterior_of_votes(these, column, asked)
        of_votes.append(coverage_of_votes(posterior, given))
        errors += [expected_error(posterior, given, asked)] * len(some)
        widths += [sharpness(posterior, asked)] * len(some)
        if truth is not None:
            share = truth[some, place] / truth[some, own.slice].sum(axis=1)
            of_truth.append(coverage_of_share(draws_of_share(these, column, seed=place), share))

    def mean(parts: list) -> dict[float, float] | None:
        return dict(zip(LEVELS, np.concatenate(parts).mean(axis=0).tolist(), strict=True)) if parts else None

    foretold, found = np.mean(errors, axis=0).tolist()
    return {
        "coverage": mean(of_votes),
        "coverage_of_truth": mean(of_truth),
        "log_likelihood": float(log_likelihoods(passes, votes).sum(axis=1).mean()),
        "foretold_error": foretold,
        "error": found,
        "sharpness": float(np.mean(widths)),
    }


def entropy(distributions: np.ndarray) -> np.ndarray:
    """The entropy, in nats, along the last axis."""
    return -(distributions * np.log(np.maximum(distributions, 1e-300))).sum(axis=-1)


def mutual_information(by_pass: np.ndarray) -> np.ndarray:
    """What the votes would tell about which pass is right (BALD): H[mean of p] - mean of H[p], in nats, (n,).

    High where the passes are sure of different things; 0 where they agree, however open the votes are.

    Args:
        by_pass: each pass's distribution of votes, (passes, n, K), see `votes_of_answer`.
    """
    return entropy(by_pass.mean(axis=0)) - entropy(by_pass).mean(axis=0)


def firmness(passes: Passes, votes: np.ndarray, factors: np.ndarray | None = None) -> np.ndarray:
    """For each question the factor of the concentrations at which votes (n, 37) are most probable: (11,).

    1 says that the network knows how sure it is. For galaxies that it was not trained on.
    """
    factors = np.geomspace(0.25, 4.0, 17) if factors is None else factors
    totals = [log_likelihoods(passes.scaled(np.full(11, factor)), votes).sum(axis=0) for factor in factors]
    best = factors[np.argmax(totals, axis=0)]
    return np.where(answered(votes).any(axis=0), best, 1.0)


def _log_rising(values: np.ndarray, count: int) -> np.ndarray:
    """log of a (a+1) … (a+k-1) for k from 0 to count - 1, along the last axis: (..., 1) -> (..., count)."""
    logs = np.log(values + np.arange(count - 1))
    return np.concatenate([np.zeros_like(values), np.cumsum(logs, axis=-1)], axis=-1)


def _log_mean(values: np.ndarray) -> np.ndarray:
    highest = values.max(axis=0)
    return highest + np.log(np.mean(np.exp(values - highest), axis=0))
