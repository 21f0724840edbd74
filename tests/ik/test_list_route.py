"""The route by kernel for lists of tasks: what it takes, that it gives what plain torch gives, what it keeps."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin import ik, rotations, transforms
from diffkin.errors import DiffkinError
from diffkin.ik import kernel_route, list_route
from diffkin.ik.problem import State, make_problem
from diffkin.ik.solvers.newton import LevenbergMarquardt
from tests.ik.tasks.test_center_of_mass import HORIZONTAL, talos
from tests.ik.tasks.test_relative import LEFT, RIGHT, baxter

COUNT = 60
ELBOW = "lbr_iiwa_link_4"


def lists_of(robot: dk.Robot, elbow: str, count: int = COUNT) -> dict[str, list[ik.Task]]:
    """Lists of tasks that can be met, for a robot with a tip."""
    q = robot.sample(count, seed=11)
    tip, middle = robot.forward_kinematics(q, links=[robot.link_names[robot.link_index(None)], elbow]).unbind(-3)
    return {
        "position and ray": [
            ik.PositionTask(None, tip[:, :3, 3]), ik.RayDirectionTask(None, (0.0, 0.0, 2.0), tip[:, :3, 2])
        ],
        "pose and elbow": [ik.PoseTask(None, tip), ik.PositionTask(elbow, middle[:, :3, 3])],
        "orientation and point": [
            ik.OrientationTask(elbow, middle[:, :3, :3]), ik.RayAtPointTask(None, (1.0, 0.0, 0.0), tip[:, :3, 3] + tip[:, :3, 0])
        ],
        "relative": [ik.PoseTask(None, transforms.inverse(middle) @ tip, reference=elbow), ik.PositionTask(elbow, middle[:, :3, 3])],
        "cone": [ik.PositionTask(None, tip[:, :3, 3]), ik.RayDirectionTask(None, (0.0, 0.0, 1.0), tip[:, :3, 2], within=0.3)],
    }  # fmt: skip


def taken(monkeypatch, *arguments, **options) -> bool:
    """Whether a call is answered by the kernel for lists."""
    answers = []
    solve = list_route.solve_tasks
    monkeypatch.setattr(list_route, "solve_tasks", lambda *given: answers.append(solve(*given)) or answers[-1])
    dk.solve_ik(*arguments, **options)
    monkeypatch.undo()
    return bool(answers) and answers[-1] is not None


def test_what_the_kernel_takes(iiwa, monkeypatch):
    q = iiwa.sample(2, seed=1)
    T = iiwa.forward_kinematics(q)
    pose, point = ik.PoseTask(None, T), ik.PositionTask(ELBOW, T[:, :3, 3])
    few = {"max_restarts": 0, "max_iterations": 3}
    assert taken(monkeypatch, iiwa, [pose, point], **few)
    assert taken(monkeypatch, iiwa, pose, locked=["lbr_iiwa_joint_3"], q0=q, **few)
    assert taken(monkeypatch, iiwa, pose, free_base="planar", **few)
    assert taken(monkeypatch, iiwa, [pose], base=torch.eye(4), nearest_of=2, q0=q, **few)
    assert taken(monkeypatch, iiwa.to(torch.float32), [pose, point], **few)
    assert taken(monkeypatch, iiwa, [pose, point], solver=LevenbergMarquardt(patience=1), **few)
    assert taken(monkeypatch, iiwa, [pose, point], time_limit=1.0, **few)
    assert taken(monkeypatch, iiwa, [pose, ik.PostureTask(q)], **few)
    assert taken(monkeypatch, iiwa, [pose, ik.LimitMarginTask(), ik.PostureTask(q, priority=2)], **few)
    assert taken(monkeypatch, iiwa, [pose, ik.LimitMarginTask(0.1, priority=0)], **few)
    assert not taken(monkeypatch, iiwa, [pose, ik.ManipulabilityTask()], **few)
    near = {"nearest_of": 2, "q0": q, "max_restarts": 1, "max_iterations": 2}
    assert taken(monkeypatch, iiwa, [pose, point], joint_weights=torch.ones(7), **near)
    assert not taken(monkeypatch, iiwa, [pose, ik.PostureTask(q)], **near)
    assert not taken(monkeypatch, iiwa, [pose, point], backend="reference", **few)
    assert not taken(monkeypatch, iiwa, [pose, point], history=True, **few)
    assert not taken(monkeypatch, iiwa, [pose, point], solver="adam", **few)
    assert not taken(monkeypatch, iiwa, pose, free_base="pose", nearest_of=2, q0=q, max_restarts=1, max_iterations=2)

    class Mine(ik.PositionTask):
        pass

    assert not taken(monkeypatch, iiwa, [pose, Mine(None, T[:, :3, 3])], **few)


@pytest.mark.parametrize("name", ["position and ray", "pose and elbow", "orientation and point", "relative", "cone"])
@pytest.mark.parametrize("robot", ["iiwa", "panda"])
def test_as_many_are_solved_as_by_torch(request, robot, name):
    robot = request.getfixturevalue(robot)
    elbow = ELBOW if robot.dof == 7 and "lbr" in robot.link_names[1] else "panda_link4"
    tasks = lists_of(robot, elbow)[name]
    ours, plain = (dk.solve_ik(robot, tasks, backend=backend) for backend in (None, "reference"))
    assert int(ours.success.sum()) >= int(plain.success.sum())
    assert ours.success.double().mean() > 0.98
    assert bool(((ours.q >= robot.lower) & (ours.q <= robot.upper)).all())
    _confirm(robot, tasks, ours)


def _confirm(robot: dk.Robot, tasks: list[ik.Task], result: ik.IKResult, base: torch.Tensor | None = None) -> None:
    """The result's errors and claims are those of the tasks in torch."""
    count = len(result.q)
    errors = []
    for task in tasks:
        task = task.for_robot(robot).for_batch(torch.Size((count,)), torch.float64, robot.device)
        poses = robot.forward_kinematics(result.q, links=list(task.links), base=base, backend="reference")
        parts = task.errors(poses, result.q, torch.arange(count))
        errors.append([torch.zeros(count, dtype=torch.float64) if part is None else part for part in parts])
    position, rotation = (torch.stack(part).amax(0) for part in zip(*errors, strict=True))
    torch.testing.assert_close(result.position_error, position, rtol=1e-6, atol=1e-13)
    torch.testing.assert_close(result.rotation_error, rotation, rtol=1e-6, atol=1e-13)
    met = (position <= 1e-6) & (rotation <= 1e-6)
    assert torch.equal(result.success, met)


@pytest.mark.parametrize("free", ["turning", "moving", "nothing"])
def test_poses_of_which_a_half_is_free(iiwa, free):
    weight = {"turning": (1.0, 1, 1, 0, 0, 0), "moving": (0.0, 0, 0, 1, 1, 1), "nothing": (1.0,) * 6}[free]
    q = iiwa.sample(COUNT, seed=11)
    base = transforms.pose(rotations.random_rotation(COUNT, seed=2, dtype=torch.float64), torch.ones(COUNT, 3).double())
    tip, elbow = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_7", ELBOW], base=base).unbind(-3)
    pose = ik.PoseTask(None, tip, weight=torch.tensor(weight))
    for tasks in ([pose], [pose, ik.RayDirectionTask(ELBOW, (0.0, 0.0, 1.0), elbow[:, :3, 2], within=0.5)]):
        result = dk.solve_ik(iiwa, tasks, base=base, max_restarts=20)
        assert result.success.double().mean() > 0.97
        assert float(result.iterations.double().mean()) < 20.0  # starts are near
        _confirm(iiwa, tasks, result, base)


def test_two_hands_that_hold_one_thing():
    robot = baxter()
    q = robot.sample(40, seed=3)
    left, right = robot.forward_kinematics(q, links=[LEFT, RIGHT]).unbind(-3)
    tasks = [
        ik.PoseTask(LEFT, transforms.inverse(right) @ left, reference=RIGHT),
        ik.PositionTask(RIGHT, right[:, :3, 3]),
    ]
    ours, plain = (dk.solve_ik(robot, tasks, backend=backend) for backend in (None, "reference"))
    assert int(ours.success.sum()) >= int(plain.success.sum())
    _confirm(robot, tasks, ours)
    head = robot.joint_names.index("head_pan")
    assert not ours.q[:, head].any()


def test_hands_that_share_nothing_are_solved_by_themselves():
    robot = baxter()
    q = robot.sample(40, seed=3)
    left, right = robot.forward_kinematics(q, links=[LEFT, RIGHT]).unbind(-3)
    both = dk.solve_ik(robot, [ik.PoseTask(LEFT, left), ik.PoseTask(RIGHT, right)])
    alone = dk.solve_ik(robot, ik.PoseTask(LEFT, left), base=torch.eye(4, dtype=torch.float64))
    assert both.success.all()
    arm = [k for k, name in enumerate(robot.joint_names) if name.startswith("left_")]
    assert torch.equal(both.q[:, arm], alone.q[:, arm])
    assert (both.iterations >= alone.iterations).all()


def test_a_whole_body_stands_up():
    robot = talos()
    rest = torch.zeros(robot.dof, dtype=torch.float64).clamp(robot.lower, robot.upper)
    for name, angle in {"leg_left_3_joint": -0.4, "leg_left_4_joint": 0.8, "leg_left_5_joint": -0.4}.items():
        for side in ("left", "right"):
            rest[robot.joint_names.index(name.replace("left", side))] = angle
    feet, hand = ["left_sole_link", "right_sole_link"], "gripper_left_base_link"
    base = torch.linalg.inv(robot.forward_kinematics(rest, links=feet)[0])
    stand = base @ robot.forward_kinematics(rest, links=[*feet, hand])
    shifts = 0.05 * torch.randn(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    tasks = [
        *(ik.PoseTask(foot, pose) for foot, pose in zip(feet, stand[:2], strict=True)),
        ik.CenterOfMassTask(stand[:2, :3, 3].mean(0) + 0.5 * shifts, weight=HORIZONTAL),
        ik.PositionTask(hand, stand[2, :3, 3] + shifts),
    ]
    ours = dk.solve_ik(robot, tasks, q0=rest, base=base, free_base="pose")
    assert ours.success.all()
    assert ours.base is not None
    torch.testing.assert_close(ours.base[:, :3, :3] @ ours.base[:, :3, :3].mT, torch.eye(3).double().expand(20, 3, 3))
    _confirm(robot, tasks, ours, ours.base)


@pytest.mark.parametrize("free_base", ["pose", "rotation", "planar"])
def test_free_bases(iiwa, free_base):
    base = transforms.pose(rotations.random_rotation(COUNT, seed=2, dtype=torch.float64), torch.ones(COUNT, 3).double())
    q = iiwa.sample(COUNT, seed=5)
    there = ik.problem.BASES[free_base].moved(base, 0.5 * torch.ones(COUNT, ik.problem.FREE_BASE[free_base]).double())
    tip, elbow = iiwa.forward_kinematics(q, links=["lbr_iiwa_link_7", ELBOW], base=there).unbind(-3)
    tasks = [ik.PoseTask(None, tip), ik.PositionTask(ELBOW, elbow[:, :3, 3])]
    ours, plain = (dk.solve_ik(iiwa, tasks, base=base, free_base=free_base, backend=b) for b in (None, "reference"))
    assert int(ours.success.sum()) >= int(plain.success.sum()) - 1
    assert ours.base is not None
    _confirm(iiwa, tasks, ours, ours.base)
    if free_base == "planar":
        torch.testing.assert_close(ours.base[:, 2], base[:, 2], rtol=0, atol=1e-12)
    if free_base == "rotation":
        assert torch.equal(ours.base[:, :3, 3], base[:, :3, 3])


def test_locked_joints_stay(iiwa):
    q = iiwa.sample(COUNT, seed=6)
    T = iiwa.forward_kinematics(q)
    start = q + 0.2
    start[:, 2] = q[:, 2]
    result = dk.solve_ik(iiwa, T, q0=start, locked=["lbr_iiwa_joint_3"])
    assert result.success.all()
    assert torch.equal(result.q[:, 2], q[:, 2])
    plain = dk.solve_ik(iiwa, T, q0=start, locked=["lbr_iiwa_joint_3"], backend="reference")
    assert plain.success.all()


def test_nothing_that_can_move(iiwa):
    q = iiwa.sample(3, seed=6)
    T = iiwa.forward_kinematics(q)
    T[1, 0, 3] += 0.1
    result = dk.solve_ik(iiwa, T, q0=q, locked=list(iiwa.joint_names), max_restarts=2)
    assert result.success.tolist() == [True, False, True]
    assert torch.equal(result.q, q)
    torch.testing.assert_close(result.position_error[1], torch.tensor(0.1, dtype=torch.float64))
    on_base = ik.PositionTask(iiwa.base, torch.zeros(3))
    assert dk.solve_ik(iiwa, [on_base, ik.PoseTask(None, T[0])]).success
    free = dk.solve_ik(iiwa, ik.PoseTask(iiwa.base, T), free_base="pose")
    assert free.success.all()
    assert not free.q.any()


def test_answers_do_not_depend_on_the_batch_nor_on_slices(iiwa, monkeypatch):
    tasks = lists_of(iiwa, ELBOW)["pose and elbow"]
    q0 = iiwa.sample(COUNT, seed=2)
    whole = dk.solve_ik(iiwa, tasks, q0)
    alone = [dk.solve_ik(iiwa, [_at(task, k) for task in tasks], q0[k]) for k in range(0, COUNT, 7)]
    assert torch.equal(whole.q[::7], torch.stack([one.q for one in alone]))
    monkeypatch.setattr(kernel_route, "SLICE", 16)
    told: list[tuple[int, int]] = []
    sliced = dk.solve_ik(iiwa, tasks, q0, progress=lambda done, total: told.append((done, total)))
    assert told == [(16, 60), (32, 60), (48, 60), (60, 60)]
    for name in ("q", "success", "iterations", "restarts", "position_error", "rotation_error"):
        assert torch.equal(getattr(whole, name), getattr(sliced, name))
    assert torch.equal(dk.solve_ik(iiwa, tasks, q0, time_limit=100.0).q, whole.q)


def _at(task: ik.Task, k: int) -> ik.Task:
    return type(task)(task.links[0], task.target[k])  # type: ignore[call-arg, attr-defined]


def test_time_ends_and_what_was_not_reached_says_so(iiwa):
    far = [ik.PositionTask(None, torch.full((200, 3), 9.0)), ik.RayDirectionTask(None, (0.0, 0.0, 1.0), torch.ones(3))]
    result = dk.solve_ik(iiwa, far, time_limit=1e-4)
    assert not result.success.any()
    assert int((result.iterations == 0).sum()) == 200 - 32
    assert float(result.position_error.min()) > 7.0


def test_the_nearest_of_several(iiwa):
    tasks = lists_of(iiwa, ELBOW)["position and ray"]
    q0 = iiwa.sample(COUNT, seed=3)
    one, many = (dk.solve_ik(iiwa, tasks, q0, nearest_of=k) for k in (1, 8))
    assert many.success.all()
    away, nearer = ((result.q - q0).norm(dim=-1) for result in (one, many))
    assert (nearer <= away + 1e-9).all()
    assert (nearer < away - 1e-3).any()


def test_some_joints_count_more_than_others_for_nearness(iiwa):
    tasks = lists_of(iiwa, ELBOW)["position and ray"]
    q0 = iiwa.sample(COUNT, seed=3)
    weights = torch.tensor([1.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    plain, weighed = (dk.solve_ik(iiwa, tasks, q0, nearest_of=8, joint_weights=w) for w in (None, weights))
    away, nearer = ((weights * (result.q - q0).square()).sum(-1) for result in (plain, weighed))
    assert weighed.success.all()
    assert (nearer <= away + 1e-9).all()
    assert (nearer < away - 1e-3).any()


def cost_of(robot: dk.Robot, tasks: list[ik.Task], q: torch.Tensor, level: int) -> torch.Tensor:
    """(n,) squared weighted residual of the tasks of a priority at coordinates (n, dof)."""
    if all(task.priority != level for task in tasks):
        return torch.zeros(len(q), dtype=torch.float64)
    problem = make_problem(robot, tasks, torch.Size((len(q),)), torch.ones(robot.dof, dtype=torch.bool)).only(level)
    return problem.residual(State(q, None, torch.arange(len(q)))).square().sum(-1)


def preferences(robot: dk.Robot, q: torch.Tensor, near: torch.Tensor) -> dict[str, list[ik.Task]]:
    """Lists with tasks of later priorities."""
    tip, middle = robot.forward_kinematics(q, links=["lbr_iiwa_link_7", ELBOW]).unbind(-3)
    pose, weight = ik.PoseTask(None, tip), torch.arange(7) / 3.0
    point, elbow = ik.PositionTask(None, tip[:, :3, 3]), ik.PositionTask(ELBOW, middle[:, :3, 3] + 0.05, priority=1)
    return {
        "posture": [pose, ik.PostureTask(near)],
        "posture of some joints": [ik.PostureTask(near, weight=weight), pose],
        "middle of ranges": [pose, ik.LimitMarginTask(weight=0.3)],
        "orientation": [point, ik.OrientationTask(None, tip[:, :3, :3], priority=2)],
        "elbow, then posture": [point, ik.PostureTask(near, priority=5), elbow],
    }


@pytest.mark.parametrize(
    "name", ["posture", "posture of some joints", "middle of ranges", "orientation", "elbow, then posture"]
)
def test_preferences_come_to_what_they_do_in_torch(iiwa, name):
    q = iiwa.sample(16, seed=1)
    near = (q + 0.1).clamp(iiwa.lower, iiwa.upper)
    tasks = preferences(iiwa, q, near)[name]
    ours, plain = (dk.solve_ik(iiwa, tasks, near, backend=backend) for backend in (None, "reference"))
    assert ours.success.all()
    assert plain.success.all()
    mine, theirs = ([cost_of(iiwa, tasks, result.q, level) for level in (1, 2, 5)] for result in (ours, plain))
    torch.testing.assert_close(mine[:2], theirs[:2], rtol=1e-6, atol=1e-9)
    if name == "elbow, then posture":  # its way is long, and neither comes to its end
        assert bool((mine[2] <= theirs[2] + 1e-5).all())
    else:
        torch.testing.assert_close(ours.q, plain.q, rtol=0, atol=1e-6)
    assert bool(((ours.q >= iiwa.lower) & (ours.q <= iiwa.upper)).all())
    _confirm(iiwa, [task for task in tasks if task.priority == 0], ours)


def test_a_posture_is_at_its_least_along_the_solutions(iiwa):
    q = iiwa.sample(16, seed=1)
    near = (q + 0.2).clamp(iiwa.lower, iiwa.upper)
    tasks = [ik.PoseTask(None, iiwa.forward_kinematics(q)), ik.PostureTask(near)]
    found = dk.solve_ik(iiwa, tasks, near).q
    inside = ((found > iiwa.lower + 1e-9) & (found < iiwa.upper - 1e-9)).all(-1)
    assert inside.any()
    null = torch.linalg.svd(iiwa.jacobian(found)).Vh[:, 6]  # what moves and keeps the pose
    along = (null * (found - near)).sum(-1)
    assert float(along[inside].abs().max()) < 1e-5


def test_a_posture_that_must_be_met(iiwa):
    q = iiwa.sample(COUNT, seed=2)
    ours = dk.solve_ik(iiwa, [ik.PostureTask(q, priority=0)])
    assert ours.success.all()
    torch.testing.assert_close(ours.q, q, rtol=0, atol=1e-6)
    away = [ik.PositionTask(None, iiwa.forward_kinematics(q)[:, :3, 3]), ik.LimitMarginTask(0.3, priority=0)]
    ours, plain = (dk.solve_ik(iiwa, away, backend=backend) for backend in (None, "reference"))
    assert int(ours.success.sum()) >= int(plain.success.sum()) > 0
    _confirm(iiwa, away, ours)


def test_a_posture_of_a_body_that_is_free(iiwa):
    q = iiwa.sample(8, seed=5)
    base = transforms.pose(rotations.random_rotation(8, seed=2, dtype=torch.float64), torch.ones(8, 3).double())
    tasks = [ik.PoseTask(None, iiwa.forward_kinematics(q, base=base)), ik.PostureTask(q)]
    result = dk.solve_ik(iiwa, tasks, q + 0.1, base=base, free_base="pose")
    assert result.success.all()
    torch.testing.assert_close(result.q, q, rtol=0, atol=1e-8)  # the base takes what is left
    _confirm(iiwa, tasks[:1], result, result.base)


def test_joints_that_only_a_preference_moves():
    robot = baxter()
    q = robot.sample(8, seed=3)
    tasks = [ik.PoseTask(LEFT, robot.forward_kinematics(q, links=[LEFT])[:, 0]), ik.PostureTask(q)]
    locked = ["right_s0"]
    result = dk.solve_ik(robot, tasks, 0.9 * q, locked=locked)
    assert result.success.all()
    others = [not name.startswith("left_") and name not in locked for name in robot.joint_names]
    torch.testing.assert_close(result.q[:, others], q[:, others], rtol=0, atol=1e-8)
    still = robot.joint_names.index("right_s0")
    assert torch.equal(result.q[:, still], 0.9 * q[:, still])


def test_what_is_out_of_reach_gets_few_starts(iiwa):
    ray = ik.RayDirectionTask(None, (0.0, 0.0, 1.0), torch.tensor([0.0, 0.0, -1.0]))
    far, near = torch.tensor([1.3, 0.0, 0.9]), torch.tensor([0.5, 0.0, 0.5])
    proven = dk.solve_ik(iiwa, [ik.PositionTask(None, far), ray], max_restarts=500)
    assert bool(proven.out_of_reach())
    assert not proven.success
    assert proven.restarts < 5
    apart = [ik.PositionTask(None, near), ik.PositionTask(None, torch.tensor([-0.5, 0.0, 0.5])), ray]
    hopeless, patient = (dk.solve_ik(iiwa, apart, max_restarts=most) for most in (None, 100))
    assert not hopeless.out_of_reach()
    assert not hopeless.success
    assert hopeless.iterations < 0.6 * patient.iterations


def test_batches_of_any_shape(iiwa):
    T = iiwa.forward_kinematics(iiwa.sample(6, seed=1)).reshape(2, 3, 4, 4)
    tasks = [ik.PoseTask(None, T), ik.RayDirectionTask(None, (0.0, 0.0, 1.0), T[0, :, :3, 2])]
    result = dk.solve_ik(iiwa, tasks[:1], base=torch.eye(4).double(), q0=iiwa.sample(1)[0])
    assert result.q.shape == (2, 3, 7)
    assert result.success.all()
    assert dk.solve_ik(iiwa, tasks, max_restarts=0).success.shape == (2, 3)
    none = dk.solve_ik(iiwa, [ik.PoseTask(None, T[:0]), ik.PositionTask(ELBOW, T[:0, :, :3, 3])])
    assert none.q.shape == (0, 3, 7)


def test_answers_in_float32(iiwa):
    robot = iiwa.to(torch.float32)
    tasks = lists_of(robot, ELBOW)["pose and elbow"]
    result = dk.solve_ik(robot, tasks)
    assert result.q.dtype == torch.float32
    assert result.success.all()


def test_gradients_are_attached(iiwa):
    tasks = lists_of(iiwa, ELBOW, 3)["position and ray"]
    target = tasks[0].target.clone().requires_grad_()
    listed = [ik.PositionTask(None, target), tasks[1]]
    ours, plain = (
        torch.autograd.grad(dk.solve_ik(iiwa, listed, differentiable=True, q0=q0, backend=backend).q.sum(), target)[0]
        for backend, q0 in ((None, iiwa.sample(3, seed=11)), ("reference", iiwa.sample(3, seed=11)))
    )
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


def test_lists_are_kept_by_their_kind(iiwa):
    robot = iiwa.replace(lower=iiwa.lower.clone())
    tasks = lists_of(robot, ELBOW, 2)
    for name in tasks:
        dk.solve_ik(robot, tasks[name], max_restarts=0)
    kept = len(robot.cache["ik lists"])
    for name, again in lists_of(robot, ELBOW, 5).items():
        assert len(tasks[name]) == len(again)
        dk.solve_ik(robot, again, max_restarts=0)
    assert len(robot.cache["ik lists"]) == kept == len(tasks)
    for k in range(list_route._LISTS + 3):
        dk.solve_ik(robot, [ik.PositionTask(None, torch.ones(3), weight=1.0 + k), tasks["cone"][1]], max_restarts=0)
    assert len(robot.cache["ik lists"]) == list_route._LISTS


def test_what_is_wrong_is_said_as_before(iiwa):
    point = torch.ones(3)
    with pytest.raises(DiffkinError, match="no_such_link"):
        dk.solve_ik(iiwa, [ik.PositionTask(None, point), ik.PositionTask("no_such_link", point)])
    with pytest.raises(DiffkinError, match="CouplingTask"):
        dk.solve_ik(iiwa, [ik.PositionTask(None, point), ik.CouplingTask(torch.ones(1, 3), torch.ones(1))])


@pytest.mark.parametrize("free_base", [None, "pose"])
def test_slices_of_a_batch_are_its_rows_however_they_broadcast(iiwa, free_base, monkeypatch):
    q0 = iiwa.sample(5, seed=3)
    T = iiwa.forward_kinematics(iiwa.sample(3, seed=4))[:, None]
    tasks = [ik.PositionTask(None, T[..., :3, 3]), ik.RayDirectionTask(None, (0.0, 0.0, 1.0), T[..., :3, 2])]
    base = rotations.random_rotation((5,), 5)
    base = torch.cat((torch.cat((base, torch.full((5, 3, 1), 0.1)), -1), torch.eye(4)[3:].expand(5, 1, 4)), -2).double()
    whole = dk.solve_ik(iiwa, tasks, q0=q0, base=base, free_base=free_base, max_restarts=4)
    monkeypatch.setattr(kernel_route, "SLICE", 4)
    sliced = dk.solve_ik(iiwa, tasks, q0=q0, base=base, free_base=free_base, max_restarts=4)
    assert whole.success.any()
    for name in ("q", "success", "position_error", "rotation_error", "iterations", "restarts"):
        assert torch.equal(getattr(sliced, name), getattr(whole, name)), name
    if free_base:
        assert torch.equal(sliced.base, whole.base)
