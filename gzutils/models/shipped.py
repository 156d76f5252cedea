"""The networks that the kit brings along, each with a card beside it that says what it learned from and how well.

`gzutils/trained/NAME.keras` and `NAME.json`; `course.shipping` wrote both.
"""

import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from gzutils.models.networks import NETWORKS, TRAINED
from gzutils.tools import records

CARD = ("network", "sha256", "protocol", "data", "training", "test", "weaknesses")  # what a card has at least
REMEDY = "fetch it again (git checkout, or install the kit anew)"


@dataclass(frozen=True)
class Shipped:
    """A network that came with the kit. model: float32, uint8 (N, 64, 64, 3) -> (N, 37). card: a dictionary."""

    name: str
    model: keras.Model
    card: dict[str, Any]


def names(place: Path | str | None = None) -> list[str]:
    """The networks of the kit's table that are in a folder (None: `TRAINED`), with their cards or without."""
    return [name for name in NETWORKS if (Path(place or TRAINED) / f"{name}.keras").is_file()]


def read_card(name: str, place: Path | str | None = None) -> dict[str, Any]:
    """A shipped network's card, without opening the network.

    Raises:
        ValueError: there is no such network, or its card is damaged.
    """
    path = Path(place or TRAINED) / f"{name}.json"
    if not path.is_file():
        there = ", ".join(names(place)) or "none"
        raise ValueError(f"the kit brings no network {name!r} along with a card {path}; there: {there}")
    try:
        card = records.read_record(path, *CARD)
        int(card["data"]["survey"]["seed"]), int(card["data"]["galaxies"]["train"])
        return card
    except (KeyError, TypeError):
        raise ValueError(f"{path} is damaged (it does not say which galaxies); {REMEDY}") from None
    except ValueError as error:
        raise ValueError(f"{str(error).split('; ')[0]}; {REMEDY}") from None


def open_network(name: str, place: Path | str | None = None) -> Shipped:
    """A shipped network with its card, after its checksum was compared.

    Raises:
        ValueError: there is no such network, or its file or card is damaged.
    """
    card, path = read_card(name, place), Path(place or TRAINED) / f"{name}.keras"
    if not path.is_file():
        raise ValueError(f"there is no {path} beside its card; {REMEDY}")
    if records.sha256(path) != card["sha256"]:
        raise ValueError(f"{path} is damaged or another than its card says (checksum); {REMEDY}")
    model = NETWORKS[name].build(**card["protocol"]["arguments"])  # other versions of Keras write it down otherwise
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        model.load_weights(archive.extract("model.weights.h5", folder))
    return Shipped(name, model, card)
