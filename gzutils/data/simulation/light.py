"""The light of a simulated galaxy, as it would be seen without atmosphere, camera or noise.

Three kinds of stars make it up, each with its colour: old ones (bulges, spheroids), those of the disk, and young ones
(arms, rings, knots). Lengths are in the galaxy's radii, angles in radians; pictures are float32 (side, side).
"""

import dataclasses
import math

import numpy as np
from PIL import Image

from gzutils.data.simulation.galaxies import Galaxy

# The light of stars in the red, green and blue channel of the image (the SDSS bands i, r and g).
OLD = np.array([1.29, 1.0, 0.57], np.float32)
MIDDLE = np.array([1.13, 0.98, 0.80], np.float32)
YOUNG = np.array([0.85, 0.93, 1.16], np.float32)
DUST = np.array([0.6, 0.85, 1.25], np.float32)  # what dust takes away, as optical depth


def galaxy_light(
    galaxy: Galaxy,
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    bulge_light: float = 1.0,
    disk_light: float = 1.0,
) -> np.ndarray:
    """The light of the galaxy and its companion, float32 (side, side, 3), in arbitrary units.

    Args:
        galaxy: what to draw.
        x: (1, side), float32, from the galaxy's centre.
        y: (side, 1), likewise.
        rng: for the bends and clumps that are different in each galaxy.
        bulge_light, disk_light: 0 leaves the bulge (a spheroid is all bulge) or the disk out.
    """
    side = x.shape[1]
    if galaxy.disturbance > 0:
        bend = 0.24 * galaxy.disturbance * (0.3 + 0.7 * galaxy.roundness)  # a thin disk warps, but does not curl up
        x, y = x + bend * random_waves(7, side, rng), y + bend * random_waves(7, side, rng)
    cosine, sine = math.cos(galaxy.position_angle), math.sin(galaxy.position_angle)
    long, short = x * cosine + y * sine, y * cosine - x * sine

    if galaxy.kind == "spheroid":
        light = coloured(bulge_light * _spheroid(galaxy, long, short), MIDDLE + galaxy.redness * (OLD - MIDDLE))
    else:
        middle, young = _disk(galaxy, long, short, rng)
        light = coloured(middle, YOUNG + galaxy.redness * (OLD - YOUNG))
        light += coloured(young, YOUNG + 0.5 * galaxy.redness * (MIDDLE - YOUNG))
        light *= disk_light * (1 - galaxy.bulge_fraction)
        light += coloured(bulge_light * galaxy.bulge_fraction * _bulge(galaxy, long, short), OLD)
    if galaxy.disturbance > 0:
        lopsided = np.exp(0.9 * galaxy.disturbance * random_waves(9, side, rng))
        light *= lopsided[:, :, None]
    if galaxy.dust_lane > 0:
        light *= np.exp(
            coloured(-4.5 * galaxy.dust_lane * (1 - galaxy.face_on) * _dust_lane(galaxy, long, short), DUST)
        )
    if galaxy.companion > 0:
        light += _companion(galaxy, x, y, float(light.sum()) / 3)
    if galaxy.arc_strength > 0:
        light += coloured(_arc(galaxy, x, y, float(light.sum()) / 3), YOUNG)
    return light


def component_light(
    galaxy: Galaxy, component: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The light of one part of the galaxy, float32 (side, side), mean of the three bands; arguments as above.

    The part is what is missing when the galaxy is drawn without it, from the same random numbers: therefore these are
    drawn whether they are needed or not.

    Args:
        component: "bulge", "bar", "arms", "ring", or "disk" for all but the bulge. Zeros where the galaxy has none.

    Raises:
        ValueError: there is no such component.
    """
    alone = dataclasses.replace(galaxy, companion=0.0, interaction=0.0, arc_strength=0.0)
    without = {
        "bulge": {"bulge_light": 0.0},
        "disk": {"disk_light": 0.0},
        "bar": {"bar_strength": 0.0},
        "arms": {"arm_strength": 0.0},
        "ring": {"ring_strength": 0.0},
    }
    if component not in without:
        raise ValueError(f"there is no component {component!r}; choose one of {', '.join(without)}")
    state = rng.bit_generator.state
    whole = galaxy_light(alone, x, y, rng)
    rng.bit_generator.state = state
    change = without[component]
    if component in ("bulge", "disk"):
        rest = galaxy_light(alone, x, y, rng, **change)
    else:
        rest = galaxy_light(dataclasses.replace(alone, **change), x, y, rng)
    return (whole - rest).clip(0).mean(axis=2)


def coloured(light: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Light (rows, columns) in a colour (3,): (rows, columns, 3)."""
    return light[:, :, None] * colour


def random_waves(cells: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth random waves about 0, with a spread of about 0.7: noise on a grid of cells x cells, resampled."""
    noise = Image.fromarray(rng.standard_normal((cells, cells), np.float32))
    return np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC))


def _sersic(radius: np.ndarray, index: float, half_light: float, axis_ratio: float) -> np.ndarray:
    """Sersic's profile (1968; Graham & Driver 2005, equations 1 to 6) along the long axis, with a total light of 1."""
    steepness = 2 * index - 1 / 3 + 0.009876 / index
    total = 2 * math.pi * index * axis_ratio * half_light**2 * steepness ** (-2 * index) * math.gamma(2 * index)
    return np.exp(-steepness * (radius / half_light) ** (1 / index)) / total


def _spheroid(galaxy: Galaxy, long: np.ndarray, short: np.ndarray) -> np.ndarray:
    # The radius counts the light in circles, so the long axis of a flat galaxy reaches further out.
    half_light = 0.58 * galaxy.sersic_index**-0.12 * galaxy.axis_ratio**-0.4
    radius = np.sqrt(long**2 + (short / galaxy.axis_ratio) ** 2 + 1e-4)
    return _sersic(radius, galaxy.sersic_index, half_light, galaxy.axis_ratio)


def _bulge(galaxy: Galaxy, long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """The bulge of a disk: round from above; flattened, and perhaps a box, from the side."""
    side_on = 1 - galaxy.face_on
    ratio = 1 - (1 - galaxy.axis_ratio) * side_on
    power = 2 + 2 * galaxy.boxiness * side_on
    radius = (np.abs(long) ** power + np.abs(short / ratio) ** power + 1e-4) ** (1 / power)
    return _sersic(radius, galaxy.sersic_index, 0.12 + 0.4 * galaxy.bulge_fraction, ratio)


def _disk(
    galaxy: Galaxy, long: np.ndarray, short: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The disk's light, 1 in total without its arms and bar: older stars, and young ones."""
    scale = (0.40 if galaxy.kind == "disk" else 0.33) * (1 + 0.05 * (1 - galaxy.roundness))
    cosine = math.cos(math.radians(galaxy.inclination))
    edge_on = 1 / (1 + (cosine / (1.6 * galaxy.thickness)) ** 6)  # from the plane's picture over to the side view
    foreshortening = max(cosine, 0.12)
    older, young = _disk_plane(galaxy, long, short / foreshortening, scale, rng)
    plane = (1 - edge_on) / foreshortening
    return plane * older + edge_on * _side_view(galaxy, long, short, scale, cosine), plane * young


def _side_view(galaxy: Galaxy, long: np.ndarray, short: np.ndarray, scale: float, cosine: float) -> np.ndarray:
    """An exponential disk from the side: R K1(R) along it and sech^2 across it (van der Kruit & Searle 1981)."""
    height = scale * math.hypot(galaxy.thickness, 0.5 * cosine)
    along = np.abs(long) / scale
    profile = np.sqrt(1 + math.pi / 2 * along) * np.exp(-along)  # R K1(R) has the same limits, near and far
    profile /= 1 + (along / 3.5) ** 6  # disks end there (van der Kruit & Searle 1981)
    across = np.cosh(np.minimum(np.abs(short) / height, 20)) ** -2
    return profile * across / (2.57 * scale * 2 * height)


def _disk_plane(
    galaxy: Galaxy, u: np.ndarray, v: np.ndarray, scale: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The disk in its own plane, exponential (Freeman 1970), with arms, ring, bar and patches: older, young stars."""
    side = u.shape[0]
    cosine, sine = math.cos(galaxy.orientation), math.sin(galaxy.orientation)
    u, v = u * cosine + v * sine, v * cosine - u * sine
    radius = np.sqrt(u**2 + v**2 + 1e-4)
    disk = np.exp(-radius / scale) / (2 * math.pi * scale**2)
    knots = np.exp(1.6 * galaxy.clumpiness * random_waves(max(side // 5, 24), side, rng))
    wander, patches = random_waves(9, side, rng), random_waves(9, side, rng)  # drawn always: see `component_light`
    if galaxy.arm_strength > 0:
        arms = galaxy.arm_strength * disk * _arms(galaxy, u, v, radius, wander, patches)
        older, young = (1 - 0.55 * galaxy.arm_strength) * disk + arms, 2.2 * arms * knots
    else:
        older, young = disk, 0.25 * disk * (knots - 1).clip(0)
    if galaxy.ring_strength > 0:
        ring = np.exp(-(((radius - galaxy.ring_radius) / 0.09) ** 2))
        older *= 1 - 0.45 * galaxy.ring_strength
        young += 0.75 * galaxy.ring_strength * ring * knots
    if galaxy.bar_strength > 0:
        length, width = galaxy.bar_length, 0.26 * galaxy.bar_length
        older += 3.2 * galaxy.bar_strength * np.exp(-(np.abs(u / length) ** 3) - np.abs(v / width) ** 3)
    if galaxy.irregularity > 0:
        clouds = np.exp(1.2 * galaxy.irregularity * random_waves(16, side, rng))
        older *= clouds
        young += 1.2 * disk * clouds
    return older, young


def _arms(
    galaxy: Galaxy, u: np.ndarray, v: np.ndarray, radius: np.ndarray, wander: np.ndarray, patches: np.ndarray
) -> np.ndarray:
    """Logarithmic spirals, about 0 to 1, from the bar or the bulge outwards; real ones wander and fade in places."""
    turn = galaxy.handedness * np.arctan2(v, u) - np.log(radius / galaxy.bar_length) / math.tan(
        math.radians(galaxy.arm_pitch)
    )
    phase = galaxy.arm_number * turn + 0.9 * wander
    start = max(0.22, 0.8 * galaxy.bar_strength * galaxy.bar_length)
    begun = 1 / (1 + (start / radius) ** 3)
    ended = 1 / (1 + (radius / 1.5) ** 6)
    return np.exp(1.8 * (np.cos(phase) - 1) + 0.5 * patches) * begun * ended


def _dust_lane(galaxy: Galaxy, long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """Where the dust is, 0 to 1: a dark line along the disk, a little to its near side."""
    width = 0.06 + 0.08 * galaxy.roundness
    return np.exp(-((short / width - 0.3) ** 2) - (long / 0.9) ** 2)


def _companion(galaxy: Galaxy, x: np.ndarray, y: np.ndarray, total: float) -> np.ndarray:
    """A second galaxy beside the first, of light `total`, and between them the stars that the tides pulled out."""
    cosine, sine = math.cos(galaxy.companion_angle), math.sin(galaxy.companion_angle)
    toward, across = x * cosine + y * sine, y * cosine - x * sine
    away = toward - galaxy.companion_distance
    second = np.exp(-np.sqrt(away**2 + (across / 0.75) ** 2 + 1e-3) / (0.10 + 0.06 * galaxy.companion))
    light = coloured(second * (galaxy.companion * total / float(second.sum())), MIDDLE)
    if galaxy.interaction > 0:
        reach = toward / (1 + galaxy.companion_distance)
        curve = across - 0.55 * galaxy.handedness * reach * np.abs(reach)
        tails = np.exp(-((curve / 0.12) ** 2) - reach**4)
        light += coloured(tails * (0.25 * galaxy.interaction * total / float(tails.sum())), YOUNG)
    return light


def _arc(galaxy: Galaxy, x: np.ndarray, y: np.ndarray, total: float) -> np.ndarray:
    """A thin arc, a third of a circle, around the centre of a galaxy of light `total`."""
    angle = np.arctan2(y, x) - galaxy.companion_angle
    radius = np.sqrt(x**2 + y**2)
    arc = np.exp(-(((radius - 0.75) / 0.05) ** 2) + 2.5 * (np.cos(angle) - 1))
    return arc * (0.16 * galaxy.arc_strength * total / float(arc.sum()))
