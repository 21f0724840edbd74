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
from diffkin.kinematics import dispatch


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


def run(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        **options,
    )


def test_many_python_threads_at_once():
    done = run(
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
    done = run(
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


def test_import_is_light():
    done = run(
        """
        import sys, diffkin
        print(sorted({"numba", "pybullet", "matplotlib", "yourdfpy", "scipy", "hydra", "lightning_fabric"} & set(sys.modules)))
        """
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
