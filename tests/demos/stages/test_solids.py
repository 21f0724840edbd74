"""A PyBullet world is kept like its scenes."""

import pytest
import torch

import diffkin as dk
from diffkin.demos.scene import Body, Box, Frame, Scene, View
from diffkin.demos.stages.solids import Solids
from diffkin.rotations import random_rotation
from diffkin.simulation import library
from diffkin.simulation.bullet_robot import to_pose
from diffkin.simulation.world import open_world
from diffkin.transforms import pose

pytestmark = pytest.mark.skipif(not library.is_installed(), reason="needs pybullet")


def test_links_frames_and_boxes_are_where_the_scene_has_them(panda: dk.Robot) -> None:
    p = library.bullet()
    base = pose(random_rotation(1, seed=4)[0].double(), torch.tensor([0.5, -0.4, 0.3], dtype=torch.float64))
    q = panda.sample(2, seed=1)
    with open_world() as client:
        solids = Solids(client, View())
        for each in q:
            frame = Frame("f", panda.forward_kinematics(each), 0.1)
            solids.draw(Scene((Body("arm", panda, each, base),), (frame,), boxes=(Box("b", base, (1.0, 1.0, 1.0)),)))
            arm = solids._bodies["arm"].arm
            for link in panda.link_names:
                wanted = panda.forward_kinematics(each, links=[link], base=base)[0]
                torch.testing.assert_close(arm.link_pose(link), wanted, rtol=0.0, atol=1e-6)
            for body, wanted in ((solids._frames["f"][0], frame.pose), (solids._boxes["b"], base)):
                torch.testing.assert_close(
                    to_pose(*p.getBasePositionAndOrientation(body, physicsClientId=client)), wanted, rtol=0.0, atol=1e-6
                )


def test_what_is_no_more_disappears_and_comes_back(scara: dk.Robot) -> None:
    p = library.bullet()
    body = Body("arm", scara, scara.sample(1, seed=0)[0])
    with open_world() as client:
        solids = Solids(client)
        solids.draw(Scene((body,), (Frame("f", torch.eye(4)),)))
        shown = p.getNumBodies(physicsClientId=client)
        solids.draw(Scene())
        assert p.getNumBodies(physicsClientId=client) == shown - 1  # the frame is gone, the arm waits
        arm = solids._bodies["arm"].arm
        assert float(arm.base_pose()[2, 3]) < -100.0
        solids.draw(Scene((body,)))
        torch.testing.assert_close(
            arm.link_pose("flange"), scara.forward_kinematics(body.q, links=["flange"])[0], rtol=0.0, atol=1e-6
        )


def test_colours_and_pale_ghosts(panda: dk.Robot) -> None:
    p = library.bullet()
    q = panda.sample(1, seed=0)[0]
    with open_world() as client:
        solids = Solids(client)

        def colors() -> list[tuple[float, ...]]:
            body = solids._bodies["arm"].arm.body
            return [row[7] for row in p.getVisualShapeData(body, physicsClientId=client)]

        solids.draw(Scene((Body("arm", panda, q),)))
        own = colors()
        solids.draw(Scene((Body("arm", panda, q, None, (1.0, 0.0, 0.0), 0.25),)))
        assert {color[3] for color in colors()} == {1.0}
        assert all(color[0] > color[1] > 0.5 for color in colors())  # red, and pale
        solids.draw(Scene((Body("arm", panda, q),)))
        assert torch.tensor(colors()).allclose(torch.tensor(own))


def test_motors_carry_driven_bodies_there(iiwa: dk.Robot) -> None:
    start = torch.zeros(7, dtype=torch.float64)
    goal = torch.full((7,), 0.2, dtype=torch.float64)
    with open_world() as client:
        solids = Solids(client)
        solids.draw(Scene((Body("arm", iiwa, start),)))
        assert solids.measured() == {}
        solids.draw(Scene((Body("arm", iiwa, start, driven=True),)))
        solids.draw(Scene((Body("arm", iiwa, goal, driven=True),)))
        torch.testing.assert_close(solids.measured()["arm"], start, rtol=0.0, atol=1e-9)  # not there at once
        for _ in range(40):
            solids.advance(0.05)
        torch.testing.assert_close(solids.measured()["arm"], goal, rtol=0.0, atol=0.02)
