"""One look for all figures: sizes for a notebook's width, and the colour-blind-safe palette of Okabe and Ito (2008)."""

import matplotlib.pyplot as plt

WIDTH = 9.5  # inches; a notebook's column

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, YELLOW, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#767676",
)
TRAINING, VALIDATION, TEST = BLUE, ORANGE, GREEN
VOTED, PREDICTED, GUESS = GREY, VERMILION, SKY

plt.rcdefaults()  # a reader's own matplotlibrc may want LaTeX, another size or dark colours
plt.rcParams.update(
    {
        "figure.figsize": (WIDTH, 4.0),
        "figure.dpi": 100,
        "savefig.facecolor": "white",
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "legend.frameon": False,
        "image.interpolation": "nearest",
    }
)


def shortened(text: str, length: int) -> str:
    """A text of at most so many characters; one that is longer ends in an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


def hide_axes(*axes: plt.Axes) -> None:
    """Takes ticks and frame away, for images."""
    for one in axes:
        one.set(xticks=[], yticks=[])
        one.spines[:].set_visible(False)
