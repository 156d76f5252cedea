"""The run directory: where a notebook writes, what it may read, and the settings it was made with.

runs/<name>/run.json                the settings and data that the run was started with; others are refused
runs/<name>/<notebook>/             model.keras, history.csv, metrics.json, figures/*.png
runs/<name>/notebooks/              the executed notebooks, as the pipeline wrote them
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure

from gzutils import parameters, profiles, report
from gzutils.course import figures
from gzutils.data import preprocessing
from gzutils.data.challenge import Challenge
from gzutils.data.simulation import survey
from gzutils.data.store import Split, Store, open_store, split_galaxies
from gzutils.data.view import REPORT_VIEW, View
from gzutils.learning import training
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.predict import mean_prediction
from gzutils.learning.recipe import Recipe
from gzutils.models import pretrained, saved
from gzutils.models.networks import NETWORKS
from gzutils.tools import backend, records


def home() -> Path:
    """The folder of `runs/` and `data/`: the repository's root from anywhere inside it, else the current folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "gzutils" / "__init__.py").is_file() and (folder / "notebooks").is_dir():
            return folder
    return here


@dataclass(frozen=True)
class Run:
    """One notebook's part of a run; made by `begin` or `start`.

    name: of the run. notebook: the notebook's file name without its ending. profile: what it means. data: "simulated",
    "gz2" or "kaggle". data_dir: the real galaxies' files, or None. debiased: by whom, of "gz2". galaxies: as many at
    most; None: all. seed: of all that is random.
    asked: the notebook's further parameters, see `parameters.PARAMETERS`. place: the run's folder; None: runs/<name>.
    """

    home: Path
    name: str
    notebook: str
    profile: profiles.Profile
    data: str
    data_dir: Path | None
    galaxies: int | None
    galaxies_asked: bool
    seed: int
    debiased: str = parameters.DEBIASED[0]
    asked: dict[str, Any] = field(default_factory=dict)
    place: Path | None = None

    @property
    def folder(self) -> Path:
        """Where this notebook writes."""
        return (self.place or self.home / "runs" / self.name) / self.notebook

    @property
    def is_report(self) -> bool:
        """Whether galaxies and protocol are the report's, so that its numbers can be held against these.

        False until the store was opened: only then is it known how many galaxies there are.
        """
        there = records.read_record(self._record).get("galaxies there")
        return self.data == "kaggle" and self.profile.name in ("report", "full") and there == report.GALAXIES

    def find_raw(self) -> Challenge:
        """The raw JPEGs and labels, simulated or downloaded where they do not exist yet."""
        return preprocessing.find_or_make_raw(
            self.data, self.home / "data", self.data_dir, self.galaxies, self.seed, self.debiased
        )

    def open_store(self, view: View = REPORT_VIEW) -> Store:
        """The preprocessed galaxies in a view, made where they do not exist yet.

        Raises:
            ValueError: the run was made with other galaxies, or there are fewer than were asked for by number.
        """
        folder = preprocessing.find_or_make_store(
            self.data, self.home / "data", self.data_dir, self.galaxies, self.seed, view, self.debiased
        )
        store = open_store(folder, verify_images=True)  # half a second for the whole challenge
        if self.data == "gz2":
            print(store.manifest["source"]["credit"])
        if self.galaxies_asked and len(store) + len(store.manifest.get("rejected", ())) < self.galaxies:
            raise ValueError(f"{self.galaxies} galaxies were asked for, but the data have {len(store)}; ask for fewer")
        # Other views are of the same galaxies, which the report's view names.
        seen = "galaxies in the store" if view == REPORT_VIEW else f"galaxies in the store, {view.crop} to {view.side}"
        self._remember({seen: store.fingerprint, "galaxies there": len(store)})
        if store.left_out:
            print("left out: " + ", ".join(f"{count:,} {what}" for what, count in store.left_out.items()))
        return store

    def set_up_training(self) -> None:
        """Sets how the models of this process compute, as PRECISION, DETERMINISTIC and DEVICES ask for.

        Call it before the first model is built; see `backend.configure`.

        Raises:
            ValueError: a parameter makes no sense, or the profile "report" with a precision other than the report's.
        """
        wanted = {name: self._asked(name) for name in ("PRECISION", "DETERMINISTIC", "DEVICES")}
        precision = wanted["PRECISION"]
        if self.profile.name == "report" and precision != "float32":
            raise ValueError(f'PRECISION is {precision!r}; the profile "report" is always float32, "full" takes others')
        backend.configure(*wanted.values())

    @property
    def constraint_weight(self) -> float:
        """Lambda of the loss: what CONSTRAINT_WEIGHT asks for, or the profile's."""
        asked = self._asked("CONSTRAINT_WEIGHT")
        return self.profile.constraint_weight if asked is None else asked

    @property
    def study(self) -> profiles.Study:
        """The study of the constraints as the profile has it, with as many trainings as SEEDS asks for."""
        seeds, study = self._asked("SEEDS"), self.profile.constraint_study
        return study if seeds is None else replace(study, seeds=seeds)

    def initial_weights(self, network: str) -> tuple[dict[str, Any], str]:
        """What a pretrained network starts from, as INITIAL_WEIGHTS asks: what `pretrained.find_weights` returns."""
        required = self.profile.name in ("report", "full")
        found = pretrained.find_weights(network, self._asked("INITIAL_WEIGHTS"), required, self.home)
        if found[0]["initial_weights"] == "galaxies" and self.data == "simulated":
            pretrained.refuse_its_own_galaxies(network, self.seed)
        return found

    def plan(self, network: str) -> profiles.Plan:
        """How a network is built and trained: what the profile says, changed by the notebook's parameters.

        Where the profile stops no training early, one of other EPOCHS is not stopped early either.
        """
        if network not in self.profile.plans:
            raise ValueError(
                f'the profile "{self.profile.name}" has no plan for {network}; add one in gzutils/profiles.py'
            )
        plan = self.profile.plans[network]
        recipe, epochs, copies = plan.recipe, self._asked("EPOCHS"), self._asked("FEATURE_COPIES")
        if epochs is not None:
            patience = epochs if recipe.patience >= recipe.epochs else recipe.patience
            recipe = replace(recipe, epochs=epochs, patience=patience)
        arguments = {name.lower(): self._asked(name) for name in parameters.OF_NETWORKS}
        model = plan.model | {name: value for name, value in arguments.items() if value is not None}
        return replace(
            plan, recipe=recipe, model=model, feature_copies=plan.feature_copies if copies is None else copies
        )

    def arguments(self, network: str, store: Store, split: Split) -> dict[str, Any]:
        """The arguments of a network's builder in this run: the plan's, and where it says so the mean answers."""
        plan = self.plan(network)
        start = {"mean_answers": mean_prediction(store, split).round(4).tolist()} if plan.start_at_mean else {}
        return plan.model | start

    def recipe(self, network: str) -> Recipe:
        """A network's plan with the report's loss (section 6.2) and augmentation (section 4.4)."""
        loss = ConstrainedMeanSquaredError(self.constraint_weight, self.profile.constraints)
        return replace(self.plan(network).recipe, loss=loss, augmentation=RandomAffine(**self.profile.augmentation))

    def network(self, name: str, store: Store, split: Split) -> keras.Model:
        """The network that its notebook trained in this run; where it has not, it is trained here in the same way."""
        model = self.model(NETWORKS[name].notebook)
        if model is None:
            print(f"This run has no network of notebook {NETWORKS[name].notebook[:2]} yet, so it is trained here.")
            keras.utils.set_random_seed(self.seed)
            model = NETWORKS[name].build(**self.arguments(name, store, split))
            folder = self.folder.parent / NETWORKS[name].notebook
            training.train(model, store.examples(), split, self.recipe(name), folder, self.seed)
        return model

    def split(self, store: Store) -> Split:
        """The run's training, validation and test galaxies."""
        return split_galaxies(len(store), self.seed)

    def true_probabilities(self, galaxy_ids: np.ndarray) -> np.ndarray | None:
        """What infinitely many volunteers would say of simulated galaxies, float64 (N, 37); None for real ones."""
        return survey.true_labels(self.seed, galaxy_ids) if self.data == "simulated" else None

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Writes the notebook's `metrics.json`."""
        records.write_json(self.folder / "metrics.json", metrics)

    def read_metrics(self, notebook: str) -> dict[str, Any] | None:
        """Another notebook's metrics of the same run; None where it has not run yet."""
        path = self.folder.parent / notebook / "metrics.json"
        return records.read_record(path) if path.is_file() else None

    def model(self, notebook: str) -> keras.Model | None:
        """The model that another notebook of the same run trained; None where it has not (or not to its end).

        Raises:
            ValueError: its file is damaged.
        """
        path = self.folder.parent / notebook / "model.keras"
        return saved.load(path) if path.is_file() else None

    def show_figure(self, figure: Figure, name: str, caption: str) -> None:
        """Saves a figure as `figures/<name>.png` and shows it in the notebook with its caption, also as alt text."""
        figures.save_and_show(figure, self.folder / "figures" / f"{name}.png", caption)

    def _asked(self, name: str) -> Any:
        """A parameter of the notebook, or what it is where the notebook does not set it."""
        return self.asked.get(name, parameters.PARAMETERS[name].default)

    @property
    def _record(self) -> Path:
        return self.folder.parent / "run.json"

    def _remember(self, settings: dict[str, Any]) -> None:
        path = self._record
        for key, (there, now) in records.remember(path, settings, by_and_by=True).items():
            raise ValueError(
                f'the run "{self.name}" was made with {key} {there!r}, now it is {now!r}; give this one a '
                f"name of its own (RUN, or --run NAME), or delete {path.parent} (--fresh does)"
            )


def begin(notebook: str, given: dict[str, Any]) -> Run:
    """Opens a notebook's part of a run with the notebook's parameters.

    Args:
        notebook: its file name without its ending.
        given: the notebook's names (`globals()`). Those of `parameters.PARAMETERS` count, whether its cell of
            parameters sets them, a line that you add to it, or papermill.

    Raises:
        ValueError: a parameter makes no sense, or is almost called like one of them; or the run was made with other
            settings. The message names it.
    """
    asked = parameters.among(given)
    common = {name.lower(): asked.pop(name) for name in parameters.OF_RUNS if name in asked}
    return replace(start(notebook, **common), asked=asked)


def start(
    notebook: str,
    profile: str = "quick",
    data: str = "simulated",
    data_dir: str | Path | None = None,
    debiased: str = parameters.DEBIASED[0],
    galaxies: int | None = None,
    run: str | None = None,
    seed: int = 0,
) -> Run:
    """Opens a notebook's part of a run; its arguments are the notebooks' parameters.

    Args:
        notebook: the notebook's file name without its ending.
        profile: "smoke", "quick", "report" or "full".
        data: "simulated", "gz2" or "kaggle".
        data_dir: folder or zip with the real galaxies' files; a relative path starts at the project's root.
        debiased: of "gz2", by whom: "willett" or "hart".
        galaxies: how many; None: as the profile says.
        run: the run's name; None: `<profile>-<data>`.
        seed: of the survey, the split, the first weights and the training.

    Raises:
        ValueError: a parameter makes no sense, or the run was made with other settings; the message names it.
    """
    chosen = profiles.get(profile)
    parameters.choice("DATA", data, parameters.DATA_SOURCES)
    if galaxies is not None:
        parameters.whole_number("GALAXIES", galaxies, parameters.FEWEST_GALAXIES)
    parameters.seed("SEED", seed)
    if data_dir is not None and not isinstance(data_dir, str | Path):
        raise ValueError(f"DATA_DIR is {data_dir!r}; it has to be the name of a folder or of a zip")
    if data_dir is not None and data not in parameters.WITH_FILES:
        raise ValueError('DATA_DIR holds real galaxies: it goes with DATA = "gz2" or "kaggle"')
    parameters.choice("DEBIASED", debiased, parameters.DEBIASED)
    if debiased != parameters.DEBIASED[0] and data != "gz2":
        raise ValueError('DEBIASED is for Galaxy Zoo 2: it goes with DATA = "gz2"')
    large = profile in ("report", "full")  # they take all of Galaxy Zoo 2, which is larger than the challenge
    name = parameters.run_name(f"{profile}-{data}" if run is None else run)
    opened = Run(
        home=home(),
        name=name,
        notebook=notebook,
        profile=chosen,
        data=data,
        data_dir=None if data_dir is None else home() / Path(data_dir).expanduser(),
        debiased=debiased,
        galaxies=galaxies or (None if data == "gz2" and large else chosen.galaxies),
        galaxies_asked=galaxies is not None,
        seed=seed,
    )
    whose = {"debiased": debiased} if data == "gz2" else {}
    opened._remember({"profile": profile, "data": data, "galaxies": opened.galaxies, "seed": seed} | whose)
    return opened
