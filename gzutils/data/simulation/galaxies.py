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
    offset_x: float  # of the galaxy from the image's middle, in pixels of the final image
    offset_y: float
    seeing: float  # arcseconds, full width at half maximum of a star
    surface_brightness: float  # mean inside the radius, in units of the sky's noise in one camera pixel
    position_angle: float  # radians, of the long axis, from the image's x axis
    redness: float  # 0: as young stars, 1: as old ones; a few are bluer or redder still
    axis_ratio: float  # of the spheroid (a spheroid galaxy or a disk's bulge), short axis / long axis
    sersic_index: float  # of the spheroid: 1 is as diffuse as a disk, 4 is de Vaucouleurs' profile
    bulge_fraction: float  # bulge light / all light; 1 for spheroids
    boxiness: float  # of a bulge that is seen from the side: 0 elliptical, 1 a box
    inclination: float  # degrees, of the disk: 0 face-on, 90 edge-on
    thickness: float  # of the disk: its axis ratio when it is seen from the side
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
    lopsidedness: float  # one side of the disk brighter and wider, and one arm stronger than the others (m = 1)
    lopsided_angle: float  # radians, where the brighter side is, from the long axis
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
    def disk_ratio(self) -> float:
        """Short axis / long axis of the disk in the sky: an oblate spheroid's (Hubble 1926)."""
        inclination = math.radians(self.inclination)
        return math.hypot(math.cos(inclination), self.thickness * math.sin(inclination))

    @property
    def roundness(self) -> float:
        """Short axis / long axis of the outline in the sky, whatever its reason."""
        if self.kind == "spheroid":
            return self.axis_ratio
        return min(1.0, self.disk_ratio + 0.35 * self.bulge_fraction * (1 - self.disk_ratio))

    @property
    def face_on(self) -> float:
        """How well the disk's inside is seen: 1 face-on, 0 edge-on."""
        cosine = math.cos(math.radians(self.inclination))
        return cosine**2 / (cosine**2 + 0.12)


def draw_properties(rng: np.random.Generator) -> Galaxy:
    """A galaxy at random."""
    kind = str(rng.choice(["spheroid", "disk", "irregular"], p=[0.40, 0.57, 0.03]))
    values = _neutral(kind, rng)
    if kind == "spheroid":
        values |= _spheroid(rng)
    elif kind == "disk":
        values |= _disk(rng)
    else:
        values |= _irregular(rng)
    values |= _odd_features(rng)
    artifact = _artifact(rng)
    if artifact.get("artifact_kind") == "star":  # nothing is seen of a galaxy behind it
        values = _neutral("spheroid", rng) | {"bulge_fraction": 1.0, "lopsidedness": 0.0}
    values |= artifact
    return Galaxy(**{name: round(float(v), 6) if isinstance(v, float) else v for name, v in values.items()})


def _neutral(kind: str, rng: np.random.Generator) -> dict:
    """What every galaxy has, and zeros for what only some have."""
    values = {field.name: 0.0 for field in dataclasses.fields(Galaxy)}
    return values | {
        "kind": kind,
        "radius": float(np.clip(rng.lognormal(math.log(6.1), 0.4), 3.2, 13.5)),
        "extent": float(np.clip(rng.lognormal(0.145, 0.108) * (1.5 if rng.random() < 0.03 else 1.0), 0.75, 2.2)),
        # The survey's cut-outs have the catalogue's place a little right of and below their middle.
        "offset_x": rng.normal(1.75, 1.1),
        "offset_y": rng.normal(1.65, 1.2),
        "seeing": float(np.clip(rng.normal(1.25, 0.12), 0.9, 1.6)),
        "surface_brightness": float(
            np.clip(rng.lognormal(math.log(14.0 if kind == "spheroid" else 16.5), 0.54), 5, 38)
        ),
        "position_angle": rng.uniform(0, math.pi),
        "axis_ratio": 1.0,
        "sersic_index": 1.0,
        "handedness": int(rng.choice([-1, 1])),
        "lopsidedness": float(0.75 * rng.beta(1.4, 3.5)),
        "lopsided_angle": rng.uniform(0, 2 * math.pi),
        "arm_number": 0,
        "artifact_kind": "none",
    }


def _spheroid(rng: np.random.Generator) -> dict:
    return {
        "axis_ratio": float(np.clip(1 - 1.3 * rng.beta(1.5, 4.2), 0.27, 1)),
        "sersic_index": float(np.clip(rng.normal(2.43, 0.38), 1.0, 4.0)),
        "bulge_fraction": 1.0,
        "redness": float(np.clip(rng.normal(0.57, 0.27), -0.1, 1.2)),
    }


def _disk(rng: np.random.Generator) -> dict:
    bulge = float(np.clip(1.08 * rng.beta(1.3, 4.2), 0, 0.75))
    arms = 0.92 * float(rng.beta(1.2, 1.1)) if rng.random() < 0.9 else 0.0
    ring = float(rng.beta(2, 2)) if rng.random() < 0.10 else 0.0
    number = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.05, 0.70, 0.12, 0.06, 0.04, 0.03]))
    return {
        "inclination": math.degrees(math.acos(rng.uniform(0, 1))),
        "thickness": float(np.clip(rng.normal(*((0.18, 0.05) if rng.random() < 0.5 else (0.46, 0.08))), 0.1, 0.6)),
        "bulge_fraction": bulge,
        "axis_ratio": rng.uniform(0.65, 0.95),
        "sersic_index": float(np.clip(rng.normal(0.95 + 2.4 * bulge, 0.4), 0.7, 3.5)),
        "boxiness": float(rng.beta(1, 3)),
        # Early types (large bulges, weak arms) are redder and wind their arms more tightly (Kennicutt 1981).
        "redness": float(np.clip(rng.normal(0.29 + 1.1 * bulge - 0.27 * arms, 0.28), 0, 1.1)),
        "orientation": rng.uniform(0, math.pi),
        "bar_strength": float(rng.beta(1.6, 1.4)) if rng.random() < 0.36 else 0.0,
        "bar_length": rng.uniform(0.28, 0.55),
        "arm_strength": arms,
        "arm_number": number if arms > 0 else 0,
        "arm_pitch": float(np.clip(17 * rng.lognormal(0.1 - 0.6 * bulge, 0.36), 8.5, 42)),
        "clumpiness": float(0.85 * rng.beta(1.4, 2.2)),
        "ring_strength": ring,
        "ring_radius": rng.uniform(0.45, 0.85),
        "dust_lane": float(rng.beta(2, 2)) if rng.random() < 0.15 else 0.0,
    }


def _irregular(rng: np.random.Generator) -> dict:
    return {
        "inclination": math.degrees(math.acos(rng.uniform(0.3, 1))),
        "thickness": rng.uniform(0.25, 0.4),
        "redness": float(rng.beta(1.3, 5)),
        "clumpiness": float(rng.beta(3, 1.5)),
        "irregularity": float(rng.beta(2.5, 1.5)),
        "disturbance": float(rng.beta(1.5, 2)),
        "lopsidedness": float(rng.beta(2, 2)),
    }


def _odd_features(rng: np.random.Generator) -> dict:
    """Disturbances, companions, mergers and arcs: rare, and for all kinds of galaxy alike."""
    values: dict = {}
    chance = rng.random()
    if chance < 0.08:
        values["disturbance"] = float(rng.beta(1.3, 2))
    elif chance < 0.25:
        merging = chance < 0.12
        values |= {
            "companion": rng.uniform(0.15, 0.8) if merging else float(np.clip(rng.lognormal(-2.2, 0.8), 0.02, 0.5)),
            "companion_distance": rng.uniform(0.25, 1.1) if merging else rng.uniform(0.7, 1.8),
            "companion_angle": rng.uniform(0, 2 * math.pi),
            "interaction": float(rng.beta(1.5, 1.5)) if merging else 0.0,
        }
        if merging:
            values["disturbance"] = 0.5 * values["interaction"]
    elif chance < 0.265:
        values |= {"arc_strength": float(rng.beta(2, 2)), "companion_angle": rng.uniform(0, 2 * math.pi)}
    return values


def _artifact(rng: np.random.Generator) -> dict:
    chance = rng.random()
    if chance < 0.002:
        return {"artifact": rng.uniform(0.8, 1), "artifact_kind": "star"}
    if chance < 0.006:
        return {"artifact": rng.uniform(0.1, 0.6), "artifact_kind": "trail"}
    if chance < 0.06:
        return {"artifact": rng.uniform(0.05, 0.5), "artifact_kind": "glare"}
    return {}
