"""Shapes of links: where PyBullet's own shapes are, in their colours, and what hangs on a robot with it."""

from pathlib import Path

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.demos.stages.shapes import GREY, LinkShape, link_shapes
from diffkin.robot import Robot

URDF = """<robot name="two">
  <material name="leaf"><color rgba="0.1 0.8 0.2 1"/></material>
  <link name="base"><visual><origin xyz="0 0 0.5" rpy="0 0 1.5707963267948966"/>
    <geometry><box size="2 1 1"/></geometry><material name="leaf"/></visual></link>
  <link name="arm"><visual><geometry><sphere radius="0.25"/></geometry></visual></link>
  <link name="finger"><visual><geometry><cylinder radius="0.1" length="0.4"/></geometry></visual>
    <visual><geometry><mesh filename="package://nowhere/no.stl"/></geometry></visual></link>
  <joint name="turn" type="revolute"><parent link="base"/><child link="arm"/><origin xyz="1 0 0"/><axis xyz="0 0 1"/>
    <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
  <joint name="slide" type="prismatic"><parent link="arm"/><child link="finger"/><origin xyz="0 0 1"/><axis xyz="0 0 1"/>
    <limit lower="0.5" upper="1" effort="1" velocity="1"/></joint>
</robot>"""


def test_boxes_stand_where_the_file_says() -> None:
    shapes = {shape.link: shape for shape in link_shapes(Robot.from_urdf(URDF))}
    assert set(shapes) == {"base", "arm", "finger"}
    np.testing.assert_allclose(shapes["base"].vertices.min(0), [-0.5, -1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(shapes["base"].vertices.max(0), [0.5, 1.0, 1.0], atol=1e-12)
    assert shapes["base"].color == (0.1, 0.8, 0.2)
    assert shapes["arm"].color == GREY
    np.testing.assert_allclose(np.linalg.norm(shapes["arm"].vertices, axis=1), 0.25, atol=1e-12)


def test_links_behind_the_tip_hang_on_it() -> None:
    shapes = [shape for shape in link_shapes(Robot.from_urdf(URDF, tip="arm")) if shape.link == "arm"]
    heights = np.concatenate([shape.vertices for shape in shapes])[:, 2]
    assert heights.max() == pytest.approx(1.0 + 0.5 + 0.2)  # the joint's origin, its least value, half the cylinder


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6"])
def test_meshes_are_those_that_pybullet_draws(name: str) -> None:
    p = pytest.importorskip("pybullet")
    from diffkin import simulation

    robot = dk.load_robot(name)
    ours = link_shapes(robot)
    with simulation.open_world() as client:
        body = simulation.load(client, robot)
        drawn = p.getVisualShapeData(body.body, physicsClientId=client)
    names = {index: link for link, index in body.links.items()}
    assert {shape.link for shape in ours} == {names[row[1]] for row in drawn} & set(robot.link_names)
    assert sum(len(shape.faces) for shape in ours) > 1000


def test_sharp_edges_stay_sharp() -> None:
    box = next(shape for shape in link_shapes(Robot.from_urdf(URDF)) if shape.link == "base")
    assert len(box.faces) == 12 and len(box.vertices) == 24  # no vertex shared across an edge


def test_an_arm_of_no_file_has_shapes_that_move_with_it() -> None:
    rows = torch.tensor([[0.0, 1.57, 0.3, 0.0], [0.4, 0.0, 0.0, 0.0], [0.3, 0.0, 0.0, 0.0]], dtype=torch.float64)
    shapes = link_shapes(Robot.from_dh(rows))
    assert {shape.link for shape in shapes} == {"base", "link1", "link2", "link3"}
    last = np.concatenate([shape.vertices for shape in shapes if shape.link == "link3"])
    assert last[:, 0].min() == pytest.approx(-0.3 - 0.04, abs=0.02)  # from the joint before to the tip
    assert last[:, 0].max() == pytest.approx(0.025, abs=0.02)


CARD = """<robot name="card"><link name="base"><visual><geometry><mesh filename="{mesh}" scale="2 2 2"/></geometry>
  {material}</visual></link><link name="tip"/><joint name="turn" type="continuous"><parent link="base"/><child link="tip"/>
  </joint></robot>"""
ORANGE = '<material name="orange"><color rgba="1 0.5 0 1"/></material>'


def card(folder: Path, mesh: str, material: str = "") -> LinkShape:
    """The one piece of a robot that is a card of two triangles."""
    file = folder / "card.urdf"
    file.write_text(CARD.format(mesh=mesh, material=material))
    (piece,) = link_shapes(Robot.from_urdf(file))
    return piece


def test_a_texture_is_kept_and_multiplied_by_the_colour_of_the_file(tmp_path: Path) -> None:
    trimesh, image = pytest.importorskip("trimesh"), pytest.importorskip("PIL.Image")
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4], pixels[:, 4:] = (250, 20, 20), (20, 20, 250)  # red on the left, blue on the right
    image.fromarray(pixels).save(tmp_path / "card.png")
    (tmp_path / "card.mtl").write_text("newmtl card\nKd 0.3 0.3 0.3\nmap_Kd card.png\n")
    corners = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\n"
    faces = "f 1/1/1 2/2/1 3/3/1\nf 1/1/1 3/3/1 4/4/1\n"
    (tmp_path / "card.obj").write_text(f"mtllib card.mtl\n{corners}usemtl card\n{faces}")
    for material, color in (("", (1.0, 1.0, 1.0)), (ORANGE, (1.0, 0.5, 0.0))):
        piece = card(tmp_path, "card.obj", material)
        assert piece.color == color
        data = trimesh.util.wrap_as_stream(piece.skin.export(file_type="glb"))
        (read,) = trimesh.load_scene(data, file_type="glb").geometry.values()
        assert read.bounds[1].tolist() == [2.0, 2.0, 0.0]
        np.testing.assert_array_equal(np.asarray(read.visual.material.baseColorTexture), pixels)
        np.testing.assert_allclose(read.visual.material.baseColorFactor[:3], 255.0 * np.array(color), atol=1.0)
        np.testing.assert_allclose(read.visual.uv[:, 0], read.vertices[:, 0] / 2.0)  # it lies as it should


def test_colours_of_single_faces_are_kept_where_the_file_has_none_for_them_all(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    painted = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    painted.visual.face_colors = [[250, 20, 20, 255], [20, 20, 250, 255]]
    painted.export(tmp_path / "card.ply")
    assert card(tmp_path, "card.ply", ORANGE).skin is None
    skin = card(tmp_path, "card.ply").skin
    data = trimesh.util.wrap_as_stream(skin.export(file_type="glb"))
    (read,) = trimesh.load_scene(data, file_type="glb").geometry.values()
    for corner, color in zip(read.triangles.mean(1), read.visual.face_colors):
        assert color[:3].tolist() == ([250, 20, 20] if corner[0] > corner[1] else [20, 20, 250])  # no blend of the two
