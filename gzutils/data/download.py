"""Downloads the challenge's files from Kaggle, and says in plain words why that did not work."""

import os
import shutil
from pathlib import Path

from gzutils.data.archives import COMPETITION, PAGE, open_zip, refusal
from gzutils.data.challenge import SOLUTIONS, TEST_IMAGES, TRAINING_IMAGES, present
from gzutils.tools.files import check_room, whole_file

SIZES = {TRAINING_IMAGES: 850_000_000, SOLUTIONS: 6_000_000, TEST_IMAGES: 1_100_000_000}  # in bytes, rounded up
TOKEN_PAGE = "https://www.kaggle.com/settings/api"


def download(folder: Path | str, test_images: bool = False) -> Path:
    """Downloads the challenge's zips into a folder, with kagglehub, and returns the folder.

    What is there already is not asked for again. kagglehub finds the credentials and keeps a copy in its own cache,
    so that a download that was cut off continues; on the same disk that copy takes no space of its own.

    Args:
        folder: where the files go; `challenge.find` reads them from there.
        test_images: whether to get the unlabelled images too (1.1 GB more).

    Raises:
        ChallengeError: no credentials, rules not accepted, no network, or a damaged download.
        files.NotWritten: a full disk.
    """
    folder = Path(folder)
    wanted = (TRAINING_IMAGES, SOLUTIONS, TEST_IMAGES) if test_images else (TRAINING_IMAGES, SOLUTIONS)
    wanted = [name for name in wanted if not present(name, [folder])]
    if not wanted:
        return folder
    import kagglehub
    from kagglehub.config import get_cache_folder
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    for place in (folder, Path(get_cache_folder())):
        check_room(place, sum(SIZES[name] for name in wanted), "the download (KAGGLEHUB_CACHE moves its cache)")
    for name in wanted:
        target = folder / f"{name}.zip"
        try:
            got = Path(kagglehub.competition_download(COMPETITION, path=target.name))
        except (UnauthenticatedError, DataCorruptionError, OSError, ValueError) as error:
            by_hand = f"or download it in a browser from {PAGE}/data and put it there"
            raise refusal(target, f"not downloaded: {_problem(error)}", by_hand) from error
        open_zip(got).close()
        with whole_file(target) as beside:
            try:
                os.link(got, beside)
            except OSError:  # another disk, or one without links
                shutil.copyfile(got, beside)
    return folder


def _problem(error: Exception) -> str:
    import requests
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError

    if isinstance(error, UnauthenticatedError):
        return (
            f"there are no Kaggle credentials. Make a token at {TOKEN_PAGE} and give it in one of four ways: the "
            "environment variable KAGGLE_API_TOKEN; the file ~/.kaggle/access_token; on Colab, a secret named "
            "KAGGLE_API_TOKEN that the notebook may read; or, with a key of the older kind, the file "
            "~/.kaggle/kaggle.json or the variables KAGGLE_USERNAME and KAGGLE_KEY"
        )
    if isinstance(error, DataCorruptionError):
        return "it arrived damaged; run again"
    if isinstance(error, requests.HTTPError):
        status = error.response.status_code
        return {
            401: f"Kaggle does not know the credentials (401); make a new token at {TOKEN_PAGE}",
            403: f"Kaggle refuses it (403); log in, accept the rules at {PAGE}/rules and run again",
            404: f"Kaggle has no such file (404); see what {PAGE}/data lists",
        }.get(status, f"Kaggle answered with status {status}; try again later")
    if isinstance(error, requests.RequestException):
        return f"no connection to Kaggle, or it broke ({type(error).__name__}); check the network and run again"
    if isinstance(error, OSError):
        return f"it cannot be written ({error}); make room, or set KAGGLEHUB_CACHE to another folder"
    return f"the credentials cannot be used ({error}); correct or delete that file"
