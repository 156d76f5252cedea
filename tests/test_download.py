"""The download from Kaggle: what is needed, once, and plain words where it fails.

The stand-ins behave as kagglehub 1.0.2 does.
"""

import os
import shutil
from pathlib import Path

import kagglehub
import pytest
import requests
from conftest import check_found, image
from kagglehub.exceptions import DataCorruptionError, KaggleApiHTTPError, UnauthenticatedError

from gzutils.data.archives import COMPETITION, PAGE, ChallengeError
from gzutils.data.challenge import SOLUTIONS, TEST_IMAGES, TRAINING_IMAGES, find
from gzutils.data.download import download
from gzutils.tools.files import NotWritten


@pytest.fixture
def hub(zips, tmp_path, monkeypatch):
    """A stand-in for Kaggle: the list of the files that were asked for."""
    asked = []

    def competition_download(handle, path=None, *, force_download=False, output_dir=None):
        assert handle == COMPETITION
        asked.append(path)
        target = tmp_path / "hub" / "competitions" / handle / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(zips / path, target)
        return str(target)

    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(kagglehub, "competition_download", competition_download)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**13, 0, 10**13))
    return asked


def test_download_gets_what_is_needed_once(hub, tmp_path):
    folder = tmp_path / "data" / "kaggle"
    assert download(str(folder)) == folder
    assert hub == [f"{TRAINING_IMAGES}.zip", f"{SOLUTIONS}.zip"]
    found = find(folder, tmp_path / "cache")
    assert found.training_images.read(100008) == image(100008)
    assert found.test_images is None

    download(folder)
    assert len(hub) == 2, "files that are there are not asked for again"
    download(folder, test_images=True)
    assert hub[2:] == [f"{TEST_IMAGES}.zip"]
    check_found(find(folder, tmp_path / "cache"))
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.zip" for name in (TRAINING_IMAGES, TEST_IMAGES, SOLUTIONS)
    )


def test_download_to_a_disk_without_links(hub, tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    download(tmp_path / "data", test_images=True)
    check_found(find(tmp_path / "data", tmp_path / "cache"))


def test_a_web_page_instead_of_a_download_is_not_kept(hub, zips, tmp_path):
    (zips / f"{TRAINING_IMAGES}.zip").write_bytes(b"<html>")
    with pytest.raises(ChallengeError, match="looks like a web page"):
        download(tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("place", "name"), [("data", "data"), ("hub", "hub")])
def test_download_looks_at_both_disks_first(hub, tmp_path, monkeypatch, place, name):
    for folder in ("data", "hub"):
        (tmp_path / folder).mkdir()
    full = tmp_path / place
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 10**8 if Path(path) == full else 10**13)
    )
    with pytest.raises(NotWritten, match=r"the download .* needs 1,956\.0 MB in .*, where 100\.0 MB are free") as error:
        download(tmp_path / "data", test_images=True)
    assert f" in {tmp_path / name}, " in str(error.value)
    assert hub == []


def http_error(status):
    response = requests.Response()
    response.status_code = status
    return KaggleApiHTTPError(f"{status} Client Error.", response=response)


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (http_error(403), ["403", f"accept the rules at {PAGE}/rules and run again"]),
        (http_error(401), ["credentials", "make a new token at https://www.kaggle.com/settings/api"]),
        (http_error(404), ["no such file", f"see what {PAGE}/data lists"]),
        (http_error(503), ["status 503; try again later"]),
        (requests.exceptions.ConnectionError("Name or service not known"), ["no connection", "check the network"]),
        (requests.exceptions.ReadTimeout("timed out"), ["no connection", "ReadTimeout"]),
        (requests.exceptions.ChunkedEncodingError("cut"), ["it broke", "run again"]),
        (DataCorruptionError("MD5"), ["arrived damaged", "run again"]),
        (OSError(28, "No space left on device"), ["No space left on device", "KAGGLEHUB_CACHE"]),
        (ValueError("Invalid Kaggle credentials file at x"), ["Invalid Kaggle credentials file at x", "correct or"]),
        (UnauthenticatedError(), ["no Kaggle credentials", "KAGGLE_API_TOKEN", "access_token", "Colab", "kaggle.json"]),
    ],
)
def test_a_failed_download_says_what_to_do(hub, tmp_path, monkeypatch, failure, words):
    def fail(handle, path=None, *, force_download=False, output_dir=None):
        raise failure

    monkeypatch.setattr(kagglehub, "competition_download", fail)
    with pytest.raises(ChallengeError) as error:
        download(tmp_path / "data")
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'data' / TRAINING_IMAGES}.zip: not downloaded: ")
    assert message.endswith(f"or download it in a browser from {PAGE}/data and put it there")
    for word in words:
        assert word in message
    assert error.value.__cause__ is failure


def test_kagglehub_itself_refuses_without_credentials(tmp_path, monkeypatch):
    """Not a stand-in: without credentials kagglehub says so before it touches the network."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE", "KAGGLE_CONFIG_DIR", "KAGGLEHUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**13, 0, 10**13))
    monkeypatch.setattr(requests.Session, "send", lambda *args, **kwargs: pytest.fail("asked the network"))
    with pytest.raises(ChallengeError, match="there are no Kaggle credentials"):
        download(tmp_path / "data")
