"""Files are written whole or not at all, and named by what is in them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gzutils.tools.files import stderr_to, whole_file, write_text, zeros_file
from gzutils.tools.records import fingerprint, read_json, sha256, write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


# ---- whole files


def test_a_whole_file_takes_its_place_and_nothing_else_stays(tmp_path):
    path = tmp_path / "new" / "folder" / "data.csv"
    with whole_file(str(path)) as beside:
        beside.write_text("first")
        assert beside.parent == path.parent
        assert beside.suffix == ".csv", "some writers choose the format by it"
        assert not path.exists()
    with whole_file(path) as beside:
        beside.write_text("second")
        assert path.read_text() == "first", "readers see the old file until the new one is whole"
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def write_half(path, failure):
    with whole_file(path) as beside:
        beside.write_text("half")
        raise failure


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path, failure):
    path = tmp_path / "data.csv"
    path.write_text("old")
    with pytest.raises(failure):
        write_half(path, failure)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_where_there_was_no_file_leaves_none(tmp_path):
    with pytest.raises(RuntimeError):
        write_half(tmp_path / "data.csv", RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), whole_file(path):
        pass
    assert path.read_text() == "old"


def test_text_is_utf_8(tmp_path):
    write_text(tmp_path / "text.txt", "λ = 0.001 ± 10 %\n")
    assert (tmp_path / "text.txt").read_bytes() == "λ = 0.001 ± 10 %\n".encode()


@pytest.mark.parametrize("shape", [(7,), (3, 64, 64, 3), (300, 64, 64, 3)])
def test_a_file_of_zeros_has_all_its_room_on_the_disk(tmp_path, shape):
    """The change of the code that fails here: `zeros_file` without its loop of writes, which leaves a hole."""
    zeros_file(tmp_path / "zeros.npy", np.uint8, shape)
    array = np.load(tmp_path / "zeros.npy", mmap_mode="r")
    assert (array.shape, array.dtype, array.any()) == (shape, np.uint8, False)
    os.sync()  # some file systems choose the blocks only then
    assert (tmp_path / "zeros.npy").stat().st_blocks * 512 >= array.nbytes


# ---- JSON


@given(value=JSON)
def test_json_comes_back_as_it_went_in(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_numpy_numbers_and_paths_become_plain_ones(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, {"a": np.float32(0.5), "b": np.int64(3), "c": np.arange(3), "d": Path("x/y"), "e": np.bool_(True)})
    assert json.loads(path.read_text()) == {"a": 0.5, "b": 3, "c": [0, 1, 2], "d": "x/y", "e": True}


def test_json_reads_well(tmp_path):
    write_json(tmp_path / "value.json", {"name": "Größe", "n": 1})
    assert (tmp_path / "value.json").read_text(encoding="utf-8") == '{\n  "name": "Größe",\n  "n": 1\n}\n'


def test_what_json_cannot_hold_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "value.json"
    write_json(path, 1)
    with pytest.raises(TypeError, match="set cannot be written as JSON"):
        write_json(path, {"a": {1, 2}})
    assert read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"a = 1"])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a JSON file \(.+\); delete it and run again") as error:
        read_json(path)
    assert str(error.value).startswith(str(path))


# ---- fingerprints


@given(value=JSON)
def test_equal_values_have_equal_fingerprints(value):
    again = json.loads(json.dumps(value))
    assert fingerprint(value) == fingerprint(again)
    assert len(fingerprint(value)) == 8
    assert int(fingerprint(value), 16) >= 0


def test_neither_order_nor_numpy_makes_a_difference():
    value = {"a": 1, "b": [1, 2], "c": 0.5}
    assert fingerprint({"c": np.float64(0.5), "b": (1, 2), "a": np.int64(1)}) == fingerprint(value)
    assert fingerprint({"b": np.array([1, 2]), "c": 0.5, "a": 1}) == fingerprint(value)


@pytest.mark.parametrize("other", [{"a": 2}, {"b": 1}, {"a": "1"}, {"a": 1, "b": None}, [1], {"a": [1]}, {"a": 1.5}])
def test_other_values_have_other_fingerprints(other):
    assert fingerprint(other) != fingerprint({"a": 1})


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_stderr_goes_to_a_file_also_from_child_processes_and_comes_back(tmp_path, capfd):
    with stderr_to(tmp_path / "log"):
        subprocess.run(["sh", "-c", "echo from a child >&2"], check=True)
        print("from Python", file=sys.__stderr__, flush=True)
        os.write(2, b"from below\n")
    os.write(2, b"afterwards\n")
    assert (tmp_path / "log").read_text().splitlines() == ["from a child", "from Python", "from below"]
    assert capfd.readouterr().err == "afterwards\n"
