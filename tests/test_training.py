"""Training: the protocol, and that an interrupted training ends exactly as one that was not."""

import zipfile
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from tiny_store import make_tiny_store

from gzutils.data.store import Examples, split_galaxies
from gzutils.learning import training
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.batches import Batches
from gzutils.learning.checkpoint import Checkpoint
from gzutils.learning.losses import ConstrainedMeanSquaredError
from gzutils.learning.recipe import Recipe
from gzutils.models import saved
from gzutils.models.parallel_cnn import parallel_cnn
from gzutils.tools import backend

RECIPE = Recipe(epochs=4, patience=4, batch_size=8)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_tiny_store(tmp_path_factory.mktemp("data") / "store")


def train(store, folder, recipe=RECIPE, seed=0, weight=0.001):
    """A small but complete training: dropout, batch normalisation and augmentation all take part."""
    keras.utils.set_random_seed(seed)
    model = parallel_cnn(width=1 / 16, batch_norm_momentum=0.9)
    split = split_galaxies(len(store), seed)
    parts = {"loss": ConstrainedMeanSquaredError(weight), "augmentation": RandomAffine(seed=seed, name="views")}
    trained = training.train(model, store.examples(), split, replace(recipe, **parts), folder, seed)
    return model, trained


@pytest.fixture(scope="module")
def undisturbed(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return (*train(store, folder), folder)


def assert_same_training(one, two):
    (model, trained), (other_model, other_trained) = one, two
    for weights, others in zip(model.get_weights(), other_model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, others)
    columns = ["epoch", "loss", "rmse", "val_loss", "val_rmse"]
    pd.testing.assert_frame_equal(trained.history[columns], other_trained.history[columns], check_exact=True)
    assert trained.best_epoch == other_trained.best_epoch


def test_it_learns_and_leaves_model_history_and_settings(undisturbed, store):
    model, trained, folder = undisturbed
    assert sorted(path.name for path in folder.iterdir()) == ["history.csv", "model.keras", "training.json"]
    assert list(trained.history["epoch"]) == [1, 2, 3, 4]
    assert trained.history["val_loss"].iloc[-1] < trained.history["val_loss"].iloc[0]
    there = keras.saving.load_model(folder / "model.keras", compile=False)
    np.testing.assert_array_equal(
        there.predict(store.images[:5], verbose=0), model.predict(store.images[:5], verbose=0)
    )


def test_the_model_file_says_wherever_it_lies_on_which_galaxies_it_learned(undisturbed, store, tmp_path):
    _, _, folder = undisturbed
    moved = tmp_path / "mine.keras"
    moved.write_bytes((folder / "model.keras").read_bytes())
    assert saved.learned_from(moved) == store.source == "tiny"
    undisturbed[0].save(moved)  # by Keras alone
    assert saved.learned_from(moved) is None


def test_a_model_file_has_no_members_but_keras_s_own(undisturbed, tmp_path):
    """With more than three Keras unpacks all of them into a temporary folder, each time that it opens the file."""
    model, _, folder = undisturbed
    model.save(tmp_path / "by_keras.keras")
    with zipfile.ZipFile(folder / "model.keras") as ours, zipfile.ZipFile(tmp_path / "by_keras.keras") as theirs:
        assert ours.namelist() == theirs.namelist()


def test_what_strangers_write_behind_a_model_file_is_no_source(undisturbed, tmp_path):
    with zipfile.ZipFile(tmp_path / "strange.keras", "w") as archive:
        archive.comment = b"\xff" * 65535
    assert saved.learned_from(tmp_path / "strange.keras") is None


def test_the_model_carries_the_weights_of_the_best_epoch(store, tmp_path):
    model, trained = train(store, tmp_path, Recipe(epochs=6, patience=6, batch_size=8))
    split = split_galaxies(len(store), 0)
    model.compile(loss=ConstrainedMeanSquaredError())
    value = model.evaluate(Batches(store.examples(), split.validation, 8), verbose=0)
    assert value == pytest.approx(trained.history["val_loss"].min(), rel=1e-5)
    assert trained.best_epoch == trained.history["val_loss"].argmin() + 1


def test_the_same_seed_gives_the_same_training_and_another_seed_another(store, undisturbed, tmp_path):
    model, trained, _ = undisturbed
    again = train(store, tmp_path / "again")
    assert_same_training((model, trained), again)
    other_model, _ = train(store, tmp_path / "other", seed=1)
    assert not np.array_equal(model.get_weights()[0], other_model.get_weights()[0])


class Stop(Exception):
    pass


@pytest.mark.parametrize("epochs_before", [0, 1, 3])
def test_interrupted_within_an_epoch_it_goes_on_to_the_same_end(
    store, undisturbed, tmp_path, monkeypatch, epochs_before
):
    model, trained, _ = undisturbed
    batches_done = []

    def stop_in_the_middle(progress, batch, logs=None):
        batches_done.append(batch)
        if batches_done.count(2) > epochs_before:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(training._ShowProgress, "on_train_batch_end", stop_in_the_middle)
        with pytest.raises(Stop):
            train(store, tmp_path)
    assert (tmp_path / "checkpoint.npz").is_file()
    assert not (tmp_path / "model.keras").exists()
    assert_same_training((model, trained), train(store, tmp_path))


def test_with_a_cosine_it_goes_on_to_the_same_end_too(store, tmp_path, monkeypatch):
    """Where on the cosine a training is, its optimizer's count of steps says."""
    recipe = Recipe(epochs=3, patience=3, batch_size=8, cosine=True)
    undisturbed = train(store, tmp_path / "undisturbed", recipe)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "finished", lambda state, recipe: len(state.history) == 1 and stop())
        with pytest.raises(Stop):
            train(store, tmp_path / "stopped", recipe)
    assert_same_training(undisturbed, train(store, tmp_path / "stopped", recipe))


@pytest.fixture
def sixteen_bits():
    backend.configure("mixed_float16")
    yield
    backend.configure("float32")


def test_in_mixed_precision_it_goes_on_to_the_same_end_too(store, tmp_path, monkeypatch, sixteen_bits):
    """Its optimizer also carries the scale of the loss."""
    undisturbed = train(store, tmp_path / "undisturbed", Recipe(epochs=2, patience=2, batch_size=8))
    assert undisturbed[0].get_layer("broad_conv_1").compute_dtype == "float16"
    assert undisturbed[0].output.dtype == "float32"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "finished", lambda state, recipe: len(state.history) == 1 and stop())
        with pytest.raises(Stop):
            train(store, tmp_path / "stopped", Recipe(epochs=2, patience=2, batch_size=8))
    assert _epochs_in(tmp_path / "stopped" / "checkpoint.npz") == 1
    assert_same_training(undisturbed, train(store, tmp_path / "stopped", Recipe(epochs=2, patience=2, batch_size=8)))


def stop():
    raise Stop


def _epochs_in(checkpoint):
    if not checkpoint.is_file():
        return 0
    with np.load(checkpoint, allow_pickle=False) as saved:
        return str(saved["history"]).count('"epoch"')


def test_each_epoch_has_its_own_view_order_and_draws(tmp_path, monkeypatch):
    """The changes of the code that fail here: `views[0]`; `order_seed=(seed, 0)`; `set_draws(trainer, seed, 0)`."""
    count, split = 40, split_galaxies(20)
    copies = np.stack([split.train, split.train + 20])  # of each galaxy two views, which follow one another
    examples = Examples(np.zeros((count, 4, 4, 3), np.uint8), np.zeros((count, 37), np.float32), "12345678")
    orders, draws = [], []

    class Seen(Batches):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            if options.get("order_seed"):
                orders.append(self.rows.tolist())

    monkeypatch.setattr(training, "Batches", Seen)
    model = keras.Sequential([keras.Input((4, 4, 3), dtype="uint8"), keras.layers.Rescaling(1.0)])
    model.add(keras.layers.Dropout(0.5))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(37))

    def after_epoch(history):
        generators = [variable for variable in model.variables if "seed_generator" in variable.path]
        draws.append(keras.ops.convert_to_numpy(generators[0]).tolist())

    recipe = Recipe(epochs=4, patience=4, batch_size=4, loss="mean_squared_error")
    training.train(model, examples, replace(split, train=copies), recipe, tmp_path, after_epoch=after_epoch)
    assert [sorted(order) for order in orders] == [sorted(copies[epoch % 2]) for epoch in range(4)]
    assert orders[0] != orders[2]
    assert orders[1] != orders[3]
    assert len({tuple(draw) for draw in draws}) == 4


def test_a_finished_training_is_loaded_and_not_repeated(store, undisturbed, monkeypatch):
    model, trained, folder = undisturbed
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("it trained again"))
    assert_same_training((model, trained), train(store, folder))


def test_it_stops_when_the_patience_is_over():
    """By hand: the best loss is that of epoch 3; with patience 2 epoch 5 is the last one."""
    losses = [5.0, 4.0, 2.0, 3.0, 2.5]
    state = Checkpoint.__new__(Checkpoint)
    recipe = Recipe(epochs=300, patience=2)
    for count in range(len(losses) + 1):
        state.history = [{"val_loss": value} for value in losses[:count]]
        assert state.finished(recipe) == (count == 5)


def test_another_training_in_the_same_folder_is_refused_by_name(store, undisturbed):
    _, _, folder = undisturbed
    with pytest.raises(ValueError, match=r"different: loss\).*RUN"):
        train(store, folder, weight=0.5)
    with pytest.raises(ValueError, match="epochs, patience, batch size"):
        train(store, folder, recipe=Recipe(epochs=5, patience=4, batch_size=8))


def test_a_loss_that_explodes_is_said_to(store, tmp_path):
    model = keras.Sequential([keras.Input((64, 64, 3), dtype="uint8"), keras.layers.Rescaling(float("nan"))])
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(37))
    split = split_galaxies(len(store))
    with pytest.raises(ValueError, match="loss became nan in epoch 1"):
        training.train(model, store.examples(), split, RECIPE, tmp_path)


def test_the_line_says_which_of_several_trainings_it_is_and_how_far():
    class Shown:
        def show(self, text):
            self.text = text

    history = [{"epoch": 1, "val_loss": 0.02, "val_rmse": 0.14, "seconds": 3.0}]
    for title, words in (("training 3 of 24", "training 3 of 24, epoch 2 of 10: 50 %"), ("", "Epoch 2 of 10: 50 %")):
        line = Shown()
        training._ShowProgress(line, title, history, epochs=10, batches=4, watched="rmse").on_train_batch_end(1)
        assert line.text == f"{words}, best so far epoch 1: validation RMSE 0.1400, at most 27 s left"


def test_of_equally_good_epochs_the_first_one_is_kept(tmp_path):
    """`best_epoch` names the first, too. The change of the code that fails here: `<=` for `<` in `add_epoch`."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    state = Checkpoint(tmp_path / "checkpoint.npz", model, optimizer)
    for epoch in (1, 2):
        model.set_weights([np.full((1, 1), epoch), np.zeros(1)])
        state.add_epoch({"epoch": epoch, "val_loss": 0.5})
    assert state.best_weights[0] == 1


def test_a_checkpoint_in_which_a_part_is_missing_is_damaged_and_named(tmp_path):
    """The fault: what another program wrote under this name ends in a bare KeyError."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    np.savez(tmp_path / "checkpoint.npz", weights_0=np.zeros(1))
    with pytest.raises(ValueError, match=r"checkpoint\.npz is damaged .*delete it and run again"):
        Checkpoint(tmp_path / "checkpoint.npz", model, optimizer).restore_or_save(there=True)
