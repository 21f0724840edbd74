"""Attitude dynamics by the fused CPU kernels, with their adjoint as the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from diffkin._checks import is_transformed
from diffkin.aircraft.dynamics.integrators import INTEGRATORS, Body
from diffkin.aircraft.dynamics.rollout import rollout

__all__ = ["fused_applies", "simulate"]

_KINDS = ("rk4", "lie_midpoint", "bullet")  # numbered as in the kernels
_DTYPES: dict[torch.dtype, type[np.floating[Any]]] = {torch.float32: np.float32, torch.float64: np.float64}
_PLAIN = (Tensor, torch.nn.Parameter)


def fused_applies(*tensors: Tensor) -> bool:
    """Whether the kernels give what the torch path would: plain CPU tensors, nothing traced or transformed."""
    if torch.compiler.is_compiling() or is_transformed() or torch.jit.is_tracing() or forward_ad._current_level >= 0:
        return False
    return all(type(t) in _PLAIN and t.is_cpu and t.dtype in _DTYPES for t in tensors)


def simulate(
    R: Tensor, omega: Tensor, body: Body, torque: Tensor, per_step: bool, dt: float, integrator: str, steps: int
) -> tuple[Tensor, Tensor]:
    """Simulate; arguments as in ``simulate_attitude``, checked, of one dtype.

    Args:
        R: (*batch, 3, 3) rotations, with all leading axes.
        omega: (*batch, 3), with all leading axes.
        body: Its tensors' leading axes broadcast with the batch.
        torque: (..., 3) constant, or (..., steps, 3); leading axes broadcast.
        per_step: Whether there is a torque for each step.
        dt: Step [s].
        integrator: Name.
        steps: Number of steps.

    Returns:
        R (*batch, steps + 1, 3, 3) and omega (*batch, steps + 1, 3).
    """
    batch = omega.shape[:-1]
    torque = torque if per_step else torque.unsqueeze(-2)
    arguments = [
        R.reshape(-1, 9),
        omega.reshape(-1, 3),
        _rows(body.inertia, 2, batch).flatten(-2),
        _rows(body.inverse, 2, batch).flatten(-2),
        _rows(body.rotor, 1, batch),
        _rows(torque, 2, batch),
    ]
    history_R, history_omega = _Simulate.apply(*arguments, dt, body.damping, integrator, steps, per_step)
    return history_R.view(*batch, steps + 1, 3, 3), history_omega.view(*batch, steps + 1, 3)


def _rows(tensor: Tensor, axes: int, batch: torch.Size) -> Tensor:
    """One row for each body, (bodies, *tail); a view with stride 0 where one serves all."""
    tail = tensor.shape[tensor.ndim - axes :]
    if tensor.numel() == tail.numel():
        return tensor.reshape(1, *tail).expand(batch.numel(), *tail)
    return tensor.expand(*batch, *tail).reshape(-1, *tail)


def _array(tensor: Tensor) -> tuple[np.ndarray, int]:
    """The numbers for a kernel, C-contiguous, and 1 if each body has its own."""
    tensor = tensor.detach()
    own = tensor.stride(0) != 0 or tensor.shape[0] == 1
    return (tensor if own else tensor[:1]).contiguous().numpy(), int(own)


class _Simulate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        R: Tensor,
        omega: Tensor,
        inertia: Tensor,
        inverse: Tensor,
        rotor: Tensor,
        torque: Tensor,
        dt: float,
        damping: float,
        integrator: str,
        steps: int,
        per_step: bool,
    ) -> tuple[Tensor, Tensor]:
        from diffkin.kernels.attitude.simulate import simulate

        dtype = _DTYPES[R.dtype]
        inputs = (inertia, inverse, rotor, torque)
        arrays, own = zip(*map(_array, inputs), strict=True)
        count = R.shape[0]
        # NumPy asks for huge pages for large arrays, which saves a third of the time where they are written once
        history_R, history_omega = np.empty((count, steps + 1, 9), dtype), np.empty((count, steps + 1, 3), dtype)
        events = np.zeros(count, np.uint8)
        ctx.options = (np.array([*own, per_step]), np.array([dt, damping]), _KINDS.index(integrator))
        ctx.settings = (dt, damping, integrator, steps, per_step)
        start = R.detach().contiguous().numpy(), omega.detach().contiguous().numpy(), *arrays, *ctx.options
        _in_chunks(simulate, (*start, history_R, history_omega, events), count, steps)
        ctx.clamped = torch.from_numpy(np.flatnonzero(events))
        outputs = torch.from_numpy(history_R), torch.from_numpy(history_omega)
        ctx.save_for_backward(R, omega, *inputs, *outputs)
        return outputs

    @staticmethod
    def backward(ctx: Any, seed_R: Tensor, seed_omega: Tensor) -> tuple[Any, ...]:
        """The adjoint kernel. Differentiated again, or for bodies of which a clamp acted, the torch path instead."""
        if torch.is_grad_enabled():
            return (*_by_torch(ctx, ctx.saved_tensors[:6], seed_R, seed_omega, create_graph=True), *[None] * 5)
        grads = _by_kernel(ctx, seed_R, seed_omega)
        if len(ctx.clamped):
            some = [t.detach()[ctx.clamped] for t in ctx.saved_tensors[:6]]
            seeds = seed_R[ctx.clamped], seed_omega[ctx.clamped]
            for whole, part in zip(grads, _by_torch(ctx, some, *seeds, create_graph=False), strict=True):
                if whole is not None and part is not None:
                    whole[ctx.clamped] = part
        return (*grads, *[None] * 5)


def _by_kernel(ctx: Any, seed_R: Tensor, seed_omega: Tensor) -> list[Tensor | None]:
    from diffkin.kernels.attitude import adjoint

    R, _, inertia, inverse, rotor, torque, history_R, history_omega = ctx.saved_tensors
    count, steps, per_step = R.shape[0], ctx.settings[3], ctx.settings[4]
    arrays = [history_R.numpy(), history_omega.numpy(), *(_array(t)[0] for t in (inertia, inverse, rotor, torque))]
    seeds = [seed_R.contiguous().numpy(), seed_omega.contiguous().numpy()]
    shapes = (9,), (3,), (9,), (9,), (3,), (steps if per_step else 1, 3)
    grads = [np.empty((count, *shape), _DTYPES[R.dtype]) for shape in shapes]
    _in_chunks(adjoint.adjoint, (*arrays, *ctx.options, *seeds, *grads), count, steps)
    return [torch.from_numpy(g) if needed else None for g, needed in zip(grads, ctx.needs_input_grad, strict=False)]


def _by_torch(
    ctx: Any, inputs: Sequence[Tensor], seed_R: Tensor, seed_omega: Tensor, create_graph: bool
) -> list[Tensor | None]:
    dt, damping, integrator, steps, per_step = ctx.settings
    needed = ctx.needs_input_grad[:6]
    with torch.enable_grad():
        if not create_graph:
            inputs = [t.detach().requires_grad_(n) for t, n in zip(inputs, needed, strict=True)]
        R, omega, inertia, inverse, rotor, torque = inputs
        body = Body(inertia.unflatten(-1, (3, 3)), inverse.unflatten(-1, (3, 3)), rotor, damping)
        torque = torque if per_step else torque[:, 0]
        run = history(R.unflatten(-1, (3, 3)), omega, body, torque, per_step, dt, integrator, steps)
        wanted = [t for t, n in zip(inputs, needed, strict=True) if n]
        seeds = (seed_R, seed_omega)
        found = iter(torch.autograd.grad((run[0].flatten(-2), run[1]), wanted, seeds, create_graph=create_graph))
    return [next(found) if n else None for n in needed]


def history(
    R: Tensor, omega: Tensor, body: Body, torque: Tensor, per_step: bool, dt: float, integrator: str, steps: int
) -> tuple[Tensor, Tensor]:
    """The same by torch operations; arguments as for ``simulate``."""
    advance = INTEGRATORS[integrator]

    def step(k: int, R: Tensor, omega: Tensor) -> tuple[Tensor, ...]:
        return advance(R, omega, torque[..., k, :] if per_step else torque, body, dt)

    all_R, all_omega = rollout(step, (R, omega), steps)
    return all_R.movedim(0, -3), all_omega.movedim(0, -2)


def _in_chunks(kernel: Any, arguments: tuple[Any, ...], count: int, steps: int) -> None:
    from diffkin.kernels.threads import run_chunks

    chunk = 32 * max(1, 4000 // (32 * max(steps, 1)))  # some 100 us or more, a whole number of blocks of lanes
    run_chunks(lambda start, stop: kernel(*arguments, start, stop), count, chunk)
