"""Networks as drawings, read off the built models (report, Figure 3)."""

import keras
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from gzutils.plots import style

COLOURS = {"Conv2D": "#CFE3F1", "Dense": "#FBE3B5", "Concatenate": "#E6E6E6", "InputLayer": "#E6E6E6"}
ROW, BOX_HEIGHT, BOX_WIDTH = 0.62, 0.44, 3.7


def draw_parallel_cnn(model: keras.Model) -> Figure:
    """The two paths side by side, then the joint layers, each box with what it does and the shape that leaves it."""
    boxes = _boxes(model)
    lanes = {"broad": -2.05, "fine": 2.05}
    figure, axes = plt.subplots(figsize=(style.WIDTH, 8.2))
    figure.subplots_adjust(0, 0, 1, 1)
    previous: dict[str, tuple[float, float]] = {}
    row = 0.0
    for lane, text, shape, colour in boxes:
        if lane in lanes:
            x, above = lanes[lane], previous.get(lane) or previous["joint"]
            y = above[1] - ROW - (0.15 if lane not in previous else 0)
            if lane not in previous:
                side = -1 if x < 0 else 1
                axes.text(x + side * 2.0, y, f"{lane} path", ha="right" if x < 0 else "left", va="center", fontsize=9.5)
            _connect(axes, above, (x, y))
            previous[lane] = (x, y)
            row = min(row, y)
        else:
            x, y = 0.0, row - ROW - (0.1 if row else 0)
            for name in ("broad", "fine") if text.startswith("concatenate") else ("joint",):
                if name in previous:
                    _connect(axes, previous[name], (x, y))
            previous["joint"] = (x, y)
            row = y
        _draw_box(axes, previous[lane], text, shape, colour)
    axes.set(xlim=(-5.2, 5.2), ylim=(row - 0.45, -ROW + 0.45))
    style.hide_axes(axes)
    return figure


def _boxes(model: keras.Model) -> list[tuple[str, str, str, str]]:
    """(lane, what it does, output shape, colour) of each box; normalisation, pooling and dropout join their layer."""
    boxes: list[list[str]] = []
    for layer in _by_lane(model):
        lane = next((name for name in ("broad", "fine") if layer.name.startswith(name)), "joint")
        shape = " x ".join(str(size) for size in layer.output.shape[1:])
        kind = type(layer).__name__
        if kind in COLOURS:
            boxes.append([lane, _describe(layer), shape, COLOURS[kind]])
        elif kind == "Flatten":
            boxes[-1][2] += f" = {shape} values"
        else:
            boxes[-1][1] += f", {_describe(layer)}"
            boxes[-1][2] = shape
    return [tuple(box) for box in boxes]


def _by_lane(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers in order, one whole path after the other (Keras lists them level by level)."""
    places = {"broad": 1, "fine": 2}
    first_joint = next(i for i, layer in enumerate(model.layers) if layer.name.startswith("broad"))

    def place(item: tuple[int, keras.layers.Layer]) -> int:
        index, layer = item
        return 0 if index < first_joint else places.get(layer.name.split("_")[0], 3)

    return [layer for _, layer in sorted(enumerate(model.layers), key=place)]


def _describe(layer: keras.layers.Layer) -> str:
    kind = type(layer).__name__
    if kind == "Conv2D":
        return f"{layer.filters} filters {layer.kernel_size[0]} x {layer.kernel_size[1]}"
    if kind == "MaxPooling2D":
        return f"max-pool {layer.pool_size[0]}"
    if kind == "Dense":
        return f"dense {layer.units}, {layer.activation.__name__}"
    if kind == "Dropout":
        return f"dropout {layer.rate}"
    words = {
        "InputLayer": "galaxy image",
        "Rescaling": "scaled to 0 … 1",
        "BatchNormalization": "batch norm",
        "Concatenate": "concatenate",
    }
    return words[kind]


def _draw_box(axes: Axes, centre: tuple[float, float], text: str, shape: str, colour: str) -> None:
    x, y = centre
    axes.add_patch(
        FancyBboxPatch(
            (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2),
            BOX_WIDTH,
            BOX_HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=colour,
            edgecolor=style.GREY,
            linewidth=0.8,
        )
    )
    axes.text(x, y + 0.09, text, ha="center", va="center", fontsize=7.6)
    axes.text(x, y - 0.11, shape, ha="center", va="center", fontsize=7.2, color="#555555")


def _connect(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        (end[0], end[1] + BOX_HEIGHT / 2),
        (start[0], start[1] - BOX_HEIGHT / 2),
        arrowprops={"arrowstyle": "-|>", "color": style.GREY, "shrinkA": 0, "shrinkB": 0, "linewidth": 1},
    )
