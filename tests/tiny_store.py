"""A small store made in a test: blobs whose width decides their votes, so that a network can learn them."""

from pathlib import Path

import numpy as np

from gzutils.data.preprocessing import STORE_VERSION
from gzutils.data.store import Store, open_store
from gzutils.decision_tree import QUESTIONS, down_the_tree
from gzutils.tools import records


def labels_from_chances(chances):
    """Cumulative vote fractions (N, 37) from each question's own shares (N, 37), as the challenge makes them."""
    answered = {question.number: chances[:, question.slice] for question in QUESTIONS}
    shares = {number: chance / chance.sum(axis=1, keepdims=True) for number, chance in answered.items()}
    return np.concatenate(down_the_tree(shares), axis=1)


def make_tiny_store(folder: Path, count: int = 60, seed: int = 0) -> Store:
    """Writes a store of `count` galaxies and opens it."""
    rng = np.random.default_rng(seed)
    width, brightness = rng.uniform(3, 14, count), rng.uniform(80, 250, count)
    y, x = np.mgrid[:64, :64] - 31.5
    blobs = brightness[:, None, None] * np.exp(-(x**2 + y**2) / (2 * width[:, None, None] ** 2))
    images = np.repeat(blobs[..., None], 3, axis=-1).astype(np.uint8)
    chances = rng.uniform(0.1, 1, (1, 37)) + np.zeros((count, 37))
    chances[:, 0] = (width - 3) / 5
    labels = labels_from_chances(chances + 1e-3).astype(np.float32)
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "galaxy_ids.npy", np.arange(100_001, 100_001 + count))
    arrays = ("images.npy", "labels.npy", "galaxy_ids.npy")
    records.write_json(
        folder / "manifest.json",
        {
            "version": STORE_VERSION,
            "galaxies": count,
            "source": {"data": "tiny"},
            "view": {"crop": 210, "side": 64},
            "sha256": {name: records.sha256(folder / name) for name in arrays},
        },
    )
    return open_store(folder)
