"""Attitude dynamics by the compiled CPU kernels, with their adjoint as the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffkin._gate import DTYPES, array, kernel
from diffkin.aircraft.dynamics.by_torch import simulate_by_torch
from diffkin.aircraft.dynamics.integrators import Body
from diffkin.kernels.attitude.constants import INTEGRATORS

__all__ = ["simulate_by_kernel"]


def simulate_by_kernel(
    R: Tensor, omega: Tensor, body: Body, torque: Tensor, per_step: bool, dt: float, integrator: str, steps: int
) -> tuple[Tensor, Tensor]:
    """The same as ``simulate_by_torch``, with the same arguments, where ``kernels_apply`` to all tensors.

    The gradient to R is right along the rotations alone; ``orthonormalize``, by which R was made, lets nothing else
    pass.
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


def _shared(tensor: Tensor) -> tuple[np.ndarray, int]:
    """The numbers for a kernel, and 1 if each body has its own."""
    own = tensor.stride(0) != 0 or tensor.shape[0] == 1
    return array(tensor if own else tensor[:1]), int(own)


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
        dtype = DTYPES[R.dtype]
        inputs = (inertia, inverse, rotor, torque)
        arrays, own = zip(*map(_shared, inputs), strict=True)
        count = R.shape[0]
        # NumPy asks for huge pages for large arrays, which saves a third of the time where they are written once
        history_R, history_omega = np.empty((count, steps + 1, 9), dtype), np.empty((count, steps + 1, 3), dtype)
        events = np.zeros(count, np.uint8)
        ctx.options = (np.array([*own, per_step]), np.array([dt, damping]), INTEGRATORS.index(integrator))
        ctx.settings = (dt, damping, integrator, steps, per_step)
        start = array(R), array(omega), *arrays, *ctx.options
        _in_chunks("attitude.simulate.simulate", (*start, history_R, history_omega, events), count, steps)
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
    R, _, inertia, inverse, rotor, torque, history_R, history_omega = ctx.saved_tensors
    count, steps, per_step = R.shape[0], ctx.settings[3], ctx.settings[4]
    arrays = [array(history_R), array(history_omega), *(_shared(t)[0] for t in (inertia, inverse, rotor, torque))]
    seeds = [array(seed_R), array(seed_omega)]
    shapes = (9,), (3,), (9,), (9,), (3,), (steps if per_step else 1, 3)
    grads = [np.empty((count, *shape), DTYPES[R.dtype]) for shape in shapes]
    _in_chunks("attitude.adjoint.adjoint", (*arrays, *ctx.options, *seeds, *grads), count, steps)
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
        run = simulate_by_torch(R.unflatten(-1, (3, 3)), omega, body, torque, per_step, dt, integrator, steps)
        wanted = [t for t, n in zip(inputs, needed, strict=True) if n]
        seeds = (seed_R, seed_omega)
        found = iter(torch.autograd.grad((run[0].flatten(-2), run[1]), wanted, seeds, create_graph=create_graph))
    return [next(found) if n else None for n in needed]


def _in_chunks(name: str, arguments: tuple[Any, ...], count: int, steps: int) -> None:
    work = kernel(name)
    chunk = 32 * max(1, 4000 // (32 * max(steps, 1)))  # some 100 us or more, a whole number of blocks of lanes
    kernel("threads.run_chunks")(lambda start, stop: work(*arguments, start, stop), count, chunk)
