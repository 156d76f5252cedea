"""The report's loss, mean squared error plus the decision tree's constraints (section 6.2, Equation 2); and others."""

from collections.abc import Sequence

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


@keras.saving.register_keras_serializable("gzutils")
class WeightedCrossEntropy(keras.losses.Loss):
    """The cross-entropy of one class a galaxy, -log of its class's probability, times a weight of that class.

    Args:
        class_weights: one a class, 0 or more, see `hard_classes.class_weights`; None: each counts as it comes.

    Raises:
        ValueError: a weight is negative or no number.
    """

    def __init__(self, class_weights: Sequence[float] | None = None, name: str = "weighted_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.class_weights = None if class_weights is None else [float(weight) for weight in class_weights]
        if not all(0 <= weight < float("inf") for weight in self.class_weights or []):
            raise ValueError(f"the classes' weights are {self.class_weights}; each has to be a number, 0 or more")

    def call(self, y_true, y_pred):
        """The loss of each galaxy: classes (N,) or (N, 1) and probabilities (N, classes) -> (N,)."""
        classes = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        loss = ops.sparse_categorical_crossentropy(classes, y_pred)
        if self.class_weights is None:
            return loss
        return loss * ops.take(ops.convert_to_tensor(self.class_weights, dtype=loss.dtype), classes)

    def get_config(self) -> dict:
        return {**super().get_config(), "class_weights": self.class_weights}
