"""Galaxy Zoo 2's own tables, in the published layouts: labels made as the challenge's, and every row accounted for.

The tables are made from simulated galaxies' volunteers, so that it is known what has to come out.
"""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from gzutils.data.archives import ChallengeError
from gzutils.data.open_data import gz2_tables
from gzutils.data.open_data.gz2_tables import ANSWERS, HART, WILLETT, read
from gzutils.data.simulation.survey import simulate
from gzutils.decision_tree import COLUMNS, QUESTIONS, answered, check_labels, question, shares_of_counts

GALAXIES = 60
OBJECT_IDS = 587722981736120300 + np.arange(GALAXIES)  # a float would make one of them all
SHUFFLED = np.random.default_rng(0).permutation(GALAXIES)
ASSET_IDS = 100 + 7 * SHUFFLED
LEADING = {
    WILLETT: "specobjid dr8objid dr7objid ra dec rastring decstring sample gz2class total_classifications total_votes",
    HART: "dr7objid ra dec rastring decstring sample gz2_class total_classifications total_votes",
}


@pytest.fixture(scope="module")
def votes():
    """Of each galaxy, how many volunteers gave each answer, in the order of the object ids."""
    return np.stack([simulate(0, number)[1] for number in range(GALAXIES)])


def table_of(votes, publication=WILLETT):
    """A table in a published layout; its debiased fractions are the plain ones. Rows in no order."""
    totals = np.repeat(answered(votes), [len(q.answers) for q in QUESTIONS], axis=1)
    fractions = votes / np.maximum(totals, 1)
    columns = {name: np.full(len(votes), "x") for name in LEADING[publication].split()}
    columns |= {"dr7objid": OBJECT_IDS, "total_classifications": votes[:, :3].sum(axis=1)}
    columns |= {"total_votes": votes.sum(axis=1)}
    for place, answer in enumerate(ANSWERS):
        columns[f"{answer}_count"] = votes[:, place]
        columns[f"{answer}_weight"] = votes[:, place] * 0.9
        for kind in ("fraction", "weighted_fraction", "debiased"):
            columns[f"{answer}_{kind}"] = fractions[:, place]
        columns[f"{answer}_flag"] = 0
    return pd.DataFrame(columns).iloc[SHUFFLED].reset_index(drop=True)


def mapping_of():
    """The mapping, with objects that have no picture and pictures of objects that have no labels."""
    rows = [(objid, "original", str(asset)) for objid, asset in zip(OBJECT_IDS, ASSET_IDS, strict=True)]
    rows += [(587722981736129999, "extra", "5"), (587722981736129998, "stripe82", "")]
    return pd.DataFrame(rows, columns=["objid", "sample", "asset_id"])


def written(folder, labels, mapping=None, name="labels.csv.gz"):
    labels.to_csv(folder / name, index=False)
    (mapping_of() if mapping is None else mapping).to_csv(folder / "mapping.csv", index=False)
    return folder / name, folder / "mapping.csv"


def row_of(table, number):
    """The row of the galaxy with this number."""
    return int(np.flatnonzero(table["dr7objid"] == OBJECT_IDS[number])[0])


def spoil(table, number, values):
    """Other numbers for one galaxy, by the names of their columns."""
    for column, value in values.items():
        table[column] = table[column].astype(object)
        table.loc[row_of(table, number), column] = value


def of_question(number, kind, values):
    names = [f"{answer}_{kind}" for answer in ANSWERS[question(number).slice]]
    return dict(zip(names, np.broadcast_to(values, len(names)).tolist(), strict=True))


def test_the_answers_are_the_trees_in_its_order():
    assert len(ANSWERS) == len(set(ANSWERS)) == 37
    for answer, column in zip(ANSWERS, COLUMNS, strict=True):
        assert int(answer[1:3]) == int(column.removeprefix("Class").split(".")[0])
    numbers = [int(re.search(r"_a(\d\d)_", answer)[1]) for answer in ANSWERS]
    assert numbers == [*range(1, 25), 38, *range(25, 35), 36, 37]


@pytest.mark.parametrize("publication", [WILLETT, HART])
@pytest.mark.parametrize("name", ["labels.csv.gz", "labels.csv"])
def test_labels_of_fractions_that_were_not_debiased_are_the_shares_of_the_counts(tmp_path, votes, publication, name):
    """Against the volunteers over all volunteers, worked out here; fails where rows, columns or ids change places."""
    table = read(*written(tmp_path, table_of(votes, publication), name=name))
    assert table.publication == publication
    assert table.object_ids.tolist() == OBJECT_IDS.tolist()
    assert table.asset_ids.tolist() == ASSET_IDS.tolist()
    np.testing.assert_array_equal(table.votes, votes)
    expected = votes / votes[:, :3].sum(axis=1, keepdims=True)
    for number in (6, 8):
        expected[:, question(number).slice] = votes[:, question(number).slice] / votes[:, 13:15].sum(axis=1)[:, None]
    np.testing.assert_allclose(table.labels, expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(table.labels, shares_of_counts(votes), rtol=0, atol=1e-7)
    kinds = (table.object_ids, table.asset_ids, table.labels, table.votes)
    assert [array.dtype for array in kinds] == [np.int64, np.int64, np.float32, np.int32]
    assert not any(table.left_out.values())


def test_columns_are_chosen_by_name(tmp_path, votes):
    """Fails where they are taken by their place."""
    table = table_of(votes)
    other = table[np.random.default_rng(1).permutation(table.columns)]
    first, second = (read(*written(tmp_path, one)) for one in (table, other))
    np.testing.assert_array_equal(first.labels, second.labels)
    np.testing.assert_array_equal(first.votes, second.votes)


def test_debiased_fractions_that_miss_a_sum_of_1_are_normalised_and_counted(tmp_path, votes):
    """Each question's own shares are its debiased fractions, and the labels keep the tree's identities."""
    table = table_of(votes)
    rng = np.random.default_rng(2)
    names = [f"{answer}_debiased" for answer in ANSWERS]
    table[names] *= rng.uniform(0.5, 1.5, table[names].shape)
    result = read(*written(tmp_path, table))
    check_labels(result.labels, result.object_ids, tolerance=1e-6)
    debiased = table.sort_values("dr7objid")[names].to_numpy()
    for q in QUESTIONS:
        own, given = result.labels[:, q.slice].astype(float), debiased[:, q.slice]
        there = own.sum(axis=1) > 0
        own, given = own[there], given[there]
        normalised = given / given.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(own / own.sum(axis=1, keepdims=True), normalised, atol=1e-5)
        sums = debiased[:, q.slice].sum(axis=1)
        misses = np.abs(sums - 1)[sums > 0]
        rows, largest = result.debiasing[q.number]
        assert rows == (misses > 0.01).sum()
        assert largest == pytest.approx(misses.max())
    assert np.abs(result.labels - shares_of_counts(votes)).max() > 0.05


def reaching(votes, number, unlike=()):
    """A galaxy whose volunteers came to a question."""
    return next(i for i in range(GALAXIES) if answered(votes)[i, number - 1] > 2 and i not in unlike)


@pytest.mark.parametrize("absent", [0.0, ""])
def test_a_question_without_debiased_fractions_takes_the_weighted_ones(tmp_path, votes, absent):
    galaxy = reaching(votes, 4)
    table = table_of(votes)
    spoil(table, galaxy, of_question(4, "debiased", absent))
    result = read(*written(tmp_path, table))
    assert result.noted["weighted fractions where debiased ones lack"] == 1
    np.testing.assert_allclose(result.labels, shares_of_counts(votes), rtol=0, atol=1e-7)


@pytest.mark.parametrize("number", [1, 4, 6])
def test_a_galaxy_with_a_question_that_was_reached_but_has_no_fractions_is_left_out(tmp_path, votes, number):
    """Its labels would break the tree, or, of question 6, say "nothing odd" of what nobody judged."""
    galaxy = reaching(votes, number)
    table = table_of(votes)
    for kind in ("debiased", "weighted_fraction"):
        spoil(table, galaxy, of_question(number, kind, 0.0))
    result = read(*written(tmp_path, table))
    assert result.left_out.pop("without fractions for a question that was reached") == 1
    assert not any(result.left_out.values())
    assert result.object_ids.tolist() == np.delete(OBJECT_IDS, galaxy).tolist()
    check_labels(result.labels, result.object_ids, tolerance=1e-6)


def test_objects_without_a_picture_and_repeated_ones_are_left_out_and_counted(tmp_path, votes):
    table, mapping = table_of(votes), mapping_of()
    table = pd.concat([table, table.iloc[[row_of(table, 7)]]])
    mapping = mapping[mapping["objid"] != OBJECT_IDS[3]]
    mapping.loc[mapping["objid"] == OBJECT_IDS[5], "asset_id"] = ""
    result = read(*written(tmp_path, table, mapping))
    assert (result.left_out["without a picture"], result.left_out["repeated"]) == (2, 1)
    assert result.object_ids.tolist() == np.delete(OBJECT_IDS, [3, 5]).tolist()
    assert result.asset_ids.tolist() == np.delete(ASSET_IDS, [3, 5]).tolist()


def test_of_several_pictures_of_an_object_the_lowest_name_is_taken(tmp_path, votes):
    """Fails where the order of the mapping's rows decides, or a galaxy comes twice."""
    more = [(OBJECT_IDS[8], "stripe82", str(name)) for name in (900, 3, 500)]
    mapping = pd.concat([mapping_of(), pd.DataFrame(more, columns=["objid", "sample", "asset_id"])])
    result = read(*written(tmp_path, table_of(votes), mapping))
    assert result.object_ids.tolist() == OBJECT_IDS.tolist()
    assert result.asset_ids[8] == 3


def test_stars_are_kept_and_counted(tmp_path, votes):
    votes = votes.copy()
    votes[4] = 0
    votes[4, [2]] = 40  # all say "star or artifact"; nobody is asked for anything odd
    result = read(*written(tmp_path, table_of(votes)))
    before = (shares_of_counts(votes)[:, 2] > 0.5).sum()
    assert result.noted["mostly star or artifact"] == before >= 1
    assert result.labels[4, [2, 14]].tolist() == [1, 1]
    assert len(result.labels) == GALAXIES


DAMAGE = {"count": ("", -1, 0.5, "many", 1e12), "debiased": ("", -0.1, "inf", "x"), "weighted_fraction": ("", "-inf")}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in DAMAGE.items() for value in values])
def test_few_damaged_rows_are_left_out_and_many_refused_with_the_first(tmp_path, votes, kind, value):
    table = table_of(votes)
    name = f"t01_smooth_or_features_a02_features_or_disk_{kind}"
    for galaxy in range(11):
        spoil(table, galaxy, {name: value})
        if galaxy == 2:
            result = read(*written(tmp_path, table))
            assert result.left_out["damaged"] == 3
            assert result.object_ids.tolist() == OBJECT_IDS[3:].tolist()
            check_labels(result.labels, result.object_ids, tolerance=1e-6)
    first = min(row_of(table, galaxy) for galaxy in range(11))
    named = rf"labels\.csv\.gz: {name} of row {first + 1} \(object {table['dr7objid'][first]}\) is .*; 11 of 60 rows"
    with pytest.raises(ChallengeError, match=named):
        read(*written(tmp_path, table))


def test_ids_that_went_through_a_float_are_refused(tmp_path, votes):
    table = table_of(votes)
    table["dr7objid"] = table["dr7objid"].astype(float)
    with pytest.raises(ChallengeError, match=r"labels\.csv\.gz: dr7objid of row 1 is '5\.877.*', not a whole number"):
        read(*written(tmp_path, table))
    mapping = mapping_of()
    mapping["objid"] = mapping["objid"].astype(float)
    with pytest.raises(ChallengeError, match=r"mapping\.csv: objid of row 1 is '5\.877"):
        read(*written(tmp_path, table_of(votes), mapping))


def test_a_row_is_named_by_its_place_in_the_whole_file(tmp_path, votes, monkeypatch):
    """Fails where it is counted from the start of the part that is read at once."""
    monkeypatch.setattr(gz2_tables, "CHUNK", 7)
    table = table_of(votes)
    spoil(table, int(SHUFFLED[23]), {"dr7objid": "x"})
    with pytest.raises(ChallengeError, match="dr7objid of row 24 is 'x'"):
        read(*written(tmp_path, table))
    np.testing.assert_array_equal(read(*written(tmp_path, table_of(votes))).votes, votes)


def test_missing_columns_are_named(tmp_path, votes):
    table = table_of(votes).drop(columns=["t08_odd_feature_a38_dust_lane_debiased", "t03_bar_a06_bar_count"])
    with pytest.raises(ChallengeError, match=r"gz: columns are missing .*: t03_bar_a06_bar_count, t08_odd"):
        read(*written(tmp_path, table))
    with pytest.raises(ChallengeError, match=r"mapping\.csv: columns are missing in the first line: asset_id"):
        read(*written(tmp_path, table_of(votes), mapping_of().rename(columns={"asset_id": "picture"})))


def test_what_is_no_table_is_refused_in_words(tmp_path, votes):
    labels, mapping = written(tmp_path, table_of(votes))
    whole = labels.read_bytes()
    for content, words in (
        (whole[: len(whole) // 2], "the table is damaged"),
        (whole[:-8] + b"\0" * 8, "the table is damaged"),
        (whole[:30] + bytes(300) + whole[330:], "the table is damaged|cannot be read|columns are missing"),
        (b"<!DOCTYPE html><html>Too many requests</html>", "looks like a web page"),
        (gzip.compress(b"<html>"), "looks like a web page"),
        (b"", "columns are missing"),
        (gzip.decompress(whole).splitlines()[0] + b"\n", "the table has no galaxies"),
    ):
        labels.write_bytes(content)
        with pytest.raises(ChallengeError, match=words) as error:
            read(labels, mapping)
        assert str(error.value).startswith(f"{labels}: ")
        assert re.search(r"delete it and run again.*one of your own", str(error.value))
    with pytest.raises(ChallengeError, match=r"nowhere\.csv: cannot be read"):
        read(tmp_path / "nowhere.csv", mapping)


def test_a_mapping_of_other_objects_is_refused(tmp_path, votes):
    mapping = mapping_of()
    mapping["objid"] += 1000
    with pytest.raises(ChallengeError, match=r"none of its galaxies can be used: .*'without a picture': 60"):
        read(*written(tmp_path, table_of(votes), mapping))
