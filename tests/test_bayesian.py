"""The Bayesian CNN and what is built on it: its passes, what it calls familiar, and whom it asks next."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from tiny_store import make_tiny_store

from gzutils import profiles
from gzutils.data.store import Split
from gzutils.decision_tree import COLUMNS, QUESTIONS, shares_of_counts
from gzutils.learning import asking, familiarity, monte_carlo, posteriors, training
from gzutils.learning.augmentation import RandomAffine
from gzutils.learning.features import base_and_head
from gzutils.learning.likelihoods import DirichletMultinomial
from gzutils.learning.recipe import Recipe
from gzutils.models import saved
from gzutils.models.bayesian_cnn import bayesian_cnn, bayesian_head, likelihood_of
from gzutils.models.networks import NETWORKS
from gzutils.models.simple_cnn import simple_cnn

SMALL = {"width": 0.125, "side": 32}


def some_images(count, side=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def test_it_has_the_papers_layers_and_so_many_parameters():
    """Counted by hand: 3x3 kernels and biases, then 4 x 4 x 128 values into 128, then 128 into 37."""
    channels, parameters = 3, 0
    for filters in (32, 32, 64, 64, 128, 128):
        parameters += 9 * channels * filters + filters
        channels = filters
    parameters += 4 * 4 * 128 * 128 + 128 + 128 * 37 + 37
    for likelihood in ("multinomial", "dirichlet_multinomial"):
        model = bayesian_cnn(likelihood=likelihood)
        assert model.count_params() == parameters == 554_053
        kinds = [type(layer).__name__ for layer in model.layers]
        assert kinds.count("Conv2D") == 6
        assert kinds.count("MaxPooling2D") == 4
        assert kinds.index("Dropout") > kinds.index("Dense"), "no dropout on the convolutions"
        assert (model.get_layer("dropout").rate, model.get_layer("dense").units) == (0.5, 128)
        assert model.get_layer("scale_to_0_1").scale == pytest.approx(1 / 255)
    last = model.get_layer("concentrations")
    assert (last.scale, last.offset) == (100, 1), "100 sigmoid + 1: Walmsley et al. 2022"


@pytest.mark.parametrize("likelihood", ["multinomial", "dirichlet_multinomial"])
def test_a_saved_one_says_the_same_and_what_it_says_has_its_meaning(likelihood, tmp_path):
    """The fault: a layer of its own that a file cannot name, or shares of all 37 in place of a question's."""
    model = bayesian_cnn(likelihood=likelihood, least=0.05, **SMALL)
    model.save(tmp_path / "model.keras")
    again, images = saved.load(tmp_path / "model.keras"), some_images(3)
    said = model.predict(images, verbose=0)
    np.testing.assert_allclose(again.predict(images, verbose=0), said, rtol=1e-5)
    assert (said.dtype, said.shape, likelihood_of(again)) == (np.float32, (3, 37), likelihood)
    if likelihood == "multinomial":
        np.testing.assert_allclose([said[:, q.slice].sum(axis=1) for q in QUESTIONS], 1, rtol=1e-5)
    else:
        assert (said > 0.05).all()
        assert (said < 100.1).all()


@pytest.mark.parametrize("likelihood", ["multinomial", "dirichlet_multinomial"])
def test_it_starts_at_the_mean_answers(likelihood):
    """With no features: what it then expects are the mean's own shares, but for what the floor forbids.

    And as firmly as is said, with concentrations that add up to 10. The fault: as good as certain, or quite open.
    """
    counts = np.random.default_rng(0).integers(5, 40, (1, 37))
    mean = shares_of_counts(counts)[0]
    model = bayesian_cnn(likelihood=likelihood, least=0.05, mean_answers=mean.tolist(), **SMALL)
    _, head = monte_carlo.body_and_head(model)
    said = keras.ops.convert_to_numpy(head(np.zeros((1, 128), np.float32)))
    found = posteriors.probabilities(posteriors.Passes(said[None], likelihood))[0]
    np.testing.assert_allclose(found, mean, atol=0.01)
    totals = [said[0, q.slice].sum() for q in QUESTIONS]
    np.testing.assert_allclose(totals, 1 if likelihood == "multinomial" else 10, rtol=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        *(({"width": wrong}, "width") for wrong in (0, -1)),
        *(({"least": wrong}, "least concentration") for wrong in (0, -1)),
        ({"likelihood": "poisson"}, "multinomial"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        bayesian_cnn(**arguments)


def test_passes_differ_follow_from_the_seed_and_do_not_touch_the_convolutions(monkeypatch):
    """The fault: one mask for all passes or galaxies, chance that no seed holds, convolutions run once a pass."""
    model, images, rows = bayesian_cnn(**SMALL), some_images(9), np.arange(1, 9)
    looked = []
    predict = monte_carlo.predict
    monkeypatch.setattr(monte_carlo, "predict", lambda *a: (looked.append(a), predict(*a))[1])
    one, again, other = (monte_carlo.passes(model, images, rows, 6, seed) for seed in (1, 1, 2))
    assert len(looked) == 3
    assert one.outputs.shape == (6, 8, 37)
    np.testing.assert_array_equal(one.outputs, again.outputs)
    assert np.abs(one.outputs - other.outputs).max() > 0
    assert (one.outputs.std(axis=0).max(axis=1) > 0).all()
    masks = one.outputs - monte_carlo.passes(model, images, rows, 0).outputs
    assert len(np.unique(masks[0].round(6), axis=0)) == 8


def test_without_dropout_it_is_the_model_itself():
    model, images = bayesian_cnn(**SMALL), some_images(4)
    one = monte_carlo.passes(model, images, np.arange(4), 0)
    np.testing.assert_allclose(one.outputs, model.predict(images, verbose=0)[None], rtol=1e-5)


def test_more_galaxies_than_one_batch_holds_keep_their_order(monkeypatch):
    """Without anything that is dropped all passes say the same. The fault: batches one below the other as passes."""
    monkeypatch.setattr(monte_carlo, "AT_ONCE", 3)
    model, images = bayesian_cnn(**SMALL), some_images(8)
    model.get_layer("dropout").rate = 0
    several, once = (monte_carlo.passes(model, images, np.arange(8), count).outputs for count in (4, 0))
    assert several.shape == (4, 8, 37)
    np.testing.assert_allclose(several, np.repeat(once, 4, axis=0), rtol=1e-5)


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="no Bayesian CNN"):
        monte_carlo.passes(simple_cnn(width=0.125), some_images(1, 64), np.arange(1), 2)


def test_what_is_no_galaxy_is_unfamiliar_and_held_out_galaxies_are_not(tmp_path):
    """Through a network that learned for two epochs. The fault: an empty picture, whose features are small, passes."""
    store = make_tiny_store(tmp_path / "store", 300)
    split = Split(np.arange(180), np.arange(180, 240), np.arange(240, 300))
    keras.utils.set_random_seed(0)
    model = bayesian_cnn(width=0.125, mean_answers=store.labels.mean(axis=0).tolist())
    recipe = Recipe(epochs=2, patience=2, batch_size=32, loss=DirichletMultinomial(), metrics=())
    training.train(model, store.examples(45 * store.labels), split, recipe, tmp_path / "run")
    features = [monte_carlo.features_of(model, store.images, rows) for rows in vars(split).values()]
    known = familiarity.learn(*features[:2])
    assert (known.distances(features[2]) > 1).mean() < 0.1
    pictures = familiarity.strange_pictures(64)
    del pictures["empty sky"]  # it is noise alone, which these galaxies are without
    strange = np.stack(list(pictures.values()))
    assert (known.distances(monte_carlo.features_of(model, strange, np.arange(len(strange)))) > 1).all()


def test_one_training_galaxy_and_one_more_are_enough_to_compare_with():
    """Its twin is no distance away. The fault: a limit of 0, by which nothing can be divided."""
    known = familiarity.learn(np.ones((1, 4)), np.ones((1, 4)))
    assert known.distances(np.ones((1, 4))).tolist() == [0]
    assert known.distances(np.full((2, 4), 5.0)).min() > 1


def test_strange_pictures_are_what_they_are_called():
    """The faults: an empty picture that is not, squares that are none, noise without a spread."""
    pictures = familiarity.strange_pictures(64)
    assert all((one.shape, one.dtype) == ((64, 64, 3), np.uint8) for one in pictures.values())
    assert not pictures["empty, black"].any()
    assert len(np.unique(pictures["one colour"].reshape(-1, 3), axis=0)) == 1
    squares = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((8, 8)))
    np.testing.assert_array_equal(pictures["chessboard"], 255 * squares[..., None].repeat(3, axis=2))
    stripes = pictures["stripes"]
    assert (stripes == stripes[:1]).all()
    assert stripes[0, :, 0].min() < 20
    assert stripes[0, :, 0].max() > 235
    assert pictures["noise"].std() > 65
    assert 5 < pictures["empty sky"].mean() < 15


def study_of(store, folder, counts, seed=0):
    """Two rounds on a tiny store, in seconds."""
    examples = type(store.examples())(np.asarray(store.images[:, ::2, ::2]), counts, "tiny", "tiny")
    split = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60))
    recipe = Recipe(epochs=1, patience=1, batch_size=8, augmentation=RandomAffine())

    def build():
        return bayesian_cnn(likelihood="multinomial", **SMALL)

    return list(asking.study(build, examples, split, recipe, 2, "Class1.1", (8, 4, 2), folder, seed))


def test_a_study_goes_on_where_it_was_and_never_looks_at_votes_that_it_did_not_ask_for(tmp_path, monkeypatch):
    """The faults: a finished round that is trained again, another choice the second time, and a choice that changes
    with the votes of galaxies that nobody was asked about yet.
    """
    store = make_tiny_store(tmp_path / "store", 60)
    counts = np.rint(45 * store.labels).astype(np.int32)
    rounds = study_of(store, tmp_path / "one", counts)
    assert [(one.way, one.labels) for one in rounds] == [
        ("at random", 8), ("at random", 12), ("by entropy", 12), ("by mutual information", 12)
    ]  # fmt: skip
    first = rounds[0].asked
    for one in rounds[1:]:
        assert len({*one.asked} | {*first}) == 12
        assert set(one.asked) <= set(range(40))
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "one").rglob("model.keras")}
    assert len(files) == 4
    monkeypatch.setattr(asking, "most_wanted", lambda *_: pytest.fail("a machine that rounds otherwise chose anew"))
    again = study_of(store, tmp_path / "one", counts)
    monkeypatch.undo()
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert [one.log_likelihood for one in again] == [one.log_likelihood for one in rounds]
    unseen = counts.copy()
    hidden = np.setdiff1d(np.arange(40), first)
    unseen[hidden] = counts[np.roll(hidden, 7)][:, ::-1]
    for one, other in zip(rounds, study_of(store, tmp_path / "two", unseen), strict=True):
        np.testing.assert_array_equal(one.asked, other.asked)


def test_all_labels_are_learned_from_however_few_steps_there_are(tmp_path, monkeypatch):
    """The fault: labels beyond what the steps of an epoch hold were paid for, counted and never seen."""
    store, seen = make_tiny_store(tmp_path / "store", 60), []
    monkeypatch.setattr(asking.training, "train", lambda model, examples, split, *_, **__: seen.append(split.train))
    split, recipe = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60)), Recipe(1, 1, batch_size=8)
    model, labelled = bayesian_cnn(likelihood="multinomial", **SMALL), np.arange(5, 40)
    for steps, rows in ((2, 35), (10, 80)):
        asking._train(model, store.examples(), split, labelled, recipe, steps, "Class1.1", tmp_path, 0)
        assert len(seen[-1]) == rows
        assert set(seen[-1]) == set(labelled)


def test_a_round_is_measured_on_those_who_were_asked_be_it_by_a_single_volunteer(tmp_path):
    """The fault: galaxies that nobody or one alone was asked about, which shift rows against votes."""
    store = make_tiny_store(tmp_path / "store", 12)
    votes = np.zeros((12, 37))
    votes[:, :2], votes[1:, 3], votes[3:, 4] = 20, 1, 4  # rows 1 and 2 have one volunteer's answer to question 2
    model = bayesian_cnn(width=0.125)
    found, rmse = asking._measure(model, store.examples(votes), np.arange(6), "Class2.1", 3)
    said = monte_carlo.passes(model, store.images, np.arange(1, 6), asking.PASSES, 3)
    expected = posteriors.log_likelihoods(said, votes[1:6])[:, 1].mean()
    assert found == pytest.approx(expected, rel=1e-4)
    error = posteriors.shares(said)[..., 3].mean(axis=0) - [1, 1, 0.2, 0.2, 0.2]
    assert rmse == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)


def test_those_about_whom_the_passes_disagree_are_asked_by_mutual_information():
    """And those with open votes by entropy."""
    by_pass = np.zeros((2, 3, 41))
    by_pass[0, 0, 0] = by_pass[1, 0, 40] = 1  # sure of different things
    by_pass[:, 1] = 1 / 41  # both have no idea
    by_pass[:, 2, 20] = 1  # both sure of the same
    assert asking.most_wanted("by mutual information", by_pass, 1).tolist() == [0]
    assert asking.most_wanted("by entropy", by_pass, 1).tolist() == [1]
    assert len(asking.most_wanted("by entropy", by_pass, 9)) == 3


def curve(way, seed, values):
    return [(way, seed, 100 * (n + 1), value, 0.1) for n, value in enumerate(values)]


def test_as_many_are_usually_asked_as_the_median_of_those_galaxies_that_were_asked_says():
    """The fault: galaxies that nobody was asked about count as well, and make the usual number 0."""
    votes = np.zeros((5, 37))
    votes[:2, 3:5] = [[4, 6], [10, 2]]
    assert asking._usual_number(votes, "Class2.1") == 11
    assert asking._usual_number(0 * votes, "Class2.1") == 0


def test_the_mean_answers_are_those_of_the_galaxies_that_are_labelled_first_alone():
    """The faults: the mean of each galaxy, or of galaxies that nobody was asked about yet."""
    labels = np.random.default_rng(0).random((60, 37))
    split = Split(np.arange(40), np.arange(40, 50), np.arange(50, 60))
    first = asking.first_labelled(split, 8, seed=3)
    assert len(set(first.tolist()) & set(range(40))) == 8
    assert set(first.tolist()) != set(asking.first_labelled(split, 8, seed=4).tolist())
    np.testing.assert_allclose(asking.mean_answers(labels, split, 8, 3), labels[first].mean(axis=0), atol=5.1e-5)


def test_the_first_round_stands_in_the_table_once_for_each_way():
    """In the order of ways, seeds and labels. The fault: the other ways begin at their second round."""
    rounds = [asking.Round(asking.WAYS[0], 0, 8, np.arange(8), -3.0, 0.2)]
    rounds += [asking.Round(way, 0, 12, np.arange(4), -2.0, 0.1) for way in asking.WAYS]
    table = asking.table_of(rounds)
    assert table.index.tolist() == list(range(6))
    assert table["way"].tolist() == [way for way in sorted(asking.WAYS) for _ in range(2)]
    assert table["labels"].tolist() == [8, 12] * 3
    assert table["log_likelihood"].tolist() == [-3, -2] * 3
    assert table["rmse"].tolist() == [0.2, 0.1] * 3


def table_of(*curves):
    rows = [row for one in curves for row in one]
    return pd.DataFrame(rows, columns=["way", "seed", "labels", "log_likelihood", "rmse"])


def test_labels_saved_are_read_off_where_both_ways_are_equally_good():
    """At -8 of the mean, 400 labels by chance and 250 by entropy. The fault: values compared at equal labels."""
    chance = curve("at random", 0, [-10, -9.5, -9, -8.5]), curve("at random", 1, [-10, -9, -8, -7.5])
    chosen = curve("by entropy", 0, [-10, -9, -7, -6]), curve("by entropy", 1, [-10, -8, -8, -7])
    saved, low, high = asking.labels_saved(table_of(*chance, *chosen), "by entropy")
    assert saved == pytest.approx(1 - 250 / 400)
    of_each_seed = np.log([225 / 400, 350 / 400])
    half = 12.71 * np.sqrt((2 - 1) / 2 * np.sum((of_each_seed - of_each_seed.mean()) ** 2))
    assert (low, high) == pytest.approx((1 - 250 / 400 * np.exp(half), 1 - 250 / 400 * np.exp(-half)))


def test_a_way_that_never_gets_beyond_its_first_labels_saves_nothing_that_could_be_read_off():
    """The fault: it was said to save 0 %, with certainty, and was getting worse with each label."""
    worse = table_of(curve("at random", 0, [-10, -9, -8]), curve("by entropy", 0, [-10, -11, -12]))
    assert asking.labels_saved(worse, "by entropy") == (None, None, None)
    one = table_of(curve("at random", 0, [-10, -9, -8]), curve("by entropy", 0, [-10, -8, -7]))
    assert asking.labels_saved(one, "by entropy") == (pytest.approx(1 - 200 / 300), None, None)


def test_the_gain_at_equal_labels_is_the_seeds_mean_with_students_interval():
    """The faults: the first round, which all ways share, counted among the others; rounds taken for seeds."""
    gains, rows = (0.1, 0.2, 0.3), []
    for seed, more in enumerate(gains):
        rows.append(curve("at random", seed, [-10, -9 - seed, -8]))
        rows.append(curve("by entropy", seed, [-10, -9 - seed + more, -8 + more]))
    mean, low, high = asking.beside_chance(table_of(*rows), "by entropy", "log_likelihood")
    assert (mean, low, high) == pytest.approx((0.2, 0.2 - 4.303 * 0.1 / np.sqrt(3), 0.2 + 4.303 * 0.1 / np.sqrt(3)))
    one = asking.beside_chance(table_of(*rows[:2]), "by entropy", "log_likelihood")
    assert one == (pytest.approx(0.1), None, None)
    errors = table_of(*rows).assign(rmse=lambda table: 0.2 + 0.1 * (table["way"] == "at random"))
    assert asking.beside_chance(errors, "by entropy", "rmse")[0] == pytest.approx(-0.1)


def test_labels_that_were_not_saved_are_said_to_be_more():
    """The fault: "-30% fewer labels", beside a paper's "35 to 60 %"."""
    said = [asking.fewer_or_more(saved) for saved in (0.3, 0.0, -0.25, -1.2, None)]
    assert said == ["30% fewer", "0% fewer", "25% more", "120% more", "can't be read off"]


def test_a_head_on_a_base_is_what_stands_behind_the_convolutions(tmp_path):
    """The faults: other layers than the Bayesian CNN's, passes that do not differ, features of other galaxies."""
    cnn, head = bayesian_cnn(), bayesian_head(7)
    ours = [(type(one), one.get_config().get("rate"), one.output.shape) for one in head.layers[1:]]
    assert ours == [(type(one), one.get_config().get("rate"), one.output.shape) for one in cnn.layers[-5:]]
    assert head.count_params() == 8 * 128 + 129 * 37
    store = make_tiny_store(tmp_path / "store", 12)
    split = Split(np.arange(8), np.arange(8, 10), np.arange(10, 12))
    study = profiles.get("smoke").asking
    seen = asking.seen_by_base(study.base, study.model, store.examples(), split, tmp_path / "base")
    assert seen.inputs.shape == (12, 512)
    base, _ = base_and_head(NETWORKS[study.base].build(**study.model))
    np.testing.assert_allclose(seen.inputs, base.predict(store.images, verbose=0), rtol=2e-3, atol=2e-3)
    said = monte_carlo.passes(bayesian_head(512, "multinomial"), seen.inputs, split.test, 4)
    assert said.outputs.shape == (4, 2, 37)
    assert np.ptp(said.outputs, axis=0).max() > 0


def test_what_a_way_saves_is_said_with_its_interval_and_its_seeds():
    chance = [curve("at random", seed, [-10, -9, -8, -7]) for seed in (0, 1)]
    rows = *chance, curve("by entropy", 0, [-10, -8, -7, -6.01]), curve("by entropy", 1, [-10, -8, -7, -5.99])
    words = asking.in_words(table_of(*rows), "by entropy")
    lines = words.splitlines()
    assert lines[0] == "chosen by entropy, beside chance:"
    assert lines[1] == "   log-likelihood +1 at equal labels (95 % interval over seeds +0.96 to +1.04): it helps"
    assert lines[2] == "   labels at equal log-likelihood: 25% fewer (25% fewer to 25% fewer)"
    assert lines[3] == "   RMSE +0 at equal labels (95 % interval over seeds +0 to +0): may be chance"
    assert lines[4] == "   labels at equal RMSE: can't be read off"
    errors = table_of(*rows).assign(rmse=lambda table: 0.01 * table["log_likelihood"])
    assert ": it harms" in asking.in_words(errors, "by entropy").splitlines()[3]
    one = asking.in_words(table_of(chance[0], rows[2]), "by entropy")
    assert "(one seed has no interval): may be chance" in one
    assert one.splitlines()[2].endswith(": 25% fewer")
    harmed = table_of(*rows).assign(log_likelihood=lambda table: -table["log_likelihood"])
    assert ": it harms" in asking.in_words(harmed, "by entropy")
    assert "can't be read off" in asking.in_words(harmed, "by entropy")


def test_the_quantiles_of_students_t_are_scipys():
    """The fault: a slip in the table, which makes the interval of that many seeds too narrow or too wide."""
    expected = stats.t.ppf(0.975, np.arange(len(asking.STUDENT)) + 1)
    np.testing.assert_allclose(asking.STUDENT, expected, rtol=1e-3)


def test_one_galaxys_posteriors_are_of_as_many_as_were_asked():
    """And where nobody was asked, of as many as looked at it; the expected votes follow from the truth."""
    passes = posteriors.Passes(np.full((2, 1, 37), 4.0), "dirichlet_multinomial")
    votes, truth = np.zeros(37, int), np.full(37, 0.1)
    votes[:3] = [30, 10, 2]
    found = posteriors.of_one_galaxy(passes, 0, votes, ("Class1.1", "Class2.1"), truth)
    assert [one.shape for one in found["by_pass"]] == [(2, 43), (2, 43)]
    assert found["votes"] == [30, None]
    assert found["truth"] == pytest.approx([14, 21])
    assert COLUMNS[0] == "Class1.1"
