"""The figures of notebook 11: what they show is what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from gzutils.decision_tree import question
from gzutils.plots import certainty


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def test_each_coin_has_its_curve_whose_peak_is_1():
    shares = np.linspace(0.01, 0.99, 99)
    figure = certainty.coins(
        shares, {"3 of 10": shares**3 * (1 - shares) ** 7, "30 of 100": shares**30 * (1 - shares) ** 70}
    )
    (axes,) = figure.axes
    for line in axes.lines:
        assert line.get_ydata().max() == 1
        assert line.get_xdata()[line.get_ydata().argmax()] == pytest.approx(0.3, abs=0.01)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["3 of 10", "30 of 100"]


def test_a_posterior_stands_under_its_question_with_the_votes_and_the_truth():
    """The faults: another question's words, one galaxy's votes in another's panel, a line where nobody was asked."""
    by_pass = [np.full((3, 41), 1 / 41), np.full((3, 9), 1 / 9)]
    columns, votes, truth = ["Class1.1", "Class3.2"], [25, None], [22.0, None]
    figure = certainty.posteriors(np.zeros((64, 64, 3), np.uint8), "galaxy 7", columns, by_pass, votes, truth)
    picture, first, second = figure.axes
    assert picture.get_title(loc="left") == "galaxy 7"
    for axes, number, answer in ((first, 1, "smooth"), (second, 3, "no bar")):
        title = " ".join(axes.get_title(loc="left").split())
        assert title == f"{question(number).text} → {answer}"
    single = [line for line in first.lines if len(line.get_xdata()) == 41]
    upright = [line.get_xdata()[0] for line in first.lines if len(line.get_xdata()) == 2]
    assert (len(single), upright) == (3, [25, 22.0])
    assert len(second.lines) == 3
    assert [axes.get_xlabel() for axes in (first, second)] == ["votes of 40", "votes of 8"]


def test_long_numbers_and_few_votes_are_readable_beside_a_galaxy():
    """The faults: Galaxy Zoo 2's 18 digits ran into the question beside them; a tick stood at 2.5 votes."""
    title, columns = "galaxy 587722981736120567: doubtful", ["Class1.1", "Class2.1", "Class6.1"]
    by_pass = [np.full((2, 11), 1 / 11)] * 3
    figure = certainty.posteriors(np.zeros((64, 64, 3), np.uint8), title, columns, by_pass, [1] * 3, [None] * 3)
    figure.draw_without_rendering()
    (own,) = figure.axes[0].findobj(lambda text: isinstance(text, Text) and "\n" in text.get_text())
    assert own.get_text().split() == title.split()
    assert own.get_window_extent().x1 < figure.axes[1].get_window_extent().x0
    assert all(tick == round(tick) for axes in figure.axes[1:] for tick in axes.get_xticks())


def test_coverage_is_drawn_beside_what_it_should_be():
    table = pd.DataFrame([[0.5, 0.8, 0.95], [0.3, 0.5, 0.7]], index=["honest", "too sure"], columns=[0.5, 0.8, 0.95])
    figure = certainty.coverage(table, None)
    (axes,) = figure.axes
    drawn = {line.get_label(): line.get_ydata().tolist() for line in axes.lines}
    assert drawn["too sure"] == [0.3, 0.5, 0.7]
    assert drawn["as often as they say"] == [0, 1]
    assert len(certainty.coverage(table, table).axes) == 2


def test_the_worth_of_labels_is_a_mean_over_seeds_for_each_way():
    rows = [
        (way, seed, labels, -labels / 100 - seed, 0.1)
        for way in ("by entropy", "at random")
        for seed in (0, 1)
        for labels in (100, 200)
    ]
    table = pd.DataFrame(rows, columns=["way", "seed", "labels", "log_likelihood", "rmse"])
    figure = certainty.worth_of_labels(table)
    left, _ = figure.axes
    means = {line.get_label(): line.get_ydata().tolist() for line in left.lines if line.get_label()[0] != "_"}
    assert means == {"chosen at random": [-1.5, -2.5], "chosen by entropy": [-1.5, -2.5]}
    assert sum(len(line.get_xdata()) for line in left.lines if line.get_label()[0] == "_") == 8
