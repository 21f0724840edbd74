"""The box program against daqp and against what makes a minimum one."""

import numpy as np
import pytest
import torch

from diffkin.motion.box_qp import solve_box_qp

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
