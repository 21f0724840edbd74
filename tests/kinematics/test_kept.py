"""What is kept with a mechanism: bounded, not copied, given up when its tensors change in place."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch

import diffkin as dk
from diffkin.errors import ChangedError
from diffkin.kinematics.kept import Cache, Watch, keep, outside_modes, rebuilt


def test_a_cache_keeps_the_newest() -> None:
    cache = Cache(3)
    for key in range(5):
        cache[key] = str(key)
    assert dict(cache) == {2: "2", 3: "3", 4: "4"}
    cache[2] = "again"
    assert len(cache) == 3


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda cache: pickle.loads(pickle.dumps(cache))])
def test_a_copied_cache_is_empty(copied) -> None:
    cache = Cache(3)
    cache["lock"] = (_ for _ in ())  # cannot be pickled
    twin = copied(cache)
    assert (type(twin), twin.most, len(twin)) == (Cache, 3, 0)
    assert len(cache) == 1


CHANGES = {
    "in place": lambda tensor: tensor.mul_(0.3),
    "by index": lambda tensor: tensor.__setitem__(0, 7.0),
    "through data": lambda tensor: tensor.data.add_(1.0),
    "through numpy": lambda tensor: np.multiply(tensor.numpy(), 0.5, out=tensor.numpy()),
    "through a view": lambda tensor: tensor[1:].zero_(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_changes_are_noticed(change, which: int, dtype: torch.dtype) -> None:
    kept, watch = keep(*(torch.arange(1.0, 4.0 + k, dtype=dtype) for k in range(3)))
    assert not watch.changed()
    change(kept[which])
    assert watch.changed()


@pytest.mark.parametrize("change", [CHANGES[name] for name in ("in place", "by index", "through a view")])
def test_changes_elsewhere_are_noticed_by_version(change) -> None:
    kept, watch = keep(torch.arange(1.0, 4.0, device="meta"), torch.ones(2))
    assert not watch.changed()
    change(kept[0])
    assert watch.changed()


def test_memory_is_not_shared_with_the_caller() -> None:
    numbers = np.arange(3.0)
    kept, watch = keep(torch.from_numpy(numbers), torch.zeros(0, 4))
    numbers[:] = 9.0
    assert kept[0].tolist() == [0.0, 1.0, 2.0]
    assert kept[1].shape == (0, 4)
    assert not watch.changed()


def test_tensors_that_gradients_flow_to_are_left_to_their_optimiser() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    kept, watch = keep(weight, torch.zeros(2))
    assert kept[0] is weight
    with torch.no_grad():
        weight.add_(1.0)
    assert not watch.changed()


def test_tensors_of_inference_mode_become_ordinary_ones() -> None:
    with torch.inference_mode():
        kept, watch = keep(torch.ones(3))
        elsewhere, _ = keep(torch.ones(3, device="meta"))
    assert not any(tensor.is_inference() for tensor in (*kept, *elsewhere))
    assert not watch.changed()


def test_inside_a_transform_tensors_stay_as_they_are() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        (kept,), watch = keep(x)
        assert kept is x
        assert not watch.changed()
        return kept.sum()

    assert torch.equal(torch.func.grad(function)(torch.ones(3)), torch.ones(3))


def test_outside_modes_products_are_exact_and_ordinary() -> None:
    a = torch.rand(4, 4)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert (a @ a).dtype == torch.bfloat16
        with outside_modes("cpu"):
            product = a.clone() @ a
    assert product.dtype == torch.float32
    assert not product.is_inference()


def test_what_was_derived_is_not_copied() -> None:
    @dataclasses.dataclass(frozen=True)
    class Thing:
        given: int
        derived: list[int] = dataclasses.field(init=False, default_factory=list)

    make, arguments = rebuilt(Thing(3))
    assert make(*arguments) == Thing(3)
    assert arguments == (Thing, {"given": 3})


def test_a_watch_of_nothing_sees_nothing() -> None:
    assert not Watch(bytearray(), ()).changed()


@pytest.mark.parametrize("field", ["origins", "axes", "link_offsets"])
def test_a_tree_that_was_changed_says_so(field: str) -> None:
    robot = dk.load_robot("planar_3r")
    q = robot.sample(3)
    robot.forward_kinematics(q)
    getattr(robot.tree, field)[0, 0] += 0.1
    for call in (robot.forward_kinematics, robot.jacobian, robot.hessian, robot.manipulability):
        with pytest.raises(ChangedError, match="robot.replace"):
            call(q)
    with pytest.raises(ChangedError):
        robot.forward_kinematics(q, backend="reference")
    with pytest.raises(ChangedError):
        robot.forward_kinematics(q.float().double().requires_grad_())


def test_geometry_that_learns_in_place_is_followed() -> None:
    """Also where gradients were asked for only after something had been kept."""
    robot = dk.load_robot("planar_3r")
    q = robot.sample(3)
    before = robot.forward_kinematics(q)
    robot.tree.origins.requires_grad_(True)
    optimiser = torch.optim.SGD([robot.tree.origins], lr=0.1)
    after = robot.forward_kinematics(q)
    assert torch.allclose(before, after, atol=1e-14)
    after[:, :3, 3].sum().backward()
    assert robot.tree.origins.grad is not None
    assert bool((robot.tree.origins.grad != 0).any())
    optimiser.step()
    assert not torch.allclose(robot.forward_kinematics(q), before, atol=1e-3)


def test_a_tree_made_in_inference_mode_or_autocast_is_differentiable_and_exact() -> None:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        robot = dk.load_robot("scara").to(torch.float32)
    plain = dk.load_robot("scara").to(torch.float32)
    q = plain.sample(4).requires_grad_()
    for backend in (None, "reference"):
        poses = robot.forward_kinematics(q, backend=backend)
        assert torch.equal(poses, plain.forward_kinematics(q, backend=backend))
        (gradient,) = torch.autograd.grad(poses.sum(), q)
        assert bool((gradient != 0).any())
