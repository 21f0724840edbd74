"""Films of demos without a display, read back."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.demos.joints import JointsDemo
from diffkin.demos.scene import Moment, Scene, first_values
from diffkin.demos.stages.ending import INTERRUPTED, TIME_IS_UP
from diffkin.demos.stages.film import film_demo, rehearse
from diffkin.errors import OptionError
from diffkin.simulation import library
from tests.plotting.films import read_film

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")
SMALL = (160, 128)


@pytest.mark.parametrize("graphics", [True, False])
def test_a_film_shows_the_robot_move(graphics: bool, tmp_path: Path) -> None:
    demo = JointsDemo(dk.load_robot("kuka_iiwa"))
    drawn = []
    played = film_demo(
        demo, tmp_path / "film.mp4", seconds=1.0, fps=5, size=SMALL, graphics=graphics,
        progress=lambda done, total: drawn.append((done, total)),
    )  # fmt: skip
    assert (played.how, played.scenes, played.film_frames) == (TIME_IS_UP, 5, 5)
    assert drawn == [(k, 5) for k in range(1, 6)]
    frames = read_film(tmp_path / "film.mp4").frames.astype(int)
    assert frames.shape == (5, 128, 160, 3)
    orange = (frames[..., 0] - frames[..., 2] > 60).sum((1, 2))
    assert (orange > 40).all()  # the robot is in every frame
    changed = np.abs(frames[1:] - frames[:-1])[:, :, 70:].max(-1)  # right of the readings
    assert ((changed > 40).sum((1, 2)) > 30).all()  # and moves from each to the next
    assert played.results["moves"] == 4


def test_a_gif_with_smooth_edges(tmp_path: Path) -> None:
    played = film_demo(
        JointsDemo(dk.load_robot("planar_2r")), tmp_path / "film.gif", seconds=0.6, fps=5, size=SMALL, oversampling=2
    )
    frames = read_film(tmp_path / "film.gif").frames
    assert played.film_frames == 3 and frames.shape[1:] == (128, 160, 3) and frames.std() > 5


class _Interrupting(JointsDemo):
    def step(self, moment: Moment) -> Scene:
        os.kill(os.getpid(), signal.SIGINT)
        return super().step(moment)


def test_ctrl_c_finishes_the_film(tmp_path: Path) -> None:
    demo = _Interrupting(dk.load_robot("planar_2r"))
    played = film_demo(demo, tmp_path / "film.mp4", seconds=5.0, size=SMALL, graphics=False)
    assert played.how == INTERRUPTED and played.film_frames == 2
    assert len(read_film(tmp_path / "film.mp4").frames) == 2


@pytest.mark.parametrize("wrong", [{"seconds": 0.0}, {"size": (8, 128)}, {"oversampling": 0}])
def test_films_that_cannot_be(wrong: dict, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="at least one frame"):
        film_demo(JointsDemo(dk.load_robot("planar_2r")), tmp_path / "film.mp4", **wrong)


def test_a_rehearsal_touches_what_it_says_and_no_more() -> None:
    demo = JointsDemo(dk.load_robot("planar_2r"))
    scene = Scene(shows={"joint1": 9.0, "no such control": 1.0})
    moment = rehearse(demo, first_values(demo.controls), 1.0, 0.1, scene)
    assert moment.touched == set(demo.robot.joint_names)
    assert "no such control" not in moment.values
    assert torch.tensor(moment.number(demo.robot.joint_names[0])) != 9.0
