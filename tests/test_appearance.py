"""What volunteers see of simulated galaxies: it is in the picture, and votes follow it and nothing else."""

import dataclasses
import io

import numpy as np
import pytest
from astropy.convolution import Gaussian2DKernel, convolve
from astropy.modeling import models
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gzutils.data.jpegs import preprocess
from gzutils.data.morphometry import MEASURES, measure
from gzutils.data.simulation.appearance import HIDDEN, visible
from gzutils.data.simulation.drawing import STAR_WIDTH, blur, draw_galaxy, look
from gzutils.data.simulation.galaxies import Galaxy, draw_properties
from gzutils.data.simulation.light import galaxy_light, sersic
from gzutils.data.simulation.survey import image_of, simulate
from gzutils.data.simulation.volunteers import answer_probabilities
from gzutils.decision_tree import COLUMNS


def a_galaxy(kind: str, **properties: object) -> Galaxy:
    """A large, bright, undisturbed galaxy without companion."""
    for seed in range(1000):
        galaxy = draw_properties(np.random.default_rng(seed))
        plain = galaxy.companion == galaxy.disturbance == galaxy.arc_strength == galaxy.artifact == 0
        if galaxy.kind == kind and plain:
            usual = {"radius": 10.0, "surface_brightness": 30.0, "extent": 1.1, "lopsidedness": 0.0}
            return dataclasses.replace(galaxy, **(usual | properties))
    raise AssertionError(f"no plain {kind} among 1000 galaxies")


def seen(galaxy):
    return look(galaxy, np.random.default_rng(0))


@pytest.mark.parametrize("ratio", [0.4, 0.6, 0.8, 1.0])
def test_the_outlines_axis_ratio_is_the_galaxys_own(ratio):
    assert seen(a_galaxy("spheroid", axis_ratio=ratio)).axis_ratio == pytest.approx(ratio, abs=0.06)


def test_what_is_drawn_is_what_is_seen():
    galaxy = a_galaxy("disk", inclination=40.0)
    assert draw_galaxy(galaxy, np.random.default_rng(5))[1] == look(galaxy, np.random.default_rng(5))


@pytest.mark.parametrize("feature", ["arm_strength", "bar_strength", "ring_strength"])
def test_a_feature_counts_as_far_as_it_shows(feature):
    name = {"arm_strength": "arms", "bar_strength": "bar", "ring_strength": "ring"}[feature]
    disk = {"inclination": 20.0, "arm_strength": 0.0, "bar_strength": 0.0, "ring_strength": 0.0, "arm_number": 2}
    disk |= {"arm_pitch": 20.0, "bulge_fraction": 0.1}
    clear = a_galaxy("disk", **(disk | {feature: 0.9}))
    contrasts = [
        getattr(seen(dataclasses.replace(clear, **hidden)), name)
        for hidden in ({}, {feature: 0.0}, {"radius": 3.3}, {"inclination": 85.0})
    ]
    assert contrasts[1] == 0
    assert contrasts[2] < 0.8 * contrasts[0]
    assert contrasts[3] < 0.8 * contrasts[0]


def test_what_the_noise_hides_is_not_visible():
    assert visible(0.0) == 0
    assert visible(HIDDEN / 4) < HIDDEN / 12
    assert visible(10 * HIDDEN) == pytest.approx(10 * HIDDEN, rel=0.01)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**63))
def test_votes_do_not_contradict_the_outline(seed):
    rng = np.random.default_rng(seed)
    shown = look(draw_properties(rng), rng)
    answers = answer_probabilities(shown)
    if shown.axis_ratio > 0.75:
        assert answers[2][0] < 0.2
        assert answers[7][2] < 0.1
    if shown.axis_ratio < 0.25:
        assert answers[2][0] > 0.6
        assert answers[7][0] < 0.05
    if shown.arms == 0:
        assert answers[4][0] < 0.4
    if shown.companion == shown.tails == 0 and shown.artifact == 0:
        assert answers[8][5] < 0.3


def in_the_picture(number: int) -> tuple[float, np.ndarray]:
    """Of galaxy `number` of the survey with seed 0: the axis ratio that its finished pixels have, and the true votes.

    The axis ratio of a galaxy that stands too near to another to be measured alone is NaN.
    """
    galaxy, _, truth = simulate(0, number)
    if galaxy.companion > 0:
        return np.nan, truth
    jpeg = io.BytesIO()
    Image.fromarray(image_of(galaxy, 0, number)).save(jpeg, "JPEG", quality=75)
    return measure(preprocess(jpeg.getvalue())[None])[0, MEASURES.index("axis ratio")], truth


def edge_on(truth: np.ndarray) -> float:
    """The share of "edge-on" among those who were asked."""
    return truth[COLUMNS.index("Class2.1")] / truth[COLUMNS.index("Class1.2")]


def test_votes_do_not_contradict_the_pixels():
    """Spindles with 0 % and needles with 17 % "edge-on" were in this survey while hidden properties had the votes."""
    ratios, truths = zip(*(in_the_picture(number) for number in [23, 46, 69, *range(100, 300)]), strict=True)
    shares = np.array([edge_on(truth) for truth in truths])
    ratios = np.array(ratios)
    thin, middling, round_ = ratios < 0.3, (ratios > 0.45) & (ratios < 0.6), ratios > 0.7
    assert thin.sum() >= 4
    assert shares[thin].min() > 0.5
    assert shares[middling].mean() < 0.35
    assert shares[round_].max() < 0.25


def test_nothing_is_seen_behind_a_star():
    """Its votes were those of the merger that it hid."""
    galaxies = [draw_properties(np.random.default_rng(seed)) for seed in range(4000)]
    stars = [galaxy for galaxy in galaxies if galaxy.artifact_kind == "star"]
    assert len(stars) >= 3
    for galaxy in stars:
        shown = look(galaxy, np.random.default_rng(0))
        assert shown.companion == shown.tails == shown.arc == shown.arms == shown.bar == shown.ring == shown.dust == 0
        assert shown.axis_ratio > 0.95


def test_sersics_profile_is_the_fields_own():
    """The same light as astropy's, which solves for the steepness exactly; and a total of 1."""
    radius = np.linspace(0.05, 3, 60)
    for index in (0.8, 1.0, 2.5, 4.0):
        ours = sersic(radius, index, 0.6, 0.7)
        theirs = models.Sersic1D(amplitude=1, r_eff=0.6, n=index)(radius)
        assert ours / ours[20] == pytest.approx(theirs / theirs[20], rel=0.02)
        fine = np.linspace(1e-4, 60, 400_000)
        total = np.trapezoid(2 * np.pi * 0.7 * fine * sersic(fine, index, 0.6, 0.7), fine)
        assert total == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("inclination", [0.0, 50.0, 75.0])
def test_an_inclined_disk_is_the_fields_own(inclination):
    """A bare disk is a Sersic profile of index 1 in ellipses of the disk's axis ratio, out to where it is cut off."""
    bare = dict.fromkeys(("bulge_fraction", "arm_strength", "ring_strength", "bar_strength", "clumpiness"), 0.0)
    galaxy = a_galaxy("disk", **bare, inclination=inclination, dust_lane=0.0, arm_number=0)
    axis = np.linspace(-1.5, 1.5, 121, dtype=np.float32)
    light = galaxy_light(galaxy, axis[None, :], axis[:, None], np.random.default_rng(0)).parts["disk"]
    scale = 0.40 * (1 + 0.12 * (1 - galaxy.disk_ratio))
    disk = models.Sersic2D(r_eff=1.67835 * scale, n=1, ellip=1 - galaxy.disk_ratio, theta=galaxy.position_angle)
    theirs = disk(axis[None, :], axis[:, None])
    radius = np.sqrt(np.maximum(-np.log(theirs / theirs.max()), 0)) * np.sqrt(scale)
    smooth = (radius > 0.25) & (radius < 0.75)
    assert smooth.sum() > 500
    ratio = light[smooth] / theirs[smooth]
    assert ratio.std() / ratio.mean() < 0.03


def test_seeing_and_stars_are_the_fields_own():
    spread = 1.3
    point = np.zeros((41, 41, 1), np.float32)
    point[20, 20] = 1
    kernel = Gaussian2DKernel(spread, x_size=13, y_size=13)
    assert blur(point, spread)[:, :, 0] == pytest.approx(convolve(point[:, :, 0], kernel), abs=2e-3)
    star = models.Moffat2D(gamma=STAR_WIDTH * spread, alpha=3)
    assert star.fwhm == pytest.approx(2.355 * spread, rel=0.01)


def test_sizes_and_shapes_in_the_finished_picture_agree_with_another_measurement():
    """SEP (Barbary 2016) is SExtractor's detection and photometry as a library; it looks at the same 64 x 64 pixels."""
    sep = pytest.importorskip("sep", reason="it has no wheel for Python 3.14")
    pictures = []
    for number in range(60):
        jpeg = io.BytesIO()
        galaxy = draw_properties(np.random.default_rng(number))
        galaxy = dataclasses.replace(galaxy, companion=0.0, arc_strength=0.0, artifact=0.0, artifact_kind="none")
        Image.fromarray(draw_galaxy(galaxy, np.random.default_rng(number))[0]).save(jpeg, "JPEG", quality=95)
        pictures.append(preprocess(jpeg.getvalue()))
    ours = measure(np.stack(pictures))
    theirs = np.full((len(pictures), 2), np.nan)
    for row, picture in zip(theirs, pictures, strict=True):
        grey = np.ascontiguousarray(picture.mean(axis=2), np.float32)
        sky = sep.Background(grey, bw=64, bh=64)
        found, where = sep.extract(grey - sky.back(), 3.0, err=sky.globalrms, segmentation_map=True)
        if where[32, 32]:
            source = found[where[32, 32] - 1]
            radius, _ = sep.flux_radius(grey - sky.back(), [source["x"]], [source["y"]], [26.0], 0.5)
            row[:] = source["b"] / source["a"], radius[0]
    both = ~np.isnan(theirs[:, 0]) & ~np.isnan(ours[:, 0])
    assert both.sum() > 50
    axis_ratio, half_light = (ours[both, MEASURES.index(name)] for name in ("axis ratio", "half-light radius"))
    assert np.median(np.abs(axis_ratio - theirs[both, 0])) < 0.02
    assert np.median(np.abs(half_light - theirs[both, 1])) < 0.8
    assert np.corrcoef(half_light, theirs[both, 1])[0, 1] > 0.9
