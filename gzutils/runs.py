"""The run directory: where a notebook writes, what it may read, and the settings it was made with.

runs/<name>/run.json                the settings and data that the run was started with; others are refused
runs/<name>/<notebook>/             model.keras, history.csv, metrics.json, figures/*.png
runs/<name>/notebooks/              the executed notebooks, as the pipeline wrote them
"""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from gzutils import backend, files, parameters, preprocessing, profiles
from gzutils.challenge import Challenge
from gzutils.dataset import Split, Store, open_store, split_galaxies
from gzutils.models import saved
from gzutils.progress import in_notebook
from gzutils.simulation import survey


def home() -> Path:
    """The folder of `runs/` and `data/`: the repository's root from anywhere inside it, else the current folder."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "gzutils" / "__init__.py").is_file() and (folder / "notebooks").is_dir():
            return folder
    return here


@dataclass(frozen=True)
class Run:
    """One notebook's part of a run; made by `start`.

    name: of the run. notebook: the notebook's file name without its ending. profile: what it means. data: "simulated"
    or "kaggle". data_dir: the challenge's files, or None. galaxies: as many at most. seed: of all that is random.
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

    @property
    def folder(self) -> Path:
        """Where this notebook writes."""
        return self.home / "runs" / self.name / self.notebook

    @property
    def is_report(self) -> bool:
        """Whether galaxies and protocol are the report's, so that its numbers can be held against these."""
        return self.data == "kaggle" and self.profile.name in ("report", "full") and not self.galaxies_asked

    def find_raw(self) -> Challenge:
        """The raw JPEGs and labels, simulated or downloaded where they do not exist yet."""
        return preprocessing.find_or_make_raw(self.data, self.home / "data", self.data_dir, self.galaxies, self.seed)

    def open_store(self) -> Store:
        """The preprocessed galaxies, made where they do not exist yet.

        Raises:
            ValueError: the run was made with other galaxies, or there are fewer than were asked for by number.
        """
        folder = preprocessing.find_or_make_store(
            self.data, self.home / "data", self.data_dir, self.galaxies, self.seed
        )
        store = open_store(folder, verify_images=True)  # half a second for the whole challenge
        if self.galaxies_asked and len(store) < self.galaxies:
            raise ValueError(f"{self.galaxies} galaxies were asked for, but the data have {len(store)}; ask for fewer")
        self._remember({"galaxies in the store": store.fingerprint})
        return store

    def set_up_training(self, precision: str = "float32", deterministic: bool = False, devices: int = 1) -> None:
        """Sets how the models of this process compute, see `backend.configure`; call it before the first is built.

        Raises:
            ValueError: a parameter makes no sense, or the profile "report" with a precision other than the report's.
        """
        if self.profile.name == "report" and precision != "float32":
            raise ValueError(f'PRECISION is {precision!r}; the profile "report" is always float32, "full" takes others')
        backend.configure(precision, deterministic, devices)

    def constraint_weight(self, asked: float | None) -> float:
        """Lambda of the loss: what the parameter CONSTRAINT_WEIGHT asks for, or, where that is None, the profile's.

        Raises:
            ValueError: it is no number, or less than 0.
        """
        return self.profile.constraint_weight if asked is None else parameters.weight("CONSTRAINT_WEIGHT", asked)

    def split(self, store: Store) -> Split:
        """The run's training, validation and test galaxies."""
        return split_galaxies(len(store), self.seed)

    def true_probabilities(self, galaxy_ids: np.ndarray) -> np.ndarray | None:
        """What infinitely many volunteers would say of simulated galaxies, float64 (N, 37); None for real ones."""
        return survey.true_labels(self.seed, galaxy_ids) if self.data == "simulated" else None

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Writes the notebook's `metrics.json`."""
        files.write_json(self.folder / "metrics.json", metrics)

    def read_metrics(self, notebook: str) -> dict[str, Any] | None:
        """Another notebook's metrics of the same run; None where it has not run yet."""
        path = self.folder.parent / notebook / "metrics.json"
        return files.read_record(path) if path.is_file() else None

    def model(self, notebook: str) -> keras.Model | None:
        """The model that another notebook of the same run trained; None where it has not (or not to its end).

        Raises:
            ValueError: its file is damaged.
        """
        path = self.folder.parent / notebook / "model.keras"
        return saved.load(path) if path.is_file() else None

    def show_figure(self, figure: Figure, name: str, caption: str) -> None:
        """Saves a figure as `figures/<name>.png` and shows it in the notebook with its caption, also as alt text."""
        path = self.folder / "figures" / f"{name}.png"
        with files.whole_file(path) as beside:
            figure.savefig(beside, dpi=100, metadata={"Software": None})
        plt.close(figure)
        if in_notebook():
            from IPython.display import Markdown, display

            # As data: `Image(…, alt=…)` is younger than Colab's IPython 7.34.
            picture = {"image/png": base64.b64encode(path.read_bytes()).decode(), "text/plain": caption}
            display(picture, metadata={"image/png": {"alt": caption}}, raw=True)
            display(Markdown(f"*{caption}*"))

    def _remember(self, settings: dict[str, Any]) -> None:
        path = self.home / "runs" / self.name / "run.json"
        known = files.read_record(path) if path.is_file() else {}
        for key, value in settings.items():
            if known.get(key, value) != value:
                raise ValueError(
                    f'the run "{self.name}" was made with {key} {known[key]!r}, now it is {value!r}; give this one a '
                    f"name of its own (RUN, or --run NAME), or delete {path.parent} (--fresh does)"
                )
        if settings.keys() - known.keys():
            files.write_json(path, known | settings)


def start(
    notebook: str,
    profile: str = "quick",
    data: str = "simulated",
    data_dir: str | Path | None = None,
    galaxies: int | None = None,
    run: str | None = None,
    seed: int = 0,
) -> Run:
    """Opens a notebook's part of a run; its arguments are the notebooks' parameters.

    Args:
        notebook: the notebook's file name without its ending.
        profile: "smoke", "quick", "report" or "full".
        data: "simulated" or "kaggle".
        data_dir: folder or competition zip with the challenge's files; a relative path starts at the project's root.
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
    parameters.whole_number("SEED", seed, least=0)
    if data_dir is not None and data != "kaggle":
        raise ValueError('DATA_DIR holds the challenge\'s files: it goes with DATA = "kaggle"')
    name = parameters.run_name(f"{profile}-{data}" if run is None else run)
    opened = Run(
        home=home(),
        name=name,
        notebook=notebook,
        profile=chosen,
        data=data,
        data_dir=None if data_dir is None else home() / Path(data_dir).expanduser(),
        galaxies=galaxies or chosen.galaxies,
        galaxies_asked=galaxies is not None,
        seed=seed,
    )
    opened._remember({"profile": profile, "data": data, "galaxies": opened.galaxies, "seed": seed})
    return opened
