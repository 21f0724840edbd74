"""Sizes of networks: checked by name before anything is allocated."""

import json
import time

import numpy as np
import pytest

import diffkin as dk
from diffkin.errors import OptionError
from diffkin.learning import NETWORKS, make_network, sizes
from diffkin.learning.inverse.layers import StackedMLP
from diffkin.learning.policy import POLICIES, make_policy
from diffkin.learning.sizes import MOST, check_memory, check_weights, memory
from tests.fresh import run_code

WRONG = [0, -1, 10**9, 2**70, 1.5, "64", None, True, float("nan")]
HAVE = [
    (kind, name) for kind, (_, settings) in NETWORKS.items() for name in MOST if name in settings.__dataclass_fields__
]


@pytest.mark.parametrize(("kind", "name"), HAVE)
def test_every_size_of_every_network(kind, name):
    robot = dk.load_robot("planar_2r")
    least = {"octaves": 0, "pieces": 2, "bins": 2}.get(name, 1)
    for wrong in (*WRONG, least - 1, MOST[name] + 1):
        if name == "octaves" and wrong == 0:
            continue
        with pytest.raises(
            OptionError, match=f"network.{name} must be a whole number from {least} to {MOST[name]}, got"
        ):
            make_network(robot, {"name": kind, name: wrong})
    make_network(robot, {"name": kind, "width": 4, name: np.int64(least)})


@pytest.mark.parametrize("kind", ["network", "residual"])
@pytest.mark.parametrize("name", ["width", "depth"])
def test_every_size_of_every_policy(kind, name):
    for wrong in WRONG:
        with pytest.raises(OptionError, match=f"controller.{name} must be a whole number from 1 to {MOST[name]}, got"):
            make_policy(kind, {name: wrong})
    make_policy(kind, {name: np.int32(1)})


def test_all_networks_and_policies_are_seen():
    assert {kind for kind, _ in HAVE} == set(NETWORKS) and len(HAVE) == 14
    assert {kind for kind, (_, settings) in POLICIES.items() if "width" in settings.__dataclass_fields__} == {
        "network",
        "residual",
    }


@pytest.mark.parametrize("kind", [*NETWORKS, "policy"])
def test_sizes_that_memory_does_not_hold_are_refused_before_allocating(kind):
    """Under a limit of the address space that the weights alone would break."""
    if kind == "policy":
        call = "make_policy('network', {'width': 65536, 'depth': 256})"
    else:
        call = f"make_network(dk.load_robot('planar_2r'), {json.dumps({'name': kind, 'width': 65536, 'depth': 256})})"
    code = f"""
import resource, diffkin as dk
from diffkin.errors import OptionError
from diffkin.learning import make_network
from diffkin.learning.policy import make_policy
make_network(dk.load_robot("planar_2r"), {{"name": "flow", "width": 4}})
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
try:
    {call}
except OptionError as error:
    print(error)
"""
    begin = time.monotonic()
    done = run_code(code)
    assert "width=65536 and depth=256" in done.stdout and "half of this machine's memory" in done.stdout, done.stderr[
        -2000:
    ]
    assert time.monotonic() - begin < 60


def test_the_bound_is_half_of_the_memory(monkeypatch):
    monkeypatch.setattr(sizes, "memory", lambda: 40_000)
    check_memory(20_000, "It", "Go.")
    with pytest.raises(OptionError, match=r"It takes 1.86e-05 GiB; at most 1.86e-05 GiB.*Go\."):
        check_memory(20_001, "It", "Go.")
    check_weights(1000, "a")  # 20 bytes a weight in training
    with pytest.raises(OptionError, match="A network with a has"):
        check_weights(1001, "a")
    with pytest.raises(OptionError, match="width=8 and depth=2"):
        StackedMLP(7, 12, 20, 8, 2)
    assert StackedMLP(1, 2, 3, 4, 1)


def test_the_weights_that_are_counted_are_those_that_are_made(monkeypatch):
    counted = []
    monkeypatch.setattr("diffkin.learning.inverse.layers.check_weights", lambda count, _: counted.append(count))
    mlp = StackedMLP(3, 5, 7, 4, 2)
    assert counted == [sum(part.numel() for part in mlp.parameters())]


def test_memory_is_known():
    assert 2**28 < memory() < 2**50
