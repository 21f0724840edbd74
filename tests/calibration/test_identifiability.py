"""Directions that measurements do not see: as many as the null space has, each named."""

import pytest
import torch

import diffkin as dk
from diffkin.calibration.fit import system
from diffkin.calibration.identifiability import unidentifiable
from diffkin.calibration.measurements import Measurements
from diffkin.calibration.model import calibration_model


def blind(robot, kind="pose", groups=("offsets", "origins", "tool")):
    tool = torch.eye(4, dtype=torch.float64)
    tool[:3, 3] = torch.tensor([0.03, 0.02, 0.1])  # off the last axis, else a point does not see its turning
    model = calibration_model(robot, tool, groups)
    q = robot.sample(40, seed=3)
    data = Measurements.of_poses(q, model.poses(model.zero(), q), 1e-4, 1e-3).only(kind)
    rows = system(model, model.zero(), data)[1].reshape(-1, model.size)
    return model, rows, unidentifiable(model, rows)


@pytest.mark.parametrize(("kind", "count"), [("pose", 21), ("position", 24), ("rotation", 38)])
def test_iiwa(iiwa, kind, count):
    model, rows, found = blind(iiwa, kind)
    assert len(found) == count
    directions = torch.stack([each.direction for each in found])
    assert int(torch.linalg.matrix_rank(directions, rtol=1e-6)) == count
    assert float((rows @ directions.T).abs().max()) < 1e-8 * float(torch.linalg.matrix_norm(rows, 2))
    words = " | ".join(each.words for each in found)
    assert "together" not in words  # all of them are known to theory
    assert words.count("only their sum is seen") == 7
    assert words.count("turning the frame of") == 7
    if kind == "rotation":
        assert words.count("has no effect") == 24  # every shift of seven origins and the tool
    else:
        assert (
            words.count(
                "shifting the frame of lbr_iiwa_joint_3 along its axis, undone in the origin of lbr_iiwa_joint_4"
            )
            == 1
        )
    assert words.count("rx of tool: has no effect") == (kind == "position")


@pytest.mark.parametrize(("name", "rank"), [("scara", 4 * 3 + 2 + 6), ("xarm6", 4 * 6 + 6), ("planar_2r", 4 * 2 + 6)])
def test_other_arms(name, rank):
    # four numbers a revolute joint, two a prismatic one, six of the end
    model, _, found = blind(dk.load_robot(name))
    assert model.size - len(found) == rank
    assert not any("together" in each.words for each in found)


def test_what_theory_does_not_list_is_named_by_its_parameters():
    arm = dk.load_robot("planar_2r")
    _, rows, found = blind(arm, "position", groups=("offsets", "tool"))
    named = [each for each in found if each.words.startswith("together: ")]
    assert int(torch.linalg.matrix_rank(rows, rtol=1e-8)) == rows.shape[1] - len(found)
    for each in named:
        assert float((rows @ each.direction).norm()) < 1e-6 * float(rows.norm())


def test_everything_seen_gives_nothing(iiwa):
    assert blind(iiwa, groups=("offsets",))[2] == ()
