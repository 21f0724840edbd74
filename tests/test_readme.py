"""The front pages tell the truth: their code prints what they say, their commands run, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.scripts.forked import SCRIPTS, run_script

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "README.zh-CN.md"]
# The same commands with as little work as they can do.
TINY = {
    "solve_ik.py": ["target.count=3", "pictured=1", "plotted=2", "check.configurations=2", "check.driven=0", "check.compared=1"],
    "point_aircraft.py": ["target.count=2", "check.jacobians=0", "check.flights=1", "check.seconds=0.1", "check.pictures=0"],
    "simulate_attitude.py": ["seconds=0.1", "bodies=1"],
    "train_ik.py": ["trainer.steps=4", "trainer.batch=32", "evaluation.targets=20", "evaluation.stored=1000", "evaluation.spread=2", "evaluation.bullet_targets=0"],
}  # fmt: skip


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


def commands(page: str) -> list[str]:
    return [line for block in blocks(page, "bash") for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("page", PAGES)
def test_code_prints_what_the_page_says(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    (code,), (said,) = blocks(page, "python"), blocks(page, "text")
    exec(compile(code, page, "exec"), {})
    assert capsys.readouterr().out == said


def test_both_pages_have_the_same_commands() -> None:
    assert commands(PAGES[0]) == commands(PAGES[1])


@pytest.mark.parametrize("command", [line for line in commands("README.md") if line.startswith("make ")])
def test_make_knows_the_target(command: str) -> None:
    done = subprocess.run([*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def scripts() -> list[Any]:
    """Sweeps run their jobs one after another, so they are slow."""
    lines = [line for line in commands("README.md") if not line.startswith("make ")]
    return [pytest.param(line, marks=pytest.mark.slow) if "--multirun" in line else line for line in lines]


@pytest.mark.parametrize("command", scripts())
def test_command_runs(command: str, tmp_path: Path) -> None:
    program, script, *arguments = shlex.split(command)
    assert program == "python"
    small = dict(item.split("=", 1) for item in TINY[Path(script).name])
    kept = [item for item in arguments if item.split("=", 1)[0] not in small]
    kept += [f"{key}={value}" for key, value in small.items()]
    folder = f"hydra.sweep.dir={tmp_path}" if "--multirun" in kept else f"hydra.run.dir={tmp_path}"
    assert ROOT / script == SCRIPTS / Path(script).name
    done = run_script(Path(script).stem, *kept, folder, folder=tmp_path, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.rglob("results.json"))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []
