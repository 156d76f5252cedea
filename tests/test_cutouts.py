"""Galaxies by name and coordinates, from a server in the services' place; and notebook 09 with one."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import noise_jpeg
from hypothesis import given
from hypothesis import strategies as st
from open_data_server import PAGE, serving
from PIL import Image

from gzutils.data import cutouts, own_images
from gzutils.data.jpegs import preprocess
from gzutils.data.open_data.addresses import SETTING

ROOT = Path(__file__).resolve().parents[1]
PLACES = {"NGC 1": (10.5, 41.25), "NGC 2": (200.0, -60.0), "../x": (20.0, 1.0)}
SESAME = "# {0}\t#Q1\n#=S=Simbad (via url):    1\n%@ 1\n%J {1:010.6f} {2:+010.6f} = 00 42 00.0 +41 15 00\n"
COLUMNS = "#Table1\nobjID,ra,dec,petroR90_r,distance\n"
GALAXY = COLUMNS + "1237650000000000001,10.500100,41.250050,25.0,0.005\n"


def even_jpeg(level=0, words=0):
    """A picture of one grey, with a corner of noise as large as the words that SkyServer writes there."""
    pixels = np.full((424, 424, 3), level, np.uint8)
    pixels[:words] = np.random.default_rng(0).integers(0, 256, (words, 424, 3))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture
def sky(tmp_path, monkeypatch, waits):
    """The four services: SDSS has a galaxy of petroR90 25″ at NGC 1, and pictures everywhere."""
    with serving() as server:
        server.answers |= {
            "sesame/SNV": lambda query: sesame(next(iter(query))),
            "sdss search": lambda query: GALAXY.encode(),
            "sdss cutout": lambda query: noise_jpeg(1),
            "legacy survey cutout": lambda query: noise_jpeg(2),
        }
        monkeypatch.setenv(SETTING, str(write_addresses(server, tmp_path / "addresses.json")))
        yield server


def sesame(name):
    known = PLACES.get(name)
    return (SESAME.format(name, *known) if known else f"# {name}\t#Q1\n#! Nothing found\n").encode()


def write_addresses(server, path):
    names = ("sesame", "sdss search", "sdss cutout", "legacy survey cutout")
    path.write_text(json.dumps({name: {"url": server.url(name)} for name in names}))
    return path


def asked(server):
    return [request.name for request in server.asked]


def query_of(server, name):
    (request,) = (request for request in server.asked if request.name == name)
    return request.query


def test_a_name_becomes_the_challenges_cutout_of_that_galaxy(sky, tmp_path):
    """0.02 times its petroR90 a pixel, 424 pixels, centred on SDSS's galaxy; seen failing with the name's own place."""
    image = cutouts.galaxy_at("NGC 1", tmp_path / "sky")
    assert asked(sky) == ["sesame/SNV", "sdss search", "sdss cutout"]
    command = query_of(sky, "sdss search")["cmd"]
    assert "fGetNearbyObjEq(10.500000, 41.250000, 0.2)" in command
    assert query_of(sky, "sdss search")["format"] == "csv"
    cutout = {name: float(value) for name, value in query_of(sky, "sdss cutout").items()}
    assert cutout == {"ra": 10.5001, "dec": 41.25005, "scale": 0.5, "width": 424, "height": 424}
    assert image.name == "NGC 1"
    assert image.path == tmp_path / "sky" / "NGC 1.jpg"
    assert np.array_equal(image.seen, preprocess(noise_jpeg(1)))
    assert image.box == (107, 107, 317, 317)
    for words in ("0.3″ away", "petroR90 is 25.0″", "0.500″ a pixel as in the challenge", "CC BY", "middle 210 of 424"):
        assert words in image.done


def test_the_second_call_asks_nobody_and_says_the_same(sky, tmp_path):
    first = cutouts.galaxy_at("NGC 1", tmp_path)
    before = len(sky.asked)
    again = cutouts.galaxy_at("  NGC   1 ", tmp_path)
    assert len(sky.asked) == before
    assert again.done == first.done
    assert np.array_equal(again.seen, first.seen)
    other = cutouts.galaxy_at("NGC 1", tmp_path, scale=1.0)
    assert other.path != first.path
    assert "1″ a pixel as asked" in other.done
    with Image.open(first.path) as kept, Image.open(io.BytesIO(noise_jpeg(1))) as sent:
        assert np.array_equal(np.asarray(kept), np.asarray(sent)), "the comment changes no pixel"
        assert b"Sloan Digital Sky Survey" in kept.info["comment"]


@pytest.mark.parametrize("place", [(10.5, 41.25), [10.5, 41.25], "10.5 +41.25", "10.5, 41.25", np.array([10.5, 41.25])])
def test_coordinates_need_no_name(sky, tmp_path, place, monkeypatch):
    monkeypatch.setitem(sys.modules, "astropy.coordinates", None)
    image = cutouts.galaxy_at(place, tmp_path)
    assert image.name == "10.50000 +41.25000"
    assert asked(sky) == ["sdss search", "sdss cutout"]
    with pytest.raises(ValueError, match=r"names are looked up with astropy, .* pip install astropy"):
        cutouts.galaxy_at("NGC 1", tmp_path)


@pytest.mark.parametrize(
    "rows",
    [
        COLUMNS,
        "",
        "#Table1\n",
        GALAXY.replace("25.0", "-9999"),
        GALAXY.replace("25.0", "0"),
        "No objects have been found",
    ],
)
def test_without_a_known_radius_the_scale_is_the_cameras_or_the_readers(sky, tmp_path, rows):
    sky.answers["sdss search"] = lambda query: rows.encode()
    image = cutouts.galaxy_at("NGC 1", tmp_path)
    cutout = query_of(sky, "sdss cutout")
    assert float(cutout["scale"]) == pytest.approx(0.396127)
    assert float(cutout["ra"]) == 10.5
    assert "no galaxy of known radius within 12″, so 0.396″ a pixel" in image.done
    sky.asked.clear()
    image = cutouts.galaxy_at("NGC 1", tmp_path, scale=1.25)
    assert asked(sky) == ["sesame/SNV", "sdss cutout"], "whoever sets the scale needs no catalogue"
    assert float(query_of(sky, "sdss cutout")["scale"]) == 1.25


@pytest.mark.parametrize("how", ["status 404", "black", "black with words"])
def test_outside_of_sdss_the_legacy_surveys_take_its_place_and_the_colours_are_said(sky, tmp_path, how):
    """SkyServer says it with 404; older releases with 200 and a black picture that says it in letters."""
    answer = {"status 404": None, "black": even_jpeg(), "black with words": even_jpeg(words=36)}[how]
    sky.answers |= {"sdss search": lambda query: COLUMNS.encode(), "sdss cutout": lambda query: answer}
    image = cutouts.galaxy_at("NGC 2", tmp_path)
    assert np.array_equal(image.seen, preprocess(noise_jpeg(2)))
    cutout = query_of(sky, "legacy survey cutout")
    assert (cutout["ra"], cutout["dec"], cutout["size"], cutout["layer"]) == (
        "200.000000",
        "-60.000000",
        "424",
        "ls-dr9",
    )
    assert float(cutout["pixscale"]) == pytest.approx(0.396127)
    for words in ("SDSS has no picture there", "colours (g, r, z) are others", "D. Lang (Perimeter Institute), CC BY"):
        assert words in image.done


@pytest.mark.parametrize("legacy", [None, even_jpeg(), even_jpeg(level=100)])
def test_a_place_that_no_survey_has_is_said_and_nothing_is_kept(sky, tmp_path, legacy):
    sky.answers |= {"sdss cutout": lambda query: None, "legacy survey cutout": lambda query: legacy}
    with pytest.raises(ValueError, match=r"neither SDSS nor the Legacy Surveys have a picture at \(200.00000, -60"):
        cutouts.galaxy_at((200, -60), tmp_path / "sky", scale=0.5)
    assert not list(tmp_path.glob("sky/*"))


def test_a_dark_picture_with_a_galaxy_is_a_picture(sky, tmp_path):
    """A third of it quite black, as at the survey's edge; the challenge's darkest have a quarter."""
    edge = np.asarray(Image.open(io.BytesIO(noise_jpeg(1)))).copy()
    edge[:140] = 0
    file = io.BytesIO()
    Image.fromarray(edge).save(file, "JPEG")
    sky.answers["sdss cutout"] = lambda query: file.getvalue()
    cutouts.galaxy_at("NGC 1", tmp_path)
    assert asked(sky)[-1] == "sdss cutout"


@pytest.mark.parametrize("answer", [PAGE, b"", b"{}", noise_jpeg(1)[:5000], noise_jpeg(1, size=(300, 300))])
@pytest.mark.parametrize("name", ["sdss cutout", "legacy survey cutout"])
def test_what_is_no_picture_is_refused_in_a_sentence_and_not_kept(sky, tmp_path, name, answer):
    sky.answers["sdss cutout"] = lambda query: None
    sky.answers[name] = lambda query: answer
    address = sky.url(name)
    with pytest.raises(ValueError, match=rf"^{address} (answered with no picture, but with|sent a picture of another)"):
        cutouts.galaxy_at("NGC 1", tmp_path / "sky")
    assert not list(tmp_path.glob("sky/*"))


@pytest.mark.parametrize("answer", [PAGE, b"Error: the database is down", GALAXY.replace("25.0", "large").encode()])
def test_a_catalogue_that_answers_nonsense_is_named(sky, tmp_path, answer):
    """Else the galaxy would be drawn at the camera's scale, and kept so."""
    sky.answers["sdss search"] = lambda query: answer
    with pytest.raises(ValueError, match=f"^{sky.url('sdss search')} answered with no table"):
        cutouts.galaxy_at("NGC 1", tmp_path / "sky")
    assert not list(tmp_path.glob("sky/*"))


def test_a_name_that_nobody_knows_is_said_with_what_to_do(sky, tmp_path):
    with pytest.raises(ValueError, match=r"knows no place of 'NGC 99999'; check the spelling, or give right ascension"):
        cutouts.galaxy_at("NGC 99999", tmp_path)
    sky.answers["sesame/SNV"] = lambda query: PAGE
    with pytest.raises(ValueError, match=r"knows no place of 'NGC 1'"):
        cutouts.galaxy_at("NGC 1", tmp_path)


def test_without_network_each_galaxy_gets_a_sentence_and_those_that_are_there_go_on(sky, tmp_path):
    kept = cutouts.galaxy_at("NGC 1", tmp_path)
    sky.close()
    images, refused = cutouts.galaxies_at(["NGC 2", "NGC 1", (20, 1)], tmp_path)
    assert [image.name for image in images] == ["NGC 1"]
    assert images[0].done == kept.done
    assert list(refused) == ["NGC 2", "(20, 1)"]
    assert "does not answer; check the network and run again" in refused["NGC 2"]
    assert "check the network" in refused["(20, 1)"]
    assert all("\n" not in reason for reason in refused.values())


@pytest.mark.parametrize(
    ("places", "names"),
    [
        ("NGC 1", ["NGC 1"]),
        ((10.5, 41.25), ["10.50000 +41.25000"]),
        (["NGC 1"], ["NGC 1"]),
        (["NGC 1", (20, 1)], ["NGC 1", "20.00000 +1.00000"]),
        ([(10.5, 41.25), [20, 1]], ["10.50000 +41.25000", "20.00000 +1.00000"]),
        ([], []),
    ],
)
def test_one_galaxy_or_several(sky, tmp_path, places, names):
    images, refused = cutouts.galaxies_at(places, tmp_path)
    assert [image.name for image in images] == names
    assert not refused


@pytest.mark.parametrize(
    "place",
    [
        *("", "  ", "x" * 61, "NGC\x00", "Ω", "1300", "1 2 3", "nan nan", "inf 0", None, 5),
        *((1,), (1, 2, 3), ("a", "b"), (400, 0), (0, 91), (float("nan"), 0)),
    ],
)
def test_a_place_that_makes_no_sense_is_refused_before_anybody_is_asked(sky, tmp_path, place):
    with pytest.raises(ValueError, match=r"is no name of a galaxy|is neither a name nor|is no place in the sky"):
        cutouts.galaxy_at(place, tmp_path)
    assert not sky.asked


@pytest.mark.parametrize("place", [(0, 90), (360, -90), (37.95, 89.26)])
def test_the_poles_and_both_ends_of_the_circle_are_places_in_the_sky(sky, tmp_path, place):
    """The fault: a limit that is itself refused, or one degree too little: Polaris stands at 89.26."""
    assert cutouts.galaxies_at([place], tmp_path)[1] == {}


@pytest.mark.parametrize("scale", [0, -1, 0.01, 61, float("nan"), float("inf")])
def test_a_scale_that_the_servers_do_not_draw_is_refused(sky, tmp_path, scale):
    with pytest.raises(ValueError, match=r"is not between 0.015 and 60 arcsec a pixel"):
        cutouts.galaxy_at("NGC 1", tmp_path, scale)
    assert not sky.asked


@given(names=st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)))
def test_no_name_leads_out_of_the_folder_and_no_two_share_a_file(names):
    """Names come from strangers: ../x, /etc/passwd, .hidden, one with a new line; seen failing without quoting."""
    names = {" ".join(name.split()) for name in names} - {""}
    files = {cutouts._file_name(name) for name in names}
    assert len(files) == len(names)
    for file in files:
        assert "/" not in file
        assert "\\" not in file
        assert not file.startswith(".")
        assert len(f".{file} at 0.123456.12345-host.jpg") < 255


def test_a_hostile_name_is_a_file_in_the_folder_that_the_folders_reader_finds(sky, tmp_path):
    image = cutouts.galaxy_at("../x", tmp_path / "sky")
    assert image.name == "../x"
    assert image.path.parent == tmp_path / "sky"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["addresses.json"]
    images, _ = own_images.read_all(tmp_path / "sky")
    assert len(images) == 1


def test_a_damaged_picture_in_the_folder_is_named_and_one_of_the_readers_own_taken(sky, tmp_path):
    (tmp_path / "NGC 1.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"NGC 1.jpg: .*; delete it and run again"):
        cutouts.galaxy_at("NGC 1", tmp_path)
    (tmp_path / "NGC 1.jpg").write_bytes(noise_jpeg(3))
    assert cutouts.galaxy_at("NGC 1", tmp_path).done.startswith("found in the folder; 424x424")
    assert not sky.asked


def test_a_full_disk_is_a_sentence_too(sky, tmp_path, monkeypatch):
    (tmp_path / "sky").write_text("a file where the folder should be")
    images, refused = cutouts.galaxies_at("NGC 1", tmp_path / "sky")
    assert not images
    assert "cannot be written" in refused["NGC 1"]


def run_notebook_09(folder, *parameters):
    notebook = ROOT / "notebooks" / "09_your_own_galaxies.ipynb"
    command = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", "-p", "PROFILE", "smoke", *parameters]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ)
    assert result.returncode == 0, result.stderr[-3000:]
    cells = nbformat.read(folder / "out.ipynb", as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def test_notebook_09_walks_a_galaxy_by_its_name_and_goes_on_without_network(sky, tmp_path):
    said = run_notebook_09(tmp_path, "-p", "GALAXIES", "5", "-p", "GALAXY", "NGC 1")
    assert "NGC 1: from SDSS, centred on its galaxy" in said
    assert (tmp_path / "data/cutouts/NGC 1.jpg").is_file()
    folder = tmp_path / "runs/smoke-simulated/09_your_own_galaxies"
    assert list(pd.read_csv(folder / "shares.csv")["name"]) == ["NGC 1"]
    assert (folder / "figures/walk_1.png").is_file()
    sky.close()
    said = run_notebook_09(tmp_path, "-p", "GALAXIES", "5", "-p", "GALAXY", "NGC 2")
    assert "left out: NGC 2, " in said
    assert "does not answer; check the network" in said
    assert "test galaxies of this run" in said
