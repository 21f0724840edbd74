"""The solver of the group ``solver``, with tolerances and budget."""

from __future__ import annotations

from typing import Any

from common.given import unused
from common.settings import typed
from diffkin.ik import SOLVERS

__all__ = ["TOLERANCES", "make_solver"]

BUDGET = ("max_iterations", "max_restarts")
TOLERANCES = ("position_tolerance", "rotation_tolerance")


def make_solver(config: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The solver, and the keyword arguments of ``solve_ik`` that go with it."""
    if config["max_iterations"] is not None:
        unused("solver.early_iterations", "with solver.max_iterations given, every start gets so many")
    settings = dict(config)
    kind = SOLVERS[settings.pop("name")]
    options = {name: settings.pop(name) for name in TOLERANCES}
    budget = {name: value for name in BUDGET if (value := settings.pop(name)) is not None}
    # By its name it takes the fastest way there is; with settings of its own it is an object that holds them.
    plain = typed(kind, settings, "solver") == kind() and config["name"] == "levenberg_marquardt"
    solver = config["name"] if plain else typed(kind, {**settings, **budget}, "solver")
    return solver, {**options, **budget}
