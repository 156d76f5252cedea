"""The measures of a galaxy's picture, on pictures whose measures are known."""

import numpy as np
import pytest

from gzutils.data.morphometry import MEASURES, REAL, light_above_sky, measure, outside_real

SIDE = 64


def a_picture(ratio=1.0, spread=6.0, colour=(1.0, 1.0, 1.0), x0=0.0, sky=10.0):
    """A Gaussian source of this axis ratio on a flat sky with a little noise."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    light = 150 * np.exp(-0.5 * (((x - x0) / spread) ** 2 + (y / (spread * ratio)) ** 2))
    noise = np.random.default_rng(0).normal(0, 1, (SIDE, SIDE, 3))
    return np.clip(light[:, :, None] * np.array(colour) + sky + noise, 0, 255).round().astype(np.uint8)


def measured(**properties):
    return dict(zip(MEASURES, measure(a_picture(**properties)[None])[0], strict=True))


def test_a_round_source_is_round_and_symmetric():
    values = measured()
    assert values["axis ratio"] == pytest.approx(1, abs=0.03)
    assert values["asymmetry"] < 0.02
    assert values["brightest core"] == pytest.approx(157, abs=3)
    assert values["ln(red/blue)"] == pytest.approx(0, abs=0.02)
    # A Gaussian holds half of its light within 1.18 spreads, 80 % within 1.79, 20 % within 0.67.
    assert values["half-light radius"] == pytest.approx(1.18 * 6, abs=0.3)
    assert values["concentration"] == pytest.approx(5 * np.log10(1.79 / 0.67), abs=0.1)


def test_measures_follow_what_they_are_named_for():
    assert measured(ratio=0.5)["axis ratio"] == pytest.approx(0.5, abs=0.04)
    assert measured(x0=2.0)["asymmetry"] > 0.1
    assert measured(colour=(1.0, 0.8, 0.6))["ln(red/blue)"] == pytest.approx(np.log(1 / 0.6), abs=0.05)
    assert measured(spread=4.0)["half-light radius"] < measured()["half-light radius"]


def test_the_sky_alone_has_no_source():
    empty = np.random.default_rng(0).integers(5, 15, (2, SIDE, SIDE, 3)).astype(np.uint8)
    assert np.isnan(measure(empty)).all()
    assert measure(empty[:0]).shape == (0, len(MEASURES))


def test_what_does_not_touch_the_middle_is_left_out():
    picture = a_picture(spread=4.0)
    alone = measure(picture[None])
    picture[25:39, 52:58] = 200
    assert measure(picture[None]) == pytest.approx(alone)


def test_what_lies_outside_of_real_galaxies_is_counted():
    low, middle, high = REAL.T
    assert np.array_equal(outside_real(np.stack([low, middle, high])), np.zeros(7))
    assert outside_real(np.stack([low - 1e-6, middle, high + 1e-6])) == pytest.approx(np.full(7, 2 / 3))
    no_source = np.full((1, 7), np.nan)
    assert np.array_equal(outside_real(np.concatenate([middle[None], no_source])), np.zeros(7))
    assert np.isnan(outside_real(no_source)).all()


def test_gini_is_half_the_mean_difference_of_two_pixels_over_their_mean():
    """The change of the code that fails here: `1 * np.arange` for `2 * np.arange` in `_measure_one`."""
    picture = a_picture()[None]
    light, (source,) = light_above_sky(picture)
    values = light[0].mean(axis=2)[source].astype(float)
    n = len(values)
    pairs = np.abs(values[:, None] - values).sum() / (n * (n - 1))
    assert measured()["Gini"] == pytest.approx(pairs / (2 * values.mean()), rel=1e-4)


def test_a_source_as_thin_as_a_line_has_no_width():
    """The fault: a short axis of one pixel at least, by which all needles are alike."""
    picture = np.full((1, SIDE, SIDE, 3), 10, np.uint8)
    picture[0, 31, 12:52] = 200
    assert measure(picture)[0, MEASURES.index("axis ratio")] == pytest.approx(0, abs=1e-6)
