"""The arm demo as people start it: a film where there is no display, results, and messages instead of tracebacks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from diffkin.simulation import library
from tests.plotting.films import read_film

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """The script, without a display."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    environment.pop("DISPLAY", None)
    command = [sys.executable, "-u", str(ROOT / "scripts" / "demo_arm.py"), *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_without_a_display_it_makes_a_film_and_says_so(tmp_path: Path) -> None:
    process = start(
        tmp_path, "robot=kuka_iiwa", "seconds=1", "viewer.fps=4", "viewer.film_width=320", "viewer.film_height=240"
    )
    printed, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert "No PyBullet window" in printed and "film.mp4" in printed and "Traceback" not in printed + errors
    (path,) = tmp_path.rglob("results.json")
    results = json.loads(path.read_text())
    frames = read_film(path.parent / "film.mp4").frames.astype(int)
    assert len(frames) == results["film_frames"] == 4 and frames.shape[1:] == (240, 320, 3)
    assert frames.std() > 5 and (np.abs(frames[-1] - frames[0]).max(-1) > 40).sum() > 100
    assert results["solved"] == results["solves"] == 4 and results["robot"] == "kuka_iiwa"


def test_ctrl_c_leaves_film_and_results(tmp_path: Path) -> None:
    process = start(tmp_path, "robot=planar_2r", "mode=circle", "seconds=600", "record=own.mp4", "bullet=false")
    deadline = time.monotonic() + 120
    while not (tmp_path / "own.mp4").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "Traceback" not in printed + errors, errors
    (path,) = tmp_path.rglob("results.json")
    results = json.loads(path.read_text())
    assert results["ended"] == "Ctrl-C"
    assert len(read_film(tmp_path / "own.mp4").frames) == results["film_frames"] >= 1


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("mode=folow", ["mode", "follow", "circle"]),
        ("viewer=windo", ["windo", "window", "browser"]),
        ("first_solver=adm", ["adm", "adam"]),
        ("seconds=-1", ["seconds", "above zero"]),
        ("record=film.avi", ["film.avi", ".mp4", ".gif"]),
        ("robot=kuka_iwa", ["kuka_iiwa"]),
        ("mode=joints first_solver=adam", ["first_solver=adam would change nothing: mode=joints", "follow"]),
        ("mode=learned bullet=true", ["bullet=True would change nothing"]),
        ("mode=lissajous seed=3", ["seed=3 would change nothing"]),
        ("checkpoint=network.safetensors", ["checkpoint=network.safetensors would change nothing: mode=follow"]),
    ],
)
def test_mistakes_end_in_a_message(tmp_path: Path, argument: str, said: list[str], capsys, monkeypatch) -> None:
    import runpy

    script = ROOT / "scripts" / "demo_arm.py"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "argv", [str(script), *argument.split()])
    monkeypatch.syspath_prepend(str(script.parent))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    for words in said:
        assert words in printed.err
