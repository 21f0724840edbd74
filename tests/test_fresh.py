"""Code that the tests run in a process of its own is run as ``python -c`` would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.fresh import run_code


def test_arguments_folder_and_environment_are_its_own(tmp_path: Path) -> None:
    code = """
        import os, sys
        print(sys.argv[1:], os.getcwd(), os.environ["MINE"], "HOME" in os.environ, "diffkin" in sys.modules)
        print(sys.stdin.read() == "", file=sys.stderr)
    """
    done = run_code(code, "a b", "", folder=tmp_path, environment={"MINE": "yes"})
    assert done.stdout == f"['a b', ''] {tmp_path} yes False False\n"
    assert (done.returncode, done.stderr) == (0, "True\n")
    assert "MINE" not in os.environ


def test_ends_are_told() -> None:
    assert run_code("import sys; sys.exit(3)").returncode == 3
    assert run_code("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").returncode == -9
    failed = run_code("def f():\n    return 1 / 0\nf()")
    assert failed.returncode == 1
    assert failed.stderr.endswith("ZeroDivisionError: division by zero\n")
    with pytest.raises(subprocess.TimeoutExpired):
        run_code("import time; time.sleep(60)", timeout=0.5)
    assert run_code("import atexit; atexit.register(print, 'last'); print('first')").stdout == "first\nlast\n"
