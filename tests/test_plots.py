"""The figures: that the drawn tree is the tree, and that what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from gzutils.decision_tree import ANSWERS, COLUMNS, QUESTIONS
from gzutils.models.vision_transformer import vision_transformer
from gzutils.plots import architecture, attention, galaxies, history, transfer, tree


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


def test_each_arrow_of_the_drawn_tree_leads_where_the_answer_leads():
    centres = {number: np.array([c * tree.COLUMN, -r * tree.ROW]) for number, (c, r) in tree.PLACES.items()}
    for (number, answer), route in tree._routes().items():
        question = QUESTIONS[number - 1]
        targets = set(question.leads_to) if answer is None else {question.leads_to[answer]}
        assert len(targets) == 1
        target = targets.pop()
        if target == 0:
            continue
        if number == 7:  # joins the arrow from question 9, which leads to the same question
            assert QUESTIONS[8].leads_to == (target,) * 3
            continue
        distances = {other: np.abs(np.add(centre, (0, 0.2)) - route[-1]).max() for other, centre in centres.items()}
        assert min(distances, key=distances.get) == target


def test_each_answer_has_an_arrow_or_ends():
    drawn = set(tree._routes())
    for question in QUESTIONS:
        for index, target in enumerate(question.leads_to):
            if target:
                assert (question.number, index) in drawn or (question.number, None) in drawn


def test_the_drawn_tree_says_all_questions_and_answers():
    said = texts(tree.draw_decision_tree())
    joined = [text.replace("\n", " ") for text in said]
    for question in QUESTIONS:
        assert f"{question.number}. {question.text}" in joined
    assert sum(answer in said for question in QUESTIONS for answer in question.answers) == len(ANSWERS)


def test_shares_stand_on_their_answers():
    said = texts(tree.draw_decision_tree(labels(Class1_1=0.8, Class1_2=0.15, Class1_3=0.05)))
    for text in ("smooth\n80 %", "features or disk\n15 %", "star or artifact\n5 %"):
        assert text in said


def test_the_favourite_path_follows_the_majority_down_the_tree():
    smooth = labels(Class1_1=0.8, Class1_2=0.2, Class7_2=0.5, Class7_1=0.3, Class6_2=1.0)
    assert galaxies.favourite_path(smooth) == ["smooth", "in between", "nothing odd"]
    edge_on = labels(Class1_2=0.9, Class2_1=0.9, Class9_1=0.9, Class6_1=0.6, Class8_7=0.6)
    path = ["features or disk", "edge-on", "rounded", "odd", "dust lane"]
    assert galaxies.favourite_path(edge_on) == path
    assert galaxies.favourite_path(labels(Class1_3=1.0)) == ["star or artifact"]


def test_the_bars_are_the_votes_and_the_diamonds_the_predictions():
    voted = labels(Class1_1=0.8, Class1_2=0.2, Class7_2=0.8, Class6_2=1.0)
    predicted = np.full(37, 0.01)
    predicted[0] = 0.7
    figure = galaxies.predicted_and_voted(np.zeros((1, 64, 64, 3), np.uint8), predicted[None], voted[None], answers=4)
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
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert f"best epoch: {epochs}" in legend
    assert "guessing the mean: 0.1700" in legend
    assert "best validation: 0.1200" in legend
    assert ("report's best: 0.0976" if epochs == 200 else "report's best: 0.0976 (epoch 132)") in legend
    assert figure.axes[0].get_xlabel() == "epoch"


def test_the_patches_are_shown_in_reading_order():
    patches = np.arange(16, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    figure = attention.patches_of_image(np.zeros((64, 64, 3), np.uint8), patches)
    whole, *small = figure.axes
    assert len(whole.lines) == 6  # three cuts in each direction
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
    images = np.zeros((3, 64, 64, 3), np.uint8)
    inputs = {"0 to 1": np.linspace(0, 1, 3 * 96 * 96 * 3).reshape(3, 96, 96, 3)}
    inputs["own"] = inputs["0 to 1"] * 250 - 120
    figure = transfer.shown_to_the_base(images, inputs)
    titles = {axes.get_title() or axes.get_title("left") for axes in figure.axes}
    assert {"Enlarged: 96 x 96 pixels", "0 to 1: 0 to 1", "own: -120 to 130"} <= titles


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


def test_each_validation_curve_says_its_best():
    table = pd.DataFrame({"epoch": [1, 2], "val_rmse": [0.15, 0.125]})
    axes = transfer.validation_curves({"one": table}, 0.16).axes[0]
    assert axes.get_legend().get_texts()[0].get_text() == "one: best 0.1250"
