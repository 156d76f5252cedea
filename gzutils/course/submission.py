"""The challenge's submission: a model's 37 shares for each galaxy of `images_test_rev1`, in the format Kaggle reads."""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from gzutils.data.archives import ChallengeError
from gzutils.data.challenge import Images
from gzutils.data.jpegs import decoders, preprocessed
from gzutils.data.solutions import write_submission
from gzutils.data.view import REPORT_VIEW, View
from gzutils.decision_tree import COLUMNS
from gzutils.models import saved
from gzutils.tools import backend, files, records

TEST_GALAXIES = 79_975  # rows that Kaggle's own test set has, and expects
CHUNK = 512  # galaxies between two points from which an interrupted call goes on


@dataclass(frozen=True)
class Submission:
    """What was written: the file, its galaxies, and the images that could not be used (GalaxyID -> file and reason)."""

    path: Path
    galaxies: int
    rejected: dict[str, str]

    @property
    def summary(self) -> str:
        """In one sentence, what is in the file, and what it lacks for Kaggle to take it."""
        text = f"{self.galaxies:,} galaxies"
        if self.galaxies != TEST_GALAXIES:
            text += f", where Kaggle expects {TEST_GALAXIES:,}: it will not take this file"
        if self.rejected:
            first = next(iter(self.rejected.values()))
            text += f"; left out as unreadable: {len(self.rejected)}, the first is {first}"
        return text + "."


def make(
    model: keras.Model,
    images: Images,
    path: Path | str,
    batch_size: int = 128,
    view: View = REPORT_VIEW,
    learned_from: str | None = None,
) -> Submission:
    """Predicts all galaxies of a folder or zip and writes the submission, ascending by GalaxyID.

    Only two chunks of images are in memory at a time. Interrupted and called again with the same model and images, it
    goes on where it was: until all is done, the shares stand in a file beside `path`.

    Args:
        model: uint8 (N, side, side, 3) -> (N, 37).
        images: see `challenge.Images`; of 424x424 pixels, cut and shrunk as for training.
        path: the .csv file.
        batch_size: galaxies at once in the model.
        view: what the model sees of each.
        learned_from: the source of the galaxies that the model learned from; None: not known.

    Raises:
        ChallengeError: the model learned from Galaxy Zoo 2, there are no images, none of them can be used, or the
            model's values are not in [0, 1].
    """
    path = Path(path)
    if learned_from == "gz2":
        raise ChallengeError(
            f"{path} is not written: the network learned from Galaxy Zoo 2, which holds the challenge's test galaxies "
            f'with their votes, so it may know the answers; ask one that learned from DATA = "kaggle"'
        )
    galaxy_ids = images.galaxy_ids()
    # Names weights, images and view, so that what one left half done is never another's beginning.
    made_of = records.fingerprint([saved.weights_fingerprint(model), images.identity(), asdict(view)])
    partial = path.with_name(f"{path.stem}-{made_of}.partial.npy")
    _open_partial(partial, len(galaxy_ids))
    rejected: dict[str, str] = {}
    todo = np.flatnonzero(np.isnan(np.load(partial, mmap_mode="r")).any(axis=1))
    with decoders(images, len(todo)) as mapped, backend.on_one_device(model) as predictor:
        for rows, usable, pixels, refused in preprocessed(mapped, images, galaxy_ids, todo, CHUNK, "Submission", view):
            rejected |= refused
            if len(pixels):
                # Mapped anew for each chunk, so that the memory in use does not grow with what is written.
                shares = np.load(partial, mmap_mode="r+")
                shares[rows[usable]] = _checked(predictor.predict(pixels, batch_size=batch_size, verbose=0))
                shares.flush()
                del shares
    shares = np.load(partial)
    kept = ~np.isnan(shares).any(axis=1)
    if not kept.any():
        first = next(iter(rejected.values()))
        raise ChallengeError(f"{images.path}: none of its images can be used, the first is {first}")
    write_submission(path, galaxy_ids[kept], shares[kept])
    for left in path.parent.glob(f"{path.stem}-*.partial.npy"):  # also what other models left half done
        left.unlink()
    return Submission(path, int(kept.sum()), rejected)


def _checked(shares: np.ndarray) -> np.ndarray:
    if not ((shares >= 0) & (shares <= 1)).all():
        raise ChallengeError("the model gives values that are no shares from 0 to 1; train it again, or take another")
    return shares


def _open_partial(partial: Path, count: int) -> None:
    """Makes the file of shares (count, 37), not-a-number where they are still to be predicted, where there is none."""
    if not partial.is_file():
        files.write_array(partial, np.full((count, len(COLUMNS)), np.nan, np.float32))
