"""How a simulated galaxy becomes an image.

The galaxy is drawn on the survey camera's own pixels (0.396 arcseconds, as in the SDSS), three bands at once, then
blurred by the seeing, given the sky's noise and the asinh stretch of Lupton et al. (2004), written as a JPEG, and
resampled to 424 x 424 pixels of radius / 50 each, as Galaxy Zoo 2 did (Willett et al. 2013). So a small galaxy is
coarse and blurred, and so is its noise, which has little colour: the first JPEG has seen to that.
"""

import io
import math

import numpy as np
from PIL import Image

from gzutils.data.simulation.appearance import SEEN, SOFTENING, Appearance, appearance
from gzutils.data.simulation.galaxies import Galaxy
from gzutils.data.simulation.light import COMPONENTS, MIDDLE, OLD, YOUNG, coloured, galaxy_light, mean_band

FRAME = 424  # pixels of the final image, a side
RADIUS_PIXELS = 50  # a galaxy's radius in the final image
CAMERA_PIXEL = 0.396  # arcseconds
MARGIN = 3  # camera pixels that are drawn beyond each edge of the image
REACH = 2.7  # of a galaxy's light, in its radii
BRIGHTNESS = 42.0  # grey levels a unit of the stretch
PEDESTAL = np.array([-0.24, -0.29, -0.39], np.float32)  # the sky that is left, in units of its noise
NOISE = np.array([1.29, 1.09, 1.23], np.float32)  # of the three bands
ELECTRONS = 25.0  # in one unit of light: the sky's noise is the root of some 600 electrons
MISALIGNMENT = 0.26  # of the bands, in the camera's pixels: the atmosphere bends blue light more than red
BLUE_STAR = np.array([0.75, 0.95, 1.45], np.float32)
RED_GLARE = np.array([2.2, 0.5, 0.5], np.float32)
BLUE_GLARE = np.array([1.2, 0.6, 1.4], np.float32)
RED_STAR = np.array([1.75, 0.85, 0.3], np.float32)
STAR_WIDTH = 2.3  # of Moffat's profile with index 3, in standard deviations of the Gaussian that is as wide
CALIBRATION = 0.03  # relative error of a band, with the Milky Way's dust


def draw_galaxy(galaxy: Galaxy, rng: np.random.Generator) -> tuple[np.ndarray, Appearance]:
    """The image of a galaxy, uint8 (424, 424, 3), and what can be seen in it.

    Args:
        galaxy: its properties.
        rng: for the details that no property fixes, then for the sky's noise, the stars and galaxies around.
    """
    bright, parts, first = _shine(galaxy, rng, SEEN)
    side, pixel = _camera(galaxy)
    star_spread = galaxy.seeing / CAMERA_PIXEL / 2.355  # full width at half maximum to standard deviation
    light = np.zeros((side, side, 3), np.float32)
    window = light[first : first + len(bright), first : first + len(bright)]
    window += bright
    _add_neighbours(light, star_spread, rng)
    rows = light.reshape(side, -1)  # the bands in turn: NumPy is slow along an axis of 3
    rows *= np.tile(rng.lognormal(0, CALIBRATION, 3).astype(np.float32), side)
    _add_stars(light, star_spread, rng)
    if galaxy.artifact_kind != "none":
        axis = (np.arange(side, dtype=np.float32) - (side - 1) / 2) * pixel
        _add_artifact(light, galaxy, axis[None, :], axis[:, None], rng)
    # Photons of the sky, brighter in some nights than in others, and the galaxy's own.
    noise = rng.standard_normal((side, side, 3), np.float32)
    noise.reshape(side, -1)[:] *= np.tile(NOISE * np.float32(rng.lognormal(0.18, 0.2)), side)
    noise[first : first + len(bright), first : first + len(bright)] *= np.sqrt(1 + window / ELECTRONS, dtype=np.float32)
    light += noise
    rows += np.tile(PEDESTAL + rng.normal(0, 0.14, 3).astype(np.float32), side)
    _misalign(light, rng)
    picture = _as_jpeg(stretch(light))
    picture = picture.resize((FRAME, FRAME), Image.Resampling.BICUBIC, box=_frame(galaxy))
    return np.asarray(picture), appearance(galaxy, bright, parts)


def look(galaxy: Galaxy, rng: np.random.Generator) -> Appearance:
    """What can be seen in the galaxy's image, which is not drawn; with the same random numbers the same."""
    bright, parts, _ = _shine(galaxy, rng, SEEN)
    return appearance(galaxy, bright, parts)


def draw_component(galaxy: Galaxy, component: str, rng: np.random.Generator) -> np.ndarray:
    """Where one part of a galaxy is in its image: its light alone, blurred by the seeing, without noise.

    Args:
        galaxy, rng: as for `draw_galaxy`; with the same random numbers the same galaxy is drawn.
        component: "bulge", "bar", "arms", "ring", or "disk" for all but the bulge.

    Returns:
        float32 (424, 424), 0 to 1 at its brightest; zeros where the galaxy has no such part.

    Raises:
        ValueError: there is no such component.
    """
    if component not in COMPONENTS:
        raise ValueError(f"there is no component {component!r}; choose one of {', '.join(COMPONENTS)}")
    _, parts, first = _shine(galaxy, rng, (component,))
    side, _ = _camera(galaxy)
    light = np.zeros((side, side), np.float32)
    if component in parts:
        part = parts[component]
        light[first : first + len(part), first : first + len(part)] = part.clip(0)
    resized = Image.fromarray(light).resize((FRAME, FRAME), Image.Resampling.BILINEAR, box=_frame(galaxy))
    return np.asarray(resized) / max(float(light.max()), 1e-12)


def _camera(galaxy: Galaxy) -> tuple[int, float]:
    """The camera's pixels a side, with a margin around the frame, and their size in the galaxy's radii."""
    side = round(FRAME / RADIUS_PIXELS * galaxy.radius / CAMERA_PIXEL)
    return side + 2 * MARGIN, FRAME / RADIUS_PIXELS / side


def _frame(galaxy: Galaxy) -> tuple[float, float, float, float]:
    """What of the camera's pixels the image shows, left, top, right and bottom: the galaxy is not in its middle."""
    side = _camera(galaxy)[0] - 2 * MARGIN
    left, top = (MARGIN - float(np.clip(o / FRAME * side, -MARGIN, MARGIN)) for o in (galaxy.offset_x, galaxy.offset_y))
    return left, top, left + side, top + side


def _shine(
    galaxy: Galaxy, rng: np.random.Generator, names: tuple[str, ...]
) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
    """The galaxy's light without noise, after the seeing, in units of the sky's noise.

    Returns:
        The light, float32 (n, n, 3), of the square of camera pixels in the middle that it reaches; those of its parts
        that are named, see `light.Light`, (n, n) each; and where the square begins among the camera's pixels.
    """
    side, pixel = _camera(galaxy)
    first = max(int((side - 2 * REACH * galaxy.extent / pixel) / 2), 0)
    n = side - 2 * first
    axis = (np.arange(n, dtype=np.float32) - (n - 1) / 2) * (pixel / galaxy.extent)
    drawn = galaxy_light(galaxy, axis[None, :], axis[:, None], rng)
    scale = _flux(galaxy) / (float(drawn.whole.sum()) / 3 * (pixel / galaxy.extent) ** 2)
    names = tuple(name for name in names if name in drawn.parts)
    stack = np.concatenate([drawn.whole, *(drawn.parts[name][:, :, None] for name in names)], axis=2)
    stack *= np.float32(scale)
    stack = blur(stack, galaxy.seeing / CAMERA_PIXEL / 2.355)
    return stack[:, :, :3], {name: stack[:, :, 3 + i] for i, name in enumerate(names)}, first


def _as_jpeg(pixels: np.ndarray) -> Image.Image:
    """The picture as it comes back from the survey's own JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=85)
    return Image.open(file)


def _misalign(light: np.ndarray, rng: np.random.Generator) -> None:
    """Shifts the outer two bands by a part of a pixel against each other, along one direction, with linear weights."""
    angle, shift = rng.uniform(0, 2 * math.pi), min(rng.exponential(MISALIGNMENT), 1.0)
    for band, sign in ((0, 1), (2, -1)):
        for axis, part in ((0, sign * shift * math.sin(angle)), (1, sign * shift * math.cos(angle))):
            moved = np.roll(light[:, :, band], 1 if part > 0 else -1, axis)
            light[:, :, band] += abs(part) * (moved - light[:, :, band])


def stretch(light: np.ndarray) -> np.ndarray:
    """Light (side, side, 3) in units of the noise to uint8, by the asinh stretch of Lupton et al. (2004).

    The three bands are scaled by one factor, so that bright centres keep their colour.
    """
    mean = np.maximum(mean_band(light), 1e-3)
    factor = np.arcsinh(mean / SOFTENING) * (BRIGHTNESS / mean)
    return np.clip(light * factor[:, :, None] + 0.5, 0, 255).astype(np.uint8)


def _flux(galaxy: Galaxy) -> float:
    """The galaxy's light in all: its surface brightness times its area in radii squared."""
    return galaxy.surface_brightness * math.pi * (0.35 + 0.65 * galaxy.roundness)


def blur(light: np.ndarray, spread: float) -> np.ndarray:
    """Convolves rows and columns with a Gaussian of this standard deviation in pixels."""
    reach = math.ceil(3 * spread)
    kernel = np.exp(-0.5 * (np.arange(reach + 1) / spread) ** 2)
    kernel = (kernel / (kernel[0] + 2 * kernel[1:].sum())).astype(np.float32)
    for axis in (0, 1):
        size = light.shape[axis]
        padding = [(reach, reach) if a == axis else (0, 0) for a in range(light.ndim)]
        rows = np.pad(light, padding, mode="edge").swapaxes(0, axis)
        out = kernel[0] * rows[reach : reach + size]
        for step in range(1, reach + 1):
            out += kernel[step] * (rows[reach - step : reach - step + size] + rows[reach + step : reach + step + size])
        light = out.swapaxes(0, axis)
    return light


def _stamp(light: np.ndarray, column: float, row: float, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The square of the picture around a place, and its pixels' distances from there."""
    side = light.shape[0]
    left, right = max(int(column - reach), 0), min(int(column + reach) + 2, side)
    top, bottom = max(int(row - reach), 0), min(int(row + reach) + 2, side)
    x = np.arange(left, right, dtype=np.float32)[None, :] - column
    y = np.arange(top, bottom, dtype=np.float32)[:, None] - row
    return light[top:bottom, left:right], x, y


def _add_stars(light: np.ndarray, spread: float, rng: np.random.Generator) -> None:
    """Foreground stars: more, the more sky the frame shows. Profile: Moffat (1969) with index 3."""
    side = light.shape[0]
    for _ in range(rng.poisson(9 * (side / 200) ** 2)):
        column, row = rng.uniform(0, side), rng.uniform(0, side)
        peak = min(5 * (1 - rng.random()) ** -1.1, 4000)
        colour = BLUE_STAR ** (1 - (cool := float(rng.beta(0.9, 0.7)))) * RED_STAR**cool
        window, x, y = _stamp(light, column, row, 4 + 3 * spread * peak**0.17)
        window += coloured(peak * (1 + (x**2 + y**2) / (STAR_WIDTH * spread) ** 2) ** -3, colour)


def _add_neighbours(light: np.ndarray, spread: float, rng: np.random.Generator) -> None:
    """Small galaxies in the background, and satellites: faint ones, more of them near the galaxy."""
    side = light.shape[0]
    background, satellites = rng.poisson(3 * (side / 200) ** 2), rng.poisson(0.4)
    for number in range(background + satellites):
        column, row = rng.uniform(0, side, 2)
        if number >= background:
            away, angle = side * rng.uniform(0.05, 0.3), rng.uniform(0, 2 * math.pi)
            column, row = side / 2 + away * math.cos(angle), side / 2 + away * math.sin(angle)
        size = rng.uniform(0.8, 1.6) * (1 - rng.random()) ** -0.25
        peak = min(7 * (1 - rng.random()) ** -0.7, 150)
        ratio, angle = rng.uniform(0.3, 1), rng.uniform(0, math.pi)
        colour = YOUNG + float(rng.random()) * (OLD - YOUNG)
        window, x, y = _stamp(light, column, row, 6 * size + 2 * spread)
        long, short = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        radius = np.sqrt(long**2 + (short / ratio) ** 2 + spread**2)  # the seeing rounds the exponential's tip off
        window += coloured(peak * np.exp((spread - radius) / size), colour)


def _add_artifact(light: np.ndarray, galaxy: Galaxy, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> None:
    """A star with its spikes in place of the galaxy, the trail of a satellite, or the glow of a bright star nearby."""
    angle, shift = rng.uniform(0, math.pi), rng.uniform(-0.8, 0.8)
    toward, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    if galaxy.artifact_kind == "star":
        spikes = np.exp(-np.abs(toward) / 0.03 - np.abs(across) / 0.6)
        spikes += np.exp(-np.abs(across) / 0.03 - np.abs(toward) / 0.6)
        halo = (1 + (x**2 + y**2) / 0.2**2) ** -2.5
        light[:] = coloured(4000 * halo + 150 * spikes, MIDDLE)
    elif galaxy.artifact_kind == "trail":
        # The camera takes the bands one after the other: a satellite is in one of them.
        colour = np.full(3, 0.6, np.float32)
        colour[rng.integers(3)] = 1.5
        light += coloured(60 * galaxy.artifact * np.exp(-(((across - shift) / 0.03) ** 2)), colour)
    else:
        colour = RED_GLARE + float(rng.beta(0.7, 1.5)) * (BLUE_GLARE - RED_GLARE)
        light += coloured(galaxy.artifact * (4 + 6 * np.exp((toward - 4.2) / 2)), colour)
