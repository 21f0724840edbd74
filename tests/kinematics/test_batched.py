"""The torch form of two operations a joint, against the textbook formula: values, dtypes, derivatives, gradients."""

from __future__ import annotations

import dataclasses

import pytest
import torch

import diffkin as dk
from diffkin.errors import ShapeError
from diffkin.kinematics import REVOLUTE, KinematicTree, batched, reference
from tests.kinematics.trees import REAL, on_random_trees, robot_of, rounding

DTYPES = [torch.float32, torch.float64]


def every_link(robot: dk.Robot) -> tuple[int, ...]:
    return tuple(range(len(robot.link_names)))


def assert_textbook_poses(robot: dk.Robot, dtype: torch.dtype, seed: int) -> None:
    narrow = robot.to(dtype)
    q = narrow.sample(5, seed=seed)
    exact = reference.link_poses(narrow.to(torch.float64).tree, q.double())
    poses = batched.link_poses(narrow.tree, q, every_link(robot))
    assert poses.dtype == dtype
    assert (poses.double() - exact).abs().max().item() <= rounding(robot.tree, q, exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*REAL, "mixed"])
def test_real_robots(name: str, dtype: torch.dtype) -> None:
    assert_textbook_poses(robot_of(name), dtype, seed=0)


@pytest.mark.parametrize("dtype", DTYPES)
@on_random_trees
def test_random_trees(dtype: torch.dtype, xml: str, seed: int) -> None:
    assert_textbook_poses(dk.Robot.from_urdf(xml), dtype, seed)


def test_links_in_any_order_and_twice(mixed: dk.Robot) -> None:
    q = mixed.sample(4)
    exact = reference.link_poses(mixed.tree, q)
    for links in ([3, 0, 3, 5], [0], [6]):
        torch.testing.assert_close(batched.link_poses(mixed.tree, q, links), exact[:, links], rtol=0, atol=1e-14)
    assert batched.link_poses(mixed.tree, q, []).shape == (4, 0, 4, 4)


def test_derivatives_of_every_order_are_those_of_the_textbook(mixed: dk.Robot) -> None:
    q = mixed.sample(1)[0]

    def fast(q: torch.Tensor) -> torch.Tensor:
        return batched.forward(mixed.tree, q, every_link(mixed), None)

    def slow(q: torch.Tensor) -> torch.Tensor:
        return reference.link_poses(mixed.tree, q)

    jac, hess = torch.func.jacrev, torch.func.hessian
    torch.testing.assert_close(jac(fast)(q), jac(slow)(q), rtol=0, atol=1e-13)
    torch.testing.assert_close(hess(fast)(q), hess(slow)(q), rtol=0, atol=1e-12)
    torch.testing.assert_close(jac(hess(fast))(q), jac(hess(slow))(q), rtol=0, atol=1e-12)


def test_gradients_to_the_geometry_are_those_of_the_textbook(mixed: dk.Robot) -> None:
    q = mixed.sample(3)
    tree = mixed.tree
    weight = torch.rand(3, len(mixed.link_names), 4, 4, dtype=torch.float64)
    slopes = []
    for poses in (lambda tree: batched.link_poses(tree, q, every_link(mixed)), lambda t: reference.link_poses(t, q)):
        origins, axes, offsets = (t.clone().requires_grad_() for t in (tree.origins, tree.axes, tree.link_offsets))
        # axes are of unit length, so only moves along the sphere mean anything; nor does a pose have another last row
        unit = axes / axes.norm(dim=-1, keepdim=True)
        moved = mixed.replace(origins=origins, axes=unit, link_offsets=offsets).tree
        loss = (poses(moved) * weight)[..., :3, :].sum()
        to_origins, to_axes, to_offsets = torch.autograd.grad(loss, (origins, axes, offsets))
        slopes.append((to_origins[:, :3], to_axes, to_offsets[:, :3]))
    for fast, slow in zip(*slopes, strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_forward_takes_any_leading_axes_and_a_base(mixed: dk.Robot, batch: tuple[int, ...]) -> None:
    q = mixed.sample(torch.Size(batch).numel()).reshape(*batch, mixed.dof)
    base = dk.transforms.exp(torch.rand(3, *[1] * len(batch), 6, dtype=torch.float64))
    exact = reference.link_poses(mixed.tree, q)
    torch.testing.assert_close(
        batched.forward(mixed.tree, q, (2, 6), None), exact[..., [2, 6], :, :], rtol=0, atol=1e-14
    )
    torch.testing.assert_close(batched.forward(mixed.tree, q, 6, None), exact[..., 6, :, :], rtol=0, atol=1e-14)
    placed = batched.forward(mixed.tree, q, 6, base)
    torch.testing.assert_close(placed, base @ exact[..., 6, :, :], rtol=0, atol=1e-14)
    assert placed.shape[0] == 3


def test_forward_with_a_base_that_does_not_fit(mixed: dk.Robot) -> None:
    base = torch.eye(4, dtype=torch.float64).expand(3, 4, 4)
    with pytest.raises(ShapeError, match=r"do not broadcast: q \(2,\), base \(3,\)"):
        batched.forward(mixed.tree, mixed.sample(2), 0, base)


def test_rows_of_a_joint_are_its_axis_and_origin(mixed: dk.Robot) -> None:
    """What ``joint_frames`` promises to whoever reads axes and origins off it."""
    q = mixed.sample(4)
    tree = mixed.tree
    frames = batched.joint_frames(tree, q, range(tree.joints))
    assert set(frames) == {-1, *range(tree.joints)}
    exact = reference.link_poses(_links_on_joints(tree), q)
    for joint in range(tree.joints):
        axis = exact[:, joint, :3, :3] @ tree.axes[joint]
        rows = frames[joint].reshape(6, 3, 4)
        torch.testing.assert_close(rows[4].T, axis, rtol=0, atol=1e-14)
        if tree.kinds[joint] == REVOLUTE:
            torch.testing.assert_close(rows[5].T, exact[:, joint, :3, 3], rtol=0, atol=1e-14)


def _links_on_joints(tree: KinematicTree) -> KinematicTree:
    """The same tree with one link on every joint, in the joint's own frame."""
    frames = torch.eye(4, dtype=tree.dtype).expand(tree.joints, 4, 4)
    return dataclasses.replace(tree, link_joint=tuple(range(tree.joints)), link_offsets=frames)


def test_only_the_joints_on_the_way_are_moved(mixed: dk.Robot) -> None:
    q = mixed.sample(2)
    joint = mixed.tree.link_joint[mixed.link_names.index("b")]
    assert set(batched.joint_frames(mixed.tree, q, [joint])) == {-1, *mixed.tree.path(joint)}
    assert set(batched.joint_frames(mixed.tree, q, [-1])) == {-1}


def test_autocast_does_not_round(iiwa: dk.Robot) -> None:
    robot = iiwa.to(torch.float32)
    q = robot.sample(8)
    plain = batched.forward(robot.tree, q, 7, torch.eye(4))
    with torch.autocast("cpu", torch.bfloat16):
        found = batched.forward(robot.tree, q, 7, torch.eye(4))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, plain, rtol=0, atol=5e-7)  # of other operations, so to rounding
