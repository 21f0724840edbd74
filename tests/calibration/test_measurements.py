"""Measurements as CSV: what is written is read, what is missing stays missing, mistakes are named."""

import math

import pytest
import torch

from diffkin.calibration.measurements import Measurements, read_measurements, write_measurements
from diffkin.errors import ModelFileError, ShapeError, UnknownNameError


@pytest.fixture
def data(scara):
    q = scara.sample(6)
    data = Measurements.of_poses(q, scara.forward_kinematics(q), 1e-3, 1e-2, seed=0)
    data.position[1, 2] = torch.nan
    data.rotation[2] = torch.nan
    return data


def test_noise_has_the_size_asked_for(iiwa):
    q = iiwa.sample(4000)
    poses = iiwa.forward_kinematics(q)
    data = Measurements.of_poses(q, poses, 1e-3, 1e-2, seed=0)
    moved = data.position - poses[:, :3, 3]
    cosine = ((data.rotation * poses[:, :3, :3]).sum((1, 2)) - 1) / 2
    assert torch.allclose(moved.std(0), torch.full((3,), 1e-3, dtype=torch.float64), rtol=0.06)
    assert float(torch.acos(cosine).square().mean()) == pytest.approx(3e-4, rel=0.06)


def test_csv_gives_back_what_was_written(tmp_path, scara, data):
    write_measurements(tmp_path / "m.csv", scara, data)
    back = read_measurements(tmp_path / "m.csv", scara, 1e-3, 1e-2)
    assert torch.equal(back.q, data.q)
    assert torch.equal(back.valid(), data.valid())
    assert torch.equal(back.position.nan_to_num(7), data.position.nan_to_num(7))
    assert torch.allclose(back.rotation.nan_to_num(7), data.rotation.nan_to_num(7), atol=1e-14)


def test_columns_may_be_missing(tmp_path, scara):
    joints = ",".join(scara.joint_names)
    path = tmp_path / "m.csv"
    path.write_text(f"note,{joints},x_m,y_m,z_m\nfirst,0,0,0,0,0.1,0.2,nan\nsecond,0.5,0,0,0,0.1,,0.3\n")
    read = read_measurements(path, scara, 1e-3, 1e-2)
    assert read.valid().tolist() == [[True, True, False] + [False] * 3, [True, False, True] + [False] * 3]
    assert read.position[1, 2] == 0.3
    assert read.q[1, 0] == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no measurements"),
        ("x_m,y_m,z_m\n0,0,0\n", "no column"),
        ("{joints},x_m,y_m,z_m\n0,0,0,0,a,0,0\n", "line 2, column x_m: 'a' is no number"),
        ("{joints},x_m,y_m,z_m\n0,0,0,,0,0,0\n", "line 2: every joint"),
        ("{joints}\n0,0,0,0\n", "nothing measured"),
        ("{joints},quat_x,quat_y,quat_z,quat_w\n0,0,0,0,0,0,0,2\n", "line 2: the quaternion"),
    ],
)
def test_mistakes_in_a_file(tmp_path, scara, text, message):
    path = tmp_path / "m.csv"
    path.write_text(text.format(joints=",".join(scara.joint_names)))
    with pytest.raises(ModelFileError, match=message):
        read_measurements(path, scara, 1e-3, 1e-2)


def test_other_mistakes(tmp_path, scara, data):
    with pytest.raises(ModelFileError, match="Cannot read"):
        read_measurements(tmp_path / "none.csv", scara, 1e-3, 1e-2)
    with pytest.raises(UnknownNameError, match="position"):
        data.only("positions")
    with pytest.raises(ShapeError, match="one row a measurement"):
        Measurements(data.q[:2], data.position, data.rotation, 1.0, 1.0)
    assert math.isnan(float(data.only("rotation").position[0, 0]))
