"""What an epoch sees: batches in a seeded order, and draws (dropout, augmentation) that follow from seed and epoch."""

import keras
import numpy as np

from gzutils.data.store import Examples
from gzutils.tools import backend


class Batches(keras.utils.PyDataset):
    """One pass over some examples, for `fit`, `evaluate` or `predict`: batches of (inputs, targets).

    Args:
        examples: inputs and targets; without targets, batches are (inputs,) alone.
        rows: which of them, (n,) int.
        batch_size: examples in a batch; the last one holds the rest.
        order_seed: numbers from which alone the order follows, such as (seed, epoch); None: as `rows` has them.
        shared: several devices compute each batch, as `backend.configure` set them up. It has to divide evenly: as many
            examples of the pass as are too many for that are left out, fewer than there are devices. Where several
            processes train together, each gets its own part of every batch.
    """

    def __init__(
        self,
        examples: Examples,
        rows: np.ndarray,
        batch_size: int,
        order_seed: tuple[int, ...] | None = None,
        shared: bool = False,
    ):
        # Two threads read ahead. With one, Keras leaves this to tf.data, whose tuning thread can hold up the end of an
        # epoch until the next power of two times 10 ms: on two cores epochs of 4.9 s then took 10.25 s. With several
        # devices TensorFlow's `fit` first looks at one batch, which then comes last if threads read ahead (Keras 3.15).
        super().__init__(workers=2 if backend.replicas() == 1 else 1)
        if batch_size < 1:
            raise ValueError(f"the batch size is {batch_size}; it has to be at least 1")
        self.examples, self.batch_size, self.shared = examples, batch_size, shared
        self.rows = rows if order_seed is None else np.random.default_rng(order_seed).permutation(rows)
        if shared:
            replicas = backend.replicas()
            if batch_size % replicas:
                raise ValueError(f"the batch size is {batch_size}; {replicas} devices cannot share it evenly")
            self.rows = self.rows[: len(self.rows) // replicas * replicas]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        if self.shared:
            rows = np.array_split(rows, backend.processes())[backend.process()]
        some = (self.examples.inputs[rows],)
        return some if self.examples.targets is None else (*some, self.examples.targets[rows])


def set_draws(model: keras.layers.Layer, *numbers: int) -> None:
    """Lets all that a model or layer draws next (dropout, augmentation) follow from these numbers and its place."""
    generators = [v for v in model.variables if "seed_generator" in v.path]
    for place, variable in enumerate(generators):
        state = np.random.SeedSequence([*numbers, place]).generate_state(2) >> 1  # fits signed integers too
        variable.assign(state.astype(variable.dtype))
