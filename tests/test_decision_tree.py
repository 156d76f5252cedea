"""The tree itself, and what it says about votes: held against the published tree and against the report's A.2."""

import re
from itertools import pairwise

import numpy as np
import pytest
from conftest import make_labels
from hypothesis import given, settings
from hypothesis import strategies as st

from gzutils.data.solutions import label_table
from gzutils.decision_tree import (
    ANSWERS,
    COLUMNS,
    CONSTRAINT_QUESTIONS,
    QUESTIONS,
    answered,
    check_labels,
    constraint_equations,
    constraint_matrix,
    constraint_residuals,
    down_the_tree,
    most_probable_path,
    question,
    shares_of_counts,
    source_columns,
)

ANSWER_COUNTS = {1: 3, 2: 2, 3: 2, 4: 2, 5: 4, 6: 2, 7: 3, 8: 7, 9: 3, 10: 3, 11: 6}

# The report's appendix A.2 with its numbers p1 to p37, but for its two misprints: which p's add up to which (or to 1).
A2_TREE = [
    ([1, 2, 3], []),
    ([14, 15], []),  # printed as p12 + p13
    ([4, 5], [2]),
    ([16, 17, 18], [1]),  # printed as p11
    ([19, 20, 21, 22, 23, 24, 25], [14]),
    ([26, 27, 28], [4]),
    ([6, 7], [5]),
    ([8, 9], [5]),
    ([29, 30, 31], [8]),
    ([10, 11, 12, 13], [8, 9]),
    ([32, 33, 34, 35, 36, 37], [8]),
]
A2_REPORT = [*A2_TREE[:3], ([16, 17, 18], [11]), *A2_TREE[4:]]
A2 = {"tree": A2_TREE, "report": A2_REPORT}


def a2_residuals(vector, constraints):
    """The 11 constraints one by one, as a person would compute them from the printed list."""
    residuals = []
    for left, right in A2[constraints]:
        total = 0.0
        for i in left:
            total += float(vector[i - 1])
        for i in right:
            total -= float(vector[i - 1])
        residuals.append(total if right else total - 1)
    return residuals


def walk(shares):
    """The 37 cumulative fractions of one galaxy from the shares at each question (report, section 2; Willett 2013)."""
    q = {1: shares[1]}
    smooth, disk, _ = q[1]
    q[7] = shares[7] * smooth
    q[2] = shares[2] * disk
    edge_on, not_edge_on = q[2]
    q[9] = shares[9] * edge_on
    q[3] = shares[3] * not_edge_on
    q[4] = shares[4] * not_edge_on  # bar or no bar, spiral arms come next
    spiral, no_spiral = q[4]
    q[10] = shares[10] * spiral
    q[11] = shares[11] * spiral
    q[5] = shares[5] * (spiral + no_spiral)
    q[6] = shares[6]  # everyone; the organisers scaled it to 1
    q[8] = shares[8] * q[6][0]
    return np.concatenate([q[number] for number in range(1, 12)])


@st.composite
def votes(draw):
    shares = {}
    for number, answers in ANSWER_COUNTS.items():
        counts = draw(st.lists(st.integers(0, 70), min_size=answers, max_size=answers).filter(any))
        shares[number] = np.array(counts) / sum(counts)
    return walk(shares)


def test_sending_votes_down_the_tree_is_the_walk():
    draw = np.random.default_rng(0)
    shares = {number: draw.dirichlet(np.ones(answers), 20) for number, answers in ANSWER_COUNTS.items()}
    expected = [walk({number: share[row] for number, share in shares.items()}) for row in range(20)]
    np.testing.assert_allclose(np.concatenate(down_the_tree(shares), axis=1), expected, rtol=1e-12)
    np.testing.assert_allclose(np.concatenate(down_the_tree({n: s[3] for n, s in shares.items()})), expected[3])


def test_there_are_11_questions_and_37_answers_under_the_challenges_names():
    assert [q.number for q in QUESTIONS] == list(range(1, 12))
    assert {q.number: len(q.answers) for q in QUESTIONS} == ANSWER_COUNTS
    expected = tuple(f"Class{n}.{i}" for n, count in ANSWER_COUNTS.items() for i in range(1, count + 1))
    assert expected == COLUMNS
    assert len(COLUMNS) == len(set(COLUMNS)) == len(ANSWERS) == len(set(ANSWERS)) == 37


def test_each_question_knows_its_columns_and_their_place():
    seen = []
    for q in QUESTIONS:
        assert COLUMNS[q.slice] == q.columns
        assert question(q.number) is q
        seen += range(37)[q.slice]
    assert seen == list(range(37))


def test_answers_stand_in_the_order_of_the_published_table():
    assert question(1).answers == ("smooth", "features or disk", "star or artifact")
    assert question(2).answers == question(6).answers == ("yes", "no")
    assert [answer.split()[0] for answer in question(5).answers] == ["no", "just", "obvious", "dominant"]
    assert question(8).answers[0] == "ring"
    assert question(10).answers == ("tight", "medium", "loose")
    assert question(11).answers[:4] == ("1", "2", "3", "4")


def test_who_follows_whom():
    assert {q.number: q.leads_to for q in QUESTIONS} == {
        1: (7, 2, 0),
        2: (9, 3),
        3: (4, 4),
        4: (10, 5),
        5: (6,) * 4,
        6: (8, 0),
        7: (6,) * 3,
        8: (0,) * 7,
        9: (6,) * 3,
        10: (11,) * 3,
        11: (5,) * 6,
    }


def test_whose_votes_add_up_to_those_of_each_question():
    assert {q.number: set(source_columns(q.number)) for q in QUESTIONS} == {
        1: set(),
        2: {"Class1.2"},
        3: {"Class2.2"},
        4: {"Class2.2"},
        5: {"Class4.1", "Class4.2"},
        6: set(),
        7: {"Class1.1"},
        8: {"Class6.1"},
        9: {"Class2.1"},
        10: {"Class4.1"},
        11: {"Class4.1"},
    }


@pytest.mark.parametrize("number", [0, 12, -1])
def test_there_is_no_other_question(number):
    with pytest.raises(ValueError, match=rf"no question {number}: the tree has questions 1 to 11"):
        question(number)


@pytest.mark.parametrize("constraints", ["tree", "report"])
def test_the_equations_are_those_of_a2_in_its_order(constraints):
    matrix, offset = constraint_matrix(constraints)
    assert (matrix.shape, matrix.dtype, offset.shape, offset.dtype) == ((11, 37), np.float32, (11,), np.float32)
    for row, constant, (left, right) in zip(matrix, offset, A2[constraints], strict=True):
        assert (np.flatnonzero(row == 1) + 1).tolist() == left
        assert (np.flatnonzero(row == -1) + 1).tolist() == right
        assert np.count_nonzero(row) == len(left) + len(right)
        assert constant == (0 if right else 1)


def test_the_equations_in_words():
    tree, report = constraint_equations("tree"), constraint_equations("report")
    assert tree[1] == report[1] == "Class6.1 + Class6.2 = 1"
    assert tree[3] == "Class7.1 + Class7.2 + Class7.3 = Class1.1"
    assert report[3] == "Class7.1 + Class7.2 + Class7.3 = Class5.2"
    assert tree[9] == "Class5.1 + Class5.2 + Class5.3 + Class5.4 = Class4.1 + Class4.2"
    assert [i for i in range(11) if tree[i] != report[i]] == [3]
    for number, equation in zip(CONSTRAINT_QUESTIONS, tree, strict=True):
        assert equation.startswith(f"Class{number}.1 + ")


def test_an_unknown_set_of_constraints_is_refused():
    with pytest.raises(ValueError, match='"tree" or "report", not \'paper\''):
        constraint_matrix("paper")


@given(galaxy=votes())
@settings(max_examples=100, deadline=None)
def test_votes_that_walked_down_the_tree_obey_it(galaxy):
    assert np.abs(constraint_residuals(galaxy[None])).max() < 1e-12
    check_labels(galaxy[None], np.array([1]), tolerance=1e-12)
    check_labels(galaxy[None].astype(np.float32), np.array([1]))


@given(seed=st.integers(0, 2**32 - 1), constraints=st.sampled_from(["tree", "report"]))
@settings(max_examples=50, deadline=None)
def test_residuals_of_any_numbers_equal_those_computed_one_by_one(seed, constraints):
    table = np.random.default_rng(seed).uniform(-1, 2, (3, 37))
    expected = [a2_residuals(row, constraints) for row in table]
    np.testing.assert_allclose(constraint_residuals(table, constraints), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("given", "returned"), [(np.float32, np.float32), (float, float), (int, float), (bool, float)])
def test_residuals_keep_the_precision_that_came_in(given, returned):
    assert constraint_residuals(np.zeros((2, 37), given)).dtype == returned


def test_the_reports_own_fourth_constraint_does_not_hold_on_labels():
    labels = make_labels(50)
    residuals = constraint_residuals(labels, "report")
    assert np.abs(np.delete(residuals, 3, axis=1)).max() < 1e-12
    assert np.abs(residuals[:, 3]).min() > 1e-6


def test_the_worked_example_of_the_reports_section_2():
    """80 % smooth, 15 % disk, 5 % star; then a half, a quarter and a quarter of the smooth ones: 0.40, 0.20, 0.20."""
    shares = {number: np.full(count, 1 / count) for number, count in ANSWER_COUNTS.items()}
    shares[1], shares[7] = np.array([0.80, 0.15, 0.05]), np.array([0.50, 0.25, 0.25])
    galaxy = walk(shares)
    np.testing.assert_allclose(galaxy[question(7).slice], [0.40, 0.20, 0.20])
    check_labels(galaxy[None], np.array([1]))
    table = label_table(galaxy)
    assert table["column"].tolist() == list(COLUMNS)
    round_ones = table[table["column"] == "Class7.1"].iloc[0]
    assert (round_ones["answer"], round_ones["question"]) == ("completely round", "7. How rounded is it?")
    assert round_ones["share of all"] == pytest.approx(0.40)
    assert round_ones["share at this question"] == pytest.approx(0.50)


def test_a_question_that_nobody_reached_has_no_shares_of_its_own():
    shares = {number: np.full(count, 1 / count) for number, count in ANSWER_COUNTS.items()}
    shares[1] = np.array([1.0, 0.0, 0.0])
    table = label_table(walk(shares))
    edge_on = table[table["column"].isin(question(2).columns)]
    assert edge_on["share of all"].tolist() == [0, 0]
    assert edge_on["share at this question"].isna().all()


@pytest.mark.parametrize("number", CONSTRAINT_QUESTIONS)
def test_a_broken_question_is_named_with_row_galaxy_and_deviation(number):
    labels = make_labels(4)
    column = question(number).slice.stop - 1
    labels[2, column] += 0.0125
    with pytest.raises(ValueError, match="break the decision tree") as error:
        check_labels(labels, np.array([100008, 100023, 100053, 100078]))
    # The last answers of questions 2 and 4 are also in other constraints; the first one broken is named.
    first = next(i for i, (left, right) in enumerate(A2_TREE) if column + 1 in left + right)
    named = CONSTRAINT_QUESTIONS[first]
    sign = "+" if named == number else "-"
    assert str(error.value) == (
        f"row 3 (galaxy 100053): the answers of question {named} ({question(named).text}) miss "
        f"{constraint_equations()[first]} by {sign}0.01250; 1 of 4 rows break the decision tree"
    )


def test_answers_that_add_up_to_too_little_are_refused_too():
    labels = make_labels(1)
    labels[0, labels[0, :3].argmax()] -= 0.25
    with pytest.raises(ValueError, match=r"question 1 .* miss Class1\.1 \+ Class1\.2 \+ Class1\.3 = 1 by -0\.25000"):
        check_labels(labels, np.array([100008]))


def test_deviations_within_the_tolerance_pass():
    labels = make_labels(3)
    labels[1, 0] += 9e-5
    check_labels(labels, np.arange(3))
    with pytest.raises(ValueError, match=r"by \+0\.00009"):
        check_labels(labels, np.arange(3), tolerance=1e-5)


def test_labels_that_obey_the_tree_to_the_last_bit_pass_without_any_tolerance():
    """The change of the code that fails here: `>= tolerance` for `> tolerance` in `check_labels`."""
    labels = np.zeros((1, 37))
    for number, answer in ((1, 0), (7, 2), (6, 1)):
        labels[0, question(number).slice.start + answer] = 1
    check_labels(labels, np.array([100008]), tolerance=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.2, -0.3])
def test_values_that_are_no_shares_are_named(value):
    labels = make_labels(5)
    labels[3, 18] = value
    labels[4, 20] = value
    with pytest.raises(ValueError, match="not a share") as error:
        check_labels(labels, np.arange(10, 15))
    assert str(error.value) == (
        f"row 4 (galaxy 13): Class8.1 is {value}, not a share between 0 and 1; 2 of 5 rows have such values"
    )


@pytest.mark.parametrize("shape", [(37,), (2, 36), (2, 38), (1, 2, 37)])
def test_tables_of_another_shape_are_refused(shape):
    for refuse in (lambda table: check_labels(table, np.arange(len(table))), constraint_residuals):
        with pytest.raises(ValueError, match=re.escape(f"(N, 37), one column an answer, not {shape}")):
            refuse(np.zeros(shape))


def test_labels_and_ids_of_another_number_are_refused():
    with pytest.raises(ValueError, match="3 rows of labels, but 2 galaxy ids"):
        check_labels(make_labels(3), np.array([1, 2]))


def test_the_most_probable_path_ends_with_the_tree_or_where_nobody_is_left():
    shares = make_labels(200, seed=4)
    for row in shares:
        path = most_probable_path(row)
        assert path[0][0].number == 1
        for (here, answer), (following, _) in pairwise(path):
            assert row[here.slice].max() == row[here.slice][answer]
            assert here.leads_to[answer] == following.number
        last, answer = path[-1]
        assert last.leads_to[answer] == 0 or row[question(last.leads_to[answer]).slice].sum() == 0
    assert most_probable_path(np.zeros(37)) == []


# ---- counts


@st.composite
def walks(draw):
    """Which answers each volunteer of one galaxy gave, one after the other: (question, answer's place) by volunteer."""
    volunteers = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    favoured = draw(st.lists(st.integers(0, 6), min_size=11, max_size=11))  # so that some questions meet nobody
    everyone = []
    for _ in range(volunteers):
        steps, number = [], 1
        while number:
            here = question(number)
            usual = min(favoured[number - 1], len(here.answers) - 1)
            answer = usual if rng.random() < 0.9 else int(rng.integers(len(here.answers)))
            steps.append((number, answer))
            number = here.leads_to[answer]
        everyone.append(steps)
    return everyone


def counted(everyone):
    """The 37 counts of some volunteers' walks, (1, 37)."""
    votes = np.zeros((1, 37), np.int32)
    for number, answer in (step for steps in everyone for step in steps):
        votes[0, question(number).slice.start + answer] += 1
    return votes


@given(everyone=walks())
@settings(max_examples=200, deadline=None)
def test_shares_of_counts_are_the_volunteers_over_all_volunteers(everyone):
    """Of those who answered question 6 for it and the one after; fails where question 6 is not normalised."""
    shares = shares_of_counts(counted(everyone))
    asked_odd = sum(any(number == 6 for number, _ in steps) for steps in everyone)
    for q in QUESTIONS:
        over = asked_odd if q.number in (6, 8) else len(everyone)
        for place, column in enumerate(range(37)[q.slice]):
            if over:
                expected = sum((q.number, place) in steps for steps in everyone) / over
            else:
                expected = float((q.number, place) == (6, 1))  # nobody saw anything odd
            assert shares[0, column] == pytest.approx(expected, abs=1e-12)
    assert (shares.shape, shares.dtype) == ((1, 37), np.float64)
    check_labels(shares, np.array([1]), tolerance=1e-12)


@given(everyone=walks())
@settings(max_examples=50, deadline=None)
def test_so_many_answered_a_question_as_came_to_it(everyone):
    """Fails where two questions' sums change places."""
    came = [sum(number == q.number for steps in everyone for number, _ in steps) for q in QUESTIONS]
    assert answered(counted(everyone)).tolist() == [came]


@given(everyone=st.lists(walks(), min_size=2, max_size=4), factor=st.sampled_from([2, 3, 0.1]))
@settings(max_examples=30, deadline=None)
def test_each_galaxy_has_its_own_shares_and_only_ratios_count(everyone, factor):
    """Fails where totals are taken over all galaxies, or where weights below 1 are rounded."""
    votes = np.concatenate([counted(galaxy) for galaxy in everyone])
    shares = shares_of_counts(votes)
    for row, galaxy in enumerate(votes):
        np.testing.assert_array_equal(shares[row], shares_of_counts(galaxy[None])[0])
    np.testing.assert_allclose(shares_of_counts(votes * factor), shares, atol=1e-12)


def test_more_volunteers_at_a_question_than_led_there_change_only_its_precision():
    """As real counts may be: the shares of the question are its own, and the tree's identities hold."""
    votes = np.zeros((1, 37), np.int64)
    votes[0, :3] = 30, 10, 0
    votes[0, question(7).slice] = 20, 10, 2
    votes[0, question(2).slice] = 10, 0
    votes[0, question(9).slice] = 3, 0, 1
    votes[0, question(6).slice] = 0, 40
    shares = shares_of_counts(votes)
    np.testing.assert_allclose(shares[0, question(7).slice], 0.75 * np.array([20, 10, 2]) / 32)
    check_labels(shares, np.array([1]), tolerance=1e-12)


def test_a_question_that_is_reached_but_not_answered_is_what_the_check_of_labels_finds():
    votes = np.zeros((1, 37), np.int64)
    votes[0, 0] = 40
    with pytest.raises(ValueError, match="question 7"):
        check_labels(shares_of_counts(votes), np.array([1]))


@pytest.mark.parametrize("value", [-1, np.nan, np.inf])
def test_numbers_that_are_no_counts_are_refused(value):
    votes = np.ones((3, 37))
    votes[1, 9] = value
    with pytest.raises(ValueError, match=f"row 2: Class5.1 is {float(value)}, not a number of votes"):
        shares_of_counts(votes)


def test_a_galaxy_that_nobody_saw_has_no_shares():
    votes = np.ones((3, 37), int)
    votes[2, :3] = 0
    with pytest.raises(ValueError, match="row 3: nobody answered question 1"):
        shares_of_counts(votes)
