"""What holds for every public call on tensors, whatever torch is set to and whatever kind of tensor comes in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from diffkin.errors import DiffkinError
from tests.fresh import run_code
from tests.public_calls import CALLS, NO_CALLS, public

every = pytest.mark.parametrize("name", CALLS)
by_the_library = pytest.mark.parametrize("name", [name for name in CALLS if name != "autograd.backward_seeds"])
"""All but the entry that makes its own leaf of what comes in."""
below_robots = pytest.mark.parametrize(
    "name", [name for name in CALLS if name != "autograd.backward_seeds" and not name.startswith("Robot.")]
)

# Their derivatives are none: numbers come out that no input moves.
CONSTANT = {"autograd.unit_seeds", "autograd.backward_seeds", "autograd.hessian"}


def run(name: str, inputs: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    """The value, and the gradients of a weighted sum of it to all inputs that require one."""
    value = CALLS[name][0](*inputs)
    leaves = [each for each in inputs if each.requires_grad]
    if not leaves or not value.requires_grad:
        return value.detach(), ()
    weights = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape)
    return value.detach(), torch.autograd.grad((value * weights).sum(), leaves, allow_unused=True)


def leaves(name: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    return tuple(each.to(dtype, copy=True).requires_grad_() for each in CALLS[name][1])


def test_every_public_function_has_an_entry() -> None:
    named = {name.split()[0].removesuffix("_other") for name in CALLS}
    assert public() - named - NO_CALLS == set()
    assert (named | NO_CALLS) - public() == set()


@every
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(name: str, half: torch.dtype) -> None:
    expected, slopes = run(name, leaves(name, torch.float32))
    with torch.autocast("cpu", half):
        found, rounded = run(name, leaves(name, torch.float32))
    assert found.dtype == expected.dtype == torch.float32
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(found, expected, rtol=0, atol=4e-6 * scale)
    assert bool(slopes) == (name.split()[0] not in CONSTANT)
    for one, other in zip(rounded, slopes, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert one.dtype == torch.float32
            size = max(1.0, other.abs().max().item())
            if size < 1e4:  # at singular points rounding is all there is to be seen
                torch.testing.assert_close(one, other, rtol=0, atol=4e-5 * size)


@every
def test_the_default_dtype_changes_nothing(name: str) -> None:
    expected, slopes = run(name, leaves(name, torch.float64))
    before = torch.get_default_dtype()
    for default in (torch.float16, torch.float32, torch.float64):
        torch.set_default_dtype(default)
        try:
            found, others = run(name, leaves(name, torch.float64))
        finally:
            torch.set_default_dtype(before)
        assert found.dtype == torch.float64
        assert torch.equal(found, expected)
        for one, other in zip(others, slopes, strict=True):
            assert (one is None and other is None) or torch.equal(one, other)


@every
def test_nothing_lands_on_the_default_device(name: str) -> None:
    function, inputs = CALLS[name]
    expected = function(*inputs)
    torch.set_default_device("meta")
    try:
        found = function(*inputs)
    finally:
        torch.set_default_device(None)
    assert found.device == expected.device
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14 * max(1.0, expected.abs().max().item()))


@pytest.mark.parametrize(
    "name",
    [
        "rotations.rotvec_to_matrix",
        "rotations.matrix_to_quat_xyzw",
        "rotations.euler_to_matrix ZYX",
        "rotations.slerp",
        "rotations.nearest_rotation",
        "transforms.left_jacobian_inverse",
        "Robot.forward_kinematics",
    ],
)
def test_a_default_device_is_no_hindrance_to_compilation(name: str) -> None:
    function, inputs = CALLS[name]
    expected = function(*inputs)
    torch._dynamo.reset()
    torch.set_default_device("cpu")
    try:
        found = torch.compile(function, backend="aot_eager", fullgraph=True)(*inputs)
    finally:
        torch.set_default_device(None)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_trees_and_random_rotations_are_made_beside_the_default_device() -> None:
    code = """
import torch
torch.set_default_device("meta")
import diffkin as dk
for name in ("kuka_iiwa", "planar_2r"):
    robot = dk.load_robot(name)
    tree = robot.tree
    made = [tree.origins, tree.axes, tree.link_offsets, tree.steps, tree.mounts, tree.to(torch.float32).steps]
    made += [robot.forward_kinematics(torch.zeros(3, robot.dof, device="cpu", dtype=torch.float64))]
    made += [dk.rotations.random_rotation(2), dk.rotations.random_quat_xyzw(2), dk.rotations.hat([1.0, 2.0, 3.0])]
    assert {tensor.device.type for tensor in made} == {"cpu"}, name
print("done")
"""
    done = run_code(code)
    assert done.stdout.strip() == "done", done.stderr[-2000:]


@every
def test_inference_mode_and_no_grad_change_nothing(name: str) -> None:
    function, inputs = CALLS[name]
    expected, slopes = run(name, leaves(name, torch.float64))
    for switch in (torch.inference_mode, torch.no_grad):
        with switch():
            made = tuple(1.0 * each for each in inputs)
            found = [function(*inputs), function(*made)]
        for each in (*found, function(*made)):  # the last outside of it
            torch.testing.assert_close(each, expected, rtol=0, atol=1e-13 * max(1.0, expected.abs().max().item()))
    if len(inputs) > 1 and slopes:  # beside a tensor that requires gradients
        with torch.inference_mode():
            others = tuple(1.0 * each for each in inputs[1:])
        _, mixed = run(name, (inputs[0].clone().requires_grad_(), *others))
        torch.testing.assert_close(mixed[0], slopes[0], rtol=1e-10, atol=1e-10)


def negative(tensor: Tensor) -> Tensor:
    """The same numbers as a view that is to be negated when it is read."""
    made = torch.complex(torch.zeros_like(tensor), -tensor).conj().imag
    assert made.is_neg()
    return made


def spread(tensor: Tensor) -> Tensor:
    return torch.stack([tensor, tensor], -1)[..., 0]


def turned(tensor: Tensor) -> Tensor:
    axes = tuple(range(tensor.ndim))[::-1]
    return tensor.permute(axes).contiguous().permute(axes)


class Tagged(Tensor):
    """A subclass that does nothing."""


KINDS: dict[str, Callable[[Tensor], Tensor]] = {
    "negative": negative,
    "strided": spread,
    "permuted": turned,
    "offset": lambda tensor: torch.cat([tensor[:1], tensor])[1:],
    "parameter": torch.nn.Parameter,
    "subclass": lambda tensor: tensor.as_subclass(Tagged),
    "subclass leaf": lambda tensor: tensor.clone().as_subclass(Tagged).requires_grad_(),
}


@every
@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_tensors(name: str, kind: str) -> None:
    function, inputs = CALLS[name]
    expected = function(*inputs)
    found = function(*(KINDS[kind](each.clone()) for each in inputs))
    torch.testing.assert_close(
        found.detach().as_subclass(Tensor), expected, rtol=0, atol=1e-13 * max(1.0, expected.abs().max().item())
    )


@pytest.mark.parametrize("name", [name for name in CALLS if name != "Robot.with_frame"])  # takes one pose
def test_expanded_tensors(name: str) -> None:
    function, inputs = CALLS[name]
    whole = tuple(each[2:3].repeat(4, *[1] * (each.ndim - 1)) for each in inputs)
    expected = function(*whole)
    found = function(*(each[2:3].expand(4, *each.shape[1:]) for each in inputs))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13 * max(1.0, expected.abs().max().item()))


@below_robots
def test_arrays_and_lists(name: str) -> None:
    function, inputs = CALLS[name]
    expected = function(*inputs)
    for given in (
        tuple(each.numpy() for each in inputs),
        tuple(each.tolist() for each in inputs),
        tuple(list(each) for each in inputs),
    ):
        torch.testing.assert_close(
            function(*given), expected, rtol=0, atol=1e-13 * max(1.0, expected.abs().max().item())
        )


REFUSED = {
    "sparse": lambda tensor: tensor.to_sparse(),
    "mkldnn": lambda tensor: tensor.float().to_mkldnn(),
    "integer": lambda tensor: tensor.long(),
    "complex": lambda tensor: tensor.to(torch.complex128),
    "bool": lambda tensor: tensor > 0,
    "no axes": lambda tensor: tensor.flatten()[0],
}


def takes_a_number(name: str) -> bool:
    return name.startswith("autograd.") or name == "rotations.euler_to_matrix Z"


@by_the_library
@pytest.mark.parametrize("kind", REFUSED)
def test_tensors_that_are_refused(name: str, kind: str) -> None:
    function, inputs = CALLS[name]
    for place, right in enumerate(inputs):
        given = [*inputs[:place], REFUSED[kind](right), *inputs[place + 1 :]]
        if kind == "no axes" and (right.ndim == 1 or takes_a_number(name)):  # one number will do
            assert bool(function(*given).isfinite().all())
            continue
        with pytest.raises(DiffkinError):
            function(*given)


@every
def test_tensors_of_another_device(name: str) -> None:
    """On ``meta``, which has shapes and no numbers: right, or refused where it meets a tensor of the CPU."""
    function, inputs = CALLS[name]
    if name.startswith(("Robot.", "kinematics.")):
        with pytest.raises(DiffkinError, match="device"):
            function(*(each.to("meta") for each in inputs))
        return
    expected = function(*inputs)
    found = function(*(each.to("meta") for each in inputs))
    assert found.is_meta
    assert found.shape == expected.shape
    if len(inputs) > 1:
        with pytest.raises(DiffkinError, match="different devices"):
            function(inputs[0].to("meta"), *inputs[1:])


JUNK = [None, "a", b"a", [], ["a"], {}, object(), [None], True, 3, [[1.0], [1.0, 2.0]], float, lambda x: x]


@below_robots
@pytest.mark.parametrize("wrong", JUNK, ids=lambda value: type(value).__name__)
def test_what_is_no_tensor(name: str, wrong: object) -> None:
    """Refused with an error of ours; some may be left out, and where any shape will do a number or none is a tensor."""
    function, inputs = CALLS[name]
    for place, right in enumerate(inputs):
        given = [*inputs[:place], wrong, *inputs[place + 1 :]]
        optional = wrong is None and (name == "transforms.pose" or (name.startswith("kinematics.") and place > 0))
        number = wrong == 3 and (right.ndim == 1 or takes_a_number(name))
        if optional or number or (wrong == [] and name.startswith("autograd.")):
            assert bool(function(*given).isfinite().all())
            continue
        with pytest.raises(DiffkinError):
            function(*given)
