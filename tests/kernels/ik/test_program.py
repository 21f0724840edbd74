"""Inverse kinematics kernels, judged by Pinocchio's forward kinematics."""

from __future__ import annotations

import _thread
import signal
import threading

import numpy as np
import pinocchio as pin
import pytest

from diffkin.errors import OptionError
from diffkin.kernels.ik import program
from diffkin.kernels.threads import get_num_threads, set_num_threads
from tests.kernels import ik_robots
from tests.kernels.ik_robots import solve

TARGETS = 2000


def within(q, robot):
    return bool(((q >= robot.lower) & (q <= robot.upper)).all())


FIELDS = ("q", "rank", "iterations", "position_error", "rotation_error", "success")


def same(a, b, rows=slice(None), fields=FIELDS):
    """Whether one solution is, to the bit, some rows of another."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)[rows]) for name in fields)


@pytest.mark.parametrize(
    ("name", "halved", "rate"),
    [
        ("iiwa", False, 0.9995),
        ("xarm6", False, 0.9995),
        ("ur5", False, 0.9995),
        ("panda", False, 0.9985),
        ("panda", True, 0.9985),
        ("ur10", False, 0.9995),
        ("kinova", False, 0.9985),
        ("talos", False, 0.9985),
    ],
)
def test_reachable_targets_are_solved_within_limits(name, halved, rate):
    robot = ik_robots.load(name, halved)
    targets = robot.poses(robot.sample(TARGETS))
    answer = solve(robot.program(), targets)
    assert within(answer.q, robot)
    position, rotation = robot.errors(answer.q, targets)
    good = (position <= 1e-6) & (rotation <= 1e-6)
    assert good.mean() >= rate
    assert np.array_equal(good, answer.success)
    assert ((answer.rank >= 0) & (answer.rank < 100)).all()
    np.testing.assert_allclose(answer.position_error, position, atol=1e-12)
    near = rotation < 3.0  # where the logarithm is well conditioned
    np.testing.assert_allclose(answer.rotation_error[near], rotation[near], rtol=1e-9, atol=1e-12)


def test_tight_tolerances_are_met():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(500, seed=1))
    answer = solve(robot.program(), targets, position_tolerance=1e-9, rotation_tolerance=1e-9)
    position, rotation = robot.errors(answer.q, targets)
    assert answer.success.all()
    assert position.max() <= 1e-9
    assert rotation.max() <= 1e-9


@pytest.mark.parametrize("with_q0", [False, True])
def test_answer_depends_on_nothing_but_the_problem(with_q0):
    robot = ik_robots.load("panda")
    program = robot.program()
    count = 700
    targets = robot.poses(robot.sample(count, seed=2))
    targets[::50, :3, 3] *= 3.0  # some out of reach
    q0 = robot.sample(count, seed=3) if with_q0 else None
    options = {"starts": 40, "nearest": 3 if with_q0 else 1}
    whole = solve(program, targets, q0, **options)
    order = np.random.default_rng(0).permutation(count)
    shuffled = solve(program, targets[order], None if q0 is None else q0[order], **options)
    assert same(shuffled, whole, order)
    for size in (1, 3, 50):
        for b in range(0, 150, size):
            part = solve(program, targets[b : b + size], None if q0 is None else q0[b : b + size], **options)
            assert same(part, whole, slice(b, b + size))
    threads = get_num_threads()
    try:
        for number in (1, 3):
            set_num_threads(number)
            assert same(solve(program, targets, q0, **options), whole)
    finally:
        set_num_threads(threads)


def test_slicing_of_the_loop_changes_nothing(monkeypatch):
    robot = ik_robots.load("xarm6")
    targets = robot.poses(robot.sample(60, seed=4))
    whole = solve(robot.program(), targets)
    monkeypatch.setattr(program, "STEP_SECONDS", 3e-6)
    monkeypatch.setattr(program, "CHUNK", 7)
    assert same(solve(robot.program(), targets), whole)


def test_unreachable_targets_are_never_solved():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(200, seed=5))
    targets[:, :3, 3] *= 2.0 / np.linalg.norm(targets[:, :3, 3], axis=1, keepdims=True)
    answer = solve(robot.program(), targets, starts=20)
    assert not answer.success.any()
    assert ((answer.rank >= 0) & (answer.rank < 20)).all()
    assert within(answer.q, robot)
    position, _ = robot.errors(answer.q, targets)
    np.testing.assert_allclose(answer.position_error, position, atol=1e-12)
    # a point 2 m away: the arm of 1.306 m from shoulder at 0.36 m stretches towards it
    best = solve(robot.program(), targets, weights=(1, 1, 1, 0, 0, 0), starts=20)
    shoulder = np.array([0.0, 0.0, robot.arrays["origin"][0][2, 3] + robot.arrays["origin"][1][2, 3]])
    stretched = sum(np.linalg.norm(t[:3, 3]) for t in robot.arrays["origin"][2:])
    gap = np.linalg.norm(targets[:, :3, 3] - shoulder, axis=1) - stretched
    assert not best.success.any()
    assert (best.position_error >= gap - 1e-9).all()
    assert np.quantile(best.position_error - gap, 0.9) < 1e-3


def test_solutions_on_the_limits():
    robot = ik_robots.load("panda")
    q = robot.sample(1000, seed=6)
    rng = np.random.default_rng(7)
    pinned = rng.random(q.shape) < 0.4
    q = np.where(pinned, np.where(rng.random(q.shape) < 0.5, robot.lower, robot.upper), q)
    answer = solve(robot.program(), robot.poses(q))
    assert within(answer.q, robot)
    assert answer.success.mean() >= 0.99


def test_only_solution_lies_in_a_corner_of_the_limits():
    robot = ik_robots.load("xarm6")
    rng = np.random.default_rng(8)
    for q in robot.sample(15, seed=6):
        low = rng.random(6) < 0.5
        lower, upper = np.where(low, q, q - 0.4), np.where(low, q + 0.4, q)
        targets = robot.poses(q[None])
        answer = solve(robot.program(lower=lower, upper=upper), targets)
        assert answer.success.all()
        assert ((answer.q >= lower) & (answer.q <= upper)).all()
        np.testing.assert_allclose(answer.q[0], q, atol=1e-3)
        assert ((answer.q[0] == lower) | (answer.q[0] == upper)).sum() >= 3  # held there exactly


def test_stretched_arm():
    robot = ik_robots.load("iiwa")
    q = np.zeros((200, 7))
    q[:, ::2] = robot.sample(200, seed=8)[:, ::2]  # elbow, shoulder and wrist straight
    targets = robot.poses(q)
    answer = solve(robot.program(), targets)
    position, rotation = robot.errors(answer.q, targets)
    assert answer.success.all()
    assert max(position.max(), rotation.max()) <= 1e-6


def test_position_only():
    robot = ik_robots.load("xarm6")
    targets = robot.poses(robot.sample(1000, seed=9))
    targets[:, :3, :3] = [pin.exp3(v) for v in np.random.default_rng(0).normal(size=(1000, 3))]
    answer = solve(robot.program(), targets, weights=(1, 1, 1, 0, 0, 0))
    position, _ = robot.errors(answer.q, targets)
    assert answer.success.all()
    assert within(answer.q, robot)
    assert position.max() <= 1e-6
    assert not answer.rotation_error.any()


def test_orientation_only():
    robot = ik_robots.load("ur5")
    targets = robot.poses(robot.sample(1000, seed=10))
    targets[:, :3, 3] = 7.0
    answer = solve(robot.program(), targets, weights=(0, 0, 0, 1, 1, 1))
    _, rotation = robot.errors(answer.q, targets)
    assert answer.success.all()
    assert rotation.max() <= 1e-6
    assert not answer.position_error.any()


@pytest.mark.parametrize(
    "weights", [(1, 0, 1, 1, 1, 0), (0, 1, 0, 1, 0, 0), (1, 1, 1, 0, 1, 1), (2.0, 0.5, 0, 0, 0, 3.0)]
)
def test_partial_weights(weights):
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(500, seed=11))
    answer = solve(robot.program(), targets, weights=weights)
    here = robot.poses(answer.q)
    counts = np.array(weights) > 0
    for b in np.flatnonzero(answer.success):
        position = (targets[b] - here[b])[:3, 3][counts[:3]]
        rotation = pin.log3(targets[b, :3, :3] @ here[b, :3, :3].T)[counts[3:]]
        assert np.linalg.norm(position) <= 1e-6
        assert np.linalg.norm(rotation) <= 1e-6
    assert answer.success.mean() >= 0.998


def test_weights_only_steer_where_all_axes_can_be_met():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(500, seed=12))
    answer = solve(robot.program(), targets, weights=(3, 3, 3, 0.5, 0.5, 0.5))
    position, rotation = robot.errors(answer.q, targets)
    assert answer.success.all()
    assert max(position.max(), rotation.max()) <= 1e-6


def scara():
    shift = ik_robots.shift
    return ik_robots.build(
        [
            {"axis": (0, 0, 1), "origin": shift(z=0.4), "lower": -2.2, "upper": 2.2},
            {"axis": (0, 0, 1), "origin": shift(x=0.35), "lower": -2.5, "upper": 2.5},
            {"kind": 1, "axis": (0, 0, -1), "origin": shift(x=0.3), "lower": 0.0, "upper": 0.2},
            {"axis": (0, 0, 1), "origin": shift(), "lower": -3.1, "upper": 3.1},
        ]
    )


@pytest.mark.parametrize(
    "robot", [scara(), ik_robots.planar(3), ik_robots.random_chain(7, 0), ik_robots.random_chain(9, 3)]
)
def test_prismatic_and_few_or_many_joints(robot):
    targets = robot.poses(robot.sample(1000, seed=13))
    answer = solve(robot.program(), targets)
    position, rotation = robot.errors(answer.q, targets)
    assert within(answer.q, robot)
    assert np.array_equal(answer.success, (position <= 1e-6) & (rotation <= 1e-6))
    assert answer.success.mean() >= 0.995


def test_two_joints_reach_points():
    offset = ik_robots.shift(x=0.5)
    robot = ik_robots.planar(2)
    targets = robot.poses(robot.sample(500, seed=14)) @ offset
    answer = solve(robot.program(frame_offset=offset), targets, weights=(1, 1, 1, 0, 0, 0))
    here = robot.poses(answer.q) @ offset
    assert answer.success.all()
    assert np.linalg.norm(here[:, :3, 3] - targets[:, :3, 3], axis=1).max() <= 1e-6


def test_mimic_joints():
    shift = ik_robots.shift
    axes = [(0, 0, 1), (0, 1, 0), (0, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)]
    joints = [
        {"axis": a, "origin": shift(x=0.05, z=0.25), "lower": -1.8, "upper": 1.8, "coordinate": c}
        for a, c in zip(axes, range(7))
    ]
    joints.insert(3, {"axis": (0, 1, 0), "origin": shift(z=0.2), "coordinate": 2, "multiplier": -0.5, "offset": 0.3})
    joints.append(
        {"kind": 1, "axis": (0, 0, 1), "origin": shift(z=0.1), "coordinate": 0, "multiplier": 0.02, "offset": 0.01}
    )
    robot = ik_robots.build(joints)
    q = robot.sample(1000, seed=15)
    targets = robot.poses(ik_robots.values(robot, q))
    answer = solve(robot.program(), targets)
    position, rotation = robot.errors(ik_robots.values(robot, answer.q), targets)
    assert within(answer.q, robot)
    assert np.array_equal(answer.success, (position <= 1e-6) & (rotation <= 1e-6))
    assert answer.success.mean() >= 0.998


def test_continuous_joints_come_back_within_one_turn():
    robot = ik_robots.load("kinova")
    free = np.isinf(robot.lower)
    q = robot.sample(500, seed=16)
    targets = robot.poses(q)
    q0 = q + np.where(free, 14 * np.pi, 0.0)
    answer = solve(robot.program(), targets, q0)
    assert free.sum() == 3
    assert (answer.rank == 0).all()
    assert (np.abs(answer.q[:, free]) <= np.pi).all()
    np.testing.assert_allclose(answer.q, q, atol=1e-11)
    # half a multiple of a turn does not lead back: such a coordinate keeps within one turn by itself
    arrays = {"multiplier": np.where(np.arange(6) == 0, 0.5, 1.0)}
    answer = solve(robot.program(**arrays), targets)
    turned = answer.q * arrays["multiplier"]
    position, rotation = robot.errors(turned, targets)
    assert (np.abs(answer.q[:, free]) <= np.pi).all()
    assert np.array_equal(answer.success, (position <= 1e-6) & (rotation <= 1e-6))
    assert answer.success.any()


def test_unlimited_prismatic_joint():
    shift = ik_robots.shift
    rail = {"kind": 1, "axis": (1, 0, 0), "origin": shift()}
    arm = [
        {"axis": a, "origin": shift(z=0.3), "lower": -2.5, "upper": 2.5}
        for a in [(0, 0, 1), (0, 1, 0), (0, 1, 0), (1, 0, 0), (0, 1, 0), (1, 0, 0)]
    ]
    robot = ik_robots.build([rail, *arm])
    q = robot.sample(500, seed=17)
    q[:, 0] *= 10.0  # tens of metres along the rail, far beyond what is sampled
    targets = robot.poses(q)
    answer = solve(robot.program(), targets)
    position, rotation = robot.errors(answer.q, targets)
    assert np.array_equal(answer.success, (position <= 1e-6) & (rotation <= 1e-6))
    assert answer.success.mean() >= 0.99


def test_answers_rounded_to_float32_are_judged_as_they_are_returned():
    robot = ik_robots.load("panda")
    targets = robot.poses(robot.sample(500, seed=21))
    answer = solve(robot.program(), targets, position_tolerance=1e-5, rotation_tolerance=1e-5, single=True)
    assert np.array_equal(answer.q, answer.q.astype(np.float32))
    position, rotation = robot.errors(answer.q, targets)
    np.testing.assert_allclose(answer.position_error, position, atol=1e-12)
    assert np.array_equal(answer.success, (position <= 1e-5) & (rotation <= 1e-5))
    assert answer.success.mean() >= 0.998
    # what rounding alone does: tolerances below it are not met, and not claimed
    hopeless = solve(robot.program(), targets, position_tolerance=1e-9, rotation_tolerance=1e-9, single=True)
    assert not hopeless.success.any() and (hopeless.position_error > 1e-9).any()


def test_coordinates_that_do_not_move_the_frame_keep_q0_within_their_limits():
    shift = ik_robots.shift
    arm = [{"axis": a, "origin": shift(z=0.4), "lower": -2.0, "upper": 2.0} for a in [(0, 0, 1), (0, 1, 0), (0, 1, 0)]]
    robot = ik_robots.build(arm)
    bare = robot.arrays
    joined = {  # a fourth joint on the base, with limits of its own
        **bare,
        "parent": np.append(bare["parent"], -1),
        "kind": np.append(bare["kind"], 0),
        "coordinate": np.append(bare["coordinate"], 3),
        "multiplier": np.append(bare["multiplier"], 1.0),
        "offset": np.append(bare["offset"], 0.0),
        "origin": np.concatenate([bare["origin"], np.eye(4)[None]]),
        "axis": np.concatenate([bare["axis"], [[0.0, 0.0, 1.0]]]),
        "dof": 4,
        "lower": np.append(bare["lower"], -0.5),
        "upper": np.append(bare["upper"], 0.5),
    }
    q = robot.sample(50, seed=22)
    targets = robot.poses(q)
    other = np.linspace(-2.0, 2.0, len(q))
    answer = solve(robot.program(**joined), targets, np.column_stack([q, other]))
    assert np.array_equal(answer.q[:, 3], other.clip(-0.5, 0.5))
    assert np.array_equal(answer.q[:, :3], q)


def test_q0_is_tried_first():
    robot = ik_robots.load("iiwa")
    q = robot.sample(300, seed=18)
    targets = robot.poses(q)
    answer = solve(robot.program(), targets, q)
    assert (answer.rank == 0).all()
    assert (answer.iterations == 0).all()
    assert np.array_equal(answer.q, q)
    near = solve(robot.program(), targets, q + 0.05)
    assert (near.rank == 0).mean() > 0.95
    outside = solve(robot.program(), targets, q + 20.0)
    assert within(outside.q, robot)
    assert outside.success.all()


def test_nearest_of_the_first_solutions():
    robot = ik_robots.load("ur5")
    program = robot.program()
    targets = robot.poses(robot.sample(200, seed=19))
    q0 = robot.sample(200, seed=20)
    distance = []
    for k in (1, 2, 8):
        answer = solve(program, targets, q0, nearest=k)
        assert answer.success.all()
        distance.append(np.linalg.norm(answer.q - q0, axis=1))
    assert (distance[1] <= distance[0]).all()
    assert (distance[2] <= distance[1]).all()
    assert distance[2].mean() < 0.8 * distance[0].mean()


def test_coordinates_off_the_way_stay():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(50, seed=21))
    parent = np.array([*robot.arrays["parent"], 3, 7])  # two joints branch off
    extra = {
        "parent": parent,
        "kind": np.zeros(9, np.int64),
        "coordinate": np.array([2, 3, 4, 5, 6, 7, 8, 0, 1]),
        "multiplier": np.ones(9),
        "offset": np.zeros(9),
        "origin": np.concatenate([robot.arrays["origin"], robot.arrays["origin"][:2]]),
        "axis": np.concatenate([robot.arrays["axis"], robot.arrays["axis"][:2]]),
        "dof": 9,
        "lower": np.concatenate([[-1.0, 0.5], robot.lower]),
        "upper": np.concatenate([[1.0, 2.0], robot.upper]),
    }
    program = robot.program(**extra)
    q0 = np.concatenate([np.tile([0.3, 1.1], (50, 1)), robot.sample(50, seed=22)], axis=1)
    answer = solve(program, targets, q0)
    assert answer.success.all()
    assert (answer.q[:, :2] == [0.3, 1.1]).all()
    assert same(solve(robot.program(), targets, q0[:, 2:]), answer, fields=FIELDS[1:])
    assert (solve(program, targets).q[:, :2] == [0.0, 0.5]).all()


def test_sixty_joints():
    robot = ik_robots.random_chain(60, 1, slides=0.1)
    targets = robot.poses(robot.sample(50, seed=23))
    answer = solve(robot.program(), targets)
    position, rotation = robot.errors(answer.q, targets)
    assert answer.success.all()
    assert within(answer.q, robot)
    assert max(position.max(), rotation.max()) <= 1e-6


def test_scale_of_the_robot_does_not_matter():
    robot = ik_robots.load("panda")
    targets = robot.poses(robot.sample(300, seed=24))
    origin = robot.arrays["origin"].copy()
    origin[:, :3, 3] *= 1000.0
    large = targets.copy()
    large[:, :3, 3] *= 1000.0
    answer = solve(robot.program(origin=origin), large, position_tolerance=1e-3)
    position, rotation = robot.errors(answer.q, targets)
    assert answer.success.mean() > 0.99
    assert (position[answer.success] <= 1e-6).all()


def test_seed_chooses_the_later_starts_only():
    robot = ik_robots.load("panda")
    targets = robot.poses(robot.sample(1000, seed=25))
    first, second = (solve(robot.program(), targets, seed=seed) for seed in (0, 1))
    early = (first.rank >= 0) & (first.rank < 8)
    assert np.array_equal(first.q[early], second.q[early])
    assert not np.array_equal(first.q[~early], second.q[~early])


def test_nan_ends_as_unsolved():
    robot = ik_robots.load("iiwa")
    targets = robot.poses(robot.sample(20, seed=26))
    whole = solve(robot.program(), targets)
    broken = targets.copy()
    broken[3, 0, 0] = np.nan
    broken[7, 1, 3] = np.inf
    answer = solve(robot.program(), broken, starts=5)
    fine = np.ones(20, bool)
    fine[[3, 7]] = False
    assert not answer.success[~fine].any()
    assert np.array_equal(answer.q[fine], whole.q[fine])


def test_no_targets():
    answer = solve(ik_robots.load("iiwa").program(), np.empty((0, 4, 4)))
    assert answer.q.shape == (0, 7)
    assert answer.success.shape == (0,)


def test_many_python_threads_at_once():
    robot = ik_robots.load("iiwa")
    program = robot.program()
    targets = robot.poses(robot.sample(400, seed=27))
    whole = solve(program, targets)
    results: dict[int, list[bool]] = {}

    def work(number):
        results[number] = [
            same(solve(program, targets[:size]), whole, slice(size)) for size in (400, 1, 37) for _ in range(5)
        ]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    assert all(all(r) for r in results.values())


@pytest.mark.parametrize("number", [1, 2])
def test_interrupt_ends_a_long_batch(number):
    robot = ik_robots.load("iiwa")
    program = robot.program()
    targets = robot.poses(robot.sample(100, seed=28))
    whole = solve(program, targets)
    far = np.tile(targets, (2000, 1, 1))
    far[:, :3, 3] += 5.0  # minutes of fruitless search
    threads = get_num_threads()
    timer = threading.Timer(0.3, _thread.interrupt_main)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        set_num_threads(number)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            solve(program, far)
        assert same(solve(program, targets), whole)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, handler)
        set_num_threads(threads)


@pytest.mark.parametrize(
    "options",
    [
        {"position_tolerance": 0.0},
        {"rotation_tolerance": float("nan")},
        {"starts": 0},
        {"max_iterations": 0},
        {"nearest": 0},
        {"nearest": 2},
        {"weights": (1, 1, 1)},
        {"weights": (0,) * 6},
        {"weights": (1, 1, 1, 1, 1, -1)},
    ],
)
def test_bad_options_are_refused(options):
    robot = ik_robots.load("iiwa")
    with pytest.raises(OptionError):
        solve(robot.program(), np.eye(4)[None], **options)
