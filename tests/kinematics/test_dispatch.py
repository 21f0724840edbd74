"""Kernels behind the public calls: when they serve, when the torch formula does, and in what company they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from torch.autograd import forward_ad

import diffkin as dk
from diffkin.errors import ShapeError, UnknownNameError
from diffkin.kernels.tree import mechanism as kernel_side
from diffkin.kinematics import batched, dispatch, reference
from diffkin.kinematics import tree as torch_side
from tests.fresh import run_code
from tests.kinematics.trees import REAL, on_random_trees, robot_of, rounding

DTYPES = [torch.float32, torch.float64]


def assert_kernels_give_the_textbook(robot: dk.Robot, dtype: torch.dtype, seed: int) -> None:
    """Poses, Jacobian and backward pass by kernels, beside the textbook formula and its derivatives in float64."""
    narrow, wide = robot.to(dtype), robot.to(dtype).to(torch.float64)
    q = narrow.sample(5, seed=seed)
    assert dispatch.kernel_applies(None, narrow.tree, q)
    exact = reference.link_poses(wide.tree, q.double())
    bound = rounding(robot.tree, q, exact)
    links = tuple(range(len(robot.link_names)))
    poses = dispatch.forward(narrow.tree, q, links, None)
    assert poses.dtype == dtype
    assert (poses.double() - exact).abs().max().item() <= bound
    weight = torch.rand(exact.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    slopes = []
    for leaf, pose_of in (
        (q.clone(), lambda at: dispatch.forward(narrow.tree, at, links, None)),
        (q.double(), lambda at: reference.link_poses(wide.tree, at)),
    ):
        placed = pose_of(leaf.requires_grad_())
        slopes += torch.autograd.grad((placed * weight.to(placed.dtype)).sum(), leaf)
    size = 1.0 + max(map(abs, robot.tree.multiplier))
    assert (slopes[0].double() - slopes[1]).abs().max().item() <= 16 * len(links) * size * bound
    link = links[-1]
    J = dispatch.jacobian(narrow.tree, q, link, None, False, None, q.shape[:-1]).double()
    dT = torch.func.vmap(torch.func.jacrev(lambda at: reference.link_poses(wide.tree, at)[link]))(q.double())
    spin = dT[:, :3, :3].movedim(-1, 1) @ exact[:, None, link, :3, :3].mT
    expected = torch.cat((dT[:, :3, 3], dk.rotations.vee(spin).mT), dim=1)
    assert (J - expected).abs().max().item() <= 4 * size * bound


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*REAL, "mixed"])
def test_kernels_give_the_textbook_on_real_robots(name, dtype):
    assert_kernels_give_the_textbook(robot_of(name), dtype, seed=0)


@pytest.mark.parametrize("dtype", DTYPES)
@on_random_trees
def test_kernels_give_the_textbook_on_random_trees(dtype, xml, seed):
    assert_kernels_give_the_textbook(dk.Robot.from_urdf(xml), dtype, seed)


def test_a_tree_means_the_same_to_torch_and_kernels(mixed):
    assert (torch_side.REVOLUTE, torch_side.PRISMATIC) == (kernel_side.REVOLUTE, kernel_side.PRISMATIC)
    made = dispatch.mechanism(mixed.tree)
    assert made.dof == mixed.dof
    for theirs, ours in ((made.parent, mixed.tree.parents), (made.kind, mixed.tree.kinds)):
        assert theirs.tolist() == list(ours)
    assert torch.equal(torch.from_numpy(made.origin), mixed.tree.origins)
    assert torch.equal(torch.from_numpy(made.frame_offset), mixed.tree.link_offsets)


def test_kernel_applies(iiwa):
    tree, q = iiwa.tree, iiwa.sample(2)
    base, point = torch.eye(4, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    assert dispatch.kernel_applies(None, tree)
    assert dispatch.kernel_applies(None, tree, q, base, None, point)
    assert not dispatch.kernel_applies("reference", tree, q)
    with pytest.raises(UnknownNameError, match="'reference'"):
        dispatch.kernel_applies("refrence", tree, q)
    assert not dispatch.kernel_applies(None, tree, q, base.float())
    assert not dispatch.kernel_applies(None, iiwa.to(torch.float16).tree)
    assert not dispatch.kernel_applies(None, iiwa.to(device="meta").tree)
    moved = iiwa.replace(link_offsets=tree.link_offsets.clone().requires_grad_()).tree
    assert not dispatch.kernel_applies(None, moved, q)
    fixed = dk.Robot.from_urdf('<robot name="r"><link name="only"/></robot>')
    assert not dispatch.kernel_applies(None, fixed.tree)
    free = iiwa.to(torch.float64).replace(origins=tree.origins.clone()).tree
    assert dispatch.kernel_applies(None, free, q)
    free.origins.requires_grad_()  # after the tree was made
    assert not dispatch.kernel_applies(None, free, q)


@pytest.mark.parametrize("links", [6, (2, 6), ()])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1, 3)])
def test_base_poses_by_kernel_and_formula(mixed, links, shape):
    q = mixed.sample(3)
    generator = torch.Generator().manual_seed(1)
    base = dk.transforms.exp(torch.rand(*shape, 6, generator=generator, dtype=torch.float64))
    for leaf in (base, base.clone().requires_grad_()):
        fast, slow = (route.forward(mixed.tree, q, links, leaf) for route in (dispatch, batched))
        assert fast.shape == slow.shape
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-14)
        assert fast.requires_grad == leaf.requires_grad
    with pytest.raises(ShapeError, match=r"do not broadcast: q \(3,\), base \(2,\)"):
        dispatch.forward(mixed.tree, q, links, base.reshape(-1, 4, 4)[:1].expand(2, 4, 4))


@pytest.fixture
def served(monkeypatch):
    """Counts the calls that kernels answer."""
    calls = []
    for name in ("_poses", "jacobian"):
        real = getattr(dispatch, name)
        monkeypatch.setattr(dispatch, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1])
    return calls


def test_kernels_serve_the_plain_calls(iiwa, served):
    q = iiwa.sample(3)
    iiwa.forward_kinematics(q)
    iiwa.forward_kinematics(q.requires_grad_()).sum().backward()
    iiwa.jacobian(q.detach())
    iiwa.to(torch.float32).forward_kinematics(q.detach().float())
    assert served == ["_poses", "_poses", "jacobian", "_poses"]


def test_the_torch_formula_serves_the_rest(iiwa, served):
    q = iiwa.sample(3)
    iiwa.forward_kinematics(q, backend="reference")
    iiwa.jacobian(q.clone().requires_grad_())
    torch.func.vmap(iiwa.forward_kinematics)(q)
    torch.func.jacrev(iiwa.forward_kinematics)(q[0])
    torch.func.jvp(iiwa.forward_kinematics, (q,), (q,))
    with forward_ad.dual_level():
        iiwa.forward_kinematics(forward_ad.make_dual(q, q))
    torch.compile(iiwa.forward_kinematics, fullgraph=True, backend="eager")(q)
    iiwa.replace(origins=iiwa.tree.origins.clone().requires_grad_()).forward_kinematics(q)
    iiwa.to(torch.float16).forward_kinematics(q.half())
    assert iiwa.to(device="meta").forward_kinematics(q.to("meta")).device.type == "meta"
    assert served == []


def test_dual_numbers_through_the_jacobian(iiwa):
    q = iiwa.sample(1)[0]
    direction = torch.rand(7, dtype=torch.float64)
    with forward_ad.dual_level():
        J = iiwa.jacobian(forward_ad.make_dual(q, direction))
        moved = forward_ad.unpack_dual(J).tangent
    torch.testing.assert_close(moved, iiwa.hessian(q) @ direction, rtol=0, atol=1e-12)


def test_gradients_by_kernel_and_formula_agree(mixed):
    base = dk.transforms.exp(torch.rand(6, dtype=torch.float64))
    for links in (["hand"], ["a", "hand", "e", "root"]):
        weight = torch.rand(5, len(links), 4, 4, dtype=torch.float64)
        grads = []
        for backend in (None, "reference"):
            q = mixed.sample(5).requires_grad_()
            (mixed.forward_kinematics(q, links, base, backend=backend) * weight).sum().backward()
            grads.append(q.grad)
        torch.testing.assert_close(grads[0], grads[1], rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", [None, "reference"])
def test_links_that_no_joint_moves_are_constants(iiwa, backend):
    q = iiwa.sample(2).requires_grad_()
    assert not iiwa.forward_kinematics(q, links=[iiwa.base], backend=backend).requires_grad
    assert not iiwa.jacobian(q, link=iiwa.base, backend=backend).requires_grad
    assert not iiwa.hessian(q, link=iiwa.base).requires_grad
    both = iiwa.forward_kinematics(q, links=[iiwa.base, "lbr_iiwa_link_7"], backend=backend)
    (first,) = torch.autograd.grad(both[:, 0].sum(), q, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), q)
    assert (first == 0).all()
    assert (second == 0).all()


@pytest.mark.parametrize("batch", [(), (1,), (5,), (2, 3), (0,), (2, 1, 40)])
def test_gradients_of_sums(mixed, batch):
    """Of a sum autograd hands back one number expanded over the batch, of a sum over some axes one expanded over those."""
    q = mixed.sample(1000)[: torch.Size(batch).numel()].reshape(*batch, mixed.dof)
    losses = [lambda poses: poses.sum(), lambda poses: poses.sum(dim=(-3, -2, -1)).square().sum()]
    for links in (["hand"], list(mixed.link_names)):
        for loss in losses:
            slopes = []
            for backend in (None, "reference"):
                leaf = q.clone().requires_grad_()
                slopes += torch.autograd.grad(loss(mixed.forward_kinematics(leaf, links=links, backend=backend)), leaf)
            torch.testing.assert_close(slopes[0], slopes[1], rtol=0, atol=1e-11)


def test_outputs_are_ordinary_tensors(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(3))
    T[0] = 0.0
    T.mul_(2.0)
    assert torch.equal(T, T.clone())
    assert (T[0] == 0).all()
    assert not iiwa.forward_kinematics(iiwa.sample(3))[0].eq(0).all()


def test_many_python_threads_at_once():
    done = run_code(
        """
        import threading, torch, diffkin as dk
        robot = dk.load_robot("scara")
        q = robot.sample(3000)
        expected = robot.forward_kinematics(q, backend="reference")
        bad = []
        def work():
            for _ in range(5):
                T = robot.forward_kinematics(q)
                solved = dk.solve_ik(robot, T)
                if (T - expected).abs().max() > 1e-12 or not solved.success.all():
                    bad.append(1)
        threads = [threading.Thread(target=work) for _ in range(8)]
        [t.start() for t in threads]; [t.join() for t in threads]
        print("bad", len(bad))
        """
    )
    assert done.stdout.strip() == "bad 0", done.stderr


def test_forked_data_loader_workers():
    done = run_code(
        """
        import torch, diffkin as dk
        from torch.utils.data import DataLoader, Dataset
        robot = dk.load_robot("scara")
        q = robot.sample(4000)
        whole = dk.solve_ik(robot, robot.forward_kinematics(q))       # the pool exists before the fork
        class Poses(Dataset):
            def __len__(self): return 8
            def __getitem__(self, k):
                T = robot.forward_kinematics(q[500 * k : 500 * (k + 1)])
                return T, dk.solve_ik(robot, T).q
        loader = DataLoader(Poses(), batch_size=1, num_workers=4, multiprocessing_context="fork")
        T, solved = zip(*[(t[0], s[0]) for t, s in loader])
        print(torch.equal(torch.cat(solved), whole.q), torch.equal(torch.cat(T), robot.forward_kinematics(q)))
        """
    )
    assert done.stdout.strip() == "True True", done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_interrupt_during_a_long_batch():
    code = """
        import sys, torch, diffkin as dk
        robot = dk.load_robot("planar_3r")
        T = robot.forward_kinematics(robot.sample(200_000))
        dk.solve_ik(robot, T[:100])
        T[:, 0, 3] += 100.0                                            # hopeless: minutes of work
        print("go", flush=True)
        try:
            dk.solve_ik(robot, T, max_restarts=100_000)
        except KeyboardInterrupt:
            pass
        good = robot.forward_kinematics(robot.sample(5000))
        print("after", bool(dk.solve_ik(robot, good).success.all()), flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "go"
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert out.strip() == "after True", err
