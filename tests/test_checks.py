"""Checks of input: what passes, what is refused, what the message names, and where values cannot be seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffkin._checks import (
    ROTATION_TOLERANCE,
    as_device,
    as_tensor,
    broadcast,
    check_devices,
    check_dtype,
    check_finite,
    check_floating,
    check_last,
    check_memory,
    check_pose,
    check_rotation,
    has_values,
    ordinary,
    take,
    take_rotation,
)
from diffkin.errors import DeviceError, DtypeError, NonFiniteError, OptionError, RotationError, ShapeError
from diffkin.rotations import random_rotation
from diffkin.transforms import pose


def torch_broadcast(*shapes: tuple[int, ...]) -> torch.Size | None:
    try:
        return torch.broadcast_shapes(*shapes)
    except RuntimeError:
        return None


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 3]), max_size=3).map(tuple), min_size=1, max_size=4))
def test_broadcast_is_that_of_torch(shapes: list[tuple[int, ...]]) -> None:
    named = {f"tensor {place}": shape for place, shape in enumerate(shapes)}
    wanted = torch_broadcast(*shapes)
    if wanted is None:
        with pytest.raises(ShapeError):
            broadcast(**named)
    else:
        assert broadcast(**named) == wanted
        assert isinstance(broadcast(**named), torch.Size)


def test_broadcast_takes_any_sequence() -> None:
    assert broadcast(q=[2, 1], base=torch.Size([5])) == (2, 5)
    assert broadcast(q=[2, 1], base=(2, 1)) == (2, 1)
    assert broadcast() == ()


def test_broadcast_names_every_tensor() -> None:
    with pytest.raises(ShapeError, match=r"do not broadcast: q \(2, 3\), base \(\), point \(4,\)\. Make them equal"):
        broadcast(q=(2, 3), base=(), point=(4,))


def test_broadcast_where_shapes_are_symbols() -> None:
    def sum_of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        shape = broadcast(a=a.shape[:-1], b=b.shape[:-1])
        return a.expand(*shape, 2) + b.expand(*shape, 2)

    torch._dynamo.reset()
    compiled = torch.compile(sum_of, fullgraph=True, backend="eager", dynamic=True)
    for first, second in (((3,), (3,)), ((3, 1), (4,)), ((), (5,))):
        a, b = torch.rand(*first, 2), torch.rand(*second, 2)
        assert torch.equal(compiled(a, b), a + b)
    a, b = torch.rand(7, 3, 2), torch.rand(7, 2)
    assert torch.equal(torch.func.vmap(sum_of)(a, b), a + b[:, None])


def test_floating() -> None:
    check_floating(torch.zeros(2, dtype=torch.float16), "q")
    with pytest.raises(DtypeError, match=r"q must be floating point, got torch\.int64"):
        check_floating(torch.zeros(2, dtype=torch.int64), "q")
    with pytest.raises(DtypeError, match=r"q must be floating point, got torch\.complex64"):
        check_floating(torch.zeros(2, dtype=torch.complex64), "q")
    with pytest.raises(DtypeError, match=r"q must be a torch\.Tensor, got list"):
        check_floating([0.0], "q")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.eye(3).to_sparse_csr(),
        torch.eye(3).to_mkldnn(),
        torch.nested.nested_tensor([torch.ones(3), torch.ones(2)]),
    ],
    ids=["sparse", "csr", "mkldnn", "nested"],
)
def test_tensors_that_are_not_dense(tensor: torch.Tensor) -> None:
    with pytest.raises(DtypeError, match=r"R must be a dense tensor, got a .* one\. Convert it with \.to_dense"):
        check_rotation(tensor, "R")


def test_devices() -> None:
    cpu, meta = torch.ones(2), torch.ones(2, device="meta")
    check_devices(a=cpu, b=None, c=cpu)
    check_devices(a=meta, b=torch.tensor(1.0))
    check_devices()
    with pytest.raises(DeviceError, match="different devices: a on cpu, b on meta"):
        check_devices(a=cpu, b=meta)
    assert as_device("cpu") == torch.device("cpu")
    for wrong in ("nowhere", None, 1.5, [], "cpu:x"):
        with pytest.raises(DeviceError, match="device must be a device of torch"):
            as_device(wrong)
    check_dtype(torch.bfloat16)
    for wrong in (torch.int64, "float32", None, np.float32):
        with pytest.raises(DtypeError, match="floating-point dtype"):
            check_dtype(wrong)


def test_what_a_user_gave() -> None:
    assert take([1, 2, 3], (3,), "v").tolist() == [1.0, 2.0, 3.0]
    vector = torch.ones(3)
    assert take(vector, (3,), "v") is vector
    with pytest.raises(ShapeError, match="v must have shape"):
        take([1, 2], (3,), "v")
    assert take_rotation(np.eye(3), "R").equal(torch.eye(3).double())
    with pytest.raises(RotationError, match="R is not a rotation"):
        take_rotation(2.0 * np.eye(3), "R")
    take_rotation(2.0 * np.eye(3), "R", values=False)


def test_last_axes() -> None:
    check_last(torch.zeros(3), (3,), "v")
    check_last(torch.zeros(5, 0, 3, 4), (3, 4), "v")
    check_last(torch.tensor(0.0), (), "v")
    for wrong in (torch.zeros(4), torch.tensor(0.0), torch.zeros(3, 1)):
        with pytest.raises(ShapeError, match=r"v must have shape \(\*batch, 3\), got"):
            check_last(wrong, (3,), "v")
    with pytest.raises(DtypeError):
        check_last(torch.zeros(3, dtype=torch.int32), (3,), "v")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_every_number_must_be_finite(dtype: torch.dtype, number: float) -> None:
    values = torch.ones(3, 4, dtype=dtype)
    for tensor in (values, values.T, values.clone().requires_grad_(), values[:0]):
        check_finite(tensor, "q")
    values[1, 2] = values[2, 0] = number
    for tensor in (values, values.T, values.clone().requires_grad_()):
        with pytest.raises(NonFiniteError, match="q holds 2 NaN or infinite numbers"):
            check_finite(tensor, "q")


def test_finite_numbers_whose_sum_overflows_are_finite() -> None:
    values = torch.full((4, 2), torch.finfo(torch.float32).max)
    check_finite(values, "q")
    check_finite(values.T, "q")


def test_rotations_up_to_rounding() -> None:
    rotation = random_rotation(100, seed=1)
    check_rotation(rotation, "R")
    check_rotation(rotation.float(), "R")
    check_rotation(rotation[:0], "R")
    check_rotation(rotation * (1.0 + 0.4 * ROTATION_TOLERANCE), "R")  # R^T R - I is twice as far off
    far = rotation.clone()
    far[70] *= 1.0 + 0.6 * ROTATION_TOLERANCE
    with pytest.raises(RotationError, match=r"R is not a rotation: \|R\^T R - I\| is 1\.2e-05.*nearest_rotation"):
        check_rotation(far, "R")
    check_rotation(far, "R", tolerance=1e-4)


def test_rotations_that_are_none() -> None:
    mirror = random_rotation(3, seed=1)
    mirror[1, 2] *= -1.0
    with pytest.raises(RotationError, match="reflection"):
        check_rotation(mirror, "R")
    broken = random_rotation(3, seed=1)
    broken[2, 0, 1] = math.nan
    with pytest.raises(NonFiniteError, match="R holds 1 NaN"):
        check_rotation(broken, "R")
    with pytest.raises(ShapeError, match=r"\(\*batch, 3, 3\)"):
        check_rotation(torch.zeros(4, 4), "R")


def test_a_wrong_matrix_is_found_wherever_it_stands() -> None:
    """Large batches are looked at in parts."""
    many = torch.eye(3).repeat(150_000, 1, 1)
    check_rotation(many, "R")
    for place in (0, 65_535, 65_536, 149_999):
        wrong = many.clone()
        wrong[place, 0, 0] = 2.0
        with pytest.raises(RotationError, match="not a rotation"):
            check_rotation(wrong, "R")


def test_poses() -> None:
    good = pose(random_rotation(4, seed=0), torch.rand(4, 3, dtype=torch.float64))
    check_pose(good, "T")
    check_pose(good[:0], "T")
    for row, column, number, error, said in [
        (3, 1, 0.1, RotationError, r"T must have the last row \(0, 0, 0, 1\)"),
        (3, 3, 2.0, RotationError, r"T must have the last row \(0, 0, 0, 1\)"),
        (0, 0, 5.0, RotationError, "T is not a rotation"),
        (1, 3, math.inf, NonFiniteError, "T holds 1 NaN or infinite"),
    ]:
        bad = good.clone()
        bad[2, row, column] = number
        with pytest.raises(error, match=said):
            check_pose(bad, "T")
    with pytest.raises(ShapeError, match=r"T must have shape \(\*batch, 4, 4\)"):
        check_pose(torch.eye(3), "T")


def test_values_are_not_looked_at_where_there_are_none() -> None:
    bad = torch.full((2, 4, 4), math.nan)
    assert has_values(bad)
    assert not has_values(bad, bad.to("meta"))

    def checked(matrix: torch.Tensor) -> torch.Tensor:
        assert not has_values(matrix)
        check_finite(matrix, "T")
        check_pose(matrix, "T")
        check_rotation(matrix[..., :3, :3], "R")
        return matrix.sum()

    assert torch.func.vmap(checked)(bad).isnan().all()
    assert torch.func.jvp(checked, (bad,), (bad,))[0].isnan()
    torch._dynamo.reset()
    assert torch.compile(checked, fullgraph=True, backend="eager")(bad).isnan()
    check_pose(bad.to("meta"), "T")
    with pytest.raises(ShapeError):
        torch.func.vmap(lambda matrix: (check_pose(matrix[:3], "T"), matrix)[1])(bad)


class Arraylike:
    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return np.ones(2, np.float32)


def endless() -> list:
    circle: list = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    ("value", "dtype", "numbers"),
    [
        (1.5, torch.float64, 1.5),
        (3, torch.float64, 3.0),
        (np.float64(2.0), torch.float64, 2.0),
        (np.float32(2.0), torch.float32, 2.0),
        (np.arange(3, dtype=np.float32), torch.float32, [0.0, 1.0, 2.0]),
        (np.arange(3.0)[::-1], torch.float64, [2.0, 1.0, 0.0]),
        (np.arange(3, dtype=">f8"), torch.float64, [0.0, 1.0, 2.0]),
        (np.arange(2, dtype=np.float16), torch.float16, [0.0, 1.0]),
        ([1, 2.5], torch.float64, [1.0, 2.5]),
        (([1, 2], (3.0, 4)), torch.float64, [[1.0, 2.0], [3.0, 4.0]]),
        ([np.ones(2, np.float32), np.zeros(2, np.float32)], torch.float32, [[1.0, 1.0], [0.0, 0.0]]),
        ([torch.ones(2), [3, 4]], torch.float32, [[1.0, 1.0], [3.0, 4.0]]),
        ([torch.tensor(1.0), torch.tensor(2.0).double(), 3], torch.float64, [1.0, 2.0, 3.0]),
        ([], torch.float64, []),
        (Arraylike(), torch.float32, [1.0, 1.0]),
    ],
)
def test_arrays_and_lists_become_tensors(value: object, dtype: torch.dtype, numbers: object) -> None:
    before = torch.get_default_dtype()
    for default in (torch.float32, torch.float64, torch.float16):  # which plays no part
        torch.set_default_dtype(default)
        try:
            made = as_tensor(value, "q")
        finally:
            torch.set_default_dtype(before)
        assert made.dtype == dtype
        assert made.device.type == "cpu"
        assert made.tolist() == numbers


def test_tensors_stay_what_they_are() -> None:
    for tensor in (torch.ones(2), torch.ones(2, dtype=torch.int64), torch.ones(2, requires_grad=True)):
        assert as_tensor(tensor, "q", torch.float16) is tensor


def test_an_array_is_copied_and_may_be_read_only() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    made = as_tensor(array, "q")
    made[0] = 5.0
    assert array.tolist() == [1.0, 1.0, 1.0]


def test_the_dtype_asked_for_is_that_of_plain_numbers() -> None:
    assert as_tensor([1.0, 2], "q", torch.float32).dtype == torch.float32
    assert as_tensor(np.ones(2), "q", torch.float32).dtype == torch.float64
    assert as_tensor([1.0, 2], "q", device="meta").is_meta


def test_gradients_flow_through_lists() -> None:
    angle = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    made = as_tensor([[angle, 0], [1, 2.0 * angle]], "q")
    assert torch.autograd.grad(made.sum(), angle)[0].item() == 3.0


@pytest.mark.parametrize(
    "value",
    [
        None,
        "a",
        b"a",
        True,
        1j,
        {},
        {1.0},
        object(),
        float,
        10**400,
        [1, "a"],
        [None],
        [True],
        [[1.0, {}]],
        range(3),
        np.array([1, 2]),
        np.array(["a"]),
        np.array([None]),
        np.ones(2, complex),
        np.longdouble(1),
        [np.array([1, 2])],
        [torch.ones(2, dtype=torch.int64)],
        [torch.ones(2), None],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_no_numbers_is_no_tensor(value: object) -> None:
    with pytest.raises(DtypeError, match="^q "):
        as_tensor(value, "q")


@pytest.mark.parametrize(
    "value", [[[1], [1, 2]], [1.0, [2.0]], [torch.ones(2), torch.ones(3)], [np.ones(2), np.ones(3)], endless()], ids=str
)
def test_ragged_lists(value: object) -> None:
    with pytest.raises(ShapeError, match="^q is|^q must be a regular"):
        as_tensor(value, "q")


def test_tensors_of_inference_mode_become_ordinary_outside_of_it() -> None:
    with torch.inference_mode():
        made = torch.ones(2)
        assert as_tensor(made, "q") is made
        assert not ordinary(made).is_inference()
    assert not as_tensor(made, "q").is_inference()
    plain = torch.ones(2)
    assert ordinary(plain) is plain


def test_memory_that_is_not_there() -> None:
    like = torch.zeros(1, dtype=torch.float32)
    check_memory(1000, like, "A thousand numbers")
    with pytest.raises(
        OptionError, match=r"^Far too many numbers would take 4000000000000000 bytes \(4e\+06 GB\); cpu has"
    ):
        check_memory(10**15, like, "Far too many numbers")
    check_memory(10**15, torch.zeros(1, device="meta"), "Numbers that take no memory")


@pytest.mark.parametrize("scale", [1e20, 1e200, 1e300])
def test_a_huge_matrix_is_no_rotation(scale: float) -> None:
    with pytest.raises(RotationError, match="not a rotation"):
        check_rotation(scale * random_rotation((3,), 1), "R")


def test_sparse_tensors_are_refused_and_negative_views_are_numbers() -> None:
    dense = torch.tensor([1.0, 0.0, 2.0], dtype=torch.float64)
    for sparse in (dense.to_sparse(), torch.eye(3, dtype=torch.float64).to_sparse_csr()):
        with pytest.raises(DtypeError, match="dense"):
            check_floating(sparse, "q")
    view = torch.complex(dense, -dense).conj().imag
    assert view.is_neg()
    check_finite(view, "q")
    broken = torch.complex(dense, dense / 0.0).conj().imag
    assert broken.is_neg()
    with pytest.raises(NonFiniteError, match="q holds 3 NaN"):
        check_finite(broken, "q")
