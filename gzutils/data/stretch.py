"""Numbers of any range as the 256 levels of a picture: evenly, or as the Sloan survey's colour pictures are made."""

import numpy as np

OUTLIERS = 0.001  # share of the pixels, of the darkest and of the brightest, that may lie beyond black and white
LINEAR = f"stretched from its {100 * OUTLIERS:g} % darkest to its {100 * OUTLIERS:g} % brightest values"
ASINH = f"asinh-stretched as SDSS's colour pictures, its {100 * OUTLIERS:g} % brightest values white"

SOFTENING = 10  # times the noise of the sky: what is fainter is stretched evenly, what is brighter logarithmically
ENOUGH = 2**22  # pixels from whose rows the noise is taken
DEEPEST = 100  # softenings from black to white, at most: without any noise nothing else would limit them


def linear(values: np.ndarray) -> np.ndarray:
    """Numbers as uint8 of the same shape, NaN and infinite ones black; a few hot or dead pixels do not count.

    Raises:
        ValueError: there is no number among them.
    """
    known = _known(values)
    low, high = (_percentile(values[known], share) for share in (OUTLIERS, 1 - OUTLIERS))
    if low >= high:  # next to nothing on an even ground
        low, high = values[known].min(), values[known].max()
    scaled = np.where(known, values, low).astype(np.float64, copy=False)
    scaled -= low
    scaled *= 255 / (high - low) if high > low else 0
    return np.round(scaled.clip(0, 255, out=scaled), out=scaled).astype(np.uint8)


def asinh(planes: np.ndarray) -> np.ndarray:
    """Light as a picture, as Lupton et al. (2004, PASP 116, 133) make it of the Sloan survey's; needs astropy.

    Black lies one noise of the sky below the sky, white at the brightest thousandth. Three planes are one colour
    picture: each counts in units of its own noise, which makes the sky grey, and the stretch is that of their mean,
    which keeps the colours of what is bright.

    Args:
        planes: (height, width), or (3, height, width) in the order red, green, blue, of any unit that is even in the
            light. NaN and infinite ones are black.

    Returns:
        uint8, (height, width) or (height, width, 3).

    Raises:
        ValueError: there is no number in it, or in one of its planes.
    """
    from astropy.visualization import AsinhStretch, make_lupton_rgb

    grey = planes.ndim == 2
    light, noises = zip(*(_above_black(plane) for plane in (planes[None] if grey else planes)), strict=True)
    if all(noises):
        light, noises = [plane / np.float32(noise) for plane, noise in zip(light, noises, strict=True)], [1.0]
    total = light[0] if grey else sum(light) / np.float32(3)
    white = _percentile(total.copy(), 1 - OUTLIERS)
    white = white if white > 0 else max(total.max(), np.finfo(np.float32).tiny)
    softening = max(SOFTENING * max(noises), white / DEEPEST)
    if grey:
        scaled = AsinhStretch(min(1, softening / white))(total / white)
        scaled *= 255
        return np.round(scaled, out=scaled).astype(np.uint8)
    # The paper's Q and alpha (1 / stretch) for which the softening is this one and white is 1.
    depth = 10 * np.sinh(np.arcsinh(white / softening) / 10)
    with np.errstate(invalid="ignore"):  # it divides by the light where there is none, and drops that
        return make_lupton_rgb(*light, stretch=depth * softening, Q=depth)


def _above_black(plane: np.ndarray) -> tuple[np.ndarray, float]:
    """A plane's light above black, float32, what is unknown at 0; and the noise of its sky, 0 where there is none.

    The noise is that between neighbours, most of which are sky. The darkest thousandth of a normal distribution begins
    three noises below its middle.
    """
    known = _known(plane)
    rows = plane[:: 1 + plane.size // ENOUGH]
    differences = np.abs(np.diff(np.where(np.isfinite(rows), rows, np.nan), axis=1))
    differences = differences[np.isfinite(differences)]
    noise = float(np.median(differences) * 1.4826 / np.sqrt(2)) if differences.size else 0.0
    light = plane - (_percentile(plane[known], OUTLIERS) + 2 * noise)
    light[~known] = 0
    return light.clip(0, None, out=light).astype(np.float32), noise


def _known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    if not known.any():
        raise ValueError("there is not one number in it")
    return known


def _percentile(values: np.ndarray, share: float) -> float:
    """The value below which a share of the values lies, the inner one where it lies between two; reorders `values`."""
    method = "higher" if share < 0.5 else "lower"
    return float(np.percentile(values, 100 * share, method=method, overwrite_input=True))
