"""*I don't know*: how far a picture lies from all that a network was trained on, in the network's own features.

A network answers whatever it is shown. That a picture is like none of its training galaxies cannot be seen in its
answers, but in its features: the distance to the nearest training galaxies. Logarithms of the features are compared: an
empty sky differs from a faint galaxy by little, but by a large factor. What is further away than nearly all galaxies
that the network has not seen either gets a warning. NumPy only.
"""

from dataclasses import dataclass

import numpy as np

QUANTILE = 0.99  # of the galaxies that set the limit: one in a hundred of their like gets a false alarm
NEIGHBOURS = 5  # the distance is that to the fifth nearest, so that one odd training galaxy vouches for nobody


@dataclass(frozen=True)
class Familiarity:
    """What a network knows. known: its training galaxies, as `_scaled` features (n, values).

    small: what is added to a feature before its logarithm is taken. scale: their spread, (values,). limit: the largest
    distance that still counts as familiar.
    """

    known: np.ndarray
    small: float
    scale: np.ndarray
    limit: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """How far pictures with these features (n, values) lie from the training galaxies, in limits: (n,).

        Above 1 the picture is unlike all that the network has learned from: its answers mean nothing.
        """
        return _to_neighbours(_scaled(features, self.small, self.scale), self.known) / self.limit


def learn(training: np.ndarray, others: np.ndarray) -> Familiarity:
    """What is familiar to a network with these features of its training galaxies, (n, values), none below 0.

    others: of galaxies that it was not trained on, (m, values), which set the limit.
    """
    small = max(0.01 * float(training.std()), 1e-6)
    spread = np.log(training.astype(np.float64) + small).std(axis=0)
    scale = np.maximum(spread, 0.05 * max(float(spread.max()), 1e-3))  # a filter that no galaxy moves
    known = _scaled(training, small, scale)
    limit = float(np.quantile(_to_neighbours(_scaled(others, small, scale), known), QUANTILE))
    return Familiarity(known, small, scale, max(limit, 1e-6))


def _scaled(features: np.ndarray, small: float, scale: np.ndarray) -> np.ndarray:
    return np.log(features.astype(np.float64) / small + 1) / scale


def strange_pictures(side: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Pictures that are no galaxies, by name: (side, side, 3) uint8 each."""
    rng, place = np.random.default_rng(seed), np.arange(side)
    across, colour = np.ones((side, side, 3)), np.array([40, 90, 200])
    board = (place[:, None] // 8 + place // 8) % 2
    pictures = {
        "empty, black": 0 * across,
        "empty sky": rng.normal(10, 4, across.shape),
        "noise": rng.uniform(0, 255, across.shape),
        "stripes": (127 + 120 * np.sin(place / 3))[:, None] * across,
        "one colour": colour * across,
        "chessboard": 255 * board[..., None] * across,
    }
    return {name: np.clip(picture, 0, 255).astype(np.uint8) for name, picture in pictures.items()}


def _to_neighbours(features: np.ndarray, known: np.ndarray, at_once: int = 512) -> np.ndarray:
    """The distance of each (n, values) to its `NEIGHBOURS`-th nearest, or the furthest where there are fewer."""
    place = min(NEIGHBOURS, len(known)) - 1
    squares = (known**2).sum(axis=1)
    found = [np.zeros(0)]
    for start in range(0, len(features), at_once):
        some = features[start : start + at_once]
        squared = (some**2).sum(axis=1)[:, None] + squares - 2 * some @ known.T
        found.append(np.sqrt(np.maximum(np.partition(squared, place, axis=1)[:, place], 0)))
    return np.concatenate(found)
