"""The networks that come with the kit: made by one command, opened with their cards, asked where they are better."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

from gzutils import profiles
from gzutils.course import choice, evidence, large_run, runs, shipping
from gzutils.data.store import Split
from gzutils.models import compact, saved, shipped
from gzutils.models.bayesian_cnn import bayesian_cnn
from gzutils.models.networks import NETWORKS
from gzutils.plots.history import several_trainings

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def small(monkeypatch):
    """The large run's plans with networks that train in seconds."""
    cnn, vit = (profiles.LARGE.plans[name] for name in shipping.SHIPPED)
    plans = {
        "parallel_cnn": replace(cnn, model=cnn.model | {"width": 0.125}),
        "vision_transformer": replace(vit, model=vit.model | {"depth": 1}),
        "vgg16": replace(
            profiles.LARGE.plans["vgg16"],
            recipe=replace(profiles.LARGE.plans["vgg16"].recipe, epochs=2, patience=2),
            model={"enlarge_to": 32},
        ),
    }
    monkeypatch.setattr(profiles, "LARGE", replace(profiles.LARGE, plans=plans))
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def working_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("large")


COMMAND = ["--galaxies", "96", "--epochs", "2", "--networks", "parallel_cnn", "vgg16", "--initial-weights", "random"]


@pytest.fixture
def made(small, working_folder, monkeypatch):
    """The folder with what a large run of two networks left, made once, and what the kit would bring along of it."""
    monkeypatch.chdir(working_folder)
    if not (working_folder / "kit/README.md").is_file():
        large_run.main([str(working_folder / "large"), *COMMAND, "--precision", "mixed_bfloat16", "--ship", "kit"])
    keras.config.set_dtype_policy("float32")
    return working_folder


def test_the_plans_are_the_reports_networks_at_their_full_size_and_no_profile_of_a_notebook():
    assert profiles.LARGE.name not in profiles.PROFILES
    assert set(profiles.LARGE.plans) == set(evidence.report.RESULTS)
    for name, plan in profiles.LARGE.plans.items():
        if not NETWORKS[name].pretrained:
            assert not {"width", "depth", "units"} & set(plan.model)
            assert plan.recipe.cosine
            assert plan.recipe.patience == plan.recipe.epochs


def test_the_command_leaves_a_run_and_does_nothing_anew(made, capsys):
    for name in ("parallel_cnn", "vgg16"):
        folder = made / "large" / NETWORKS[name].notebook
        measured = json.loads((folder / "metrics.json").read_text())
        assert (measured["model"], measured["seed"], measured["profile"]) == (name, 2014, "large")
        assert measured["galaxies"] == {"all": 96, "train": 60, "validation": 16, "test": 20}
        assert (folder / "model.keras").is_file()
        assert len(pd.read_csv(folder / "history.csv")) == measured["epochs"] == 2
    finished = [made / "large" / part for part in ("02_parallel_cnn", "04_vgg16/head", "04_vgg16/features")]
    before = {path: path.stat().st_mtime_ns for folder in finished for path in folder.iterdir()}
    large_run.main([str(made / "large"), *COMMAND, "--precision", "mixed_bfloat16"])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "Parallel CNN:\ntest RMSE" in capsys.readouterr().out


def test_a_line_an_epoch_goes_to_any_file(capsys):
    say = large_run._saying("VGG16", 9)
    say(pd.DataFrame({"epoch": [1, 2], "rmse": [0.2, 0.15], "val_rmse": [0.19, 0.21], "seconds": [3, 2.04]}))
    line = "VGG16, epoch 2 of 9: RMSE 0.1500, validation 0.2100 (best 0.1900), 2.0 s\n"
    assert capsys.readouterr().out == line


def test_the_shipped_network_is_float32_small_and_says_what_the_trained_one_said(made):
    found = shipped.open_network("parallel_cnn", made / "kit")
    assert {str(variable.dtype) for variable in found.model.weights} == {"float32"}
    assert {layer.dtype_policy.name for layer in found.model.layers} == {"float32"}
    trained = saved.load(made / "large/02_parallel_cnn/model.keras")
    assert trained.get_layer("joint_conv_3").dtype_policy.name == "mixed_bfloat16"
    exact = keras.models.clone_model(found.model)
    exact.set_weights(trained.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), np.uint8)
    said, kept = exact.predict(images, verbose=0), found.model.predict(images, verbose=0)
    assert 0 < np.abs(said - kept).max() < shipping.UNSEEN
    values = np.concatenate([weights.ravel() for weights in found.model.get_weights()])
    assert not (values.view(np.uint32) & 0x1FFF).any(), "more than float16's 10 bits of mantissa, without need"
    plain = zipfile.ZipFile(made / "large/02_parallel_cnn/model.keras").getinfo("model.weights.h5").file_size
    assert (made / "kit/parallel_cnn.keras").stat().st_size < 0.75 * plain


def test_the_card_says_what_was_measured_and_the_readme_says_it_in_words(made):
    card = shipped.read_card("parallel_cnn", made / "kit")
    measured = json.loads((made / "large/02_parallel_cnn/metrics.json").read_text())
    assert card["data"]["survey"] == {"seed": 2014, "version": shipping.survey.VERSION}
    assert card["data"]["galaxies"] == measured["galaxies"]
    assert card["training"]["best_epoch"] == measured["best_epoch"]
    assert card["test"]["rmse"] == pytest.approx(measured["rmse"]["test"], abs=2e-3)  # bfloat16 beside float32
    assert card["protocol"]["precision"] == "mixed_bfloat16"
    assert len(card["test"]["rmse_by_question"]) == 11
    assert card["made by"].startswith("python -m gzutils.course.large_run FOLDER --galaxies 96 --seed 2014")
    text = (made / "kit/README.md").read_text()
    for words in (card["sha256"], card["made by"], f"RMSE {card['test']['rmse']:.4f}", *card["weaknesses"]):
        assert words in text
    assert str(made) not in text + json.dumps(card)


def test_the_readme_tells_of_every_file_of_weights_that_the_kit_brings_along(tmp_path):
    for path in shipped.TRAINED.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = shipping.write_readme(tmp_path).read_text()
    files = [path for path in shipped.TRAINED.iterdir() if path.suffix in (".keras", ".h5")]
    assert len(files) == 4
    for path in files:
        assert f"`{path.name}`" in text
        assert path.stat().st_size <= shipping.LARGEST
        assert shipping.records.sha256(path) in text
    assert text == (shipped.TRAINED / "README.md").read_text(), "write it anew: shipping.write_readme(shipped.TRAINED)"


def test_weights_are_rounded_to_the_nearest():
    values = np.float32([1, -1, 0, 1 + 2**-10, 1 + 2**-11 + 2**-20, 2 - 2**-20, 6e-8, -3.14159])
    halved = values.astype(np.float16).astype(np.float32)
    rounded = compact.rounded(values, 10)
    assert (rounded[:6] == halved[:6]).all()
    assert rounded[6] == pytest.approx(values[6], rel=2**-11), "float16 would keep little of what is so small"
    assert (compact.rounded(values, 23) == values).all()
    assert compact.rounded(np.arange(3), 10).tolist() == [0, 1, 2]


def test_a_network_that_stays_too_large_is_refused(made, monkeypatch):
    run = large_run.open_run(made / "large", 96, epochs=2)
    store = run.open_store()
    monkeypatch.setattr(shipping, "LARGEST", 1000)
    with pytest.raises(ValueError, match=r"parallel_cnn.keras would have .* bytes, more than 1,000"):
        shipping.ship(run, store, run.split(store), ["parallel_cnn"], made / "refused")
    assert not list((made / "refused").glob("*.keras"))


def test_a_damaged_network_or_card_is_refused_by_its_name(made, tmp_path):
    for file in ("parallel_cnn.keras", "parallel_cnn.json"):
        (tmp_path / file).write_bytes((made / "kit" / file).read_bytes())
    assert shipped.names(tmp_path) == ["parallel_cnn"]
    content = bytearray((tmp_path / "parallel_cnn.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "parallel_cnn.keras").write_bytes(content)
    with pytest.raises(ValueError, match=r"parallel_cnn.keras is damaged .*checksum.*; fetch it again"):
        shipped.open_network("parallel_cnn", tmp_path)
    (tmp_path / "parallel_cnn.keras").unlink()
    with pytest.raises(ValueError, match=r"there is no .*parallel_cnn.keras beside its card"):
        shipped.open_network("parallel_cnn", tmp_path)
    (tmp_path / "parallel_cnn.json").write_text('{"network": "parallel_cnn"}')
    with pytest.raises(ValueError, match=r"parallel_cnn.json is damaged \(without sha256.*; fetch it again"):
        shipped.open_network("parallel_cnn", tmp_path)
    with pytest.raises(ValueError, match=r"no network 'cnn' along with a card .*; there: none"):
        shipped.open_network("cnn", tmp_path)


@pytest.mark.parametrize("data", [{}, None, {"survey": {}}])
def test_a_card_that_does_not_say_which_galaxies_is_refused(data, tmp_path):
    card = dict.fromkeys(shipped.CARD, "") | {"data": data}
    (tmp_path / "parallel_cnn.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=r"parallel_cnn\.json is damaged \(it does not say which galaxies\)"):
        shipped.read_card("parallel_cnn", tmp_path)


@pytest.fixture
def at_choice(made, monkeypatch):
    """A run whose store is the small one, beside a kit that brings the small network along."""
    monkeypatch.setattr(shipped, "TRAINED", made / "kit")
    run = runs.start("07_grad_cam", "smoke", seed=3, galaxies=40)
    store = run.open_store()
    return run, store, run.split(store)


def with_errors(monkeypatch, own, kits):
    """This run has a network of its own, and both have these errors."""
    build = NETWORKS["parallel_cnn"].build
    networks = {"own": build(width=0.125), "kits": build(width=0.125)}
    monkeypatch.setattr(runs.Run, "model", lambda self, notebook: networks["own"])
    opened = shipped.Shipped("parallel_cnn", networks["kits"], shipped.read_card("parallel_cnn"))
    monkeypatch.setattr(choice.shipped, "open_network", lambda name: opened)
    errors = {id(networks["own"]): own, id(networks["kits"]): kits}
    asked = []

    def predict(model, images, rows):
        asked.append(rows)
        return np.full((len(rows), 37), errors[id(model)], np.float32)

    monkeypatch.setattr(choice, "predict", predict)
    monkeypatch.setattr(choice.metrics, "rmse", lambda predicted, labels: float(predicted[0, 0]))
    return networks, asked


@pytest.mark.parametrize(("own", "kits", "taken"), [(0.13, 0.09, "kits"), (0.08, 0.09, "own")])
def test_the_better_network_is_taken_and_both_numbers_are_said(at_choice, monkeypatch, capsys, own, kits, taken):
    networks, asked = with_errors(monkeypatch, own, kits)
    run, store, split = at_choice
    chosen = choice.choose(run, store, split)
    assert chosen.model is networks[taken]
    assert chosen.from_kit == (taken == "kits")
    said = capsys.readouterr().out
    assert f"this run's Parallel CNN {own:.4f}, the one that comes with the kit {kits:.4f}" in said
    assert ('MODEL = "02_parallel_cnn"' in said) == (taken == "kits")
    assert all(set(rows) <= set(split.validation) for rows in asked), "the test galaxies are not to choose by"


def test_a_large_run_compares_on_a_sample(at_choice, monkeypatch):
    _, asked = with_errors(monkeypatch, 0.13, 0.09)
    run, store, split = at_choice
    choice.choose(run, store, Split(split.train, np.resize(split.validation, 5000), split.test))
    assert [len(rows) for rows in asked] == [choice.SAMPLE] * 2


def test_without_a_network_of_this_run_the_kits_is_taken_and_nothing_trained(at_choice, capsys):
    run, store, split = at_choice
    chosen = choice.choose(run, store, split)
    assert chosen.from_kit
    assert "learned from 60 simulated galaxies" in chosen.whose
    assert "This run has no Parallel CNN yet" in capsys.readouterr().out
    assert not (run.folder.parent / "02_parallel_cnn").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"data": "kaggle"}, "has seen simulated galaxies only"), ({"seed": 2014}, "these very galaxies")],
)
def test_of_real_galaxies_and_of_its_own_it_is_only_offered(at_choice, monkeypatch, capsys, change, words):
    networks, asked = with_errors(monkeypatch, 0.13, 0.09)
    monkeypatch.setattr(runs.Run, "network", lambda self, name, store, split: networks["own"])
    run, store, split = at_choice
    chosen = choice.choose(replace(run, **change), store, split)
    assert chosen.model is networks["own"]
    assert not asked
    assert words in capsys.readouterr().out
    assert choice.choose(replace(run, **change), store, split, "trained/parallel_cnn").from_kit


def test_what_is_asked_for_is_taken(at_choice, made):
    run, store, split = at_choice
    assert choice.choose(run, store, split, "trained/parallel_cnn").from_kit
    file = str(made / "large/02_parallel_cnn/model.keras")
    assert choice.choose(run, store, split, file).whose == "that of model.keras"
    assert choice.choose(run, store, split, file).learned_from == "simulated"
    with pytest.raises(ValueError, match="this run has no network of 03_vision_transformer: run that notebook"):
        choice.choose(run, store, split, "03_vision_transformer")
    with pytest.raises(ValueError, match="the kit brings no network 'vgg16' along"):
        choice.choose(run, store, split, "trained/vgg16")
    other = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    other.save(made / "other.keras")
    with pytest.raises(ValueError, match=r"the network of .*other.keras takes or gives other shapes"):
        choice.choose(run, store, split, str(made / "other.keras"))
    bayesian_cnn(0.125).save(made / "bayesian.keras")  # whose 37 numbers are not the 37 shares
    with pytest.raises(ValueError, match=r"the network of .*bayesian.keras does not say the 37 shares .* notebook 11"):
        choice.choose(run, store, split, str(made / "bayesian.keras"))


def test_a_kit_without_networks_asks_this_runs_own(at_choice, monkeypatch, tmp_path, capsys):
    networks, _ = with_errors(monkeypatch, 0.13, 0.09)
    monkeypatch.setattr(shipped, "TRAINED", tmp_path)
    monkeypatch.setattr(runs.Run, "network", lambda self, name, store, split: networks["own"])
    assert choice.choose(*at_choice).model is networks["own"]
    assert capsys.readouterr().out == ""


def test_the_evidence_is_small_and_says_exactly_what_was_run(made):
    found = evidence.read(made / "kit/large_run")
    assert list(found) == ["parallel_cnn", "vgg16"]
    assert sum(path.stat().st_size for path in (made / "kit/large_run").rglob("*.*")) < 200_000
    sentences = "\n".join(evidence.what_it_was(found))
    assert "96 simulated galaxies of seed 2014: 60 to train on, 16 for validation, 20 for the test" in sentences
    assert f"2 epochs of {found['vgg16'].metrics['seconds_per_epoch']:.3g} s in mixed_bfloat16" in sentences
    table = evidence.table_1(found)
    assert list(table.index) == ["Parallel CNN", "VGG16, random initial weights"]
    assert table.loc["Parallel CNN", "test RMSE"] == f"{found['parallel_cnn'].metrics['rmse']['test']:.4f}"
    assert evidence.read(made / "nothing") == {}


def test_damaged_evidence_is_named(made, tmp_path):
    folder = tmp_path / "vgg16"
    folder.mkdir()
    (folder / "metrics.json").write_text((made / "kit/large_run/vgg16/metrics.json").read_text())
    (folder / "history.csv").write_text("epoch,loss\n1,2\n")
    with pytest.raises(ValueError, match=r"history.csv is missing or damaged"):
        evidence.read(tmp_path)


@pytest.mark.parametrize(
    ("training", "validation", "best", "words"),
    [
        ([0.2, 0.1, 0.05], [0.2, 0.15, 0.16], 2, "it overfits"),
        ([0.2, 0.1, 0.12], [0.2, 0.15, 0.16], 2, "it does not overfit"),
        ([0.2, 0.1, 0.05], [0.2, 0.15, 0.12], 3, "its last epoch, 3, was its best"),
    ],
)
def test_how_a_training_ended_is_computed_from_its_history(training, validation, best, words):
    history = pd.DataFrame({"epoch": [1, 2, 3], "rmse": training, "val_rmse": validation})
    one = evidence.Trained("VGG16", {"best_epoch": best, "rmse": {"test": 0.1}}, history)
    order, ending = evidence.what_it_shows({"vgg16": one})
    assert words in ending
    assert order == "From the lowest test RMSE to the highest: VGG16. The report's order is the same."


def test_the_order_of_the_networks_is_computed():
    history = pd.DataFrame({"epoch": [1], "rmse": [0.2], "val_rmse": [0.2]})

    def trained(title, error):
        return evidence.Trained(title, {"best_epoch": 1, "rmse": {"test": error}}, history)

    run = {"parallel_cnn": trained("CNN", 0.09), "vision_transformer": trained("ViT", 0.08)}
    assert evidence.what_it_shows(run)[0] == (
        "From the lowest test RMSE to the highest: ViT; CNN. The report's order is another."
    )


def test_the_figure_shows_every_training_together_and_alone():
    history = pd.DataFrame({"epoch": [1, 2, 3], "rmse": [0.3, 0.1, 0.05], "val_rmse": [0.2, 0.15, 0.16]})
    figure = several_trainings({"one": (history, 2), "two": (history, 2), "three": (history[:1], 1)}, 0.164, None)
    together, *panels = figure.axes
    for axes, columns in [(together, ["val_rmse"]), (panels[0], ["rmse", "val_rmse"])]:
        for line, column in zip(axes.get_lines(), columns, strict=False):
            np.testing.assert_array_equal(line.get_ydata(), history[column])
    assert [axes.get_title(loc="left") for axes in panels if axes.get_visible()] == ["one", "two", "three"]
    words = [text.get_text() for text in together.get_legend().get_texts()]
    assert words == ["one", "two", "three", "guessing the mean: 0.1640"]
    plt.close(figure)


def test_notebook_08_says_where_the_large_run_is_missing(tmp_path):
    """A fork may leave the folder out; the notebook's own cells run here, without the rest of it."""
    cells = nbformat.read(ROOT / "notebooks/08_results.ipynb", as_version=4).cells
    own = [cell.source for cell in cells if cell.cell_type == "code" and "large" in cell.source and cell.id > "08-5"]
    said = []
    page = SimpleNamespace(text=said.append, heading=said.append)
    names = {"page": page}
    for source in own:
        exec(source.replace("evidence.read()", f"evidence.read({str(tmp_path)!r})"), names)
    assert "comes without the large run" in said[-1]
