"""Policies: the classical laws against those of the package, the residual's start, limits, learning, files."""

import dataclasses
import json
import math

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from diffkin import aircraft, learning, rotations
from diffkin.errors import ModelFileError, OptionError, UnknownNameError
from diffkin.learning.policy.classical import POLICIES, make_policy, settings_of
from diffkin.learning.policy.flight import cost, draw_starts, flight, flight_state
from diffkin.learning.policy.train import (
    PolicyProblem,
    evaluate_policy,
    held_out_starts,
    save_policy,
    trial_craft,
)
from diffkin.learning.training.checkpoint import load_checkpoint
from diffkin.learning.training.loop import fit
from diffkin.learning.training.settings import FitSettings


def states(count: int = 40, seed: int = 0):
    craft = trial_craft()
    starts = draw_starts(craft, count, torch.Generator().manual_seed(seed))
    torque = 0.05 * torch.randn(3, count, generator=torch.Generator().manual_seed(seed))
    return flight_state(starts.quat_xyzw, starts.omega, torque), craft


def as_controller_arguments(state, craft):
    R = rotations.quat_xyzw_to_matrix(state.quat_xyzw.T)
    return R, state.omega.T, torch.eye(3), craft.inertia


def test_pd_is_log_pd_of_the_package():
    state, craft = states()
    ours = make_policy("pd", {"k_attitude": [30.0, 20.0, 10.0], "k_rate": 7.0})(state, craft)
    theirs = aircraft.log_pd(
        *as_controller_arguments(state, craft),
        k_attitude=craft.moments * torch.tensor([30.0, 20.0, 10.0]),
        k_rate=7.0 * craft.moments,
    )
    assert torch.allclose(ours.T, aircraft.saturate(theirs, craft.limit), atol=2e-6)


def test_cascade_is_that_of_the_package():
    state, craft = states()
    ours = make_policy("cascade", {"k_attitude": 5.0, "braking": [0.4, 0.5, 0.6], "k_rate": 11.0})(state, craft)
    theirs = aircraft.sqrt_cascade(
        *as_controller_arguments(state, craft),
        k_attitude=5.0,
        acceleration=torch.tensor([0.4, 0.5, 0.6]) * craft.limit / craft.moments,
        k_rate=11.0,
    )
    assert torch.allclose(ours.T, aircraft.saturate(theirs, craft.limit), atol=2e-6)


def test_products_of_inertia_are_in_the_feed_forward():
    state, craft = states()
    inertia = craft.inertia.clone()
    inertia[0, 2] = inertia[2, 0] = 0.002
    other = dataclasses.replace(craft, inertia=inertia)
    R, omega, goal, _ = as_controller_arguments(state, craft)
    theirs = aircraft.log_pd(
        R, omega, goal, inertia, k_attitude=36.0 * craft.moments, k_rate=9.0 * craft.moments
    )  # fmt: skip
    ours = make_policy("pd")(state, other)
    assert torch.allclose(ours.T, aircraft.saturate(theirs, craft.limit), atol=2e-6)


def test_residual_starts_as_its_cascade_and_its_network_learns():
    state, craft = states()
    gains = {"k_attitude": 6.0, "braking": 0.7, "k_rate": 15.0}
    residual = make_policy("residual", {"cascade": gains, "learn_gains": True})
    assert torch.equal(residual(state, craft), make_policy("cascade", gains)(state, craft))
    starts = draw_starts(craft, 16, torch.Generator().manual_seed(0))
    flight(residual, starts, craft, 10).angle.sum().backward()
    assert float(residual.mlp[-1].weight.grad.abs().max()) > 0
    assert float(residual.cascade.gains.theta.grad.abs().max()) > 0
    assert not make_policy("residual").cascade.gains.theta.requires_grad


def test_the_residual_keeps_the_goal_an_equilibrium():
    craft = trial_craft()
    policy = make_policy("residual", seed=4)
    with torch.no_grad():
        for parameter in policy.mlp.parameters():
            parameter.add_(0.2)
    quat = torch.tensor([0.0, 0.0, 0.0, 1.0]).reshape(4, 1)
    still = torch.zeros(3, 1)
    assert float(policy(flight_state(quat, still, still), craft).detach().abs().max()) < 1e-7
    moving = flight_state(quat, still + 1.0, still)
    assert not torch.allclose(policy(moving, craft), policy.cascade(moving, craft), atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_a_new_network_hardly_acts(seed):
    """From torques of a tenth of the limits, half of the seeds tried never learned to turn the body."""
    state, craft = states(200)
    share = make_policy("network", seed=seed)(state, craft) / craft.limit.unsqueeze(-1)
    assert 0.0 < float(share.detach().abs().mean()) < 0.05


@pytest.mark.parametrize("kind", POLICIES)
def test_torques_stay_within_limits(kind):
    state, craft = states(200)
    policy = make_policy(kind, seed=3)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.3)
    command = policy(state, craft)
    assert command.shape == (3, 200)
    assert bool((command.abs() <= craft.limit.unsqueeze(-1) * (1 + 1e-6)).all())


@pytest.mark.parametrize("kind", POLICIES)
def test_policies_do_the_same_with_a_scaled_body(kind):
    """A body ten times as heavy with ten times the torque turns alike."""
    craft = trial_craft()
    starts = draw_starts(craft, 8, torch.Generator().manual_seed(0))
    policy = make_policy(kind, seed=1)
    heavy = craft.scaled_to(10 * craft.inertia)
    first = flight(policy, starts, craft, 20)
    second = flight(policy, starts._replace(moments=10 * starts.moments), heavy, 20)
    assert torch.allclose(first.angle, second.angle, atol=1e-4)


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


def test_a_policy_that_pushes_away_never_settles():
    craft = trial_craft()

    class Away(torch.nn.Module):
        def forward(self, state, craft):
            return -make_policy("pd")(state, craft)

    found = evaluate_policy(Away(), craft, held_out_starts(craft, 50))
    assert found["under_2_deg"] < 0.1 and found["settle_mean_s"] > 3.5 and found["cost"] > 1.5
    good = evaluate_policy(make_policy("cascade"), craft, held_out_starts(craft, 50))
    assert good["under_2_deg"] > 0.95 and good["cost"] < 0.7


@pytest.mark.parametrize("kind", POLICIES)
def test_files_bring_back_the_policy_and_its_body(kind, tmp_path):
    state, craft = states()
    policy = make_policy(kind, seed=2)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(0.01)
    save_policy(policy, craft, tmp_path / "policy.safetensors")
    for path in (tmp_path / "policy.safetensors", tmp_path):  # the only one in its folder
        loaded = learning.load(path)
        assert torch.equal(loaded(state, loaded.craft), policy(state, craft))
        assert settings_of(loaded) == settings_of(policy)
        assert (loaded.craft.lag, loaded.craft.dt) == (craft.lag, craft.dt)
        assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_files_that_hold_other_things_are_refused(tmp_path):
    path = tmp_path / "policy.safetensors"
    save_policy(make_policy("pd"), trial_craft(), path)
    with safe_open(path, "pt") as opened:
        header = json.loads(opened.metadata()["diffkin"])
    tensors = load_file(path)
    changes = (
        ({"policy": "os.system"}, {}, "os.system"),
        ({"settings": {"k_rate": 9.0, "code": "print()"}}, {}, "code"),
        ({"policy": "cascade", "settings": {}}, {}, "holds another model"),
        ({"lag": -1.0}, {}, "lag and dt must be positive"),
        ({}, {"craft.limit": torch.zeros(2)}, "limit"),
    )
    for heads, weights, message in changes:
        save_file(tensors | weights, path, metadata={"diffkin": json.dumps(header | heads)})
        with pytest.raises(ModelFileError, match=f"cannot be read as a network of diffkin.*{message}"):
            learning.load(path)
    del header["lag"]
    save_file(tensors, path, metadata={"diffkin": json.dumps(header)})
    with pytest.raises(ModelFileError, match="'lag'"):
        learning.load(path)


def test_a_folder_with_several_policies_asks_which_one(tmp_path):
    with pytest.raises(ModelFileError, match="it holds none"):
        learning.load(tmp_path)
    for name in ("first", "second"):
        save_policy(make_policy("pd"), trial_craft(), tmp_path / f"{name}.safetensors")
    with pytest.raises(ModelFileError, match=r"first\.safetensors, second\.safetensors"):
        learning.load(tmp_path)


def test_validation_judges_flights_as_long_as_those_of_the_training():
    short = PolicyProblem(make_policy("pd"), trial_craft(), steps=20, held_out_count=50)
    flown = flight(short.network, short.held_out, short.craft, 20)
    assert short.validate(short.network)["loss"] == pytest.approx(
        float(cost(flown.angle, flown.omega, flown.dt).mean().detach())
    )


def test_mistakes():
    with pytest.raises(UnknownNameError, match="residual"):
        make_policy("residaul")
    with pytest.raises(UnknownNameError, match="k_rate"):
        make_policy("pd", {"k_rat": 3.0})
    with pytest.raises(OptionError, match="positive"):
        make_policy("pd", {"k_rate": -3.0})
    with pytest.raises(OptionError, match="width"):
        make_policy("network", {"width": 0})
    with pytest.raises(OptionError, match="spread"):
        PolicyProblem(make_policy("pd"), trial_craft(), spread=1.5)
    assert math.isclose(trial_craft().dt, 0.02)
