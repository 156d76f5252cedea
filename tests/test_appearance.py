"""What volunteers see of simulated galaxies: it is in the picture, and votes follow it and nothing else."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gzutils.data.simulation.appearance import HIDDEN, visible
from gzutils.data.simulation.drawing import draw_galaxy, look
from gzutils.data.simulation.galaxies import Galaxy, draw_properties
from gzutils.data.simulation.light import sersic
from gzutils.data.simulation.volunteers import answer_probabilities


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


def test_sersics_profile_is_the_fields_own():
    models = pytest.importorskip("astropy.modeling.models")
    radius = np.linspace(0.05, 3, 60)
    for index in (0.8, 1.0, 2.5, 4.0):
        ours = sersic(radius, index, 0.6, 0.7)
        theirs = models.Sersic1D(amplitude=1, r_eff=0.6, n=index)(radius)
        assert ours / ours[20] == pytest.approx(theirs / theirs[20], rel=0.01)
        fine = np.linspace(1e-4, 60, 400_000)
        total = np.trapezoid(2 * np.pi * 0.7 * fine * sersic(fine, index, 0.6, 0.7), fine)
        assert total == pytest.approx(1, abs=0.02)
