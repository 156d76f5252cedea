"""Writes a simulated survey in the challenge's layout, on all cores, and goes on where it was interrupted."""

import contextlib
import dataclasses
import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from gzutils.data.jpegs import crop
from gzutils.data.simulation.appearance import Appearance
from gzutils.data.simulation.drawing import draw_component, draw_galaxy, look
from gzutils.data.simulation.galaxies import Galaxy, draw_properties
from gzutils.data.simulation.volunteers import true_probabilities, vote
from gzutils.data.view import REPORT_VIEW, View
from gzutils.decision_tree import COLUMNS, shares_of_counts
from gzutils.tools import workers
from gzutils.tools.files import check_room, explained, locked, whole_file
from gzutils.tools.progress import progress
from gzutils.tools.records import read_record, write_json

# Raised by hand whenever the same seed and number give another picture or other votes; a test holds some of both.
VERSION = 2
FIRST_ID = 100001
IMAGES = "images_training_rev1"
LABELS = "training_solutions_rev1.csv"
VOTES = "simulated_votes.csv"
TRUTH = "simulated_truth.csv"
RECORD = "survey.json"
CHUNK = 32  # galaxies a task
MANY = 2000  # galaxies whose truth takes one process longer than starting others does
JPEG_QUALITY = 75  # the challenge's own quantisation table
IMAGE_BYTES = 20_000  # a picture's size on the disk, rounded up
PROPERTIES = tuple(field.name for field in dataclasses.fields(Galaxy))
HEADER = ",".join(["GalaxyID", *COLUMNS]) + "\n"
TRUTH_HEADER = ",".join(["GalaxyID", *PROPERTIES, *(c.replace("Class", "True") for c in COLUMNS)]) + "\n"


def make_survey(folder: Path, galaxies: int, seed: int = 0, processes: int | None = None) -> Path:
    """Draws galaxies 0 to `galaxies` - 1 of the survey with this seed, images and votes, and writes them.

    A galaxy depends on the seed and its number alone, so a larger survey begins with the smaller one, and the
    number of processes changes nothing. Galaxies that are there already are kept; the tables are written last.

    Args:
        folder: where to write; made if it is not there. A folder keeps the seed that it began with.
        galaxies: how many the folder must hold at least.
        seed: names the survey.
        processes: how many draw at once; None for one a core, and for just this one where there is little to do.

    Returns:
        `folder`, with the images (`IMAGES`), the labels (`LABELS`), how many volunteers gave each answer (`VOTES`),
        and the galaxies' properties and true probabilities (`TRUTH`).

    Raises:
        ValueError: where `galaxies` or `processes` is less than 1, or the folder holds another survey.
        files.NotWritten: the disk is full, or may not be written.
        RuntimeError: a process that drew was killed.
    """
    folder = Path(folder)
    if galaxies < 1:
        raise ValueError(f"a survey has at least 1 galaxy, not {galaxies}")
    if seed < 0:
        raise ValueError(f"a seed is 0 or more, not {seed}")
    if processes is not None and processes < 1:
        raise ValueError(f"drawing takes at least 1 process, not {processes}")
    if not _is_there(folder, galaxies, seed):
        with locked(folder, wait=True), explained(folder):
            if not _is_there(folder, galaxies, seed):  # another process may have drawn it meanwhile
                _draw(folder, max(galaxies, _finished_galaxies(folder, seed)), seed, processes)
    return folder


def _is_there(folder: Path, galaxies: int, seed: int) -> bool:
    finished = _finished_galaxies(folder, seed)
    tables = all((folder / name).exists() for name in (LABELS, VOTES, TRUTH))
    return finished >= galaxies and tables and not _missing(folder, finished)


def _missing(folder: Path, total: int) -> int:
    """How many of the first `total` galaxies have no image yet."""
    images = folder / IMAGES
    present = set(os.listdir(images)) if images.exists() else set()
    return sum(f"{FIRST_ID + number}.jpg" not in present for number in range(total))


def _draw(folder: Path, total: int, seed: int, processes: int | None) -> None:
    images, missing = folder / IMAGES, _missing(folder, total)
    check_room(folder, missing * IMAGE_BYTES, f"a survey of {total} galaxies")
    # The record comes first: it tells a later call that what an interrupted one left here is this survey's.
    write_json(folder / RECORD, identity(seed) | {"galaxies": _finished_galaxies(folder, seed)})
    images.mkdir(exist_ok=True)
    if processes is None:
        processes = 1 if missing < 100 else workers.cores()
    tasks = [(images, seed, start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)]
    with contextlib.ExitStack() as stack, workers.mapping(min(processes, len(tasks))) as mapped:
        tables = []
        for name, header in ((LABELS, HEADER), (VOTES, HEADER), (TRUTH, TRUTH_HEADER)):
            beside = stack.enter_context(whole_file(folder / name))
            tables.append(stack.enter_context(open(beside, "w", encoding="utf-8", newline="")))
            tables[-1].write(header)
        every_row = (row for chunk in mapped(_draw_chunk, tasks) for row in chunk)
        for rows in progress(every_row, "Drawing galaxies", total, "galaxies"):
            for table, row in zip(tables, rows, strict=True):
                table.write(row)
    write_json(folder / RECORD, identity(seed) | {"galaxies": total})


def identity(seed: int) -> dict:
    """What decides which galaxies a survey has: its seed, and the simulation's version."""
    return {"seed": seed, "version": VERSION}


def simulate(seed: int, number: int) -> tuple[Galaxy, np.ndarray, np.ndarray]:
    """Galaxy `number` of the survey with this seed.

    Returns:
        The galaxy, how many volunteers gave each answer (37, int64), and its true probabilities (37, float64).
    """
    galaxy = draw_properties(_stream(seed, number, 0))
    seen = look(galaxy, _stream(seed, number, 1))  # its light is drawn for that, its picture is not
    return galaxy, vote(seen, _stream(seed, number, 2)), true_probabilities(seen)


def image_of(galaxy: Galaxy, seed: int, number: int) -> np.ndarray:
    """Its image in that survey, uint8 (424, 424, 3)."""
    return picture_of(galaxy, seed, number)[0]


def picture_of(galaxy: Galaxy, seed: int, number: int) -> tuple[np.ndarray, Appearance]:
    """Its image in that survey, uint8 (424, 424, 3), and what can be seen of the galaxy in it."""
    return draw_galaxy(galaxy, _stream(seed, number, 1))


def component_of(galaxy: Galaxy, seed: int, number: int, component: str) -> np.ndarray:
    """Where its "bulge", "bar", "arms", "ring" or "disk" is in that image, float32 (424, 424), see `draw_component`."""
    return draw_component(galaxy, component, _stream(seed, number, 1))


def true_region(seed: int, galaxy_id: int, component: str, share: float = 0.8, view: View = REPORT_VIEW) -> np.ndarray:
    """Where a part of a simulated galaxy lies in its picture: the fewest pixels that hold a share of the part's light.

    Args:
        seed: the survey's. galaxy_id: of one of its galaxies. component: "bulge", "bar", "arms", "ring" or "disk".
        share: 0 to 1.

    Returns:
        (side, side) bool; all False where the galaxy has no such part.
    """
    number = int(galaxy_id) - FIRST_ID
    light = component_of(draw_properties(_stream(seed, number, 0)), seed, number, component)
    small = crop(Image.fromarray(light), view).resize((view.side, view.side), Image.Resampling.BOX)
    values = np.asarray(small, np.float64)
    brightest_first = np.sort(values, axis=None)[::-1]
    if brightest_first[0] <= 0:
        return np.zeros(values.shape, bool)
    enough = np.searchsorted(brightest_first.cumsum(), share * values.sum())
    return values >= brightest_first[min(enough, values.size - 1)]


def true_labels(seed: int, galaxy_ids: np.ndarray) -> np.ndarray:
    """The true probabilities, float64 (N, 37), of galaxies of the survey with this seed, as `simulated_truth.csv`."""
    numbers = [int(i) - FIRST_ID for i in galaxy_ids]
    chunks = [(seed, numbers[start : start + CHUNK]) for start in range(0, len(numbers), CHUNK)]
    with workers.mapping(workers.cores() if len(numbers) > MANY else 1) as mapped:
        return np.concatenate(list(mapped(_true_chunk, chunks)))


def _true_chunk(task: tuple[int, list[int]]) -> np.ndarray:
    seed, numbers = task
    return np.stack([simulate(seed, number)[2] for number in numbers])


def _stream(seed: int, number: int, purpose: int) -> np.random.Generator:
    """Random numbers of one galaxy: properties (purpose 0), drawing (1) and votes (2) do not disturb each other."""
    return np.random.default_rng([seed, number, purpose])


def _finished_galaxies(folder: Path, seed: int) -> int:
    """How many galaxies the last call that ran to its end left here; 0 in a new folder."""
    if not (folder / RECORD).exists():
        if (folder / LABELS).exists() or (folder / IMAGES).exists():
            raise ValueError(f"{folder} holds galaxies that no simulation wrote ({RECORD} is missing): choose another")
        return 0
    try:
        record = read_record(folder / RECORD, "seed", "version", "galaxies")
    except ValueError:
        raise ValueError(f"{folder / RECORD} is damaged; delete {folder} and run again, to draw it anew") from None
    if record["seed"] != seed:
        raise ValueError(f"{folder} holds the survey with seed {record['seed']}, not {seed}: choose another folder")
    if record["version"] != VERSION:
        raise ValueError(f"{folder} was drawn by another version of the simulation: delete it or choose another folder")
    return record["galaxies"]


def _draw_chunk(task: tuple[Path, int, int, int]) -> list[tuple[str, str, str]]:
    """Writes the images that are missing among a run of galaxies, and returns the rows of the three tables."""
    images, seed, start, stop = task
    rows = []
    for number in range(start, stop):
        path = images / f"{FIRST_ID + number}.jpg"
        if path.exists():
            galaxy, votes, truth = simulate(seed, number)
        else:
            galaxy = draw_properties(_stream(seed, number, 0))
            image, seen = picture_of(galaxy, seed, number)
            votes, truth = vote(seen, _stream(seed, number, 2)), true_probabilities(seen)
            jpeg = io.BytesIO()  # Pillow writing to a file itself does not notice that the disk got full (13.0)
            Image.fromarray(image).save(jpeg, "JPEG", quality=JPEG_QUALITY)
            with whole_file(path) as beside:
                beside.write_bytes(jpeg.getvalue())
        properties = ",".join(str(getattr(galaxy, name)) for name in PROPERTIES)
        rows.append(
            (
                f"{FIRST_ID + number},{_digits(shares_of_counts(votes[None])[0])}\n",
                f"{FIRST_ID + number},{','.join(map(str, votes))}\n",
                f"{FIRST_ID + number},{properties},{_digits(truth)}\n",
            )
        )
    return rows


def _digits(values: np.ndarray) -> str:
    return ",".join(f"{value:.8f}" for value in values)
