"""How the simulated survey differs from real galaxies, measured in the pictures and in the votes; run by hand:

    python tests/benchmarks/survey_statistics.py --sample FOLDER --galaxies 2000 --sheets FOLDER

FOLDER holds some of the challenge's galaxies in its own layout, and may hold `label_statistics.csv` with the mean and
the spread of each column over more of them. Needs scikit-learn. Prints: the measures of the pictures of 64 x 64 pixels
(10, 50 and 90 % quantile, real and simulated, and their Kolmogorov-Smirnov distance); how well a small classifier
tells real from simulated by these measures (area under the ROC curve, 5-fold cross-validated: 0.5 is perfect); the
edge-on share among those asked by measured axis ratio; means and spreads of the 37 columns; their correlations.
With --sheets, writes real galaxies beside simulated ones with about the same share, for each answer of a question,
and some at random, as PNG files.
"""

import argparse
import csv
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from gzutils.data import challenge
from gzutils.data.jpegs import preprocess
from gzutils.data.morphometry import MEASURES, measure
from gzutils.data.simulation import survey
from gzutils.data.solutions import read_solutions
from gzutils.data.view import REPORT_VIEW, View
from gzutils.decision_tree import COLUMNS, QUESTIONS

SHEET_VIEW = View(crop=210, side=140)
BESIDE = 7  # galaxies a row and kind on a sheet
BINS = (0.0, 0.25, 0.35, 0.45, 0.6, 1.01)  # of the measured axis ratio


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Kolmogorov-Smirnov: the largest difference of the two cumulative distributions, 0 to 1."""
    places = np.concatenate([one, other])
    below = [np.searchsorted(np.sort(values), places, "right") / len(values) for values in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def area_under_curve(real: np.ndarray, simulated: np.ndarray) -> dict[str, float]:
    """How often a classifier finds the simulated one of a pair, cross-validated; 0.5: never better than by chance."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = np.concatenate([real, simulated]), np.repeat([0, 1], [len(real), len(simulated)])
    models = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced")),
        "boosted trees": GradientBoostingClassifier(subsample=0.5, max_depth=3, random_state=0),
    }
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return {name: float(cross_val_score(m, x, y, cv=folds, scoring="roc_auc").mean()) for name, m in models.items()}


def edge_on_shares(axis_ratios: np.ndarray, labels: np.ndarray) -> list[tuple[float, int]]:
    """In each of `BINS`: the share of "edge-on" of all votes for question 2, and how many galaxies are in it."""
    yes, asked = labels[:, COLUMNS.index("Class2.1")], labels[:, COLUMNS.index("Class1.2")]
    rows = []
    for low, high in pairwise(BINS):
        inside = (axis_ratios >= low) & (axis_ratios < high)
        rows.append((float(yes[inside].sum() / max(asked[inside].sum(), 1e-9)), int(inside.sum())))
    return rows


def print_measures(real: np.ndarray, simulated: np.ndarray) -> None:
    """The table of the measures, and how far they tell the two apart. NaN where there is no source."""
    print(f"{'measured in the picture':24}{'real 10/50/90 %':>26}{'simulated':>26}{'KS':>8}")
    for name, a, b in zip(MEASURES, real.T, simulated.T, strict=True):
        quantiles = [" ".join(f"{q:7.3f}" for q in np.nanquantile(v, [0.1, 0.5, 0.9])) for v in (a, b)]
        print(f"{name:24}{quantiles[0]:>26}{quantiles[1]:>26}{distance(a[~np.isnan(a)], b[~np.isnan(b)]):8.3f}")
    whole = [m[~np.isnan(m).any(axis=1)] for m in (real, simulated)]
    print(f"no source: {len(real) - len(whole[0])} real, {len(simulated) - len(whole[1])} simulated")
    print("AUC real against simulated:", {name: round(a, 3) for name, a in area_under_curve(*whole).items()})


def print_columns(votes: np.ndarray, labels: np.ndarray, statistics: Path) -> None:
    """Mean and spread of each column, beside those of the real ones, and where the correlations differ most."""
    mean, spread, source = labels.mean(axis=0), labels.std(axis=0), f"the {len(labels)} labelled galaxies"
    if statistics.exists():
        with statistics.open(encoding="utf-8") as file:
            rows = {row["column"]: row for row in csv.DictReader(file)}
        mean, spread = (np.array([float(rows[c][name]) for c in COLUMNS]) for name in ("mean", "std"))
        source = statistics.name
    print(f"\ncolumn      mean: real  simulated  off    spread: real  simulated  off   ({source})")
    for i, name in enumerate(COLUMNS):
        m, s = votes[:, i].mean(), votes[:, i].std()
        marks = ("*" if abs(m - mean[i]) > 0.015 else " ") + ("+" if abs(s - spread[i]) > 0.025 else " ")
        print(
            f"{name:14}{mean[i]:8.3f}{m:10.3f}{m - mean[i]:+8.3f}"
            f"{spread[i]:13.3f}{s:10.3f}{s - spread[i]:+8.3f} {marks}"
        )
    varied = (labels.std(axis=0) > 0) & (votes.std(axis=0) > 0)
    names = np.array(COLUMNS)[varied]
    a, b = (np.corrcoef(v[:, varied], rowvar=False) for v in (labels, votes))
    upper = np.triu_indices(len(names), 1)
    difference = np.abs(a - b)[upper]
    print(f"\ncorrelations of the columns: they differ by {difference.mean():.3f} in the mean; most of all")
    for k in difference.argsort()[::-1][:8]:
        i, j = upper[0][k], upper[1][k]
        print(f"{names[i]:>12}{names[j]:>12}   real {a[i, j]:+.2f}, simulated {b[i, j]:+.2f}")


def sheet(rows: list[tuple[str, list[np.ndarray], list[np.ndarray]]]) -> Image.Image:
    """Rows of pictures, real on the left, simulated on the right, with a line of text above each."""
    side, line = SHEET_VIEW.side, 14
    page = Image.new("RGB", ((2 * BESIDE * side) + 12, len(rows) * (side + line)), "white")
    draw = ImageDraw.Draw(page)
    for number, (text, real, simulated) in enumerate(rows):
        top = number * (side + line)
        draw.text((2, top + 1), text, fill="black")
        for kind, pictures in enumerate((real, simulated)):
            for place, picture in enumerate(pictures[:BESIDE]):
                page.paste(Image.fromarray(picture), (kind * (BESIDE * side + 12) + place * side, top + line))
    return page


def write_sheets(
    folder: Path, real: list[bytes], labels: np.ndarray, simulated: list[bytes], votes: np.ndarray
) -> None:
    """A sheet for each question, and one of galaxies at random. `real` begins with those that have `labels`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)

    def seen(jpegs: list[bytes], rows: np.ndarray) -> list[np.ndarray]:
        return [preprocess(jpegs[i], SHEET_VIEW) for i in rows]

    rows = []
    for _ in range(6):
        chosen = [rng.permutation(len(jpegs))[:BESIDE] for jpegs in (real, simulated)]
        rows.append(("real | simulated, at random", seen(real, chosen[0]), seen(simulated, chosen[1])))
    sheet(rows).save(folder / "random.png")
    for question in QUESTIONS:
        rows = []
        for answer, name in zip(question.answers, question.columns, strict=True):
            column = COLUMNS.index(name)
            best = labels[:, column].argsort()[::-1][:BESIDE]
            near, free = [], np.ones(len(votes), bool)
            for share in labels[best, column]:
                near.append(int(np.where(free, np.abs(votes[:, column] - share), 9).argmin()))
                free[near[-1]] = False
            shares = " ".join(f"{s:.2f}" for s in labels[best, column])
            again = " ".join(f"{s:.2f}" for s in votes[near, column])
            text = f"{name} {question.short}: {answer}    real {shares}    simulated {again}"
            rows.append((text, seen(real, best), seen(simulated, np.array(near))))
        sheet(rows).save(folder / f"question_{question.number}.png")


def main() -> None:
    """Reads the options, draws the galaxies, and prints what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=Path, required=True, help="folder with real galaxies")
    parser.add_argument("--galaxies", type=int, default=900, help="how many to simulate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path, help="folder for the contact sheets; none are made without it")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        found = challenge.find(options.sample.resolve(), cache=folder)
        ids, labels = read_solutions(found.solutions)
        real = [found.training_images.read(int(i)) for i in ids]
        if found.test_images:
            real += [found.test_images.read(int(i)) for i in found.test_images.galaxy_ids()]
        drawn = survey.make_survey(Path(folder) / "survey", options.galaxies, options.seed)
        drawn = challenge.find(drawn, cache=folder)
        simulated_ids, votes = read_solutions(drawn.solutions)
        simulated = [drawn.training_images.read(int(i)) for i in simulated_ids]
    measured = [measure(np.stack([preprocess(jpeg, REPORT_VIEW) for jpeg in jpegs])) for jpegs in (real, simulated)]
    print(f"{len(real)} real galaxies ({len(ids)} with labels), {len(simulated)} simulated, seed {options.seed}")
    print_measures(*measured)
    axis_ratio = MEASURES.index("axis ratio")
    print("\nedge-on among those asked, by measured axis ratio (galaxies): real, simulated")
    shares = [edge_on_shares(m[: len(v), axis_ratio], v) for m, v in zip(measured, (labels, votes), strict=True)]
    for (low, high), a, b in zip(pairwise(BINS), *shares, strict=True):
        print(f"{low:.2f} to {min(high, 1):.2f}: {a[0]:.2f} ({a[1]}), {b[0]:.2f} ({b[1]})")
    print_columns(votes.astype(np.float64), labels.astype(np.float64), options.sample / "label_statistics.csv")
    if options.sheets:
        write_sheets(options.sheets, real, labels, simulated, votes)


if __name__ == "__main__":
    main()
