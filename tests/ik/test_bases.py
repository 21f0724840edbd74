"""Free bases: how they move, what they keep of the given one, and gradients through them."""

from __future__ import annotations

import pytest
import torch
from scipy.spatial.transform import Rotation

import diffkin as dk
from diffkin import ik, rotations, transforms
from diffkin.ik.bases import BASES
from tests.ik.tasks.differences import randn

BASE = transforms.pose(rotations.random_rotation(4, seed=1, dtype=torch.float64), randn(4, 3, seed=2))


def test_steps_of_each_kind():
    step = randn(4, 6, seed=3)
    own = torch.from_numpy(Rotation.from_rotvec(step[:, 3:].numpy()).as_matrix())
    moved = BASES["pose"].moved(BASE, step)
    torch.testing.assert_close(moved, BASE @ transforms.pose(own, step[:, :3]), rtol=0, atol=1e-14)
    turned = BASES["rotation"].moved(BASE, step[:, 3:])
    torch.testing.assert_close(turned[:, :3, :3], BASE[:, :3, :3] @ own, rtol=0, atol=1e-14)
    assert torch.equal(turned[:, :3, 3], BASE[:, :3, 3])
    planar = BASES["planar"].moved(BASE, step[:, :3])
    about = torch.from_numpy(Rotation.from_euler("z", step[:, 2:3].numpy()).as_matrix())
    torch.testing.assert_close(planar[:, :3, :3], about @ BASE[:, :3, :3], rtol=0, atol=1e-14)
    shift = torch.cat((step[:, :2], torch.zeros(4, 1)), dim=-1)
    torch.testing.assert_close(planar[:, :3, 3], BASE[:, :3, 3] + shift, rtol=0, atol=1e-14)
    assert BASES[None].moved(BASE, step[:, :0]) is BASE


@pytest.mark.parametrize("name", ["rotation", "pose", "planar"])
def test_gradients_by_a_step_are_those_of_autograd(name):
    kind, seed = BASES[name], randn(4, 4, 4, seed=5)
    seed[:, 3] = 0.0
    step = torch.zeros(4, kind.count, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(kind.moved(BASE, step), step, seed)
    torch.testing.assert_close(kind.pull(BASE, seed), wanted, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["rotation", "pose", "planar"])
def test_what_is_kept_of_the_given_base_is_what_no_step_changes(name):
    kind = BASES[name]
    found = kind.moved(BASE, randn(4, kind.count, seed=4))
    torch.testing.assert_close(kind.placed(found, BASE), found, rtol=0, atol=1e-14)
    assert kind.placed(found, None) is found
    step = torch.zeros(4, kind.count, dtype=torch.float64, requires_grad=True)
    placed = kind.placed(found, kind.moved(BASE, step))
    if placed.requires_grad:  # the given base moved as the base is free to move anyway
        (slope,) = torch.autograd.grad(placed, step, randn(4, 4, 4, seed=6))
        assert slope.abs().max() < 1e-13


def test_a_mobile_base_drives_to_where_the_arm_reaches(panda):
    q = panda.sample(8, seed=3)
    away = transforms.pose(
        rotations.euler_to_matrix(torch.tensor([[0.7, 0.0, 0.0]]).double().expand(8, 3), "ZYX"),
        torch.tensor([3.0, -2.0, 0.0], dtype=torch.float64).expand(8, 3),
    )
    T = away @ panda.forward_kinematics(q)
    start = transforms.pose(torch.eye(3, dtype=torch.float64), torch.tensor([0.2, 0.1, 0.05], dtype=torch.float64))
    result = dk.solve_ik(panda, T, q0=panda.sample(8), base=start, free_base="planar")
    assert result.success.all()
    torch.testing.assert_close(result.base @ panda.forward_kinematics(result.q), T, rtol=0, atol=3e-6)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(8, 3)
    torch.testing.assert_close(result.base[:, :3, 2], up, rtol=0, atol=1e-12)
    assert (result.base[:, 2, 3] - 0.05).abs().max() < 1e-12
    T[:, 2, 3] += 3.0  # too high, wherever it drives
    assert not dk.solve_ik(panda, T, base=start, free_base="planar", max_restarts=2).success.any()


def test_a_tilted_base_stays_as_tilted(panda):
    tilt = transforms.pose(rotations.rotvec_to_matrix(torch.tensor([0.1, -0.2, 0.0]).double()), torch.zeros(3).double())
    T = tilt @ panda.forward_kinematics(panda.sample(5, seed=1))
    T[:, 0, 3] += 2.0
    result = dk.solve_ik(panda, T, base=tilt, free_base="planar")
    assert result.success.all()
    torch.testing.assert_close(result.base[:, 2, :3], tilt[2, :3].expand(5, 3), rtol=0, atol=1e-12)
    turned = [
        (Rotation.from_matrix(each @ tilt[:3, :3].numpy().T)).as_rotvec() for each in result.base[:, :3, :3].numpy()
    ]
    assert max(abs(turn[:2]).max() for turn in turned) < 1e-12


@pytest.mark.parametrize("respect", ["base", pytest.param("target", marks=pytest.mark.slow)])
def test_gradients_through_a_planar_base(panda, respect):
    q0 = panda.sample(50, seed=6)
    q0 = q0[panda.manipulability(q0).argmax()]
    T = panda.forward_kinematics(q0)
    tilt = transforms.exp(torch.tensor([0.1, 0.3, 0.2, 0.05, -0.1, 0.4], dtype=torch.float64))
    rest = ik.PostureTask(q0 + 0.05)
    tight = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}
    at = {"q0": q0, "base": tilt}

    def solved(xi: torch.Tensor, differentiable: bool = False) -> torch.Tensor:
        goal = tilt @ T @ transforms.exp(xi) if respect == "target" else tilt @ T
        base = at["base"] @ transforms.exp(xi) if respect == "base" else at["base"]
        tasks = [ik.PoseTask(None, goal), rest]
        found = dk.solve_ik(
            panda, tasks, q0=at["q0"], base=base, free_base="planar", differentiable=differentiable, **tight
        )
        assert found.success
        if differentiable:
            return torch.cat((found.q, found.base[:3].flatten()))
        again = dk.solve_ik(panda, tasks, q0=found.q, base=found.base, free_base="planar", **tight)
        return torch.cat((again.q, again.base[:3].flatten()))

    for _ in range(2):
        found = solved(torch.zeros(6, dtype=torch.float64))
        at["q0"] = found[:7]
        at["base"] = torch.cat((found[7:].reshape(3, 4), tilt[3:]))
    xi = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    rows = torch.stack([torch.autograd.grad(each, xi, retain_graph=True)[0] for each in solved(xi, True)])
    along = torch.tensor([1.0, 0.4, -0.3, 0.5, -0.2, 0.3], dtype=torch.float64)
    near, far = ((solved(s * 2e-3 * along) - solved(-s * 2e-3 * along)) / (s * 4e-3) for s in (1, 2))
    torch.testing.assert_close(rows @ along, (4 * near - far) / 3, rtol=2e-5, atol=2e-5)
