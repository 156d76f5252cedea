"""Galaxy Zoo 2 as a source: fetched or the user's own, the same galaxies in the store and in the notebooks."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from open_data_server import serving

from gzutils.data import preprocessing
from gzutils.data.archives import ChallengeError
from gzutils.data.jpegs import preprocess
from gzutils.data.open_data import gz2, gz2_tables
from gzutils.data.open_data.addresses import SETTING
from gzutils.data.open_data.polite import TransferError
from gzutils.data.simulation import survey
from gzutils.data.store import open_store
from gzutils.decision_tree import QUESTIONS, answered, check_labels, shares_of_counts
from gzutils.models import saved
from gzutils.tools.files import NotWritten

ROOT = Path(__file__).resolve().parents[1]
GALAXIES = 130
OBJECT_IDS = 587722981736120300 + 3 * np.arange(GALAXIES)
ASSET_IDS = 1000 + np.random.default_rng(0).permutation(GALAXIES)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Simulated galaxies: their JPEGs, in the order of the object ids, and how often each answer was given."""
    folder = survey.make_survey(tmp_path_factory.mktemp("survey"), GALAXIES, seed=3)
    images = [path.read_bytes() for path in sorted((folder / survey.IMAGES).glob("*.jpg"))]
    return images, np.stack([survey.simulate(3, number)[1] for number in range(GALAXIES)])


@pytest.fixture(scope="module")
def published(drawn, tmp_path_factory):
    """A folder with the four files as they are published, of these galaxies; Hart's fractions are other ones."""
    images, votes = drawn
    folder = tmp_path_factory.mktemp("published")
    with zipfile.ZipFile(folder / "images_gz2.zip", "w") as archive:
        for asset, image in sorted(zip(ASSET_IDS.tolist(), images, strict=True)):
            archive.writestr(f"images/{asset}.jpg", image)
            archive.writestr(f"__MACOSX/images/._{asset}.jpg", b"residue")
    totals = np.repeat(answered(votes), [len(q.answers) for q in QUESTIONS], axis=1)
    for name, power in ((gz2.TABLES["willett"], 1.0), (gz2.TABLES["hart"], 0.5)):
        fractions = (votes / np.maximum(totals, 1)) ** power
        columns = {"dr7objid": OBJECT_IDS, ("gz2class" if power == 1 else "gz2_class"): "Sb"}
        for place, answer in enumerate(gz2_tables.ANSWERS):
            columns |= {f"{answer}_count": votes[:, place], f"{answer}_weighted_fraction": fractions[:, place]}
            columns[f"{answer}_debiased"] = fractions[:, place]
        pd.DataFrame(columns).to_csv(folder / name, index=False)
    mapping = pd.DataFrame({"objid": OBJECT_IDS, "sample": "original", "asset_id": ASSET_IDS})
    mapping.iloc[:-2].to_csv(folder / gz2.MAPPING, index=False)  # two galaxies have no picture
    return folder


@pytest.fixture
def server(published, tmp_path, monkeypatch):
    with serving() as server:
        server.files |= {path.name: path.read_bytes() for path in published.iterdir()}
        monkeypatch.setenv(SETTING, str(server.write_addresses(tmp_path / "addresses.json")))
        yield server


def test_the_store_has_each_galaxys_picture_shares_and_counts_under_its_object_id(server, drawn, tmp_path):
    """Fails where pictures and rows are joined by place, or ids go through a float."""
    images, votes = drawn
    store = open_store(preprocessing.find_or_make_store("gz2", tmp_path / "data", galaxies=60, seed=1))
    assert len(store) == 60
    rows = np.searchsorted(OBJECT_IDS, store.galaxy_ids)
    assert OBJECT_IDS[rows].tolist() == store.galaxy_ids.tolist()
    np.testing.assert_array_equal(store.votes, votes[rows])
    np.testing.assert_allclose(store.labels, shares_of_counts(votes[rows]), atol=1e-6)
    check_labels(store.labels, store.galaxy_ids)
    for place, row in enumerate(rows):
        np.testing.assert_array_equal(store.images[place], preprocess(images[row]))
    assert store.source == "gz2"
    assert store.left_out == {"rows of the table, without a picture": 2}
    assert "Willett et al. 2013" in store.manifest["source"]["credit"]


def test_a_second_call_needs_no_network_and_finds_the_same_store(server, tmp_path):
    arguments = ("gz2", tmp_path / "data", None, 60)
    store = preprocessing.find_or_make_store(*arguments)
    server.close()
    assert preprocessing.find_or_make_store(*arguments) == store
    with pytest.raises(TransferError, match="network"):
        preprocessing.find_or_make_store("gz2", tmp_path / "data", None, 60, debiased="hart")
    assert open_store(store).votes is not None, "what was there is there still"


def test_own_files_give_what_would_be_fetched_and_ask_no_server(server, published, tmp_path):
    """As a zip beside its tables, the zip itself, and the folder of unpacked pictures (in an order of its own)."""
    fetched = open_store(preprocessing.find_or_make_store("gz2", tmp_path / "data", galaxies=60))
    asked = len(server.asked)
    for own in (published, published / "images_gz2.zip"):
        store = open_store(preprocessing.find_or_make_store("gz2", tmp_path / "other", own, galaxies=60))
        assert store.fingerprint == fetched.fingerprint
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(published / "images_gz2.zip") as archive:
        archive.extractall(unpacked)
    for name in (gz2.TABLES["willett"], gz2.MAPPING):
        (unpacked / name).write_bytes((published / name).read_bytes())
    store = open_store(preprocessing.find_or_make_store("gz2", tmp_path / "other", unpacked))
    assert len(store) == GALAXIES - 2
    both = np.isin(store.galaxy_ids, fetched.galaxy_ids)
    np.testing.assert_array_equal(store.images[both], fetched.images)
    assert len(server.asked) == asked


def test_all_of_it_is_one_download(server, tmp_path):
    store = open_store(preprocessing.find_or_make_store("gz2", tmp_path / "data"))
    assert len(store) == GALAXIES - 2
    assert (tmp_path / "data/gz2/images_gz2.zip").is_file()


def test_harts_fractions_make_other_labels_of_the_same_galaxies(server, tmp_path):
    willett, hart = (
        open_store(preprocessing.find_or_make_store("gz2", tmp_path, galaxies=60, debiased=by)) for by in gz2.TABLES
    )
    np.testing.assert_array_equal(willett.galaxy_ids, hart.galaxy_ids)
    np.testing.assert_array_equal(willett.votes, hart.votes)
    assert np.abs(willett.labels - hart.labels).max() > 0.05
    check_labels(hart.labels, hart.galaxy_ids)
    missed = {row["question"]: row for row in hart.manifest["source"]["debiasing"]}
    assert missed[1]["galaxies off by more than 0.01"] > 100
    assert all(row["galaxies off by more than 0.01"] == 0 for row in willett.manifest["source"]["debiasing"])


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        ("images_gz2.zip", "there are no pictures of Galaxy Zoo 2"),
        (gz2.TABLES["willett"], f"{gz2.TABLES['willett']} is neither there nor in"),
        (gz2.MAPPING, f"{gz2.MAPPING} is neither there nor in"),
    ],
)
def test_own_files_that_lack_are_named_with_their_address(published, tmp_path, lacks, words):
    own = tmp_path / "own"
    own.mkdir()
    for path in published.iterdir():
        if path.name != lacks:
            (own / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ChallengeError, match=rf"own: {words}.*https://"):
        preprocessing.find_or_make_store("gz2", tmp_path / "data", own)


@pytest.mark.parametrize("zipped", [False, True])
def test_pictures_of_another_collection_are_not_taken_for_galaxy_zoo_2s(published, tmp_path, zipped):
    """The challenge's are named by numbers, too, some of which are names of other galaxies here."""
    own = tmp_path / "images_training_rev1"
    own.mkdir()
    for name in (gz2.TABLES["willett"], gz2.MAPPING):
        (tmp_path / name).write_bytes((published / name).read_bytes())
    for number in range(ASSET_IDS.max() - 20, ASSET_IDS.max() + 80):
        (own / f"{number}.jpg").write_bytes(b"\xff\xd8")
    if zipped:
        with zipfile.ZipFile(own.with_suffix(".zip"), "w") as archive:
            for path in own.iterdir():
                archive.write(path, f"images_training_rev1/{path.name}")
        own = own.with_suffix(".zip")
    with pytest.raises(ChallengeError, match=r"of its 100 pictures are in the tables; check .* not the challenge's"):
        preprocessing.find_or_make_raw("gz2", tmp_path / "data", own, galaxies=10)


def test_more_galaxies_than_there_are_are_refused_before_they_are_fetched(server, tmp_path):
    """README names 243,434 pictures, some of which have no labels: all would come, and then be refused."""
    with pytest.raises(ChallengeError, match="128 of its galaxies can be used, 129 were asked for; ask for fewer"):
        preprocessing.find_or_make_raw("gz2", tmp_path, galaxies=GALAXIES - 1)
    assert "images_gz2.zip" not in {asked.name for asked in server.asked}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "gz2").write_text("")
    with pytest.raises(NotWritten, match="gz2 cannot be written"):
        preprocessing.find_or_make_raw("gz2", tmp_path, galaxies=10)


def test_a_place_that_is_not_there_is_said_to_be_none(tmp_path):
    with pytest.raises(ChallengeError, match="nowhere: there is no such file or folder; correct DATA_DIR"):
        preprocessing.find_or_make_store("gz2", tmp_path / "data", tmp_path / "nowhere")


def test_a_picture_that_cannot_be_used_is_named_as_its_file_is(server, tmp_path):
    """The fault: it was named by its galaxy's object id, and no file is called so."""
    source = preprocessing.find_or_make_raw("gz2", tmp_path, galaxies=60)
    asset, galaxy = source.table.asset_ids[5], source.table.object_ids[5]
    path = tmp_path / "gz2/images" / f"{asset}.jpg"
    path.write_bytes(path.read_bytes()[:-100])
    store = preprocessing.build_store(source, tmp_path / "store")
    rejected = json.loads((store / "manifest.json").read_text())["rejected"]
    assert list(rejected) == [str(galaxy)]
    assert rejected[str(galaxy)].startswith(f"{asset}.jpg: damaged JPEG")


def test_what_was_read_of_the_tables_is_kept_and_a_damaged_copy_is_named(server, tmp_path, monkeypatch):
    preprocessing.find_or_make_raw("gz2", tmp_path, galaxies=60)
    (kept,) = (tmp_path / "gz2").glob("zoo2MainSpecz-*.npz")
    other = kept.with_name("zoo2MainSpecz-00000000.npz")
    kept.rename(other)  # 75 MB for all of Galaxy Zoo 2, which no code would read again
    preprocessing.find_or_make_raw("gz2", tmp_path, galaxies=60)
    assert kept.is_file()
    assert not other.exists()
    monkeypatch.setattr(gz2_tables, "read", lambda *paths: pytest.fail("the tables were read twice"))
    assert preprocessing.find_or_make_raw("gz2", tmp_path, galaxies=60).table.noted
    kept.write_bytes(kept.read_bytes()[:1000])
    with pytest.raises(ChallengeError, match=rf"{kept.name}: damaged.*delete it and run again"):
        preprocessing.find_or_make_raw("gz2", tmp_path, galaxies=60)


def test_notebooks_take_galaxy_zoo_2(server, tmp_path):
    """Headless, in `smoke`: a submission from what they learned is refused, and no true share is spoken of."""
    said, captions = {}, {}
    for name in ("01_preprocessing", "02_parallel_cnn", "08_results", "09_your_own_galaxies", "11_bayesian"):
        command = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / f"{name}.ipynb"), f"{name}.ipynb"]
        command += ["-p", "PROFILE", "smoke", "-p", "DATA", "gz2"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ))
        assert result.returncode == 0, result.stderr[-3000:]
        cells = nbformat.read(tmp_path / f"{name}.ipynb", as_version=4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        said[name] = "".join(output.get("text", "") for output in outputs)
        captions[name] = "".join(output.get("data", {}).get("text/html", "") for output in outputs)
        assert "96 gz2 galaxies" in said[name] or name == "08_results"
        assert "Sloan Digital Sky Survey" in said[name], "the credit"
    run = tmp_path / "runs/smoke-gz2"
    assert json.loads((run / "run.json").read_text())["debiased"] == "willett"
    assert "holds the challenge's test galaxies" in said["09_your_own_galaxies"]
    assert "votes counted" in said["11_bayesian"]
    assert "How often votes lie within" in captions["11_bayesian"], "votes and true shares: nobody knows those"
    assert saved.learned_from(run / "02_parallel_cnn/model.keras") == "gz2"
