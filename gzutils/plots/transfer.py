"""Transfer learning in pictures: what a frozen base is shown, what it hands over, and what heads make of it."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gzutils.plots import style

COLOURS = (style.BLUE, style.VERMILION, style.GREEN, style.PURPLE)


def shown_to_the_base(images: np.ndarray, inputs: dict[str, np.ndarray]) -> Figure:
    """Galaxies as they are, enlarged, and how the enlarged values are spread under each scaling.

    Args:
        images: (N, side, side, 3) uint8.
        inputs: name of a scaling -> what the base is shown, (N, larger, larger, 3); the first is 0 ... 1.
    """
    count = len(images)
    cell = style.WIDTH / count
    figure = plt.figure(figsize=(style.WIDTH, 2 * cell + 3.0))
    pictures, values = figure.subfigures(2, 1, height_ratios=[2 * cell + 0.5, 2.5])
    axes = pictures.subplots(2, count, squeeze=False)
    pictures.subplots_adjust(0, 0, 1, 0.94, wspace=0.03, hspace=0.13)
    style.hide_axes(*axes.ravel())
    enlarged = next(iter(inputs.values()))
    for column in range(count):
        axes[0, column].imshow(images[column])
        axes[1, column].imshow(np.clip(enlarged[column], 0, 1))
    axes[0, 0].set_title("As stored: {} x {} pixels".format(*images.shape[1:3]), fontsize=10)
    axes[1, 0].set_title("Enlarged: {} x {} pixels".format(*enlarged.shape[1:3]), fontsize=10)
    panels = values.subplots(1, len(inputs), sharey=True)
    values.subplots_adjust(0.07, 0.2, 0.99, 0.86, wspace=0.08)
    for panel, (name, shown), colour in zip(panels, inputs.items(), COLOURS, strict=False):
        shares = np.full(shown.size, 100 / shown.size)
        panel.hist(shown.ravel(), bins=50, weights=shares, color=colour)
        panel.set_title(f"{name}: {shown.min():.4g} to {shown.max():.4g}", fontsize=10)
        panel.set(xlabel="value of a pixel's colour", yscale="log")
    panels[0].set_ylabel("share of the values (%)")
    return figure


def validation_curves(histories: dict[str, pd.DataFrame], mean_guess: float) -> Figure:
    """The validation RMSE after each epoch, one curve a training, with the mean guess."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.8))
    for (name, history), colour in zip(histories.items(), COLOURS, strict=False):
        best = history["val_rmse"].min()
        axes.plot(history["epoch"], history["val_rmse"], color=colour, label=f"{name}: best {best:.4f}")
    axes.axhline(mean_guess, color=style.SKY, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    axes.set(xlabel="epoch", ylabel="validation RMSE", xlim=(0, None))
    axes.legend(fontsize=9)
    figure.tight_layout()
    return figure


def starts_compared(errors: pd.DataFrame, mean_guess: float) -> Figure:
    """Bars of the validation and test RMSE (columns) of networks that started differently (rows)."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 0.6 * len(errors) + 1.4))
    places = np.arange(len(errors))
    for shift, part, colour in ((-0.2, "validation", style.VALIDATION), (0.2, "test", style.TEST)):
        axes.barh(places + shift, errors[part], height=0.38, color=colour, label=part)
        for place, value in zip(places + shift, errors[part], strict=True):
            axes.text(0.002, place, f"{value:.4f}", va="center", fontsize=9, color="white")
    axes.axvline(mean_guess, color=style.GUESS, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    axes.set_yticks(places, errors.index)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="RMSE", xlim=(0, 1.05 * max(errors.to_numpy().max(), mean_guess)))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9)
    figure.tight_layout()
    return figure


def where_to_listen(errors: pd.DataFrame, mean_guess: float) -> Figure:
    """The validation RMSE of regressions on layers of a base (rows, in their order), one curve a size (columns)."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.8))
    for size, colour, marker in zip(errors, COLOURS, "oDs^", strict=False):
        axes.plot(errors.index, errors[size], color=colour, marker=marker, label=size)
    axes.axhline(mean_guess, color=style.GUESS, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    axes.set(xlabel="the layer that is listened to", ylabel="validation RMSE")
    axes.legend(fontsize=9)
    figure.tight_layout()
    return figure


def spread_between_galaxies(features: dict[str, np.ndarray]) -> Figure:
    """How much each feature differs between galaxies, relative to its mean; one outline each (galaxies, values)."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 3.6))
    bins = np.geomspace(1e-4, 10, 61)
    for (name, values), colour in zip(features.items(), COLOURS, strict=False):
        mean = values.mean(axis=0, dtype=np.float64)
        relative = values.std(axis=0, dtype=np.float64)[mean > 0] / mean[mean > 0]
        shares = np.full(len(relative), 100 / values.shape[1])
        label = f"{name}: median {np.median(relative):.2g}"
        axes.hist(
            np.clip(relative, bins[0], bins[-1]), bins, weights=shares, histtype="step", color=colour, label=label
        )
    axes.set(
        xscale="log", xlabel="spread from galaxy to galaxy / mean, of a feature", ylabel="share of the features (%)"
    )
    axes.legend(fontsize=9, loc="upper left")
    figure.tight_layout()
    return figure


def heads_compared(errors: pd.Series, mean_guess: float) -> Figure:
    """The validation RMSE of several heads (name -> RMSE), the first of which the others differ from in one thing."""
    figure, axes = plt.subplots(figsize=(style.WIDTH, 0.42 * len(errors) + 1.3))
    colours = [style.GREY] + [style.BLUE] * (len(errors) - 1)
    axes.barh(np.arange(len(errors)), errors, height=0.66, color=colours)
    for place, value in enumerate(errors):
        axes.text(0.005, place, f"{value:.4f}", va="center", fontsize=9, color="white")
    axes.axvline(mean_guess, color=style.VERMILION, linestyle="--", label=f"guessing the mean: {mean_guess:.4f}")
    axes.set_yticks(np.arange(len(errors)), errors.index)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set(xlabel="validation RMSE", xlim=(0, 1.05 * max(errors.max(), mean_guess)))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=9)
    figure.tight_layout()
    return figure
