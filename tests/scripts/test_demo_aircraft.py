"""The script of the aircraft demos: every mode as a film, what it leaves behind, and what it refuses."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.scripts.forked import run_script

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "demo_aircraft.py"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_script("demo_aircraft", f"hydra.run.dir={folder}", *arguments, folder=folder)


@pytest.mark.parametrize(
    ("mode", "name"),
    [("attitude", "quadrotor"), ("gimbal_lock", "fixed_wing"), ("track", "fixed_wing"), ("fly", "quadrotor")],
)
def test_a_mode_becomes_a_film(mode: str, name: str, tmp_path: Path) -> None:
    pytest.importorskip("pybullet")
    imageio = pytest.importorskip("imageio.v3")
    options = ("viewer=film", "viewer.film_width=160", "viewer.film_height=120", "viewer.fps=5", "seconds=1")
    done = run(tmp_path, f"mode={mode}", f"aircraft={name}", *options, f"record={tmp_path}/film.gif")
    assert done.returncode == 0, done.stderr
    frames = imageio.imread(tmp_path / "film.gif", index=None)
    assert len(frames) == 5
    assert frames.std() > 5.0
    assert (frames[0].astype(int) != frames[-1].astype(int)).mean() > 0.002  # something moved
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["aircraft"] == name and results["film_frames"] == 5


def test_a_page_is_served_for_some_seconds(tmp_path: Path) -> None:
    pytest.importorskip("viser")
    done = run(tmp_path, "viewer=browser", "viewer.language=zh", "mode=track", "aircraft=quadrotor", "seconds=1")
    assert done.returncode == 0, done.stderr
    assert "http://127.0.0.1:" in done.stdout
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["scenes"] > 0 and results["touches"] == 0 and results["frames_on_target"] > 0


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("mode=hover", "gimbal_lock"),
        ("sequence=ZYY", "ZYX"),
        ("aircraft=balloon", "quadrotor"),
        ("mode=fly sequence=ZXZ", "sequence=ZXZ would change nothing: mode=fly"),
        ("mode=track seed=3", "seed=3 would change nothing: mode=track"),
    ],
)
def test_what_is_unknown_is_refused_with_the_choices(argument: str, message: str, tmp_path: Path) -> None:
    done = run(tmp_path, *argument.split(), "viewer=film")
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
