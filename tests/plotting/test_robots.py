"""Plots of robots: joints where forward kinematics says, all of it inside the canvas, axes red, green and blue."""

import io

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from mpl_toolkits.mplot3d import proj3d
from numpy.typing import NDArray

import diffkin as dk
from diffkin.errors import NonFiniteError, OptionError, RotationError, ShapeError
from diffkin.plotting.space import AXIS_COLORS
from diffkin.robot.skeleton import joint_poses

MJCF = """<mujoco><worldbody><body name="a" pos="0 0 1"><joint axis="0 1 0" pos="0.1 0 0"/><geom size="0.1"/>
<body name="b" pos="0 0.4 0"><joint name="hip" axis="1 0 1"/><geom size="0.1"/></body>
<body name="c" pos="0 -0.4 0"><joint name="slip" type="slide" axis="1 0 1"/><geom size="0.1"/></body></body>
</worldbody></mujoco>"""
ROBOTS = {
    "kuka_iiwa": dk.load_robot("kuka_iiwa"),
    "planar_3r": dk.load_robot("planar_3r"),
    "scara": dk.load_robot("scara"),
    "numbers": dk.Robot.from_dh([[0, 1.5, 0.3, 0], [0.4, 0, 0, 0], [0.1, -1.5, 0, 0]], kinds="RPR"),
    "tree": dk.Robot.from_mjcf(MJCF),
    "float32": dk.load_robot("planar_2r").to(torch.float32),
    "no joints": dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>'),
}


def pixels_of(figure) -> NDArray[np.uint8]:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def inside(figure) -> None:
    """Every artist that is drawn lies in the canvas: lines by their points, text by its box."""
    figure.draw_without_rendering()
    (axes,) = figure.axes
    width, height = figure.bbox.size
    boxes = [text.get_window_extent() for text in [*axes.texts, *figure.texts] if text.get_text()]
    boxes += [axis.get_tightbbox() for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, box
    for line in axes.lines:
        x, y, _ = proj3d.proj_transform(*line.get_data_3d(), axes.get_proj())
        seen = axes.transData.transform(np.stack((x, y), -1))
        assert (seen >= 0).all() and (seen <= (width, height)).all()


@pytest.mark.parametrize("name", ROBOTS)
def test_all_of_a_plot_is_inside_the_canvas(name: str) -> None:
    robot = ROBOTS[name]
    q = robot.sample(3, seed=2) * 0.3
    target = robot.forward_kinematics(robot.sample(1, seed=5), links=[robot.link_names[-1]])[0, 0]
    target = target.clone()
    target[:3, 3] += torch.tensor([0.5, -0.7, 0.4])
    inside(dk.plot(robot, q, target=target, joint_names=True, title="a robot"))


@pytest.mark.parametrize("name", ["kuka_iiwa", "scara", "numbers", "tree"])
def test_joints_are_drawn_where_forward_kinematics_says(name: str) -> None:
    robot = ROBOTS[name]
    q = 0.5 * robot.sample(1, seed=1)[0]
    figure = dk.plot(robot, q)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    drawn = np.concatenate([np.stack(line.get_data_3d(), -1) for line in axes.lines if line.get_linewidth() == 5.0])
    frames = joint_poses(robot, q).numpy()[:, :3, 3]
    for joint, place in enumerate(frames):  # some bone begins or ends at every joint, in space and in the picture
        assert np.abs(drawn - place).max(1).min() < 1e-12, joint
    tip = robot.forward_kinematics(q, links=[robot.tip or robot.leaves[0]])[0].numpy()
    ends = [np.stack(line.get_data_3d(), -1) for line in axes.lines if line.get_color() == AXIS_COLORS[2]]
    assert min(np.abs(end[0] - tip[:3, 3]).max() for end in ends) < 1e-12
    assert any(np.abs(np.cross(end[1] - end[0], tip[:3, 2])).max() < 1e-9 for end in ends)


def test_axes_are_red_green_and_blue_in_the_picture() -> None:
    robot = ROBOTS["kuka_iiwa"]
    q = robot.sample(1, seed=3)[0]
    target = robot.forward_kinematics(robot.sample(1, seed=8)[0])
    seen = pixels_of(dk.plot(robot, q, target=target)).reshape(-1, 3).astype(int)
    for color in AXIS_COLORS:
        wanted = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)])
        assert (np.abs(seen - wanted).max(1) < 8).sum() > 30, color


def test_earlier_rows_are_ghosts() -> None:
    robot = ROBOTS["scara"]
    q = robot.sample(4, seed=3)
    (axes,) = dk.plot(robot, q).axes
    alphas = [line.get_alpha() for line in axes.lines if line.get_linewidth() == 5.0 and line.get_color() == "#4a6485"]
    distinct = sorted(set(alphas))
    assert len(distinct) == 4 and distinct[-1] == 1.0 and alphas == sorted(alphas)


def test_arrays_lists_and_nothing_are_taken_as_coordinates() -> None:
    robot = ROBOTS["planar_3r"]
    q = robot.sample(1, seed=3)[0]
    pictures = [pixels_of(dk.plot(robot, given)) for given in (q, q.numpy(), q.tolist(), q.float().requires_grad_())]
    for picture in pictures[1:3]:
        np.testing.assert_array_equal(picture, pictures[0])
    assert np.abs(pictures[3].astype(int) - pictures[0]).mean() < 1.0
    assert not np.array_equal(pixels_of(dk.plot(robot)), pictures[0])


def test_names_of_joints_stand_in_the_picture_once_each() -> None:
    robot = ROBOTS["kuka_iiwa"]
    q = robot.sample(1, seed=3)[0]
    figure = dk.plot(robot, q, joint_names=True)
    (axes,) = figure.axes
    written = {name: text for text in figure.texts for name in text.get_text().strip().split(", ")}
    assert sorted(written) == sorted(robot.joint_names)
    figure.draw_without_rendering()
    places = joint_poses(robot, q)[1:, :3, 3].numpy()
    x, y, _ = proj3d.proj_transform(*places.T, axes.get_proj())
    for name, seen in zip(robot.joint_names, axes.transData.transform(np.stack((x, y), -1))):
        box = written[name].get_window_extent()
        assert min(abs(box.x0 - seen[0]), abs(box.x1 - seen[0])) < 12 and abs((box.y0 + box.y1) / 2 - seen[1]) < 12
    low, high = axes.bbox.min, axes.bbox.max
    assert max((high - low) / figure.bbox.size) > 0.8  # names take no more room than they need


@pytest.mark.parametrize("name", ["fixed_wing", "quadrotor"])
def test_airframes_have_their_surfaces_and_rays(name: str) -> None:
    airframe = dk.aircraft.load_airframe(name)
    attitude = dk.rotations.euler_to_matrix(torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64), "ZYX")
    figure = dk.plot(airframe, R_ned_body=attitude, joint_names=True)
    inside(figure)
    (axes,) = figure.axes
    origins, directions = airframe.rays_ned(attitude)
    dashed = [np.stack(line.get_data_3d(), -1) for line in axes.lines if line.get_linestyle() == "--"]
    assert len(dashed) == len(airframe.rays)
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1]])  # NED to east, north, up
    for ends, origin, direction in zip(dashed, origins.numpy(), directions.numpy()):
        np.testing.assert_allclose(ends[0], swap @ origin, atol=1e-12)
        step = ends[1] - ends[0]
        np.testing.assert_allclose(step / np.linalg.norm(step), swap @ direction, atol=1e-12)
    assert len(axes.collections) == {"fixed_wing": 5, "quadrotor": 0}[name]  # the elevator has two halves


def test_a_surface_moves_with_its_hinge() -> None:
    airframe = dk.aircraft.load_airframe("fixed_wing")
    q = airframe.neutral()
    turned = q.clone()
    turned[airframe.robot.joint_names.index("elevator")] = 0.3
    plates = [
        [np.asarray(plate._faces) for plate in dk.plot(airframe, each).axes[0].collections] for each in (q, turned)
    ]
    moved = [not np.allclose(a, b) for a, b in zip(*plates)]
    assert sum(moved) == 2


def test_a_figure_shows_itself_in_a_notebook() -> None:
    picture = dk.plot(ROBOTS["planar_3r"])._repr_png_()
    from PIL import Image

    assert np.asarray(Image.open(io.BytesIO(picture))).shape[:2] == (480, 640)


def test_mistakes_say_what_to_do() -> None:
    robot = ROBOTS["planar_3r"]
    with pytest.raises(OptionError, match="must be a Robot"):
        dk.plot("planar_3r")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"\(3,\) or \(n, 3\)"):
        dk.plot(robot, [0.0, 0.0])
    with pytest.raises(ShapeError, match="at least one row"):
        dk.plot(robot, torch.zeros(0, 3))
    with pytest.raises(NonFiniteError, match="q"):
        dk.plot(robot, [0.0, float("nan"), 0.0])
    with pytest.raises(ShapeError, match=r"\(n, 4, 4\)"):
        dk.plot(robot, target=[0.0, 0.0, 0.0])
    with pytest.raises(RotationError, match="target"):
        dk.plot(robot, target=2.0 * torch.eye(4))
    with pytest.raises(ShapeError, match=r"base must have shape \(4, 4\)"):
        dk.plot(robot, base=torch.eye(3))
    with pytest.raises(OptionError, match="attitude of an airframe"):
        dk.plot(robot, R_ned_body=torch.eye(3))
