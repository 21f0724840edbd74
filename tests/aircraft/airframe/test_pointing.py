"""Pointing as inverse kinematics: every answer is measured from the airframe alone."""

from __future__ import annotations

import math

import pytest
import torch

from diffkin import rotations
from diffkin.aircraft import (
    Airframe,
    KeepOut,
    Pointing,
    RayTarget,
    azimuth_elevation_to_direction,
    bank_pitch,
    load_airframe,
    point,
    point_axis,
)
from diffkin.errors import OptionError, RotationError, ShapeError, UnknownNameError

BANK, PITCH = math.radians(45.0), math.radians(25.0)
NAMES = ("fixed_wing", "quadrotor")


def angle(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    a, b = torch.broadcast_tensors(a, b)
    return torch.atan2(torch.linalg.cross(a, b).norm(dim=-1), (a * b).sum(-1))


def reachable(airframe: Airframe, count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points on the boresight of random attitudes within the limits; positions and those attitudes."""
    generator = torch.Generator().manual_seed(seed)
    unit = 2.0 * torch.rand(count, 7, generator=generator, dtype=torch.float64) - 1.0
    spread = torch.tensor([math.pi, PITCH, BANK], dtype=torch.float64)
    rotation = rotations.euler_to_matrix(unit[:, :3] * spread, "ZYX")
    position = 100.0 * unit[:, 3:6] + torch.tensor([0.0, 0.0, -500.0], dtype=torch.float64)
    q = airframe.robot.sample(count, seed=generator)
    origins, axes = airframe.rays_ned(rotation, position, q, ["boresight"])
    return origins[:, 0] + (510.0 + 500.0 * unit[:, 6:]) * axes[:, 0], position, rotation


def check(
    airframe: Airframe, found: Pointing, target: torch.Tensor, position: torch.Tensor, limits: bool = True
) -> None:
    """Successes point within tolerance and within every limit."""
    origins, axes = airframe.rays_ned(found.R_ned_body, position, found.q, ["boresight"])
    off = angle(target - origins[:, 0], axes[:, 0])
    good = found.success
    assert bool(good.any())
    assert float(off[good].max()) <= 1e-6
    torch.testing.assert_close(found.pointing_error, off, rtol=0, atol=1e-14)
    inside = ((found.q >= airframe.robot.lower) & (found.q <= airframe.robot.upper)).all(-1)
    assert bool(inside.all())
    if limits:
        bank, pitch = bank_pitch(found.R_ned_body)
        assert bool((bank.abs() < BANK)[good].all())
        assert bool((pitch.abs() < PITCH)[good].all())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("roll", ["level", "least", "free"])
def test_points_at_reachable_targets_within_limits(name: str, roll: str) -> None:
    airframe = load_airframe(name)
    target, position, _ = reachable(airframe, 300)
    found = point(
        airframe,
        RayTarget("boresight", point=target),
        position=position,
        roll=roll,
        max_bank=BANK,
        max_pitch=PITCH,
    )
    assert bool(found.success.all())
    check(airframe, found, target, position)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_targets(name: str) -> None:
    airframe = load_airframe(name)
    target, position, rotation = reachable(airframe, 10_000, seed=1)
    free = point(airframe, RayTarget("boresight", point=target), position=position, max_bank=BANK, max_pitch=PITCH)
    held = point(
        airframe,
        RayTarget("boresight", point=target),
        position=position,
        R_ned_body=rotation,
        free_attitude=False,
    )
    for found, limits in ((free, True), (held, False)):
        assert float(found.success.double().mean()) >= 0.999
        check(airframe, found, target, position, limits)


@pytest.mark.parametrize("name", NAMES)
def test_gimbal_alone(name: str) -> None:
    airframe = load_airframe(name)
    target, position, rotation = reachable(airframe, 200)
    found = point(
        airframe,
        RayTarget("boresight", point=target),
        position=position,
        R_ned_body=rotation,
        free_attitude=False,
    )
    assert bool(found.success.all())
    assert torch.equal(found.R_ned_body, rotation)
    check(airframe, found, target, position, limits=False)


def test_straight_below_with_a_level_aircraft() -> None:
    # The gimbal's singular point: its yaw axis and the boresight are parallel.
    for name in NAMES:
        airframe = load_airframe(name)
        level = torch.eye(3, dtype=torch.float64)
        below = torch.tensor([[0.0, 0.0, 1.0], [1e-7, 0.0, 1.0], [0.0, -1e-4, 1.0]], dtype=torch.float64)
        found = point(airframe, RayTarget("boresight", direction=below), R_ned_body=level, free_attitude=False)
        assert bool(found.success.all())
        assert bool(torch.isfinite(found.q).all())


def test_opposite_start() -> None:
    # The nose starts exactly opposite to where it shall point.
    airframe = load_airframe("fixed_wing")
    level = torch.eye(3, dtype=torch.float64)
    back = torch.tensor([-1.0, 0.0, 0.0], dtype=torch.float64)
    found = point(airframe, RayTarget("nose", direction=back), R_ned_body=level, max_restarts=0)
    assert bool(found.success)


def test_nose_agrees_with_the_closed_form() -> None:
    airframe = load_airframe("fixed_wing")
    unit = torch.rand(100, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    direction = azimuth_elevation_to_direction(6.28 * unit[:, 0], 2.4 * unit[:, 1] - 1.2)
    axis = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    start = rotations.euler_to_matrix(torch.tensor([0.2, 0.1, -0.3], dtype=torch.float64), "ZYX")
    for roll, closed in (
        ("level", point_axis(axis, direction)),
        ("least", point_axis(axis, direction, current=start)),
    ):
        found = point(airframe, RayTarget("nose", direction=direction), R_ned_body=start, roll=roll)
        assert bool(found.success.all())
        assert float(rotations.angle_between(found.R_ned_body, closed).max()) < 1e-4
    found = point(airframe, RayTarget("nose", direction=direction))
    assert float(rotations.angle_between(found.R_ned_body, point_axis(axis, direction)).max()) < 1e-6


def test_level_wings_are_level_and_least_stays() -> None:
    airframe = load_airframe("fixed_wing")
    target, position, _ = reachable(airframe, 200, seed=3)
    target[:, 2] = 0.0  # on the ground: always within the gimbal's reach
    aim = RayTarget("boresight", point=target)
    level = point(airframe, aim, position=position, max_pitch=PITCH)
    bank, _ = bank_pitch(level.R_ned_body)
    assert bool(level.success.all())
    assert float(bank.abs().max()) < 1e-4
    banked = rotations.euler_to_matrix(torch.tensor([0.4, 0.1, 0.3], dtype=torch.float64), "ZYX")
    start = banked.expand(200, 3, 3)
    least = point(airframe, aim, position=position, R_ned_body=start, roll="least")
    free = point(airframe, aim, position=position, R_ned_body=start, roll="free")
    assert bool(least.success.all())
    turned = [rotations.angle_between(start, found.R_ned_body) for found in (least, free)]
    assert float(turned[0].mean()) < 0.2 * float(turned[1].mean())


def test_second_ray_with_and_without_priority() -> None:
    airframe = load_airframe("quadrotor")
    generator = torch.Generator().manual_seed(4)
    directions = torch.randn(2, 100, 3, generator=generator, dtype=torch.float64)
    nose = RayTarget("nose", direction=directions[0])
    # Fixed rays 90 degrees apart cannot both be met; the second comes as near as the first allows.
    second = RayTarget("antenna", direction=directions[1], priority=1)
    found = point(airframe, [nose, second], roll="free", R_ned_body=rotations.random_rotation(100, seed=5))
    assert bool(found.success.all())
    _, axes = airframe.rays_ned(found.R_ned_body, None, found.q, ["antenna"])
    apart = angle(directions[0], directions[1])
    best = (apart - 0.5 * math.pi).abs()
    off = angle(axes[:, 0], directions[1])
    assert float((off - best).quantile(0.9)) < 1e-4
    # Both at priority 0, with the gimbal to help: nose and camera.
    camera = RayTarget("boresight", direction=directions[0] + 0.3 * directions[1])
    both = point(airframe, [nose, camera], roll="free")
    assert float(both.success.double().mean()) > 0.97
    _, axes = airframe.rays_ned(both.R_ned_body, None, both.q, ["nose", "boresight"])
    assert float(angle(axes[:, 0], directions[0])[both.success].max()) <= 1e-6
    assert float(angle(axes[:, 1], directions[0] + 0.3 * directions[1])[both.success].max()) <= 1e-6
    # Two fixed rays at an impossible angle: no success, and no exception.
    wrong = point(airframe, [nose, RayTarget("antenna", direction=directions[0])], roll="free", max_restarts=3)
    assert not bool(wrong.success.any())


def test_keep_out_cone() -> None:
    airframe = load_airframe("fixed_wing")
    sun = azimuth_elevation_to_direction(*torch.tensor([1.0, 0.6], dtype=torch.float64))
    down = torch.tensor([0.3, 0.2, 1.0], dtype=torch.float64)
    # The antenna looks up; keep it out of a wide cone round the sun while the camera looks down.
    cone = KeepOut("antenna", sun, math.radians(70.0))
    found = point(airframe, RayTarget("boresight", direction=down), keep_out=cone)
    _, axes = airframe.rays_ned(found.R_ned_body, None, found.q, ["antenna"])
    assert bool(found.success)
    assert float(angle(axes[0], sun)) > cone.half_angle
    # A target inside the cone of its own ray cannot be had.
    blocked = point(
        airframe,
        RayTarget("boresight", direction=sun),
        keep_out=KeepOut("boresight", sun, 0.3),
        max_restarts=3,
    )
    assert not bool(blocked.success)


def test_unreachable_is_not_an_exception() -> None:
    airframe = load_airframe("fixed_wing")
    up = torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64)
    found = point(airframe, RayTarget("nose", direction=up), max_pitch=0.3, max_restarts=5)
    assert not bool(found.success)
    assert bool(torch.isfinite(found.R_ned_body).all())


def test_locked_joints_stay() -> None:
    airframe = load_airframe("fixed_wing")
    names = list(airframe.robot.joint_names)
    q = airframe.neutral()
    q[names.index("gimbal_roll")] = 0.1
    direction = torch.tensor([0.4, 0.2, 0.9], dtype=torch.float64)
    locked = [name for name in names if name not in ("gimbal_yaw", "gimbal_pitch")]
    found = point(airframe, RayTarget("boresight", direction=direction), q=q, locked=locked)
    assert bool(found.success)
    kept = [names.index(name) for name in locked]
    torch.testing.assert_close(found.q[kept], q[kept], rtol=0, atol=1e-15)
    # By default the joints that do not move the ray stay.
    found = point(airframe, RayTarget("boresight", direction=direction), q=q)
    torch.testing.assert_close(found.q[:4], torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-15)


def test_float32_and_batches() -> None:
    airframe = load_airframe("quadrotor").to(dtype=torch.float32)
    direction = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1))
    found = point(airframe, RayTarget("boresight", direction=direction), history=True)
    assert found.success.shape == (2, 3)
    assert bool(found.success.all())
    assert found.R_ned_body.dtype == torch.float32
    assert float(found.pointing_error.max()) < 2e-5
    assert found.ik.history is not None


def test_bad_input() -> None:
    airframe = load_airframe("fixed_wing")
    x = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    with pytest.raises(UnknownNameError, match="Closest: 'boresight'"):
        point(airframe, RayTarget("boresigt", direction=x))
    with pytest.raises(OptionError, match="either a point or a direction"):
        RayTarget("nose")
    with pytest.raises(OptionError, match="priority 0"):
        point(airframe, RayTarget("nose", direction=x, priority=1))
    with pytest.raises(UnknownNameError, match="level"):
        point(airframe, RayTarget("nose", direction=x), roll="levl")
    with pytest.raises(RotationError, match="zero"):
        point(airframe, RayTarget("nose", direction=0.0 * x))
    with pytest.raises(RotationError, match="R_ned_body"):
        point(airframe, RayTarget("nose", direction=x), R_ned_body=-torch.eye(3, dtype=torch.float64))
    with pytest.raises(ShapeError, match="do not"):
        point(airframe, RayTarget("nose", direction=x.expand(2, 3)), position=torch.zeros(3, 3, dtype=torch.float64))
    with pytest.raises(UnknownNameError, match="joint"):
        point(airframe, RayTarget("nose", direction=x), locked=["ruder"])


def test_bank_and_pitch_in_degrees() -> None:
    R = rotations.euler_to_matrix(torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64), "ZYX")
    bank, pitch = bank_pitch(R, degrees=True)
    assert float(bank) == pytest.approx(math.degrees(0.7)) and float(pitch) == pytest.approx(math.degrees(-0.2))


def test_a_pointing_says_what_was_solved_and_what_was_not() -> None:
    airframe = load_airframe("quadrotor")
    level = torch.eye(3, dtype=torch.float64)
    behind = torch.tensor([[1.0, 0.0, 0.2], [0.0, 0.0, -1.0], [1.0, 0.2, 0.3]], dtype=torch.float64)
    found = point(airframe, RayTarget("boresight", direction=behind), R_ned_body=level, free_attitude=False)
    assert found.success.tolist() == [True, False, True]
    worst = math.degrees(float(found.pointing_error[1]))
    assert repr(found) == (
        "Pointing(solved 2 of 3, R_ned_body (3, 3, 3), q (3, 2); "
        f"worst pointing error {worst:.3g} deg; failed: 1, the best of them by {worst:.3g} deg)"
    )
    whole = point(airframe, RayTarget("nose", direction=behind), tolerance=1e-4)
    assert repr(whole).startswith("Pointing(solved 3 of 3, ") and "failed" not in repr(whole)
    one = point(airframe, RayTarget("boresight", direction=behind[1]), R_ned_body=level, free_attitude=False)
    assert repr(one).startswith("Pointing(solved 0 of 1, R_ned_body (3, 3), q (2,); worst pointing error")
    none = point(airframe, RayTarget("nose", direction=behind[:0]))
    assert repr(none).startswith("Pointing(solved 0 of 0")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": None}, "RayTarget"),
        ({"targets": ["boresight"]}, r"targets\[0\] must be of the kind RayTarget"),
        ({"keep_out": "sun"}, "keep_out"),
        ({"tolerance": "1e-6"}, "tolerance"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"max_bank": "a"}, "max_bank"),
        ({"max_pitch": -0.1}, "max_pitch"),
        ({"locked": "gimbal_yaw"}, "locked"),
        ({"seed": None}, "seed"),
        ({"max_restarts": 1.5}, "max_restarts"),
        ({"max_iterations": 0}, "max_iterations"),
    ],
)
def test_options_of_another_kind(change: dict[str, object], words: str) -> None:
    ahead = torch.tensor([1.0, 0.0, 0.2], dtype=torch.float64)
    given = {"targets": RayTarget("boresight", direction=ahead), **change}
    with pytest.raises(OptionError, match=words):
        point(load_airframe("quadrotor"), **given)


def test_targets_of_another_kind() -> None:
    ahead = torch.tensor([1.0, 0.0, 0.2], dtype=torch.float64)
    for priority in (2, -1, True, 0.5, None):
        with pytest.raises(OptionError, match="priority"):
            RayTarget("boresight", direction=ahead, priority=priority)
    with pytest.raises(OptionError, match="ray"):
        RayTarget(None, direction=ahead)
    with pytest.raises(ShapeError, match="direction"):
        RayTarget("boresight", direction=ahead[:2])
    with pytest.raises(OptionError, match="half_angle"):
        KeepOut("boresight", ahead, "wide")
