"""A person's own pictures: any size and format, bad ones named, tables written; and notebook 09 with a folder."""

import io
import json
import struct
import subprocess
import sys
import types
import zlib
from pathlib import Path

import keras
import nbformat
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from conftest import make_labels, noise_jpeg, write_challenge
from PIL import Image

from gzutils.data import own_images
from gzutils.data.challenge import TEST_IMAGES
from gzutils.data.jpegs import preprocess
from gzutils.data.solutions import read_solutions
from gzutils.decision_tree import COLUMNS, QUESTIONS

ROOT = Path(__file__).resolve().parents[1]
GRADIENT = np.linspace(0, 255, 100 * 100).reshape(100, 100).astype(np.uint8)


def picture(size=(100, 100), mode="RGB"):
    return Image.fromarray(GRADIENT).resize(size).convert(mode)


def saved(path, image, **options):
    image.save(path, **options)
    return own_images.read(path)


def test_a_frame_of_the_challenge_is_cut_as_for_training(tmp_path):
    (tmp_path / "100008.jpg").write_bytes(noise_jpeg(1))
    read = own_images.read(tmp_path / "100008.jpg")
    assert np.array_equal(read.seen, preprocess(noise_jpeg(1)))
    assert read.box == (107, 107, 317, 317)
    assert "middle 210 of 424" in read.done


def test_another_picture_is_kept_whole_and_one_that_is_not_square_in_its_middle(tmp_path):
    whole = saved(tmp_path / "a.png", picture((300, 300)))
    assert whole.box == (0, 0, 300, 300)
    assert np.array_equal(whole.seen, np.asarray(picture((300, 300)).resize((64, 64), Image.Resampling.BICUBIC)))
    wide = saved(tmp_path / "b.png", picture((500, 301)))
    assert wide.box == (99, 0, 400, 301)
    assert "500x301, the central square kept" in wide.done


@pytest.mark.parametrize(("cut", "box"), [("whole", (0, 0, 424, 424)), ("challenge", (107, 107, 317, 317))])
def test_the_reader_decides_where_the_size_would_say_otherwise(tmp_path, cut, box):
    picture((424, 424)).save(tmp_path / "a.png")
    assert own_images.read(tmp_path / "a.png", cut).box == box
    picture((848, 848)).save(tmp_path / "b.png")
    assert own_images.read(tmp_path / "b.png", cut).box == tuple(2 * edge for edge in box)


@pytest.mark.parametrize("ending", ["jpg", "png", "tiff", "webp", "gif", "bmp", "ppm"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK", "RGBA", "LA", "I;16"])
def test_every_format_and_mode_gives_the_same_galaxy(tmp_path, ending, mode):
    if mode == "I;16" and ending not in ("png", "tiff"):
        pytest.skip("Pillow writes fewer levels")
    galaxy = picture((128, 128), "L")
    other = Image.fromarray(np.asarray(galaxy).astype(np.uint16) * 257) if mode == "I;16" else galaxy.convert(mode)
    try:
        other.save(tmp_path / f"a.{ending}")
    except (OSError, KeyError, ValueError):
        pytest.skip(f"{ending} does not hold {mode}")
    seen = own_images.read(tmp_path / f"a.{ending}").seen
    assert seen.shape == (64, 64, 3)
    assert seen.dtype == np.uint8
    expected = np.asarray(galaxy.convert("1") if mode == "1" else galaxy, float) * (255 if mode == "1" else 1)
    if mode != "1":
        small = np.asarray(galaxy.resize((64, 64), Image.Resampling.BICUBIC), float)
        assert np.abs(seen.mean(axis=-1) - small).max() < 25
    assert abs(seen.mean() - expected.mean()) < 6


def test_transparent_is_black_and_a_photo_is_turned_upright(tmp_path):
    clear = picture((64, 64), "RGBA")
    clear.putalpha(Image.fromarray(np.repeat([[255], [0]], 32, axis=0).repeat(64, axis=1).astype(np.uint8)))
    read = saved(tmp_path / "a.png", clear)
    assert not read.seen[33:].any()
    assert read.seen[5:31].any()
    assert "transparent" in read.done
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned = saved(tmp_path / "b.png", picture((64, 64)), exif=exif)
    assert np.array_equal(turned.seen, np.asarray(picture((64, 64)))[::-1, ::-1])


def test_more_than_256_levels_are_stretched_and_unknown_values_are_dark(tmp_path):
    values = np.full((64, 64), 10_000, np.uint16)
    values[20:40] = 10_300
    read = saved(tmp_path / "a.png", Image.fromarray(values))
    assert set(np.unique(read.seen)) == {0, 255}
    assert "stretched" in read.done
    levels = np.where(np.eye(64) > 0, np.nan, 3.0).astype(np.float32)
    levels[0, 5] = 7
    read = saved(tmp_path / "b.tiff", Image.fromarray(levels))
    assert read.seen[0, 5, 0] == 255
    assert read.seen[9, 9, 0] == 0
    assert not saved(tmp_path / "c.png", Image.fromarray(np.full((64, 64), 500, np.uint16))).seen.any()


def png_of_16_bits(values):
    """A PNG of 16 bits a channel, (h, w, channels), which Pillow reads but does not write."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    kind = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    parts = [(b"IHDR", kind), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize("brightest", [4095, 1023, 65535])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colours_of_16_bits_are_stretched_and_the_table_says_so(tmp_path, channels, brightest):
    """Data of 10 or 12 bits in 16 came out nearly black."""
    levels = np.repeat(GRADIENT[:, :, None] / 255 * brightest, channels, axis=2)
    if channels != 3:
        levels[..., -1] = 65535  # opaque
    (tmp_path / "a.png").write_bytes(png_of_16_bits(levels))
    read = own_images.read(tmp_path / "a.png")
    assert "upper 8 of 16 bits, stretched" in read.done
    expected = np.asarray(picture().resize((64, 64), Image.Resampling.BICUBIC), float)
    assert np.abs(read.seen - expected).max() < (90 if brightest == 1023 else 25)  # of 10 bits, 2 are among the upper 8


@pytest.mark.parametrize("spoilt", [1, 3])
@pytest.mark.parametrize("side", [64, 20])
def test_hot_and_dead_pixels_do_not_blacken_a_picture(tmp_path, side, spoilt):
    y, x = np.mgrid[:side, :side] - side / 2
    galaxy = 1000 + 300 * np.exp(-(x**2 + y**2) / side)
    clean = saved(tmp_path / "a.tiff", Image.fromarray(galaxy.astype(np.float32)))
    for value in (1e6, -1e6, np.inf, -np.inf, np.nan):
        hot = galaxy.copy()
        hot[0, : spoilt if side == 64 else 1] = value
        read = saved(tmp_path / "b.tiff", Image.fromarray(hot.astype(np.float32)))
        assert np.abs(read.seen[8:].astype(float) - clean.seen[8:]).max() < 30
        assert "0.1 % brightest" in read.done


def fits_file(path, data, **header):
    fits.PrimaryHDU(data, fits.Header(header)).writeto(path)
    return own_images.read(path)


def light_and_noise(plane):
    """Light above black and the noise between neighbours, of one plane, as `stretch.asinh` promises them."""
    steps = np.abs(plane[:, 1:] - plane[:, :-1])
    noise = np.median(steps[np.isfinite(steps)]) / 0.953873  # of a normal distribution's differences
    ranked = np.sort(plane[np.isfinite(plane)])
    return np.nan_to_num(np.maximum(plane - ranked[int(np.ceil(0.001 * (len(ranked) - 1)))] - 2 * noise, 0)), noise


def as_lupton_et_al(planes):
    """Their equations by hand: I is the mean of the planes, each plane is times f(I) / I, and too bright ones fade.

    planes: (n, height, width) float64, red first. Returns (height, width, n) uint8-like floats.
    """
    light, noises = zip(*map(light_and_noise, planes), strict=True)
    if min(noises) > 0:
        light, noises = [one / noise for one, noise in zip(light, noises, strict=True)], [1]
    mean = np.mean(light, axis=0)
    ranked = np.sort(mean, axis=None)
    white = ranked[int(0.999 * (len(ranked) - 1))]
    softening = max(10 * max(noises), white / 100)
    f = np.arcsinh(mean / softening) / np.arcsinh(white / softening)
    colours = np.stack([one * f / np.where(mean > 0, mean, 1) for one in light], axis=-1)
    return 255 * colours / np.maximum(colours.max(axis=-1, keepdims=True), 1)


def galaxy_in_noise(seed=0, side=64):
    """Three planes, the bluest first: a galaxy that is red in its middle, on an uneven sky."""
    y, x = np.mgrid[:side, :side] - side / 2
    middle, disc = np.exp(-(x**2 + y**2) / 20), np.exp(-np.hypot(x, y - 5) / 8)
    planes = np.stack([40 * middle + 30 * disc, 90 * middle + 30 * disc, 200 * middle + 30 * disc])
    noise = np.random.default_rng(seed).normal(0, 1, planes.shape) * [[[0.5]], [[1]], [[1.5]]]
    return planes + noise + [[[5]], [[20]], [[80]]]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("low", [0, -120])
def test_fits_of_every_kind_of_number_shows_the_galaxy_upright(tmp_path, kind, low):
    """BITPIX 8, 16, 32, 64, -32, -64; unsigned ones are stored with a BZERO; negative values around the sky's."""
    values = GRADIENT[:64, :64].astype(float) + (low if np.issubdtype(kind, np.signedinteger) else 0)
    read = fits_file(tmp_path / "a.fits", values.astype(kind))
    seen = read.seen.astype(float)
    assert np.abs(seen - as_lupton_et_al(values[None, ::-1])).max() < 2
    assert "grey, asinh-stretched" in read.done


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (np.arange(4096, dtype=np.int16).reshape(64, 64), {"BSCALE": 0.5, "BZERO": 100.0}),
        (np.where(np.eye(64) > 0, -999, np.arange(4096).reshape(64, 64)).astype(np.int16), {"BLANK": -999}),
        (np.where(np.eye(64) > 0, np.nan, np.arange(4096).reshape(64, 64)).astype(np.float32), {}),
        (np.arange(4096, dtype=np.float32).reshape(1, 1, 64, 64), {}),
    ],
    ids=["scaled", "BLANK", "NaN", "one plane"],
)
def test_fits_with_scales_blanks_and_planes_of_one_is_read_as_meant(tmp_path, data, header):
    file = fits.PrimaryHDU(data)
    file.header.update(header)
    file.writeto(tmp_path / "a.fits")
    seen = own_images.read(tmp_path / "a.fits").seen[..., 0].astype(float)
    unknown = np.eye(64) > 0 if header.get("BLANK") or np.isnan(data.astype(float)).any() else np.zeros((64, 64), bool)
    expected = as_lupton_et_al(np.where(unknown, np.nan, np.arange(4096.0).reshape(64, 64))[None, ::-1])[..., 0]
    assert np.abs(seen - expected)[~unknown[::-1]].max() < 2
    assert (seen[unknown[::-1]] == 0).all()


def test_three_planes_are_a_colour_picture_as_lupton_et_al_make_it(tmp_path):
    """The Legacy Surveys' cutouts have the bands g, r, z in this order; seen failing with the first plane as red."""
    planes = galaxy_in_noise()
    read = fits_file(tmp_path / "a.fits", planes)
    expected = as_lupton_et_al(planes[::-1, ::-1])
    assert np.abs(read.seen - expected).max() < 2
    red, blue = read.seen[30:34, 30:34, 0].astype(float), read.seen[30:34, 30:34, 2].astype(float)
    assert (red > blue + 20).all()
    sky = read.seen[50:, :16].reshape(-1, 3).mean(axis=0)
    assert np.ptp(sky) < 3, "the sky is grey"
    assert "three planes as blue, green and red, asinh-stretched" in read.done


def test_what_is_faint_shows_beside_what_is_bright(tmp_path):
    """A spiral arm of a thousandth of the core's light was one level in 256; as SDSS's pictures it is 20 and more."""
    values = np.random.default_rng(0).normal(0, 1, (64, 64))
    values[30:34, 30:34] += 20_000
    values[10:14] += 30
    seen = fits_file(tmp_path / "a.fits", values).seen[::-1, :, 0].astype(float)
    assert seen[10:14, :28].mean() > seen[40:].mean() + 4
    values[30:34, 30:34] -= 19_000
    seen = fits_file(tmp_path / "b.fits", values).seen[::-1, :, 0].astype(float)
    assert seen[10:14, :28].mean() > seen[40:].mean() + 60


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize(("unit", "sky"), [(1e-9, 0), (1e6, 1e7), (1, -300)])
def test_the_unit_and_the_sky_of_a_fits_file_change_nothing(tmp_path, planes, unit, sky):
    """Nanomaggies, counts, counts above a bias: the same galaxy."""
    values = galaxy_in_noise()[:planes]
    plain = fits_file(tmp_path / "a.fits", values).seen.astype(float)
    other = fits_file(tmp_path / "b.fits", values * unit + sky).seen.astype(float)
    assert np.abs(plain - other).max() <= 1
    assert plain.max() == 255


@pytest.mark.parametrize("planes", [1, 3])
def test_a_fits_file_without_light_is_black_and_one_star_is_white(tmp_path, planes):
    values = np.full((planes, 64, 64), 7.0)
    assert not fits_file(tmp_path / "a.fits", values).seen.any()
    values[:, 9, 9] = 50
    seen = fits_file(tmp_path / "b.fits", values).seen
    assert (seen[::-1][9, 9] == 255).all()
    assert seen.any(axis=-1).sum() == 1


def test_a_fits_file_that_is_no_single_picture_is_refused_by_what_it_is(tmp_path, monkeypatch):
    fits_file(tmp_path / "good.fits", np.eye(64))
    fits.PrimaryHDU(np.zeros((4, 64, 64))).writeto(tmp_path / "cube.fits")
    fits.BinTableHDU.from_columns([fits.Column("x", "E", array=[1.0])]).writeto(tmp_path / "table.fits")
    (tmp_path / "cut.fits").write_bytes((tmp_path / "good.fits").read_bytes()[:3000])
    fits.PrimaryHDU(np.full((64, 64), np.nan)).writeto(tmp_path / "nothing.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.eye(64)), fits.ImageHDU(np.eye(9))]).writeto(
        tmp_path / "two.fits"
    )
    images, refused = own_images.read_all(tmp_path)
    assert [image.name for image in images] == ["good.fits", "two.fits"]
    assert "its first picture" in images[1].done
    assert refused["cube.fits"].startswith("cannot be read (a cube of 4 x 64 x 64; save the plane that you mean")
    assert "there is no picture in it" in refused["table.fits"]
    assert "there is not one number in it" in refused["nothing.fits"]
    assert "cannot be read" in refused["cut.fits"]
    monkeypatch.setitem(sys.modules, "astropy.io", None)
    assert (
        "FITS is read by astropy, which is not there: pip install astropy"
        in own_images.read_all(tmp_path)[1]["good.fits"]
    )


def test_a_small_picture_is_enlarged_and_says_so(tmp_path):
    assert "enlarged from 20x20" in saved(tmp_path / "a.png", picture((20, 20))).done
    assert own_images.read(tmp_path / "a.png").seen.shape == (64, 64, 3)
    saved(tmp_path / "b.png", picture((1, 1)))
    own_images.read(tmp_path / "b.png", "challenge")


def test_a_folder_is_read_in_the_order_of_names_and_bad_files_are_named(tmp_path, monkeypatch):
    for name in ("b.png", "a.png", ".hidden.png"):
        picture().save(tmp_path / name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "cut off.jpg").write_bytes(noise_jpeg(1)[:2000])
    (tmp_path / "notes.txt").write_text("a spiral, I think")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("1", (3000, 3000)).save(tmp_path / "huge.png")
    fits.PrimaryHDU(np.zeros((3000, 3000), np.uint8)).writeto(tmp_path / "huge.fits")
    fits.PrimaryHDU(np.zeros((3, 1000, 1000), np.uint8)).writeto(tmp_path / "huge in colour.fits")
    monkeypatch.setattr(own_images, "MOST_PIXELS", 2_000_000)
    images, refused = own_images.read_all(tmp_path)
    assert [image.name for image in images] == ["a.png", "b.png"]
    assert list(refused) == ["cut off.jpg", "empty.png", "huge in colour.fits", "huge.fits", "huge.png", "notes.txt"]
    assert "truncated" in refused["cut off.jpg"]
    assert "no picture of a known format" in refused["notes.txt"]
    assert "more than 2,000,000 pixels" in refused["huge.png"]
    assert refused["huge.fits"] == refused["huge in colour.fits"] == refused["huge.png"]


LARGE = """
import resource, sys
from gzutils.data import own_images
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(own_images.read_all(sys.argv[1])[1])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize(("side", "refused", "most"), [(7071, False, 1.6e9), (7072, True, 1e8), (13_376, True, 1e8)])
def test_a_laptop_survives_the_largest_picture(tmp_path, side, refused, most):
    """Of 16 bits, which take most memory; with Pillow's own limit one of 178.9 million pixels took 5 GB."""
    Image.new("I;16", (side, side), 7).save(tmp_path / "a.tiff", compression="tiff_deflate")
    assert_memory(tmp_path, refused, most)


@pytest.mark.parametrize(
    ("shape", "refused", "most"),
    [((7071, 7071), False, 2e9), ((3, 4082, 4082), False, 2e9), ((3, 4083, 4083), True, 1e8)],
)
def test_a_laptop_survives_the_largest_fits_file(tmp_path, shape, refused, most):
    """Noise taken from all pixels at once, and copies of all planes, would take several GB."""
    values = np.random.default_rng(0).integers(0, 2**15, shape, np.int16)
    fits.PrimaryHDU(values).writeto(tmp_path / "a.fits")
    assert_memory(tmp_path, refused, most)


def assert_memory(folder, refused, most):
    said = subprocess.run([sys.executable, "-c", LARGE, folder], capture_output=True, text=True, check=True).stdout
    reasons, memory = said.splitlines()
    assert ("more than 50,000,000 pixels; cut the galaxy out first" in reasons) == refused
    assert int(memory) < most


def test_links_are_followed_and_those_that_lead_nowhere_are_named(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    picture().save(tmp_path / "elsewhere.png")
    (folder / "a.png").symlink_to(tmp_path / "elsewhere.png")
    (folder / "b.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "c.png").symlink_to("c.png")
    images, refused = own_images.read_all(folder)
    assert [image.name for image in images] == ["a.png"]
    assert refused == dict.fromkeys(("b.png", "c.png"), "a link that leads nowhere, or no file")


def test_what_cannot_be_read_at_all_is_said(tmp_path):
    with pytest.raises(ValueError, match="there is no file or folder"):
        own_images.read_all(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="there are no files in"):
        own_images.read_all(tmp_path)
    picture().save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="'middle'"):
        own_images.read_all(tmp_path, "middle")


def test_an_upload_on_colab_lands_in_the_folder_whatever_the_name(tmp_path, monkeypatch):
    file = io.BytesIO()
    picture().save(file, "PNG")
    chosen = {"../my galaxy.png": file.getvalue()}
    colab = types.SimpleNamespace(files=types.SimpleNamespace(upload=lambda: chosen))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    folder = own_images.upload(tmp_path / "uploaded")
    assert [image.name for image in own_images.read_all(folder)[0]] == ["my galaxy.png"]
    chosen.clear()
    with pytest.raises(ValueError, match="no file was chosen"):
        own_images.upload(tmp_path / "uploaded")
    monkeypatch.setitem(sys.modules, "google.colab", None)
    with pytest.raises(RuntimeError, match="on Colab only"):
        own_images.upload(tmp_path / "uploaded")


def test_the_tables_say_the_same_in_columns_and_in_words(tmp_path):
    shares = make_labels(2)
    wide, long = (pd.read_csv(path) for path in own_images.write_tables(tmp_path, ["a, b.png", "c.png"], shares))
    assert list(wide.columns) == ["name", *COLUMNS]
    assert list(wide["name"]) == ["a, b.png", "c.png"]
    np.testing.assert_allclose(wide[list(COLUMNS)], shares, atol=6e-5)
    assert len(long) == 2 * 37
    row = long[(long["name"] == "c.png") & (long["column"] == "Class7.3")].iloc[0]
    assert row["question"] == f"7. {QUESTIONS[6].text}"
    assert row["answer"] == "cigar-shaped"
    assert row["share of all"] == pytest.approx(shares[1, COLUMNS.index("Class7.3")], abs=6e-5)


def test_notebook_09_takes_a_folder_and_writes_tables_and_a_submission(tmp_path):
    """On a small challenge, from an empty folder: it trains its network, leaves out a bad picture, says what it did.

    The picture's name is a script, which the notebook shows as its letters; seen failing with the caption as Markdown.
    """
    data = write_challenge(tmp_path / "challenge", range(100001, 100021))
    (data / TEST_IMAGES).mkdir()
    for galaxy in (200002, 200001):
        (data / TEST_IMAGES / f"{galaxy}.jpg").write_bytes(noise_jpeg(galaxy))
    own = tmp_path / "own"
    own.mkdir()
    name = "<img src=x onerror=alert(1)> $1_000$ 5.png"
    picture((90, 70)).save(own / name)
    (own / "bad.jpg").write_bytes(b"no picture")
    work = tmp_path / "work"
    work.mkdir()
    notebook = ROOT / "notebooks" / "09_your_own_galaxies.ipynb"
    command = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", "-p", "PROFILE", "smoke", "-p", "DATA"]
    command += ["kaggle", "-p", "DATA_DIR", str(data), "-p", "IMAGES", str(own), "-p", "SUBMISSION", "True"]
    result = subprocess.run(command, cwd=work, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    cells = nbformat.read(work / "out.ipynb", as_version=4).cells
    said = "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))
    assert "it is trained here" in said
    assert "left out: bad.jpg, no picture" in said
    assert f"{name}: 90x70, the central square kept" in said
    shown = [
        text
        for cell in cells
        for output in cell.get("outputs", [])
        if "data" in output
        for kind, text in output.data.items()
        if kind in ("text/html", "text/markdown")
    ]
    assert not [text for text in shown if "<img" in text], "a name that a browser would run"
    assert "2 galaxies, where Kaggle expects 79,975" in said
    folder = work / "runs/smoke-kaggle/09_your_own_galaxies"
    lines = (folder / "submission.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["GalaxyID", "200001", "200002"]
    assert lines[0] == (data / "training_solutions_rev1.csv").read_text().splitlines()[0]
    assert list(pd.read_csv(folder / "shares.csv")["name"]) == [name]
    assert (folder / "figures/walk_1.png").is_file()
    assert len(read_solutions(data / "training_solutions_rev1.csv")[0]) == 20
    assert json.loads((work / "runs/smoke-kaggle/run.json").read_text())["data"] == "kaggle"


def test_notebook_09_asks_a_readers_own_model_that_has_no_heat_maps(tmp_path):
    model = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten(), keras.layers.Dense(37, "sigmoid")])
    model.save(tmp_path / "mine.keras")
    notebook = ROOT / "notebooks" / "09_your_own_galaxies.ipynb"
    command = [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", "-p", "PROFILE", "smoke"]
    command += ["-p", "GALAXIES", "5", "-p", "MODEL", "mine.keras"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    said = "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))
    assert "no heat map can be made of the model 'sequential" in said
    assert (tmp_path / "runs/smoke-simulated/09_your_own_galaxies/shares.csv").is_file()


@pytest.mark.parametrize("form", ["JPEG", "BMP", "PNG"])
def test_of_a_picture_with_a_single_frame_nothing_is_said_of_frames(tmp_path, form):
    """Pillow counts those of a PNG alone. The change of the code that fails here: `getattr(file, "n_frames", 2)`."""
    path = tmp_path / f"galaxy.{form.lower()}"
    path.write_bytes(noise_jpeg(1, form=form))
    assert own_images.open_picture(path)[1] == []


def test_of_two_frames_it_is_said_that_the_first_is_seen(tmp_path):
    """The fault: only three frames or more were called an animation."""
    frames = [Image.fromarray(np.full((64, 64), level, np.uint8)) for level in (0, 255)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    seen, done = own_images.open_picture(tmp_path / "two.gif")
    assert "its first frame" in done
    assert not np.asarray(seen).any()
