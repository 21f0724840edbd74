"""``robot.to``: a dtype, a device or its name, or a tensor, as in torch."""

from __future__ import annotations

import pytest
import torch

import diffkin as dk
from diffkin.errors import DeviceError, DtypeError, OptionError
from diffkin.robot.conversion import converted, wanted

F32, CPU, META = torch.float32, torch.device("cpu"), torch.device("meta")


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ((), {}, (None, None)),
        (("cpu",), {}, (None, CPU)),
        ((F32,), {}, (F32, None)),
        ((None, "cpu"), {}, (None, CPU)),
        ((F32, "meta"), {}, (F32, META)),
        (("meta", F32), {}, (F32, META)),
        ((META,), {"dtype": F32}, (F32, META)),
        ((torch.zeros(1, dtype=F32, device="meta"),), {}, (F32, META)),
        ((), {"dtype": F32, "device": "cpu"}, (F32, CPU)),
    ],
)
def test_what_is_wanted(arguments: tuple, options: dict, expected: tuple) -> None:
    assert wanted(*arguments, **options) == expected


@pytest.mark.parametrize(
    ("arguments", "options", "error", "said"),
    [
        (("floppy",), {}, DeviceError, "'floppy'"),
        ((torch.int64,), {}, DtypeError, "int64"),
        ((torch.complex64,), {}, DtypeError, "complex64"),
        ((), {"dtype": "float32"}, DtypeError, "'float32'"),
        ((3.5,), {}, OptionError, "float"),
        ((True,), {}, OptionError, "bool"),
        (([],), {}, OptionError, "list"),
        ((F32, F32), {}, OptionError, "2 arguments for the dtype"),
        (("cpu",), {"device": "cpu"}, OptionError, "2 arguments for the device"),
        ((torch.zeros(1, dtype=torch.long),), {}, DtypeError, "int64"),
    ],
)
def test_what_cannot_be_wanted(arguments: tuple, options: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        wanted(*arguments, **options)


def test_everything_goes_along(panda: dk.Robot) -> None:
    named = panda.replace(configurations={"home": panda.sample(1)[0]})
    moved = named.to("meta", F32)
    tensors = [moved.tree.origins, moved.tree.axes, moved.tree.link_offsets, moved.lower, moved.upper]
    tensors += [moved.max_velocity, moved.max_effort, moved.link_masses, moved.link_centers]
    tensors.append(moved.configurations["home"])
    assert {(tensor.dtype, tensor.device) for tensor in tensors} == {(F32, META)}


def test_nothing_to_do_is_nothing_done(panda: dk.Robot) -> None:
    assert panda.to("cpu") is panda
    assert panda.to(torch.float64) is panda
    assert converted(panda, None, None) is panda


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
@pytest.mark.parametrize("device", ["cuda", "cuda:3", 0])
def test_a_device_that_is_not_there(panda: dk.Robot, device: object) -> None:
    with pytest.raises(DeviceError):
        panda.to(device)


def test_nothing_comes_back_from_meta(panda: dk.Robot) -> None:
    with pytest.raises(DeviceError, match="meta"):
        panda.to("meta").to("cpu")


def test_loading_does_not_ask_for_the_default_device(panda: dk.Robot) -> None:
    torch.set_default_device("meta")
    try:
        robots = [
            dk.load_robot("franka_panda"),
            dk.Robot.from_dh([[0.1, 0.2, 0.3, 0.4]], tool=torch.eye(4, device="cpu")),
            dk.Robot.from_mjcf('<mujoco><worldbody><body><joint/><geom size="1"/></body></worldbody></mujoco>'),
        ]
        q = robots[0].sample(3)
        framed = robots[0].with_frame("x", "panda_hand", torch.eye(4, device="cpu")).to(F32)
        center, periodic = robots[0].center_of_mass(q), robots[0].periodic
    finally:
        torch.set_default_device(None)
    for robot in (*robots, framed):
        tensors = [robot.tree.origins, robot.tree.steps, robot.lower, robot.max_effort, robot.link_masses]
        assert {tensor.device for tensor in tensors} == {CPU}
    assert torch.equal(q, panda.sample(3))
    assert torch.equal(center, panda.center_of_mass(q))
    assert torch.equal(periodic, panda.periodic)
