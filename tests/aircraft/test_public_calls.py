"""Walks through every public function of ``diffkin.aircraft``: what all of them keep, whatever the surroundings."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diffkin import aircraft
from diffkin.errors import DiffkinError
from tests.aircraft.public_calls import CALLS, call, change, tensors

every = pytest.mark.parametrize("name", CALLS)

# What these do with such input is decided in the solver, the tasks and the robot, and tested there.
TASKS = {"turn_to", "BankPitchLimitTask", "KeepOutConeTask", "RayAtPointTask", "RayDirectionTask", "WingsLevelTask"}
SOLVES = {"point", "RayTarget", "KeepOut"}
OF_THE_ROBOT = {"load_airframe", "Airframe.to"}
KINEMATICS = {name for name in CALLS if name.split(" ")[0] in ("point_jacobian", "ray_jacobian", "mass_properties")} | {
    "Airframe.mass_properties",
    "Airframe.points_body",
    "Airframe.points_ned",
    "Airframe.rays_body",
    "Airframe.rays_ned",
}

PACKAGE = Path(aircraft.__file__).parent


def test_every_public_name_has_a_call() -> None:
    named = {name.split(" ")[0].split(".")[0] for name in CALLS}
    assert named == set(aircraft.__all__)


@every
def test_autocast_changes_nothing(name: str) -> None:
    function, arguments = call(name, torch.float32)
    expected = list(tensors(function(**arguments)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = list(tensors(function(**arguments)))
    assert found and len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)  # dtypes too


def test_no_product_that_autocast_rounds() -> None:
    """``_algebra.matmul`` and ``apply`` multiply in the precision of what they are given; these do not."""
    rounded = {
        "matmul",
        "mm",
        "bmm",
        "einsum",
        "linear",
        "addmm",
        "addbmm",
        "baddbmm",
        "mv",
        "tensordot",
        "chain_matmul",
    }
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 20
    found = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.BinOp)
                and isinstance(node.op, ast.MatMult)
                or isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in rounded
            ):
                found.append(f"{file.name}:{node.lineno}")
    assert found == []


def _same(found: Any, expected: list[Tensor]) -> None:
    parts = list(tensors(found))
    assert parts and len(parts) == len(expected)
    for one, other in zip(parts, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)  # devices and dtypes too


@every
def test_inference_mode_and_its_tensors_change_nothing(name: str) -> None:
    function, arguments = call(name)
    expected = list(tensors(function(**arguments)))
    with torch.inference_mode():
        frozen = change(arguments, torch.clone)
        _same(function(**arguments), expected)
        _same(function(**frozen), expected)
    _same(function(**frozen), expected)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in SOLVES | OF_THE_ROBOT])
def test_a_default_device_does_not_draw_constants_to_it(name: str) -> None:
    function, arguments = call(name)
    expected = list(tensors(function(**arguments)))
    torch.set_default_device("meta")
    try:
        found = function(**arguments)
    finally:
        torch.set_default_device(None)  # any other, "cpu" too, would stay a mode that torch.compile minds
    _same(found, expected)


def _negative(tensor: Tensor) -> Tensor:
    """The same numbers as a view that holds them with the other sign and a bit that says so."""
    view = torch.complex(torch.zeros_like(tensor), -tensor).conj().imag
    assert view.is_neg() and torch.equal(view, tensor)
    return view


@pytest.mark.parametrize("name", [name for name in CALLS if name not in KINEMATICS])
def test_views_with_a_negative_bit_are_numbers(name: str) -> None:
    function, arguments = call(name)
    _same(function(**change(arguments, _negative)), list(tensors(function(**arguments))))


@every
def test_views_that_are_not_contiguous_are_numbers(name: str) -> None:
    function, arguments = call(name)
    strided = change(arguments, lambda tensor: torch.stack([tensor + 1.0, tensor], -1)[..., 1])
    _same(function(**strided), list(tensors(function(**arguments))))


@pytest.mark.parametrize("name", [name for name in CALLS if name not in TASKS])
def test_a_tensor_of_another_kind_is_refused(name: str) -> None:
    """Sparse, or without numbers among others that have them: an error of diffkin's, or the answer."""
    function, arguments = call(name)
    for place, value in arguments.items():
        if isinstance(value, Tensor) and value.is_floating_point() and value.ndim:
            for other in (value.to_sparse(), value.to("meta"), value.to(torch.complex128)):
                if name in VESSELS:
                    continue
                with pytest.raises(DiffkinError):
                    list(tensors(_run(function, arguments | {place: other}, other)))


# Named tuples and dataclasses that hold what they are given: whoever takes them checks.
VESSELS = {"AttitudeReference", "FilterState", "MEKFState", "MassProperties", "Pointing"}


def _run(function: Any, arguments: dict[str, Any], other: Tensor) -> Any:
    """The result; where all that is given may be without numbers, so may the result, which is no answer among others."""
    found = function(**arguments)
    if other.is_meta and all(part.is_meta for part in tensors(found)):
        raise DiffkinError("all on meta")
    return found


def _wrong(value: Any) -> Iterator[Any]:
    """What somebody might give in place of a value by mistake."""
    yield from (None, "a", [1.0, 2.0], object(), {}, 1.5, -1, True, float("nan"), float("inf"))
    yield from (torch.tensor(1.0), torch.ones(7, dtype=torch.float64), torch.ones(9, 3), torch.ones(2, 2, 2))
    yield from (
        np.ones((4, 3)),
        np.zeros(()),
        torch.ones(3, dtype=torch.int64),
        torch.ones(4, 3, dtype=torch.complex128),
    )
    if isinstance(value, Tensor) and value.ndim:
        yield from (value[:0], value[..., :0], value * torch.nan, value * 0.0, value > 0.0, value.float(), value.half())


def _mistakes(arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The same arguments with one of them wrong, or a part of one that has parts."""
    for place, value in arguments.items():
        for wrong in _wrong(value):
            yield arguments | {place: wrong}
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            for name in value._fields:
                for wrong in _wrong(getattr(value, name)):
                    yield arguments | {place: value._replace(**{name: wrong})}
        elif isinstance(value, (aircraft.MadgwickGains, aircraft.MahonyGains, aircraft.MEKFNoise)):
            for field in dataclasses.fields(value):
                for wrong in _wrong(getattr(value, field.name)):
                    yield arguments | {place: dataclasses.replace(value, **{field.name: wrong})}


@pytest.mark.parametrize("name", [name for name in CALLS if name not in TASKS | OF_THE_ROBOT])
def test_mistakes_raise_errors_of_diffkin_alone(name: str) -> None:
    function, arguments = call(name)
    refused = 0
    for given in _mistakes(arguments):
        try:
            function(**given)
        except DiffkinError:
            refused += 1
    assert refused > 0 or name in VESSELS


@pytest.mark.parametrize("name", [name for name in CALLS if name not in TASKS | {"KeepOut", "RayTarget"}])
def test_empty_batches_give_empty_answers(name: str) -> None:
    function, arguments = call(name)
    if not any(isinstance(value, Tensor) and value.ndim and len(value) == 4 for value in arguments.values()):
        return
    try:
        found = list(tensors(function(**change(arguments, lambda t: t[:0] if t.ndim and len(t) == 4 else t))))
    except DiffkinError:  # four that are no batch: the times of a reference, the rotors of a mixer
        assert name in ("attitude_reference", "QuadrotorMixer", "allocate_surfaces")
        return
    assert any(part.numel() == 0 for part in found)
