"""Attitude kernels: independent of batch, threads and dtype of the neighbours; the exponential at every angle."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from diffkin import aircraft, rotations
from diffkin.kernels import threads
from diffkin.kernels.attitude.constants import (
    BULLET,
    BULLET_MAX_RATE,
    BULLET_MAX_TURN,
    INTEGRATORS,
    LIE_MIDPOINT,
    RK4,
)
from tests.fresh import run_code
from tests.kernels.attitude import bodies
from tests.kernels.widths import run_at_other_width

F = torch.float64
J = torch.tensor([[0.02, 0.001, -0.0005], [0.001, 0.03, 0.002], [-0.0005, 0.002, 0.04]], dtype=F)


def run(R0: torch.Tensor, omega0: torch.Tensor, integrator: str) -> tuple[torch.Tensor, ...]:
    R0, omega0 = R0.clone().requires_grad_(), omega0.clone().requires_grad_()
    R, omega = aircraft.simulate_attitude(
        R0, omega0, J.to(R0.dtype), dt=0.02, steps=37, integrator=integrator, damping=0.1
    )
    grads = torch.autograd.grad(R[..., 0, 1].sum() + omega.square().sum(), (R0, omega0))
    return R.detach(), omega.detach(), *grads


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("integrator", ["rk4", "lie_midpoint", "bullet"])
def test_answer_depends_on_nothing_else_in_the_batch(integrator: str, dtype: torch.dtype) -> None:
    count = 77  # more than a chunk, and no multiple of any lane width
    R0 = rotations.random_rotation((count,), 0).to(dtype)
    omega0 = torch.randn(count, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    omega0[5] *= 40.0  # a neighbour that turns through large angles
    whole = run(R0, omega0, integrator)
    for i in (0, 4, 6, 31, 32, 70, 76):
        for alone, among in zip(run(R0[i], omega0[i], integrator), whole, strict=True):
            assert torch.equal(alone, among[i])
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(4)
        for a, b in zip(run(R0, omega0, integrator), whole, strict=True):
            assert torch.equal(a, b)
    finally:
        threads.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_turn_of_one_step_is_the_exponential_at_every_angle(dtype: torch.dtype) -> None:
    """About a principal axis the midpoint step is exact: the turn is ``exp(dt w)``, small and large."""
    angles = torch.cat([torch.tensor([0.0, 1e-12, 1e-6, 1e-3]), torch.linspace(0.01, 60.0, 500)]).to(dtype)
    omega0 = torch.zeros(len(angles), 3, dtype=dtype)
    omega0[:, 1] = angles
    R, _ = aircraft.simulate_attitude(
        torch.eye(3, dtype=dtype),
        omega0,
        torch.tensor([1.0, 1.5, 2.0], dtype=dtype),
        dt=1.0,
        steps=1,
        integrator="lie_midpoint",
    )
    exact = Rotation.from_rotvec(omega0.double().numpy()).as_matrix()
    gap = np.abs(R[:, 1].double().numpy() - exact).max((1, 2))
    assert bool((gap < 16 * torch.finfo(dtype).eps * (1 + angles.double().numpy())).all())


@pytest.mark.parametrize("integrator", ["lie_midpoint", "bullet"])
@pytest.mark.parametrize("size", [1e-9, 0.01, 0.49, 0.51, 0.7, 3.0])
def test_adjoint_through_the_exponential_at_small_and_large_turns(integrator: str, size: float) -> None:
    dt = 0.05  # "bullet" must stay below 100 rad/s; turns beyond pi/4 in a step go by torch there
    omega0 = size / dt * torch.nn.functional.normalize(torch.tensor([[1.0, 2.0, -0.5]], dtype=F), dim=-1)
    found = []
    for backend in (None, "reference"):
        w = omega0.clone().requires_grad_()
        R, omega = aircraft.simulate_attitude(
            torch.eye(3, dtype=F), w, J, dt=dt, steps=2, integrator=integrator, backend=backend
        )
        found.append(torch.autograd.grad((R * torch.arange(27.0, dtype=F).reshape(3, 3, 3)).sum() + omega.sum(), w)[0])
    torch.testing.assert_close(found[0], found[1], rtol=1e-11, atol=1e-12)


def test_import_compiles_nothing() -> None:
    code = "import sys, diffkin.aircraft; sys.exit('numba' in sys.modules)"
    assert run_code(code).returncode == 0


def test_nan_stays_in_its_lane() -> None:
    """A body whose run overflows spoils its own only."""
    many = bodies.random_bodies(8, 5, np.float64)
    expected, _, _ = bodies.run(many, RK4, 5, 0.1, 0.0)
    many.omega0[3] = 1e200
    R, _, _ = bodies.run(many, RK4, 5, 0.1, 0.0)
    assert not np.isfinite(R[3, -1]).all()
    rest = np.arange(8) != 3
    assert np.array_equal(R[rest], expected[rest])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [RK4, LIE_MIDPOINT, BULLET], ids=INTEGRATORS)
def test_bits_of_the_kernel_do_not_depend_on_the_batch(kind: int, dtype: type) -> None:
    bits_in_parts(kind, dtype)


def bits_in_parts(kind: int, dtype: type) -> None:
    count, steps = 77, 9
    many = bodies.random_bodies(count, steps, dtype)
    many.omega0[5] *= 60.0
    many.omega0[9] *= 300.0  # clamped where there are clamps
    whole = bodies.run(many, kind, steps, 0.02, 0.1)
    assert bool(whole[2].any()) == (kind == BULLET)
    for size in (1, 2, 7, 17, 33):
        for start in (0, 3, 9, 30, count - size):
            part = slice(start, start + size)
            for one, among in zip(bodies.run(many.part(part), kind, steps, 0.02, 0.1), whole, strict=True):
                assert np.array_equal(one, among[part])


OTHER_WIDTH = """
import numpy as np
from tests.kernels.attitude.test_simulate import bits_in_parts
from tests.kernels.attitude.test_adjoint import test_bits_do_not_depend_on_the_batch
for kind in range(3):
    bits_in_parts(kind, np.DTYPE)
    test_bits_do_not_depend_on_the_batch(kind, np.DTYPE)
"""


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_bits_do_not_depend_on_the_batch_at_the_width_of_other_processors(dtype: str, tmp_path: Path) -> None:
    run_at_other_width(OTHER_WIDTH.replace("DTYPE", dtype), tmp_path)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_body_is_noted_as_clamped_whatever_its_neighbour_does(dtype: type) -> None:
    """Turns of a step just below, at and above the greatest one, alone and beside a body that is clamped."""
    at_the_limit = 0
    for dt in np.linspace(0.01, 0.02, 41).tolist():
        edge = dtype(BULLET_MAX_TURN / dt)
        rates = [edge]
        for _ in range(4):
            rates = [np.nextafter(rates[0], dtype(0)), *rates, np.nextafter(rates[-1], dtype(1e9))]
        at_the_limit += sum(rate * rate == dtype(BULLET_MAX_TURN**2 / dt**2) for rate in rates)
        spins = np.array([0.5 * edge, *rates, 1.2 * edge, 1.5 * BULLET_MAX_RATE], dtype)
        count = len(spins)
        one, none = np.tile(np.eye(3, dtype=dtype).reshape(9), (count, 1)), np.zeros((count, 3), dtype)
        omega0 = none.copy()
        omega0[:, 2] = spins
        many = bodies.Bodies(one, omega0, one, one, none, none[:, None])
        _, _, events = bodies.run(many, BULLET, 1, dt, 0.0)
        alone = [bodies.run(many.part(slice(k, k + 1)), BULLET, 1, dt, 0.0)[2][0] for k in range(count)]
        assert events.tolist() == alone
        assert not events[0]
        assert events[-2:].all()
    assert at_the_limit > 5
