"""Training attitude policies by back-propagation through flights: the problem for ``fit``, scores, and files."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diffkin.errors import DiffkinError, ModelFileError, OptionError
from diffkin.learning.attitude_policy import POLICIES, make_policy, settings_of
from diffkin.learning.attitude_policy_flight import Craft, Starts, cost, draw_starts, flight, scores
from diffkin.learning.checkpoint import load_weights, write_atomically

__all__ = ["PolicyProblem", "evaluate_policy", "load_policy", "save_policy", "trial_craft"]

_HELD_OUT_SEED = 2_000_000_011  # far from the seeds that people give
_FORMAT = 1


def trial_craft() -> Craft:
    """The small quadrotor that policies are trained on: 10, 12 and 20 g m^2, weak about the vertical."""
    return Craft(torch.diag(torch.tensor([0.010, 0.012, 0.020])), torch.tensor([0.15, 0.15, 0.08]))


class PolicyProblem:
    """Train a policy through whole flights of bodies with unknown inertia.

    Args:
        policy: The policy; its gains or weights are learned.
        craft: The nominal body.
        steps: Commands in a flight.
        spread: Moments of inertia are the nominal ones times factors uniform in ``1 +- spread``.
        held_out_count: Flights of the validation.
    """

    def __init__(
        self, policy: nn.Module, craft: Craft, *, steps: int = 125, spread: float = 0.3, held_out_count: int = 500
    ) -> None:
        if steps < 1 or held_out_count < 1:
            raise OptionError(f"steps and held_out_count must be at least 1, got {steps} and {held_out_count}.")
        if not 0 <= spread < 1:
            raise OptionError(f"spread must be in [0, 1), got {spread}.")
        self.network = policy
        self.craft, self.steps, self.spread = craft, steps, spread
        self.held_out = held_out_starts(craft, held_out_count, spread=spread)

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        return draw_starts(self.craft, count, generator, spread=self.spread)

    def loss(self, network: nn.Module, *batch: Tensor) -> Tensor:
        flown = flight(network, Starts(*batch), self.craft, self.steps)
        return cost(flown.angle, flown.omega, flown.dt).mean()

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Cost and settling on held-out starts."""
        device = next(network.parameters()).device
        found = evaluate_policy(network, self.craft, Starts(*(part.to(device) for part in self.held_out)))
        return {"loss": found["cost"], "settle_mean_s": found["settle_mean_s"], "under_2_deg": found["under_2_deg"]}


def held_out_starts(craft: Craft, count: int, *, spread: float = 0.3, seed: int = 0) -> Starts:
    """Starts that no training run draws."""
    return draw_starts(craft, count, torch.Generator().manual_seed(_HELD_OUT_SEED + seed), spread=spread)


@torch.no_grad()
def evaluate_policy(policy: nn.Module, craft: Craft, starts: Starts, seconds: float = 4.0) -> dict[str, float]:
    """Scores of a policy; see ``scores``.

    Args:
        policy: The policy.
        craft: The nominal body.
        starts: Where to begin.
        seconds: Length of the flights; the cost looks at their first 2.5 s.

    Returns:
        Figures by name.
    """
    flown = flight(policy, starts, craft, round(seconds / craft.dt))
    return scores(flown.angle, flown.omega, flown.dt)


def save_policy(policy: nn.Module, craft: Craft, path: str | os.PathLike[str]) -> None:
    """Write a policy and the body it was trained on to a safetensors file, atomically.

    Args:
        policy: One of ``POLICIES``.
        craft: The nominal body.
        path: Of the file.
    """
    from safetensors.torch import save_file

    import diffkin

    kind, settings = settings_of(policy)
    header = {
        "format": _FORMAT,
        "diffkin": getattr(diffkin, "__version__", ""),
        "policy": kind,
        "settings": dataclasses.asdict(settings),
        "lag": craft.lag,
        "dt": craft.dt,
    }
    tensors = {f"policy.{name}": value for name, value in policy.state_dict().items()}
    tensors |= {"craft.inertia": craft.inertia, "craft.limit": craft.limit}
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_atomically(Path(path), lambda beside: save_file(plain, beside, metadata={"diffkin": json.dumps(header)}))


def load_policy(path: str | os.PathLike[str]) -> tuple[nn.Module, Craft]:
    """Read what ``save_policy`` wrote; no code from the file is run.

    Args:
        path: Of the file.

    Returns:
        The policy, gradients off, and the body it was trained on. For another body give it
        ``craft.scaled_to(inertia)``.

    Raises:
        diffkin.errors.ModelFileError: There is no such file, or it holds no policy of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as opened:
            header: Mapping[str, Any] = json.loads((opened.metadata() or {})["diffkin"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
        if header["format"] != _FORMAT or header["policy"] not in POLICIES:
            raise OptionError(f"it holds format {header['format']}, policy {header['policy']!r}")
        policy = make_policy(header["policy"], header["settings"])
        weights = {name.removeprefix("policy."): t for name, t in tensors.items() if name.startswith("policy.")}
        load_weights(policy, weights, path)
        craft = Craft(tensors["craft.inertia"], tensors["craft.limit"], float(header["lag"]), float(header["dt"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, DiffkinError) as error:
        raise ModelFileError(
            f"{path} cannot be read as a policy ({type(error).__name__}: {error}). Give a file that "
            "scripts/train_attitude.py wrote."
        ) from error
    return policy.requires_grad_(False).eval(), craft
