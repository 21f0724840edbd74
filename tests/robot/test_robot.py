"""The robot itself: what it knows, copies with something changed, links by name, samples, and checks of ``q``."""

from __future__ import annotations

import dataclasses
import math

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
        ({"lower": torch.zeros(2)}, ShapeError, r"lower must have shape \(\*batch, 3\), got \(2,\)"),
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


CALLS = ["forward_kinematics", "jacobian", "hessian", "manipulability"]


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


@pytest.mark.parametrize("call", CALLS[1:])
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
