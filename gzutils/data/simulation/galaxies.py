"""What a simulated galaxy is: a handful of numbers, drawn at random, that its image and its votes depend on.

The frequencies are chosen so that the votes resemble those of the Kaggle challenge (Willett et al. 2013,
https://arxiv.org/abs/1308.3496): four in ten galaxies are spheroids, more than half are disks, the rest irregular.
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Galaxy:
    """A galaxy as it is seen from Earth.

    Lengths "in radii" are in units of the radius that holds 90 % of the light, which is 50 pixels of the final
    image whatever the galaxy's size on the sky, as in Galaxy Zoo 2. Strengths run from 0 (absent) to 1 (striking).
    """

    kind: str  # "spheroid", "disk" or "irregular"
    radius: float  # arcseconds; holds 90 % of the light. Small galaxies are blurred, for the seeing stays the same
    extent: float  # size in the image, relative to the 50 pixels (the radius is measured with an error)
    seeing: float  # arcseconds, full width at half maximum of a star
    surface_brightness: float  # mean inside the radius, in units of the sky's noise in one camera pixel
    position_angle: float  # radians, of the long axis, from the image's x axis
    redness: float  # 0: young and blue, 1: old and red
    axis_ratio: float  # of the spheroid (a spheroid galaxy or a disk's bulge), short axis / long axis
    sersic_index: float  # of the spheroid: 1 is as diffuse as a disk, 4 is de Vaucouleurs' profile
    bulge_fraction: float  # bulge light / all light; 1 for spheroids
    boxiness: float  # of a bulge that is seen from the side: 0 elliptical, 1 a box
    inclination: float  # degrees, of the disk: 0 face-on, 90 edge-on
    thickness: float  # of the disk, scale height / scale length
    orientation: float  # radians, of bar and arms in the disk's plane, from the long axis
    bar_strength: float
    bar_length: float  # half the bar, in radii
    arm_strength: float
    arm_number: int  # 0 for none
    arm_pitch: float  # degrees: 9 is tightly wound, 35 is wide open
    handedness: int  # +1 or -1, the sense in which arms wind
    clumpiness: float  # of arms and of irregular galaxies: star-forming knots
    ring_strength: float
    ring_radius: float  # in radii
    dust_lane: float
    disturbance: float  # how far the shape is bent and lopsided
    irregularity: float  # how much of the light has no ordered shape
    companion: float  # light of a close companion / light of the galaxy; 0 for none
    companion_distance: float  # in radii
    companion_angle: float  # radians, where the companion or the arc stands, from the image's x axis
    interaction: float  # tidal tails and a bridge between the galaxy and its companion
    arc_strength: float  # a thin arc around the centre, as a gravitational lens makes
    artifact: float  # 0: none, up to 1: a star or a flaw of the camera is all there is
    artifact_kind: str  # "none", "star", "trail" or "glare"

    @property
    def roundness(self) -> float:
        """Short axis / long axis of the outline in the sky, whatever its reason."""
        if self.kind == "spheroid":
            return self.axis_ratio
        cosine = math.cos(math.radians(self.inclination))
        disk = math.hypot(cosine, self.thickness)
        return min(1.0, disk + 0.35 * self.bulge_fraction * (1 - disk))

    @property
    def face_on(self) -> float:
        """How well the disk's inside is seen: 1 face-on, 0 edge-on."""
        cosine = math.cos(math.radians(self.inclination))
        return cosine**2 / (cosine**2 + 0.12)


def draw_properties(rng: np.random.Generator) -> Galaxy:
    """A galaxy at random."""
    kind = str(rng.choice(["spheroid", "disk", "irregular"], p=[0.41, 0.545, 0.045]))
    values = _neutral(kind, rng)
    if kind == "spheroid":
        values |= _spheroid(rng)
    elif kind == "disk":
        values |= _disk(rng)
    else:
        values |= _irregular(rng)
    values |= _odd_features(rng)
    values |= _artifact(rng)
    return Galaxy(**{name: round(float(v), 6) if isinstance(v, float) else v for name, v in values.items()})


def _neutral(kind: str, rng: np.random.Generator) -> dict:
    """What every galaxy has, and zeros for what only some have."""
    values = {field.name: 0.0 for field in dataclasses.fields(Galaxy)}
    return values | {
        "kind": kind,
        "radius": float(np.clip(rng.lognormal(math.log(5.9), 0.4), 3.2, 13.0)),
        "extent": float(np.clip(rng.lognormal(0.16, 0.14), 0.8, 1.8)),
        "seeing": float(np.clip(rng.normal(1.2, 0.12), 0.9, 1.6)),
        "surface_brightness": float(np.clip(rng.lognormal(math.log(18.5), 0.38), 6, 46)),
        "position_angle": rng.uniform(0, math.pi),
        "axis_ratio": 1.0,
        "sersic_index": 1.0,
        "handedness": int(rng.choice([-1, 1])),
        "arm_number": 0,
        "artifact_kind": "none",
    }


def _spheroid(rng: np.random.Generator) -> dict:
    return {
        "axis_ratio": float(np.clip(1 - rng.beta(1.4, 3.9), 0.22, 1)),
        "sersic_index": float(np.clip(rng.normal(2.5, 0.7), 1.1, 4.5)),
        "bulge_fraction": 1.0,
        "redness": float(np.clip(rng.normal(0.72, 0.2), 0.15, 1)),
    }


def _disk(rng: np.random.Generator) -> dict:
    bulge = float(np.clip(rng.beta(1.4, 4.4), 0, 0.75))
    arms = float(rng.beta(1.2, 0.9)) if rng.random() < 0.92 else 0.0
    ring = float(rng.beta(2, 2)) if rng.random() < 0.13 else 0.0
    number = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.04, 0.72, 0.10, 0.07, 0.045, 0.025]))
    return {
        "inclination": math.degrees(math.acos(rng.uniform(0, 1))),
        "thickness": rng.uniform(0.15, 0.32),
        "bulge_fraction": bulge,
        "axis_ratio": rng.uniform(0.65, 0.95),
        "sersic_index": float(np.clip(rng.normal(1.3 + 2.5 * bulge, 0.4), 0.8, 4)),
        "boxiness": float(rng.beta(1, 3)),
        # Early types (large bulges, weak arms) are redder and wind their arms more tightly (Kennicutt 1981).
        "redness": float(np.clip(rng.normal(0.33 + 0.9 * bulge - 0.15 * arms, 0.2), 0, 1)),
        "orientation": rng.uniform(0, math.pi),
        "bar_strength": float(rng.beta(2, 1.2)) if rng.random() < 0.42 else 0.0,
        "bar_length": rng.uniform(0.3, 0.55),
        "arm_strength": arms,
        "arm_number": number if arms > 0 else 0,
        "arm_pitch": float(np.clip(18 * rng.lognormal(0.1 - 0.6 * bulge, 0.38), 8.5, 42)),
        "clumpiness": float(rng.beta(1.4, 2.2)),
        "ring_strength": ring,
        "ring_radius": rng.uniform(0.45, 0.85),
        "dust_lane": float(rng.beta(2, 2)) if rng.random() < 0.12 else 0.0,
    }


def _irregular(rng: np.random.Generator) -> dict:
    return {
        "inclination": math.degrees(math.acos(rng.uniform(0.25, 1))),
        "thickness": rng.uniform(0.2, 0.4),
        "redness": float(rng.beta(1.3, 5)),
        "clumpiness": float(rng.beta(3, 1.5)),
        "irregularity": float(rng.beta(2.5, 1.5)),
        "disturbance": float(rng.beta(2, 2)),
    }


def _odd_features(rng: np.random.Generator) -> dict:
    """Disturbances, companions, mergers and arcs: rare, and for all kinds of galaxy alike."""
    values: dict = {}
    chance = rng.random()
    if chance < 0.10:
        values["disturbance"] = float(rng.beta(1.5, 2))
    elif chance < 0.29:
        merging = chance < 0.145
        values |= {
            "companion": rng.uniform(0.15, 0.9) if merging else rng.uniform(0.08, 0.5),
            "companion_distance": rng.uniform(0.5, 1.2) if merging else rng.uniform(0.9, 1.8),
            "companion_angle": rng.uniform(0, 2 * math.pi),
            "interaction": float(rng.beta(2.5, 1.5)) if merging else 0.0,
        }
        if merging:
            values["disturbance"] = 0.5 * values["interaction"]
    elif chance < 0.315:
        values |= {"arc_strength": float(rng.beta(2, 2)), "companion_angle": rng.uniform(0, 2 * math.pi)}
    return values


def _artifact(rng: np.random.Generator) -> dict:
    chance = rng.random()
    if chance < 0.002:
        return {"artifact": rng.uniform(0.8, 1), "artifact_kind": "star"}
    if chance < 0.03:
        return {"artifact": rng.uniform(0.1, 0.6), "artifact_kind": str(rng.choice(["trail", "glare"]))}
    return {}
