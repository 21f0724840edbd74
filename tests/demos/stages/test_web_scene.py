"""Scenes on a page: nodes stand where links, lines and clouds are, and what is gone is hidden."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import diffkin as dk
from diffkin.demos.scene import Body, Box, Ellipsoid, Frame, Line, Points, Scene, View
from diffkin.demos.stages.web_scene import WebScene, set_view
from diffkin.rotations import euler_to_matrix
from diffkin.transforms import pose

viser = pytest.importorskip("viser", reason="viser is not installed (pip install 'diffkin[viewer]')")

PLACE = pose(euler_to_matrix(torch.tensor([0.3, -0.4, 1.1]).double(), "ZYX"), torch.tensor([0.1, 0.2, 0.3]).double())


@pytest.fixture
def server() -> Any:
    server = viser.ViserServer(host="127.0.0.1", port=8190, verbose=False)
    yield server
    server.stop()


def matrix_of(node: Any) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(np.roll(node.wxyz, -1)).as_matrix()
    matrix[:3, 3] = node.position
    return matrix


def test_links_stand_where_pinocchio_has_them(server: Any) -> None:
    pin = pytest.importorskip("pinocchio")
    robot = dk.load_robot("fixed_wing")
    model = pin.buildModelFromUrdf(robot.source)
    q = torch.linspace(-0.3, 0.3, robot.dof, dtype=torch.float64)
    data, full = model.createData(), np.zeros(model.nq)
    for name, value in zip(robot.joint_names, q.tolist()):
        full[model.joints[model.getJointId(name)].idx_q] = value
    pin.framesForwardKinematics(model, data, full)
    WebScene(server).draw(Scene(bodies=(Body("aircraft", robot, q, PLACE),)))
    for link in ("body", "right_aileron", "rudder", "gimbal_pitch"):
        node = server.scene.get_handle_by_name(f"/bodies/aircraft/{link}")
        expected = PLACE.numpy() @ data.oMf[model.getFrameId(link, pin.FrameType.BODY)].homogeneous
        np.testing.assert_allclose(matrix_of(node), expected, atol=1e-12)


def test_things_stand_where_they_are_and_hide_when_they_are_gone(server: Any) -> None:
    page = WebScene(server)
    line = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]).double()
    radii = torch.tensor([0.3, 0.2, 0.1]).double()
    scene = Scene(
        frames=(Frame("tip", PLACE, 0.2),),
        lines=(Line("trail", line, (1.0, 0.0, 0.0), 3.0),),
        points=(Points("cloud", line, (0.0, 0.0, 1.0), 0.01),),
        ellipsoids=(Ellipsoid("egg", PLACE, radii),),
        boxes=(Box("car", PLACE, (0.4, 0.2, 0.1)),),
    )
    page.draw(scene)
    nodes = {name: server.scene.get_handle_by_name(name) for name in ("/frames/tip", "/ellipsoids/egg", "/boxes/car")}
    for node in nodes.values():
        np.testing.assert_allclose(matrix_of(node), PLACE.numpy(), atol=1e-12)
    assert nodes["/ellipsoids/egg"].scale == pytest.approx((0.3, 0.2, 0.1))
    assert nodes["/boxes/car"].dimensions == (0.4, 0.2, 0.1)
    trail = server.scene.get_handle_by_name("/lines/trail")
    np.testing.assert_array_equal(trail.points, np.stack((line[:-1], line[1:]), axis=1).astype(np.float32))
    page.draw(
        Scene(frames=(Frame("tip", torch.eye(4).double(), 0.2),), lines=(Line("trail", line[:1], (1, 0, 0), 3.0),))
    )
    assert trail.points.shape == (1, 2, 3)
    np.testing.assert_array_equal(matrix_of(nodes["/frames/tip"]), np.eye(4))
    assert not nodes["/boxes/car"].visible and nodes["/frames/tip"].visible
    page.draw(scene)
    assert nodes["/boxes/car"].visible


def test_another_colour_is_another_body(server: Any) -> None:
    page, robot = WebScene(server), dk.load_robot("scara")
    q = torch.zeros(robot.dof, dtype=torch.float64).clamp(robot.lower, robot.upper)
    page.draw(Scene(bodies=(Body("arm", robot, q),)))
    page.draw(Scene(bodies=(Body("arm", robot, q, color=(1.0, 0.0, 0.0), opacity=0.5),)))
    mesh = server.scene.get_handle_by_name("/bodies/arm/base/0")
    assert mesh.color == (255, 0, 0) and mesh.opacity == 0.5


def test_a_mesh_of_several_colours_keeps_them_unless_the_body_is_painted(server: Any, tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    mesh = trimesh.creation.box((0.1, 0.1, 0.1))
    mesh.visual.face_colors = np.repeat([[250, 20, 20, 255], [20, 20, 250, 255]], 6, axis=0)
    mesh.export(tmp_path / "box.ply")
    file = tmp_path / "box.urdf"
    file.write_text("""<robot name="box"><link name="base"><visual><geometry><mesh filename="box.ply"/></geometry></visual>
      </link><link name="tip"/><joint name="turn" type="continuous"><parent link="base"/><child link="tip"/></joint>
    </robot>""")
    page, robot, q = WebScene(server), dk.load_robot(file), torch.zeros(1).double()
    page.draw(Scene(bodies=(Body("box", robot, q),)))
    sent = trimesh.util.wrap_as_stream(server.scene.get_handle_by_name("/bodies/box/base/0").glb_data)
    (read,) = trimesh.load_scene(sent, file_type="glb").geometry.values()
    assert {tuple(color) for color in read.visual.face_colors[:, :3].tolist()} == {(250, 20, 20), (20, 20, 250)}
    page.draw(Scene(bodies=(Body("box", robot, q, color=(0.0, 1.0, 0.0)),)))
    assert server.scene.get_handle_by_name("/bodies/box/base/0").color == (0, 255, 0)


def test_an_arm_of_no_file_is_drawn(server: Any) -> None:
    rows = [[0.0, 1.57, 0.3, 0.0], [0.4, 0.0, 0.0, 0.0], [0.3, 0.0, 0.0, 0.0]]
    robot = dk.Robot.from_dh(torch.tensor(rows, dtype=torch.float64))
    page = WebScene(server)
    q = torch.tensor([0.1, 0.2, 0.3]).double()
    page.draw(Scene(bodies=(Body("arm", robot, q),)))
    links = list(page._nodes["/bodies/arm"].parts)
    assert len(links) >= 3
    poses = robot.link_poses(q)
    for link in links:
        node = server.scene.get_handle_by_name(f"/bodies/arm/{link}")
        np.testing.assert_allclose(matrix_of(node), poses[link].numpy(), atol=1e-12)


@pytest.mark.parametrize(("yaw", "side"), [(0.0, (0.0, -1.0)), (90.0, (1.0, 0.0))])
def test_the_camera_stands_where_the_view_says(server: Any, yaw: float, side: tuple[float, float]) -> None:
    set_view(server, View((0.1, 0.2, 0.5), 0.6, yaw_deg=yaw, pitch_deg=-30.0))
    camera = server.initial_camera
    away = camera.position - np.array((0.1, 0.2, 0.5))
    np.testing.assert_allclose(away / np.linalg.norm(away), (*(np.cos(np.pi / 6) * np.array(side)), 0.5), atol=1e-12)
    assert np.linalg.norm(away) * np.sin(0.5 * camera.fov) == pytest.approx(0.6)  # the ball fills the height
    assert server.scene.get_handle_by_name("/floor").position[2] == pytest.approx(0.0, abs=1e-3)
