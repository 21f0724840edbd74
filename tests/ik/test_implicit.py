"""Derivatives of solutions against differences of the solver itself, over what can be combined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

import diffkin as dk
from diffkin import ik
from diffkin.errors import GradientError
from diffkin.ik.implicit import Conditions, solution
from diffkin.ik.problem import make_problem

COUNT = 2  # problems in each batch
TIGHT: dict[str, Any] = {"position_tolerance": 1e-11, "rotation_tolerance": 1e-11}


POSTURE = ik.tasks.Kind(1, lambda target, name: None, lambda target: target, lambda target, base: target)


@dataclass(frozen=True, eq=False, kw_only=True)
class Posture(ik.Task):
    """A preference for a posture: a residual of ``q`` alone, the Jacobian left to autograd."""

    posture: Tensor
    unit = "rad"
    batched = {"posture": POSTURE}

    def residual(self, poses, q, problem):
        return q - self.posture[problem]


# -- what is combined ----------------------------------------------------------------------------------------------------


@cache
def robots() -> dict[str, dk.Robot]:
    panda = dk.load_robot("franka_panda")
    rows = [
        [0.1, 1.2, 0.3, 0.1],
        [0.4, -0.3, 0.1, 0.2],
        [0.2, 1.1, 0.2, 0.0],
        [0.1, -1.4, 0.3, 0.5],
        [0.1, 1.3, 0.1, 0.0],
    ]
    rows.append([0.05, 0.4, 0.2, 0.3])
    return {
        "iiwa": dk.load_robot("kuka_iiwa"),
        "panda": dk.Robot.from_urdf(panda.source),  # with its fingers
        "planar": dk.load_robot("planar_3r"),
        "dh": dk.Robot.from_dh(
            torch.tensor(rows, dtype=torch.float64), kinds="RRRPRR", lower=[-2.0] * 6, upper=[2.0] * 6
        ),
    }


LINKS = {
    "iiwa": ("lbr_iiwa_link_7", "lbr_iiwa_link_4"),
    "panda": ("panda_leftfinger", "panda_link5"),
    "planar": ("tool", "tool"),
    "dh": ("link6", "link3"),
}
LOCKED = {"panda": ["panda_finger_joint1"]}


@dataclass(frozen=True, eq=False)
class Parts:
    """All that a solution may depend on, each a function of a step that is zero where the derivative is asked for."""

    robot: dk.Robot
    T: Tensor
    other: Tensor
    posture: Tensor
    weight: Tensor
    base: Tensor
    near_base: Tensor
    q0: Tensor
    kind: str
    name: str
    free_base: str | None


Step = Callable[[Parts, Tensor], dict[str, Any]]


def _stepped_geometry(name: str) -> Step:
    def step(parts: Parts, xi: Tensor) -> dict[str, Any]:
        tensor, index = getattr(parts.robot.tree, name), 1
        if name == "link_offsets":
            index = parts.robot.link_index(LINKS[parts.name][0])
        moved = torch.cat((tensor[:index], (tensor[index] @ dk.transforms.exp(xi))[None], tensor[index + 1 :]))
        return {"robot": parts.robot.replace(**{name: moved})}

    return step


def _stepped_axes(parts: Parts, xi: Tensor) -> dict[str, Any]:
    turns = dk.rotations.rotvec_to_matrix(xi[:3])
    return {"robot": parts.robot.replace(axes=parts.robot.tree.axes @ turns.mT)}


def _stepped_upper(parts: Parts, xi: Tensor) -> dict[str, Any]:
    return {"robot": parts.robot.replace(upper=parts.robot.upper + xi[0])}


def _stepped_locked(parts: Parts, xi: Tensor) -> dict[str, Any]:
    locked = torch.tensor([name in LOCKED.get(parts.name, []) for name in parts.robot.joint_names])
    return {"q0": torch.where(locked, parts.q0 + xi[0], parts.q0)}


WITH_RESPECT_TO: dict[str, Step] = {
    "target": lambda parts, xi: {"T": parts.T @ dk.transforms.exp(xi)},
    "other target": lambda parts, xi: {"other": parts.other @ dk.transforms.exp(xi)},
    "posture": lambda parts, xi: {"posture": parts.posture + xi[0]},
    "weight": lambda parts, xi: {"weight": parts.weight + xi[:3]},
    "base": lambda parts, xi: {"base": parts.base @ dk.transforms.exp(xi)},
    "base origin": lambda parts, xi: {
        "base": dk.transforms.pose(parts.base[..., :3, :3], parts.base[..., :3, 3] + xi[:3])
    },
    "origins": _stepped_geometry("origins"),
    "link offsets": _stepped_geometry("link_offsets"),
    "axes": _stepped_axes,
    "upper": _stepped_upper,
    "locked": _stepped_locked,
}


def tasks_of(kind: str, name: str, parts: Parts) -> list[ik.Task]:
    hand, elbow = LINKS[name]
    position, direction = parts.T[..., :3, 3], parts.T[..., :3, 2]
    prefer: dict[str, ik.Task] = {
        "elbow": ik.PositionTask(elbow, parts.other[..., :3, 3], weight=parts.weight, priority=1),
        "turn": ik.OrientationTask(hand, parts.other[..., :3, :3], weight=parts.weight, priority=1),
        "base": ik.PoseTask(parts.robot.base, parts.near_base, weight=0.8, priority=1),
        "posture": Posture(posture=parts.posture, weight=0.4, priority=1),
    }
    first, *others = kind.split(", ")
    met: dict[str, list[ik.Task]] = {
        "pose": [ik.PoseTask(hand, parts.T)],
        "position": [ik.PositionTask(hand, position)],
        "pointing": [ik.PositionTask(hand, position), ik.RayDirectionTask(hand, (0.0, 0.0, 1.0), direction)],
    }
    return [*met[first], *(prefer[other] for other in others)]


def make(name: str, kind: str, free_base: str | None = None) -> Parts:
    """Problems well away from limits and singularities."""
    robot = robots()[name]
    hand, elbow = LINKS[name]
    inside = robot.replace(lower=0.6 * robot.lower.clamp(-2, 2), upper=0.6 * robot.upper.clamp(-2, 2))
    q = inside.sample(200, seed=7)
    rows = robot.jacobian(q, hand)[:, :, : robot.dof - len(LOCKED.get(name, []))]
    q = q[torch.linalg.svdvals(rows)[:, min(robot.dof, 3 if name == "planar" else 6) - 1].topk(COUNT).indices]
    near = (q + 0.1 * torch.sin(torch.arange(robot.dof) + 1.0)).clamp(robot.lower, robot.upper)
    shift = torch.tensor([0.3, -0.2, 0.1, 0.2, 0.3, -0.1], dtype=torch.float64)
    base, near_base = (dk.transforms.exp(shift * factor).expand(COUNT, 4, 4) for factor in (1.0, 1.2))
    at, by = (base @ robot.forward_kinematics(each, links=[hand, elbow]).movedim(1, 0) for each in (q, near))
    return Parts(
        robot=robot,
        T=at[0],
        other=dk.transforms.pose(by[0, :, :3, :3], by[1, :, :3, 3]),
        posture=near,
        weight=torch.tensor([1.0, 0.6, 1.3], dtype=torch.float64),
        base=base,
        near_base=near_base,
        q0=q,
        kind=kind,
        name=name,
        free_base=free_base,
    )


# -- the comparison ------------------------------------------------------------------------------------------------------


def solve(parts: Parts, differentiable: bool = False) -> ik.IKResult:
    return dk.solve_ik(
        parts.robot,
        tasks_of(parts.kind, parts.name, parts),
        q0=parts.q0,
        base=parts.base,
        free_base=parts.free_base,
        locked=LOCKED.get(parts.name, []),
        differentiable=differentiable,
        **TIGHT,
    )


def numbers(result: ik.IKResult) -> Tensor:
    """All that was found in one row a problem."""
    return result.q if result.base is None else torch.cat((result.q, result.base[:, :3].flatten(1)), dim=-1)


def replaced(parts: Parts, **changes: Any) -> Parts:
    return Parts(**{**vars(parts), **changes})


PLANE = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 1.0], dtype=torch.float64)  # what an arm in the plane can follow
ALONG = torch.tensor([1.0, 0.4, -0.3, 0.5, -0.2, 0.3], dtype=torch.float64)


def settled(parts: Parts) -> Parts:
    """The problems started from their own answers, so that solving again stays on their branch."""
    for _ in range(3):
        found = solve(parts)
        assert found.success.all()
        parts = replaced(parts, q0=found.q, base=parts.base if found.base is None else found.base)
    return parts


def compare(parts: Parts, respect: str, h: float = 2e-3, tolerance: float = 1e-5) -> Tensor:
    """The derivative (COUNT, numbers, 6) of what is found, compared with differences of the solver in one direction."""
    parts = settled(parts)
    step = WITH_RESPECT_TO[respect]

    def at(xi: Tensor, differentiable: bool = False) -> Tensor:
        return numbers(solve(replaced(parts, **step(parts, xi)), differentiable))

    xi = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    values = at(xi, differentiable=True)
    torch.testing.assert_close(values.detach(), at(xi.detach()), rtol=0, atol=0)
    seeds = torch.eye(values.numel(), dtype=torch.float64).reshape(-1, *values.shape)
    (rows,) = torch.autograd.grad(values, xi, seeds, is_grads_batched=True)
    actual = rows.reshape(*values.shape, 6)
    along = ALONG * PLANE if parts.name == "planar" and respect != "weight" else ALONG
    near, far = ((at(s * h * along) - at(-s * h * along)) / (2 * s * h) for s in (1, 2))
    torch.testing.assert_close(actual @ along, (4 * near - far) / 3, rtol=tolerance, atol=tolerance)
    return actual


QUICK = [  # robot, tasks, free base, with respect to
    ("dh", "pose", None, "target"),
    ("dh", "pose", None, "origins"),
    ("iiwa", "position, turn, posture", None, "target"),
    ("iiwa", "position, turn, posture", None, "weight"),
    ("iiwa", "pointing", None, "axes"),
    ("panda", "pointing, elbow, posture", None, "locked"),
    ("panda", "pose", "rotation", "base origin"),
    ("dh", "position, base, posture", "pose", "target"),
    ("planar", "pose", None, "link offsets"),
    ("planar", "position, posture", None, "base"),
]
PREFERENCES = ["other target", "posture", "origins", "link offsets", "axes", "base"]
OTHERS = [
    *[("iiwa", "pose", None, respect) for respect in ("target", "axes", "base")],
    *[("iiwa", "position, turn, posture", None, respect) for respect in PREFERENCES],
    *[("iiwa", "pointing, base, posture", "pose", respect) for respect in ("target", "posture", "origins")],
    *[("iiwa", "pointing, base, posture", "rotation", respect) for respect in ("target", "base origin", "axes")],
    *[("panda", "pointing", None, respect) for respect in ("link offsets", "locked", "target")],
    *[("panda", "pointing, elbow, posture", None, respect) for respect in ("weight", *PREFERENCES)],
    *[("panda", "pose", "pose", respect) for respect in ("target", "locked", "axes")],
    *[("panda", "pose", "rotation", respect) for respect in ("target", "locked", "origins")],
    *[("planar", "pose", None, respect) for respect in ("target", "base", "origins")],
    *[("planar", "position, posture", None, respect) for respect in ("target", "posture", "origins")],
    *[("dh", "pointing, posture", None, respect) for respect in ("posture", "axes", "target")],
]
COMBINED = QUICK + [pytest.param(*other, marks=pytest.mark.slow) for other in OTHERS]


@pytest.mark.parametrize(("name", "kind", "free_base", "respect"), COMBINED)
def test_against_differences_of_the_solver(name, kind, free_base, respect):
    assert compare(make(name, kind, free_base), respect).abs().max() > 1e-3


def against_limits(name: str, kind: str, free_base: str | None = None) -> tuple[Parts, Tensor]:
    """Problems whose preferences push a joint against its limit, and which joint that is in each of them."""
    parts = settled(make(name, kind, free_base))
    pushed = (parts.posture - parts.q0).mean(0)
    upper = torch.where(pushed == pushed.max(), parts.q0.max(0).values - 0.05, parts.robot.upper)
    parts = settled(replaced(parts, robot=parts.robot.replace(upper=upper)))
    return parts, parts.q0 >= upper


@pytest.mark.parametrize(
    ("name", "kind", "free_base", "respect"),
    [
        ("iiwa", "position, posture", None, "upper"),
        ("dh", "position, posture", None, "target"),
        pytest.param("planar", "position, posture", None, "upper", marks=pytest.mark.slow),
        pytest.param("iiwa", "position, turn, posture", None, "weight", marks=pytest.mark.slow),
    ],
)
def test_joints_that_stand_on_a_limit(name, kind, free_base, respect):
    parts, on = against_limits(name, kind, free_base)
    assert on.any()
    by = compare(parts, respect, h=1e-3)[:, : parts.robot.dof]
    assert by.abs().max() > 1e-3
    expected = torch.zeros(6, dtype=torch.float64)
    expected[0] = 1.0 if respect == "upper" else 0.0
    torch.testing.assert_close(by[on], expected.expand_as(by[on]), rtol=0, atol=0)


# -- second derivatives --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "free_base", "respect"),
    [
        ("dh", "pose", None, "target"),
        ("iiwa", "position, turn, posture", None, "weight"),
        pytest.param("dh", "pose", None, "origins", marks=pytest.mark.slow),
        pytest.param("panda", "pose, posture", None, "locked", marks=pytest.mark.slow),
        pytest.param("iiwa", "pointing, base, posture", "pose", "target", marks=pytest.mark.slow),
        pytest.param("iiwa", "pointing, base, posture", "rotation", "base origin", marks=pytest.mark.slow),
    ],
)
def test_second_derivatives_are_differences_of_the_first(name, kind, free_base, respect):
    parts, step = settled(make(name, kind, free_base)), WITH_RESPECT_TO[respect]

    def gradient(xi: Tensor, create_graph: bool = False) -> Tensor:
        values = numbers(solve(replaced(parts, **step(parts, xi)), True))
        (found,) = torch.autograd.grad((values.sin() * torch.arange(values.numel()).reshape(values.shape)).sum(), xi,
                                       create_graph=create_graph)  # fmt: skip
        return found

    xi = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    first = gradient(xi, create_graph=True)
    along = torch.tensor([1.0, 0.4, -0.3, 0.5, -0.2, 0.3], dtype=torch.float64)
    (actual,) = torch.autograd.grad(first @ along, xi)
    h = 1e-3
    sides = [gradient((s * h * along).requires_grad_()) for s in (1, -1, 2, -2)]
    expected = (8 * (sides[0] - sides[1]) - (sides[2] - sides[3])) / (12 * h)
    scale = float(expected.abs().max())
    assert scale > 1e-2
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4 * scale)


def test_third_derivatives_too():
    parts = settled(make("dh", "pose"))

    def derived(x: Tensor, order: int) -> Tensor:
        value = numbers(solve(replaced(parts, T=parts.T @ dk.transforms.exp(x * ALONG)), True)).sum()
        for _ in range(order):
            (value,) = torch.autograd.grad(value, x, create_graph=True)
        return value.detach()

    h = 1e-3
    x, ahead, behind = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.0, h, -h))
    third = derived(x, 3)
    torch.testing.assert_close(third, (derived(ahead, 2) - derived(behind, 2)) / (2 * h), rtol=1e-3, atol=1e-3)


# -- what is not an attribute of a task ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class Hidden(ik.Task):
    """A task whose target is in a list, where nobody looks for tensors."""

    targets: list[Tensor]
    links = (None,)

    def residual(self, poses, q, problem):
        return poses[:, 0, :3, 3] - self.targets[0]


def test_a_hidden_tensor_has_first_derivatives_and_refuses_second_ones(iiwa):
    p = iiwa.forward_kinematics(iiwa.sample(1))[0, :3, 3].requires_grad_()
    q0 = iiwa.sample(1)[0]
    by_hidden, by_task = (
        torch.autograd.grad(dk.solve_ik(iiwa, task, q0=q0, differentiable=True).q.sum(), p)[0]
        for task in (Hidden(targets=[p]), ik.PositionTask(None, p))
    )
    torch.testing.assert_close(by_hidden, by_task, rtol=1e-5, atol=1e-5)
    result = dk.solve_ik(iiwa, Hidden(targets=[p]), q0=q0, differentiable=True)
    with pytest.raises(GradientError, match="attribute of its task"):
        torch.autograd.grad(result.q.sum(), p, create_graph=True)


def test_a_third_level_moves_within_what_the_first_two_leave():
    # q = (x, y, z) of a cartesian machine: x is met, y preferred after it, z last, each pulled by the levels before
    rows = [[0.0, 1.5707963267948966, 0.5, 1.5707963267948966]] * 3
    robot = dk.Robot.from_dh(rows, kinds="PPP")
    a = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64, requires_grad=True)

    @dataclass(frozen=True, eq=False, kw_only=True)
    class Plane(ik.Task):
        normal: Tensor
        value: Tensor
        level: int = 0

        def residual(self, poses, q, problem):
            return q @ self.normal[:, None] - self.value

    tasks: list[Any] = [
        Plane(normal=torch.tensor(normal, dtype=torch.float64), value=a[k]) for k, normal in enumerate(
            ([1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0])
        )
    ]  # fmt: skip
    for level, task in enumerate(tasks):
        object.__setattr__(task, "priority", level)
    problem = make_problem(robot, tasks, torch.Size((1,)), torch.ones(3, dtype=torch.bool))
    q = torch.linalg.solve(torch.stack([task.normal for task in tasks]), a.detach())[None]
    held = torch.zeros(1, 3, dtype=torch.bool)
    conditions = Conditions(problem, None, held, q.clone(), torch.ones(1, dtype=torch.bool), 1e-8)
    moved, _ = solution(conditions, q, None)
    found = torch.stack([torch.autograd.grad(part, a, retain_graph=True)[0] for part in moved[0]])
    torch.testing.assert_close(found, torch.linalg.inv(torch.stack([task.normal for task in tasks])))
