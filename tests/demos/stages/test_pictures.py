"""Pictures of PyBullet worlds: the view is in the frame, by EGL and by the software renderer alike."""

import math

import numpy as np
import pytest
import torch

from diffkin.demos.arm import make_arm_demo
from diffkin.demos.scene import Box, Scene, View, first_values
from diffkin.demos.stages.film import rehearse
from diffkin.demos.stages.pictures import Photographer, camera_of, start_graphics, stop_graphics
from diffkin.demos.stages.solids import Solids
from diffkin.robot import load_robot
from diffkin.simulation import library
from diffkin.simulation.world import open_world

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def test_the_camera_sees_the_ball_of_its_view() -> None:
    view = View((0.1, 0.2, 0.3), 0.7)
    with open_world() as client:
        lens = camera_of(view).lens(client, 640, 480)
        generator = torch.Generator().manual_seed(0)
        points = torch.randn(200, 3, generator=generator, dtype=torch.float64)
        ball = torch.tensor(view.center) + view.radius * points / points.norm(dim=-1, keepdim=True)
        clip = lens.clip(ball.numpy())
    seen = np.abs(clip[:, :2] / clip[:, 3:])
    assert (seen < 1.0).all()
    assert seen[:, 1].max() > 0.75  # and it fills the height


def test_frames_of_a_film_stay_inside_it() -> None:
    demo = make_arm_demo(load_robot("franka_panda"))
    with open_world() as client:
        lens = camera_of(demo.view).lens(client, 560, 420)
    scene, values, worst = demo.begin(), first_values(demo.controls), 0.0
    for k in range(1, 60):
        moment = rehearse(demo, values, 0.15 * k, 0.15, scene)
        values, scene = dict(moment.values), demo.step(moment)
        for frame in scene.frames:
            ends = frame.pose[:3, 3] + frame.length * frame.pose[:3, :3].T
            clip = lens.clip(ends.numpy())
            worst = max(worst, float(np.abs(clip[:, :2] / clip[:, 3:]).max()))
    assert worst < 0.99


@pytest.mark.parametrize("graphics", [True, False])
def test_a_box_is_where_it_should_be(graphics: bool) -> None:
    pytest.importorskip("PIL")
    view = View((0.0, 0.0, 0.0), 1.0, yaw_deg=0.0, pitch_deg=0.0, floor=None)
    pose = torch.eye(4, dtype=torch.float64)
    scene = Scene(boxes=(Box("box", pose, (0.4, 0.4, 0.4), (0.9, 0.1, 0.1)),))
    with open_world() as client:
        if graphics and not start_graphics(client):
            pytest.skip("EGL does not work here")
        Solids(client).draw(scene)
        picture = Photographer(client, view, (160, 120), graphics).take(camera_of(view), scene).astype(int)
        if graphics:
            stop_graphics(client)
    red = picture[..., 0] - picture[..., 2] > 50
    rows, columns = np.nonzero(red)
    assert rows.mean() == pytest.approx(59.5, abs=1.5) and columns.mean() > 80  # right of the middle: text stands left
    distance = 1.2 / math.sin(math.radians(17.5)) - 0.2  # of the box's near face
    high = 0.4 / distance / (2 * math.tan(math.radians(17.5))) * 120
    assert rows.max() - rows.min() + 1 == pytest.approx(high, abs=2.0)
