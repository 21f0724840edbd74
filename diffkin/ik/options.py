"""How to solve: what the caller of ``solve_ik`` chose, checked and made whole once, in the same meaning on every route."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, SupportsIndex

import numpy as np
import torch
from torch import Tensor

from diffkin.errors import OptionError, closest
from diffkin.ik.descent import Method
from diffkin.ik.solvers.first_order import LBFGS, Adam, GradientDescent
from diffkin.ik.solvers.newton import GaussNewton, LevenbergMarquardt

__all__ = ["GRACE", "SOLVERS", "Options", "make_options"]

SOLVERS: dict[str, type] = {
    "levenberg_marquardt": LevenbergMarquardt,
    "gauss_newton": GaussNewton,
    "gradient_descent": GradientDescent,
    "adam": Adam,
    "lbfgs": LBFGS,
}

GRACE = 0.25
"""Iterations that every further start gets in addition, where early starts are given fewer than later ones."""

_MOST_RESTARTS = 10**6  # every start of a target in work is counted by itself
_KEPT = {str, *SOLVERS.values()}  # a solver of another kind may change between two calls
_PLAIN = {float, int, type(None)}
_ROUNDED = {torch.float64: 0.999}
_MUCH_ROUNDED = 0.2


@dataclass(frozen=True, eq=False)
class Options:
    """What the caller chose, with the defaults filled in.

    Attributes:
        method: The way to go downhill.
        dtype: Of the robot, which the coordinates are rounded to before they are judged.
        position_tolerance: [m].
        rotation_tolerance: [rad].
        margin: Share of the tolerances that the search aims at, so that rounding does not undo a success.
        max_restarts: Starts after the first.
        gives_up: Whether targets that look out of reach get fewer.
        max_iterations: Of each start, at most.
        early_iterations: Of the first starts, at most.
        seed: From 0 to 2^32 - 1.
        nearest_of: Solutions to choose the nearest to ``q0`` from.
        history: Whether to record the error after each iteration.
        backend: None, or "reference" for the plain torch path.
        joint_weights: (dof,) of the squared differences in the distance to ``q0``; None for ones.
    """

    method: Method
    dtype: torch.dtype
    position_tolerance: float
    rotation_tolerance: float
    margin: float
    max_restarts: int
    gives_up: bool
    max_iterations: int
    early_iterations: int
    seed: int
    nearest_of: int
    history: bool
    backend: str | None
    joint_weights: tuple[float, ...] | None = None

    def grace(self, rank: int, own: bool) -> float:
        """Iterations that a start gets beyond those of the first starts.

        Args:
            rank: Of the start, from 0 on.
            own: Whether the caller gave it: then it gets all there are.
        """
        return float(self.max_iterations) if own else GRACE * rank


def make_options(
    dtype: torch.dtype,
    solver: str | Method = "levenberg_marquardt",
    position_tolerance: float | None = None,
    rotation_tolerance: float | None = None,
    max_restarts: int | None = None,
    max_iterations: int | None = None,
    seed: int = 0,
    nearest_of: int = 1,
    history: bool = False,
    backend: str | None = None,
    joint_weights: tuple[float, ...] | None = None,
) -> Options:
    """Options as for ``solve_ik``, for a robot of some dtype.

    Returns:
        The options; equal ones of the solvers of this package are one object.

    Raises:
        diffkin.errors.UnknownNameError: Unknown solver.
        diffkin.errors.OptionError: An option out of its range.
    """
    chosen = (
        position_tolerance, rotation_tolerance, max_restarts, max_iterations, seed, nearest_of, history, backend,
        joint_weights,
    )  # fmt: skip
    if (
        type(solver) in _KEPT
        and type(position_tolerance) in _PLAIN
        and type(rotation_tolerance) in _PLAIN
        and type(max_restarts) in _PLAIN
        and type(max_iterations) in _PLAIN
        and type(seed) is int
        and type(nearest_of) is int
    ):
        made: Options = _make_once(dtype, solver, *chosen)
        return made
    return _make(dtype, solver, *chosen)


def _make(
    dtype: torch.dtype,
    solver: str | Method,
    position_tolerance: float | None,
    rotation_tolerance: float | None,
    max_restarts: int | None,
    max_iterations: int | None,
    seed: int,
    nearest_of: int,
    history: bool,
    backend: str | None,
    joint_weights: tuple[float, ...] | None,
) -> Options:
    if isinstance(solver, str) and solver not in SOLVERS:
        raise closest(solver, SOLVERS, "solver")
    method: Any = SOLVERS[solver]() if isinstance(solver, str) else solver
    if not hasattr(method, "step") or isinstance(method, type):
        raise OptionError(f"solver must be one of {', '.join(SOLVERS)} or an object of those classes, got {solver!r}.")
    iterations = _whole(method.max_iterations if max_iterations is None else max_iterations, "max_iterations", 1)
    restarts = _whole(method.max_restarts if max_restarts is None else max_restarts, "max_restarts", 0, _MOST_RESTARTS)
    # methods of the caller's own need not know of early starts; a number from the caller is meant for every start
    early = getattr(method, "early_iterations", iterations) if max_iterations is None else iterations
    return Options(
        method=method,
        dtype=dtype,
        position_tolerance=_tolerance(position_tolerance, "position_tolerance", dtype),
        rotation_tolerance=_tolerance(rotation_tolerance, "rotation_tolerance", dtype),
        margin=_ROUNDED.get(dtype, _MUCH_ROUNDED),
        max_restarts=restarts,
        # the rule is known to hold for the default method and budget; whoever asks for so many restarts shall have them
        gives_up=max_restarts is None and max_iterations is None and method == LevenbergMarquardt(),
        max_iterations=iterations,
        early_iterations=min(early, iterations),
        seed=_whole(seed, "seed", 0) % 2**32,  # torch's generators take no more
        nearest_of=min(_whole(nearest_of, "nearest_of", 1), restarts + 1),  # no start has more than one solution
        history=bool(history),
        backend=backend,
        joint_weights=joint_weights,
    )


_make_once: Any = lru_cache(maxsize=256, typed=True)(_make)


def _whole(value: SupportsIndex, name: str, least: int, most: int = 2**1000) -> int:
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, Tensor) and value.dtype == torch.bool or not least <= number <= most:
        bounds = f"from {least} to {most}" if most < 2**1000 else f"of at least {least}"
        raise OptionError(f"{name} must be a whole number {bounds}, got {value!r}.")
    return number


def _tolerance(value: float | None, name: str, dtype: torch.dtype) -> float:
    if value is None:
        return 1e-6 if dtype == torch.float64 else 1e-5
    single = isinstance(value, Tensor) and value.numel() == 1 and value.dtype != torch.bool
    number = float(value) if isinstance(value, (int, float, np.number)) or single else float("nan")
    if isinstance(value, bool) or not 0.0 < number < float("inf"):
        raise OptionError(f"{name} must be a number, positive and finite, got {value!r}.")
    return number
