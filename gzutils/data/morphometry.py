"""What can be measured in a galaxy's picture without a network: size, shape, light and colour of its source.

The source is what hangs together with the picture's middle and is brighter than the sky by three times its scatter,
the usual definition of a detection; its measures are the usual non-parametric ones (Conselice 2003, Lotz et al. 2004).
They are measured in grey levels, after the picture's stretch, as the eye has it.
"""

import numpy as np

BORDER = 4  # rows and columns along the edge, which show the sky
REACH = 26 / 64  # a source ends at this distance from the middle, as a share of the picture's side
THRESHOLD = 3.0  # of a source's pixels, in the scatter of the sky
SMALLEST = 30  # pixels of a source that is worth measuring
MEASURES = ("asymmetry", "half-light radius", "Gini", "axis ratio", "brightest core", "concentration", "ln(red/blue)")
UNITS = {"half-light radius": "pixels", "brightest core": "grey levels"}  # the others have none
# 10, 50 and 90 % quantile of each measure: 320 of the challenge's galaxies, as pictures of 64 x 64 pixels.
REAL = np.array(
    [
        (0.099, 0.147, 0.270),
        (8.21, 9.75, 11.79),
        (0.301, 0.365, 0.410),
        (0.443, 0.709, 0.916),
        (147.8, 196.3, 226.2),
        (1.951, 2.219, 2.471),
        (-0.072, 0.401, 0.745),
    ]
)


def measure(pictures: np.ndarray) -> np.ndarray:
    """The measures of each picture's source, in the order of `MEASURES`.

    Args:
        pictures: uint8 (N, side, side, 3).

    Returns:
        float64 (N, 7). Asymmetry: the light that a half turn of the picture moves, over all of the light, 0 to 1.
        Half-light radius: in pixels. Gini: 0 where all pixels are equally bright, 1 where one has all of the light.
        Axis ratio: short over long axis, from second moments. Brightest core: the middle 4 x 4 pixels in their
        brightest band, 0 to 255. Concentration: 5 log10 of the radius of 80 % of the light over that of 20 %.
        ln(red/blue): of the source's light. NaN where the picture's middle shows no source.
    """
    light, sources = light_above_sky(pictures)
    measured = [_measure_one(p, a, s) for p, a, s in zip(pictures, light, sources, strict=True)]
    return np.array(measured).reshape(-1, len(MEASURES))


def outside_real(measures: np.ndarray) -> np.ndarray:
    """The share of pictures outside of the middle 80 % of real ones, (7,); of real ones it is 0.2.

    Args:
        measures: (N, 7), see `measure`. Pictures without a source (NaN) are left out; without any the shares are NaN.
    """
    found = measures[~np.isnan(measures).any(axis=1)]
    if len(found) == 0:
        return np.full(len(MEASURES), np.nan)
    return ((found < REAL[:, 0]) | (found > REAL[:, 2])).mean(axis=0)


def light_above_sky(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each picture less its sky, float32 (N, side, side, 3), and the pixels of its source, bool (N, side, side)."""
    pictures = np.asarray(pictures, np.float32)
    side = pictures.shape[1]
    edge = np.ones((side, side), bool)
    edge[BORDER:-BORDER, BORDER:-BORDER] = False
    grey = pictures.mean(axis=3)
    border = grey[:, edge]
    sky = np.median(border, axis=1)
    scatter = 1.4826 * np.median(np.abs(border - sky[:, None]), axis=1)  # of a Gaussian, from the median deviation
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    near = np.hypot(x, y) <= REACH * side
    bright = (grey > (sky + THRESHOLD * np.maximum(scatter, 0.5))[:, None, None]) & near
    colours_of_sky = np.median(pictures[:, edge], axis=1)
    return pictures - colours_of_sky[:, None, None], _around_the_middle(bright)


def _around_the_middle(bright: np.ndarray) -> np.ndarray:
    """The bright pixels (N, side, side) that hang together, along rows and columns, with those of the middle."""
    side = bright.shape[1]
    middle = slice(side // 2 - 2, side // 2 + 2)
    found = np.zeros_like(bright)
    found[:, middle, middle] = bright[:, middle, middle]
    while True:
        grown = found.copy()
        grown[:, 1:] |= found[:, :-1]
        grown[:, :-1] |= found[:, 1:]
        grown[:, :, 1:] |= found[:, :, :-1]
        grown[:, :, :-1] |= found[:, :, 1:]
        grown &= bright
        if np.array_equal(grown, found):
            return found
        found = grown


def _measure_one(picture: np.ndarray, light: np.ndarray, source: np.ndarray) -> np.ndarray:
    if source.sum() < SMALLEST:
        return np.full(len(MEASURES), np.nan)
    side = len(picture)
    grey = light.mean(axis=2) * source
    y, x = np.nonzero(source)
    values = grey[source]
    total = values.sum()
    cx, cy = (values * x).sum() / total, (values * y).sum() / total
    dx, dy = x - cx, y - cy
    xx, yy, xy = ((values * a).sum() / total for a in (dx * dx, dy * dy, dx * dy))
    short, long = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
    distance = np.hypot(dx, dy)
    order = np.argsort(distance)
    grown = values[order].cumsum() / total
    r20, r50, r80 = (np.interp(share, grown, distance[order]) for share in (0.2, 0.5, 0.8))
    sorted_values = np.sort(values)
    n = len(values)
    gini = ((2 * np.arange(1, n + 1) - n - 1) * sorted_values).sum() / (total * (n - 1))
    middle = slice(side // 2 - 2, side // 2 + 2)
    red, blue = (max(float(light[:, :, band][source].sum()), 1.0) for band in (0, 2))
    return np.array(
        [
            np.abs(grey - grey[::-1, ::-1]).sum() / (2 * grey.sum()),
            r50,
            gini,
            np.sqrt(max(short, 0.0) / long),
            picture[middle, middle].mean(axis=(0, 1)).max(),
            5 * np.log10(r80 / max(r20, 0.3)),
            np.log(red / blue),
        ]
    )
