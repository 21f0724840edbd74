"""NUMBA_DISABLE_JIT: the torch formulas answer, and the user is told."""

from __future__ import annotations

import os
from pathlib import Path

import diffkin
from tests.fresh import run_code

_USE = """
import torch
import diffkin as dk
from diffkin import aircraft
arm = dk.load_robot("planar_3r")
q = arm.sample(4)
T = arm.forward_kinematics(q)
assert torch.equal(T, arm.forward_kinematics(q, backend="reference"))
assert torch.isfinite(arm.jacobian(q)).all()
p = q.clone().requires_grad_()
arm.forward_kinematics(p).sum().backward()
assert torch.isfinite(p.grad).all()
result = dk.solve_ik(arm, T)
assert result.success.all()
assert torch.allclose(arm.forward_kinematics(result.q), T, atol=1e-5)
assert dk.solve_ik(arm, T, q0=q).success.all()
eye = torch.eye(3, dtype=torch.float64)
assert torch.allclose(aircraft.solve_wahba(eye, eye), eye)
R, omega = aircraft.simulate_attitude(eye, eye[0], eye[0] + 1.0, dt=0.01, steps=3)
assert torch.isfinite(R).all()
from diffkin.errors import OptionError
try:
    from diffkin.kernels.tree import forward
except OptionError as error:
    print(error)
"""


def test_torch_answers_and_says_so():
    environment = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": str(Path(diffkin.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    done = run_code(_USE, environment=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("NUMBA_DISABLE_JIT is set: no kernel is compiled") == 1
    assert "Unset it" in done.stdout
