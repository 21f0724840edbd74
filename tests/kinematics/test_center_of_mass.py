"""The centre of mass as a function: its gradients, its batches, its base; numbers are tested in ``robot/test_inertia``."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin.kinematics.center_of_mass import center_of_mass


@pytest.fixture(scope="module")
def arm() -> dk.Robot:
    return dk.load_robot("xarm6")


def test_by_the_textbook(arm: dk.Robot) -> None:
    q = arm.sample(6, seed=1).reshape(2, 3, 6)
    poses = arm.link_poses(q)
    total, first = torch.zeros((), dtype=torch.float64), torch.zeros(2, 3, 3, dtype=torch.float64)
    for name, mass, center in zip(arm.link_names, arm.link_masses, arm.link_centers):
        total += mass
        first += mass * (poses[name] @ torch.cat((center, center.new_ones(1))))[..., :3]
    assert total > 1.0
    torch.testing.assert_close(arm.center_of_mass(q), first / total, rtol=0, atol=1e-15)
    plain = center_of_mass(arm.tree, q, arm.link_masses, arm.link_centers, backend="reference")
    torch.testing.assert_close(plain, first / total, rtol=0, atol=1e-15)


def test_a_base_moves_it_along(arm: dk.Robot) -> None:
    q = arm.sample(4, seed=2)
    twist = torch.tensor([[0.1, 0.2, 0.3, 0.4, -0.5, 0.6]], dtype=torch.float64)
    base = dk.transforms.exp(twist)[0]
    expected = (base[:3, :3] @ arm.center_of_mass(q).T).T + base[:3, 3]
    torch.testing.assert_close(arm.center_of_mass(q, base=base), expected, rtol=0, atol=1e-15)


def test_gradients(arm: dk.Robot) -> None:
    q = arm.sample(2, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(arm.center_of_mass, (q,))
    assert torch.autograd.gradgradcheck(arm.center_of_mass, (q,))
    masses, centers = ((value + 0.5).requires_grad_() for value in (arm.link_masses, arm.link_centers))

    def of_masses(masses: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
        return arm.replace(link_masses=masses, link_centers=centers).center_of_mass(q.detach())

    assert torch.autograd.gradcheck(of_masses, (masses, centers))
    by_hand = torch.func.jacrev(arm.center_of_mass)(q[0].detach())
    torch.testing.assert_close(torch.func.jacfwd(arm.center_of_mass)(q[0].detach()), by_hand)


def test_mass_without_the_base_moves_less_than_the_reach(arm: dk.Robot) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        single = arm.to(torch.float32)
        found = single.center_of_mass(single.sample(50))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), arm.center_of_mass(single.sample(50).double()), rtol=0, atol=1e-6)
