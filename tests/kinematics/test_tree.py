"""The tree in tensors: its ways, its dtypes, and the constants that the forward pass multiplies by."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import diffkin as dk
from diffkin.kinematics import PRISMATIC, REVOLUTE, KinematicTree
from tests.kinematics.trees import REAL, robot_of


def branched() -> KinematicTree:
    """Joints 0 - 1 - 3 and 0 - 2, and 4 on the base; a link on each, and one on the base."""
    origins = torch.eye(4, dtype=torch.float64).repeat(5, 1, 1)
    origins[:, 0, 3] = torch.arange(5.0)
    return KinematicTree(
        parents=(-1, 0, 0, 1, -1),
        kinds=(REVOLUTE, PRISMATIC, REVOLUTE, REVOLUTE, PRISMATIC),
        coordinate=(0, 1, 2, 0, 3),
        multiplier=(1.0, 1.0, 1.0, -2.0, 1.0),
        offset=(0.0, 0.0, 0.0, 0.5, 0.0),
        dof=4,
        link_joint=(-1, 0, 1, 2, 3, 4),
        origins=origins,
        axes=torch.nn.functional.normalize(
            torch.tensor([[0, 0, 1], [1, 0, 0], [1, 1, 0], [1, 2, 3], [0, 0, -1]], dtype=torch.float64)
        ),
        link_offsets=torch.eye(4, dtype=torch.float64).repeat(6, 1, 1),
    )


def test_ways_go_from_the_base_to_the_joint() -> None:
    tree = branched()
    assert [tree.path(joint) for joint in range(-1, 5)] == [(), (0,), (0, 1), (0, 2), (0, 1, 3), (4,)]
    assert tree.joints == 5


@pytest.mark.parametrize("name", REAL)
def test_parents_come_before_their_children(name: str) -> None:
    tree = robot_of(name).tree
    assert tree.joints > 0
    assert all(parent < joint for joint, parent in enumerate(tree.parents))
    assert set(tree.coordinate) == set(range(tree.dof))
    torch.testing.assert_close(tree.axes.norm(dim=-1), torch.ones(tree.joints).double(), rtol=0, atol=1e-15)


def test_a_joint_multiplies_its_rows_by_cosine_sine_and_one() -> None:
    """``steps`` and ``mounts`` by their own words, one coordinate of the base frame at a time."""
    tree = branched()
    assert tree.steps is not None
    assert tree.mounts is not None
    values = torch.tensor([0.3, -0.7, 1.1, -2.0 * 0.3 + 0.5, 0.25], dtype=torch.float64)
    frames, factors = {-1: torch.eye(4, dtype=torch.float64)}, []
    for joint, parent in enumerate(tree.parents):
        motion, value = torch.eye(4, dtype=torch.float64), values[joint]
        if tree.kinds[joint] == REVOLUTE:
            motion[:3, :3] = torch.linalg.matrix_exp(value * dk.rotations.hat(tree.axes[joint]))
            first, second = value.cos().item(), value.sin().item()
        else:
            motion[:3, 3] = value * tree.axes[joint]
            first, second = 1.0, value.item()
        frames[joint] = frames[parent] @ tree.origins[joint] @ motion
        factors.append(torch.tensor([first, first, second, second, 1.0, 1.0], dtype=torch.float64))
    for coordinate in range(3):
        x, y, z = torch.eye(3, dtype=torch.float64)[coordinate]
        rows = {-1: torch.stack([x, y, 0 * x, 0 * x, z, 0 * x])}
        for joint, parent in enumerate(tree.parents):
            rows[joint] = (tree.steps[joint] @ rows[parent]) * factors[joint]
        for link, joint in enumerate(tree.link_joint):
            expected = (frames[joint] @ tree.link_offsets[link])[coordinate]
            torch.testing.assert_close(tree.mounts[link] @ rows[joint], expected, rtol=0, atol=2e-15)


def test_axes_along_z_are_not_turned() -> None:
    """The numbers of such a joint are rounded nowhere: a link on it is exact sums of the joint's rows."""
    _, mounts = branched().derive()
    sums = [[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]]
    assert mounts[1].tolist() == sums


def test_dtypes_and_devices() -> None:
    tree = branched()
    assert tree.dtype == torch.float64
    assert tree.device.type == "cpu"
    assert tree.to() is tree
    assert tree.to(torch.float64, "cpu") is tree
    narrow = tree.to(torch.float32)
    assert {narrow.origins.dtype, narrow.axes.dtype, narrow.link_offsets.dtype, narrow.dtype} == {torch.float32}
    assert narrow.steps is not None
    assert narrow.steps.dtype == torch.float32
    assert tree.to(device="meta").device.type == "meta"
    assert narrow.parents == tree.parents


def test_another_dtype_is_made_once() -> None:
    """Plans of kernels are kept on the tree; a tree made anew at each call would lose them."""
    tree = branched()
    assert tree.in_dtype(torch.float64) is tree
    narrow = tree.in_dtype(torch.float32)
    assert narrow is tree.in_dtype(torch.float32)
    narrow.cache["plan"] = 1
    assert tree.in_dtype(torch.float32).cache["plan"] == 1
    assert "plan" not in tree.cache


@pytest.mark.parametrize("name", ["origins", "axes", "link_offsets"])
def test_where_gradients_flow_to_the_geometry_nothing_is_kept(name: str) -> None:
    tree = branched()
    assert not tree.has_gradient
    leaf = getattr(tree, name).clone().requires_grad_()
    moved = dataclasses.replace(tree, **{name: leaf})
    assert moved.has_gradient
    assert moved.steps is None
    assert moved.mounts is None
    narrow = moved.in_dtype(torch.float32)
    assert narrow is not moved.in_dtype(torch.float32)
    getattr(narrow, name).square().sum().backward()
    torch.testing.assert_close(leaf.grad, 2.0 * leaf.detach())


def test_a_replaced_tree_has_constants_and_a_cache_of_its_own() -> None:
    tree = branched()
    tree.cache["plan"] = 1
    far = tree.origins.clone()
    far[:, 0, 3] += 1.0
    moved = dataclasses.replace(tree, origins=far)
    assert moved.cache == {}
    assert moved.steps is not None
    assert not torch.equal(moved.steps, tree.steps)


def test_a_tree_elsewhere_is_made_once():
    tree = dk.load_robot("kuka_iiwa").tree
    there = tree.on(torch.device("meta"))
    assert there.device.type == "meta" and there is tree.on(torch.device("meta"))
    assert tree.on(tree.device) is tree and tree.in_dtype(torch.float32) is tree.in_dtype(torch.float32)
    learning = dataclasses.replace(tree, origins=tree.origins.clone().requires_grad_())
    assert learning.on(torch.device("meta")) is not learning.on(torch.device("meta"))
