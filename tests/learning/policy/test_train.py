"""Learning policies through flights."""

import pytest
import torch

from diffkin.errors import OptionError
from diffkin.learning.policy.craft import trial_craft
from diffkin.learning.policy.flight import flight, held_out_starts
from diffkin.learning.policy.make import make_policy
from diffkin.learning.policy.score import cost
from diffkin.learning.policy.train import PolicyProblem
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitSettings


def test_gains_learn_through_flights(tmp_path):
    craft = trial_craft()
    problem = PolicyProblem(make_policy("pd"), craft, held_out_count=64)
    before = problem.validate(problem.network)["loss"]
    settings = FitSettings(
        steps=8, batch=32, learning_rate=0.03, warmup=1, average=0.0, validate_every=8, threads=1, progress=False
    )
    report = fit(problem, settings, tmp_path)
    assert report.best < before - 0.02
    after = problem.network.gains.table()
    assert all(value > 0 for gains in after.values() for value in gains)
    assert "theta" in next(name for name in load_checkpoint(tmp_path / "best.pt")["network"] if "theta" in name)


def test_validation_judges_flights_as_long_as_those_of_the_training():
    short = PolicyProblem(make_policy("pd"), trial_craft(), steps=20, held_out_count=50)
    flown = flight(short.network, short.held_out, short.craft, 20)
    assert short.validate(short.network)["loss"] == pytest.approx(
        float(cost(flown.angle, flown.omega, flown.dt).mean().detach())
    )


def test_batches_come_from_the_generator_and_never_from_the_held_out_starts():
    problem = PolicyProblem(make_policy("pd"), trial_craft(), held_out_count=20)
    first, again, other = (problem.batch(20, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert all(map(torch.equal, first, again)) and not torch.equal(first[1], other[1])
    held_out = held_out_starts(problem.craft, 20)
    assert all(map(torch.equal, problem.held_out, held_out)) and not torch.equal(first[1], held_out.omega)


def test_mistakes():
    with pytest.raises(OptionError, match="spread"):
        PolicyProblem(make_policy("pd"), trial_craft(), spread=1.5)
    with pytest.raises(OptionError, match="steps"):
        PolicyProblem(make_policy("pd"), trial_craft(), steps=0)
