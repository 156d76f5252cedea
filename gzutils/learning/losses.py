"""The report's loss: mean squared error plus the decision tree's constraints (section 6.2, Equation 2)."""

import keras
from keras import ops

from gzutils.decision_tree import constraint_matrix


@keras.saving.register_keras_serializable("gzutils")
class ConstrainedMeanSquaredError(keras.losses.Loss):
    """MSE over the 37 answers + weight * sum of the 11 absolute constraint residuals, averaged over the batch.

    Args:
        weight: lambda of Equation 2, at least 0; the report settled on 0.001.
        constraints: "tree" or "report", see `decision_tree.constraint_matrix`.
    """

    def __init__(self, weight: float = 0.001, constraints: str = "tree", name: str = "constrained_mse", **kwargs):
        super().__init__(name=name, **kwargs)
        if not weight >= 0:
            raise ValueError(f"the constraints' weight (lambda) is {weight}; it has to be 0 or more")
        self.weight = float(weight)
        self.constraints = constraints
        self._matrix, self._offset = constraint_matrix(constraints)

    def call(self, y_true, y_pred):
        """The loss of each galaxy: (N, 37), (N, 37) -> (N,)."""
        mean_squared_error = ops.mean(ops.square(y_true - y_pred), axis=-1)
        residuals = ops.matmul(y_pred, ops.cast(self._matrix.T, y_pred.dtype)) - ops.cast(self._offset, y_pred.dtype)
        return mean_squared_error + self.weight * ops.sum(ops.abs(residuals), axis=-1)

    def get_config(self) -> dict:
        return {**super().get_config(), "weight": self.weight, "constraints": self.constraints}
