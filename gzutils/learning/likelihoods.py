"""How probable a galaxy's votes are if the network is right: losses on counts, for the tree's questions.

A question's volunteers, N of them, gave its answers k_1, k_2, … times. If each of them chooses by the network's shares
rho, the counts are multinomial (binomial where there are two answers; Walmsley et al. 2020, arXiv:1905.07424). If the
shares are themselves uncertain, by a Dirichlet distribution with the concentrations alpha that the network says, they
are Dirichlet-multinomial (Walmsley et al. 2022, arXiv:2102.08414). A loss is the sum of -log P over the questions; what
nobody was asked has P = 1 and adds nothing. Counts may be fractions: of a galaxy of which only shares are known.
"""

import keras
from keras import ops

from gzutils.decision_tree import QUESTIONS, question
from gzutils.tools.backend import log_gamma

TINY = 1e-7  # a share below it counts as it: the logarithm of 0 is infinite
EVERY_QUESTION = tuple(asked.number for asked in QUESTIONS)


class VotesLoss(keras.losses.Loss):
    """-log P of the counts (N, 37), summed over questions, averaged over the batch.

    Args:
        questions: the numbers of those that count; the others' outputs are not trained.
    """

    def __init__(self, questions: tuple[int, ...] = EVERY_QUESTION, name: str | None = None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.questions = tuple(questions)
        self._slices = [question(number).slice for number in self.questions]

    def call(self, y_true, y_pred):
        """The loss of each galaxy: counts (N, 37), outputs of the network (N, 37) -> (N,)."""
        counts, outputs = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        return -sum(self.log_probability(counts[:, asked], outputs[:, asked]) for asked in self._slices)

    def get_config(self) -> dict:
        return {**super().get_config(), "questions": list(self.questions)}


@keras.saving.register_keras_serializable("gzutils")
class Multinomial(VotesLoss):
    """Of shares within each question: log P = log N! + sum of (k log rho - log k!)."""

    @staticmethod
    def log_probability(counts, shares):
        """Of one question: counts (N, answers), shares that add up to 1 (N, answers) -> (N,)."""
        everyone = ops.sum(counts, axis=-1)
        terms = counts * ops.log(ops.maximum(shares, TINY)) - log_gamma(counts + 1)
        return log_gamma(everyone + 1) + ops.sum(terms, axis=-1)


@keras.saving.register_keras_serializable("gzutils")
class DirichletMultinomial(VotesLoss):
    """Of concentrations: log P = log G(N+1) G(A) / G(N+A) + sum of log G(k+alpha) / G(k+1) G(alpha).

    G is the gamma function and A the sum of the question's alpha.
    """

    @staticmethod
    def log_probability(counts, concentrations):
        """Of one question: counts (N, answers), concentrations above 0 (N, answers) -> (N,)."""
        everyone, total = ops.sum(counts, axis=-1), ops.sum(concentrations, axis=-1)
        terms = log_gamma(counts + concentrations) - log_gamma(counts + 1) - log_gamma(concentrations)
        return log_gamma(everyone + 1) + log_gamma(total) - log_gamma(everyone + total) + ops.sum(terms, axis=-1)


LOSSES = {"multinomial": Multinomial, "dirichlet_multinomial": DirichletMultinomial}
