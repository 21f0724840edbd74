"""Attitudes of a profile matrix: SciPy's polar decomposition, eigenvalues by NumPy, and Newton's method."""

import numpy as np
import pytest
import scipy.linalg
import torch

from diffkin import rotations
from diffkin.aircraft.estimation.profile_matrix import (
    by_davenport,
    by_quest,
    by_svd,
    davenport_matrix,
    newton_step,
    polish,
)

F = torch.float64
METHODS = (by_svd, by_davenport, by_quest)


def profiles(count: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Attitudes, and profile matrices of three noisy unit vectors with random weights of sum one."""
    draw = torch.Generator().manual_seed(seed)
    R = rotations.random_rotation((count,), draw)
    reference = torch.nn.functional.normalize(torch.randn(count, 3, 3, generator=draw, dtype=F), dim=-1)
    body = reference @ R + noise * torch.randn(count, 3, 3, generator=draw, dtype=F)
    weights = torch.rand(count, 3, 1, generator=draw, dtype=F)
    body = torch.nn.functional.normalize(body, dim=-1)
    return R, (reference * weights / weights.sum(1, keepdim=True)).mT @ body


@pytest.mark.parametrize("method", METHODS)
def test_answer_is_the_rotation_of_the_polar_decomposition(method) -> None:
    """Where the determinant of B is positive, the maximiser of tr(R^T B) is the orthogonal polar factor."""
    _, profile = profiles(300, 0.1)
    values = torch.linalg.svdvals(profile)
    well = (torch.linalg.det(profile) > 0) & (values[:, 1] > 0.05)
    assert int(well.sum()) > 150
    found = method(profile)[well]
    for answer, matrix in zip(found, profile[well], strict=True):
        expected = scipy.linalg.polar(matrix.numpy())[0]
        np.testing.assert_allclose(answer.numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_no_rotation_is_better(method) -> None:
    """Also where the determinant is negative: against many random rotations, and small turns of the answer."""
    _, profile = profiles(50, 1.0, seed=1)
    assert int((torch.linalg.det(profile) < 0).sum()) > 5
    best = (method(profile) * profile).sum((-1, -2))
    others = rotations.random_rotation((2000, 1), 5)
    assert bool(((others * profile).sum((-1, -2)) <= best + 1e-12).all())
    near = method(profile) @ rotations.rotvec_to_matrix(
        1e-3 * torch.randn(200, 1, 3, generator=torch.Generator().manual_seed(6), dtype=F)
    )
    assert bool(((near * profile).sum((-1, -2)) <= best + 1e-12).all())


def test_davenport_matrix_is_the_quadratic_form_of_the_gain() -> None:
    _, profile = profiles(20, 0.3, seed=2)
    quat = torch.nn.functional.normalize(
        torch.randn(20, 4, generator=torch.Generator().manual_seed(7), dtype=F), dim=-1
    )
    form = (quat.unsqueeze(-2) @ davenport_matrix(profile) @ quat.unsqueeze(-1)).flatten()
    gain = (rotations.quat_xyzw_to_matrix(quat) * profile).sum((-1, -2))
    torch.testing.assert_close(form, gain, rtol=0, atol=1e-14)
    largest = np.linalg.eigvalsh(davenport_matrix(profile).numpy())[:, -1]
    np.testing.assert_allclose((by_quest(profile) * profile).sum((-1, -2)).numpy(), largest, rtol=0, atol=1e-13)


def test_newton_step_is_the_derivative_of_the_gain() -> None:
    """Curvature and step against second derivatives of ``tr((R exp(hat(e)))^T B)`` by automatic differentiation."""
    R, profile = profiles(10, 0.2, seed=3)
    start = R @ rotations.rotvec_to_matrix(
        0.1 * torch.randn(10, 3, generator=torch.Generator().manual_seed(0), dtype=F)
    )
    step, curvature = newton_step(start, profile)
    zero = torch.zeros(3, dtype=F)
    for k in range(10):

        def gain(e: torch.Tensor, k: int = k) -> torch.Tensor:
            return ((start[k] @ rotations.rotvec_to_matrix(e)) * profile[k]).sum()

        slope, bend = torch.func.grad(gain)(zero), torch.func.hessian(gain)(zero)
        torch.testing.assert_close(curvature[k], -bend, rtol=0, atol=1e-13)
        torch.testing.assert_close(step[k], -torch.linalg.solve(bend, slope), rtol=0, atol=1e-11)


def test_polish_squares_the_error_twice() -> None:
    R, profile = profiles(100, 0.0, seed=4)
    well = torch.linalg.svdvals(profile)[:, 1] > 0.1
    assert int(well.sum()) > 30
    R, profile = R[well], profile[well]
    off = R @ rotations.rotvec_to_matrix(torch.full((len(R), 3), 1e-3, dtype=F))
    found, curvature = polish(off, profile)
    torch.testing.assert_close(found, R, rtol=0, atol=1e-11)
    assert bool((torch.linalg.eigvalsh(curvature)[:, 0] > 0).all())


def test_quest_at_half_turns_and_where_it_is_badly_conditioned() -> None:
    """Half turns are 0 / 0 for its formula; nearly parallel vectors are left to the decomposition."""
    eye, half = torch.eye(3, dtype=F), torch.diag(torch.tensor([0.5, 0.3, 0.2], dtype=F))
    for axis in eye:
        turn = 2 * axis[:, None] * axis - eye
        torch.testing.assert_close(by_quest((turn @ half)[None])[0], turn, rtol=0, atol=1e-13)
    thin = torch.diag(torch.tensor([1.0, 1e-9, 0.0], dtype=F))
    R = rotations.random_rotation((20,), 3)
    torch.testing.assert_close(by_quest(R @ thin), by_svd(R @ thin), rtol=0, atol=1e-6)
