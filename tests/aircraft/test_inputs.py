"""Numbers, gains, names and triples: what is taken, and that what is not is refused by its name."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from diffkin.aircraft._inputs import (
    check_choice,
    check_gain,
    check_kind,
    check_rows,
    check_same_device,
    first_place,
    number,
    numbers_of,
    table,
    triple,
    whole,
)
from diffkin.errors import DiffkinError, DtypeError, NonFiniteError, OptionError, ShapeError, UnknownNameError

F = torch.float64


@pytest.mark.parametrize(
    "good", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), torch.tensor(2), torch.tensor(2.0)]
)
def test_numbers_of_every_kind(good: object) -> None:
    found = number(good, "mass", sign="positive")
    assert type(found) is float and found == 2.0


@pytest.mark.parametrize(
    "bad",
    [None, "2", True, [2.0], 2j, math.nan, math.inf, 10**400, torch.ones(1), torch.tensor(0.0, device="meta"), {}],
)
def test_what_is_no_number(bad: object) -> None:
    with pytest.raises(OptionError, match=r"^mass must be a finite number that is positive in kg, got"):
        number(bad, "mass", sign="positive", unit="in kg")
    with pytest.raises(OptionError, match=r"^mass must be a finite number, got"):
        number(bad, "mass")


def test_signs_of_numbers() -> None:
    assert number(-1, "x") == -1.0
    assert number(0, "x", sign="not negative") == 0.0
    for bad, sign in ((0.0, "positive"), (-1e-9, "not negative"), (-1, "positive")):
        with pytest.raises(OptionError, match=sign):
            number(bad, "x", sign=sign)


@pytest.mark.parametrize("good", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)])
def test_whole_numbers(good: object) -> None:
    found = whole(good, "steps")
    assert type(found) is int and found == 3


@pytest.mark.parametrize("bad", [3.0, True, None, "3", -1, [3], np.float64(3), torch.tensor(3.0), torch.tensor([3])])
def test_what_is_no_whole_number(bad: object) -> None:
    with pytest.raises(OptionError, match=r"^steps must be a whole number from 0 on, got"):
        whole(bad, "steps")


def test_gains() -> None:
    for good in (1.0, torch.ones((), dtype=F), torch.ones(3, dtype=F), torch.ones(4, 1, dtype=F), torch.ones(4, 3)):
        check_gain(good, "k", batch=(4,), device=torch.device("cpu"))
    for bad, error in (
        (torch.ones(2), ShapeError),
        (torch.ones(5, 3), ShapeError),
        (torch.ones(3, dtype=torch.int64), DtypeError),
        (torch.full((3,), math.nan), NonFiniteError),
        (torch.ones(3, device="meta"), DtypeError),
        (np.ones(()), OptionError),
        (None, OptionError),
        ("a", OptionError),
    ):
        with pytest.raises(error, match="^k|k "):
            check_gain(bad, "k", batch=(4,), device=torch.device("cpu"))


def test_numbers_as_tensors() -> None:
    like = torch.zeros(1, dtype=torch.float32)
    for good in (1.5, [1.5], np.array([1.5]), torch.tensor([1.5], dtype=F)):
        found = numbers_of(good, "x", like)
        assert found.dtype == torch.float32 and float(found.sum()) == 1.5
    kept = torch.ones(2, dtype=F, requires_grad=True)
    assert numbers_of(kept, "x", like).requires_grad
    for bad in (
        "a",
        ["a"],
        object(),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, device="meta"),
        [[1.0], [1.0, 2.0]],
    ):
        with pytest.raises(DtypeError, match="^x must"):
            numbers_of(bad, "x", like)


def test_triples() -> None:
    for good in ((1, 2, 3), [1.0, 2.0, 3.0], np.array([1, 2, 3]), torch.tensor([1.0, 2.0, 3.0])):
        assert triple(good, "offset") == (1.0, 2.0, 3.0)
    for bad in ((1, 2), "abc", None, 3, (1, 2, math.nan), (1, 2, "3"), {}, torch.ones(3, 3)):
        with pytest.raises(DiffkinError, match="offset"):
            triple(bad, "offset")
    like = torch.zeros(1, dtype=torch.float32)
    assert table([(1.0, 2.0, 3.0)], like).tolist() == [[1.0, 2.0, 3.0]]
    assert table([], like).shape == (0, 3)


def test_choices_kinds_and_devices() -> None:
    check_choice("level", ("level", "free"), "roll")
    for bad in ("levl", None, ["level"], torch.ones(3)):
        with pytest.raises(UnknownNameError, match="level"):
            check_choice(bad, ("level", "free"), "roll")
    check_kind(1, (int, float), "x")
    with pytest.raises(OptionError, match="x must be of the kind int or float, got str. Give a number."):
        check_kind("1", (int, float), "x", "Give a number.")
    check_same_device(a=torch.ones(1), b=None)
    with pytest.raises(DtypeError, match="a on cpu, c on meta"):
        check_same_device(a=torch.ones(1), b=None, c=torch.ones(1, device="meta"))


def test_rows_that_are_no_numbers_are_named_in_the_order_of_time() -> None:
    rows = torch.zeros(2, 3, 5, 3, dtype=F)
    check_rows(rows, "gyro", steps=True)
    rows[0, 0, 4, 0] = rows[1, 2, 3, 1] = math.inf
    with pytest.raises(
        NonFiniteError, match=r"gyro holds NaN or infinity at step 3 of batch element \(1, 2\), in 2 of 30"
    ):
        check_rows(rows, "gyro", steps=True)
    with pytest.raises(NonFiniteError, match=r"at batch element \(0, 0, 4\)"):
        check_rows(rows, "gyro", steps=False)
    assert first_place(torch.tensor([False, True]), steps=True) == " at step 1"
    assert first_place(torch.tensor(True), steps=False) == ""
