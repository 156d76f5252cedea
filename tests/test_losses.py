"""The loss of Equation 2, held against NumPy."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gzutils.learning.losses import ConstrainedMeanSquaredError

# Appendix A.2 of the report, written out by hand: (added positions, subtracted positions, constant), 1-based.
WRITTEN_OUT = {
    1: ([1, 2, 3], [], 1),
    2: ([14, 15], [], 1),
    3: ([4, 5], [2], 0),
    4: ([16, 17, 18], [1], 0),
    5: ([19, 20, 21, 22, 23, 24, 25], [14], 0),
    6: ([26, 27, 28], [4], 0),
    7: ([6, 7], [5], 0),
    8: ([8, 9], [5], 0),
    9: ([29, 30, 31], [8], 0),
    10: ([10, 11, 12, 13], [8, 9], 0),
    11: ([32, 33, 34, 35, 36, 37], [8], 0),
}


def equation_2(voted, predicted, weight, constraints):
    total = 0.0
    for p, q in zip(voted, predicted, strict=True):
        total += np.mean((p - q) ** 2)
        for number, (added, subtracted, constant) in WRITTEN_OUT.items():
            if number == 4 and constraints == "report":
                subtracted = [11]
            total += weight * abs(sum(q[i - 1] for i in added) - sum(q[i - 1] for i in subtracted) - constant)
    return total / len(voted)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 2), st.sampled_from(["tree", "report"]))
def test_keras_loss_is_equation_2(seed, weight, constraints):
    voted, predicted = np.random.default_rng(seed).random((2, 5, 37))
    loss = ConstrainedMeanSquaredError(weight, constraints)
    value = float(loss(voted.astype("float32"), predicted.astype("float32")))
    assert value == pytest.approx(equation_2(voted, predicted, weight, constraints), rel=1e-5, abs=1e-6)


def test_without_weight_it_is_the_mean_squared_error():
    voted, predicted = np.random.default_rng(0).random((2, 8, 37)).astype("float32")
    assert float(ConstrainedMeanSquaredError(0)(voted, predicted)) == pytest.approx(
        float(keras.losses.MeanSquaredError()(voted, predicted)), rel=1e-6
    )


def test_it_can_be_rebuilt_from_its_config():
    loss = keras.losses.deserialize(keras.losses.serialize(ConstrainedMeanSquaredError(0.2, "report")))
    assert (loss.weight, loss.constraints) == (0.2, "report")


@pytest.mark.parametrize("weight", [-0.001, float("nan")])
def test_a_weight_below_zero_is_refused(weight):
    with pytest.raises(ValueError, match="lambda"):
        ConstrainedMeanSquaredError(weight)


def test_an_unknown_set_of_constraints_is_refused():
    with pytest.raises(ValueError, match="tree"):
        ConstrainedMeanSquaredError(0.1, "paper")
