"""Lists of tasks beside a pose of the same robot: one call, a batch, and how many times slower.

python -m benchmarks.tasks                    # everything, about two minutes
python -m benchmarks.tasks --count 20 --plain # a short run; with --plain the torch route as well
"""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import diffkin as dk
from benchmarks.timing import interleaved
from diffkin import ik, transforms
from diffkin.kernels.threads import set_num_threads

__all__ = ["Case", "cases", "main", "measure"]

_BAXTER = "baxter_description/urdf/baxter.urdf"
_TALOS = "talos_data/robots/talos_reduced.urdf"
_FEET = ("left_sole_link", "right_sole_link")
_BENT = {"leg_left_3_joint": -0.4, "leg_left_4_joint": 0.8, "leg_left_5_joint": -0.4}
_COLUMNS = ("robot", "tasks", "solved", "one call [us]", "ratio", "batch [us each]", "ratio")


@dataclass(frozen=True, eq=False)
class Case:
    """Reachable problems of one kind, beside a pose of the same robot.

    Attributes:
        robot: Its name.
        tasks: What they are called.
        solve: Called with a slice of problems, or the number of one, and a backend.
        pose: Likewise, of a pose alone, given as a tensor.
    """

    robot: str
    tasks: str
    solve: Callable[[slice | int, str | None], ik.IKResult]
    pose: Callable[[slice | int], ik.IKResult]


@cache
def _robot(name: str) -> dk.Robot:
    if not name.endswith(".urdf"):
        return dk.load_robot(name)
    shared = importlib.metadata.distribution("example-robot-data").locate_file("cmeel.prefix/share")
    return dk.load_robot(Path(str(shared)) / "example-robot-data/robots" / name)


def cases(count: int) -> list[Case]:
    """All kinds of problems, ``count`` of each."""
    return [*_of_an_arm(count), *_of_two_arms(count), *_of_a_whole_body(count)]


def _of_an_arm(count: int) -> list[Case]:
    robot, elbow = _robot("kuka_iiwa"), "lbr_iiwa_link_4"
    q = robot.sample(count, seed=1)
    tip, middle = robot.forward_kinematics(q, links=["lbr_iiwa_link_7", elbow]).unbind(-3)
    place, across = tip[:, :3, 3].contiguous(), tip[:, :3, 2].contiguous()
    between = transforms.inverse(middle) @ tip
    near = (q + 0.3).clamp(robot.lower, robot.upper)
    near[:, 2] = q[:, 2]
    axis = (0.0, 0.0, 1.0)
    kinds: dict[str, tuple[Callable[[Any], list[ik.Task]], dict[str, Any]]] = {
        "a pose, as a task": (lambda k: [ik.PoseTask(None, tip[k])], {}),
        "position, pointing": (lambda k: [ik.PositionTask(None, place[k]), ik.RayDirectionTask(None, axis, across[k])], {}),
        "position, pointing in a cone": (
            lambda k: [ik.PositionTask(None, place[k]), ik.RayDirectionTask(None, axis, across[k], within=0.2)], {}
        ),
        "direction, horizon level": (
            lambda k: [ik.RayDirectionTask(None, (1.0, 0.0, 0.0), across[k]), ik.WingsLevelTask("lbr_iiwa_link_7")], {}
        ),
        "pose, position of the elbow": (
            lambda k: [ik.PoseTask(None, tip[k]), ik.PositionTask(elbow, middle[k, :3, 3])], {}
        ),
        "pose as seen from the elbow, its position": (
            lambda k: [ik.PoseTask(None, between[k], reference=elbow), ik.PositionTask(elbow, middle[k, :3, 3])], {}
        ),
        "pose, a joint locked": (
            lambda k: [ik.PoseTask(None, tip[k])], {"q0": near, "locked": ["lbr_iiwa_joint_3"]}
        ),
        "pose, a posture preferred": (lambda k: [ik.PoseTask(None, tip[k]), ik.PostureTask(near[k])], {"q0": near}),
        "pose, distance from limits preferred": (
            lambda k: [ik.PoseTask(None, tip[k]), ik.LimitMarginTask()], {"q0": near}
        ),
        "position, then direction, then posture": (
            lambda k: [
                ik.PositionTask(None, place[k]), ik.RayDirectionTask(None, axis, across[k], priority=1),
                ik.PostureTask(near[k], priority=2),
            ],
            {"q0": near},
        ),
    }  # fmt: skip
    return [_case("kuka_iiwa", name, robot, make, tip, options) for name, (make, options) in kinds.items()]


def _of_two_arms(count: int) -> list[Case]:
    robot, left, right = _robot(_BAXTER), "left_gripper", "right_gripper"
    q = robot.sample(count, seed=1)
    a, b = robot.forward_kinematics(q, links=[left, right]).unbind(-3)
    between = transforms.inverse(b) @ a
    kinds: dict[str, Callable[[Any], list[ik.Task]]] = {
        "two hands": lambda k: [ik.PoseTask(left, a[k]), ik.PoseTask(right, b[k])],
        "a hand in the other": lambda k: [ik.PoseTask(left, between[k], reference=right)],
        "a hand in the other, which is placed": lambda k: [
            ik.PoseTask(left, between[k], reference=right), ik.PoseTask(right, b[k])
        ],
    }  # fmt: skip
    one = robot.replace(tip=left)
    return [_case("baxter", name, robot, make, a, {}, one) for name, make in kinds.items()]


def _of_a_whole_body(count: int) -> list[Case]:
    robot, hand = _robot(_TALOS), "gripper_left_base_link"
    rest = torch.zeros(robot.dof, dtype=torch.float64).clamp(robot.lower, robot.upper)
    for name, angle in _BENT.items():
        for side in ("left", "right"):
            rest[robot.joint_names.index(name.replace("left", side))] = angle
    base = torch.linalg.inv(robot.forward_kinematics(rest, links=list(_FEET))[0])
    stand = base @ robot.forward_kinematics(rest, links=[*_FEET, hand])
    shift = 0.05 * torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    center, reached = stand[:2, :3, 3].mean(0) + 0.4 * shift, stand[2, :3, 3] + shift
    horizontal = torch.tensor([1.0, 1.0, 0.0])

    def stands(k: Any) -> list[ik.Task]:
        feet = [ik.PoseTask(foot, pose) for foot, pose in zip(_FEET, stand[:2], strict=True)]
        return [*feet, ik.CenterOfMassTask(center[k], weight=horizontal), ik.PositionTask(hand, reached[k])]

    poses = robot.forward_kinematics(robot.sample(count, seed=1), links=[hand])[:, 0]
    options = {"q0": rest.expand(count, -1), "base": base.expand(count, 4, 4), "free_base": "pose"}
    one = robot.replace(tip=hand)
    kinds: dict[str, Callable[[Any], list[ik.Task]]] = {
        "two feet, centre of mass, hand, base free": stands,
        "the same, a posture preferred": lambda k: [*stands(k), ik.PostureTask(rest)],
    }
    return [_case("talos", name, robot, make, poses, options, one) for name, make in kinds.items()]


def _case(
    name: str,
    tasks: str,
    robot: dk.Robot,
    make: Callable[[Any], list[ik.Task]],
    poses: Tensor,
    options: dict[str, Any],
    one: dk.Robot | None = None,
) -> Case:
    def solve(which: slice | int, backend: str | None) -> ik.IKResult:
        given: dict[str, Any] = {
            key: part[which] if isinstance(part, Tensor) else part for key, part in options.items()
        }
        return dk.solve_ik(robot, make(which), backend=backend, **given)

    return Case(name, tasks, solve, lambda which: dk.solve_ik(one or robot, poses[which]))


def measure(case: Case, count: int, plain: bool = False, repeats: int = 5) -> dict[str, Any]:
    """Seconds of one call and of each of a batch, by the kernel, of a pose, and by torch where ``plain`` asks for it."""
    batch, singles = slice(0, count), min(10, count)
    ones: dict[str, Callable[[], object]] = {
        "tasks": lambda: [case.solve(k, None) for k in range(singles)],
        "pose": lambda: [case.pose(k) for k in range(singles)],
    }
    many: dict[str, Callable[[], object]] = {"tasks": lambda: case.solve(batch, None), "pose": lambda: case.pose(batch)}
    one, each = interleaved(ones, repeats, 0.02), interleaved(many, repeats, 0.02)
    found: dict[str, Any] = {
        "solved": float(case.solve(batch, None).success.double().mean()),
        "one": {name: seconds / singles for name, seconds in one.items()},
        "each": {name: seconds / count for name, seconds in each.items()},
    }
    if plain:
        few = slice(0, min(100, count))
        seconds = interleaved({"torch": lambda: case.solve(few, "reference")}, 1, 0.0)["torch"]
        found["torch"] = {
            "one": interleaved({"torch": lambda: case.solve(0, "reference")}, 3, 0.0)["torch"],
            "each": seconds / min(100, count),
            "solved": float(case.solve(few, "reference").success.double().mean()),
        }
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table; targets and starts are given, tasks are made in every call."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="problems in a batch")
    parser.add_argument("--plain", action="store_true", help="the torch route as well, of 100 problems at most")
    parser.add_argument("--only", default="", help="cases whose robot or tasks hold this text")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    set_num_threads(1)
    print("One thread. The ratio is to a pose of the same robot, given as a tensor.")
    print(f"{_COLUMNS[0]:10} {_COLUMNS[1]:42}" + "".join(f"{name:>17}" for name in _COLUMNS[2:]))
    for case in cases(given.count):
        if given.only not in f"{case.robot} {case.tasks}":
            continue
        found = measure(case, given.count, given.plain)
        one, each = found["one"], found["each"]
        print(
            f"{case.robot:10} {case.tasks:42}{found['solved']:17.1%}{1e6 * one['tasks']:17.1f}"
            f"{one['tasks'] / one['pose']:17.1f}{1e6 * each['tasks']:17.2f}{each['tasks'] / each['pose']:17.1f}",
            flush=True,
        )
        if "torch" in found:
            slow = found["torch"]
            print(
                f"{'':10} {'  by torch':42}{slow['solved']:17.1%}{1e6 * slow['one']:17.1f}"
                f"{slow['one'] / one['pose']:17.1f}{1e6 * slow['each']:17.2f}{slow['each'] / each['pose']:17.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
