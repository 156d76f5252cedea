"""The figures: that the drawn tree is the tree, and that what is drawn is what was given."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.transforms import Bbox

from gzutils.decision_tree import ANSWERS, COLUMNS, QUESTIONS, constraint_matrix
from gzutils.models.vision_transformer import vision_transformer
from gzutils.plots import (
    architecture,
    attention,
    comparisons,
    constraints,
    heat_maps,
    history,
    pictures,
    style,
    transfer,
    tree,
    tree_layout,
    walk,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def labels(**shares):
    """A galaxy's 37 numbers from a few columns: `labels(Class1_1=0.8)`."""
    values = np.zeros(37)
    for column, share in shares.items():
        values[COLUMNS.index(column.replace("_", "."))] = share
    return values


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_drawn_tree_has_all_branches_and_with_shares_their_widths():
    branches = tree_layout.branches()
    shares = labels(Class1_1=0.8, Class1_2=0.2, Class7_2=0.8)
    for given, wide in ((None, [1] * len(branches)), (shares, [tree_layout.passing(shares, *b[:2]) for b in branches])):
        arrows = [patch for patch in tree.draw_decision_tree(given).axes[0].patches if hasattr(patch, "get_arrowstyle")]
        widths = np.array([arrow.get_linewidth() for arrow in arrows])
        assert np.array_equal(np.argsort(widths, kind="stable"), np.argsort(wide, kind="stable"))


def test_each_branch_leads_where_the_answer_leads():
    drawn = set()
    for number, answer, points in tree_layout.branches():
        question = QUESTIONS[number - 1]
        answers = range(len(question.answers)) if answer is None else [answer]
        drawn |= {(number, one) for one in answers}
        x, y = points[-1]
        cards = tree_layout.CARDS.items()
        reached = [n for n, card in cards if card.y == y and abs(x - card.x) <= card.width / 2]
        targets = {question.leads_to[one] for one in answers} - {0}
        assert reached == list(targets)
    missing = {(q.number, i) for q in QUESTIONS for i in range(len(q.answers))} - drawn
    assert missing == {(8, i) for i in range(7)}


@pytest.mark.parametrize("share", [0.004, 0.8])
@pytest.mark.parametrize(
    "draw", [tree.draw_decision_tree, lambda shares: walk_of(shares, votes=shares)], ids=["the tree", "the walk"]
)
def test_no_words_or_cards_of_the_tree_overlap_or_leave_their_place(draw, share):
    axes, cards = draw(np.full(37, share)).axes[0], tree_layout.CARDS.values()
    words = [text.get_window_extent().padded(-1.5) for text in axes.texts]  # pixels; lines stand close to each other
    corners = [[(c.x - c.width / 2, c.y), (c.x + c.width / 2, c.bottom)] for c in cards]
    boxes = [Bbox(np.sort(axes.transData.transform(ends), axis=0)) for ends in corners]
    for group in (words, boxes):
        assert not [(one, two) for one, two in combinations(group, 2) if one.overlaps(two)]
    for box in boxes:
        inside = [word for word in words if word.overlaps(box)]
        assert inside
        assert all(box.contains(*corner) for word in inside for corner in word.corners())
        assert all(axes.bbox.contains(*corner) for corner in box.corners())


def test_the_drawn_tree_says_all_questions_and_answers():
    said = texts(tree.draw_decision_tree())
    for question in QUESTIONS:
        assert f"{question.number}. {question.text}" in " ".join(said)
    assert sum(answer in said for question in QUESTIONS for answer in question.answers) == len(ANSWERS)


def test_shares_stand_on_their_answers():
    said = texts(tree.draw_decision_tree(labels(Class1_1=0.8, Class1_2=0.15, Class1_3=0.05)))
    for text in ("smooth\n80 %", "features or disk\n15 %", "star or artifact\n5 %"):
        assert text in said


def test_the_favourite_path_follows_the_majority_down_the_tree():
    smooth = labels(Class1_1=0.8, Class1_2=0.2, Class7_2=0.5, Class7_1=0.3, Class6_2=1.0)
    assert pictures.favourite_path(smooth) == ["smooth", "in between", "nothing odd"]
    edge_on = labels(Class1_2=0.9, Class2_1=0.9, Class9_1=0.9, Class6_1=0.6, Class8_7=0.6)
    path = ["features or disk", "edge-on", "rounded bulge", "something odd", "dust lane"]
    assert pictures.favourite_path(edge_on) == path
    assert pictures.favourite_path(labels(Class1_3=1.0)) == ["star or artifact"]


def test_the_bars_are_the_votes_and_the_diamonds_the_predictions():
    voted = labels(Class1_1=0.8, Class1_2=0.2, Class7_2=0.8, Class6_2=1.0)
    predicted = np.full(37, 0.01)
    predicted[0] = 0.7
    figure = pictures.predicted_and_voted(np.zeros((1, 64, 64, 3), np.uint8), predicted[None], voted[None], answers=4)
    bars = figure.axes[2]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == [
        "Smooth or disk: smooth",
        "Smooth or disk: features or disk",
        "Odd: no",
        "Roundness: in between",
    ]
    assert [patch.get_width() for patch in bars.patches] == [0.8, 0.2, 1.0, 0.8]
    np.testing.assert_allclose(bars.lines[0].get_xdata(), [0.7, 0.01, 0.01, 0.01])


@pytest.mark.parametrize("epochs", [3, 200])
def test_the_history_marks_the_best_epoch_the_guess_and_the_reports_best(epochs):
    values = np.linspace(0.3, 0.12, epochs)
    table = pd.DataFrame({"epoch": np.arange(1, epochs + 1), "rmse": values, "val_rmse": values})
    table["loss"] = table["val_loss"] = values**2
    report = {"best_epoch": 132, "validation_rmse": 0.0976}
    figure = history.training_history(table, epochs, 0.17, report)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert f"best epoch: {epochs}" in legend
    assert "guessing the mean: 0.1700" in legend
    assert "best validation: 0.1200" in legend
    assert ("report's best: 0.0976" if epochs == 200 else "report's best: 0.0976 (epoch 132)") in legend
    assert figure.axes[0].get_xlabel() == "epoch"


def test_each_question_has_a_bar_for_each_predictors_error():
    values = {name: {number: number / scale for number in range(11, 0, -1)} for name, scale in (("a", 50), ("b", 99))}
    axes = history.rmse_by_question(values).axes[0]
    for bars, errors in zip(axes.containers, values.values(), strict=True):
        assert {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in bars} == errors


def test_the_patches_are_shown_in_reading_order():
    patches = np.arange(16, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    figure = attention.patches_of_image(np.zeros((64, 64, 3), np.uint8), patches)
    whole, *small = figure.axes
    assert len(whole.lines) == 6  # three borders in each direction
    assert [axes.texts[0].get_text() for axes in small] == [str(number) for number in range(1, 17)]
    assert [axes.images[0].get_array()[0, 0, 0] for axes in small] == list(range(16))
    corners = [axes.get_position() for axes in (small[0], small[3], small[12])]
    assert corners[0].y0 == pytest.approx(corners[1].y0)
    assert corners[2].y0 < corners[0].y0 < corners[0].y1


def test_each_places_map_holds_its_similarity_to_all_places():
    positions = np.random.default_rng(0).normal(size=(17, 5))
    figure = attention.position_similarity(positions)
    for place, axes in enumerate(figure.axes[:16]):
        for other in range(16):
            one, two = positions[1 + place], positions[1 + other]
            expected = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
            assert axes.images[0].get_array()[divmod(other, 4)] == pytest.approx(expected)
        frame = axes.patches[0]
        assert (frame.get_y() + 0.5, frame.get_x() + 0.5) == divmod(place, 4)


def test_attention_maps_share_one_scale_and_stand_below_their_galaxies():
    images = np.zeros((2, 64, 64, 3), np.uint8)
    maps = np.stack([np.full((8, 8), 0.01), np.full((8, 8), 0.002)])
    figure = attention.attention_maps(images, maps, 0.005, ["smooth", "features or disk\nedge-on"])
    above, below = figure.axes[:2], figure.axes[2:4]
    assert [axes.get_title() for axes in above] == ["smooth", "features or disk\nedge-on"]
    for axes, times in zip(below, (2, 0.4), strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), times)
        assert axes.images[0].get_clim() == (1 / 8, 8)


@pytest.mark.parametrize(
    ("patch_size", "shown"), [(8, [1, 28, 29, 64]), (16, [1, 6, 7, 16]), (32, [1, 2, 4]), (64, [1])]
)
def test_the_drawn_transformer_has_the_models_sizes(patch_size, shown):
    model = vision_transformer(depth=2, patch_size=patch_size, class_token="zero")
    said = texts(architecture.draw_vision_transformer(model, np.zeros((64, 64, 3), np.uint8)))
    patches = (64 // patch_size) ** 2
    assert [text for text in said if text.startswith("patch ")] == [f"patch {number}" for number in shown]
    for text in (
        f"each patch's {patch_size**2 * 3} values projected to 64",
        f"{patches + 1} tokens x 64, in and out",
        "encoder: 2 blocks, one after the other",
        "zeros",
        "attention, 8 heads of 64",
        "dense 128, GELU, dropout 0.1",
        "dense 37, sigmoid",
    ):
        assert text in said
    assert said.count("+") == len(shown) + 1 + 2  # each token with its place, and the two skip connections


def test_what_the_base_is_shown_stands_with_its_range():
    images = np.zeros((3, 48, 48, 3), np.uint8)
    inputs = {"0 to 1": np.linspace(0, 1, 3 * 96 * 96 * 3).reshape(3, 96, 96, 3)}
    inputs["own"] = inputs["0 to 1"] * 250 - 120
    figure = transfer.shown_to_the_base(images, inputs)
    titles = {axes.get_title() or axes.get_title("left") for axes in figure.axes}
    assert {"As stored: 48 x 48 pixels", "Enlarged: 96 x 96 pixels", "0 to 1: 0 to 1", "own: -120 to 130"} <= titles


def test_a_feature_that_never_changes_or_is_dead_has_no_spread():
    """Of four features one is dead and one the same everywhere: half of all are drawn at no spread or not at all."""
    values = np.array([[0, 5, 1, 1], [0, 5, 3, 3]], np.float16)
    axes = transfer.spread_between_galaxies({"some": values}).axes[0]
    assert axes.get_legend().get_texts()[0].get_text() == "some: median 0.5"
    outline = axes.patches[0].get_xy()
    assert outline[:, 1].max() == 50  # the two with a spread of half their mean, in per cent of four


def test_the_bars_of_the_heads_are_their_errors():
    errors = pd.Series({"as it was": 0.2, "changed": 0.1})
    axes = transfer.heads_compared(errors, 0.16).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.2, 0.1]
    assert [text.get_text() for text in axes.texts] == ["0.2000", "0.1000"]


def test_each_start_has_a_bar_for_validation_and_one_for_test():
    errors = pd.DataFrame({"train": [0.01, 0.02], "validation": [0.1, 0.2], "test": [0.11, 0.21]}, ["one", "other"])
    axes = transfer.starts_compared(errors, 0.16).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.1, 0.2, 0.11, 0.21]
    assert [text.get_text() for text in axes.texts] == ["0.1000", "0.2000", "0.1100", "0.2100"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "other"]


def test_where_to_listen_has_a_curve_a_size_over_the_layers():
    errors = pd.DataFrame({"64 pixels": [0.14, 0.12], "128 pixels": [0.13, 0.15]}, ["block1", "block2"])
    axes = transfer.where_to_listen(errors, 0.16).axes[0]
    curves = {line.get_label(): list(line.get_ydata()) for line in axes.lines[:2]}
    assert curves == {"64 pixels": [0.14, 0.12], "128 pixels": [0.13, 0.15]}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["block1", "block2"]


def test_each_validation_curve_says_its_best():
    table = pd.DataFrame({"epoch": [1, 2], "val_rmse": [0.15, 0.125]})
    axes = transfer.validation_curves({"one": table}, 0.16).axes[0]
    assert axes.get_legend().get_texts()[0].get_text() == "one: best 0.1250"


def study_table():
    """Two seeds of each: the test RMSE is 0.1 and, for the second, 0.12; the violation a tenth of that."""
    ways = [("none", 0.0), ("tree", 0.001), ("tree", 1.0), ("report", 1.0), ("by construction", 0.0)]
    table = pd.DataFrame([(*way, seed) for way in ways for seed in (0, 1)], columns=["constraints", "weight", "seed"])
    table["test_rmse"] = 0.1 + 0.02 * table["seed"]
    table["test_constraint_violation"] = table["test_rmse"] / 10
    return table


@pytest.mark.parametrize("name", ["tree", "report"])
def test_the_drawn_constraints_are_the_matrix(name):
    axes = constraints.matrix_of_constraints(name).axes[0]
    matrix, offset = constraint_matrix(name)
    drawn = np.zeros((11, 37))
    totals = np.full(11, np.nan)
    for text in axes.texts:
        column, row = text.get_position()
        if column == 37:
            totals[row] = float(text.get_text().removeprefix("= "))
        else:
            drawn[row, column] = {"+": 1, "\N{MINUS SIGN}": -1}[text.get_text()]
    assert np.array_equal(drawn, matrix)
    assert np.array_equal(totals, offset)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(ANSWERS)


def test_a_constraint_that_a_galaxy_breaks_is_drawn_in_another_colour():
    kept = np.zeros((900, 11))
    broken = kept.copy()
    broken[:, 3] = np.linspace(-0.5, 0.9, 900)
    left, right = constraints.residuals({"kept": kept, "broken": broken}, shown=100).axes
    assert len({line.get_color() for line in left.lines[:11]}) == 1
    odd = [place for place, line in enumerate(right.lines[:11]) if line.get_color() != left.lines[0].get_color()]
    assert odd == [3]
    assert np.array_equal(right.lines[3].get_xdata(), broken[::9, 3])
    assert left.get_yticklabels()[3].get_text() == "(4)  How rounded is it?"


@pytest.mark.parametrize("weights", [(0.001,), (0.001, 0.01, 0.1, 0.2, 0.5, 1.0)])
def test_each_weight_has_its_panel_with_a_pair_of_lines_for_each_seed(weights):
    table = pd.DataFrame({"epoch": [1, 2], "rmse": [0.2, 0.18], "val_rmse": [0.17, 0.16]})
    figure = constraints.histories({weight: [table, table] for weight in weights}, [table], 0.165)
    panels = figure.axes[: len(weights)]
    assert [axes.get_title("left") for axes in panels] == [f"λ = {weight:g}" for weight in weights]
    for axes in panels:
        assert [line.get_ydata()[-1] for line in axes.lines] == [0.16, 0.18, 0.16, 0.18, 0.16, 0.165]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["validation, λ = 0", "training (augmented)", "validation", "guessing the mean"]


def test_the_study_begins_both_lines_at_zero_and_draws_every_training():
    left, right = constraints.weight_study(study_table(), 0.16).axes
    assert [tick.get_text() for tick in left.get_xticklabels()] == ["0", "0.001", "1"]
    for axes, mean in ((left, 0.11), (right, 0.011)):
        tree, report, built = axes.lines[:3]
        assert list(tree.get_xdata()) == [0, 1, 2]
        assert list(report.get_xdata()) == [0, 2]
        for line in (tree, report, built):
            np.testing.assert_allclose(line.get_ydata(), mean)
        assert [len(dots.get_offsets()) for dots in axes.collections[:2]] == [6, 4]


def test_the_ways_are_compared_by_their_means():
    table = study_table()
    ways = {name: table[table["constraints"] == name] for name in ("none", "tree", "by construction")}
    left, right = constraints.ways_compared(ways, 0.16).axes
    np.testing.assert_allclose([bar.get_width() for bar in left.patches], 0.11)
    np.testing.assert_allclose([bar.get_width() for bar in right.patches], 0.011)
    assert [text.get_text() for text in left.texts] == ["0.1100"] * 3


def heat(*shape):
    return np.random.default_rng(0).random(shape).astype(np.float32)


def test_the_panel_says_all_questions_their_answers_and_probabilities():
    maps = heat(11, 7, 7)
    maps[4] = 0
    answers = np.array([q.slice.start for q in QUESTIONS])
    figure = heat_maps.all_questions(np.zeros((64, 64, 3), np.uint8), maps, answers, np.linspace(0, 0.9, 37))
    titles = [axes.get_title("left").replace("\n", " ") for axes in figure.axes[1:12]]
    for question, title in zip(QUESTIONS, titles, strict=True):
        share = np.linspace(0, 0.9, 37)[question.slice.start]
        assert title == f"{question.number}. {question.text} {question.answers[0]}: {share:.2f}"
    for number, axes in enumerate(figure.axes[1:12], start=1):
        laid_over = [one.get_array() for one in axes.images[1:]]
        if number == 5:
            assert not laid_over
            assert [text.get_text() for text in axes.texts] == ["no heat anywhere"]
        else:
            np.testing.assert_array_equal(laid_over, [maps[number - 1]])
            assert axes.images[1].get_clim() == (0, 1)
            assert axes.images[1].get_extent() == axes.images[0].get_extent()


def test_the_steps_end_with_what_grad_cam_shows():
    maps, slopes = heat(7, 7, 8), heat(7, 7, 8) - 0.5
    weights = slopes.mean(axis=(0, 1))
    figure = heat_maps.steps(np.zeros((64, 64, 3), np.uint8), maps, slopes, weights, "edge-on")
    expected = np.maximum((weights * maps).sum(axis=-1), 0)
    by_title = {axes.get_title("center"): axes for axes in figure.axes}
    np.testing.assert_allclose(by_title["4. its positive part (ReLU)"].images[0].get_array(), expected, atol=1e-6)
    overlaid = by_title["5. overlay: edge-on"].images[1].get_array()
    np.testing.assert_allclose(overlaid, expected / expected.max(), atol=1e-6)
    assert "weight +1.00" in by_title or "weight -1.00" in by_title


def test_every_map_stands_below_its_galaxy_and_beside_its_question():
    titles = [["yes: 0.10", "bar: 0.20"], ["no: 0.30", "no bar: 0.40"]]
    maps = heat(2, 2, 7, 7)
    figure = heat_maps.galaxies_and_questions(np.zeros((2, 64, 64, 3), np.uint8), maps, [2, 3], titles)
    axes = np.array(figure.axes).reshape(3, 2)
    assert [[one.get_title("center") for one in column[1:]] for column in axes.T] == titles
    assert [one.get_ylabel().replace("\n", " ")[:12] for one in axes[1:, 0]] == ["2. Could thi", "3. Is there "]
    np.testing.assert_array_equal(axes[2, 1].images[1].get_array(), maps[1, 1])


def test_shares_are_drawn_in_per_cent_and_a_part_without_heat_has_no_ratio():
    one = {"maps": 9, "own": 0.2, "area": 0.1, "own / area": (2, 1.5, 2.5), "own / others": (1.2, 1.1, 1.4)}
    none = {"maps": 0, "own": np.nan, "area": np.nan, "own / area": (np.nan,) * 3, "own / others": (np.nan,) * 3}
    left, right = heat_maps.shares_in_regions(
        {"the bar": one, "the bulge": none}, {"the bar": one, "the bulge": one}
    ).axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["the bar\n(9 maps)", "the bulge\n(0 maps)"]
    np.testing.assert_array_equal(left.lines[0].get_xdata(), [20, np.nan])
    np.testing.assert_array_equal(left.lines[1].get_xdata(), [10, np.nan])
    bars = [collection.get_segments()[0] for collection in right.collections]
    np.testing.assert_allclose(bars[1][:, 0], [1.1, 1.4])


def test_a_truly_empty_region_or_map_can_be_drawn():
    images, inside = np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 64, 64), bool)
    inside[0, 20:30, 20:30] = True
    figure = heat_maps.regions(images, heat(2, 7, 7) * inside.any(axis=(1, 2))[:, None, None], inside, ["bar", "arms"])
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == ["no heat anywhere"]


def test_the_correlation_falls_from_layer_to_layer_as_given():
    correlation = {"probabilities": np.array([0.8, 0.9, 1.0]), "dense_1": np.array([0.1, 0.2, 0.3])}
    axes = heat_maps.randomised_correlation(correlation, 0.36).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.9, 0.2])
    assert [text.get_text() for text in axes.get_xticklabels()] == list(correlation)
    assert "maps of two different galaxies: 0.36" in [text.get_text() for text in axes.get_legend().get_texts()]
    shown = heat_maps.randomised_maps(np.zeros((64, 64, 3), np.uint8), {name: heat(7, 7) for name in correlation})
    assert [one.get_title("center") for one in shown.axes[:3]] == ["the galaxy", *correlation]


def test_each_network_stands_with_its_map():
    maps = {"parallel CNN": heat(7, 7), "Vision Transformer": heat(8, 8)}
    figure = heat_maps.networks(np.zeros((64, 64, 3), np.uint8), maps, {name: name.upper() for name in maps})
    assert [axes.get_title("center") for axes in figure.axes] == ["", "PARALLEL CNN", "VISION TRANSFORMER"]
    figure = heat_maps.one_question(np.zeros((64, 64, 3), np.uint8), heat(7, 7), 2, 3, 0.456)
    assert figure.axes[1].get_title("center") == "yes: 0.46"


def test_each_predictor_has_one_marker_a_question():
    table = pd.DataFrame(
        np.random.default_rng(0).random((11, 7)),
        index=[q.text for q in QUESTIONS],
        columns=[f"predictor {number}" for number in range(7)],
    )
    axes = comparisons.rmse_of_questions(table).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(table.index)
    lines = {line.get_label(): line for line in axes.lines}
    for name in table:
        np.testing.assert_allclose(lines[name].get_xdata(), table[name])
    assert len({(line.get_marker(), line.get_color()) for line in lines.values()}) == 7


def test_a_calibration_curve_goes_through_its_table():
    columns = [("predicted", float), ("voted", float), ("count", int)]
    table = np.array([(0.05, 0.1, 100), (0.5, 0.4, 3)], columns)
    curves, counts = comparisons.calibration_curves({"one": table}).axes
    diagonal, curve = curves.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    np.testing.assert_array_equal(curve.get_xydata(), [(0.05, 0.1), (0.5, 0.4)])
    np.testing.assert_array_equal(counts.lines[0].get_ydata(), [100, 3])


def test_the_leaderboard_says_that_its_two_kinds_of_number_differ():
    figure = comparisons.leaderboard({"ours": 0.0985}, {"place 1": 0.0749, "place 60": 0.1049}, "not the same galaxies")
    axes = figure.axes[0]
    assert "not the same galaxies" in axes.get_xlabel()
    assert "0.0985" in texts(figure)
    assert [line.get_xdata()[0] for line in axes.lines] == [0.0985, 0.0749, 0.1049]


def test_a_gain_smaller_than_its_interval_is_grey():
    table = pd.DataFrame({"gain": [0.01, 0.001], "low": [0.005, -0.002], "high": [0.015, 0.004]}, index=["a", "b"])
    figure = comparisons.gains(table)
    interval, dot, other_interval, _, _ = figure.axes[0].lines
    assert (interval.get_color(), other_interval.get_color()) == (style.BLUE, style.GREY)
    assert list(interval.get_xdata()) == [0.005, 0.015]
    assert dot.get_xdata() == [0.01]
    assert texts(figure) == ["+0.0100", "+0.0010"]


# ---- the walk down the tree


def walk_of(shares, votes=None, maps=11):
    heat = np.random.default_rng(0).uniform(size=(maps, 7, 7)).astype(np.float32)
    heat[0] = 0
    return walk.draw_walk(
        np.zeros((64, 64, 3), np.uint8), "a $1_0$ galaxy of a very long name.png", shares, heat, votes
    )


DISK = {"Class1_2": 0.9, "Class2_2": 0.9, "Class3_2": 0.6, "Class3_1": 0.3, "Class4_1": 0.7, "Class4_2": 0.2}
ARMS = {"Class10_2": 0.7, "Class11_2": 0.7, "Class5_2": 0.9, "Class6_2": 0.8, "Class6_1": 0.2, "Class8_1": 0.2}
SPIRAL = DISK | ARMS | {"Class1_1": 0.1, "Class7_1": 0.1}


def test_the_branches_are_as_wide_as_the_shares_and_the_probable_path_is_marked():
    figure = walk_of(labels(**SPIRAL))
    branches = [patch for patch in figure.axes[0].patches if patch.get_facecolor()[3] == 0]
    drawn = {(n, a): patch for (n, a, _), patch in zip(tree_layout.branches(), branches, strict=True)}
    wide = drawn[1, 1].get_linewidth()
    assert drawn[4, 1].get_linewidth() / wide == pytest.approx(0.2 / 0.9)
    assert drawn[11, None].get_linewidth() / wide == pytest.approx(0.7 / 0.9)
    marked = {place for place, patch in drawn.items() if patch.get_edgecolor() == drawn[1, 1].get_edgecolor()}
    assert marked == {(1, 1), (2, 1), (3, None), (4, 0), (10, None), (11, None), (5, None), (6, 1)}


def test_a_walk_without_heat_maps_says_so():
    figure = walk.draw_walk(np.zeros((64, 64, 3), np.uint8), "mine.png", labels(**SPIRAL), None)
    assert "No heat map can be\nmade of this network." in texts(figure)


def test_the_walk_says_all_questions_answers_shares_and_votes():
    said = " ".join(texts(walk_of(labels(**SPIRAL), votes=labels(Class1_2=0.5, Class1_1=0.5)))).replace("\n", " ")
    for question in QUESTIONS:
        assert f"{question.number}. {question.text}" in said
        for answer in question.answers:
            assert answer in said
    assert "90 % (50 %)" in said
    assert "as they voted" in said
    assert "(50 %)" not in " ".join(texts(walk_of(labels(**SPIRAL))))


@pytest.mark.parametrize(("shares", "pictures"), [(SPIRAL, 9), ({"Class1_1": 1, "Class7_1": 1, "Class6_2": 1}, 4)])
def test_a_heat_map_stands_beside_each_question_on_the_path(shares, pictures):
    figure = walk_of(labels(**shares))
    assert len(figure.axes) == 1 + pictures
    assert sum("(no heat)" in text.replace("\n", " ") for text in texts(figure)) == 1
    assert len(walk_of(labels(**shares), maps=1).axes) == 3


def test_no_text_of_the_walk_is_small_or_leaves_the_figure():
    votes = labels(**SPIRAL)
    figure = walk_of(votes, votes=votes)
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    for text in figure.axes[0].texts:
        assert text.get_fontsize() >= 8
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y0 >= 0
        assert box.y1 <= height


def test_a_small_share_is_not_called_nothing():
    assert [walk.percent(share) for share in (0, 0.001, 0.004, 0.006, 0.5, 1)] == [
        "0 %", "< 1 %", "< 1 %", "1 %", "50 %", "100 %"
    ]  # fmt: skip
