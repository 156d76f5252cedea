"""The challenge winner's network (Dieleman 2014) in pictures: its parts, what its stack makes of them, its schedule."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from gzutils.plots import style

VIEWS = ("straight", "mirrored", "turned by 45°", "turned and mirrored")


def sixteen_parts(picture: np.ndarray, parts: np.ndarray, window: int) -> Figure:
    """A picture (side, side, 3) with the two squares that are cut, beside its 16 parts, a row each view.

    Args:
        parts: (16, part, part, 3) uint8. window: side of the squares in pixels.
    """
    figure = plt.figure(figsize=(style.WIDTH, 4.7))
    left = figure.add_axes((0.005, 0.02, 0.44, 0.9))
    left.imshow(picture)
    middle, half = (len(picture) - 1) / 2, window / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * half
    turned = corners @ np.array([(1, 1), (-1, 1)]) / np.sqrt(2)
    left.plot(*(corners + middle).T, color=style.YELLOW, linewidth=1.3)
    left.plot(*(turned + middle).T, color=style.SKY, linewidth=1.3)
    left.set(xlim=(-0.5, len(picture) - 0.5), ylim=(len(picture) - 0.5, -0.5))
    left.set_title(f"{len(picture)} by {len(picture)} pixels; yellow: straight, blue: turned", fontsize=10)
    style.hide_axes(left)
    grid = figure.add_gridspec(4, 4, left=0.55, right=0.995, bottom=0.02, top=0.92, wspace=0.06, hspace=0.06)
    places = grid.subplots()
    style.hide_axes(*places.ravel())
    for axes, part in zip(places.ravel(), parts, strict=True):
        axes.imshow(part)
    for axes, words in zip(places[:, 0], VIEWS, strict=True):
        axes.set_ylabel(words.replace(" and ", "\nand ").replace(" by", "\nby"), fontsize=8.5)
    size = parts.shape[1]
    places[0, 0].set_title(f"16 parts of {size} by {size}: the centre is always lower right", fontsize=10)
    return figure


def what_the_stack_sees(parts: np.ndarray, responses: np.ndarray, names: list[str]) -> Figure:
    """Some parts, and below each how strongly the filters of a convolution answer to it.

    Args:
        parts: (P, part, part, 3) uint8. responses: (P, height, width, filters), a row of the figure each filter, with
            one scale of brightness for all parts. names: of the parts.
    """
    filters = responses.shape[-1]
    figure, places = plt.subplots(
        1 + filters, len(parts), figsize=(style.WIDTH, 0.35 + (1 + filters) * style.WIDTH / len(parts)), squeeze=False
    )
    figure.subplots_adjust(0.06, 0.005, 0.995, 1 - 0.3 / figure.get_figheight(), wspace=0.05, hspace=0.05)
    style.hide_axes(*places.ravel())
    for column, (part, name) in enumerate(zip(parts, names, strict=True)):
        places[0, column].imshow(part)
        places[0, column].set_title(name, fontsize=8, loc="center")
        for row in range(filters):
            highest = max(float(responses[..., row].max()), 1e-6)
            places[1 + row, column].imshow(responses[column, ..., row], cmap="inferno", vmin=0, vmax=highest)
    places[0, 0].set_ylabel("part", fontsize=8.5)
    for row in range(filters):
        places[1 + row, 0].set_ylabel(f"filter {row + 1}", fontsize=8.5)
    return figure


def answers_of_turns(degrees: np.ndarray, shares: dict[str, np.ndarray], voted: float, answer: str) -> Figure:
    """One answer's share, as networks predict it, against the angle by which the picture was turned.

    Args:
        degrees: (n,). shares: by the network's name, (n,) each. voted: the volunteers' share. answer: in words.
    """
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.4), layout="constrained")
    for (name, values), colour in zip(shares.items(), (style.BLUE, style.VERMILION, style.GREEN), strict=False):
        axes.plot(degrees, values, "o-", markersize=4, color=colour, label=f"{name}: {np.ptp(values):.3f} apart")
    axes.axhline(voted, color=style.VOTED, linestyle="--", label="the volunteers")
    axes.set(xlabel="the picture is turned by (degrees)", ylabel="share", xlim=(0, degrees[-1]))
    axes.set_title(answer, fontsize=10)
    axes.xaxis.set_major_locator(plt.MultipleLocator(45))
    axes.margins(y=0.25)
    axes.legend(fontsize=9)
    return figure


def schedules(rates: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Learning rates against how much of the training is done, one panel each (name -> examples seen, rates)."""
    figure, places = plt.subplots(1, len(rates), figsize=(style.WIDTH, 3.2), squeeze=False, layout="constrained")
    for axes, (name, (examples, values)), logarithmic in zip(places[0], rates.items(), (True, False), strict=False):
        millions = examples[-1] >= 1e6
        axes.plot(examples / (1e6 if millions else 1), values, color=style.BLUE, linewidth=2)
        axes.set(xlabel="examples seen" + (" (millions)" if millions else ""), ylabel="learning rate")
        axes.set_xlim(0, axes.lines[0].get_xdata()[-1] or 1)  # a training of one step is a point at 0
        axes.set_title(name, fontsize=10)
        if logarithmic:
            axes.set_yscale("log")
        axes.xaxis.set_major_locator(plt.MaxNLocator(5))
        axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure
