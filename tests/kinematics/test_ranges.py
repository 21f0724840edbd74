"""The one rule for where coordinates are drawn from, and ``Robot.sample``, which draws by it."""

from __future__ import annotations

import importlib.metadata
from math import inf, pi
from pathlib import Path

import pytest
import torch

import diffkin as dk
from diffkin.kinematics.ranges import sampling_range

EXAMPLES = Path(str(importlib.metadata.distribution("example-robot-data").locate_file("cmeel.prefix/share")))
UR5 = EXAMPLES / "example-robot-data" / "robots" / "ur_description" / "urdf" / "ur5_robot.urdf"

# limits of one joint, and the range that is drawn from
TURNS = [
    ((-1.0, 2.0), (-1.0, 2.0)),
    ((3.0, 3.0), (3.0, 3.0)),
    ((-2 * pi, 2 * pi), (-2 * pi, 2 * pi)),
    ((-6.2832, 6.2832), (-6.2832, 6.2832)),  # two turns as people write them
    ((-6.29, 6.29), (-6.29, 6.29)),
    ((5.0, 5.0 + 4 * pi), (5.0, 5.0 + 4 * pi)),
    ((-inf, inf), (-pi, pi)),
    ((-1e6, 1e6), (-pi, pi)),
    ((-7.0, 7.0), (-pi, pi)),
    ((4.0, inf), (4.0, 4.0 + 2 * pi)),
    ((-1.0, inf), (-1.0, 2 * pi - 1.0)),
    ((-1.0, 1e6), (-1.0, 2 * pi - 1.0)),
    ((-inf, -10.0), (-10.0 - 2 * pi, -10.0)),
    ((-inf, 1.0), (1.0 - 2 * pi, 1.0)),
    ((-1e6, 1.0), (1.0 - 2 * pi, 1.0)),
    ((-100.0, inf), (-pi, pi)),
    ((-inf, 100.0), (-pi, pi)),
]
SLIDES = [
    ((-1.0, 2.0), (-1.0, 2.0)),
    ((-400.0, 500.0), (-400.0, 500.0)),
    ((-inf, inf), (-pi, pi)),
    ((-1e6, 1e6), (-pi, pi)),
    ((4.0, inf), (4.0, 4.0 + 2 * pi)),
    ((-inf, -10.0), (-10.0 - 2 * pi, -10.0)),
]
CASES = [("revolute", *case) for case in TURNS] + [("prismatic", *case) for case in SLIDES]


def one_joint(kind: str, limits: tuple[float, float]) -> dk.Robot:
    """A robot of one joint with these limits."""
    robot = dk.Robot.from_urdf(
        f"""<robot name="one"><link name="a"/><link name="b"/>
        <joint name="j" type="{kind}"><parent link="a"/><child link="b"/><axis xyz="0 0 1"/>
        <limit lower="-1" upper="1" effort="1" velocity="1"/></joint></robot>"""
    )
    lower, upper = (torch.tensor([side], dtype=torch.float64) for side in limits)
    return robot.replace(lower=lower, upper=upper)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "limits", "expected"), CASES)
def test_the_rule(kind: str, limits: tuple[float, float], expected: tuple[float, float], dtype: torch.dtype) -> None:
    robot = one_joint(kind, limits).to(dtype)
    low, high = sampling_range(robot.tree, robot.lower, robot.upper)
    assert low.shape == high.shape == (1,)
    assert low.dtype == high.dtype == dtype
    assert (low.item(), high.item()) == pytest.approx(expected, rel=torch.finfo(dtype).eps, abs=1e-15)
    assert robot.lower.item() <= low.item() <= high.item() <= robot.upper.item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "limits", "expected"), CASES)
def test_samples_fill_the_range_and_obey_the_limits(
    kind: str, limits: tuple[float, float], expected: tuple[float, float], dtype: torch.dtype
) -> None:
    robot = one_joint(kind, limits).to(dtype)
    q = robot.sample(2000, seed=3)
    assert q.dtype == dtype
    assert bool((q >= robot.lower).all() and (q <= robot.upper).all())
    low, high = expected
    width = high - low
    assert q.min().item() == pytest.approx(low, abs=0.01 * width + 1e-6)
    assert q.max().item() == pytest.approx(high, abs=0.01 * width + 1e-6)
    assert q.mean().item() == pytest.approx(0.5 * (low + high), abs=0.03 * width + 1e-6)


def test_every_coordinate_has_its_own_range() -> None:
    """A coordinate is a slide if any joint that it moves is one; mimics count."""
    mixed = dk.Robot.from_urdf(
        """<robot name="two"><link name="a"/><link name="b"/><link name="c"/><link name="d"/>
        <joint name="turn" type="continuous"><parent link="a"/><child link="b"/></joint>
        <joint name="screw" type="revolute"><parent link="b"/><child link="c"/>
          <limit lower="-300" upper="300" effort="1" velocity="1"/></joint>
        <joint name="lead" type="prismatic"><parent link="c"/><child link="d"/>
          <limit lower="0" upper="1" effort="1" velocity="1"/><mimic joint="screw" multiplier="0.001"/></joint></robot>"""
    )
    low, high = sampling_range(mixed.tree, mixed.lower, mixed.upper)
    assert low.tolist() == [-pi, -300.0]
    assert high.tolist() == [pi, 300.0]


@pytest.mark.parametrize("name", dk.robot_names())
def test_draws_of_a_seed_stay_what_they_were(name: str) -> None:
    """Ordinary limits: one uniform number a coordinate, between the limits, or between -pi and pi."""
    robot = dk.load_robot(name)
    unit = torch.rand(7, robot.dof, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    lower = torch.where(robot.lower.isinf(), -pi, robot.lower)
    upper = torch.where(robot.upper.isinf(), pi, robot.upper)
    assert torch.equal(robot.sample(7, seed=5), (lower + unit * (upper - lower)).clamp(robot.lower, robot.upper))


def test_the_two_turns_of_a_ur5_are_drawn_from_whole() -> None:
    robot = dk.load_robot(UR5, tip="tool0")
    assert robot.lower.min().item() == pytest.approx(-2 * pi, abs=1e-3)
    low, high = sampling_range(robot.tree, robot.lower, robot.upper)
    assert torch.equal(low, robot.lower)
    assert torch.equal(high, robot.upper)
    q = robot.sample(2000)
    assert q.max().item() > 1.9 * pi
    assert q.min().item() < -1.9 * pi
