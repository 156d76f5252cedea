"""Tables of 37 numbers a galaxy in the challenge's CSV format: labels, counts of votes, and the submission."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from gzutils.data.archives import AGAIN, DAMAGE, check_content, check_name, open_zip, refusal, shortlist
from gzutils.decision_tree import COLUMNS, QUESTIONS, check_labels
from gzutils.tools.files import whole_file

MOST_VOTES = 100_000  # for one answer about one galaxy: far above any
TABLE_LIMIT = 200_000_000  # bytes: far above the challenge's own table, far below what would hurt


def read_solutions(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Reads the table of labels, from the .csv file or the .zip file that holds it; rows and columns in any order.

    Returns:
        ids, int64 (N,), ascending, and labels, float32 (N, 37), in the order of `decision_tree.COLUMNS`.

    Raises:
        ChallengeError: the file is no such table, or a value in it is wrong; the message names the file, the row
            (counted in the file's order, without the header), the galaxy and the column.
    """
    galaxy_ids, labels = _read_table(Path(path))
    try:
        check_labels(labels, galaxy_ids)
    except ValueError as error:
        raise refusal(path, error) from None
    order = np.argsort(galaxy_ids)
    return galaxy_ids[order], labels[order].astype(np.float32)


def read_votes(path: Path | str) -> tuple[np.ndarray, np.ndarray]:
    """Reads a table of how many volunteers gave each answer, in the format of the labels.

    Returns:
        ids, int64 (N,), ascending, and votes, int32 (N, 37), in the order of `decision_tree.COLUMNS`.

    Raises:
        ChallengeError: as `read_solutions`; or a value is no whole number from 0.
    """
    galaxy_ids, votes = _read_table(Path(path))
    for row, column in np.argwhere((votes < 0) | (votes != np.rint(votes)) | (votes > MOST_VOTES))[:1]:
        problem = f"{COLUMNS[column]} is {votes[row, column]:g}, not a number of votes"
        raise refusal(path, f"row {row + 1} (galaxy {galaxy_ids[row]}): {problem}", "delete it and run again")
    order = np.argsort(galaxy_ids)
    return galaxy_ids[order], votes[order].astype(np.int32)


def write_solutions(path: Path | str, galaxy_ids: np.ndarray, labels: np.ndarray) -> None:
    """Writes a table of labels in the challenge's CSV format; `read_solutions` gives the same float32 numbers back.

    Args:
        path: the .csv file.
        galaxy_ids: (N,) whole numbers, each once.
        labels: (N, 37), in the order of `decision_tree.COLUMNS`.

    Raises:
        ChallengeError: the ids or the shape are wrong, or the labels are no vote fractions down the decision tree.
    """
    galaxy_ids, labels = _checked_table(path, galaxy_ids, labels)
    try:
        check_labels(labels, galaxy_ids)
    except ValueError as error:
        raise refusal(path, f"not written: {error}", "correct the labels") from None
    _write_table(path, galaxy_ids, labels)


def write_submission(path: Path | str, galaxy_ids: np.ndarray, probabilities: np.ndarray) -> None:
    """Writes predictions in the challenge's submission format, the same as that of the labels; nothing is clipped.

    Args:
        path: the .csv file.
        galaxy_ids: (N,) whole numbers, each once.
        probabilities: (N, 37), in the order of `decision_tree.COLUMNS`, from 0 to 1.

    Raises:
        ChallengeError: the ids or the shape are wrong, or a value is not finite or not in [0, 1].
    """
    galaxy_ids, probabilities = _checked_table(path, galaxy_ids, probabilities)
    for row, column in np.argwhere(~((probabilities >= 0) & (probabilities <= 1)))[:1]:
        problem = f"{COLUMNS[column]} of galaxy {galaxy_ids[row]} is {probabilities[row, column]}, not in [0, 1]"
        raise refusal(path, f"not written: {problem}", "correct the predictions")
    _write_table(path, galaxy_ids, probabilities)


def label_table(labels: np.ndarray) -> pd.DataFrame:
    """One galaxy's 37 numbers as a table: question, answer, column, share of all volunteers, share at the question."""
    rows = []
    for q in QUESTIONS:
        votes = np.asarray(labels[q.slice], float)
        total = votes.sum()
        for answer, column, vote in zip(q.answers, q.columns, votes, strict=True):
            at_question = vote / total if total > 0 else np.nan
            rows.append((f"{q.number}. {q.text}", answer, column, vote, at_question))
    names = ["question", "answer", "column", "share of all", "share at this question"]
    return pd.DataFrame(rows, columns=names)


def _read_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The ids and the 37 numbers, float64, of each row, in the file's order."""
    data = _solutions_bytes(path)
    if data.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<"):
        raise refusal(path, "this looks like a web page, not a table", f"{AGAIN} while logged in")
    try:
        table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        raise refusal(path, "the file is empty") from None
    except ValueError as error:  # pandas' own errors and undecodable bytes
        raise refusal(path, f"not a table of comma-separated values ({error})") from error
    _check_columns(path, list(table.columns))
    if not isinstance(table.index, pd.RangeIndex):
        raise refusal(path, f"the rows have more values than the {len(table.columns)} names in the first line")
    if table.empty:
        raise refusal(path, "the table has no galaxies")

    names = table["GalaxyID"].str.strip()
    wrong = np.flatnonzero(~names.str.fullmatch("[0-9]{1,18}"))
    if len(wrong):
        raise refusal(path, f"row {wrong[0] + 1}: GalaxyID is {names[wrong[0]]!r}, not a whole number")
    galaxy_ids = names.to_numpy(np.int64)
    if repeated := _repeated(galaxy_ids):
        raise refusal(path, f"there is more than one row of galaxy {repeated}")
    values = table[list(COLUMNS)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    for row, column in np.argwhere(np.isnan(values))[:1]:
        text = table[COLUMNS[column]][row]
        raise refusal(path, f"row {row + 1} (galaxy {names[row]}): {COLUMNS[column]} is {text!r}, not a number")
    return galaxy_ids, values


def _solutions_bytes(path: Path) -> bytes:
    try:
        if path.suffix != ".zip":
            return path.read_bytes()
        with open_zip(path) as archive:
            tables = [m for m in archive.infolist() if m.filename.endswith(".csv") and "__MACOSX" not in m.filename]
            if len(tables) != 1:
                raise refusal(path, f"it holds {len(tables)} files named *.csv, not one")
            check_name(path, tables[0])
            check_content(path, tables[0], TABLE_LIMIT)
            with archive.open(tables[0]) as file:
                return file.read(TABLE_LIMIT + 1)
    except DAMAGE as error:
        raise refusal(path, f"cannot be read ({error})") from error


def _check_columns(path: Path, names: list[str]) -> None:
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and separator in names[0]:
            raise refusal(path, f"separated by {word}", f"save it with commas, or {AGAIN}")
    expected = ("GalaxyID", *COLUMNS)
    missing = shortlist([name for name in expected if name not in names])
    unknown = shortlist([name for name in names if name not in expected])
    if missing or unknown:
        problem = f"wrong columns in the first line: missing {missing or 'none'}, unknown {unknown or 'none'}"
        raise refusal(path, problem, f"correct them, or {AGAIN}")


def _checked_table(path: Path | str, galaxy_ids: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    galaxy_ids, values = np.asarray(galaxy_ids), np.asarray(values)
    if not len(galaxy_ids) or values.shape != (len(galaxy_ids), len(COLUMNS)):
        problem = f"{len(galaxy_ids)} galaxies need a table of shape ({len(galaxy_ids)}, 37), not {values.shape}"
    elif galaxy_ids.dtype.kind not in "iu" or (galaxy_ids < 0).any():
        problem = "the galaxy ids are not all whole numbers from 0"
    elif repeated := _repeated(galaxy_ids):
        problem = f"there is more than one row of galaxy {repeated}"
    else:
        return galaxy_ids, values
    raise refusal(path, f"not written: {problem}", "correct what is passed in")


def _write_table(path: Path | str, galaxy_ids: np.ndarray, values: np.ndarray) -> None:
    with whole_file(path) as beside, open(beside, "w", encoding="ascii", newline="\n") as file:
        file.write(",".join(("GalaxyID", *COLUMNS)) + "\n")
        for galaxy_id, row in zip(galaxy_ids, values.astype(np.float32), strict=True):
            # The fewest digits that give the same float32 back, without exponents: 0.61, 0, 1.
            numbers = (np.format_float_positional(value, trim="-") for value in row)
            file.write(f"{galaxy_id},{','.join(numbers)}\n")


def _repeated(galaxy_ids: np.ndarray) -> str:
    unique, counts = np.unique(galaxy_ids, return_counts=True)
    return shortlist(unique[counts > 1].tolist())
