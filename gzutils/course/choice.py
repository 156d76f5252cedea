"""Whose network a notebook asks: this run's own, the kit's, or a file."""

from dataclasses import dataclass
from pathlib import Path

import keras

from gzutils.course.runs import Run
from gzutils.data.store import Split, Store
from gzutils.decision_tree import COLUMNS
from gzutils.learning import metrics
from gzutils.learning.predict import predict
from gzutils.models import saved, shipped
from gzutils.models.networks import NETWORKS, says_shares

SAMPLE = 200  # galaxies that two networks are compared on; the full-size CNN takes 5 s for them on two cores
OF_THE_KIT = "trained/"


@dataclass(frozen=True)
class Chosen:
    """A network to ask. whose: it is, in words that end a sentence. from_kit: whether it came with the kit.

    learned_from: the source of its galaxies, such as "gz2"; None: its file does not say.
    """

    model: keras.Model
    whose: str
    learned_from: str | None
    from_kit: bool = False


def choose(run: Run, store: Store, split: Split, asked: str | None = None, name: str = "parallel_cnn") -> Chosen:
    """The network that a notebook asks; prints why, where there was a choice.

    Args:
        asked: "02_parallel_cnn": the network that a notebook of this run trained (that of `name` is trained here where
            it has not been yet). "trained/parallel_cnn": one that comes with the kit. "mine.keras": a file, from the
            project's root. None: of this run's `name` and the kit's the one with the lower RMSE on some validation
            galaxies, and the kit's where this run has none yet. Of real galaxies, and where the kit's has learned from
            this run's galaxies, None is this run's.

    Raises:
        ValueError: there is no such network, its file is damaged, or it takes or gives other shapes than the kit's.
    """
    own = NETWORKS[name].notebook
    asked = None if asked is None else str(asked)
    if asked is None:
        return _better(run, store, split, name)
    if asked.endswith(".keras"):
        path = run.home / Path(asked).expanduser()
        chosen = Chosen(saved.load(path), f"that of {path.name}", saved.learned_from(path))
    elif asked.startswith(OF_THE_KIT):
        chosen = _of_the_kit(asked.removeprefix(OF_THE_KIT), run)
    else:
        model = run.network(name, store, split) if asked == own else run.model(asked)
        if model is None:
            raise ValueError(f"this run has no network of {asked}: run that notebook first, or name another in MODEL")
        chosen = _of_this_run(model, asked, run)
    _insist_on_shapes(chosen.model, store, asked)
    return chosen


def _better(run: Run, store: Store, split: Split, name: str) -> Chosen:
    title, own = NETWORKS[name].title, NETWORKS[name].notebook
    by_hand = f'MODEL = "{OF_THE_KIT}{name}"'
    if name not in shipped.names():
        return choose(run, store, split, own, name)
    if run.data != "simulated":
        print(f"The {title} that comes with the kit has seen simulated galaxies only; {by_hand} asks it all the same.")
        return choose(run, store, split, own, name)
    if run.seed == shipped.read_card(name)["data"]["survey"]["seed"]:
        print(
            f"The {title} that comes with the kit has learned from these very galaxies; {by_hand} asks it all the same."
        )
        return choose(run, store, split, own, name)
    kits, this = _of_the_kit(name, run), run.model(own)
    if this is None:
        print(f'This run has no {title} yet, so it is {kits.whose}. MODEL = "{own}" trains this run\'s.')
        return kits
    _insist_on_shapes(this, store, own)
    rows = split.validation[:SAMPLE]
    ours, theirs = (metrics.rmse(predict(one, store.images, rows), store.labels[rows]) for one in (this, kits.model))
    print(
        f"RMSE on {len(rows)} validation galaxies: this run's {title} {ours:.4f}, the one that comes with the kit "
        f"{theirs:.4f}."
    )
    if ours <= theirs:
        print(f"So it is this run's. {by_hand} takes the other.")
        return _of_this_run(this, own, run)
    print(f'So it is {kits.whose}. MODEL = "{own}" takes this run\'s.')
    return kits


def _insist_on_shapes(model: keras.Model, store: Store, whose: str) -> None:
    if not says_shares(model.name):
        raise ValueError(
            f"the network of {whose} does not say the 37 shares that are asked for here; notebook "
            f"{NETWORKS[model.name].notebook[:2]} shows what it says"
        )
    if not saved.fits(model, store.images.shape[1:], len(COLUMNS)):
        raise ValueError(f"the network of {whose} takes or gives other shapes than this kit's")


def _of_this_run(model: keras.Model, notebook: str, run: Run) -> Chosen:
    """What its file says it has learned from counts for more than the run: somebody may have put it there."""
    path = run.folder.parent / notebook / "model.keras"
    learned_from = saved.learned_from(path) if path.is_file() else None
    return Chosen(model, f"this run's of notebook {notebook[:2]}", learned_from or run.data)


def _of_the_kit(name: str, run: Run) -> Chosen:
    found = shipped.open_network(name)
    same = run.data == "simulated" and run.seed == found.card["data"]["survey"]["seed"]
    from_where = "this run's own galaxies among them, those of the test too" if same else "none of them this run's"
    galaxies = found.card["data"]["galaxies"]["train"]
    whose = f"the kit's, which learned from {galaxies:,} simulated galaxies, {from_where}"
    return Chosen(found.model, whose, "simulated", from_kit=True)
