"""The box program against daqp and against what makes a minimum one."""

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from diffkin.motion.box_qp import solve_box_least_squares, solve_box_qp

DOUBLE = torch.float64


def programs(n: int, k: int, seed: int, rank: int) -> tuple[torch.Tensor, ...]:
    """Random programs whose Hessians are near to singular where the rank is below k; some bounds open, some shut."""
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(n, rank, k, generator=generator, dtype=DOUBLE)
    hessian = factor.mT @ factor + 1e-6 * torch.eye(k, dtype=DOUBLE)
    gradient = 3.0 * torch.randn(n, k, generator=generator, dtype=DOUBLE)
    low = -torch.rand(n, k, generator=generator, dtype=DOUBLE)
    high = torch.rand(n, k, generator=generator, dtype=DOUBLE)
    drawn = torch.rand(n, k, generator=generator, dtype=DOUBLE)
    high = torch.where(drawn < 0.1, low, high)
    return hessian, gradient, low, torch.where(drawn > 0.95, torch.inf, high)


@pytest.mark.parametrize(("k", "rank"), [(3, 3), (7, 6), (7, 9), (12, 6)])
def test_equal_to_daqp(k: int, rank: int) -> None:
    daqp = pytest.importorskip("daqp")
    hessian, gradient, low, high = programs(200, k, seed=k, rank=rank)
    high = high.clamp(max=1e3)
    x = solve_box_qp(hessian, gradient, low, high)
    for row in range(len(x)):
        arrays = [np.ascontiguousarray(part[row].numpy()) for part in (hessian, gradient, high, low)]
        nothing = np.zeros((0, k))
        peer, _, flag, _ = daqp.solve(arrays[0], arrays[1], nothing, arrays[2], arrays[3], np.zeros(k, dtype=np.intc))
        assert flag == 1
        ours, theirs = (
            float(0.5 * y @ hessian[row] @ y + gradient[row] @ y) for y in (x[row], torch.from_numpy(np.array(peer)))
        )
        assert ours <= theirs + 1e-7 * (1.0 + abs(theirs))
        if rank >= k:
            np.testing.assert_allclose(x[row].numpy(), peer, atol=1e-5)


@pytest.mark.parametrize("rank", [4, 8])
def test_slopes_point_outward_at_bounds_and_vanish_inside(rank: int) -> None:
    hessian, gradient, low, high = programs(2000, 8, seed=5, rank=rank)
    x = solve_box_qp(hessian, gradient, low, high)
    assert bool(((x >= low) & (x <= high)).all())
    slope = (hessian @ x[..., None]).squeeze(-1) + gradient
    scale = 1e-7 * hessian.diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True) * (1.0 + x.abs().amax(-1, keepdim=True))
    assert bool((slope >= -scale).where((x < high) & (low < high), True).all())
    assert bool((slope <= scale).where((x > low) & (low < high), True).all())


def test_no_programs_and_no_bounds() -> None:
    hessian, gradient, low, high = programs(5, 4, seed=1, rank=6)
    assert solve_box_qp(hessian[:0], gradient[:0], low[:0], high[:0]).shape == (0, 4)
    free = torch.full_like(low, torch.inf)
    x = solve_box_qp(hessian, gradient, -free, free)
    torch.testing.assert_close((hessian @ x[..., None]).squeeze(-1), -gradient)


@pytest.mark.parametrize("share", [1.0, 1e-10])
def test_least_squares_are_those_of_scipy(share: float) -> None:
    generator = torch.Generator().manual_seed(8)
    matrix = torch.randn(60, 6, 8, generator=generator, dtype=DOUBLE)
    given, wanted = (torch.randn(60, size, generator=generator, dtype=DOUBLE) for size in (6, 8))
    low, high = (sign * torch.rand(60, 8, generator=generator, dtype=DOUBLE) for sign in (-2.0, 2.0))
    weight = share * (0.5 + torch.rand(60, 8, generator=generator, dtype=DOUBLE))
    x = solve_box_least_squares(matrix, given, weight, wanted, low, high)
    assert bool(((x >= low) & (x <= high)).all())
    for row in range(60):
        stacked = torch.cat((matrix[row], torch.diag(weight[row].sqrt()))).numpy()
        right = torch.cat((-given[row], weight[row].sqrt() * wanted[row])).numpy()
        bounds = low[row].numpy(), high[row].numpy()
        peer = lsq_linear(stacked, right, bounds, method="bvls", tol=1e-15).x
        costs = [float(np.square(stacked @ y - right).sum()) for y in (x[row].numpy(), peer)]
        assert costs[0] <= costs[1] * (1.0 + 1e-9) + 1e-12  # slopes count as flat below that
        if share == 1.0:
            np.testing.assert_allclose(x[row].numpy(), peer, atol=1e-9)


def test_least_squares_keep_what_normal_equations_lose() -> None:
    """The shortest of all that meet a row: what lies in the null space must vanish beside weights of 1e-13."""
    generator = torch.Generator().manual_seed(3)
    matrix = torch.randn(40, 6, 7, generator=generator, dtype=DOUBLE)
    given, free = torch.randn(40, 6, generator=generator, dtype=DOUBLE), torch.full((40, 7), torch.inf, dtype=DOUBLE)
    x = solve_box_least_squares(matrix, given, torch.full_like(free, 1e-13), torch.zeros_like(free), -free, free)
    expected = -(torch.linalg.pinv(matrix) @ given[..., None]).squeeze(-1)
    torch.testing.assert_close(x, expected, atol=1e-7, rtol=0.0)
