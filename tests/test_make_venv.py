"""The search for a Python that fits, tried with stand-ins for every Python, uv and compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_venv.sh"
TOOLS = ("sh", "cat", "mkdir", "rm", "sleep", "tail", "chmod", "touch")

# A stand-in says what it is asked about versions, and makes a folder for ``-m venv``.
PYTHON = """#!/bin/sh
case "$*" in
*version_info*) echo {version} ;;
*ensurepip*) exit {no_venv} ;;
"-m venv "*) mkdir -p "$3/bin"; echo "made by {name}" > "$3/made"; cp_self() {{ cat "$0" > "$1"; chmod +x "$1"; }}; cp_self "$3/bin/python" ;;
"-m pip --version") exit {no_pip} ;;
*--target*) {installs_uv} ;;
*pybullet*) echo "error: no headers"; exit {no_pybullet} ;;
*) exit 0 ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A folder to work in and a PATH with the tools of a shell alone; call it to add a Python."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool))

    def add(name, version="3.11", venv=True, pip=False, uv=None, pybullet=True):
        installs = f"mkdir -p .uv/bin; cat {uv} > .uv/bin/uv; chmod +x .uv/bin/uv" if uv else "exit 1"
        text = PYTHON.format(
            name=name,
            version=version,
            no_venv=int(not venv),
            no_pip=int(not pip),
            installs_uv=installs,
            no_pybullet=int(not pybullet),
        )
        program(name, text)

    def program(name, text):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)

    def run(*asked):
        return subprocess.run(
            [str(tools / "sh"), str(SCRIPT), ".venv", *asked],
            cwd=tmp_path,
            env={"PATH": str(tools), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    add.program, add.run, add.made = program, run, tmp_path / ".venv" / "made"
    return add


UV = '#!/bin/sh\nmkdir -p .venv/bin; echo "made by uv" > .venv/made\n'
NO_UV = '#!/bin/sh\necho "cannot download" >&2; exit 2\n'


def test_a_python_with_wheels_comes_first(machine):
    machine("python3", "3.12", pip=True)
    machine("python3.10", "3.10")
    machine("python3.11", "3.11")
    machine.program("uv", UV)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.made.read_text() == "made by python3.11\n"
    assert "Making .venv with python3.11 (Python 3.11)" in done.stdout


def test_the_one_that_is_named(machine):
    machine("python3.11", "3.11")
    machine("mine", "3.10")
    assert machine.run("mine").returncode == 0
    assert machine.made.read_text() == "made by mine\n"


def test_one_that_is_named_and_not_there_is_said(machine):
    machine("python3.11", "3.11")
    done = machine.run("/no/python")
    assert "There is no Python at /no/python" in done.stdout
    assert machine.made.read_text() == "made by python3.11\n"


def test_without_its_venv_module_the_next_is_taken(machine):
    machine("python3.11", "3.11", venv=False)
    machine("python3.10", "3.10")
    done = machine.run()
    assert "python3.11 (Python 3.11) has no venv module" in done.stdout
    assert machine.made.read_text() == "made by python3.10\n"


def test_uv_that_is_there(machine):
    machine("python3", "3.13")
    machine.program("uv", UV)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.made.read_text() == "made by uv\n"
    assert "with uv and its Python 3.11" in done.stdout


def test_uv_installed_by_pip_into_the_tree(machine, tmp_path):
    (tmp_path / "uv-of-pip").write_text(UV)
    machine("python3", "3.13", pip=True, uv=tmp_path / "uv-of-pip")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "Installing uv into .uv" in done.stdout
    assert (tmp_path / ".uv" / "bin" / "uv").exists()
    assert machine.made.read_text() == "made by uv\n"


def test_a_newer_python_with_a_compiler(machine):
    machine("python3", "3.12")
    machine.program("uv", NO_UV)
    machine.program("g++", "#!/bin/sh\n")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "uv brought no Python 3.11" in done.stdout
    assert "compiling it once, which takes about ten minutes" in done.stdout
    assert "PyBullet is compiled" in done.stdout
    assert machine.made.read_text() == "made by python3\n"


def test_a_compilation_that_fails_shows_why_and_leaves_nothing(machine):
    machine("python3", "3.12", pybullet=False)
    machine.program("g++", "#!/bin/sh\n")
    done = machine.run()
    assert done.returncode == 1
    assert "error: no headers" in done.stderr
    assert "apt install python3.12-dev" in done.stderr
    assert not machine.made.parent.exists()


def test_no_compiler_and_no_venv_are_named(machine):
    machine("python3", "3.13")
    done = machine.run()
    assert done.returncode == 1
    assert "no C++ compiler" in done.stdout
    assert "apt install g++ python3.13-dev" in done.stderr
    machine("python3", "3.13", venv=False)
    assert "apt install python3.13-venv" in machine.run().stderr


def test_nothing_at_all(machine):
    done = machine.run()
    assert done.returncode == 1
    assert "need Python 3.11 or 3.10" in done.stderr
    assert "make demo PYTHON=" in done.stderr


def test_makefile_uses_it():
    assert os.access(SCRIPT, os.X_OK)
    assert "scripts/make_venv.sh" in (SCRIPT.parents[1] / "Makefile").read_text(encoding="utf-8")
