"""Every public call on tensors of rotations, transforms, kinematics, Robot and autograd, with ordinary input for each.

What holds for all of them is tested in ``test_public_calls.py``; a public function without an entry here fails there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

import diffkin as dk
from diffkin import autograd, kinematics, rotations, transforms
from tests.rotations.cases import CASES

Call = tuple[Callable[..., Tensor], tuple[Tensor, ...]]

ROBOT = dk.load_robot("kuka_iiwa")
ROBOTS = {dtype: ROBOT.to(dtype) for dtype in (torch.float32, torch.float64)}


def robot(like: Any) -> dk.Robot:
    """The robot in the dtype and on the device of its coordinates, so that a call has one of each."""
    found = ROBOTS.get(getattr(like, "dtype", None), ROBOT)
    return found.to(device=like.device) if getattr(like, "is_cuda", False) else found


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


def poses() -> Tensor:
    return transforms.pose(rotations.random_rotation(3, seed=1), draw(3, 3))


Q, BASE, POINT, TANGENT = ROBOT.sample(3), poses(), 0.3 * draw(3, 3), draw(3, 6)
TIP = ROBOT.link_names.index(ROBOT.tip)


def curve(x: Tensor) -> Tensor:
    return torch.stack([x.sin() * x.sum(), x**3])


def seeded(x: Tensor) -> Tensor:
    with autograd.recording():
        start = x.detach().clone().requires_grad_()
        y = curve(start)
    with torch.enable_grad():
        return autograd.backward_seeds(y, start, autograd.unit_seeds(y))


def _calls() -> dict[str, Call]:
    calls: dict[str, Call] = {f"rotations.{name}": case for name, case in CASES.items()}
    calls |= {
        "transforms.pose": (transforms.pose, (BASE[:, :3, :3], POINT)),
        "transforms.pose of a translation": (lambda p: transforms.pose(translation=p), (POINT,)),
        "transforms.compose": (transforms.compose, (BASE, BASE.flip(0))),
        "transforms.inverse": (transforms.inverse, (BASE,)),
        "transforms.exp": (transforms.exp, (TANGENT,)),
        "transforms.log": (transforms.log, (BASE,)),
        "transforms.adjoint": (transforms.adjoint, (BASE,)),
        "transforms.transform_points": (transforms.transform_points, (BASE, POINT)),
        "transforms.transform_vectors": (transforms.transform_vectors, (BASE, POINT)),
        "transforms.left_jacobian": (transforms.left_jacobian, (TANGENT,)),
        "transforms.left_jacobian_inverse": (transforms.left_jacobian_inverse, (TANGENT,)),
        "transforms.right_jacobian": (transforms.right_jacobian, (TANGENT,)),
        "transforms.right_jacobian_inverse": (transforms.right_jacobian_inverse, (TANGENT,)),
        "kinematics.forward": (lambda q, b: kinematics.forward(robot(q).tree, q, [1, TIP], b), (Q, BASE)),
        "kinematics.jacobian": (
            lambda q, p, b: kinematics.jacobian(robot(q).tree, q, TIP, p, base=b),
            (Q, POINT, BASE),
        ),
        "kinematics.hessian": (lambda q, p, b: kinematics.hessian(robot(q).tree, q, TIP, p, b), (Q, POINT, BASE)),
        "kinematics.manipulability": (lambda q: kinematics.manipulability(robot(q).tree, q, TIP), (Q,)),
        "Robot.forward_kinematics": (lambda q: robot(q).forward_kinematics(q), (Q,)),
        "Robot.forward_kinematics of links": (lambda q: robot(q).forward_kinematics(q, [ROBOT.base, ROBOT.tip]), (Q,)),
        "Robot.hessian": (lambda q, p, b: robot(q).hessian(q, point=p, base=b), (Q, POINT, BASE)),
        "Robot.center_of_mass": (lambda q, b: robot(q).center_of_mass(q, base=b), (Q, BASE)),
        "Robot.link_poses": (lambda q, b: torch.stack([*robot(q).link_poses(q, base=b).values()], -3), (Q, BASE)),
        "Robot.with_frame": (
            lambda q, p: robot(q).with_frame("tool", ROBOT.tip, p, tip=True).forward_kinematics(q),
            (Q, BASE[0]),
        ),
        "Robot.manipulability": (lambda q: robot(q).manipulability(q), (Q,)),
        "autograd.unit_seeds": (autograd.unit_seeds, (POINT,)),
        "autograd.hessian": (lambda x: autograd.hessian(curve, x), (POINT,)),
        "autograd.backward_seeds": (seeded, (POINT,)),
    }
    for backend in (None, "reference"):
        calls[f"Robot.forward_kinematics {backend}"] = (
            lambda q, b, backend=backend: robot(q).forward_kinematics(q, base=b, backend=backend),
            (Q, BASE),
        )
        for frame in kinematics.jacobians.FRAMES:
            for method in kinematics.jacobians.METHODS:
                calls[f"Robot.jacobian {backend} {frame} {method}"] = (
                    lambda q, p, b, backend=backend, frame=frame, method=method: robot(q).jacobian(
                        q, point=p, frame=frame, method=method, base=b, backend=backend
                    ),
                    (Q, POINT, BASE),
                )
    for method in autograd.METHODS:
        calls[f"autograd.jacobian {method}"] = (
            lambda x, method=method: autograd.jacobian(
                curve, x, method, create_graph=getattr(x, "requires_grad", False)
            ),
            (POINT,),
        )
    return calls


CALLS: dict[str, Call] = _calls()

# Public, and no function of tensors: what is tested about them stands elsewhere.
NO_CALLS = {
    "rotations.random_rotation",
    "rotations.random_quat_xyzw",
    "kinematics.KinematicTree",
    "autograd.recording",
    "Robot.from_urdf",
    "Robot.from_mjcf",
    "Robot.from_dh",
    "Robot.to",
    "Robot.replace",
    "Robot.check_unchanged",
    "Robot.link_index",
    "Robot.to_urdf",
    "Robot.sample",
}


def public() -> set[str]:
    """The names of all public functions and methods."""
    modules: dict[str, ModuleType] = {
        "rotations": rotations,
        "transforms": transforms,
        "kinematics": kinematics,
        "autograd": autograd,
    }
    names = {f"{owner}.{name}" for owner, m in modules.items() for name in m.__all__ if callable(getattr(m, name))}
    methods = inspect.getmembers(dk.Robot, lambda value: inspect.isfunction(value) or inspect.ismethod(value))
    return names | {f"Robot.{name}" for name, _ in methods if not name.startswith("_")}
