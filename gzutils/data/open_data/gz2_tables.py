"""Galaxy Zoo 2's own tables: which object is which picture, how often each answer was given, and the labels of both.

Two publications have the same columns: Willett et al. (2013), https://arxiv.org/abs/1308.3496, Table 5, whose debiased
fractions the challenge took, and Hart et al. (2016), https://arxiv.org/abs/1607.01019, who debiased them anew. The
challenge's numbers are the debiased fractions of each question, made to add up to 1 and sent down the tree.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from gzutils.data.archives import DAMAGE, refusal, shortlist
from gzutils.data.solutions import MOST_VOTES
from gzutils.decision_tree import QUESTIONS, answered, constraint_residuals, shares_of_counts
from gzutils.tools.progress import progress

TASKS = {  # the tables' names of the questions and of their answers, in the order of the tree's
    "t01_smooth_or_features": "a01_smooth a02_features_or_disk a03_star_or_artifact",
    "t02_edgeon": "a04_yes a05_no",
    "t03_bar": "a06_bar a07_no_bar",
    "t04_spiral": "a08_spiral a09_no_spiral",
    "t05_bulge_prominence": "a10_no_bulge a11_just_noticeable a12_obvious a13_dominant",
    "t06_odd": "a14_yes a15_no",
    "t07_rounded": "a16_completely_round a17_in_between a18_cigar_shaped",
    "t08_odd_feature": (
        "a19_ring a20_lens_or_arc a21_disturbed a22_irregular a23_other a24_merger a38_dust_lane"  # there is no a35
    ),
    "t09_bulge_shape": "a25_rounded a26_boxy a27_no_bulge",
    "t10_arms_winding": "a28_tight a29_medium a30_loose",
    "t11_arms_number": "a31_1 a32_2 a33_3 a34_4 a36_more_than_4 a37_cant_tell",
}
ANSWERS = tuple(f"{task}_{answer}" for task, answers in TASKS.items() for answer in answers.split())
OBJECT_ID = "dr7objid"
WILLETT, HART = "Willett et al. 2013", "Hart et al. 2016"
ROWS = {WILLETT: 243_500, HART: 239_695}  # as published
KINDS = ("count", "weighted_fraction", "debiased")  # of the numbers that each answer has, those that are read
CHUNK = 10_000  # rows between two signs of life
AGAIN = "delete it and run again, so that it is fetched anew; one of your own (DATA_DIR, --data-dir), get anew yourself"


@dataclass(frozen=True)
class Gz2Table:
    """Galaxies that have labels and a picture, by ascending object id.

    `object_ids` and `asset_ids` (the pictures' names) are int64 (N,); `labels` float32 (N, 37), `votes` int32 (N, 37):
    how many volunteers gave each answer. `publication` is the table's. `left_out` says how many rows were left out and
    why, each under the first reason that holds; `noted` how many were kept although something is special about them.
    `debiasing` has by question how many galaxies' debiased fractions, where there are any, miss a sum of 1 by more than
    0.01, and the largest miss.
    """

    publication: str
    object_ids: np.ndarray
    asset_ids: np.ndarray
    labels: np.ndarray
    votes: np.ndarray
    left_out: dict[str, int]
    noted: dict[str, int]
    debiasing: dict[int, tuple[int, float]]


def read(labels_path: Path | str, mapping_path: Path | str) -> Gz2Table:
    """Reads one of the two tables of labels (.csv or .csv.gz), and the mapping from objects to pictures.

    A question without debiased fractions takes the weighted ones. A galaxy is left out where it has no picture, where
    a question that volunteers came to has no fractions at all, and where its row repeats another or is damaged.

    Raises:
        ChallengeError: a file is none of these tables, or more than ten rows and a hundredth of all are damaged; the
            message names the file, and the row (counted without the header) and the column, where it is one.
    """
    publication, object_ids, numbers = _read_labels(Path(labels_path))
    damaged = _damaged(Path(labels_path), object_ids, numbers)
    assets = _read_mapping(Path(mapping_path))
    asset_ids = assets.reindex(object_ids, fill_value=-1).to_numpy(np.int64)
    for values in numbers.values():
        values[damaged] = 1  # they are left out, and until then disturb nothing
    fractions = _fractions(numbers)
    reasons = {
        "damaged": damaged,
        "repeated": pd.Series(object_ids).duplicated().to_numpy(),
        "without a picture": asset_ids < 0,
        "without fractions for a question that was reached": ~_complete(fractions),
    }
    left_out, usable = {}, np.ones(len(object_ids), bool)
    for reason, rows in reasons.items():
        left_out[reason] = int((usable & rows).sum())
        usable &= ~rows
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise refusal(labels_path, f"none of its galaxies can be used: {left_out}", f"see that {mapping_path} is whole")
    rows = rows[np.argsort(object_ids[rows])]
    labels = shares_of_counts(fractions[rows])
    debiased = answered(np.nan_to_num(numbers["debiased"][rows]))
    reached = answered(labels) > 0
    misses = np.where(debiased > 0, np.abs(debiased - 1), 0).T
    return Gz2Table(
        publication,
        object_ids[rows],
        asset_ids[rows],
        labels.astype(np.float32),
        numbers["count"][rows].astype(np.int32),
        left_out,
        {
            "mostly star or artifact": int((labels[:, 2] > 0.5).sum()),
            "weighted fractions where debiased ones lack": int((reached & (debiased == 0)).any(axis=1).sum()),
        },
        {q.number: (int((miss > 0.01).sum()), float(miss.max())) for q, miss in zip(QUESTIONS, misses, strict=True)},
    )


def _fractions(numbers: dict[str, np.ndarray]) -> np.ndarray:
    """The debiased fractions (N, 37), and where a question has none, the weighted ones; 0 where both lack."""
    debiased, weighted = np.nan_to_num(numbers["debiased"]), np.nan_to_num(numbers["weighted_fraction"])
    lacking = answered(debiased) == 0
    answers = [len(question.answers) for question in QUESTIONS]
    return np.where(np.repeat(lacking, answers, axis=1), weighted, debiased)


def _complete(fractions: np.ndarray) -> np.ndarray:
    """Whether each question that a galaxy's volunteers came to has fractions, (N,) bool."""
    totals = answered(fractions)
    first = totals[:, 0] > 0
    labels = shares_of_counts(np.where(first[:, None], fractions, 1))
    no_odd = (totals[:, 5] == 0) & (labels[:, 2] < 1)
    return first & ~no_odd & (np.abs(constraint_residuals(labels)) < 1e-6).all(axis=1)


def _damaged(path: Path, object_ids: np.ndarray, numbers: dict[str, np.ndarray]) -> np.ndarray:
    """The rows, (N,) bool, with a number that is none; a question's fractions may lack, but only all of them."""
    bad = {kind: ~((values >= 0) & (values < np.inf)) for kind, values in numbers.items()}
    bad["count"] |= (numbers["count"] % 1 != 0) | (numbers["count"] > MOST_VOTES)
    for kind in ("weighted_fraction", "debiased"):
        for question in QUESTIONS:
            absent = np.isnan(numbers[kind][:, question.slice]).all(axis=1)
            bad[kind][absent, question.slice] = False
    damaged = np.any([wrong.any(axis=1) for wrong in bad.values()], axis=0)
    if damaged.sum() > max(10, len(damaged) / 100):
        row = int(np.flatnonzero(damaged)[0])
        kind, column = next((kind, int(np.argmax(wrong[row]))) for kind, wrong in bad.items() if wrong[row].any())
        name, value = f"{ANSWERS[column]}_{kind}", numbers[kind][row, column]
        problem = f"{name} of row {row + 1} (object {object_ids[row]}) is {value:g}"
        raise refusal(path, f"{problem}; {damaged.sum():,} of {len(damaged):,} rows have such numbers", AGAIN)
    return damaged


def _read_labels(path: Path) -> tuple[str, np.ndarray, dict[str, np.ndarray]]:
    """The publication, the object ids in the file's order, and the numbers of each kind, float64 (N, 37)."""
    columns = {kind: [f"{answer}_{kind}" for answer in ANSWERS] for kind in KINDS}
    names = [OBJECT_ID, *(name for of_kind in columns.values() for name in of_kind)]
    publication = HART if "gz2_class" in _names(path, names) else WILLETT
    object_ids: list[np.ndarray] = []
    numbers: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    for chunk in _chunks(path, names, "Reading labels", ROWS[publication]):
        object_ids.append(_whole_numbers(path, chunk[OBJECT_ID]))
        for kind, of_kind in columns.items():
            numbers[kind].append(chunk[of_kind].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64))
    if not sum(map(len, object_ids)):
        raise refusal(path, "the table has no galaxies", AGAIN)
    return publication, np.concatenate(object_ids), {kind: np.concatenate(parts) for kind, parts in numbers.items()}


def _read_mapping(path: Path) -> pd.Series:
    """The pictures' names, int64, by object id; of several pictures of an object that of the lowest name."""
    _names(path, ["objid", "asset_id"])
    assets = [pd.Series(index=np.array([], np.int64), dtype=np.int64)]
    for chunk in _chunks(path, ["objid", "asset_id"], "Reading pictures' names", 355_990):
        named = chunk.dropna(subset="asset_id")
        assets.append(pd.Series(_whole_numbers(path, named["asset_id"]), _whole_numbers(path, named["objid"])))
    return pd.concat(assets).groupby(level=0).min()


def _whole_numbers(path: Path, texts: pd.Series) -> np.ndarray:
    """Ids, int64, of their texts: a float would lose their last digits."""
    texts = texts.fillna("").str.strip()
    for row in texts.index[~texts.str.fullmatch("[0-9]{1,18}").to_numpy(bool)][:1]:
        raise refusal(path, f"{texts.name} of row {row + 1} is {texts[row]!r}, not a whole number", AGAIN)
    return texts.to_numpy(np.int64)


def _names(path: Path, needed: list[str]) -> list[str]:
    """The names in the first line, in which those that are needed must be."""
    try:
        with _opened(path) as file:
            line = file.readline(100_000).strip().removeprefix(b"\xef\xbb\xbf")
    except DAMAGE as error:
        raise refusal(path, f"cannot be read ({error})", AGAIN) from error
    if line.startswith(b"<"):
        raise refusal(path, "this looks like a web page, not a table", AGAIN)
    names = [name.strip('"') for name in line.decode("utf-8", "replace").split(",")]
    if missing := shortlist([name for name in needed if name not in names]):
        raise refusal(path, f"columns are missing in the first line: {missing}", AGAIN)
    return names


def _chunks(path: Path, names: list[str], doing: str, rows: int) -> Iterator[pd.DataFrame]:
    """Yields the table's rows, some thousand at a time, ids as texts, and shows how far it has come."""
    ids = {name: str for name in (OBJECT_ID, "objid", "asset_id") if name in names}
    try:
        with _opened(path) as file, pd.read_csv(file, usecols=names, dtype=ids, chunksize=CHUNK) as chunks:
            yield from progress(chunks, doing, rows, "rows", each=CHUNK)
    except (*DAMAGE, ValueError) as error:  # pandas' own errors and undecodable bytes
        raise refusal(path, f"the table is damaged ({error})", AGAIN) from error


def _opened(path: Path) -> IO[bytes]:
    """The file's text, unpacked where it is packed, whatever its name says."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")
