"""An output that keeps the decision tree by construction: a softmax for each question, multiplied down the tree."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from gzutils.decision_tree import COLUMNS, QUESTIONS, down_the_tree


@keras.saving.register_keras_serializable("gzutils")
class TreeProbabilities(layers.Layer):
    """37 numbers of any size -> 37 probabilities that keep all 11 identities of `decision_tree`: (N, 37) -> (N, 37).

    A question's numbers become shares of 1 (softmax), which go down the tree (`decision_tree.down_the_tree`).
    It has no weights. Dieleman et al. (2015), https://arxiv.org/abs/1503.07077, end their network in much the same way.
    """

    def call(self, logits):
        shares = {question.number: ops.softmax(logits[:, question.slice], axis=-1) for question in QUESTIONS}
        return ops.concatenate(down_the_tree(shares), axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("gzutils")
class RectifiedTree(layers.Layer):
    """37 numbers of any size -> 37 shares by the rectified output of Dieleman (2014): (N, 37) -> (N, 37).

    A question's numbers below 0 become 0 (ReLU); all are divided by their sum (+ 1e-12) and go down the tree
    (`decision_tree.down_the_tree`), where question 6 gets 1. Unlike a softmax it can say 0. It has no weights.

    All 11 identities hold as long as each question has a number above 0. Where it has none, its shares are all 0: its
    own identity then fails by what leads to it, and no gradient flows through it.
    """

    def call(self, numbers):
        rectified = ops.relu(numbers)
        of_question = {question.number: rectified[:, question.slice] for question in QUESTIONS}
        shares = {
            number: some / (ops.sum(some, axis=-1, keepdims=True) + 1e-12) for number, some in of_question.items()
        }
        return ops.concatenate(down_the_tree(shares), axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape


def shares_of_their_question(mean_answers: Sequence[float]) -> np.ndarray:
    """Cumulative shares (37,) as shares among the volunteers who got to the question, which add up to 1 a question."""
    means = np.asarray(mean_answers, np.float64)
    totals = np.concatenate([np.full(len(asked.answers), means[asked.slice].sum()) for asked in QUESTIONS])
    return np.where(totals > 0, means / np.where(totals > 0, totals, 1), 0)


def with_tree_output(model: keras.Model) -> keras.Model:
    """The same network, with `TreeProbabilities` in the place of its last layer's sigmoid.

    Takes any network of the kit. The two share all layers but the last, whose weights are copied.

    Raises:
        ValueError: the model does not end in a dense layer of 37.
    """
    last = model.layers[-1]
    if not isinstance(last, layers.Dense) or last.units != len(COLUMNS):
        raise ValueError(
            f"{model.name} ends in {last.name}; the output for the tree takes the place of a dense layer of 37"
        )
    to_logits = layers.Dense(len(COLUMNS), dtype="float32", name="logits")
    probabilities = TreeProbabilities(dtype="float32", name="probabilities")(to_logits(last.input))
    to_logits.set_weights(last.get_weights())
    return keras.Model(model.input, probabilities, name=f"{model.name}_with_tree_output")
