"""Paths of the group ``path``: figures of their size in the plane of the tip, and files read back."""

import csv
from pathlib import Path

import pytest
import torch
from common.paths import PathConfig, make_path

import diffkin as dk
from diffkin import rotations
from diffkin.errors import ModelFileError, OptionError
from tests.scripts.starting import put_back, start  # noqa: F401


@pytest.mark.parametrize(
    ("kind", "width", "height"), [("line", 0.2, 0.0), ("circle", 0.2, 0.2), ("lissajous", 0.2, 0.2)]
)
def test_figures_have_their_size_and_one_orientation(kind: str, width: float, height: float) -> None:
    robot = dk.load_robot("kuka_iiwa")
    T, near, closed = make_path(robot, PathConfig(kind, 401, 5.0, 0.2), seed=1)
    centre = robot.forward_kinematics(near)
    points = (T[:, :3, 3] - centre[:3, 3]) @ centre[:3, :3]
    spans = points.amax(0) - points.amin(0)
    torch.testing.assert_close(spans, torch.tensor([width, height, 0.0], dtype=torch.float64), atol=1e-3, rtol=0.0)
    assert float((T[:, :3, :3] - centre[:3, :3]).abs().max()) < 1e-12
    assert closed == (kind != "line") == torch.equal(T[0], T[-1])
    assert bool(((near > robot.lower) & (near < robot.upper)).all())


@pytest.mark.parametrize("kind", ["line", "circle", "lissajous"])
@pytest.mark.parametrize("name", ["scara", "planar_3r", "planar_2r", "kuka_iiwa", "franka_panda", "xarm6"])
def test_figures_lie_where_the_arm_reaches_them(name: str, kind: str) -> None:
    robot, size = dk.load_robot(name), {"line": 0.3}.get(kind, 0.2)  # as in configs/path
    oriented = name != "planar_2r"  # which has no joint left to turn its tip with
    T, near, closed = make_path(robot, PathConfig(kind, 100, 5.0, size), seed=0, orientation=oriented)
    found = dk.motion.solve_path(robot, T if oriented else dk.ik.PositionTask(None, T[:, :3, 3]), near, closed)
    assert found.success, found


def test_a_file_is_read_back(tmp_path: Path) -> None:
    robot = dk.load_robot("xarm6")
    T = robot.forward_kinematics(robot.sample(3))
    file = tmp_path / "poses.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["x_m", "y_m", "z_m", "quat_x", "quat_y", "quat_z", "quat_w"])
        for pose in T:
            writer.writerow([*pose[:3, 3].tolist(), *rotations.matrix_to_quat_xyzw(pose[:3, :3]).tolist()])
    read, _, closed = make_path(robot, PathConfig("csv", 0, 1.0, 0.0, str(file)), seed=0)
    torch.testing.assert_close(read, T)
    assert not closed
    for text, said in (("x_m\n1\n", "columns"), ("x_m,y_m,z_m,quat_x,quat_y,quat_z,quat_w\n", "no rows")):
        file.write_text(text)
        with pytest.raises(ModelFileError, match=said):
            make_path(robot, PathConfig("csv", 0, 1.0, 0.0, str(file)), seed=0)
    with pytest.raises(ModelFileError, match="cannot be read"):
        make_path(robot, PathConfig("csv", 0, 1.0, 0.0, str(tmp_path / "none.csv")), seed=0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["path=circle", "path.file=a.csv"], "path.file=a.csv would change nothing: a circle is drawn"),
        (["path=csv", "path.file=a.csv", "path.ticks=5"], "path.ticks=5 would change nothing"),
        (["path=csv", "path.file=a.csv", "path.size=0.1"], "path.size=0.1 would change nothing"),
    ],
)
def test_what_belongs_to_another_path_is_refused(line: list[str], said: str) -> None:
    cfg = start("track_path", *line)
    with pytest.raises(OptionError, match=said):
        make_path(dk.load_robot("planar_3r"), PathConfig(**cfg.path), seed=0)
