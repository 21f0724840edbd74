"""Runs code at the vector width that this processor would not choose: AVX2 where it has AVX-512, and the other way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_AT_OTHER_WIDTH = """
import numba, llvmlite.binding as llvm
numba.njit(lambda: 0)()  # Numba has asked for the processor by now
host = llvm.get_host_cpu_features
llvm.get_host_cpu_features = lambda: {"avx512f": not host().get("avx512f")}
from diffkin.kernels.vectors.lanes import VECTOR_BYTES
llvm.get_host_cpu_features = host
assert (VECTOR_BYTES == 64) == (not host().get("avx512f"))
"""


def run_at_other_width(code: str, cache: Path) -> None:
    """Run Python code in a process of its own whose vectors have the other number of lanes; fail where it fails.

    Args:
        code: What to run; it must raise where something is wrong.
        cache: A folder for compiled kernels, that nobody else uses.
    """
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _AT_OTHER_WIDTH + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
