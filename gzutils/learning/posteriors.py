"""What a Bayesian CNN's passes say of votes and of the crowd's true shares.

The posterior over votes is the mean of the passes' distributions, not the distribution of their mean: passes that
disagree make it wider (Walmsley et al. 2020, arXiv:1905.07424, section 3). NumPy only.
"""

import math
from dataclasses import dataclass

import numpy as np

from gzutils.decision_tree import COLUMNS, QUESTIONS, Question, question, shares_of_counts

TINY = 1e-7  # a share below it counts as it
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


def question_of(column: str) -> Question:
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


def _log_rising(values: np.ndarray, count: int) -> np.ndarray:
    """log of a (a+1) … (a+k-1) for k from 0 to count - 1, along the last axis: (..., 1) -> (..., count)."""
    logs = np.log(values + np.arange(count - 1))
    return np.concatenate([np.zeros_like(values), np.cumsum(logs, axis=-1)], axis=-1)


def _log_mean(values: np.ndarray) -> np.ndarray:
    highest = values.max(axis=0)
    return highest + np.log(np.mean(np.exp(values - highest), axis=0))
