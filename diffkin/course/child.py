"""The process that a submission runs in: reads a job, calls the functions, writes down what they do. It judges nothing.

Started by file name, apart from the package, so that diffkin is not loaded here: the reference answers are elsewhere.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def _neighbour(name: str) -> ModuleType:
    """A module of this folder by its file, without the package round it."""
    spec = importlib.util.spec_from_file_location(f"_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Read one job from standard input and report on what was standard output; both are gone for the submission."""
    job = json.loads(sys.stdin.buffer.read())
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)

    def say(**message: Any) -> None:
        report.write(json.dumps(message) + "\n")
        report.flush()

    wire, observe, fence = (_neighbour(name) for name in ("wire", "observe", "fence"))
    import torch

    torch.set_num_threads(1)
    torch.ones(1, requires_grad=True).sum().backward()  # starts what torch starts late
    exercises = [
        (each["function"], [wire.decode(case, functions=True) for case in each["cases"]], each["gradient"])
        for each in job["exercises"]
    ]
    say(ready=True)
    fence.limit_resources(job["memory"], job["seconds"])
    fence.close_fence(os.getcwd())
    names: dict[str, Any] = {"__name__": "submission"}
    try:
        exec(compile(job["source"], "submission.py", "exec"), names)
    except BaseException as error:  # whatever a submission does when it is loaded is reported
        say(unreadable=f"{type(error).__name__}: {error}"[:500])
        return
    say(loaded=True)
    for function, cases, gradient in exercises:
        say(begins=function)
        answer = names.get(function)
        if not callable(answer):
            say(missing=function)
            continue
        seen = [observe.observe(answer, case, gradient) for case in cases]
        say(
            seen=function,
            observations=[{name: wire.encode(value) for name, value in one._asdict().items()} for one in seen],
        )
    say(done=True)


if __name__ == "__main__":
    main()
