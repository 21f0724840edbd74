"""Films of robots, read back: as many frames as rows, the robot moves, nothing comes from a network."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import OptionError, ShapeError
from tests.plotting.films import read_film

ARM = dk.load_robot("planar_3r")
QS = torch.lerp(ARM.sample(2, seed=1)[0], ARM.sample(2, seed=1)[1], torch.linspace(0, 1, 6).double()[:, None])


@pytest.mark.parametrize("ending", ["gif", "mp4"])
def test_a_film_has_a_frame_for_each_row_and_the_robot_moves(tmp_path: Path, ending: str) -> None:
    film = dk.animate(ARM, QS, target=ARM.forward_kinematics(QS[-1]), fps=10, width=320, height=240)
    film.save(tmp_path / f"arm.{ending}")
    read = read_film(tmp_path / f"arm.{ending}")
    assert read.frames.shape == (6, 240, 320, 3)
    assert read.seconds == pytest.approx(0.6)
    assert read.frames[0].std() > 5
    steps = [np.abs(b.astype(int) - a).max(2) for a, b in zip(read.frames, read.frames[1:])]
    assert all((step > 60).sum() > 40 for step in steps)  # the robot's pixels
    assert all((step > 60).mean() < 0.2 for step in steps)  # and the panel stands still


def test_a_film_shows_itself_without_a_network() -> None:
    from PIL import Image

    html = dk.animate(ARM, QS.tolist(), fps=40, width=160, height=120)._repr_html_()
    assert html.startswith("<img") and "http" not in html
    data = re.search(r"data:image/gif;base64,([^\"]+)", html)
    assert data is not None
    image = Image.open(io.BytesIO(base64.b64decode(data[1])))
    assert image.size == (160, 120)
    assert image.n_frames == 3  # every second one: twenty a second are enough there


def test_frames_are_drawn_at_the_size_that_was_asked() -> None:
    airframe = dk.aircraft.load_airframe("fixed_wing")
    qs = torch.stack((airframe.neutral(), airframe.neutral() + 0.2))
    frames = list(dk.animate(airframe, qs, width=201, height=150).frames())
    assert [frame.shape for frame in frames] == [(150, 201, 3)] * 2
    assert not np.array_equal(*frames)


def test_mistakes_say_what_to_do() -> None:
    with pytest.raises(OptionError, match="fps"):
        dk.animate(ARM, QS, fps=0)
    with pytest.raises(OptionError, match="width"):
        dk.animate(ARM, QS, width=0)
    with pytest.raises(ShapeError, match=r"\(n, 3\)"):
        dk.animate(ARM, QS[:, :2])
    with pytest.raises(OptionError, match="end in"):
        dk.animate(ARM, QS).save("x.webm")
