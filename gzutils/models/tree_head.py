"""An output that keeps the decision tree by construction: a softmax for each question, multiplied down the tree."""

import keras
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
