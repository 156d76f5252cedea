"""The light of a simulated galaxy, as it would be seen without atmosphere, camera or noise.

Three kinds of stars make it up, each with its colour: old ones (bulges, spheroids), those of the disk, and young ones
(arms, rings, knots). Lengths are in the galaxy's radii, angles in radians; pictures are float32 (side, side).
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from gzutils.data.simulation.galaxies import Galaxy

# The light of stars in the red, green and blue channel of the image (the SDSS bands i, r and g); each adds up to 3.
OLD = np.array([1.34, 1.05, 0.61], np.float32)
MIDDLE = np.array([1.16, 1.01, 0.83], np.float32)
YOUNG = np.array([0.86, 0.94, 1.20], np.float32)
DUST = np.array([0.6, 0.9, 1.5], np.float32)  # what dust takes away, as optical depth
GRADIENT = 0.75  # of a spheroid's redness, from its centre outwards
YOUNG_OUTSIDE = 0.52  # share of the young stars in a disk's light, far from its centre
TURNS, STEPS = 96, 48  # the grid of the spiral patches: around the galaxy, and along ln(radius)
COMPONENTS = ("bulge", "disk", "bar", "arms", "ring")


@dataclass(frozen=True)
class Light:
    """What shines: all of it in three bands, and of some parts how much, as the mean of the bands."""

    whole: np.ndarray  # float32 (side, side, 3)
    parts: dict[str, np.ndarray]  # float32 (side, side) each; only those that the galaxy has


def galaxy_light(galaxy: Galaxy, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Light:
    """The light of the galaxy and its companion, in arbitrary units.

    Args:
        galaxy: what to draw.
        x: (1, side), float32, from the galaxy's centre.
        y: (side, 1), likewise.
        rng: for the bends and clumps that are different in each galaxy.

    Returns:
        The light. Its parts are the `COMPONENTS` ("disk" is all but the bulge), "companion", "tails" and "arc", which
        add light, and "dust", the light that the dust takes away.
    """
    side = x.shape[1]
    if galaxy.disturbance > 0:
        bend = 0.12 * galaxy.disturbance * (0.3 + 0.7 * galaxy.roundness)  # a thin disk warps, but does not curl up
        x, y = x + bend * random_waves(6, side, rng), y + bend * random_waves(6, side, rng)
    cosine, sine = math.cos(galaxy.position_angle), math.sin(galaxy.position_angle)
    long, short = x * cosine + y * sine, y * cosine - x * sine

    if galaxy.kind == "spheroid":
        parts = {"bulge": _spheroid(galaxy, long, short)}
        # Spheroids are redder inside (Peletier et al. 1990).
        inner = parts["bulge"] / (1 + np.sqrt(long**2 + short**2) / 0.3)
        light = coloured(parts["bulge"], MIDDLE + (galaxy.redness - GRADIENT / 2) * (OLD - MIDDLE))
        light += coloured(inner, GRADIENT * (OLD - MIDDLE))
    else:
        older, young, parts = _disk(galaxy, long, short, rng)
        light = coloured(older, YOUNG + (0.15 + 0.8 * galaxy.redness) * (OLD - YOUNG))
        light += coloured(young, YOUNG + 0.7 * galaxy.redness * (MIDDLE - YOUNG))
        parts["disk"] = older + young
        parts["bulge"] = galaxy.bulge_fraction * _bulge(galaxy, long, short)
        light += coloured(parts["bulge"], OLD + 0.5 * (1 - galaxy.redness) * (MIDDLE - OLD))
    if galaxy.disturbance > 0 or galaxy.lopsidedness > 0:
        lopsided = _lopsided(galaxy, long, short)
        if galaxy.disturbance > 0:
            lopsided = lopsided * np.exp(0.6 * galaxy.disturbance * random_waves(8, side, rng))
        light *= lopsided[:, :, None]
        parts = {name: part * lopsided for name, part in parts.items()}
    if galaxy.dust_lane > 0:
        depth = 2.5 * galaxy.dust_lane * (1 - galaxy.face_on) * _dust_lane(galaxy, long, short)
        clear = light.mean(axis=2)
        light *= np.exp(coloured(-depth, DUST))
        parts["dust"] = clear - light.mean(axis=2)
    total = float(light.sum()) / 3
    if galaxy.companion > 0:
        _add_companion(galaxy, x, y, total, light, parts, rng)
    if galaxy.arc_strength > 0:
        parts["arc"] = _arc(galaxy, x, y, total)
        light += coloured(parts["arc"], YOUNG)
    return Light(light, parts)


def coloured(light: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Light (rows, columns) in a colour (3,): (rows, columns, 3). Band by band: NumPy is slow along an axis of 3."""
    bands = np.empty((*light.shape, 3), np.float32)
    for band in range(3):
        np.multiply(light, colour[band], out=bands[:, :, band])
    return bands


def mean_band(light: np.ndarray) -> np.ndarray:
    """The mean of the bands: (rows, columns) of (rows, columns, 3)."""
    return (light[:, :, 0] + light[:, :, 1] + light[:, :, 2]) * np.float32(1 / 3)


def random_waves(cells: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth random waves about 0, with a spread of about 0.7: noise on a grid of cells x cells, resampled."""
    noise = Image.fromarray(rng.standard_normal((cells, cells), np.float32))
    return np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC))


def sersic(radius: np.ndarray, index: float, half_light: float, axis_ratio: float) -> np.ndarray:
    """Sersic's profile (1968; Graham & Driver 2005, equations 1 to 6) along the long axis, with a total light of 1."""
    steepness = 2 * index - 1 / 3 + 0.009876 / index
    total = 2 * math.pi * index * axis_ratio * half_light**2 * steepness ** (-2 * index) * math.gamma(2 * index)
    return np.exp(-steepness * (radius / half_light) ** (1 / index)) / total


def _spheroid(galaxy: Galaxy, long: np.ndarray, short: np.ndarray) -> np.ndarray:
    # The radius counts the light in circles, so the long axis of a flat galaxy reaches further out.
    half_light = 0.58 * galaxy.sersic_index**-0.12 * galaxy.axis_ratio**-0.4
    radius = np.sqrt(long**2 + (short / galaxy.axis_ratio) ** 2 + 1e-4)
    # The survey takes the outskirts of galaxies for sky, and subtracts them (Blanton et al. 2011).
    return sersic(radius, galaxy.sersic_index, half_light, galaxy.axis_ratio) / (1 + (radius / 2.0) ** 6)


def _bulge(galaxy: Galaxy, long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """The bulge of a disk: round from above; flattened, and perhaps a box, from the side."""
    side_on = 1 - galaxy.face_on
    ratio = 1 - (1 - galaxy.axis_ratio) * side_on
    power = 2 + 2 * galaxy.boxiness * side_on
    radius = (np.abs(long) ** power + np.abs(short / ratio) ** power + 1e-4) ** (1 / power)
    return sersic(radius, galaxy.sersic_index, 0.10 + 0.35 * galaxy.bulge_fraction, ratio)


def _disk(
    galaxy: Galaxy, long: np.ndarray, short: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The disk, exponential (Freeman 1970) and cut off outside (van der Kruit & Searle 1981), with what is in it.

    Returns:
        Older and young stars, whose light is about 1 - `bulge_fraction` in all, and the arms, bar and ring among them.
    """
    side = long.shape[0]
    ratio = galaxy.disk_ratio
    scale = (0.40 if galaxy.kind == "disk" else 0.34) * (1 + 0.12 * (1 - ratio))
    u, v = long, short / ratio
    cosine, sine = math.cos(galaxy.orientation), math.sin(galaxy.orientation)
    u, v = u * cosine + v * sine, v * cosine - u * sine
    radius = np.sqrt(u**2 + v**2 + 4e-3)
    plain = (1 - galaxy.bulge_fraction) / (2 * math.pi * scale**2 * ratio)
    disk = plain * np.exp(-radius / scale) / (1 + (radius / (3.4 * scale)) ** 8)
    knots = np.exp(1.1 * galaxy.clumpiness * random_waves(40, side, rng))
    outer = YOUNG_OUTSIDE * radius / (radius + 0.7)  # disks are bluer outside
    young = disk * outer * knots
    older = disk * (1 - outer)
    parts = {}
    if galaxy.arm_strength > 0:
        pattern = _arms(galaxy, u, v, radius, rng) * galaxy.arm_strength
        # Seen from the side, the arms lie behind one another.
        pattern *= 0.3 + 0.7 * galaxy.face_on
        parts["arms"] = disk * pattern * (0.7 + 1.0 * knots)
        older = older * (1 - 0.4 * galaxy.arm_strength) + 0.7 * disk * pattern
        young = young * (1 - 0.3 * galaxy.arm_strength) + disk * pattern * knots
    if galaxy.ring_strength > 0:
        ring = np.exp(-(((radius - galaxy.ring_radius) / 0.13) ** 2))
        brightness = plain * math.exp(-min(galaxy.ring_radius, 0.6) / scale)
        parts["ring"] = 0.9 * galaxy.ring_strength * brightness * ring * (0.5 + 0.5 * knots)
        young = young + 0.6 * parts["ring"]
        older = older + 0.4 * parts["ring"]
    if galaxy.bar_strength > 0:
        length, width = galaxy.bar_length, 0.30 * galaxy.bar_length
        bar = np.exp(-(np.abs(u / length) ** 2.5) - (v / width) ** 2)
        parts["bar"] = 1.1 * galaxy.bar_strength * plain * bar
        older = older + parts["bar"]
    if galaxy.irregularity > 0:
        clouds = np.exp(galaxy.irregularity * (0.5 * random_waves(11, side, rng) + 0.5 * random_waves(26, side, rng)))
        older = older * clouds
        young = young * clouds**1.3
    return older, young, parts


def _arms(galaxy: Galaxy, u: np.ndarray, v: np.ndarray, radius: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Logarithmic spirals, about 0 to 1, from the bar or the bulge outwards, and the patches of flocculent ones.

    Real arms wander, fade in places, and are not alike. The clumpier a galaxy, the more of its arms are short pieces
    that the disk's rotation has drawn out (Elmegreen & Elmegreen 1982).
    """
    side = radius.shape[0]
    depth = np.log(radius / galaxy.bar_length)
    turn = galaxy.handedness * np.arctan2(v, u) - depth / math.tan(math.radians(galaxy.arm_pitch))
    phase = galaxy.arm_number * turn + 1.1 * random_waves(8, side, rng)
    grand = np.exp(1.5 * (np.cos(phase) - 1) + 0.6 * random_waves(8, side, rng))
    if galaxy.arm_number > 1:
        grand *= 1 + 0.7 * galaxy.lopsidedness * np.cos(turn + galaxy.lopsided_angle)
    noise = rng.standard_normal((8, 14), np.float32)
    wrapped = Image.fromarray(np.concatenate([noise, noise, noise], axis=1))
    table = np.asarray(wrapped.resize((3 * TURNS, STEPS), Image.Resampling.BICUBIC))[:, TURNS : 2 * TURNS]
    column = (turn * (TURNS / (2 * math.pi))).astype(np.int32) % TURNS
    row = ((depth + 2.2) * (STEPS / 3.6)).astype(np.int32).clip(0, STEPS - 1)
    patches = 0.45 * np.exp(0.9 * table[row, column])
    grand += galaxy.clumpiness * (patches - grand)
    start = max(0.2, 0.8 * galaxy.bar_strength * galaxy.bar_length)
    return grand / (1 + (start / radius) ** 3) / (1 + (radius / 1.5) ** 6)


def _lopsided(galaxy: Galaxy, long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """A factor for the light of each place: 1 in the centre; outside up to e on the brighter side, 1/e on the other."""
    toward = long * math.cos(galaxy.lopsided_angle) + short / max(galaxy.roundness, 0.3) * math.sin(
        galaxy.lopsided_angle
    )
    strength = galaxy.lopsidedness * (0.4 if galaxy.kind == "spheroid" else 1.0)
    return np.exp(strength * toward / (0.6 + np.abs(toward)))


def _dust_lane(galaxy: Galaxy, long: np.ndarray, short: np.ndarray) -> np.ndarray:
    """Where the dust is, 0 to 1: a dark line along the disk, a little to its near side."""
    width = 0.05 + 0.08 * galaxy.roundness
    return np.exp(-((short / width - 0.4) ** 2) - (long / 0.7) ** 2)


def _add_companion(
    galaxy: Galaxy,
    x: np.ndarray,
    y: np.ndarray,
    total: float,
    light: np.ndarray,
    parts: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> None:
    """A second galaxy beside the first, of light `total`, and the curved tails that the tides pulled out of both."""
    angle = galaxy.companion_angle
    across_x = x - galaxy.companion_distance * math.cos(angle)
    across_y = y - galaxy.companion_distance * math.sin(angle)
    tilt, ratio, index = rng.uniform(0, math.pi), rng.uniform(0.45, 1), rng.uniform(1, 2.5)
    size = 0.5 * math.sqrt(galaxy.companion) * rng.uniform(0.6, 1.2)
    redness = float(np.clip(galaxy.redness + rng.normal(0, 0.25), 0, 1))
    long = across_x * math.cos(tilt) + across_y * math.sin(tilt)
    short = across_y * math.cos(tilt) - across_x * math.sin(tilt)
    radius = np.sqrt(long**2 + (short / ratio) ** 2 + 1e-4)
    parts["companion"] = galaxy.companion * total * _as_share(sersic(radius, index, size, ratio))
    light += coloured(parts["companion"], YOUNG + redness * (OLD - YOUNG))
    if galaxy.interaction > 0:
        radius = np.sqrt(x**2 + y**2 + 1e-3)
        turn = np.arctan2(y, x) - angle - galaxy.handedness * 1.1 * np.log(radius)
        tails = np.exp(6 * (np.cos(2 * turn) - 1) - ((radius - 1.0) / 0.5) ** 2)
        tails *= 1 + 0.8 * np.cos(turn)  # the tail behind is the fainter one
        parts["tails"] = 0.12 * galaxy.interaction * total * _as_share(tails)
        light += coloured(parts["tails"], MIDDLE)


def _arc(galaxy: Galaxy, x: np.ndarray, y: np.ndarray, total: float) -> np.ndarray:
    """A thin arc, a third of a circle, around the centre of a galaxy of light `total`."""
    angle = np.arctan2(y, x) - galaxy.companion_angle
    radius = np.sqrt(x**2 + y**2)
    arc = np.exp(-(((radius - 0.75) / 0.06) ** 2) + 2.5 * (np.cos(angle) - 1))
    return 0.06 * galaxy.arc_strength * total * _as_share(arc)


def _as_share(light: np.ndarray) -> np.ndarray:
    return light / max(float(light.sum()), 1e-12)
