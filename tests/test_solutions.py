"""Tables of labels and submissions: written exactly, read back whole, refused with the row and the column."""

import csv
import io

import numpy as np
import pytest
from conftest import make_labels, make_zip, solutions_csv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gzutils.data.archives import ChallengeError
from gzutils.data.challenge import SOLUTIONS
from gzutils.data.solutions import read_solutions, read_votes, write_solutions, write_submission
from gzutils.decision_tree import COLUMNS


def table_rows(path):
    return list(csv.reader(io.StringIO(path.read_text())))


def write_rows(path, rows, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(0, 10**18 - 1), min_size=1, max_size=6, unique=True),
    seed=st.integers(0, 2**32 - 1),
    order=st.permutations(range(38)),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    packed=st.booleans(),
)
def test_what_is_written_is_read_back_in_whatever_order(tmp_path, ids, seed, order, encoding, packed):
    labels = make_labels(len(ids), seed).astype(np.float32)
    path = tmp_path / f"{SOLUTIONS}.csv"
    write_solutions(path, ids, labels)
    write_rows(path, [[row[i] for i in order] for row in table_rows(path)], encoding=encoding)
    if packed:
        path = make_zip(tmp_path / f"{SOLUTIONS}.zip", [(path.name, path.read_bytes())])
    read_ids, read_labels = read_solutions(path)
    assert (read_ids.dtype, read_labels.dtype) == (np.int64, np.float32)
    assert read_ids.tolist() == sorted(ids)
    np.testing.assert_array_equal(read_labels, labels[np.argsort(ids)])


def test_the_written_format_is_the_challenge_s(tmp_path):
    labels = np.zeros((1, 37))
    labels[0, [0, 14, 15]] = 1.0, 0.611499, 0.388501
    labels[0, [13, 14]] = 0.611499, 0.388501
    labels[0, 15:18] = 0.25, 0.749999, 0.000001
    labels[0, 18] = 0.611499
    path = tmp_path / "made" / "table.csv"
    write_solutions(path, [100008], labels)
    first, second, rest = path.read_bytes().split(b"\n")
    assert first == ",".join(["GalaxyID", *COLUMNS]).encode()
    assert second == b"100008,1" + b",0" * 12 + b",0.611499,0.388501,0.25,0.749999,0.000001,0.611499" + b",0" * 18
    assert rest == b""


def test_columns_that_are_missing_and_those_that_nobody_knows_are_named(tmp_path):
    """The fault: "missing none" where one is."""
    rows = table_rows(solutions_csv(tmp_path / "table.csv"))
    named = write_rows(tmp_path / "named.csv", [[*rows[0][:-1], "Class11.7"], *rows[1:]])
    with pytest.raises(ChallengeError, match=r"first line: missing Class11\.6, unknown Class11\.7; correct them"):
        read_solutions(named)
    short = write_rows(tmp_path / "short.csv", [row[:-1] for row in rows])
    with pytest.raises(ChallengeError, match=r"first line: missing Class11\.6, unknown none; correct them"):
        read_solutions(short)


def test_rows_of_another_length_than_the_header(tmp_path):
    rows = table_rows(solutions_csv(tmp_path / "table.csv"))
    write_rows(tmp_path / "short.csv", [rows[0], rows[1], rows[2][:-1]])
    with pytest.raises(ChallengeError, match=r"short\.csv: row 2 \(galaxy 100008\): Class11\.6 is '', not a number"):
        read_solutions(tmp_path / "short.csv")
    write_rows(tmp_path / "long.csv", [rows[0], rows[1], [*rows[2], "0"]])
    with pytest.raises(ChallengeError, match=r"long\.csv: not a table .*line 3, saw 39"):
        read_solutions(tmp_path / "long.csv")
    write_rows(tmp_path / "all.csv", [rows[0], *([*row, "0"] for row in rows[1:])])
    with pytest.raises(ChallengeError, match=r"all\.csv: the rows have more values than the 38 names"):
        read_solutions(tmp_path / "all.csv")


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(ChallengeError, match=r"table\.csv: cannot be read"):
        read_solutions(tmp_path / "table.csv")


def test_a_zip_without_one_table(tmp_path):
    path = make_zip(tmp_path / "t.zip", [("a.csv", b"x"), ("b.csv", b"x")])
    with pytest.raises(ChallengeError, match=r"t\.zip: it holds 2 files named \*\.csv, not one"):
        read_solutions(path)


def test_labels_off_the_tree_are_not_written(tmp_path):
    labels = make_labels(2)
    labels[1, 0] += 0.01
    with pytest.raises(ChallengeError, match=r"table\.csv: not written: row 2 \(galaxy 6\): .*question 1 "):
        write_solutions(tmp_path / "table.csv", [5, 6], labels)
    assert not list(tmp_path.iterdir())


# ---- the submission


def test_submission_format(tmp_path):
    probabilities = np.random.default_rng(0).random((50, 37), np.float32)  # predictions need not obey the tree
    probabilities[0, :3] = 0, 1, 1e-7
    ids = np.arange(200_050, 200_000, -1)
    write_submission(tmp_path / "submission.csv", ids, probabilities)
    rows = table_rows(tmp_path / "submission.csv")
    assert rows[0] == ["GalaxyID", *COLUMNS]
    assert len(rows) == 51
    assert {len(row) for row in rows} == {38}
    assert rows[1][:4] == ["200050", "0", "1", "0.0000001"]
    assert [int(row[0]) for row in rows[1:]] == ids.tolist()
    np.testing.assert_array_equal(np.array([row[1:] for row in rows[1:]], np.float32), probabilities)


@pytest.mark.parametrize(
    ("ids", "value", "columns", "problem"),
    [
        ([1, 2], np.nan, 37, r"Class1\.3 of galaxy 2 is nan, not in \[0, 1\]"),
        ([1, 2], np.inf, 37, r"Class1\.3 of galaxy 2 is inf, not in \[0, 1\]"),
        ([1, 2], 1.00001, 37, r"Class1\.3 of galaxy 2 is 1\.00001, not in \[0, 1\]"),
        ([1, 2], -1e-9, 37, r"Class1\.3 of galaxy 2 is -1e-09, not in \[0, 1\]"),
        ([7, 7], 0.5, 37, "more than one row of galaxy 7"),
        ([1, 2, 3], 0.5, 37, r"shape \(3, 37\), not \(2, 37\)"),
        ([1, 2], 0.5, 36, r"shape \(2, 37\), not \(2, 36\)"),
        ([1.5, 2], 0.5, 37, "not all whole numbers"),
        ([-1, 2], 0.5, 37, "not all whole numbers"),
    ],
)
def test_a_bad_submission_is_not_written(tmp_path, ids, value, columns, problem):
    probabilities = np.full((2, columns), 0.5)
    probabilities[1, 2] = value
    with pytest.raises(ChallengeError, match=r"submission\.csv: not written: .*" + problem):
        write_submission(tmp_path / "submission.csv", np.array(ids), probabilities)
    assert not list(tmp_path.iterdir())


def votes_csv(path, rows):
    path.write_text("\n".join([",".join(["GalaxyID", *COLUMNS]), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_counts_of_votes_are_read_as_whole_numbers_by_ascending_id(tmp_path):
    path = votes_csv(tmp_path / "votes.csv", [[8, *range(37)], [5, *range(100, 137)]])
    galaxy_ids, votes = read_votes(path)
    assert (galaxy_ids.tolist(), votes.dtype) == ([5, 8], np.int32)
    np.testing.assert_array_equal(votes, [range(100, 137), range(37)])


@pytest.mark.parametrize("value", ["-1", "0.5", "1e30", "inf"])
def test_what_is_no_number_of_votes_is_named(tmp_path, value):
    """Fails where shares are taken for counts, or a number is cut to what an int32 holds."""
    path = votes_csv(tmp_path / "votes.csv", [[5, *range(37)], [8, *range(36), value]])
    with pytest.raises(
        ChallengeError, match=r"votes\.csv: row 2 \(galaxy 8\): Class11\.6 is .*, not a number of votes"
    ):
        read_votes(path)
