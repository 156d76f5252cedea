"""Views: which part of a picture a network sees and at which size; stores of several views lie side by side."""

import io

import numpy as np
import pytest
from conftest import noise_jpeg, write_challenge
from PIL import Image

from gzutils.data import challenge, preprocessing
from gzutils.data.jpegs import preprocess
from gzutils.data.preprocessing import build_store, find_or_make_store
from gzutils.data.store import open_store
from gzutils.data.view import REPORT_VIEW, View
from gzutils.tools import records

IDS = [100023, 100008, 100078]
VIEWS = [View(210, 64), View(294, 98), View(380, 127), View(424, 64), View(424, 424), View(64, 64), View(2, 5)]
VIEWS += [View(216, 216), View(408, 408)]  # their last row ends a block of the JPEG, whose colours the next one shares


def plain(jpeg, crop, side):
    """The same by Pillow alone."""
    first = (424 - crop) // 2
    centre = Image.open(io.BytesIO(jpeg)).crop((first, first, first + crop, first + crop))
    return np.asarray(centre.resize((side, side), Image.Resampling.BICUBIC))


def encoded(**how):
    """Noise without the smoothness of `noise_jpeg`, as one of the kinds of JPEG that there are."""
    pixels = np.random.default_rng(0).integers(0, 256, (424, 424, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **how)
    return file.getvalue()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view.crop} to {view.side}")
@pytest.mark.parametrize("how", [{"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, {"progressive": True}], ids=str)
def test_a_picture_in_a_view_is_what_the_plain_pillow_call_gives(view, how):
    for jpeg in (encoded(**how), noise_jpeg(1)):
        result = preprocess(jpeg, view)
        assert (result.shape, result.dtype) == ((view.side, view.side, 3), np.uint8)
        np.testing.assert_array_equal(result, plain(jpeg, view.crop, view.side))


def test_the_usual_view_is_the_reports():
    assert View(crop=210, side=64) == REPORT_VIEW
    np.testing.assert_array_equal(preprocess(noise_jpeg(2)), plain(noise_jpeg(2), 210, 64))


def test_no_view_takes_over_what_another_has_decoded():
    """All decode into the same memory."""
    large = preprocess(noise_jpeg(3), View(424, 424))
    before = large.copy()
    preprocess(noise_jpeg(4), View(424, 424))
    np.testing.assert_array_equal(large, before)


@pytest.mark.parametrize(
    ("crop", "side"),
    [(0, 64), (-2, 64), (211, 64), (426, 64), (210, 0), (210, -1), (210.0, 64), ("210", 64), (210, True)],
)
def test_a_view_that_makes_no_sense_is_refused(crop, side):
    with pytest.raises(ValueError, match="the crop has to be an even number up to 424, the side 1 or more"):
        View(crop, side)


# ---- stores


def test_stores_of_several_views_lie_side_by_side(tmp_path):
    raw, data = write_challenge(tmp_path / "raw", IDS), tmp_path / "data"
    wide = View(294, 98)
    usual, wider = (find_or_make_store("kaggle", data, raw, view=view) for view in (REPORT_VIEW, wide))
    assert usual != wider
    assert find_or_make_store("kaggle", data, raw) == usual, "the report's view is the usual one"
    assert find_or_make_store("kaggle", data, raw, view=wide) == wider
    assert len(list(data.glob("store-*"))) == 2
    one, other = open_store(usual, verify_images=True), open_store(wider, verify_images=True)
    assert (one.view, other.view) == (REPORT_VIEW, wide)
    assert (one.images.shape, other.images.shape) == ((3, 64, 64, 3), (3, 98, 98, 3))
    assert one.fingerprint != other.fingerprint
    np.testing.assert_array_equal(one.galaxy_ids, other.galaxy_ids)
    np.testing.assert_array_equal(one.labels, other.labels)
    for galaxy_id, small, large in zip(one.galaxy_ids.tolist(), one.images, other.images, strict=True):
        np.testing.assert_array_equal(small, plain(noise_jpeg(galaxy_id), 210, 64))
        np.testing.assert_array_equal(large, plain(noise_jpeg(galaxy_id), 294, 98))


def test_views_that_differ_in_one_number_have_stores_of_their_own(tmp_path):
    raw = write_challenge(tmp_path / "raw", IDS)
    views = (View(210, 64), View(212, 64), View(210, 65))
    assert len({find_or_make_store("kaggle", tmp_path / "data", raw, view=view) for view in views}) == 3


@pytest.fixture
def source(tmp_path):
    return challenge.find(write_challenge(tmp_path / "raw", IDS), tmp_path / "cache")


def test_what_an_interrupted_call_of_another_view_left_is_not_taken_up(source, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(preprocessing, "_finish", lambda *_: None)
        build_store(source, tmp_path / "store", view=View(294, 64))
    store = open_store(build_store(source, tmp_path / "store"))
    assert store.view == REPORT_VIEW
    np.testing.assert_array_equal(store.images[0], plain(noise_jpeg(min(IDS)), 210, 64))


def test_rejected_images_are_left_out_of_any_view(source, tmp_path):
    (source.training_images.path / "100023.jpg").write_bytes(b"")
    store = open_store(build_store(source, tmp_path / "store", view=View(380, 127)), verify_images=True)
    assert store.images.shape == (2, 127, 127, 3)
    np.testing.assert_array_equal(store.images[1], plain(noise_jpeg(100078), 380, 127))


@pytest.mark.parametrize("view", [None, {}, {"crop": 210}, {"crop": 211, "side": 64}, "whole"])
def test_a_store_whose_view_is_damaged_is_refused(source, tmp_path, view):
    folder = build_store(source, tmp_path / "store")
    records.write_json(folder / "manifest.json", records.read_json(folder / "manifest.json") | {"view": view})
    with pytest.raises(ValueError, match=r"manifest\.json is damaged \(no view\); delete .*store and run notebook 01"):
        open_store(folder)
