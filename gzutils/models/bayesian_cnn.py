"""The Bayesian CNN of Walmsley et al. (2020), arXiv:1905.07424: a plain network whose dropout stays on at prediction.

The layers are those of the paper's public code. Two things differ: it sees our store's pictures, 64 pixels and in
colour, where the paper's are grey; and it answers all questions, as the networks of Walmsley et al. (2022) do.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import initializers, layers, ops

from gzutils.data.view import REPORT_VIEW
from gzutils.decision_tree import COLUMNS, QUESTIONS
from gzutils.models.answers import NEVER
from gzutils.models.width import scaled

LIKELIHOODS = ("multinomial", "dirichlet_multinomial")
FEATURES = "dense"  # the layer before the dropout: what it says of a picture does not depend on chance
STARTING_TOTAL = 10.0  # of a question's concentrations, where they start at the mean answers


@keras.saving.register_keras_serializable("gzutils")
class SharesOfQuestions(layers.Layer):
    """37 numbers of any size -> each question's shares, which add up to 1 (softmax): (N, 37) -> (N, 37)."""

    def call(self, logits):
        return ops.concatenate([ops.softmax(logits[:, asked.slice], axis=-1) for asked in QUESTIONS], axis=-1)

    def compute_output_shape(self, input_shape):
        return input_shape


def bayesian_cnn(
    width: float = 1.0,
    likelihood: str = "dirichlet_multinomial",
    least: float = 1.0,
    mean_answers: Sequence[float] | None = None,
    side: int = REPORT_VIEW.side,
) -> keras.Model:
    """Builds the network: uint8 images (N, side, side, 3) -> 37 numbers (N, 37) float32, by question.

    They are no probabilities of the kit's kind; `posteriors.probabilities` sends them down the tree.

    Args:
        width: scales the number of filters; 1.0, the paper's, has 554,053 parameters. The dense layers keep their size.
        likelihood: "multinomial": the numbers are shares, 1 in each question. "dirichlet_multinomial": they are
            concentrations, 100 sigmoid + `least`.
        least: 1.0 is that of Walmsley et al. (2022), arXiv:2102.08414: no question's shares can then be wider open than
            a uniform distribution has them. Less allows "either nearly all of them or nearly nobody".
        mean_answers: of the labels, where the untrained network's answers lie; None: at equal shares.
        side: of the images, in pixels.

    Raises:
        ValueError: an argument makes no sense.
    """
    images = keras.Input((side, side, 3), dtype="uint8", name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(images)
    for group, filters in enumerate(((32, 32), (64, 64), (128,), (128,)), start=1):
        for number, count in enumerate(filters, start=1):
            x = layers.Conv2D(
                scaled(count, width), 3, padding="same", activation="relu", name=f"conv_{group}_{number}"
            )(x)
        x = layers.MaxPooling2D(2, name=f"pool_{group}")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(images, _answers(x, likelihood, least, mean_answers), name="bayesian_cnn")


def bayesian_head(
    values: int,
    likelihood: str = "dirichlet_multinomial",
    least: float = 1.0,
    mean_answers: Sequence[float] | None = None,
) -> keras.Model:
    """What stands behind the convolutions, for a frozen base in their place: its features (N, values) -> (N, 37).

    The arguments are those of `bayesian_cnn`.
    """
    features = keras.Input((values,), name="features_of_a_base")
    return keras.Model(features, _answers(features, likelihood, least, mean_answers), name="bayesian_head")


def _answers(x, likelihood: str, least: float, mean_answers: Sequence[float] | None):
    if likelihood not in LIKELIHOODS:
        raise ValueError(f"the likelihood is {likelihood!r}; choose one of {', '.join(LIKELIHOODS)}")
    if not least > 0:
        raise ValueError(f"the least concentration is {least}; it has to be above 0")
    x = layers.Dense(128, activation="relu", name=FEATURES)(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    start = (
        "zeros" if mean_answers is None else initializers.Constant(_starting(mean_answers, likelihood, least).tolist())
    )
    logits = layers.Dense(len(COLUMNS), bias_initializer=start, dtype="float32", name="logits")(x)
    if likelihood == "multinomial":
        return SharesOfQuestions(dtype="float32", name="shares")(logits)
    sigmoid = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(logits)
    return layers.Rescaling(100.0, least, dtype="float32", name="concentrations")(sigmoid)


def likelihood_of(model: keras.Model) -> str:
    """What a model of this kind says: "multinomial" (shares) or "dirichlet_multinomial" (concentrations).

    Raises:
        ValueError: it is another network.
    """
    ends = {"shares": "multinomial", "concentrations": "dirichlet_multinomial"}
    if model.name not in ("bayesian_cnn", "bayesian_head") or model.layers[-1].name not in ends:
        raise ValueError(f"{model.name} is no Bayesian CNN of notebook 11; its dropout says nothing of its doubts")
    return ends[model.layers[-1].name]


def _starting(mean_answers: Sequence[float], likelihood: str, least: float) -> np.ndarray:
    """The last biases at which an untrained network says about the mean answers: (37,)."""
    means = np.maximum(np.asarray(mean_answers, np.float64), NEVER)
    shares = np.concatenate([means[asked.slice] / means[asked.slice].sum() for asked in QUESTIONS])
    if likelihood == "multinomial":
        return np.log(shares).round(4)
    above = np.maximum(STARTING_TOTAL * shares - least, 0.1) / 100
    return np.log(above / (1 - above)).round(4)
