"""Jacobians of points and rays: every route agrees with the closed form, and that with finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch.autograd import gradcheck

from diffkin import rotations
from diffkin.aircraft import Airframe, load_airframe, point_jacobian, ray_jacobian
from diffkin.errors import RotationError, UnknownNameError

NAMES = ("fixed_wing", "quadrotor")


@pytest.fixture(scope="module", params=[*NAMES, "kuka_iiwa"])
def airframe(request) -> Airframe:
    return load_airframe(request.param)


def states(airframe: Airframe, *batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rotation = rotations.random_rotation(batch, seed=generator)
    position = torch.randn(*batch, 3, generator=generator, dtype=torch.float64)
    q = airframe.robot.sample(math.prod(batch), seed=generator).reshape(*batch, airframe.dof)
    return rotation, position, q


@pytest.mark.parametrize("method", ["backward_seeds", "reverse", "forward"])
def test_jacobians_by_every_route_agree(airframe: Airframe, method: str) -> None:
    rotation, position, q = states(airframe, 4, 2, seed=5)
    for name in airframe.points:
        closed = point_jacobian(airframe, name, rotation, position, q)
        other = point_jacobian(airframe, name, rotation, position, q, method)
        torch.testing.assert_close(other, closed, rtol=0, atol=1e-12)
    for name in airframe.rays:
        closed = ray_jacobian(airframe, name, rotation, position, q)
        other = ray_jacobian(airframe, name, rotation, position, q, method)
        torch.testing.assert_close(other, closed, rtol=0, atol=1e-12)


def test_jacobian_against_finite_differences(airframe: Airframe) -> None:
    rotation, position, q = states(airframe, 3, seed=6)
    name, step = list(airframe.rays)[1], 1e-6
    J = ray_jacobian(airframe, name, rotation, position, q)
    for column in range(6 + airframe.dof):
        ends = []
        for sign in (-step, step):
            move = torch.zeros(3, 6 + airframe.dof, dtype=torch.float64)
            move[:, column] = sign
            turned = rotation @ rotations.rotvec_to_matrix(move[:, :3])
            ends.append(
                torch.cat(airframe.rays_ned(turned, position + move[:, 3:6], q + move[:, 6:], [name]), -1)[:, 0]
            )
        torch.testing.assert_close((ends[1] - ends[0]) / (2 * step), J[..., column], rtol=0, atol=1e-8)


def test_jacobians_are_differentiable_and_transform() -> None:
    airframe = load_airframe("fixed_wing")
    rotation, position, q = states(airframe, 2, seed=7)

    def turned(rotvec: torch.Tensor, q: torch.Tensor, method: str) -> torch.Tensor:
        return ray_jacobian(airframe, "boresight", rotation @ rotations.rotvec_to_matrix(rotvec), position, q, method)

    start = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    for method in ("geometric", "backward_seeds"):
        assert gradcheck(lambda v, a, m=method: turned(v, a, m), (start, q.clone().requires_grad_()))
    closed = point_jacobian(airframe, "camera", rotation, position, q)
    mapped = torch.func.vmap(lambda R, p, a: point_jacobian(airframe, "camera", R, p, a, "backward_seeds"))
    torch.testing.assert_close(mapped(rotation, position, q), closed, rtol=0, atol=1e-12)


def test_any_chart() -> None:
    airframe = load_airframe("quadrotor")
    angles = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)

    def tip(angles: torch.Tensor) -> torch.Tensor:
        return airframe.points_ned(rotations.euler_to_matrix(angles, "ZYX"), names=["right_wingtip"])[0]

    by_angles = torch.func.jacrev(tip)(angles)
    R = rotations.euler_to_matrix(angles, "ZYX")
    closed = point_jacobian(airframe, "right_wingtip", R)[:, :3] @ rotations.body_rate_matrix(angles, "ZYX")
    torch.testing.assert_close(by_angles, closed, rtol=0, atol=1e-13)


def test_a_point_moves_as_a_rigid_body_says() -> None:
    """Columns by hand: a turn w moves a point at p by ``R (w x p)``, and a shift moves it by itself."""
    airframe = load_airframe("quadrotor")
    rotation, position, q = states(airframe, 4, seed=9)
    J = point_jacobian(airframe, "nose", rotation, position, q)
    p = airframe.points_body(q, ["nose"])[:, 0]
    for k, axis in enumerate(torch.eye(3, dtype=torch.float64)):
        moved = (rotation @ torch.linalg.cross(axis.expand_as(p), p).unsqueeze(-1)).squeeze(-1)
        torch.testing.assert_close(J[..., k], moved, rtol=0, atol=1e-14)
    torch.testing.assert_close(J[..., 3:6], torch.eye(3, dtype=torch.float64).expand(4, 3, 3), rtol=0, atol=0)
    rays = ray_jacobian(airframe, "nose", rotation, position, q)
    assert float(rays[:, 3:, 3:6].abs().max()) == 0.0  # a shift turns nothing


def test_defaults_and_batches() -> None:
    airframe = load_airframe("quadrotor")
    rotation, position, q = states(airframe, 5, seed=8)
    assert point_jacobian(airframe, "nose", rotation[0]).shape == (3, 8)
    assert ray_jacobian(airframe, "nose", rotation[0], position, q[:1]).shape == (5, 6, 8)


def test_bad_input() -> None:
    airframe = load_airframe("fixed_wing")
    eye = torch.eye(3, dtype=torch.float64)
    with pytest.raises(UnknownNameError, match="method"):
        point_jacobian(airframe, "nose", eye, method="backward_seds")
    with pytest.raises(UnknownNameError, match="Closest: 'nose'"):
        ray_jacobian(airframe, "noze", eye)
    with pytest.raises(RotationError, match="R_ned_body"):
        ray_jacobian(airframe, "nose", 2.0 * eye)


@pytest.mark.parametrize("method", ["geometric", "backward_seeds", "reverse", "forward"])
@pytest.mark.parametrize("jacobian", [(point_jacobian, "camera"), (ray_jacobian, "boresight")])
def test_inference_mode_gives_the_same_jacobian(jacobian: tuple[Callable[..., torch.Tensor], str], method: str) -> None:
    function, name = jacobian
    airframe = load_airframe("fixed_wing")
    with torch.inference_mode():
        frozen = load_airframe("fixed_wing")
        R = rotations.random_rotation((4,), 1)
        q = 0.3 * torch.ones(4, airframe.dof, dtype=torch.float64)
        within = function(airframe, name, R, None, q, method=method)
        of_frozen = function(frozen, name, R, None, q, method=method)
    assert R.is_inference() and q.is_inference()
    outside = function(airframe, name, R, None, q, method=method)
    expected = function(airframe, name, R.clone(), None, q.clone())
    assert float(expected[..., 6:].abs().max()) > 0.01
    for found in (within, of_frozen, outside, function(frozen, name, R.clone(), None, q.clone(), method=method)):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["geometric", "backward_seeds", "reverse", "forward"])
def test_a_graph_is_kept_where_gradients_are_wanted_and_only_there(method: str) -> None:
    airframe = load_airframe("fixed_wing")
    R = rotations.random_rotation((2,), 1)
    q = torch.full((2, airframe.dof), 0.3, dtype=torch.float64, requires_grad=True)
    assert point_jacobian(airframe, "camera", R, None, q, method=method).requires_grad
    with torch.no_grad():
        assert not point_jacobian(airframe, "camera", R, None, q, method=method).requires_grad


def test_an_airframe_loaded_under_inference_mode_is_differentiable_later() -> None:
    with torch.inference_mode():
        frozen = load_airframe("fixed_wing")
    R, position, q = states(frozen, 3)
    found = torch.autograd.functional.jacobian(lambda q: frozen.points_ned(R, position, q, ["camera"]).sum(0), q)
    expected = point_jacobian(load_airframe("fixed_wing"), "camera", R, position, q)[..., 6:]
    torch.testing.assert_close(found.squeeze(0).movedim(1, 0), expected, rtol=0, atol=1e-12)
