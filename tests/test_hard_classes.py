"""One class a galaxy: the rules, what is measured of classes, the loss that weighs them, and the figures."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_store import labels_from_chances

from gzutils.decision_tree import COLUMNS
from gzutils.hard_classes import RULES, class_weights, counts, dai_tong_classes, judge, margins, share
from gzutils.learning import classification
from gzutils.learning.losses import WeightedCrossEntropy
from gzutils.learning.recipe import Recipe
from gzutils.plots import classes as class_plots

FIVE, EIGHT, FOUR = RULES["dai_tong"], RULES["lin"], RULES["schneider"]


def shares_of(seed=0, count=400, sharpness=6):
    """Vote fractions that keep the tree; the sharper, the more of them have a class."""
    return labels_from_chances(np.random.default_rng(seed).random((count, 37)) ** sharpness + 1e-6)


def galaxy(**own):
    """One galaxy's vote fractions: each question's own shares, `q7=(0.6, 0.4, 0)`, the others evenly divided."""
    chances = np.ones((1, 37))
    for name, values in own.items():
        start = COLUMNS.index(f"Class{name[1:]}.1")
        chances[0, start : start + len(values)] = np.array(values) + 1e-12
    return labels_from_chances(chances)


class TestRules:
    def test_dai_and_tongs_classes_are_those_of_a_plain_reading_of_the_columns(self):
        """The faults: shares among those who were asked, or a threshold at the wrong answer."""

        def read(row):
            if row["Class1.1"] >= 0.469:
                for number in (1, 2, 3):
                    if row[f"Class7.{number}"] >= 0.5:
                        return number - 1
            if row["Class1.2"] >= 0.43 and row["Class2.1"] >= 0.602:
                return 3
            if row["Class1.2"] >= 0.43 and row["Class2.2"] >= 0.715 and row["Class4.1"] >= 0.619:
                return 4
            return -1

        shares = shares_of()
        expected = [read(row) for _, row in pd.DataFrame(shares, columns=COLUMNS).iterrows()]
        classes, clearness = judge(shares, FIVE)
        assert set(expected) == {-1, 0, 1, 2, 3, 4}
        np.testing.assert_array_equal(np.where(clearness >= 0, classes, -1), expected)

    def test_the_papers_counts_are_there_and_add_up(self):
        """28,790 galaxies of the challenge; 64 % of 155,951 for Lin et al."""
        assert sum(FIVE.counts) == 28_790
        assert sum(EIGHT.counts) == int(0.64 * 155_951)
        assert all(len(rule.counts) in (0, len(rule.classes)) for rule in RULES.values())
        assert FIVE.names == ("round", "in-between", "cigar", "edge-on", "spiral")
        assert dict(zip(EIGHT.names, EIGHT.counts, strict=True))["merger"] == 1_361
        assert [rule.accuracy for rule in (FIVE, EIGHT, FOUR)] == [0.952083, 0.8055, None]

    def test_of_those_asked_is_the_share_by_what_leads_to_the_question(self):
        one = galaxy(q1=(0.5, 0.5, 0), q7=(0.8, 0.2, 0))
        of_all, of_asked = (dai_tong_classes(asked)[0].ways[0][1] for asked in (False, True))
        assert share(one, of_all)[0] == pytest.approx(0.4)
        assert share(one, of_asked)[0] == pytest.approx(0.8)

    def test_where_nobody_was_asked_the_share_is_nothing_and_no_error(self):
        one = np.zeros((1, 37))
        assert share(one, dai_tong_classes(True)[0].ways[0][1])[0] == 0
        assert judge(one, EIGHT)[1][0] < 0

    def test_a_share_of_exactly_a_threshold_reaches_it_in_32_bits_too(self):
        one = galaxy(q1=(1, 0, 0), q7=(0.5, 0.3, 0.2)).astype(np.float32)
        classes, clearness = judge(one, FIVE)
        assert (FIVE.names[classes[0]], clearness[0] >= 0) == ("round", True)

    def test_the_first_class_counts_where_several_fit(self):
        """A merger is one although most find it smooth and round."""
        merger = galaxy(q1=(0.9, 0.1, 0), q7=(1, 0, 0), q6=(0.6, 0.4), q8=(0, 0, 0, 0, 0, 1, 0))
        assert (margins(merger, EIGHT) >= 0).sum() == 2
        assert EIGHT.names[judge(merger, EIGHT)[0][0]] == "merger"

    def test_a_galaxy_without_a_class_gets_the_nearest_and_how_far_it_is(self):
        doubtful = galaxy(q1=(0.6, 0.4, 0), q7=(0.75, 0.25, 0))
        classes, clearness = judge(doubtful, FIVE)
        assert FIVE.names[classes[0]] == "round"
        assert clearness[0] == pytest.approx(0.6 * 0.75 - 0.5)
        assert counts(classes, clearness, FIVE)["none"] == 1

    def test_lenticular_are_thin_smooth_galaxies_and_face_on_disks_with_a_bulge_and_no_spiral(self):
        thin = galaxy(q1=(0.9, 0.1, 0), q7=(0, 0.2, 0.8), q6=(0, 1))
        disk = galaxy(q1=(0.1, 0.9, 0), q2=(0, 1), q4=(0.2, 0.8), q5=(0, 0.2, 0.5, 0.3), q6=(0, 1))
        spiral = galaxy(q1=(0.1, 0.9, 0), q2=(0, 1), q4=(0.8, 0.2), q5=(0, 0.2, 0.5, 0.3), q6=(0, 1))
        round_one = galaxy(q1=(0.9, 0.1, 0), q7=(0.8, 0.2, 0), q6=(0, 1))
        found = [FOUR.names[judge(one, FOUR)[0][0]] for one in (thin, disk, spiral, round_one)]
        assert found == ["lenticular", "lenticular", "spiral", "elliptical"]

    @pytest.mark.parametrize(
        ("rule", "name", "own"),
        [
            (EIGHT, "merger", {"q6": (1, 0), "q8": (0, 0, 0, 0, 0, 1, 0)}),
            (EIGHT, "irregular", {"q6": (1, 0), "q8": (0, 0, 0, 1, 0, 0, 0)}),
            (EIGHT, "round", {"q1": (1, 0, 0), "q7": (1, 0, 0)}),
            (EIGHT, "in-between", {"q1": (1, 0, 0), "q7": (0, 1, 0)}),
            (EIGHT, "cigar", {"q1": (1, 0, 0), "q7": (0, 0, 1)}),
            (EIGHT, "edge-on", {"q1": (0, 1, 0), "q2": (1, 0)}),
            (EIGHT, "barred spiral", {"q1": (0, 1, 0), "q2": (0, 1), "q4": (1, 0), "q3": (1, 0)}),
            (EIGHT, "unbarred spiral", {"q1": (0, 1, 0), "q2": (0, 1), "q4": (1, 0), "q3": (0, 1)}),
            (EIGHT, None, {"q1": (0, 1, 0), "q2": (0, 1), "q4": (0, 1)}),
            (FOUR, "irregular", {"q6": (1, 0), "q8": (0, 0, 0, 1, 0, 0, 0)}),
            (FOUR, "elliptical", {"q1": (1, 0, 0), "q7": (0, 1, 0)}),
            (FOUR, "lenticular", {"q1": (0, 1, 0), "q2": (0, 1), "q4": (0, 1), "q5": (0, 0, 0.4, 0.6)}),
            (FOUR, "spiral", {"q1": (0, 1, 0), "q2": (0, 1), "q4": (1, 0)}),
            (FOUR, None, {"q1": (0, 1, 0), "q2": (1, 0), "q4": (1, 0)}),
            (FOUR, None, {"q1": (0, 1, 0), "q2": (0, 1), "q4": (0, 1), "q5": (0.4, 0.6, 0, 0)}),
        ],
    )
    def test_whom_all_volunteers_describe_alike_has_that_class_and_no_other(self, rule, name, own):
        """The fault: a class that reads the next answer or another question: edge-on disks seen from above."""
        one = galaxy(**{"q6": (0, 1)} | own)
        expected = [] if name is None else [name]
        assert [rule.names[number] for number in np.flatnonzero(margins(one, rule)[0] >= 0)] == expected

    def test_every_condition_can_be_read_and_says_of_whom(self):
        assert str(FIVE.classes[0]) == "Smooth or disk: smooth ≥ 0.469 of all, Roundness: completely round ≥ 0.5 of all"
        assert "; or " in str(FOUR.classes[FOUR.names.index("lenticular")])
        assert all(rule.whose.startswith("ours") for rule in (EIGHT, FOUR))

    @given(st.integers(0, 2**32 - 1), st.floats(0.5, 20))
    def test_dai_and_tongs_classes_never_overlap(self, seed, sharpness):
        """A law of shares of all volunteers: no galaxy has half for one and 0.6 for another answer elsewhere."""
        shares = shares_of(seed, 50, sharpness)
        assert ((margins(shares, FIVE) >= 1e-6).sum(axis=1) <= 1).all()

    @given(st.integers(0, 2**32 - 1), st.sampled_from(list(RULES)))
    def test_every_galaxy_is_counted_once(self, seed, name):
        classes, clearness = judge(shares_of(seed, 50), RULES[name])
        found = counts(classes, clearness, RULES[name])
        assert sum(found.values()) == 50
        assert found["none"] == (clearness < 0).sum()
        assert ((classes >= 0) & (classes < len(RULES[name].classes))).all()

    def test_weights_let_each_class_count_alike_and_have_the_mean_one(self):
        classes = np.repeat([0, 1, 3], [60, 30, 10])
        weights = class_weights(classes, 4)
        assert weights[classes].mean() == pytest.approx(1)
        np.testing.assert_allclose(np.bincount(classes, weights[classes]), [100 / 3, 100 / 3, 0, 100 / 3])
        assert weights[2] == 0


class TestMeasures:
    @pytest.mark.parametrize(
        ("right", "count", "low", "high"),
        [(0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1), (34, 58, 0.4580, 0.7040), (0, 0, 0, 1)],
    )
    def test_wilsons_interval(self, right, count, low, high):
        """Values by the formula in Newcombe (1998); the normal interval would be 0 to 0 for 0 of 10."""
        assert classification.wilson(right, count) == pytest.approx((low, high), abs=1e-3)

    @given(st.integers(0, 300), st.integers(1, 300))
    def test_an_interval_holds_its_share_and_stays_within_0_and_1(self, right, count):
        right = min(right, count)
        low, high = classification.wilson(right, count)
        assert 0 <= low <= right / count + 1e-12
        assert right / count - 1e-12 <= high <= 1

    def test_rows_of_a_confusion_matrix_are_the_true_classes(self):
        table = classification.confusion(np.array([1, 1, 0]), np.array([0, 1, 0]), 3)
        assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
        rows = classification.by_class(table)
        assert rows["count"].tolist() == [2, 1, 0]
        assert rows["accuracy"][:2].tolist() == [0.5, 1.0]
        assert np.isnan(rows["accuracy"][2])

    def test_always_saying_the_most_frequent_class_is_accurate_and_not_balanced(self):
        classes = np.repeat([0, 1, 2], [96, 2, 2])
        said = np.zeros(100, int)
        assert classification.accuracy(said, classes)[0] == 0.96
        assert classification.balanced_accuracy(classification.confusion(said, classes, 3)) == pytest.approx(1 / 3)
        low, high = classification.balanced_interval(said, classes, 3)
        assert low == pytest.approx(1 / 3)
        assert high == pytest.approx(1 / 2), "draws without a class have two left, or three"

    def test_a_gain_is_measured_on_the_same_galaxies(self):
        classes = np.arange(200) % 4
        worse = np.where(np.arange(200) < 100, classes, (classes + 1) % 4)
        gain, low, high = classification.gain(worse, worse, classes)
        assert gain == 0
        assert -0.02 < low < 0 < high < 0.02
        gain, low, high = classification.gain(worse, classes, classes)
        assert gain == 0.5
        assert 0.4 < low < gain < high < 0.6

    @pytest.mark.parametrize("count", [1, 2])
    def test_few_galaxies_tell_no_network_from_another(self, count):
        """The fault: "less accurate, by 100 points (-100 to -100)", of one test galaxy."""
        classes = np.zeros(count, int)
        gain, low, high = classification.gain(classes, classes + 1, classes)
        assert (gain, low) == (-1, -1)
        assert high > 0
        assert classification.gain(classes + 1, classes, classes) == pytest.approx((1, -high, 1))

    def test_accuracy_in_bins_counts_each_galaxy_once_and_leaves_empty_bins_out(self):
        table = classification.accuracy_in_bins(
            np.array([True, False, True]), np.array([0.0, 0.5, 1.0]), np.array([0, 0.25, 0.5, 1])
        )
        assert table["count"].tolist() == [1, 2]
        assert table["accuracy"].tolist() == [1, 0.5]

    def test_a_network_that_is_right_as_often_as_it_says_is_reliable(self):
        draw = np.random.default_rng(0)
        first = draw.uniform(0.5, 1, 20_000)
        classes = (draw.random(20_000) > first).astype(int)
        honest = classification.reliability(np.stack([first, 1 - first], axis=1), classes)
        assert classification.reliability_error(honest) < 0.02
        boasting = classification.reliability(np.stack([first**0.25, 1 - first**0.25], axis=1), classes)
        assert classification.reliability_error(boasting) > 0.1

    def test_ten_bins_of_confidence_are_a_tenth_wide_each(self):
        first = np.array([0.55, 0.62, 0.67, 0.78, 0.81, 0.89, 0.93, 1.0])
        table = classification.reliability(np.stack([first, 1 - first], axis=1), np.zeros(8, int))
        assert table["count"].tolist() == [1, 2, 1, 2, 2]
        np.testing.assert_allclose(table["value"], [0.55, 0.645, 0.78, 0.85, 0.965])

    def test_on_the_border_are_those_whose_two_highest_are_closest(self):
        probabilities = np.array([[0.9, 0.1, 0], [0.4, 0.39, 0.21], [0.5, 0.3, 0.2]])
        assert classification.nearest_to_the_border(probabilities, 2).tolist() == [1, 2]

    def test_without_galaxies_there_is_no_number_and_no_error(self):
        nothing = np.array([], int)
        accuracy, low, high = classification.accuracy(nothing, nothing)
        assert np.isnan(accuracy)
        assert (low, high) == (0, 1)
        table = classification.confusion(nothing, nothing, 3)
        assert np.isnan(classification.balanced_accuracy(table))
        assert np.isnan(classification.balanced_interval(nothing, nothing, 3)).all()
        assert np.isnan(classification.gain(nothing, nothing, nothing)).all()
        assert np.isnan(classification.reliability_error(classification.reliability(np.empty((0, 3)), nothing)))


class TestLoss:
    def test_it_is_the_weighted_mean_of_minus_the_logarithms(self):
        draw = np.random.default_rng(0)
        probabilities = draw.dirichlet(np.ones(4), size=20).astype(np.float32)
        classes, weights = draw.integers(4, size=20), [0.5, 2.0, 1.0, 0.0]
        expected = (np.array(weights)[classes] * -np.log(probabilities[np.arange(20), classes])).mean()
        loss = WeightedCrossEntropy(weights)
        assert float(loss(classes, probabilities)) == pytest.approx(expected, rel=1e-5)
        assert float(loss(classes[:, None].astype(np.float32), probabilities)) == pytest.approx(expected, rel=1e-5)

    def test_without_weights_it_is_kerass_own(self):
        probabilities = np.random.default_rng(1).dirichlet(np.ones(3), size=9).astype(np.float32)
        classes = np.arange(9) % 3
        expected = float(keras.losses.SparseCategoricalCrossentropy()(classes, probabilities))
        assert float(WeightedCrossEntropy()(classes, probabilities)) == pytest.approx(expected, rel=1e-6)

    def test_a_recipe_remembers_the_weights_and_makes_it_anew(self):
        """The fault: a training with other weights would be taken for the same one."""
        one, other = (Recipe(1, 1, loss=WeightedCrossEntropy(weights)) for weights in ([1, 2], [2, 1]))
        assert one.configuration() != other.configuration()
        assert one.made()["loss"].class_weights == [1.0, 2.0]
        again = keras.losses.deserialize(keras.losses.serialize(WeightedCrossEntropy([1, 2])))
        assert again.class_weights == [1.0, 2.0]

    def test_weights_that_make_no_sense_are_refused(self):
        with pytest.raises(ValueError, match="each has to be a number, 0 or more"):
            WeightedCrossEntropy([1, float("nan")])


class TestFigures:
    def test_the_rules_panels_have_a_threshold_and_count_every_galaxy_that_shows(self):
        shares = shares_of()
        figure = class_plots.rule_on_shares(shares, FIVE)
        panels = [one for one in figure.axes if one.has_data()]
        assert len(panels) == 8
        condition = FIVE.classes[0].ways[0][0]
        assert panels[0].lines[0].get_xdata()[0] == condition.at_least
        heights = sum(patch.get_height() for patch in panels[0].patches)
        assert heights == (share(shares, condition) >= class_plots.HIDDEN).sum()
        plt.close(figure)

    def test_bars_are_of_those_with_a_class_beside_the_papers(self):
        ours = {"A": pd.Series({"x": 1, "y": 3}), "B": pd.Series({"z": 0})}
        figure = class_plots.class_shares(ours, {"A": pd.Series({"x": 50, "y": 50})})
        assert [patch.get_width() for patch in figure.axes[0].patches] == [25, 75]
        assert figure.axes[0].lines[0].get_xdata().tolist() == [50, 50]
        plt.close(figure)

    def test_confusions_curves_and_errors_are_drawn_as_they_are(self):
        figure = class_plots.confusions({"net": np.array([[3, 1], [0, 0]])}, {"net": ("x", "y")})
        assert [text.get_text() for text in figure.axes[0].texts] == ["3", "1"]
        np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.75, 0.25], [0, 0]])
        plt.close(figure)
        table = classification.accuracy_in_bins(np.array([True, False]), np.array([-0.1, 0.2]), np.array([-1, 0, 1]))
        for draw in (class_plots.accuracy_by_clearness, class_plots.reliability_curves):
            figure = draw({"net": table, "none": table[:0]})
            points = next(
                line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_marker() == "o"
            )
            np.testing.assert_allclose(points.get_ydata(), [1, 0])
            plt.close(figure)
        figure = class_plots.accuracy_and_rmse(
            pd.DataFrame({"kept": [1, 0.9]}, index=[0, 0.1]), {"the report's": 0.0985}
        )
        assert [line.get_xdata()[0] for line in figure.axes[0].lines] == [0, 0.0985]
        plt.close(figure)
