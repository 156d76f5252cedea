"""Any network, loss and optimizer: how a recipe says what a training is, and that other tasks train as the kit's do."""

import inspect
from dataclasses import replace

import keras
import numpy as np
import pytest

from gzutils.course import measure
from gzutils.data.store import Examples, Split
from gzutils.learning import training
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.recipe import Recipe

ACCURACY = "sparse_categorical_accuracy"


class Stop(Exception):
    pass


# ---- another task, from beginning to end


def bright_corner(count=60):
    """Pictures of 16 x 16 pixels; the class is the third of the picture that is bright."""
    classes = np.arange(count) % 3
    images = np.random.default_rng(0).integers(0, 60, (count, 16, 16, 3), np.uint8)
    for image, place in zip(images, classes, strict=True):
        image[:, 5 * place : 5 * place + 5] += 150
    return Examples(images, classes, "bright thirds"), Split(*np.split(np.arange(count), [36, 48]))


def three_classes():
    """A network with three outputs and dropout."""
    keras.utils.set_random_seed(0)
    shape = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.AveragePooling2D(4)(keras.layers.Rescaling(1 / 255)(shape))
    x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(x))
    return keras.Model(shape, keras.layers.Dense(3, activation="softmax")(x), name="three_classes")


def stop_after_two(history):
    if len(history) == 2:
        raise Stop


def test_another_task_trains_resumes_and_is_measured(tmp_path):
    examples, split = bright_corner()
    slower = keras.optimizers.schedules.ExponentialDecay(0.3, decay_steps=9, decay_rate=0.9)
    recipe = Recipe(5, 5, 8, keras.optimizers.SGD(slower, momentum=0.9), "sparse_categorical_crossentropy", (ACCURACY,))
    models = [three_classes(), three_classes(), three_classes()]
    whole = training.train(models[0], examples, split, recipe, tmp_path / "whole")
    with pytest.raises(Stop):
        training.train(models[1], examples, split, recipe, tmp_path / "cut off", after_epoch=stop_after_two)
    resumed = training.train(models[2], examples, split, recipe, tmp_path / "cut off")
    for one, other in zip(models[0].get_weights(), models[2].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert whole.history.drop(columns="seconds").equals(resumed.history.drop(columns="seconds"))
    measured = measure.of_any(models[2], resumed, examples, split, recipe)
    assert measured["test"][ACCURACY] > 0.9
    assert measured["validation"]["loss"] == pytest.approx(resumed.best["val_loss"], rel=1e-4)
    assert measured["parameters"] == 3 * (4 * 4 * 3 + 1)


def test_the_whole_of_that_is_short():
    parts = (bright_corner, three_classes, stop_after_two, test_another_task_trains_resumes_and_is_measured)
    assert sum(len(inspect.getsource(part).splitlines()) for part in parts) < 40


def test_a_network_built_again_is_the_same_whatever_was_built_before_and_another_is_another():
    """Keras numbers the names of layers that have none of their own."""
    first = training._architecture(three_classes())
    keras.layers.Dense(3), keras.layers.Flatten(), keras.layers.Flatten()
    assert training._architecture(three_classes()) == first
    shape = keras.Input((16, 16, 3), dtype="uint8")
    joined = [keras.layers.Flatten()(keras.layers.Rescaling(one)(shape)) for one in (1, 2)]
    to_one, to_other = (keras.Model(shape, keras.layers.Dense(2)(x)) for x in joined)
    assert training._architecture(to_one) != training._architecture(to_other)
    turned = [keras.layers.Subtract()(pair) for pair in (joined, joined[::-1])]
    one_way, other_way = (training._architecture(keras.Model(shape, x)) for x in turned)
    assert one_way != other_way


# ---- after each epoch

TOY = Recipe(4, 4, 12, "sgd", "sparse_categorical_crossentropy", (ACCURACY,))


def test_after_each_epoch_the_history_so_far_is_shown(tmp_path):
    examples, split = bright_corner()
    seen = []
    trained = training.train(three_classes(), examples, split, TOY, tmp_path, after_epoch=seen.append)
    assert [list(history["epoch"]) for history in seen] == [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]
    columns = {"epoch", "loss", ACCURACY, "val_loss", f"val_{ACCURACY}", "seconds"}
    assert all(set(history.columns) == columns for history in seen)
    np.testing.assert_allclose(seen[-1]["val_loss"], trained.history["val_loss"], rtol=1e-12)


def test_what_looks_on_can_end_a_training_which_then_is_finished(tmp_path, monkeypatch):
    examples, split = bright_corner()
    model = three_classes()
    trained = training.train(model, examples, split, TOY, tmp_path, after_epoch=lambda history: len(history) == 2)
    assert list(trained.history["epoch"]) == [1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "model.keras", "training.json"]
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it trained again"))
    again = training.train(three_classes(), examples, split, TOY, tmp_path)
    assert again.history.equals(trained.history)


def test_a_training_that_is_taken_up_again_shows_where_it_is_and_may_be_ended_there(tmp_path):
    examples, split = bright_corner()
    with pytest.raises(Stop):
        training.train(three_classes(), examples, split, TOY, tmp_path, after_epoch=stop_after_two)
    seen = []
    trained = training.train(
        three_classes(), examples, split, TOY, tmp_path, after_epoch=lambda history: seen.append(len(history)) or True
    )
    assert seen == [2]
    assert len(trained.history) == 2


# ---- what a recipe says

RMSE = {"class_name": "RootMeanSquaredError", "config": {"name": "rmse"}}
WAYS = {
    "names": ("adam", "mean_squared_error", ("mean_absolute_error",)),
    "configurations": (
        {"class_name": "Adam", "config": {"learning_rate": 0.001}},
        {"class_name": "MeanSquaredError", "config": {}},
        ({"class_name": "MeanAbsoluteError", "config": {}},),
    ),
    "objects": (keras.optimizers.Adam(), keras.losses.MeanSquaredError(), (keras.metrics.MeanAbsoluteError(),)),
}


def test_names_configurations_and_objects_say_the_same():
    said = [Recipe(3, 3, 8, *parts).configuration() for parts in WAYS.values()]
    assert said[0] == said[1] == said[2]
    assert said[0]["epochs, patience, batch size"] == [3, 3, 8]


def test_what_is_not_given_is_the_reports():
    given = Recipe(3, 3, 128, keras.optimizers.Adam(), "mean_squared_error", (RMSE,)).configuration()
    assert Recipe(3, 3).configuration() == given
    assert given["metrics"][0]["name"] == "rmse"


def test_the_kits_own_parts_come_back_from_their_configurations():
    views = {"class_name": "gzutils>RandomAffine", "config": {"rotation": 10.0, "zoom": 0.2, "flip": True, "seed": 4}}
    loss = {"class_name": "gzutils>ConstrainedMeanSquaredError", "config": {"weight": 0.25, "constraints": "report"}}
    made = Recipe(3, 3, loss=loss, augmentation=views).made()
    assert isinstance(made["augmentation"], RandomAffine)
    assert (made["augmentation"].rotation, made["augmentation"].zoom, made["augmentation"].flip) == (10, 0.2, True)
    assert isinstance(made["loss"], ConstrainedMeanSquaredError)
    assert (made["loss"].weight, made["loss"].constraints) == (0.25, "report")
    objects = Recipe(
        3, 3, loss=ConstrainedMeanSquaredError(0.25, "report"), augmentation=RandomAffine(10.0, 0.2, flip=True, seed=4)
    )
    assert Recipe(3, 3, loss=loss, augmentation=views).configuration() == objects.configuration()


def test_the_code_of_a_loss_that_no_file_of_the_kit_holds_is_part_of_what_it_is():
    class Doubled(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return 2 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    def tripled(y_true, y_pred):
        return 3 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    said = Recipe(3, 3, loss=Doubled()).configuration()["loss"]
    assert said["class"] == "Doubled"
    assert "return 2 * keras.ops.mean" in said["code"]
    said = Recipe(3, 3, loss=tripled).configuration()["loss"]
    assert said["function"] == "tripled"
    assert "return 3 * keras.ops.mean" in said["code"]


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"patience": 0}, {"batch_size": 0}, {"epochs": 1.5}, {"epochs": True}]
)
def test_numbers_that_make_no_sense_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name.upper()} is .*; it has to be a whole number, 1 or more"):
        Recipe(**{"epochs": 3, "patience": 3} | wrong)


def test_an_accuracy_without_its_kind_is_refused():
    """Keras's `compile` would choose one by the targets' shape."""
    with pytest.raises(ValueError, match=r'name the kind of accuracy .* "sparse_categorical_accuracy"'):
        Recipe(3, 3, metrics=("accuracy",))


def test_the_numbers_from_around_an_own_loss_are_part_of_what_it_is():
    """Else the same lines with another constant would pass for the training that is there."""

    def weighted(factor):
        def loss(y_true, y_pred):
            return factor * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

        return loss

    said = [Recipe(3, 3, loss=weighted(factor)).configuration()["loss"] for factor in (1.0, 1.0, 50.0)]
    assert said[0] == said[1] != said[2]


def test_the_code_of_an_own_layer_is_part_of_what_a_network_is(monkeypatch):
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    examples, split = bright_corner()
    inner = keras.Sequential([keras.Input((16, 16, 3)), Doubled(), keras.layers.Flatten()])
    model = keras.Sequential([inner, keras.layers.Dense(3)])
    before = training._identity(model, examples, split, TOY, [], 0)
    assert training._identity(model, examples, split, TOY, [], 0) == before
    monkeypatch.setattr(inspect, "getsource", lambda kind: "return 100 * x")
    after = training._identity(model, examples, split, TOY, [], 0)
    assert {name for name in before if before[name] != after[name]} == {"model"}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"metrics": "mae"}, "have to be a tuple"),
        ({"metrics": (abs, stop_after_two)}, "have to be a tuple"),
        ({"optimizer": keras.optimizers.Adam}, "optimizer is the class Adam; give an object"),
        ({"augmentation": RandomAffine}, "augmentation is the class RandomAffine"),
    ],
)
def test_parts_of_another_kind_are_refused_in_words(parts, words):
    with pytest.raises(ValueError, match=words):
        Recipe(3, 3, **parts)


def test_a_recipe_serves_for_several_trainings(tmp_path):
    """Its optimizer, whose moments belong to one network, is copied for each."""
    examples, split = bright_corner()
    optimizer = keras.optimizers.Adam(0.01)
    recipe = replace(TOY, epochs=2, optimizer=optimizer, augmentation=RandomAffine(seed=0))
    models = [three_classes(), three_classes()]
    for place, model in enumerate(models):
        training.train(model, examples, split, recipe, tmp_path / str(place))
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not optimizer.built
    assert not recipe.augmentation.built


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"optimizer": "adam"}, "optimizer"),
        ({"optimizer": keras.optimizers.SGD(0.02)}, "optimizer"),
        ({"loss": keras.losses.SparseCategoricalCrossentropy(ignore_class=2)}, "loss"),
        ({"metrics": ()}, "metrics"),
        ({"augmentation": RandomAffine()}, "augmentation"),
        ({"batch_size": 6}, "epochs, patience, batch size"),
        ({"cosine": True}, "cosine"),
    ],
)
def test_another_recipe_in_the_same_folder_is_refused_by_name(finished, changed, words):
    examples, split = bright_corner()
    with pytest.raises(ValueError, match=rf"made with other settings \(different: {words}(; code of gzutils)?\); give"):
        training.train(three_classes(), examples, split, replace(TOY, **changed), finished)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished training."""
    folder = tmp_path_factory.mktemp("finished")
    training.train(three_classes(), *bright_corner(), replace(TOY), folder, after_epoch=lambda history: True)
    return folder


def test_a_cosine_rises_over_a_tenth_of_the_steps_and_falls_to_nothing_by_the_last():
    schedule = (
        Recipe(4, 4, optimizer=keras.optimizers.SGD(0.02), cosine=True).made(steps=25)["optimizer"]._learning_rate
    )
    steps = np.arange(101)
    expected = np.where(steps < 10, 0.02 * steps / 10, 0.01 * (1 + np.cos(np.pi * (steps - 10) / 90)))
    np.testing.assert_allclose([float(schedule(step)) for step in steps], expected, atol=1e-7)


def test_a_cosine_knows_how_many_steps_a_training_has(tmp_path, monkeypatch):
    asked = []
    made = Recipe.made
    monkeypatch.setattr(Recipe, "made", lambda recipe, steps=1: asked.append(steps) or made(recipe, steps))
    examples, split = bright_corner()
    training.train(three_classes(), examples, split, replace(TOY, epochs=1, cosine=True), tmp_path)
    assert max(asked) == -(-len(split.train) // TOY.batch_size)


def test_a_cosine_of_a_schedule_is_refused_and_so_are_averaged_weights():
    scheduled = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(ValueError, match="a schedule already"):
        Recipe(2, 2, optimizer=scheduled, cosine=True).made()
    with pytest.raises(ValueError, match="averages the weights"):
        Recipe(2, 2, optimizer=keras.optimizers.Adam(use_ema=True)).made()


@pytest.mark.parametrize("cosine", [False, True])
def test_what_is_remembered_of_an_optimizer_is_the_learning_rate_that_it_was_given(cosine):
    """Whatever becomes of it. The change of the code that fails here: `cosine=True` in `Recipe.configuration`."""
    told = Recipe(2, 2, optimizer=keras.optimizers.Adam(0.002), cosine=cosine).configuration()
    assert told["optimizer"]["configuration"]["learning_rate"] == pytest.approx(0.002)
    assert ("cosine" in told) == cosine
