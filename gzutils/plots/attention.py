"""What a Vision Transformer is shown, learns of places, and looks at (Dosovitskiy et al. 2021, Figures 6 and 7)."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gzutils.plots import style


def patches_of_image(image: np.ndarray, patches: np.ndarray) -> Figure:
    """An image (side, side, 3) with its patches' borders, and the patches (P, size, size, 3), numbered row by row."""
    side, size = image.shape[0], patches.shape[1]
    across = side // size
    figure = plt.figure(figsize=(style.WIDTH, 4.75))
    bottom, top = 0.01, 0.93
    width = (top - bottom) * 4.75 / style.WIDTH
    left = figure.add_axes((0.005, bottom, width, top - bottom))
    left.imshow(image)
    left.set_title(f"{side} by {side} pixels, and the patches' borders")
    for border in range(size, side, size):
        left.axhline(border - 0.5, color=style.YELLOW, linewidth=0.8)
        left.axvline(border - 0.5, color=style.YELLOW, linewidth=0.8)
    style.hide_axes(left)
    right = figure.add_gridspec(
        across, across, left=0.995 - width, right=0.995, bottom=bottom, top=top, wspace=0.12, hspace=0.12
    ).subplots(squeeze=False)
    style.hide_axes(*right.ravel())
    for number, (axes, patch) in enumerate(zip(right.ravel(), patches, strict=True), start=1):
        axes.imshow(patch)
        axes.text(0.06, 0.94, number, transform=axes.transAxes, va="top", fontsize=6.5, color="white")
    right[0, 0].set_title(f"{len(patches)} patches of {size} by {size} pixels, in reading order")
    return figure


def position_similarity(positions: np.ndarray) -> Figure:
    """The cosine similarity of each patch's position vector to every other's, one small map a patch.

    Args:
        positions: (1 + P, D) position embeddings, the class token's first; P is a square number.

    The colours end at the strongest similarity between two different places; a place's own, always 1, lies above.
    """
    vectors = positions[1:] / np.linalg.norm(positions[1:], axis=1, keepdims=True)
    similarity = vectors @ vectors.T
    across = round(len(vectors) ** 0.5)
    limit = float(np.abs(similarity[~np.eye(len(vectors), dtype=bool)]).max())
    figure = plt.figure(figsize=(8.0, 7.4))
    grid = figure.add_gridspec(across, across, left=0.07, right=0.86, bottom=0.07, top=0.99, wspace=0.1, hspace=0.1)
    maps = grid.subplots(squeeze=False)
    style.hide_axes(*maps.ravel())
    for place, (axes, values) in enumerate(zip(maps.ravel(), similarity, strict=True)):
        drawn = axes.imshow(values.reshape(across, across), cmap="PuOr_r", vmin=-limit, vmax=limit)
        row, column = divmod(place, across)
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=1))
        if row == across - 1:
            axes.set_xlabel(column + 1)
        if column == 0:
            axes.set_ylabel(row + 1, rotation=0, ha="right", va="center")
    figure.supxlabel("the patch's column (framed: its own place)", fontsize=10, x=0.465)
    figure.supylabel("the patch's row", fontsize=10)
    colours = figure.colorbar(drawn, cax=figure.add_axes((0.89, 0.22, 0.02, 0.62)), extend="max")
    colours.set_label("cosine similarity to the position vectors of all patches")
    return figure


def attention_maps(images: np.ndarray, maps: np.ndarray, even_share: float, titles: list[str]) -> Figure:
    """Galaxies above the attention to their patches, as multiples of an even share; the scale is always the same.

    Args:
        images: (N, side, side, 3) uint8. maps: (N, rows, columns), shares of attention. even_share: what each token
            would get if all got the same. titles: one a galaxy.
    """
    count = len(images)
    side = 0.92 * style.WIDTH / count
    title_height = 0.16 * (1 + max(title.count("\n") for title in titles)) + 0.1
    height = 2 * side + title_height + 0.16
    figure, axes = plt.subplots(2, count, figsize=(style.WIDTH, height), squeeze=False)
    figure.subplots_adjust(0.002, 0.08 / height, 0.92, 1 - title_height / height, wspace=0.04, hspace=0.06)
    style.hide_axes(*axes[0])
    for (above, below), image, values, title in zip(axes.T, images, maps, titles, strict=True):
        above.imshow(image)
        above.set_title(title, fontsize=8.5, loc="center")
        drawn = below.imshow(values / even_share, cmap="PuOr_r", norm=LogNorm(1 / 8, 8))
        below.set(xticks=[], yticks=[])
        below.spines[:].set(visible=True, color=style.GREY)
    bar = figure.add_axes((0.93, 0.12 / height, 0.012, (side - 0.08) / height))
    colours = figure.colorbar(drawn, cax=bar, extend="both")
    colours.ax.minorticks_off()
    colours.set_ticks([1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8], labels=["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    colours.ax.tick_params(labelsize=7.5)
    colours.set_label("times an even share", fontsize=8.5)
    return figure
