"""Forward kinematics as a function: batches, dtypes, base, transforms, compilation, derivatives of any order."""

from __future__ import annotations

import math

import pytest
import torch

import diffkin as dk
from diffkin.errors import (
    DtypeError,
    NonFiniteError,
    OptionError,
    RotationError,
    ShapeError,
    TopologyError,
    UnknownNameError,
)

BACKENDS = [None, "reference"]


def a_base(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    turn = dk.rotations.random_rotation((), seed=seed, dtype=torch.float64)
    return dk.transforms.pose(turn, torch.rand(3, generator=generator, dtype=torch.float64))


def test_planar_arm_by_hand():
    robot = dk.load_robot("planar_2r")
    q = torch.tensor([[0.3, 0.5], [-1.0, 2.0]], dtype=torch.float64)
    T = robot.forward_kinematics(q)
    first = robot.forward_kinematics(torch.zeros(2, dtype=torch.float64))[0, 3].item()
    l1 = robot.tree.origins[1, 0, 3].item()
    l2 = first - l1
    total = q.sum(-1)
    torch.testing.assert_close(T[:, 0, 3], l1 * q[:, 0].cos() + l2 * total.cos(), rtol=0, atol=1e-15)
    torch.testing.assert_close(T[:, 1, 3], l1 * q[:, 0].sin() + l2 * total.sin(), rtol=0, atol=1e-15)
    torch.testing.assert_close(T[:, 0, 0], total.cos(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch", [(), (0,), (1,), (5,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_leading_axes(mixed, batch, dtype, backend):
    robot = mixed.to(dtype)
    q = robot.sample(math.prod(batch)).reshape(*batch, robot.dof)
    T = robot.forward_kinematics(q, links=["hand", "e", "root"], backend=backend)
    assert T.shape == (*batch, 3, 4, 4)
    assert T.dtype == dtype
    assert robot.forward_kinematics(q, links=[], backend=backend).shape == (*batch, 0, 4, 4)
    assert robot.forward_kinematics(q, links=["hand"], base=a_base().to(dtype)).shape == (*batch, 1, 4, 4)


@pytest.mark.parametrize("name", ["kuka_iiwa", "franka_panda", "xarm6", "scara"])
def test_kernel_and_reference_agree(name):
    robot = dk.load_robot(name)
    q = robot.sample(50)
    for base in (None, a_base(), a_base().expand(50, 4, 4)):
        fast = robot.forward_kinematics(q, links=list(robot.link_names), base=base)
        slow = robot.forward_kinematics(q, links=list(robot.link_names), base=base, backend="reference")
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-14)


def test_dtypes_promote(iiwa):
    q = iiwa.sample(3)
    assert iiwa.to(torch.float32).forward_kinematics(q.float()).dtype == torch.float32
    assert iiwa.forward_kinematics(q.float()).dtype == torch.float64
    assert iiwa.to(torch.float32).forward_kinematics(q).dtype == torch.float64
    assert iiwa.to(torch.float32).forward_kinematics(q.float(), base=a_base()).dtype == torch.float64
    torch.testing.assert_close(
        iiwa.to(torch.float32).forward_kinematics(q.float()).double(), iiwa.forward_kinematics(q), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_base_is_a_left_factor_and_broadcasts(iiwa, backend):
    q = iiwa.sample(6).reshape(3, 2, 7)
    base = torch.stack([a_base(k) for k in range(3)])[:, None]
    T = iiwa.forward_kinematics(q, base=base, backend=backend)
    torch.testing.assert_close(T, base @ iiwa.forward_kinematics(q), rtol=0, atol=1e-14)
    one = iiwa.forward_kinematics(q[0, 0], base=base, backend=backend)
    assert one.shape == (3, 1, 4, 4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_order_of_derivative(mixed, backend):
    q = mixed.sample(2).requires_grad_()

    def poses(q):
        return mixed.forward_kinematics(q, links=["hand", "e"], backend=backend)

    assert torch.autograd.gradcheck(poses, (q,), check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(poses, (q,))

    def third(q):
        (first,) = torch.autograd.grad(poses(q)[..., 0, 3].sum(), q, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), q, create_graph=True)
        return second

    assert torch.autograd.gradcheck(third, (q,))


def test_gradients_reach_base_origins_axes_and_link_offsets(mixed):
    q = mixed.sample(2).requires_grad_()
    tree = mixed.tree
    origins, axes, offsets = (t.clone().requires_grad_() for t in (tree.origins, tree.axes, tree.link_offsets))
    base = a_base().requires_grad_()

    def poses(q, base, origins, offsets):
        robot = mixed.replace(origins=origins, link_offsets=offsets)
        return robot.forward_kinematics(q, links=["hand", "e"], base=base)[..., :3, :]

    wide = {"atol": 1e-7}  # numerical differences perturb entries off the rigid motions; the function is smooth there
    assert torch.autograd.gradcheck(poses, (q, base, origins, offsets), **wide)

    def by_axis(axes):
        unit = axes / axes.norm(dim=-1, keepdim=True)
        return mixed.replace(axes=unit).forward_kinematics(q, links=["hand", "e"])[..., :3, :]

    assert torch.autograd.gradcheck(by_axis, (axes,))


def test_each_call_of_a_robot_with_gradients_has_a_graph_of_its_own(iiwa):
    origins = iiwa.tree.origins.clone().requires_grad_()
    robot = iiwa.replace(origins=origins)
    for _ in range(2):
        robot.forward_kinematics(iiwa.sample(3)).sum().backward()
    assert torch.isfinite(origins.grad).all()


def test_torch_func(mixed):
    q = mixed.sample(3)

    def pose(q):
        return mixed.forward_kinematics(q, links=["hand"])[0]

    whole = mixed.forward_kinematics(q, links=["hand"])[:, 0]
    torch.testing.assert_close(torch.func.vmap(pose)(q), whole, rtol=0, atol=1e-14)
    reverse = torch.func.vmap(torch.func.jacrev(pose))(q)
    torch.testing.assert_close(torch.func.vmap(torch.func.jacfwd(pose))(q), reverse, rtol=0, atol=1e-14)
    torch.testing.assert_close(
        torch.func.vmap(torch.func.hessian(pose))(q),
        torch.func.vmap(torch.func.jacrev(torch.func.jacrev(pose)))(q),
        rtol=0,
        atol=1e-13,
    )
    over_base = torch.func.vmap(lambda b: mixed.forward_kinematics(q[0], links=["hand"], base=b))(a_base()[None])
    assert over_base.shape == (1, 1, 4, 4)


def test_ensemble_of_geometries_under_vmap(iiwa):
    origins = torch.stack([iiwa.tree.origins, iiwa.tree.origins + 0.01])
    q = iiwa.sample(1)[0]
    many = torch.func.vmap(lambda o: iiwa.replace(origins=o).forward_kinematics(q))(origins)
    torch.testing.assert_close(many[0], iiwa.forward_kinematics(q), rtol=0, atol=1e-14)
    assert (many[1] - many[0]).abs().max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_compile_without_graph_breaks(iiwa, dtype):
    robot = iiwa.to(dtype)
    q = robot.sample(4)
    compiled = torch.compile(robot.forward_kinematics, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(
        compiled(q), robot.forward_kinematics(q), rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-14
    )
    leaf = q.clone().requires_grad_()
    compiled(leaf).square().sum().backward()
    other = q.clone().requires_grad_()
    robot.forward_kinematics(other).square().sum().backward()
    torch.testing.assert_close(leaf.grad, other.grad, rtol=1e-4, atol=1e-4 if dtype == torch.float32 else 1e-12)


def test_autocast_keeps_full_precision(iiwa):
    robot = iiwa.to(torch.float32)
    q = robot.sample(8)
    for backend in BACKENDS:
        with torch.autocast("cpu", torch.bfloat16):
            T = robot.forward_kinematics(q, base=torch.eye(4), backend=backend)
            J = robot.jacobian(q, base=torch.eye(4), backend=backend)
        assert T.dtype == J.dtype == torch.float32
        torch.testing.assert_close(T, robot.forward_kinematics(q), rtol=0, atol=1e-5)
        torch.testing.assert_close(J, robot.jacobian(q), rtol=0, atol=1e-5)


def test_half_precision_runs_on_the_reference_path(iiwa):
    T = iiwa.to(torch.bfloat16).forward_kinematics(iiwa.sample(2).bfloat16())
    assert T.dtype == torch.bfloat16


@pytest.mark.parametrize("layout", ["strided", "transposed", "expanded"])
def test_memory_layouts(iiwa, layout):
    q = iiwa.sample(6)
    odd = {"strided": torch.stack((q, q), -1)[..., 0], "transposed": q.T.contiguous().T, "expanded": q[:1].expand(6, 7)}
    expected = iiwa.forward_kinematics(odd[layout].clone(memory_format=torch.contiguous_format))
    torch.testing.assert_close(iiwa.forward_kinematics(odd[layout]), expected, rtol=0, atol=0)


def test_gradient_with_expanded_incoming_gradient(iiwa):
    q = iiwa.sample(4).requires_grad_()
    iiwa.forward_kinematics(q).sum().backward()
    reference = q.detach().clone().requires_grad_()
    iiwa.forward_kinematics(reference, backend="reference").sum().backward()
    torch.testing.assert_close(q.grad, reference.grad, rtol=0, atol=1e-13)


def test_three_hundred_links():
    text = "<robot name='long'><link name='l0'/>" + "".join(
        f"<link name='l{k}'/><joint name='j{k}' type='revolute'><parent link='l{k - 1}'/><child link='l{k}'/>"
        f"<origin xyz='0 0 0.01'/><axis xyz='0 1 0'/><limit lower='-1' upper='1' effort='1' velocity='1'/></joint>"
        for k in range(1, 301)
    )
    robot = dk.Robot.from_urdf(text + "</robot>")
    q = robot.sample(2).requires_grad_()
    for backend in BACKENDS:
        T = robot.forward_kinematics(q, backend=backend)
        angle = q.sum(-1)
        torch.testing.assert_close(T[:, 0, 0], angle.cos(), rtol=0, atol=1e-12)
        T.sum().backward()
    J = robot.jacobian(q.detach())
    assert J.shape == (2, 6, 300)


def test_bad_input(iiwa):
    q = iiwa.sample(2)
    with pytest.raises(ShapeError, match="7.*lbr_iiwa_joint_1"):
        iiwa.forward_kinematics(q[:, :6])
    with pytest.raises(ShapeError):
        iiwa.forward_kinematics(torch.tensor(1.0))
    with pytest.raises(DtypeError, match="int64"):
        iiwa.forward_kinematics(torch.zeros(7, dtype=torch.long))
    with pytest.raises(DtypeError, match="str in it"):
        iiwa.forward_kinematics(["a"] * 7)
    bad = q.clone()
    bad[0, 3] = math.nan
    for number in (math.nan, math.inf):
        bad[0, 3] = number
        with pytest.raises(NonFiniteError, match="1 NaN or infinite"):
            iiwa.forward_kinematics(bad)
    with pytest.raises(UnknownNameError, match="lbr_iiwa_link_7"):
        iiwa.forward_kinematics(q, links=["lbr_iiwa_link7"])
    with pytest.raises(OptionError, match="links="):
        iiwa.forward_kinematics(q, links="lbr_iiwa_link_7")
    with pytest.raises(UnknownNameError, match="reference"):
        iiwa.forward_kinematics(q, backend="refrence")
    with pytest.raises(ShapeError, match="base"):
        iiwa.forward_kinematics(q, base=torch.eye(3, dtype=torch.float64))
    with pytest.raises(RotationError, match="not a rotation"):
        iiwa.forward_kinematics(q, base=torch.diag(torch.tensor([2.0, 1, 1, 1], dtype=torch.float64)))
    with pytest.raises(ShapeError, match="broadcast"):
        iiwa.forward_kinematics(q, base=torch.eye(4, dtype=torch.float64).expand(3, 4, 4))


def test_no_tip_and_several_leaves(mixed):
    with pytest.raises(TopologyError, match="'hand', 'e'|'e', 'hand'"):
        mixed.forward_kinematics(mixed.sample(1))


def test_values_are_not_checked_under_transforms_but_shapes_are(iiwa):
    q = torch.full((2, 7), math.nan, dtype=torch.float64)
    assert torch.func.vmap(iiwa.forward_kinematics)(q).isnan().any()
    with pytest.raises(ShapeError):
        torch.func.vmap(iiwa.forward_kinematics)(q[:, :5])
