"""What a volunteer can see of a simulated galaxy: its light without noise, measured after seeing and stretch.

Brightness is taken as the picture shows it, on the asinh stretch. A feature's contrast is the root mean square
difference that it makes there, over the galaxy's outline, in units of the stretch (1 is 42 grey levels); what makes
less difference than the noise goes unseen. So size, seeing, faintness and inclination hide what they hide in it.
"""

import math
from dataclasses import dataclass

import numpy as np

from gzutils.data.simulation.galaxies import Galaxy
from gzutils.data.simulation.light import mean_band

SOFTENING = 3.3  # light at which the stretch turns from linear to logarithmic, in units of the sky's noise
OUTLINE = 1.5  # light of a galaxy's faintest visible part, in the same units
HIDDEN = 0.035  # contrast that the noise of the picture hides
RINGS = 24  # elliptical annuli, for what is the same all around
USUAL_PITCH = 18.0  # degrees
ADDED = ("companion", "tails", "arc")  # parts of a galaxy's light that are not its own
SEEN = ("bulge", "arms", "bar", "ring", "dust", *ADDED)  # the parts that are looked for


@dataclass(frozen=True)
class Appearance:
    """A galaxy as its picture shows it. Contrasts are in units of the stretch, from 0."""

    axis_ratio: float  # of the outline, from second moments
    flatness: float  # mean brightness over that of the brightest pixel: low where a bright core stands out
    redness: float  # ln(red/blue)
    lopsidedness: float  # share of the brightness that a half turn moves
    bulge: float  # share of the brightness that is the bulge's
    arms: float
    bar: float
    ring: float
    dust: float
    companion: float  # brightness that a companion adds, in that of the galaxy
    tails: float
    arc: float
    arm_pitch: float  # degrees, as far as the arms show: faint ones look like all others
    arm_number: int
    flocculence: float  # of the arms, 0 to 1: how far they are many short pieces, as far as they show
    boxiness: float  # of the bulge, as far as the disk is seen from the side
    irregularity: float  # as far as the outline shows it
    artifact: float
    is_star: bool


def visible(contrast: float) -> float:
    """What of a contrast stands out from the noise."""
    return contrast**2 / math.hypot(contrast, HIDDEN) if contrast > 0 else 0.0


def appearance(galaxy: Galaxy, light: np.ndarray, parts: dict[str, np.ndarray]) -> Appearance:
    """Measures a galaxy's light.

    Args:
        galaxy: whose light it is.
        light: float32 (side, side, 3), blurred by the seeing, in units of the sky's noise; the galaxy's centre is its.
        parts: of this light, see `light.Light`, blurred likewise, (side, side) each.
    """
    whole = mean_band(light)
    beside = {name: parts[name] for name in ADDED if name in parts}
    own = whole - sum(beside.values()) if beside else whole
    outline = own > min(OUTLINE, 0.5 * float(own.max()))
    # Beyond the outline there is nothing to measure but what stands beside the galaxy.
    first = min(int(outline.any(axis).argmax()) for axis in (0, 1))
    first = min(first, *(int(outline[::-1, ::-1].any(axis).argmax()) for axis in (0, 1)))
    inside = slice(first, len(own) - first)
    brightness = {name: _brightness(whole) - _brightness(whole - part) for name, part in beside.items()}
    own, outline, light = own[inside, inside], outline[inside, inside], light[inside, inside]
    parts = {name: part[inside, inside] for name, part in parts.items()}
    seen = np.arcsinh(own / SOFTENING)
    side = len(own)
    x = np.arange(side, dtype=np.float32)[None, :] - (side - 1) / 2
    y = x.T
    weight = seen * outline
    total = float(weight.sum())
    ratio, ellipse = _ellipse(weight / total, x, y)
    rings = np.minimum(ellipse * (RINGS / 3.5), RINGS - 1).astype(np.int32).ravel()
    counts = np.maximum(np.bincount(rings, minlength=RINGS), 1)

    def around(part: np.ndarray) -> np.ndarray:
        """The mean along each annulus, (RINGS,)."""
        return np.bincount(rings, part.ravel(), RINGS) / counts

    def contrast(part: np.ndarray) -> float:
        difference = (seen - np.arcsinh((own - part).clip(0) / SOFTENING))[outline]
        return float(np.sqrt(np.mean(difference**2)))

    def uneven(name: str) -> float:
        """The contrast of what a part adds beyond its mean around the galaxy."""
        if name not in parts:
            return 0.0
        return contrast(parts[name] - around(parts[name])[rings].reshape(side, side).astype(np.float32))

    bulge = 1.0
    if galaxy.kind != "spheroid":
        bulge = float(((seen - np.arcsinh((own - parts["bulge"]).clip(0) / SOFTENING)) * outline).sum()) / total
    lopsidedness = float(np.abs(weight - weight[::-1, ::-1]).sum()) / (2 * total)
    arms = visible(uneven("arms"))
    red, blue = (float(light[:, :, band][outline].sum()) for band in (0, 2))
    return Appearance(
        axis_ratio=ratio,
        flatness=total / float(outline.sum()) / float(seen.max()),
        redness=math.log(red / blue),
        lopsidedness=lopsidedness,
        bulge=bulge,
        arms=arms,
        bar=visible(uneven("bar")) * galaxy.face_on,  # from the side it looks like a bulge
        ring=_ring(own, parts["ring"], around) if "ring" in parts else 0.0,
        dust=visible(contrast(-parts["dust"])) if "dust" in parts else 0.0,
        companion=brightness.get("companion", 0.0) / total,
        tails=brightness.get("tails", 0.0) / total,
        arc=brightness.get("arc", 0.0) / total,
        arm_pitch=USUAL_PITCH + (galaxy.arm_pitch - USUAL_PITCH) * arms / (arms + HIDDEN),
        arm_number=galaxy.arm_number,
        flocculence=galaxy.clumpiness * arms / (arms + HIDDEN) if galaxy.arm_number else 0.0,
        boxiness=galaxy.boxiness * (1 - galaxy.face_on),
        irregularity=galaxy.irregularity * min(1.0, lopsidedness / 0.15),
        artifact=galaxy.artifact,
        is_star=galaxy.artifact_kind == "star",
    )


def _brightness(light: np.ndarray) -> float:
    """All of it, as the picture shows it."""
    return float(np.arcsinh(light.clip(0) / SOFTENING).sum())


def _ellipse(share: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Axis ratio, and each pixel's distance from the centre in units of the root mean square one, from moments."""
    xx, yy, xy = (float((share * a).sum()) for a in (x * x, y * y, x * y))
    mean, difference = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    long, short = mean + difference, max(mean - difference, 1e-3 * mean)
    determinant = long * short
    distance = (yy * x * x - 2 * xy * x * y + xx * y * y) / determinant
    return math.sqrt(short / long), np.sqrt(distance)


def _ring(own: np.ndarray, ring: np.ndarray, around) -> float:
    """How far a ring rises over what lies inside it."""
    bump = around(np.arcsinh(own / SOFTENING) - np.arcsinh((own - ring).clip(0) / SOFTENING))
    top = int(bump.argmax())
    return max(float(bump[top] - bump[: top // 2 + 1].mean()), 0.0)
