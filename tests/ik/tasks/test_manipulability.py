"""The preference for manipulability: derivatives, and that it grows along the self-motion."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import diffkin as dk
from diffkin import ik
from diffkin.errors import OptionError, UnknownNameError
from tests.ik.tasks.differences import COUNT, check_derivatives


@pytest.mark.parametrize("link", [None, "lbr_iiwa_link_5"])
def test_derivatives(iiwa, link):
    q = iiwa.sample(40, seed=4)
    q = q[iiwa.manipulability(q).topk(COUNT).indices]
    check_derivatives(iiwa, ik.ManipulabilityTask(link, weight=0.3), q)


def test_its_value_is_the_inverse_of_the_robots(iiwa):
    q = iiwa.sample(COUNT, seed=3)
    task, none = ik.ManipulabilityTask().for_robot(iiwa), torch.zeros(COUNT, 0)
    torch.testing.assert_close(task.residual(none, q, none)[:, 0], 1.0 / iiwa.manipulability(q))
    # of a link that five joints of seven move: that of the arm that ends there
    short = iiwa.from_urdf(iiwa.source, base=iiwa.base, tip="lbr_iiwa_link_5")
    task = ik.ManipulabilityTask("lbr_iiwa_link_5").for_robot(iiwa)
    torch.testing.assert_close(task.residual(none, q, none)[:, 0], 1.0 / short.manipulability(q[:, :5]))


def test_derivatives_of_a_tree(mixed):
    check_derivatives(mixed, ik.ManipulabilityTask("hand"))


def test_it_grows_to_where_it_is_stationary_along_the_self_motion(iiwa):
    q = iiwa.sample(16, seed=2)
    T = iiwa.forward_kinematics(q)
    result = dk.solve_ik(iiwa, [ik.PoseTask(None, T), ik.ManipulabilityTask()], q0=q)
    assert result.success.all()
    assert (iiwa.manipulability(result.q) >= iiwa.manipulability(q) - 1e-9).all()
    assert (iiwa.manipulability(result.q) > 1.2 * iiwa.manipulability(q)).any()
    at = result.q.clone().requires_grad_()
    (slope,) = torch.autograd.grad(iiwa.manipulability(at).sum(), at)
    null = torch.linalg.svd(iiwa.jacobian(result.q)).Vh[:, 6]
    inside = ((result.q > iiwa.lower + 1e-6) & (result.q < iiwa.upper - 1e-6)).all(-1)
    assert inside.sum() >= 4
    assert (slope * null).sum(-1)[inside].abs().max() < 1e-3 * slope.norm(dim=-1)[inside].max()


@pytest.mark.slow
def test_gradients_flow_through_it_to_the_target_and_to_the_arm(iiwa):
    q = iiwa.sample(50, seed=6)
    q = q[iiwa.manipulability(q).argmax()]
    T = iiwa.forward_kinematics(q)
    tight = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}

    def solved(xi: torch.Tensor, q0: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        origins = [*iiwa.tree.origins]
        origins[4] = origins[4] @ dk.transforms.exp(0.1 * xi)
        arm = dataclasses.replace(iiwa, tree=dataclasses.replace(iiwa.tree, origins=torch.stack(origins)))
        tasks = [ik.PoseTask(None, T @ dk.transforms.exp(xi)), ik.ManipulabilityTask()]
        return dk.solve_ik(arm, tasks, q0=q0, differentiable=differentiable, **tight).q

    zero = torch.zeros(6, dtype=torch.float64)
    for _ in range(3):
        q = solved(zero, q)
    xi = zero.clone().requires_grad_()
    rows = torch.stack([torch.autograd.grad(row, xi, retain_graph=True)[0] for row in solved(xi, q, True)])
    along = torch.tensor([1.0, 0.4, -0.3, 0.5, -0.2, 0.3], dtype=torch.float64)

    def there(xi: torch.Tensor) -> torch.Tensor:
        return solved(xi, solved(xi, q))  # again from the answer: a preference is followed for 100 steps

    near, far = ((there(s * 2e-3 * along) - there(-s * 2e-3 * along)) / (s * 4e-3) for s in (1, 2))
    torch.testing.assert_close(rows @ along, (4 * near - far) / 3, rtol=2e-5, atol=2e-5)


def test_bad_input(iiwa):
    with pytest.raises(OptionError, match="preference"):
        ik.ManipulabilityTask(priority=0)
    with pytest.raises(UnknownNameError, match="elbow"):
        dk.solve_ik(iiwa, [ik.PositionTask(None, torch.zeros(3)), ik.ManipulabilityTask("elbow")])
    with pytest.raises(OptionError, match="for_robot"):
        ik.ManipulabilityTask().taken(7)
