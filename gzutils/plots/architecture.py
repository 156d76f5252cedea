"""Networks as drawings, read off the built models (report, Figures 3 and 4)."""

from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from gzutils.plots import style

COLOURS = {"Conv2D": "#CFE3F1", "Dense": "#FBE3B5", "Concatenate": "#E6E6E6", "InputLayer": "#E6E6E6"}
NORM, ATTENTION, DENSE, PLACE, TOKEN = "#E6E6E6", "#CFE3F1", COLOURS["Dense"], "#EAD6E4", "#D5EBDD"
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


def draw_vision_transformer(model: keras.Model, image: np.ndarray) -> Figure:
    """From one image (side, side, 3) to its patches, tokens, the encoder and the answers; beside them one block."""
    embedding = model.get_layer("patch_embedding")
    blocks = sum(isinstance(layer, keras.layers.MultiHeadAttention) for layer in model.layers)
    figure, axes = plt.subplots(figsize=(style.WIDTH, 7.15))
    figure.subplots_adjust(0, 0, 1, 1)
    class_place, places = 0.55, _shown_patches(embedding)
    _draw_patches(axes, image, embedding, places)
    values, dimension = embedding.kernel.shape
    text = f"each patch's {values} values projected to {dimension}"
    _draw_box(axes, (3.4, -1.15), text, "one dense layer for all", DENSE, width=3.9)
    for number, place in places.items():
        _connect(axes, (place, -0.21), (place, -1.15))
        _connect(axes, (place, -1.15), (place, -2.0))
        _draw_box(axes, (place, -2.0), f"patch {number}", "", TOKEN, width=0.7)
    kind = {"learnable": "learned", "zero": "zeros"}[embedding.class_token]
    _draw_box(axes, (class_place, -2.0), "class token", kind, TOKEN, width=0.9)
    for number, place in ({0: class_place} | places).items():
        axes.text(place, -2.31, "+", ha="center", va="center", fontsize=11)
        _draw_box(axes, (place, -2.6), f"place {number}", "", PLACE, width=0.7)
        _connect(axes, (place, -2.6), (place, -3.45))
    tokens = 1 + embedding.patches
    text = f"encoder: {blocks} block{'s, one after the other' if blocks > 1 else ''}"
    _draw_box(axes, (2.725, -3.45), text, f"{tokens} tokens x {dimension}, in and out", ATTENTION, width=5.25)
    axes.text(
        3.3, -4.2, f"the other {tokens - 1} tokens\nare not used further", va="center", fontsize=8, color="#555555"
    )
    _draw_head(axes, model, (1.6, -4.35), class_place)
    _draw_transformer_block(axes, model, (7.75, -1.2))
    for start, end in ((-3.23, -0.85), (-3.67, -6.4)):
        axes.plot([5.35, 6.05], [start, end], color=style.GREY, linewidth=0.8, linestyle="--")
    axes.set(xlim=(-0.1, 9.4), ylim=(-6.6, 0.55), aspect="equal")
    style.hide_axes(axes)
    return figure


def _shown_patches(embedding: keras.layers.Layer) -> dict[int, float]:
    """Where the first patch, two at the centre and the last stand in the drawing, by number (the first is 1)."""
    across = round(embedding.patches**0.5)
    centre = max(1, (across // 2 - 1) * across + across // 2)
    numbers = sorted({1, centre, min(centre + 1, embedding.patches), embedding.patches})
    return dict(zip(numbers, np.linspace(1.8, 5.0, len(numbers)), strict=True))


def _draw_patches(axes: Axes, image: np.ndarray, embedding: keras.layers.Layer, places: dict[int, float]) -> None:
    """The image with the patches' borders, an arrow, and some of its patches at their places."""
    across = round(embedding.patches**0.5)
    size = image.shape[0] // across
    axes.imshow(image, extent=(0.0, 1.1, -0.6, 0.5), zorder=1)
    for border in np.arange(1, across) / across * 1.1:
        axes.plot([border, border], [-0.6, 0.5], color=style.YELLOW, linewidth=0.5)
        axes.plot([0, 1.1], [border - 0.6, border - 0.6], color=style.YELLOW, linewidth=0.5)
    axes.annotate("", (1.43, -0.1), (1.12, -0.1), arrowprops={"arrowstyle": "-|>", "color": style.GREY})
    for number, place in places.items():
        row, column = divmod(number - 1, across)
        patch = image[row * size : (row + 1) * size, column * size : (column + 1) * size]
        axes.imshow(patch, extent=(place - 0.3, place + 0.3, -0.4, 0.2))
        axes.add_patch(Rectangle((place - 0.3, -0.4), 0.6, 0.6, fill=False, edgecolor=style.GREY, linewidth=0.8))
    shown = list(places)
    for one, other in pairwise(shown):
        for height in (-0.1, -2.31) if other > one + 1 else ():
            axes.text((places[one] + places[other]) / 2, height, "…", ha="center", va="center", fontsize=13)
    text = f"{embedding.patches} patches of {embedding.patch_size} x {embedding.patch_size} pixels"
    axes.text(1.5, 0.32, text, fontsize=8)


def _draw_head(axes: Axes, model: keras.Model, top: tuple[float, float], class_place: float) -> None:
    """What happens to the class token alone, down to the answers."""
    x, y = top
    above = (class_place, -3.45)
    for text, shape, colour in _merged(layer for layer in model.layers if layer.name.startswith(("head_", "prob"))):
        y -= 0.0 if above[0] == class_place else ROW
        _connect(axes, above, (above[0], y))
        _draw_box(axes, (x, y), text, shape, colour, width=2.9)
        above = (x, y)


def _draw_transformer_block(axes: Axes, model: keras.Model, top: tuple[float, float]) -> None:
    """The first block's layers, with the two skip connections."""
    x, y = top
    axes.add_patch(Rectangle((6.05, -6.4), 3.25, 5.55, fill=False, edgecolor=style.GREY, linewidth=0.8, linestyle="--"))
    axes.text(x, -0.75, "inside a block", ha="center", fontsize=9.5)
    axes.text(x, y + 0.07, "tokens", ha="center", va="center", fontsize=8)
    above, skip = (x, y + 0.2), (x, y - 0.14)
    for text, shape, colour in _merged(layer for layer in model.layers if layer.name.startswith("block_1_")):
        y -= ROW + 0.02
        _connect(axes, above, (x, y))
        if text != "+":
            _draw_box(axes, (x, y), text, shape, colour, width=2.5)
            above = (x, y)
            continue
        # The tokens as they were, led around what was computed from them.
        side = x + 1.42
        axes.plot([skip[0], side, side], [skip[1], skip[1], y + 0.1], color=style.GREY, linewidth=1)
        axes.annotate(
            "",
            (x + 0.13, y + 0.1),
            (side, y + 0.1),
            arrowprops={"arrowstyle": "-|>", "color": style.GREY, "shrinkA": 0, "shrinkB": 0, "linewidth": 1},
        )
        axes.text(
            x, y + 0.09, "+", ha="center", va="center", fontsize=12, bbox={"boxstyle": "circle,pad=0.1", "fc": "w"}
        )
        above, skip = (x, y + 0.2), (x, y - 0.14)
    axes.text(x, y - 0.42, "tokens", ha="center", va="center", fontsize=8)
    _connect(axes, above, (x, y - 0.55))


def _merged(network) -> list[tuple[str, str, str]]:
    """(what it does, output shape, colour) of each layer of a transformer; dropout joins the layer before it."""
    colours = {"LayerNormalization": NORM, "MultiHeadAttention": ATTENTION, "Dense": DENSE, "Add": ""}
    boxes: list[tuple[str, str, str]] = []
    for layer in network:
        kind = type(layer).__name__
        if kind == "Dropout":
            boxes[-1] = (f"{boxes[-1][0]}, {_describe(layer)}", *boxes[-1][1:])
        else:
            shape = " x ".join(str(size) for size in layer.output.shape[1:])
            boxes.append((_describe(layer), shape, colours[kind]))
    return boxes


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
        activation = layer.activation.__name__
        return f"dense {layer.units}, {activation.upper() if activation == 'gelu' else activation}"
    if kind == "Dropout":
        return f"dropout {layer.rate}"
    if kind == "MultiHeadAttention":
        return f"attention, {layer.num_heads} heads of {layer.key_dim}"
    words = {
        "InputLayer": "galaxy image",
        "Rescaling": "scaled to 0 … 1",
        "BatchNormalization": "batch norm",
        "Concatenate": "concatenate",
        "LayerNormalization": "layer norm",
        "Add": "+",
    }
    return words[kind]


def _draw_box(
    axes: Axes, centre: tuple[float, float], text: str, shape: str, colour: str, width: float = BOX_WIDTH
) -> None:
    x, y = centre
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - BOX_HEIGHT / 2),
            width,
            BOX_HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=colour,
            edgecolor=style.GREY,
            linewidth=0.8,
        )
    )
    axes.text(x, y + (0.09 if shape else 0), text, ha="center", va="center", fontsize=7.6)
    axes.text(x, y - 0.11, shape, ha="center", va="center", fontsize=7.2, color="#555555")


def _connect(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        (end[0], end[1] + BOX_HEIGHT / 2),
        (start[0], start[1] - BOX_HEIGHT / 2),
        arrowprops={"arrowstyle": "-|>", "color": style.GREY, "shrinkA": 0, "shrinkB": 0, "linewidth": 1},
    )
