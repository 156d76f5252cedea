"""What is known of the processor that decides a result's last digits: its instructions, and how many cores may be used.

The same additions in another order round differently, and the order hangs on both.
"""

import os
import platform
import re
from pathlib import Path

import numpy as np

CPUINFO = Path("/proc/cpuinfo")  # Linux only
# What numerical libraries choose their kernels by, in the order of their appearance: in words, and as Linux and NumPy
# (before 2.4, and from then on by the levels of the x86-64 psABI) call them.
INSTRUCTIONS = {
    "AVX2": {"avx2", "x86_v3"},
    "FMA": {"fma", "fma3", "x86_v3"},
    "AVX512F": {"avx512f", "x86_v4", "avx512_skx"},
    "AVX512_VNNI": {"avx512_vnni", "avx512vnni", "avx512_clx", "avx512_icl"},
    "AVX512_BF16": {"avx512_bf16", "avx512bf16", "avx512_spr"},
    "AMX": {"amx_tile"},
    "NEON": {"neon", "asimd"},
    "SVE": {"sve"},
}


def instruction_set() -> str:
    """The processor's kind and its vector instructions, such as "x86-64 AVX2 FMA AVX512F" or "arm64 NEON".

    They stand in /proc/cpuinfo on Linux; elsewhere NumPy says what it found. "instructions unknown" where neither does.
    """
    machine = platform.machine().lower()
    kind = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "arm64"}.get(machine, machine or "unknown")
    there = _of_linux() or _of_numpy()
    names = [name for name, spellings in INSTRUCTIONS.items() if spellings & there]
    return f"{kind} {' '.join(names)}" if names else f"{kind}, instructions unknown"


def _of_linux() -> set[str]:
    """The first core's flags; none where there is no such file, or it cannot be read."""
    try:
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", CPUINFO.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return set()
    return set(found[1].lower().split()) if found else set()


def _of_numpy() -> set[str]:
    """Of those instructions that NumPy has code for, those that this processor has; none where it does not say."""
    try:
        known = np.show_config(mode="dicts")["SIMD Extensions"]
        return {name.lower() for name in (*known["baseline"], *known["found"])}
    except (TypeError, KeyError, AttributeError):  # another NumPy may say it otherwise
        return set()


def cores() -> int:
    """How many cores this process may use; 1 where the system does not say."""
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # macOS, Windows
        return os.cpu_count() or 1
