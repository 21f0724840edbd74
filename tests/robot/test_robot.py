"""The robot itself: what it knows, copies with something changed, links by name, samples, and checks of ``q``."""

from __future__ import annotations

import copy
import dataclasses
import io
import math
import pickle
import threading

import pytest
import torch

import diffkin as dk
from diffkin.errors import DtypeError, OptionError, ShapeError, TopologyError, UnknownNameError


def test_it_knows_its_names_and_limits(iiwa: dk.Robot) -> None:
    assert iiwa.dof == len(iiwa.joint_names) == 7
    assert iiwa.lower.shape == iiwa.upper.shape == (7,)
    assert (iiwa.dtype, iiwa.device.type) == (torch.float64, "cpu")
    assert (iiwa.base, iiwa.tip) == (iiwa.link_names[0], "lbr_iiwa_link_7")
    assert iiwa.leaves == (iiwa.tip,)
    shown = repr(iiwa)
    assert shown.startswith("Robot('kuka_iiwa', dof=7, base='lbr_iiwa_link_0', tip='lbr_iiwa_link_7'")
    assert all(name in shown for name in iiwa.joint_names)


def test_it_never_changes(iiwa: dk.Robot) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        iiwa.tip = "x"  # type: ignore[misc]


def test_another_dtype(mixed: dk.Robot) -> None:
    single = mixed.to(torch.float32)
    assert {single.dtype, single.lower.dtype, single.upper.dtype} == {torch.float32}
    assert single.joint_names == mixed.joint_names
    assert mixed.dtype == torch.float64
    assert mixed.to(device="meta").lower.device.type == "meta"


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda robot: pickle.loads(pickle.dumps(robot)), lambda robot: through_torch(robot)],
    ids=["copy", "deepcopy", "pickle", "torch.save"],
)
def test_a_copy_is_the_same_robot_without_its_caches(copied) -> None:
    robot = dk.load_robot("planar_3r").replace(configurations={"home": torch.zeros(3).double()})
    q = robot.sample(3)
    dk.solve_ik(robot, robot.forward_kinematics(q))
    robot.cache["lock"] = threading.Lock()
    robot.tree.cache["lock"] = threading.Lock()
    twin = copied(robot)
    assert type(twin) is dk.Robot
    assert len(twin.cache) == 0
    assert "lock" not in twin.tree.cache or twin.tree is robot.tree  # what ``copy.copy`` does not go into
    assert torch.equal(twin.forward_kinematics(q), robot.forward_kinematics(q))
    for field in dataclasses.fields(robot):
        if field.init and isinstance(getattr(robot, field.name), torch.Tensor):
            assert torch.equal(getattr(twin, field.name), getattr(robot, field.name))
    assert twin.joint_names == robot.joint_names
    assert twin.configurations["home"].tolist() == [0.0, 0.0, 0.0]
    twin.lower.mul_(0.5)  # its own memory
    robot.check_unchanged()
    assert bool(dk.solve_ik(robot, robot.forward_kinematics(q)).success.all())


def through_torch(robot: dk.Robot) -> dk.Robot:
    file = io.BytesIO()
    torch.save(robot, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_a_copy_follows_its_tensors(iiwa: dk.Robot) -> None:
    learning = iiwa.replace(origins=iiwa.tree.origins.clone().requires_grad_())
    twin = copy.deepcopy(learning)
    assert twin.tree.origins.requires_grad
    twin.forward_kinematics(iiwa.sample(2)).sum().backward()
    assert twin.tree.origins.grad is not None
    assert learning.tree.origins.grad is None


class Poses(torch.utils.data.Dataset):
    def __init__(self, robot: dk.Robot) -> None:
        self.robot = robot

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.robot.forward_kinematics(self.robot.sample(1, seed=index), backend="reference")[0]


@pytest.mark.parametrize("context", ["spawn", "fork"])
def test_workers_of_a_data_loader(context: str) -> None:
    robot = dk.load_robot("planar_3r")
    poses = Poses(robot)
    robot.forward_kinematics(robot.sample(2))
    loader = torch.utils.data.DataLoader(poses, batch_size=2, num_workers=1, multiprocessing_context=context)
    found = torch.cat(list(loader))
    torch.testing.assert_close(found, torch.stack([poses[index] for index in range(4)]))
    robot.check_unchanged()  # what a worker shares is not what the robot computes with
    assert robot.forward_kinematics(robot.sample(2)).shape == (2, 4, 4)


@pytest.mark.parametrize("change", ["numpy", "in place", "data"])
@pytest.mark.parametrize("field", ["lower", "upper", "max_velocity", "link_masses"])
def test_limits_changed_in_place_are_noticed(field: str, change: str) -> None:
    robot = dk.load_robot("scara")
    tensor = getattr(robot, field)
    if change == "numpy":
        tensor.numpy()[:] = 0.25
    else:
        (tensor.data if change == "data" else tensor).fill_(0.25)
    for call in (
        robot.check_unchanged,
        lambda: robot.sample(2),
        lambda: robot.mass,
        robot.replace,
        lambda: robot.to("cpu"),
    ):
        with pytest.raises(dk.errors.ChangedError, match=r"robot\.replace"):
            call()


def test_memory_that_was_given_may_be_reused(iiwa: dk.Robot) -> None:
    lower = iiwa.lower.numpy().copy()
    robot = iiwa.replace(lower=torch.from_numpy(lower))
    lower[:] = 0.0
    assert torch.equal(robot.lower, iiwa.lower)
    robot.check_unchanged()


def test_a_robot_made_or_moved_in_inference_mode_can_be_differentiated_later() -> None:
    with torch.inference_mode():
        made = dk.load_robot("kuka_iiwa")
        moved = made.to(torch.float32)
        framed = made.with_frame("tcp", made.tip, torch.eye(4), tip=True).replace(upper=made.upper + 0.1)
    for robot in (made, moved, framed):
        q = robot.sample(3).requires_grad_()
        for backend in (None, "reference"):
            (gradient,) = torch.autograd.grad(robot.forward_kinematics(q, backend=backend)[:, :3, 3].sum(), q)
            assert bool((gradient != 0).any())
        (gradient,) = torch.autograd.grad(robot.center_of_mass(q).sum(), q)
        assert bool((gradient != 0).any())
        limits = robot.lower.clone().requires_grad_()
        assert robot.replace(lower=limits).lower.requires_grad
    origins = moved.tree.origins.clone().requires_grad_()
    moved.replace(origins=origins).forward_kinematics(moved.sample(1)).sum().backward()
    assert bool((origins.grad != 0).any())


def test_replace_hands_geometry_to_the_tree(iiwa: dk.Robot) -> None:
    origins = iiwa.tree.origins.clone()
    origins[0, 2, 3] += 0.5
    lifted = iiwa.replace(origins=origins, name="lifted", upper=iiwa.upper - 0.1)
    q = iiwa.sample(3)
    gap = lifted.forward_kinematics(q) - iiwa.forward_kinematics(q)
    assert gap[:, 2, 3].tolist() == pytest.approx([0.5] * 3, abs=1e-15)
    assert lifted.name == "lifted"
    torch.testing.assert_close(lifted.upper, iiwa.upper - 0.1)
    assert torch.equal(iiwa.tree.origins[1:], lifted.tree.origins[1:])
    assert iiwa.replace().tree is iiwa.tree


def test_replace_moves_the_tip(iiwa: dk.Robot) -> None:
    q = iiwa.sample(2)
    short = iiwa.replace(tip="lbr_iiwa_link_4")
    assert torch.equal(short.forward_kinematics(q), iiwa.forward_kinematics(q, links=["lbr_iiwa_link_4"])[:, 0])


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"origin": 1}, UnknownNameError, "'origin'.*'origins'"),
        ({"tip": "hnd"}, UnknownNameError, "'hnd'.*'hand'"),
        (
            {"origins": torch.eye(4, dtype=torch.float64)},
            ShapeError,
            r"origins must have shape \(5, 4, 4\), got \(4, 4\)",
        ),
        ({"axes": torch.zeros(2, 5, 3)}, ShapeError, r"axes must have shape \(5, 3\), got \(2, 5, 3\)"),
        ({"axes": torch.zeros(5, 3, dtype=torch.long)}, DtypeError, "axes must be floating point"),
        ({"lower": torch.zeros(2)}, ShapeError, r"lower must have shape \(3,\), got \(2,\)"),
    ],
)
def test_what_cannot_be_replaced(mixed: dk.Robot, changes: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        mixed.replace(**changes)


def test_periodic_coordinates() -> None:
    """Unlimited, and every joint that follows goes round by whole turns with it."""

    def spins(second: str) -> list[bool]:
        robot = dk.Robot.from_urdf(
            f"""<robot name="r"><link name="a"/><link name="b"/><link name="c"/><link name="d"/>
            <joint name="free" type="continuous"><parent link="a"/><child link="b"/></joint>
            {second}
            <joint name="bound" type="revolute"><parent link="a"/><child link="d"/><limit lower="-4" upper="4"/></joint>
            </robot>"""
        )
        return robot.periodic.tolist()

    follower = (
        '<joint name="f" type="{}"><parent link="b"/><child link="c"/>{}<mimic joint="free" multiplier="{}"/></joint>'
    )
    limit = '<limit lower="-1" upper="1"/>'
    assert spins('<joint name="f" type="fixed"><parent link="b"/><child link="c"/></joint>') == [True, False]
    assert spins(follower.format("continuous", "", "2")) == [True, False]
    assert spins(follower.format("continuous", "", "-1")) == [True, False]
    assert spins(follower.format("continuous", "", "0.5")) == [False, False]
    assert spins(follower.format("prismatic", limit, "1")) == [False, False]


def test_links_by_name(mixed: dk.Robot, iiwa: dk.Robot) -> None:
    assert [mixed.link_index(name) for name in mixed.link_names] == list(range(7))
    assert iiwa.link_index(None) == iiwa.link_names.index(iiwa.tip)
    with pytest.raises(UnknownNameError, match="link of robot 'mixed': 'hnd'.*'hand'"):
        mixed.link_index("hnd")
    with pytest.raises(TopologyError, match="no tip: its tree ends in 'hand', 'e'"):
        mixed.link_index(None)


def test_samples(panda: dk.Robot) -> None:
    q = panda.sample(1000, seed=4)
    assert q.shape == (1000, panda.dof)
    assert bool((q >= panda.lower).all() and (q <= panda.upper).all())
    assert torch.equal(q, panda.sample(1000, seed=4))
    assert not torch.equal(q, panda.sample(1000, seed=5))
    assert panda.sample(0).shape == (0, panda.dof)
    middle, spread = 0.5 * (panda.lower + panda.upper), (panda.upper - panda.lower) / math.sqrt(12.0)
    assert ((q.mean(0) - middle).abs() < 5 * spread / math.sqrt(1000)).all()
    torch.testing.assert_close(q.std(0), spread, rtol=0.1, atol=0)


def test_a_generator_goes_on(panda: dk.Robot) -> None:
    generator = torch.Generator().manual_seed(4)
    first, second = panda.sample(3, seed=generator), panda.sample(3, seed=generator)
    assert torch.equal(torch.cat((first, second)), panda.sample(6, seed=4))


def test_samples_of_a_float32_robot_keep_within_its_own_limits(panda: dk.Robot) -> None:
    single = panda.to(torch.float32)
    q = single.sample(5000)
    assert q.dtype == torch.float32
    assert bool((q >= single.lower).all() and (q <= single.upper).all())
    torch.testing.assert_close(q.double(), panda.sample(5000), rtol=0, atol=1e-6)


@pytest.mark.parametrize("count", [-1, 2.5, "3", None])
def test_counts_that_are_none(panda: dk.Robot, count: object) -> None:
    with pytest.raises(OptionError, match="whole number"):
        panda.sample(count)  # type: ignore[arg-type]


CALLS = ["forward_kinematics", "jacobian", "hessian", "manipulability", "link_poses", "center_of_mass"]


@pytest.mark.parametrize("call", CALLS)
def test_arrays_and_lists_are_coordinates(iiwa: dk.Robot, call: str) -> None:
    function, q = getattr(iiwa, call), iiwa.sample(4).reshape(2, 2, 7)
    expected = function(q)
    for given in (q.numpy(), q.tolist(), [list(row) for row in q]):
        found = function(given)
        if call == "link_poses":
            expected, found = expected[iiwa.tip], found[iiwa.tip]
        assert torch.equal(found, expected)
        expected = function(q)
    base = torch.eye(4, dtype=torch.float64).tolist()
    if call != "manipulability":
        assert function(q.tolist(), base=base) is not None
    single = iiwa.to(torch.float32)
    found = getattr(single, call)(q.tolist())
    assert (found[iiwa.tip] if call == "link_poses" else found).dtype == torch.float32


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("q", [None, "q", object(), {}, [], 1.0, [[1.0], [1.0, 2.0]], True, [None] * 7, ["a"] * 7, 1j])
def test_what_are_no_coordinates(iiwa: dk.Robot, call: str, q: object) -> None:
    with pytest.raises(dk.errors.DiffkinError):
        getattr(iiwa, call)(q)


@pytest.mark.parametrize("wrong", [None, 3, [], ["a"], torch.zeros(2), {}, object(), b"x", math.nan])
def test_nothing_but_errors_of_diffkin(iiwa: dk.Robot, wrong: object) -> None:
    q = iiwa.sample(2)
    calls = [
        lambda: iiwa.jacobian(q, frame=wrong),
        lambda: iiwa.jacobian(q, method=wrong),
        lambda: iiwa.with_frame("x", wrong, torch.eye(4)),
        lambda: iiwa.with_frame("x", iiwa.tip, wrong),
        lambda: iiwa.replace(tree=wrong),
        lambda: iiwa.replace(lower=wrong),
        lambda: iiwa.replace(origins=wrong),
        lambda: iiwa.replace(joint_names=wrong),
        lambda: iiwa.replace(base=wrong),
        lambda: dk.Robot.from_dh(wrong),
        lambda: dk.Robot.from_dh([[0, 0, 0, 0]], convention=wrong),
        lambda: dk.Robot.from_urdf(wrong),
        lambda: dk.Robot.from_mjcf(wrong),
        lambda: dk.load_robot(wrong),
    ]
    if wrong is not None:
        calls += [
            lambda: iiwa.forward_kinematics(q, links=[wrong]),
            lambda: iiwa.forward_kinematics(q, base=wrong),
            lambda: iiwa.jacobian(q, link=wrong),
            lambda: iiwa.jacobian(q, point=wrong),
            lambda: dk.Robot.from_dh([[0, 0, 0, 0]], kinds=wrong),
            lambda: dk.Robot.from_dh([[0, 0, 0, 0]], lower=wrong),
            lambda: dk.Robot.from_dh([[0, 0, 0, 0]], tool=wrong),
            lambda: dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>', base=wrong),
            lambda: dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>', tip=wrong),
            lambda: dk.Robot.from_urdf('<robot name="r"><link name="a"/></robot>', srdf=wrong),
        ]
    if wrong is not None and wrong != [] and wrong != {}:  # of no links there are no poses
        calls.append(lambda: iiwa.forward_kinematics(q, links=wrong))
    for number, call in enumerate(calls):
        try:
            call()
        except dk.errors.DiffkinError:
            continue
        pytest.fail(f"call {number} took {wrong!r}")
    assert len(calls) >= 14


def test_all_links_at_once(mixed: dk.Robot) -> None:
    q = mixed.sample(4)
    poses = mixed.link_poses(q)
    assert list(poses) == list(mixed.link_names)
    for name, pose in poses.items():
        torch.testing.assert_close(pose, mixed.forward_kinematics(q, [name])[:, 0], rtol=0, atol=1e-15)
    base = dk.transforms.exp(torch.full((6,), 0.2, dtype=torch.float64))
    torch.testing.assert_close(mixed.link_poses(q, base)["hand"], base @ poses["hand"], rtol=0, atol=1e-15)


def test_robots_print_one_short_paragraph(iiwa: dk.Robot, mixed: dk.Robot) -> None:
    assert repr(iiwa).endswith("8 links, float64 on cpu)")
    assert "leaves=[hand, e]" in repr(mixed)
    assert repr(iiwa.tree) == "KinematicTree(7 joints (7 revolute), dof=7, 8 links, float64 on cpu)"
    assert "3 revolute, 2 prismatic" in repr(mixed.tree)
    long = dk.Robot.from_dh([[0.1, 0, 0, 0]] * 200)
    assert "joint12, and 188 more" in repr(long)
    assert len(repr(long)) < 400


@pytest.mark.parametrize("call", CALLS)
def test_every_call_checks_its_coordinates(iiwa: dk.Robot, call: str) -> None:
    function = getattr(iiwa, call)
    with pytest.raises(ShapeError, match=r"q must have shape \(\*batch, 7\), one number for each of lbr_iiwa_joint_1"):
        function(torch.zeros(3, 6, dtype=torch.float64))
    with pytest.raises(ShapeError, match=r"got \(\)"):
        function(torch.tensor(0.0))
    with pytest.raises(DtypeError, match="q must be floating point"):
        function(torch.zeros(7, dtype=torch.int32))
    with pytest.raises(dk.errors.NonFiniteError, match="q holds 1 NaN"):
        function(torch.tensor([0.0, 0.0, math.nan, 0.0, 0.0, 0.0, 0.0]))


@pytest.mark.parametrize("call", CALLS[1:4])
def test_every_call_takes_any_link(iiwa: dk.Robot, call: str) -> None:
    q = iiwa.sample(2)
    function = getattr(iiwa, call)
    assert torch.equal(function(q), function(q, link=iiwa.tip))
    with pytest.raises(UnknownNameError, match="'hand'"):
        function(q, link="hand")


@pytest.mark.parametrize("call", ["jacobian", "hessian"])
def test_points_are_checked(iiwa: dk.Robot, call: str) -> None:
    with pytest.raises(ShapeError, match=r"point must have shape \(\*batch, 3\)"):
        getattr(iiwa, call)(iiwa.sample(2), point=torch.zeros(4))
    with pytest.raises(dk.errors.NonFiniteError, match="point"):
        getattr(iiwa, call)(iiwa.sample(2), point=torch.tensor([0.0, math.inf, 0.0]))


def test_models_are_loaded_by_their_loaders() -> None:
    text = '<robot name="r"><link name="only"/></robot>'
    assert dk.Robot.from_urdf(text).name == "r"
    assert dk.Robot.from_mjcf('<mujoco model="m"><worldbody><body name="b"/></worldbody></mujoco>').name == "m"
    assert dk.Robot.from_dh([[1.0, 0.0, 0.0, 0.0]]).joint_names == ("joint1",)
