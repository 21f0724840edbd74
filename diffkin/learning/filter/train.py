"""Learning the gains of an attitude filter by gradient through whole records, as a problem for ``fit``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffkin._given import generator_of, real, whole
from diffkin.errors import OptionError
from diffkin.learning.filter.records import Records
from diffkin.learning.filter.run import check_records, rms_deg, run_records
from diffkin.learning.filter.steps import filter_named
from diffkin.learning.training.positive import PositiveNumbers

__all__ = ["FilterProblem", "LearnedGains"]


class LearnedGains(PositiveNumbers):
    """Positive gains of a filter, to learn.

    Args:
        name: One of ``FILTERS``.
        initial: Gains to begin with, in the order of their names.
    """

    def __init__(self, name: str, initial: Sequence[float]) -> None:
        _, names = filter_named(name)
        if isinstance(initial, str) or not isinstance(initial, Sequence):
            raise OptionError(f"{name} needs a list of {len(names)} gains to begin with, got {initial!r}.")
        if len(initial) != len(names):
            raise OptionError(
                f"{name} needs {len(names)} positive gains ({', '.join(names)}) to begin with, got {list(initial)}."
            )
        super().__init__(
            torch.tensor([real(x, "a gain") for x in initial], dtype=torch.float32, device="cpu"), list(initial)
        )
        self.name, self.names = name, names

    def forward(self) -> Tensor:
        """(count,) gains."""
        return self.values()

    def table(self) -> dict[str, float]:
        """The gains by name."""
        return dict(zip(self.names, self().tolist(), strict=True))


class FilterProblem:
    """Learn the gains of a filter on whole records.

    Args:
        network: The gains.
        training: Records to learn from; a step takes a random share of them.
        held_out: Records for validation.
    """

    def __init__(self, network: LearnedGains, training: Records, held_out: Records) -> None:
        _gains(network)
        for records in (training, held_out):
            check_records(records)
        self.network: nn.Module = network
        self.training, self.held_out = training, held_out

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        count, generator = whole(count, "count", 1), generator_of(generator, "generator")
        return (torch.randperm(self.training.count, generator=generator, device="cpu")[:count],)

    def loss(self, network: nn.Module, *batch: Tensor) -> Tensor:
        return self._rms(network, self.training.chosen(batch[0].cpu()))

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Root mean square of the angle on both sets, and the gains."""
        row = {
            "loss": float(self._rms(network, self.held_out)),
            "training_rms": float(self._rms(network, self.training)),
        }
        return row | _gains(network).table()

    @staticmethod
    def _rms(network: nn.Module, records: Records) -> Tensor:
        gains = _gains(network)
        values = gains()
        records = records.to(values)
        return rms_deg(run_records(gains.name, values, records), records)


def _gains(network: nn.Module) -> LearnedGains:
    if not isinstance(network, LearnedGains):
        raise OptionError(f"FilterProblem trains LearnedGains, got {type(network).__name__}.")
    return network
