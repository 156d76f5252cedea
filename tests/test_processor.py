"""What `metrics.json` says of the processor: right on this machine, from a second source too, and never a failure."""

import os
import platform
import re

import keras
import numpy as np
import pytest

from gzutils.course import measure
from gzutils.tools import backend, processor

AMD = "processor\t: 0\nflags\t\t: fpu sse2 fma avx avx2 avx512f avx512_vnni\n\nprocessor\t: 1\nflags\t\t: fpu\n"
GRAVITON = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: fp asimd evtstrm sve\n"


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "said"),
    [
        ("x86_64", AMD, "x86-64 AVX2 FMA AVX512F AVX512_VNNI"),
        ("AMD64", AMD.replace("avx512f avx512_vnni", ""), "x86-64 AVX2 FMA"),
        ("aarch64", GRAVITON, "arm64 NEON SVE"),
        ("riscv64", "processor\t: 0\nisa\t: rv64imafdc\n", "riscv64, instructions unknown"),
    ],
)
def test_linux_says_which_instructions_there_are(tmp_path, monkeypatch, machine, cpuinfo, said):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(np, "show_config", lambda mode: {})
    assert processor.instruction_set() == said


@pytest.mark.parametrize(
    ("machine", "found", "said"),
    [
        ("arm64", {"baseline": ["NEON", "ASIMD"], "found": ["ASIMDHP"]}, "arm64 NEON"),
        (
            "AMD64",
            {"baseline": ["SSE2"], "found": ["FMA3", "AVX2", "AVX512F"]},
            "x86-64 AVX2 FMA AVX512F",
        ),  # NumPy 1.26
        ("AMD64", {"baseline": ["X86_V2"], "found": ["X86_V3"]}, "x86-64 AVX2 FMA"),  # 2.4
        ("", {}, "unknown, instructions unknown"),
    ],
)
def test_elsewhere_numpy_says_it_and_where_nobody_does_it_is_unknown(tmp_path, monkeypatch, machine, found, said):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(np, "show_config", lambda mode: {"SIMD Extensions": found})
    assert processor.instruction_set() == said


@pytest.mark.skipif(not processor.CPUINFO.is_file(), reason="needs Linux")
def test_both_sources_agree_on_this_machine(monkeypatch, tmp_path):
    """But for AMX and 16-bit floats, which NumPy has no code of its own for."""
    of_linux = processor.instruction_set()
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    of_numpy = processor.instruction_set()
    assert "unknown" not in of_linux
    assert re.sub(r" (AMX|AVX512_BF16|SVE)", "", of_linux) == re.sub(r" (AVX512_BF16|SVE)", "", of_numpy)


def test_a_numpy_that_says_nothing_is_no_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path)  # a folder: it cannot be read
    monkeypatch.setattr(np, "show_config", lambda: None)
    assert processor.instruction_set().endswith("instructions unknown")


def test_the_cores_are_those_that_this_process_may_use(monkeypatch):
    if hasattr(os, "sched_getaffinity"):
        assert processor.cores() == len(os.sched_getaffinity(0))
        monkeypatch.delattr(os, "sched_getaffinity")
    assert processor.cores() == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processor.cores() == 1


def test_tensorflow_is_asked_for_its_threads(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(processor, "cores", lambda: 7)
    if keras.backend.backend() != "tensorflow":
        assert backend.threads() == 7
        return
    import tensorflow

    monkeypatch.setattr(tensorflow.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
    assert backend.threads() == 7
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert backend.threads() == 3
    monkeypatch.setattr(tensorflow.config.threading, "get_intra_op_parallelism_threads", lambda: 2)
    assert backend.threads() == 2


def test_metrics_json_keeps_them():
    machine = measure.machine()
    assert set(machine) == {"versions", "device", "threads", "instruction_set"}
    assert machine["threads"] >= 1
    assert machine["instruction_set"] == processor.instruction_set()
