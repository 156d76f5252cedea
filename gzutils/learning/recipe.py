"""How a network is trained: all but the network, its examples and the seed, as one value."""

import inspect
import json
from dataclasses import dataclass, replace
from typing import Any

from gzutils import parameters

RMSE = {"class_name": "RootMeanSquaredError", "config": {"name": "rmse"}}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Optimizer, loss, metrics and augmentation may be given as Keras's objects or as their configurations
    ({"class_name": "SGD", "config": {"learning_rate": 0.04}}), the first three also by their Keras names. A training
    takes copies: a recipe serves for many.

    epochs: at most so many passes over the training examples. patience: stop after so many without a better validation
    loss. batch_size: examples a step. optimizer: with its learning rate, which may be a schedule of Keras's. loss: what
    is minimised; the best weights are those with the lowest validation loss. metrics: what is measured beside it;
    progress shows the first. augmentation: a layer that changes the training inputs, not part of the saved model.
    cosine: the optimizer's learning rate is only the highest. The first tenth of all steps rises to it; then it falls
    to 0 along half a cosine until the last step of `epochs` (Loshchilov and Hutter 2017, arXiv:1608.03983).

    Raises:
        ValueError: a number makes no sense; it says which.
    """

    epochs: int
    patience: int
    batch_size: int = 128
    optimizer: Any = "adam"
    loss: Any = "mean_squared_error"
    metrics: tuple = (RMSE,)
    augmentation: Any = None
    cosine: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size"):
            parameters.whole_number(name.upper(), getattr(self, name), least=1)
        if isinstance(self.metrics, str) or any(inspect.isfunction(metric) for metric in self.metrics):
            raise ValueError(
                f"the metrics are {self.metrics!r}; they have to be a tuple of Keras's names, configurations or "
                f'objects, such as ("mean_absolute_error",)'
            )
        for name in ("optimizer", "loss", "augmentation"):
            if inspect.isclass(getattr(self, name)):
                raise ValueError(f"{name} is the class {getattr(self, name).__name__}; give an object of it: write ()")
        if any(metric in ("accuracy", "acc", "crossentropy", "ce") for metric in self.metrics):
            raise ValueError(
                f"the metrics are {self.metrics}; a recipe does not know its targets, so name the kind of accuracy or "
                f'crossentropy, such as "sparse_categorical_accuracy"'
            )

    def made(self, steps: int = 1) -> dict[str, Any]:
        """New objects of Keras: `optimizer`, `loss`, `metrics` (a list) and `augmentation` (or None).

        steps: of an epoch, which a cosine has to know.
        """
        import keras

        optimizer = _made(self.optimizer, keras.optimizers.get)
        if getattr(optimizer, "use_ema", False):
            raise ValueError(
                "the optimizer averages the weights (use_ema); each epoch is a `fit` of its own here, after which "
                "Keras would go on from the average: leave it out, `cosine` settles the weights as well"
            )
        return {
            "optimizer": _with_cosine(optimizer, self.epochs * steps) if self.cosine else optimizer,
            "loss": _as_object(_made(self.loss, keras.losses.get)),
            "metrics": [_made(metric, keras.metrics.get) for metric in self.metrics],
            "augmentation": _made(self.augmentation, keras.layers.deserialize),
        }

    def configuration(self) -> dict[str, Any]:
        """The recipe as JSON-like values by name, equal for equal recipes: what a training remembers of it."""
        made = replace(self, cosine=False).made()
        return {
            "epochs, patience, batch size": [self.epochs, self.patience, self.batch_size],
            "optimizer": described(made["optimizer"]),
            "loss": described(made["loss"]),
            "metrics": [described(metric) | {"name": metric.name} for metric in made["metrics"]],
            "augmentation": described(made["augmentation"]),
            **({"cosine": True} if self.cosine else {}),
        }


def described(part: Any) -> Any:
    """A Keras object as its class and configuration, JSON-like; a function by its name; None as None.

    A class or function of a notebook or script is described by its code too, which no file of this kit holds.
    """
    if part is None:
        return None
    kind = part
    words: dict[str, Any] = {"function": getattr(part, "__name__", str(part))}
    if hasattr(part, "get_config"):
        kind = type(part)
        words = {"class": kind.__name__, "configuration": json.loads(json.dumps(part.get_config(), default=str))}
        words["configuration"].pop("name", None)  # Keras may number it, by what was made before
    return words | code_of(kind)


def code_of(kind: Any) -> dict[str, Any]:
    """The code of a class or function of a notebook or script, and the numbers and words from around it that it uses.

    Empty for what is Keras's or this kit's.
    """
    if kind.__module__.split(".")[0] in ("keras", "gzutils"):
        return {}
    try:
        code = inspect.getsource(kind)
    except (OSError, TypeError):  # typed in at a prompt
        code = None
    used: dict[str, Any] = {}
    for function in filter(inspect.isfunction, [kind, *(vars(kind).values() if inspect.isclass(kind) else ())]):
        around = inspect.getclosurevars(function)
        used |= {**around.globals, **around.nonlocals}
    values = {name: repr(value) for name, value in sorted(used.items()) if isinstance(value, bool | int | float | str)}
    return {"code": code, "values": values}


def _made(given: Any, get: Any) -> Any:
    """A new object from a configuration, a name, or an object that can say its own."""
    if isinstance(given, dict | str):
        from gzutils.learning import augmentation, likelihoods, losses  # noqa: F401  Keras finds our own classes by name

        return get(json.loads(json.dumps(given)) if isinstance(given, dict) else given)
    return type(given).from_config(given.get_config()) if hasattr(given, "get_config") else given


def _with_cosine(optimizer: Any, steps: int) -> Any:
    """The optimizer with its learning rate risen to within a tenth of the steps, then falling to 0."""
    import keras

    settings = optimizer.get_config()
    highest, rising = settings["learning_rate"], max(1, steps // 10)
    if not isinstance(highest, int | float):
        raise ValueError("the optimizer's learning rate is a schedule already; leave `cosine` out, or give it a number")
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - rising), warmup_target=highest, warmup_steps=rising
    )
    return type(optimizer).from_config(settings | {"learning_rate": schedule})


def _as_object(loss: Any) -> Any:
    """Keras's names of losses mean functions; the class of the same name computes the same and says how."""
    import keras

    name = getattr(loss, "__name__", "")
    kind = getattr(keras.losses, "".join(word.capitalize() for word in name.split("_")), None)
    return kind() if kind and getattr(keras.losses, name, None) is loss else loss
