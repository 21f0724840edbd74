"""Python code in processes of their own, forked from one that has imported torch, or more, and has done nothing else.

Importing torch takes longer than most of what such code does. Where there is no fork, every process is a new one.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path

__all__ = ["run_code"]

# Reads jobs, a line each, without reading ahead: what it held would be the child's too. Says a child's number, then its status.
_TEMPLATE = """
import importlib, json, os, sys, types
for name in sys.argv[1:]:
    importlib.import_module(name)
import torch
torch.set_num_threads(1)
jobs = open(0, "rb", buffering=0, closefd=False)
while True:
    line = jobs.readline()
    if not line:
        sys.exit()
    job = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
for number, path in enumerate([os.devnull, *job["says"]]):
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.dup2(file, number)
    os.close(file)
os.environ.clear()
os.environ.update(job["environment"])
os.chdir(job["folder"])
sys.argv = ["-c", *job["arguments"]]
sys.path[0:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", *sys.path)]
main = sys.modules["__main__"] = types.ModuleType("__main__")
exec(compile(job["code"], "<string>", "exec"), main.__dict__)
"""


@cache
def _template(imported: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _TEMPLATE, *imported]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    atexit.register(process.kill)
    return process


def run_code(
    code: str,
    *arguments: str,
    folder: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    timeout: float = 120.0,
    imported: tuple[str, ...] = ("torch",),
) -> subprocess.CompletedProcess[str]:
    """Run code as ``python -c`` would.

    Args:
        code: Of one indentation.
        *arguments: Its command line.
        folder: Where it runs; here if None.
        environment: All of its environment.
        timeout: [s].
        imported: Modules that are imported already, with what they import.

    Raises:
        subprocess.TimeoutExpired: It did not end in time; it is killed.
    """
    code = textwrap.dedent(code)
    if not hasattr(os, "fork"):
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    template = _template(imported)
    assert template.stdin is not None
    assert template.stdout is not None
    with tempfile.TemporaryDirectory() as kept:
        says = [os.path.join(kept, name) for name in ("stdout", "stderr")]
        job = {"code": code, "arguments": arguments, "folder": str(folder or Path.cwd()), "says": says}
        template.stdin.write(json.dumps({**job, "environment": dict(environment)}) + "\n")
        child = int(template.stdout.readline())
        late = not select.select([template.stdout], [], [], timeout)[0]
        if late:
            os.kill(child, signal.SIGKILL)
        status = int(template.stdout.readline())
        if late:
            raise subprocess.TimeoutExpired(["python", "-c", code, *arguments], timeout)
        return subprocess.CompletedProcess([*arguments], status, *(Path(path).read_text() for path in says))
