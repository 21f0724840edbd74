"""Attitude dynamics and Wahba's problem beside PyBullet, torchdiffeq and SciPy: ``python -m benchmarks.attitude``.

All figures of a row come from one run on one machine. What would take minutes is measured on part of the work and
scaled by the number of steps or problems; the result says so.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from diffkin import aircraft, rotations

__all__ = ["forward", "forward_backward", "main", "wahba"]

MOMENTS = (0.01, 0.02, 0.025)
DT = 0.01
F = torch.float64


def best(call: Callable[[], Any], repeats: int = 3) -> float:
    """Shortest of some runs [s]; the result of each is dropped before the next."""
    times = []
    for _ in range(repeats):
        gc.collect()
        begin = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - begin)
        del result
    return min(times)


def _start(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    omega0 = torch.randn(count, 3, generator=draw, dtype=F)
    return rotations.random_rotation((count,), draw), omega0, torch.tensor(MOMENTS, dtype=F)


def _equations(J: torch.Tensor) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    def slope(t: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        quat, omega = state[:, :4], state[:, 4:]
        u, s = quat[:, :3], quat[:, 3:]
        turn = torch.cat([s * omega + torch.linalg.cross(u, omega), -(u * omega).sum(-1, keepdim=True)], -1)
        return torch.cat([0.5 * turn, -torch.linalg.cross(omega, J * omega) / J], -1)

    return slope


def _bullet(count: int, steps: int, omega0: np.ndarray) -> dict[str, float]:
    import pybullet as p

    client = p.connect(p.DIRECT)
    try:
        p.setGravity(0, 0, 0, physicsClientId=client)
        p.setTimeStep(DT, physicsClientId=client)
        side = int(np.ceil(count ** (1 / 3)))
        bodies = []
        for i in range(count):
            place = [2.0 * (i % side), 2.0 * (i // side % side), 2.0 * (i // side**2)]
            body = p.createMultiBody(1.0, basePosition=place, physicsClientId=client)
            p.changeDynamics(
                body, -1, localInertiaDiagonal=MOMENTS, linearDamping=0, angularDamping=0, physicsClientId=client
            )
            p.resetBaseVelocity(body, [0, 0, 0], omega0[i].tolist(), physicsClientId=client)
            bodies.append(body)
        p.stepSimulation(physicsClientId=client)
        begin = time.perf_counter()
        for _ in range(steps):
            p.stepSimulation(physicsClientId=client)
        stepping = (time.perf_counter() - begin) / steps
        begin = time.perf_counter()
        for body in bodies:
            p.getBasePositionAndOrientation(body, physicsClientId=client)
            p.getBaseVelocity(body, physicsClientId=client)
        reading = time.perf_counter() - begin
    finally:
        p.disconnect(client)
    return {"step_s": stepping, "read_s": reading}


def forward(count: int = 10_000, steps: int = 1000) -> dict[str, Any]:
    """Torque-free bodies forward: every attitude and rate of every step kept.

    Args:
        count: Bodies.
        steps: Steps.

    Returns:
        Seconds of each, and ratios.
    """
    from torchdiffeq import odeint

    R0, omega0, J = _start(count)
    result: dict[str, Any] = {"bodies": count, "steps": steps}
    for integrator in ("rk4", "lie_midpoint", "bullet"):
        aircraft.simulate_attitude(R0[:64], omega0[:64], J, dt=DT, steps=2, integrator=integrator)  # compiled
        result[f"{integrator}_s"] = best(
            lambda i=integrator: aircraft.simulate_attitude(R0, omega0, J, dt=DT, steps=steps, integrator=i)
        )
    state = torch.cat([rotations.matrix_to_quat_xyzw(R0), omega0], -1)
    times = DT * torch.arange(steps + 1, dtype=F)
    with torch.no_grad():
        odeint(_equations(J), state, times[:3], method="rk4")
        result["torchdiffeq_rk4_s"] = best(lambda: odeint(_equations(J), state, times, method="rk4"), 2)
    part = 20
    bullet = _bullet(count, part, omega0.numpy())
    result["pybullet_steps_measured"] = part
    result["pybullet_stepping_s"] = bullet["step_s"] * steps
    result["pybullet_reading_s"] = bullet["read_s"] * steps
    result["rk4_times_faster_than_torchdiffeq"] = result["torchdiffeq_rk4_s"] / result["rk4_s"]
    result["bullet_times_faster_than_pybullet_stepping"] = result["pybullet_stepping_s"] / result["bullet_s"]
    result["rk4_times_faster_than_pybullet_stepping"] = result["pybullet_stepping_s"] / result["rk4_s"]
    return result


def forward_backward(count: int = 1024, steps: int = 1000, part: int = 200) -> dict[str, Any]:
    """Forward and backward through all steps, gradients to attitude, rate and inertia.

    Args:
        count: Bodies.
        steps: Steps.
        part: Steps through which the peers are measured; scaled to ``steps``.

    Returns:
        Seconds of each, and ratios.
    """
    from torchdiffeq import odeint

    R0, omega0, J = (x.requires_grad_() for x in _start(count))
    result: dict[str, Any] = {"bodies": count, "steps": steps, "peer_steps_measured": part}

    def ours() -> Any:
        return aircraft.simulate_attitude(R0, omega0, J, dt=DT, steps=steps)

    R, omega = ours()
    seeds = torch.randn_like(R), torch.randn_like(omega)
    torch.autograd.grad((R, omega), (R0, omega0, J), seeds, retain_graph=True)
    result["forward_s"] = best(ours)
    result["backward_s"] = best(lambda: torch.autograd.grad((R, omega), (R0, omega0, J), seeds, retain_graph=True))
    quat = rotations.matrix_to_quat_xyzw(R0.detach())
    times = DT * torch.arange(part + 1, dtype=F)

    def peer(run: Callable[[], torch.Tensor]) -> tuple[float, float]:
        begin = time.perf_counter()
        out = run()
        middle = time.perf_counter()
        torch.autograd.grad(out, (omega0, J), torch.ones_like(out))
        scale = steps / part
        return (middle - begin) * scale, (time.perf_counter() - middle) * scale

    def diffeq() -> torch.Tensor:
        return odeint(_equations(J), torch.cat([quat, omega0], -1), times, method="rk4")

    def eager() -> torch.Tensor:
        return aircraft.simulate_attitude(R0, omega0, J, dt=DT, steps=part, backend="reference")[1]

    for name, run in {"torchdiffeq": diffeq, "eager_autograd": eager}.items():
        peer(run)
        both = min((peer(run) for _ in range(2)), key=sum)
        result[f"{name}_forward_s"], result[f"{name}_backward_s"] = both
        total = result["forward_s"] + result["backward_s"]
        result[f"times_faster_than_{name}"] = sum(both) / total
    result["backward_over_forward"] = result["backward_s"] / result["forward_s"]
    return result


def wahba(count: int = 10_000, vectors: int = 4, part: int = 1000) -> dict[str, Any]:
    """Wahba's problem for noisy vectors, beside SciPy's ``align_vectors`` called one by one.

    Args:
        count: Problems.
        vectors: Vectors of each.
        part: Problems for which SciPy is called; scaled to ``count``.

    Returns:
        Seconds of each, their ratio and the largest difference.
    """
    from scipy.spatial.transform import Rotation

    draw = torch.Generator().manual_seed(0)
    R = rotations.random_rotation((count,), draw)
    reference = torch.nn.functional.normalize(torch.randn(count, vectors, 3, generator=draw, dtype=F), dim=-1)
    body = reference @ R + 0.05 * torch.randn(count, vectors, 3, generator=draw, dtype=F)
    body = body / body.norm(dim=-1, keepdim=True)
    weights = 0.1 + torch.rand(count, vectors, generator=draw, dtype=F)
    found = aircraft.solve_wahba(body, reference, weights)
    ours = best(lambda: aircraft.solve_wahba(body, reference, weights), 10)
    rows = [x.numpy() for x in (reference, body, weights)]
    begin = time.perf_counter()
    answers = [Rotation.align_vectors(*(x[i] for x in rows))[0] for i in range(part)]
    scipy_s = (time.perf_counter() - begin) * count / part
    gap = np.abs(np.stack([a.as_matrix() for a in answers]) - found[:part].numpy()).max()
    return {
        "problems": count,
        "scipy_problems_measured": part,
        "ours_s": ours,
        "scipy_s": scipy_s,
        "times_faster": scipy_s / ours,
        "largest_difference": float(gap),
    }


def main() -> None:
    """Run the rows and print them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=["forward", "forward_backward", "wahba", []])
    rows = parser.parse_args().rows or ["wahba", "forward_backward", "forward"]
    results: dict[str, Any] = {}
    for name in rows:
        results[name] = {"forward": forward, "forward_backward": forward_backward, "wahba": wahba}[name]()
        print(json.dumps({name: results[name]}, indent=1), flush=True)


if __name__ == "__main__":
    main()
