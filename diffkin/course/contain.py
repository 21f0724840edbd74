"""Run a submission in a process of its own and collect what its functions do, whatever it tries.

The submission runs in an empty temporary folder, with limits on time and memory, behind the fence of ``fence.py``. It gets
inputs and gives values; the right answers stay in this process, so nothing that it writes can make itself right.
"""

from __future__ import annotations

import ast
import binascii
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from diffkin.course.exercise import Exercise
from diffkin.course.observe import Observation
from diffkin.course.wire import decode, encode

__all__ = ["ALLOWED_IMPORTS", "Failure", "Limits", "forbidden_imports", "run_submission"]

ALLOWED_IMPORTS = frozenset(
    {
        "torch",
        "numpy",
        "math",
        "cmath",
        "random",
        "statistics",
        "fractions",
        "numbers",
        "itertools",
        "functools",
        "operator",
    }
    | {"collections", "dataclasses", "enum", "typing", "abc", "copy", "string", "time", "warnings", "__future__"}
)

_MOST_SOURCE = 200_000  # bytes of a submission
_MOST_REPORT = 200_000_000  # bytes of what comes back
_START = 120.0  # [s] to load torch, on a busy machine


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes:
        seconds: For each exercise, wall clock [s].
        memory: Bytes beyond what torch takes.
    """

    seconds: float = 20.0
    memory: int = 1_000_000_000


@dataclass(frozen=True)
class Failure:
    """Why there are no observations of an exercise: a key of ``REASONS`` and what fills its text."""

    reason: str
    message: str = ""


def forbidden_imports(source: str) -> list[str]:
    """Names of the modules that a submission imports and may not.

    Args:
        source: Python source.

    Returns:
        Top-level names, sorted; ``__import__`` and ``importlib`` are among them.

    Raises:
        SyntaxError: The source is no Python.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level or node.module is None else node.module.split(".")[0])
        elif isinstance(node, ast.Name) and node.id == "__import__":
            found.add("__import__")
    return sorted(found - ALLOWED_IMPORTS)


def run_submission(
    source: str,
    exercises: Sequence[Exercise],
    cases: Mapping[str, Sequence[tuple[Any, ...]]],
    limits: Limits | None = None,
) -> dict[str, list[Observation] | Failure]:
    """What the functions of a submission do, each with its inputs.

    An exercise that ends or hangs the process costs that exercise alone: the others are run in a new process.

    Args:
        source: The submission's Python source.
        exercises: What it should answer.
        cases: The inputs of each exercise, by its number.
        limits: Time and memory.

    Returns:
        By the number of the exercise: the observations, one for each input, or why there are none.
    """
    limits = limits or Limits()
    try:
        if len(source) > _MOST_SOURCE:
            raise ValueError(f"more than {_MOST_SOURCE} characters")
        forbidden = forbidden_imports(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        failure = Failure("not read", f"{type(error).__name__}: {error}")
        return {exercise.number: failure for exercise in exercises}
    if forbidden:
        failure = Failure("imports", ", ".join(forbidden))
        return {exercise.number: failure for exercise in exercises}

    results: dict[str, list[Observation] | Failure] = {}
    while waiting := [exercise for exercise in exercises if exercise.number not in results]:
        results |= _run_once(source, waiting, cases, limits)
    return results


def _run_once(
    source: str, exercises: Sequence[Exercise], cases: Mapping[str, Sequence[tuple[Any, ...]]], limits: Limits
) -> dict[str, list[Observation] | Failure]:
    """Results of at least one exercise: of all, or of those up to the one that ended the process."""
    job = {
        "source": source,
        "memory": limits.memory,
        "seconds": limits.seconds * (len(exercises) + 1),
        "exercises": [
            {
                "function": exercise.function,
                "cases": [encode(case) for case in cases[exercise.number]],
                "gradient": exercise.gradient,
            }
            for exercise in exercises
        ],
    }
    with tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as folder:
        child = _start(folder)
        lines: queue.Queue[bytes | None] = queue.Queue(maxsize=10_000)
        assert child.stdin is not None and child.stdout is not None
        threading.Thread(target=_feed, args=(child.stdin, json.dumps(job).encode()), daemon=True).start()
        threading.Thread(target=_read, args=(child.stdout, lines), daemon=True).start()
        try:
            return _listen(lines, exercises, cases, limits)
        finally:
            _end(child)


def _start(folder: str) -> subprocess.Popen[bytes]:
    """The child: Python without user settings, in an empty folder, with next to no environment."""
    kept = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"HOME": folder, "TMPDIR": folder, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-I", "-B", str(Path(__file__).with_name("child.py"))]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _feed(pipe: IO[bytes], job: bytes) -> None:
    with contextlib.suppress(OSError), pipe:  # a child that is gone reads nothing
        pipe.write(job)


def _read(pipe: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    """Lines of the report, and None at its end; stops reading where it is longer than any honest one."""
    left = _MOST_REPORT
    with contextlib.suppress(OSError, ValueError), pipe:
        while left > 0 and (line := pipe.readline(left)):
            left -= len(line)
            lines.put(line)
    lines.put(None)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the process and all that it may have started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()


def _listen(
    lines: queue.Queue[bytes | None],
    exercises: Sequence[Exercise],
    cases: Mapping[str, Sequence[tuple[Any, ...]]],
    limits: Limits,
) -> dict[str, list[Observation] | Failure]:
    results: dict[str, list[Observation] | Failure] = {}

    def failed(failure: Failure, loaded: bool) -> dict[str, list[Observation] | Failure]:
        """Blame the exercise whose turn it was; all of them where the file did not even load."""
        rest = [exercise.number for exercise in exercises if exercise.number not in results]
        return results | {number: failure for number in (rest[:1] if loaded else rest)}

    loaded, deadline = False, time.monotonic() + _START
    while len(results) < len(exercises):
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return failed(Failure("time"), loaded)
        if line is None:
            return failed(Failure("crashed"), loaded)
        exercise = exercises[len(results)]
        try:
            message = json.loads(line)
            if "unreadable" in message:
                return failed(Failure("not read", str(message["unreadable"])[:500]), False)
            if "missing" in message:
                results[exercise.number] = Failure("missing")
            elif "seen" in message:
                seen = [_observation(each) for each in message["observations"]]
                if message["seen"] != exercise.function or len(seen) != len(cases[exercise.number]):
                    return failed(Failure("crashed"), loaded)
                results[exercise.number] = seen
            elif "loaded" in message:
                loaded = True
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
            return failed(Failure("crashed"), loaded)  # not written by our side of the pipe
        deadline = time.monotonic() + limits.seconds
    return results


def _observation(coded: dict[str, Any]) -> Observation:
    one = Observation(**{name: decode(value) for name, value in coded.items()})
    flags = isinstance(one.touched, bool) and isinstance(one.attached, bool)
    if not flags or not isinstance(one.error, str) or not isinstance(one.message, str):
        raise ValueError("Not an observation.")
    return one
