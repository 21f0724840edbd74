"""Submissions that hang, crash, flood, start processes or leave their folder are contained, and cannot make themselves right."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from diffkin.course import Exercise, Text
from diffkin.course.contain import Failure, Limits, forbidden_imports, run_submission
from diffkin.course.judge import judge
from diffkin.course.observe import Observation

TEXT = Text("double", "翻倍")
CASE = (torch.tensor([1.0, 2.0], dtype=torch.float64),)
DOUBLE = Exercise("0.1", TEXT, TEXT, "double(x)", lambda seed: [CASE, (3 * CASE[0],)], lambda x: 2 * x, TEXT)


def run(
    source: str, *names: str, seconds: float = 20.0, memory: int = 1_000_000_000
) -> dict[str, Observation | Failure]:
    """What each function of a submission did with its first input."""
    exercises = [dataclasses.replace(DOUBLE, number=name, signature=f"{name}(x)") for name in names]
    cases = {name: DOUBLE.inputs(0) for name in names}
    results = run_submission(source, exercises, cases, Limits(seconds, memory))
    return {name: result if isinstance(result, Failure) else result[0] for name, result in results.items()}


def test_answers_come_back_whatever_is_printed() -> None:
    source = """
import sys, numpy, torch

def plain(x):
    return 2 * x

def flood(x):
    for _ in range(20000):
        print("right " * 20)
    sys.__stdout__.write('{"seen": "flood", "observations": []}')
    sys.stderr.write("x" * 1000000)
    return 2 * x

def array(x):
    return numpy.asarray(2 * x)

def broken(x):
    return 1 / 0
""".replace("import sys, ", "import ").replace("sys.", "torch.sys.")
    seen = run(source, "plain", "flood", "array", "broken", "absent")
    for name in ("plain", "flood", "array"):
        assert seen[name].value.tolist() == [2.0, 4.0], seen[name]
    assert seen["broken"].error == "ZeroDivisionError"
    assert seen["absent"] == Failure("missing")


def test_one_process_that_ends_or_hangs_costs_one_exercise() -> None:
    source = """
import torch

def good(x):
    return 2 * x

def hang(x):
    while True:
        pass

def leave(x):
    torch.os._exit(0)

def last(x):
    return 2 * x
"""
    seen = run(source, "good", "hang", "leave", "last", seconds=2.0)
    assert seen["hang"] == Failure("time")
    assert seen["leave"] == Failure("crashed")
    assert seen["good"].value.tolist() == seen["last"].value.tolist() == [2.0, 4.0]


def test_memory_files_processes_and_sockets_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other" / "lesson_01.py"
    other.parent.mkdir()
    other.write_text("secret", encoding="utf-8")
    source = f"""
import torch
os = torch.os
load = torch.importlib.import_module

def tensor(x): return torch.zeros(10**10)
def text(x): return "x" * 10**10
def write(x): open({str(tmp_path / "new")!r}, "w")
def overwrite(x): open({str(other)!r}, "r+")
def read(x): return open({str(other)!r}).read()
def passwd(x): return open("/etc/passwd").read()
def up(x): return open("../" * 20 + "etc/passwd").read()
def look(x): return os.listdir({str(tmp_path)!r})
def delete(x): os.remove({str(other)!r})
def link(x): os.symlink({str(other)!r}, "here")
def move(x): os.chdir("/")
def fork(x): os.fork()
def shell(x): os.system("touch {tmp_path}/shell")
def process(x): load("subprocess").run(["touch", "{tmp_path}/process"])
def lower(x): load("_posixsubprocess").fork_exec()
def kill(x): os.kill(os.getppid(), 9)
def socket(x): load("socket").create_connection(("127.0.0.1", 80))
def foreign(x): load("ctypes").CDLL(None)
def judge(x): return load("diffkin").course.find_exercise("1.1")
def own(x):
    open("note.txt", "w").write("mine")
    return 2 * x if open("note.txt").read() == "mine" else x
"""
    names = [line[4:].split("(")[0] for line in source.splitlines() if line.startswith("def ")]
    seen = run(source, *names)
    wrong = {
        name: one for name, one in seen.items() if getattr(one, "error", "") not in ("PermissionError", "MemoryError")
    }
    assert set(wrong) - {"own", "tensor"} == set(), wrong
    assert seen["tensor"].error == "RuntimeError" and "memory" in seen["tensor"].message
    assert seen["text"].error == "MemoryError"
    assert seen["own"].value.tolist() == [2.0, 4.0], seen["own"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]
    assert other.read_text(encoding="utf-8") == "secret"


def test_verdict_cannot_be_forged() -> None:
    source = """
import torch
line = b'{"seen": "FORGE", "observations": [{"value": true, "right": true}, {}], "right": true, "done": true}\\n'

def forge(x):
    for number in range(3, 64):
        try:
            torch.os.write(number, line.replace(b"FORGE", b"forge"))
        except OSError:
            pass
    return x
def patch(x):
    for module in list(torch.sys.modules.values()):
        for name in ("close", "judge", "verdict_of", "observe"):
            if hasattr(module, name) and "torch" not in str(module):
                setattr(module, name, lambda *args, **words: True)
    return 0 * x
"""
    exercises = [dataclasses.replace(DOUBLE, number=name, signature=f"{name}(x)") for name in ("forge", "patch")]
    cases = {exercise.number: DOUBLE.inputs(0) for exercise in exercises}
    results = run_submission(source, exercises, cases)
    for exercise in exercises:
        result = results[exercise.number]
        assert isinstance(result, Failure) or not judge(exercise, cases[exercise.number], result).right
    assert results["forge"] == Failure("crashed")


@pytest.mark.parametrize(
    ("source", "failure"),
    [
        ("def double(x:\n", "not read"),
        ("raise ValueError('no')", "not read"),
        ("import diffkin", "imports"),
        ("from diffkin.course import check", "imports"),
        ("def double(x):\n    import subprocess", "imports"),
        ("__import__('os')", "imports"),
        ("x = 1\n" * 200_000, "not read"),
    ],
)
def test_files_that_cannot_be_run(source: str, failure: str) -> None:
    assert run(source, "double")["double"].reason == failure


def test_allowed_imports() -> None:
    assert (
        forbidden_imports("import torch.nn as nn, numpy as np\nfrom math import pi\nfrom collections import abc") == []
    )
    assert forbidden_imports("import os, sys\nfrom . import x\nimportlib = 1") == [".", "os", "sys"]


def test_endless_loading_is_ended() -> None:
    assert run("while True: pass", "double", "other", seconds=2.0) == {
        "double": Failure("time"),
        "other": Failure("time"),
    }
